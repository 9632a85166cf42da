/* server/expose.c: see expose.h. */
#include "server/expose.h"

#include <assert.h>

enum { DIGITS_MAX = 20 }; /* of a uint64_t */

static void put_u64(struct jsonw *w, uint64_t v, unsigned digits_min)
{
	char digits[DIGITS_MAX];
	size_t at = DIGITS_MAX;

	assert(digits_min <= DIGITS_MAX);
	while (v > 0 || DIGITS_MAX - at < digits_min) {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	}
	jsonw_splice(w, str_of(digits + at, DIGITS_MAX - at));
}

/* value / scale, a power of ten: the fraction without its trailing zeros. */
static void put_decimal(struct jsonw *w, uint64_t value, uint64_t scale)
{
	uint64_t fraction = value % scale;
	unsigned digits = 0;

	assert(scale > 0);
	put_u64(w, value / scale, 1);
	if (fraction == 0)
		return;
	for (uint64_t i = scale; i > 1; i /= 10)
		digits++;
	for (; fraction % 10 == 0; fraction /= 10)
		digits--;
	jsonw_splice(w, STR("."));
	put_u64(w, fraction, digits);
}

void expose_head(struct jsonw *w, struct str name, enum expose_kind kind, struct str help)
{
	static const struct str words[] = {
		[EXPOSE_COUNTER] = STR(" counter\n"), [EXPOSE_GAUGE] = STR(" gauge\n"),
		[EXPOSE_HISTOGRAM] = STR(" histogram\n"),
	};

	jsonw_splice(w, STR("# HELP "));
	jsonw_splice(w, name);
	jsonw_splice(w, STR(" "));
	jsonw_splice(w, help);
	jsonw_splice(w, STR("\n# TYPE "));
	jsonw_splice(w, name);
	jsonw_splice(w, words[kind]);
}

/* name{label="value"} with an absent label: name alone. */
static void series(struct jsonw *w, struct str name, struct str suffix, struct str label, struct str value)
{
	jsonw_splice(w, name);
	jsonw_splice(w, suffix);
	if (!str_absent(label)) {
		jsonw_splice(w, STR("{"));
		jsonw_splice(w, label);
		jsonw_splice(w, STR("=\""));
		jsonw_splice(w, value);
		jsonw_splice(w, STR("\"}"));
	}
	jsonw_splice(w, STR(" "));
}

void expose_sample(struct jsonw *w, struct str name, struct str label, struct str value, uint64_t v)
{
	series(w, name, STR(""), label, value);
	put_u64(w, v, 1);
	jsonw_splice(w, STR("\n"));
}

void expose_scaled(struct jsonw *w, struct str name, enum expose_kind kind, struct str help,
                   uint64_t v, uint64_t scale)
{
	expose_head(w, name, kind, help);
	series(w, name, STR(""), STR_NONE, STR_NONE);
	put_decimal(w, v, scale);
	jsonw_splice(w, STR("\n"));
}

void expose_scalar(struct jsonw *w, struct str name, enum expose_kind kind, struct str help, uint64_t v)
{
	expose_scaled(w, name, kind, help, v, 1);
}

void expose_labelled(struct jsonw *w, struct str name, struct str label, const struct str *words,
                     const uint64_t *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		expose_sample(w, name, label, words[i], v[i]);
}

void expose_histogram(struct jsonw *w, struct str name, struct str help, const struct histogram *h,
                      const uint64_t bounds[EXPOSE_BUCKETS_MAX], uint64_t scale)
{
	uint64_t below = 0;

	expose_head(w, name, EXPOSE_HISTOGRAM, help);
	for (int i = 0; i < EXPOSE_BUCKETS_MAX; i++) {
		below += h->buckets[i];
		jsonw_splice(w, name);
		jsonw_splice(w, STR("_bucket{le=\""));
		put_decimal(w, bounds[i], scale);
		jsonw_splice(w, STR("\"} "));
		put_u64(w, below, 1);
		jsonw_splice(w, STR("\n"));
	}
	assert(below + h->buckets[EXPOSE_BUCKETS_MAX] == h->count);
	series(w, name, STR("_bucket"), STR("le"), STR("+Inf"));
	put_u64(w, h->count, 1);
	jsonw_splice(w, STR("\n"));
	series(w, name, STR("_sum"), STR_NONE, STR_NONE);
	put_decimal(w, h->sum, scale);
	jsonw_splice(w, STR("\n"));
	series(w, name, STR("_count"), STR_NONE, STR_NONE);
	put_u64(w, h->count, 1);
	jsonw_splice(w, STR("\n"));
}
