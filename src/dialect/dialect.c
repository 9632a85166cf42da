/*
 * dialect/dialect.c: see dialect.h. Adding a dialect: one file, one number in enum dialect_id, one line
 * here.
 */
#include "dialect/dialect.h"

#include <assert.h>

#include "dialect/protocol.h"

static const struct dialect *const dialects[DIALECT_COUNT] = {
	[DIALECT_SNAKE] = &snake_dialect,
	[DIALECT_DOTTED] = &dotted_dialect,
	[DIALECT_ROOMS] = &rooms_dialect,
	[DIALECT_ROSTER] = &roster_dialect,
	[DIALECT_UPPER] = &upper_dialect,
	[DIALECT_ECHO] = NULL,
};

const struct dialect *dialect_at(enum dialect_id id)
{
	assert(id < DIALECT_COUNT);
	assert(dialects[id] == NULL || dialects[id]->id == id);
	return dialects[id];
}

struct str dialect_name(enum dialect_id id)
{
	const struct dialect *d = dialect_at(id);

	return d == NULL ? STR("echo") : d->name;
}

bool dialect_find(struct str name, enum dialect_id *out)
{
	assert(out != NULL);
	for (unsigned i = 0; i < DIALECT_COUNT; i++) {
		if (!str_eq(dialect_name((enum dialect_id)i), name))
			continue;
		*out = (enum dialect_id)i;
		return true;
	}
	return false;
}

bool dialect_owns_type(struct str type)
{
	for (int d = 0; d < DIALECT_COUNT; d++)
		if (dialects[d] != NULL && dialects[d]->is_own_type(type))
			return true;
	return false;
}
