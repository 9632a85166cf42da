/*
 * cluster/letter_form.h: the members of letters as tables, so that who writes and who reads cannot disagree:
 * one row says a member's name, its kind and where in its struct it stands.
 *
 * Of a struct that is all zero, but for WALL_NONE in its times, nothing is written; a member that is missing
 * leaves it so. Private to letter_write.c and letter_read.c.
 */
#ifndef CLUSTER_LETTER_FORM_H
#define CLUSTER_LETTER_FORM_H

#include "cluster/letter.h"

enum form_kind {
	FORM_ID,        /* struct str */
	FORM_NODE,      /* struct str */
	FORM_IDS,       /* struct strs: at most row->max */
	FORM_FLAG,      /* bool */
	FORM_HEX,       /* uint64_t */
	FORM_U32,       /* uint32_t */
	FORM_CURSOR,    /* uint32_t: UINT32_MAX is null */
	FORM_SEQ,       /* uint64_t: to 2^53 */
	FORM_SPAN,      /* int64_t: 0 to 2^53 */
	FORM_TIME,      /* wall_t: -2^53 to 2^53 */
	FORM_CUSTOM,    /* struct str: a custom status */
	FORM_METADATA,  /* struct str: raw JSON, an object */
	FORM_BODY,      /* struct str: raw JSON */
	FORM_OVERRIDE,  /* enum status: STATUS_OFFLINE is none */
	FORM_MARK,      /* enum status: STATUS_OFFLINE is none */
	FORM_ROOM_KIND, /* enum room_kind */
	FORM_TOPICS,    /* uint8_t: bits that a client can name */
	FORM_KINDS
};

#define FORM_NUMBER_MAX (INT64_C(1) << 53)  /* what every reader of JSON has exactly */

struct form_row {
	struct str key;
	enum form_kind kind;
	bool need;
	uint32_t max;         /* FORM_IDS */
	size_t offset;
};

struct form {
	const struct form_row *rows;
	uint32_t n;
};

extern const struct form letter_form_head, letter_form_gone;         /* struct letter */
extern const struct form letter_form_cursor, letter_form_first;       /* struct letter */
extern const struct form letter_form_user;                            /* struct peer_user */
extern const struct form letter_form_profile, letter_form_shown;      /* struct peer_profile */
extern const struct form letter_form_messages[PEER_MESSAGE_COUNT];    /* struct peer_message */
extern const struct form letter_form_broadcast;                       /* struct broadcast */

extern const struct str letter_form_types[LETTER_COUNT];
extern const struct str letter_form_message_types[PEER_MESSAGE_COUNT];

#endif
