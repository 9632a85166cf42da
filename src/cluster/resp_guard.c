/*
 * Invariants: left[0, depth) are all > 0 between two values. What is counted is checked where it is counted,
 * so that no counter goes beyond its bound by more than the byte at hand.
 */
#include "cluster/resp_guard.h"

#include <assert.h>
#include <string.h>

enum { NUMBER_DIGITS_MAX = 19 }; /* 2^63 - 1 */

void resp_guard_init(struct resp_guard *g)
{
	*g = (struct resp_guard){ .state = RESP_GUARD_TYPE };
}

static bool fault(struct resp_guard *g, struct str why)
{
	g->state = RESP_GUARD_FAULT;
	g->why = why;
	return false;
}

/* A value is complete: so may be the arrays that it is the last of. */
static bool value_ends(struct resp_guard *g)
{
	g->state = RESP_GUARD_TYPE;
	while (g->depth > 0) {
		assert(g->left[g->depth - 1] > 0);
		if (--g->left[g->depth - 1] > 0)
			return true;
		g->depth--;
	}
	g->reply_bytes = 0;
	g->replies++;
	return true;
}

static bool value_begins(struct resp_guard *g, char type)
{
	switch (type) {
	case '+':
	case '-': g->state = RESP_GUARD_TEXT; break;
	case ':':
	case '$':
	case '*': g->state = RESP_GUARD_NUMBER; break;
	default: return fault(g, STR("not RESP2"));
	}
	g->type = type;
	g->line_bytes = 0;
	g->number = 0;
	g->negative = false;
	return true;
}

static bool take_text(struct resp_guard *g, char c)
{
	if (c == '\r') {
		g->state = RESP_GUARD_LF;
		return true;
	}
	if (c == '\n')
		return fault(g, STR("a line ends without CR"));
	if (++g->line_bytes > RESP_LINE_BYTES_MAX)
		return fault(g, STR("a line is too long"));
	return true;
}

static bool take_number(struct resp_guard *g, char c)
{
	uint32_t digits = g->line_bytes - g->negative;

	if (c == '\r') {
		if (digits == 0 || (g->negative && g->number == 0))
			return fault(g, STR("a malformed number"));
		g->state = RESP_GUARD_LF;
		return true;
	}
	if (c == '-' && g->line_bytes == 0) {
		g->negative = true;
		g->line_bytes++;
		return true;
	}
	if (c < '0' || c > '9' || (digits > 0 && g->number == 0) || digits == NUMBER_DIGITS_MAX)
		return fault(g, STR("a malformed number"));
	g->number = g->number * 10 + (uint64_t)(c - '0');
	g->line_bytes++;
	return g->number <= INT64_MAX ? true : fault(g, STR("a number is too large"));
}

static bool open_array(struct resp_guard *g)
{
	if (g->number > RESP_ELEMENTS_MAX)
		return fault(g, STR("an array is too long"));
	if (g->number == 0)
		return value_ends(g);
	if (g->depth == RESP_DEPTH_MAX)
		return fault(g, STR("arrays are nested too deep"));
	g->left[g->depth++] = (uint32_t)g->number;
	g->state = RESP_GUARD_TYPE;
	return true;
}

static bool open_bulk(struct resp_guard *g)
{
	if (g->number > RESP_BULK_BYTES_MAX)
		return fault(g, STR("a value is too long"));
	g->bulk_left = (uint32_t)g->number;
	g->state = g->bulk_left > 0 ? RESP_GUARD_BULK : RESP_GUARD_BULK_CR;
	return true;
}

static bool line_ends(struct resp_guard *g, char c)
{
	if (c != '\n')
		return fault(g, STR("a line has a CR in it"));
	if (g->type != '$' && g->type != '*')
		return value_ends(g);
	if (g->negative)
		return g->number == 1 ? value_ends(g) : fault(g, STR("a negative length"));
	return g->type == '$' ? open_bulk(g) : open_array(g);
}

static bool take(struct resp_guard *g, char c)
{
	switch (g->state) {
	case RESP_GUARD_TYPE: return value_begins(g, c);
	case RESP_GUARD_TEXT: return take_text(g, c);
	case RESP_GUARD_NUMBER: return take_number(g, c);
	case RESP_GUARD_LF: return line_ends(g, c);
	case RESP_GUARD_BULK_CR:
		g->state = RESP_GUARD_BULK_LF;
		return c == '\r' ? true : fault(g, STR("a value is longer than it said"));
	default:
		/* the caller takes values itself, and nothing behind a fault */
		assert(g->state == RESP_GUARD_BULK_LF);
		return c == '\n' ? value_ends(g) : fault(g, STR("a value is longer than it said"));
	}
}

bool resp_guard_feed(struct resp_guard *g, const char *bytes, size_t n)
{
	size_t i = 0;

	while (i < n && g->state != RESP_GUARD_FAULT) {
		size_t step = 1;

		if (g->state == RESP_GUARD_BULK) {
			step = n - i < g->bulk_left ? n - i : g->bulk_left;
			g->bulk_left -= (uint32_t)step;
			g->reply_bytes += (uint32_t)step;
			if (g->bulk_left == 0)
				g->state = RESP_GUARD_BULK_CR;
		} else {
			g->reply_bytes++;
			take(g, bytes[i]);
		}
		i += step;
		if (g->reply_bytes > RESP_REPLY_BYTES_MAX && g->state != RESP_GUARD_FAULT)
			fault(g, STR("an answer is too long"));
	}
	return g->state != RESP_GUARD_FAULT;
}
