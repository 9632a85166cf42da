/* Each kind has a reader, which fills `why` and gives false, and a writer; `place` is the option's address in
 * struct options. */
#include "option_value.h"

#include <assert.h>
#include <stdio.h>

#include "base/units.h"
#include "base/utf8.h"
#include "option_list.h"
#include "wire/url.h"

enum { QUOTED_BYTES_MAX = 64 };

static void *place(struct options *o, const struct option *row)
{
	return (char *)o + row->at;
}

static const void *place_of(const struct options *o, const struct option *row)
{
	return (const char *)o + row->at;
}

const char *option_value_quote(struct str s, char out[OPTION_QUOTE_BYTES])
{
	struct str shown = s.n > QUOTED_BYTES_MAX ? str_of(s.p, QUOTED_BYTES_MAX) : s;
	bool text = utf8_valid(s);
	size_t n = 0;

	if (text && shown.n < s.n)
		shown = utf8_prefix(s, QUOTED_BYTES_MAX);
	out[n++] = '"';
	for (size_t i = 0; i < shown.n; i++) {
		unsigned char c = (unsigned char)shown.p[i];
		/* C1 controls are 0xc2 0x80 to 0xc2 0x9f. */
		bool c1 = c == 0xc2 && i + 1 < shown.n && (unsigned char)shown.p[i + 1] < 0xa0;

		out[n++] = c < 0x20 || c == 0x7f || c1 || (c >= 0x80 && !text) ? '?' : (char)c;
		i += c1;
	}
	n += (size_t)snprintf(out + n, OPTION_QUOTE_BYTES - n, "%s\"", shown.n < s.n ? "..." : "");
	assert(n < OPTION_QUOTE_BYTES);
	return out;
}

void option_value_wanted(const struct option *row, char out[OPTION_WHY_BYTES])
{
	static const char *const words[] = {
		[OPTION_DURATION] = "a duration (500ms, 5s, 1m30s, 1h or seconds)",
		[OPTION_SIZE] = "a size (bytes, 64k or 10m)",
		[OPTION_COUNT] = "a whole number",
		[OPTION_TEXT] = "text of 1 to 64 bytes without control characters and double quotes",
		[OPTION_PATH] = "the path of a file, without control characters and double quotes",
		[OPTION_URL] = "an http or https URL without user and fragment",
		[OPTION_REDIS] = "the URL of a Redis (redis://host:6379/0)",
		[OPTION_SWITCH] = "on or off (true, false, yes, no, 1, 0)",
		[OPTION_CPUS] = "a list of CPUs (0, 0,2 or 1-3) or off",
		[OPTION_LISTENERS] = "an address to listen on (ADDR:PORT or unix:PATH)",
		[OPTION_ORIGINS] = "an origin (https://example.org, or *)",
		[OPTION_NAMES] = "a name of 1 to 1024 bytes without control characters and double quotes",
		[OPTION_PATHS] = "the path of a file, without control characters and double quotes",
		[OPTION_PROXIES] = "an address or network (192.0.2.1, 10.0.0.0/8, 2001:db8::/32), nor `unix`",
		[OPTION_MESSAGE_SIZE] = "a size (bytes, 64k or 10m)",
		[OPTION_NOTE] = "a size (bytes, 64k or 10m)",
	};
	char names[128];

	if (row->kind != OPTION_CHOICE) {
		snprintf(out, OPTION_WHY_BYTES, "%s", words[row->kind]);
		return;
	}
	option_value_name(row, names, sizeof(names));
	snprintf(out, OPTION_WHY_BYTES, "%s%s", row->choices[1].name == NULL ? "" : "one of ", names);
}

bool option_value_malformed(const struct option *row, struct str value, char why[OPTION_WHY_BYTES])
{
	char quoted[OPTION_QUOTE_BYTES], wanted[OPTION_WHY_BYTES - OPTION_QUOTE_BYTES];
	char all[OPTION_WHY_BYTES];

	option_value_wanted(row, all);
	snprintf(wanted, sizeof(wanted), "%.*s", (int)sizeof(wanted) - 1, all);
	snprintf(why, OPTION_WHY_BYTES, "%s is not %.*s", option_value_quote(value, quoted),
		 OPTION_WHY_BYTES - OPTION_QUOTE_BYTES - 8, wanted);
	return false;
}

/* --- numbers --- */

static size_t number_put(enum option_kind kind, char out[UNITS_BYTES_MAX], int64_t n)
{
	switch (kind) {
	case OPTION_DURATION: return units_put_duration(out, n);
	case OPTION_SIZE:
	case OPTION_MESSAGE_SIZE:
	case OPTION_NOTE: return units_put_size(out, (uint64_t)n);
	default: return units_put_count(out, (uint64_t)n);
	}
}

static bool out_of_range(const struct option *row, struct str value, char why[OPTION_WHY_BYTES])
{
	char quoted[OPTION_QUOTE_BYTES], min[UNITS_BYTES_MAX], max[UNITS_BYTES_MAX];
	size_t min_n = number_put(row->kind, min, row->min), max_n = number_put(row->kind, max, row->max);

	snprintf(why, OPTION_WHY_BYTES, "%s is out of range (%.*s to %.*s)",
		 option_value_quote(value, quoted), (int)min_n, min, (int)max_n, max);
	return false;
}

static bool number_read(const struct option *row, struct str value, int64_t *out, char why[OPTION_WHY_BYTES])
{
	uint64_t n = 0;
	bool good;

	if (row->kind == OPTION_DURATION)
		good = units_duration(value, out);
	else
		good = row->kind == OPTION_COUNT ? units_count(value, &n) : units_size(value, &n);
	if (!good)
		return option_value_malformed(row, value, why);
	if (row->kind != OPTION_DURATION)
		*out = n > INT64_MAX ? INT64_MAX : (int64_t)n;
	if (*out < row->min || *out > row->max)
		return out_of_range(row, value, why);
	return true;
}

static bool number_set(struct options *o, uint32_t row_number, struct str value, char why[OPTION_WHY_BYTES])
{
	const struct option *row = option_at(row_number);
	int64_t n = 0;

	if (!number_read(row, value, &n, why))
		return false;
	switch (row->kind) {
	case OPTION_DURATION: *(int64_t *)place(o, row) = n; break;
	case OPTION_MESSAGE_SIZE:
		for (int d = 0; d < DIALECT_COUNT; d++)
			o->config.message_bytes_max[d] = (uint64_t)n;
		break;
	case OPTION_NOTE: o->notes[row_number] = value; break;
	default: assert(row->max <= UINT32_MAX); *(uint32_t *)place(o, row) = (uint32_t)n;
	}
	return true;
}

/* --- words --- */

static bool choice_set(struct options *o, const struct option *row, struct str value,
		       char why[OPTION_WHY_BYTES])
{
	for (const struct option_choice *c = row->choices; c->name != NULL; c++)
		if (str_eq_nocase(value, str_of(c->name, strlen(c->name)))) {
			*(int *)place(o, row) = c->value;
			return true;
		}
	return option_value_malformed(row, value, why);
}

bool option_value_is_text(struct str value, size_t max)
{
	bool good = value.n > 0 && value.n <= max && utf8_valid(value);

	for (size_t i = 0; good && i < value.n; i++)
		good = (unsigned char)value.p[i] >= 0x20 && value.p[i] != 0x7f && value.p[i] != '"' &&
		       !((unsigned char)value.p[i] == 0xc2 && (unsigned char)value.p[i + 1] < 0xa0);
	return good;
}

static bool text_set(struct options *o, const struct option *row, struct str value,
		     char why[OPTION_WHY_BYTES])
{
	size_t max = row->kind == OPTION_PATH ? OPTION_PATH_BYTES_MAX : OPTIONS_TEXT_BYTES_MAX;
	struct url url;

	if (row->kind == OPTION_URL ? !url_parse(value, &url) || url.websocket
				    : !option_value_is_text(value, max))
		return option_value_malformed(row, value, why);
	*(struct str *)place(o, row) = value;
	return true;
}

/* What is wrong is said without the value: it may hold a password. */
static bool redis_set(struct options *o, const struct option *row, struct str value,
		      char why[OPTION_WHY_BYTES])
{
	const char *phrase = redis_url_parse(value, place(o, row));

	o->redis_url = value;
	if (phrase == NULL && !option_value_is_text(value, REDIS_URL_BYTES_MAX))
		phrase = "it holds a control character or a double quote";
	if (phrase != NULL)
		snprintf(why, OPTION_WHY_BYTES, "not the URL of a Redis: %s", phrase);
	return phrase == NULL;
}

static bool switch_set(struct options *o, const struct option *row, struct str value,
		       char why[OPTION_WHY_BYTES])
{
	static const struct {
		struct str word;
		bool on;
	} words[] = {
		{ { "on", 2 }, true },   { { "true", 4 }, true },
		{ { "yes", 3 }, true },  { { "1", 1 }, true },
		{ { "off", 3 }, false }, { { "false", 5 }, false },
		{ { "no", 2 }, false },  { { "0", 1 }, false },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_eq_nocase(value, words[i].word)) {
			*(bool *)place(o, row) = words[i].on;
			return true;
		}
	return option_value_malformed(row, value, why);
}

/* `2` or `1-3`. */
static bool cpus_span(struct str s, uint64_t *first, uint64_t *last)
{
	const char *dash = memchr(s.p, '-', s.n);
	size_t n = dash == NULL ? s.n : (size_t)(dash - s.p);

	if (!units_count(str_of(s.p, n), first))
		return false;
	*last = *first;
	return dash == NULL || (units_count(str_of(dash + 1, s.n - n - 1), last) && *first <= *last);
}

static bool cpus_set(struct options *o, const struct option *row, struct str value,
		     char why[OPTION_WHY_BYTES])
{
	struct cpu_set set = { { 0 } };
	bool bound = !str_eq_nocase(value, STR("off"));
	struct str rest = value;
	const char *comma = rest.p;
	uint64_t cpu, last;

	while (bound && comma != NULL) {
		size_t n;

		comma = memchr(rest.p, ',', rest.n);
		n = comma == NULL ? rest.n : (size_t)(comma - rest.p);
		if (!cpus_span(str_trim(str_of(rest.p, n)), &cpu, &last))
			return option_value_malformed(row, value, why);
		if (last > (uint64_t)row->max)
			return out_of_range(row, value, why);
		for (; cpu <= last; cpu++)
			set.words[cpu / 64] |= UINT64_C(1) << cpu % 64;
		if (comma != NULL)
			rest = str_of(comma + 1, rest.n - n - 1);
	}
	o->config.bound = bound;
	o->config.cpus = set;
	*(struct str *)place(o, row) = value;
	return true;
}

bool option_value_set(struct options *o, uint32_t row_number, struct str value, bool anew,
		      char why[OPTION_WHY_BYTES])
{
	const struct option *row = option_at(row_number);

	switch (row->kind) {
	case OPTION_DURATION:
	case OPTION_SIZE:
	case OPTION_COUNT:
	case OPTION_MESSAGE_SIZE:
	case OPTION_NOTE: return number_set(o, row_number, value, why);
	case OPTION_TEXT:
	case OPTION_PATH:
	case OPTION_URL: return text_set(o, row, value, why);
	case OPTION_REDIS: return redis_set(o, row, value, why);
	case OPTION_SWITCH: return switch_set(o, row, value, why);
	case OPTION_CPUS: return cpus_set(o, row, value, why);
	case OPTION_CHOICE: return choice_set(o, row, value, why);
	case OPTION_LISTENERS:
	case OPTION_ORIGINS:
	case OPTION_NAMES:
	case OPTION_PATHS:
	case OPTION_PROXIES: return option_list_set(o, row, value, anew, why);
	}
	assert(0);
	return false;
}

/* --- back to text --- */

void option_value_put_text(struct str s, char out[OPTION_VALUE_BYTES_MAX])
{
	bool quote = s.n == 0 || s.p[0] == '\'' || s.p[0] == '#' || s.p[0] == ' ' || s.p[s.n - 1] == ' ';

	for (size_t i = 1; i < s.n; i++)
		quote |= s.p[i] == '#' && s.p[i - 1] == ' ';
	snprintf(out, OPTION_VALUE_BYTES_MAX, quote ? "\"%.*s\"" : "%.*s", (int)s.n, s.p);
}

static bool number_out(const struct option *row, int64_t n, char out[OPTION_VALUE_BYTES_MAX])
{
	size_t bytes = number_put(row->kind, out, n);

	out[bytes] = '\0';
	return true;
}

static bool choice_put(const struct options *o, const struct option *row, char out[OPTION_VALUE_BYTES_MAX])
{
	const struct option_choice *c = row->choices;
	int value = *(const int *)place_of(o, row);

	while (c->name != NULL && c->value != value)
		c++;
	assert(c->name != NULL);
	snprintf(out, OPTION_VALUE_BYTES_MAX, "%s", c->name);
	return true;
}

/* With `***` for the password. */
static bool redis_put(const struct options *o, char out[OPTION_VALUE_BYTES_MAX])
{
	struct str s = o->redis_url, password = redis_url_password(s);

	if (str_absent(s))
		return false;
	if (password.n == 0) {
		option_value_put_text(s, out);
		return true;
	}
	snprintf(out, OPTION_VALUE_BYTES_MAX, "%.*s***%.*s", (int)(password.p - s.p), s.p,
		 (int)(s.n - (size_t)(password.p - s.p) - password.n), password.p + password.n);
	return true;
}

bool option_value_put(const struct options *o, uint32_t row_number, uint32_t i,
		      char out[OPTION_VALUE_BYTES_MAX])
{
	const struct option *row = option_at(row_number);
	struct str text;

	if (option_list_is(row))
		return option_list_put(o, row, i, out);
	if (i > 0)
		return false;
	switch (row->kind) {
	case OPTION_DURATION: return number_out(row, *(const int64_t *)place_of(o, row), out);
	case OPTION_SIZE:
	case OPTION_COUNT: return number_out(row, *(const uint32_t *)place_of(o, row), out);
	case OPTION_MESSAGE_SIZE:
		return o->state[row_number].source != OPTION_DEFAULT &&
		       number_out(row, (int64_t)o->config.message_bytes_max[0], out);
	case OPTION_REDIS: return redis_put(o, out);
	case OPTION_CHOICE: return choice_put(o, row, out);
	case OPTION_SWITCH:
		snprintf(out, OPTION_VALUE_BYTES_MAX, *(const bool *)place_of(o, row) ? "on" : "off");
		return true;
	case OPTION_NOTE: text = o->notes[row_number]; break;
	default: text = *(const struct str *)place_of(o, row);
	}
	if (!str_absent(text))
		option_value_put_text(text, out);
	return !str_absent(text);
}
