/* cluster/figures.h: what a node counts of the others, and how /metrics says it. */
#ifndef CLUSTER_FIGURES_H
#define CLUSTER_FIGURES_H

#include "base/jsonw.h"
#include "cluster/letter.h"

/* Why a letter, or what was in it, did not count: the label `reason`. */
#define FIGURES_REFUSALS(X) \
	X(JSON, "json") X(LETTER, "letter") X(CHANNEL, "channel") X(STALE, "stale") X(NO_PLACE, "no_place") \
	X(NAMESAKE, "namesake") X(CURSOR, "cursor") X(FULL, "full")

#define FIGURES_REFUSAL_ENUM(name, label) FIGURES_##name,
enum figures_refusal { FIGURES_REFUSALS(FIGURES_REFUSAL_ENUM) FIGURES_REFUSAL_COUNT };
#undef FIGURES_REFUSAL_ENUM

struct figures {
	uint64_t sent[LETTER_COUNT], heard[LETTER_COUNT];
	uint64_t sent_bytes, heard_bytes;
	uint64_t users_told, users_heard;
	uint64_t unsent;         /* messages that the bus had no space for, or no connection */
	uint64_t refused[FIGURES_REFUSAL_COUNT];
	uint64_t gaps, syncs;    /* letters missed; times that a node told all it has */
	uint64_t deaf, epochs;   /* times that we did not hear ourselves; that we began anew */
	int64_t echo_ms;         /* from our last beat's leaving until we heard it */
};

struct cluster;

/* The lines of /metrics, as server/metrics.c writes its own. */
void figures_write(const struct cluster *, struct jsonw *out);

#endif
