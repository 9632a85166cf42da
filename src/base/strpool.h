/*
 * base/strpool.h: strings of up to 2048 bytes in pools of seven sizes;
 * a string is held by a 4-byte reference.
 *
 * A cell is a 2-byte length and the bytes: ids of up to 14 bytes cost 16, UUIDs 40. A class that is full is
 * full: strings do not move up into larger cells, so that many short ones cannot starve the few long ones.
 * A struct strpool of zeros holds nothing. Ownership: who puts a string drops it, once. Slices from
 * strpool_get() live until that drop.
 */
#ifndef BASE_STRPOOL_H
#define BASE_STRPOOL_H

#include "base/limits.h"
#include "base/pool.h"
#include "base/str.h"

typedef uint32_t strref; /* class << 29 | cell + 1 */

#define STRREF_NONE ((strref)0)          /* the absent string */
#define STRREF_FULL ((strref)UINT32_MAX) /* no room for a string of this length, now or ever */

/* Longest string of each class; cells are these + 2. */
enum {
	STRPOOL_14,   /* short ids */
	STRPOOL_22,   /* chosen ids, ULIDs, room names */
	STRPOOL_38,   /* UUIDs, most e-mail addresses */
	STRPOOL_70,
	STRPOOL_134,  /* any id */
	STRPOOL_262,  /* any custom status */
	STRPOOL_2054, /* any metadata */
	STRPOOL_CLASSES,
};

static_assert(ID_BYTES_MAX <= 134, "the longest id has its class");
static_assert(CUSTOM_STATUS_BYTES_MAX <= 262, "the longest status too");
static_assert(METADATA_BYTES_MAX <= 2054, "and the longest metadata");

struct strpool {
	struct pool pools[STRPOOL_CLASSES];
};

/* counts[c] strings of class c (below 2^29 each); measures when the region does. */
void strpool_init(struct strpool *sp, struct region *r, const uint32_t counts[STRPOOL_CLASSES]);

/* The class for strings of n bytes; STRPOOL_CLASSES when there is none. */
uint32_t strpool_class(size_t n);

/*
 * Copies s. The absent slice gives STRREF_NONE, the empty one a real reference. STRREF_FULL when there is
 * no cell.
 */
strref strpool_put(struct strpool *sp, struct str s);

/* The string; STR_NONE for STRREF_NONE. */
struct str strpool_get(const struct strpool *sp, strref ref);

/* Gives the string back; nothing for STRREF_NONE. Never STRREF_FULL. */
void strpool_drop(struct strpool *sp, strref ref);

/* Cells in use, of all classes. */
uint32_t strpool_used(const struct strpool *sp);

#endif
