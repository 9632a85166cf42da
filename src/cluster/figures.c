/* cluster/figures.c: see figures.h. */
#include "cluster/figures.h"

#include <assert.h>

#include "cluster/life.h"
#include "cluster/nodes.h"
#include "server/expose.h"

static void counter(struct jsonw *w, struct str name, struct str help, uint64_t v)
{
	expose_scalar(w, name, EXPOSE_COUNTER, help, v);
}

static void gauge(struct jsonw *w, struct str name, struct str help, uint64_t v)
{
	expose_scalar(w, name, EXPOSE_GAUGE, help, v);
}

static void by_word(struct jsonw *w, struct str name, struct str help, struct str label,
		    const struct str *words, const uint64_t *v, size_t n)
{
	expose_head(w, name, EXPOSE_COUNTER, help);
	expose_labelled(w, name, label, words, v, n);
}

static void write_state(const struct cluster *c, struct jsonw *w)
{
	gauge(w, STR("presenced_nodes"), STR("Nodes that are there, this one included."), nodes_count(c) + 1);
	expose_head(w, STR("presenced_cluster_state"), EXPOSE_GAUGE, STR("1 for the state that holds."));
	for (int i = 0; i < LIFE_COUNT; i++)
		expose_sample(w, STR("presenced_cluster_state"), STR("state"), life_words[i],
		              (int)c->life == i);
	gauge(w, STR("presenced_cluster_echo_milliseconds"),
	      STR("From the last beat of this node until it heard it."),
	      c->figures.echo_ms < 0 ? 0 : (uint64_t)c->figures.echo_ms);
	gauge(w, STR("presenced_cluster_users_waiting"), STR("Users whose change has not been told yet."),
	      c->outgoing.count);
}

static void write_letters(const struct figures *f, struct jsonw *w)
{
	static const struct str types[LETTER_COUNT] = {
		[LETTER_HELLO] = STR("hello"), [LETTER_BEAT] = STR("beat"), [LETTER_BYE] = STR("bye"),
		[LETTER_GONE] = STR("gone"), [LETTER_USERS] = STR("users"), [LETTER_SYNC] = STR("sync"),
		[LETTER_STATE] = STR("state"), [LETTER_SAY] = STR("say"),
	};

	by_word(w, STR("presenced_letters_sent_total"), STR("Letters to other nodes, by type."), STR("type"),
		types, f->sent, LETTER_COUNT);
	by_word(w, STR("presenced_letters_heard_total"),
		STR("Letters from other nodes that counted, by type."), STR("type"), types,
		f->heard, LETTER_COUNT);
	counter(w, STR("presenced_letters_sent_bytes_total"), STR("Bytes of letters sent."), f->sent_bytes);
	counter(w, STR("presenced_letters_heard_bytes_total"),
		STR("Bytes heard on the channels of nodes, our own and refused ones too."), f->heard_bytes);
	counter(w, STR("presenced_letters_unsent_total"), STR("Letters that Redis had no room for."),
		f->unsent);
}

static void write_seeds(const struct seeds_counts *n, struct jsonw *w)
{
	static const struct str said[] = { STR("update"), STR("key"), STR("roster"), STR("client") };
	static const struct str heard[] = { STR("update"), STR("broadcast"), STR("refused"), STR("full") };

	by_word(w, STR("presenced_seeds_said_total"), STR("Said to other programs over Redis."), STR("what"),
		said, (const uint64_t[]){ n->updates, n->keys, n->rosters, n->clients }, 4);
	by_word(w, STR("presenced_seeds_heard_total"), STR("Heard from other programs over Redis."),
		STR("what"), heard, (const uint64_t[]){ n->believed, n->delivered, n->refused, n->full }, 4);
	counter(w, STR("presenced_seeds_unsaid_total"),
		STR("Typing, clients and rosters that Redis had no room for."),
		n->lost + n->rosters_too_long);
}

void figures_write(const struct cluster *c, struct jsonw *w)
{
#define FIGURES_REFUSAL_LABEL(name, label) STR(label),
	static const struct str reasons[] = { FIGURES_REFUSALS(FIGURES_REFUSAL_LABEL) };
#undef FIGURES_REFUSAL_LABEL
	const struct figures *f = &c->figures;

	static_assert(sizeof(reasons) / sizeof(reasons[0]) == FIGURES_REFUSAL_COUNT, "a word for each");
	write_state(c, w);
	write_letters(f, w);
	by_word(w, STR("presenced_letters_refused_total"),
		STR("Letters, or users in them, that did not count."), STR("reason"), reasons, f->refused,
		FIGURES_REFUSAL_COUNT);
	counter(w, STR("presenced_cluster_users_told_total"), STR("Users told of to other nodes."),
		f->users_told);
	counter(w, STR("presenced_cluster_users_heard_total"), STR("Users told of by other nodes."),
		f->users_heard);
	counter(w, STR("presenced_cluster_gaps_total"),
		STR("Times that letters of another node were missed."), f->gaps);
	counter(w, STR("presenced_cluster_syncs_total"), STR("Times that another node told all it has."),
		f->syncs);
	counter(w, STR("presenced_cluster_deaf_total"), STR("Times that this node did not hear itself."),
		f->deaf);
	counter(w, STR("presenced_cluster_epochs_total"), STR("Times that this node began anew."), f->epochs);
	write_seeds(seeds_counts(&c->seeds), w);
}
