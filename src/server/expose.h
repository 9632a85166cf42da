/*
 * server/expose.h: the text that Prometheus reads, format 0.0.4: for each name HELP, TYPE, then its samples,
 * all of one name together. Numbers are decimal, without floating point; names, labels and their values are
 * words of ours, never a peer's. Touches nothing of the writer but its bytes: it is no JSON.
 */
#ifndef SERVER_EXPOSE_H
#define SERVER_EXPOSE_H

#include <stdint.h>

#include "base/jsonw.h"

enum expose_kind { EXPOSE_COUNTER, EXPOSE_GAUGE, EXPOSE_HISTOGRAM };

enum { EXPOSE_BUCKETS_MAX = 16 };

/* buckets[i] counts values <= bound i and above bound i-1; the last is +Inf. */
struct histogram {
	uint64_t buckets[EXPOSE_BUCKETS_MAX + 1];
	uint64_t count, sum;
};

void expose_head(struct jsonw *w, struct str name, enum expose_kind kind, struct str help);

/* name{label="value"} v; with an absent label: name v. */
void expose_sample(struct jsonw *w, struct str name, struct str label, struct str value, uint64_t v);

/* One sample for each of the words. */
void expose_labelled(struct jsonw *w, struct str name, struct str label, const struct str *words,
                     const uint64_t *v, size_t n);

/* All there is of a name with one value; `scaled`: v / scale, a power of ten. */
void expose_scalar(struct jsonw *w, struct str name, enum expose_kind kind, struct str help, uint64_t v);
void expose_scaled(struct jsonw *w, struct str name, enum expose_kind kind, struct str help,
                   uint64_t v, uint64_t scale);

/* All there is of a histogram, whose values and bounds are divided by `scale`. */
void expose_histogram(struct jsonw *w, struct str name, struct str help, const struct histogram *h,
                      const uint64_t bounds[EXPOSE_BUCKETS_MAX], uint64_t scale);

#endif
