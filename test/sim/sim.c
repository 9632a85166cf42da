/*
 * Invariants: a link is served by the server exactly while accepted && !server_closed; its number is the transport's handle. Every
 * call of the server on a handle that it has closed is a fault, and so is a byte written after its shutdown.
 */
#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/poison.h"
#include "server/state.h"

enum {
	TURNS_WITHOUT_REST_MAX = 400000, /* of one instant: beyond, the server spins */
};

static const int64_t wall_start_ms = INT64_C(1768392000000); /* 2026-01-14T12:00:00Z */

const char *const sim_cut_names[SIM_CUTS] = { "whole", "bytes", "random", "tiny", "split", "short" };

/* --- bytes --- */

void sim_bytes_put(struct sim_bytes *b, const void *bytes, size_t n)
{
	if (n == 0)
		return;
	if (b->off + b->n + n > b->cap) {
		if (b->n > 0)
			memmove(b->v, b->v + b->off, b->n);
		b->off = 0;
	}
	if (b->n + n > b->cap) {
		b->cap = 2 * (b->n + n) + 64;
		b->v = realloc(b->v, b->cap);
		if (b->v == NULL)
			abort();
	}
	memcpy(b->v + b->off + b->n, bytes, n);
	b->n += n;
}

void sim_bytes_take(struct sim_bytes *b, size_t n)
{
	assert(n <= b->n);
	b->off += n;
	b->n -= n;
	if (b->n == 0)
		b->off = 0;
}

void sim_bytes_free(struct sim_bytes *b)
{
	free(b->v);
	*b = (struct sim_bytes){ 0 };
}

/* --- small things --- */

uint64_t sim_random(struct sim *sim)
{
	sim->random ^= sim->random >> 12;
	sim->random ^= sim->random << 25;
	sim->random ^= sim->random >> 27;
	return sim->random * UINT64_C(0x2545f4914f6cdd1d);
}

void sim_fault(struct sim *sim, const char *what)
{
	if (sim->fault[0] == '\0')
		snprintf(sim->fault, sizeof(sim->fault), "at %lld ms: %s", (long long)sim->now.mono.ms, what);
}

static void hash(struct sim *sim, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < n; i++)
		sim->hash = (sim->hash ^ p[i]) * UINT64_C(0x100000001b3);
}

/* Eight bytes at a time. */
static void hash_sent(struct sim *sim, const struct sim_link *l, const void *bytes, size_t n)
{
	uint64_t h = sim->sent_hash ^ (uint64_t)sim->now.mono.ms ^ (uint64_t)(l - sim->links) << 48, word;
	const char *p = bytes;

	for (; n >= sizeof(word); n -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	for (; n > 0; n--)
		h = (h ^ (uint8_t)*p++) * UINT64_C(0x100000001b3);
	sim->sent_hash = h;
}

static struct sim_link *link_at(const struct sim *sim, int link)
{
	assert(link >= 0 && (uint32_t)link < sim->links_high);
	return &sim->links[link];
}

/* --- the transport --- */

static struct sim_link *served(struct sim *sim, int handle)
{
	struct sim_link *l = link_at(sim, handle);

	if (!l->used || !l->accepted || l->server_closed)
		sim_fault(sim, "(5) the server used a handle that it had closed");
	return l;
}

static size_t pipe_of(const struct sim *sim, const struct sim_link *l)
{
	return l->pipe_bytes > 0 ? l->pipe_bytes : sim->pipe_bytes;
}

/* (7): a call that the server made, and what it moved. */
static void note_work(struct sim *sim, struct sim_link *l, bool is_write, size_t n)
{
	struct sim_work *w = &sim->work;

	w->reads += !is_write;
	w->writes += is_write;
	*(is_write ? &w->bytes_out : &w->bytes_in) += n;
	if (l->work_turn != sim->turns)
		l->work = 0;
	l->work_turn = sim->turns;
	if (++l->work > w->most_of_link)
		w->most_of_link = l->work;
}

/* How much of `n` moves at once. */
static size_t portion(struct sim *sim, size_t n)
{
	if (sim->cut == SIM_BYTES)
		return n > 0;
	if (sim->cut == SIM_RANDOM && n > 1 && sim_random(sim) % 4 > 0)
		return 1 + (size_t)(sim_random(sim) % (n < 40 ? n : 40));
	return n;
}

static void note_size(struct sim_sizes *sizes, size_t n)
{
	uint32_t i = 0;

	while (i < sizes->n && sizes->v[i] != n)
		i++;
	if (i == sizes->n && i < SIM_SIZES_MAX)
		sizes->v[sizes->n++] = n;
	if (n > sizes->longest)
		sizes->longest = n;
}

/* SIM_SPLIT: of `n` bytes that are there, those up to the next cut; 0: behind it not before the next turn. */
static size_t up_to_cut(const struct sim *sim, struct sim_link *l, size_t n)
{
	uint64_t stop;

	if (l->cut_turn == sim->turns)
		return 0;
	if (l->stops.n == 0)
		return n;
	memcpy(&stop, sim_bytes_at(&l->stops), sizeof(stop));
	if (n < stop - l->read)
		return n;
	n = (size_t)(stop - l->read);
	sim_bytes_take(&l->stops, sizeof(stop));
	l->cut_turn = sim->turns;
	return n;
}

/* SIM_SHORT: how much of `n` the first write of two takes; 0: the second comes in the next turn. */
static size_t short_of(const struct sim *sim, struct sim_link *l, size_t n)
{
	if (l->cut_turn == sim->turns)
		return 0;
	if (l->was_short || n <= sim->cut_at) {
		l->was_short = false;
		return n;
	}
	l->was_short = true;
	l->cut_turn = sim->turns;
	return sim->cut_at;
}

static ptrdiff_t transport_read(void *ctx, int handle, void *buf, size_t bytes)
{
	struct sim *sim = ctx;
	struct sim_link *l = served(sim, handle);
	size_t n = l->up.n < bytes ? l->up.n : bytes;

	if (l->client_gone)
		return TRANSPORT_GONE;
	if (l->up.n == 0)
		return l->client_ended ? 0 : TRANSPORT_AGAIN;
	n = sim->cut == SIM_SPLIT ? up_to_cut(sim, l, n) : portion(sim, n);
	sim->cuts += n < l->up.n && n < bytes;
	if (n == 0)
		return TRANSPORT_AGAIN;
	l->read += n;
	memcpy(buf, sim_bytes_at(&l->up), n);
	sim_bytes_take(&l->up, n);
	note_work(sim, l, false, n);
	return (ptrdiff_t)n;
}

static ptrdiff_t transport_writev(void *ctx, int handle, const struct iovec *slices, uint32_t n)
{
	struct sim *sim = ctx;
	struct sim_link *l = served(sim, handle);
	size_t pipe = pipe_of(sim, l), room = pipe > l->down.n ? pipe - l->down.n : 0, done = 0, all = 0;

	if (l->server_shut)
		sim_fault(sim, "(5) bytes were written after the shutdown");
	if (l->client_gone)
		return TRANSPORT_GONE;
	if (l->starved)
		return TRANSPORT_AGAIN;
	if (sim->cut == SIM_RANDOM) /* whoever waited until it is writable finds it so */
		room = sim_random(sim) % 4 == 0 && !l->wants_output ? 0 : portion(sim, room);
	for (uint32_t i = 0; i < n; i++)
		all += slices[i].iov_len;
	if (room > all)
		room = all;
	note_size(&sim->down_sizes, room);
	sim->cuts += room < all;
	if (sim->cut == SIM_SHORT)
		room = short_of(sim, l, room);
	if (room == 0)
		return TRANSPORT_AGAIN;
	for (uint32_t i = 0; i < n && done < room; i++) {
		size_t k = slices[i].iov_len < room - done ? slices[i].iov_len : room - done;

		sim_bytes_put(&l->down, slices[i].iov_base, k);
		hash_sent(sim, l, slices[i].iov_base, k);
		done += k;
	}
	note_work(sim, l, true, done);
	return (ptrdiff_t)done;
}

static void transport_want(void *ctx, int handle, uint32_t conn, uint32_t generation, bool readable, bool writable)
{
	struct sim *sim = ctx;
	struct sim_link *l = served(sim, handle);

	if (l->generation != 0 && (l->conn != conn || l->generation != generation))
		sim_fault(sim, "(5) interest in another connection's handle");
	l->wants_input = readable;
	l->wants_output = writable;
}

static void transport_shutdown(void *ctx, int handle)
{
	served(ctx, handle)->server_shut = true;
}

static void transport_close(void *ctx, int handle)
{
	struct sim_link *l = served(ctx, handle);

	l->server_closed = true;
	l->wants_input = l->wants_output = false;
}

static bool log_sink(void *ctx, const char *line, size_t n)
{
	const struct sim *sim = ctx;

	if (sim->print_log)
		printf("# %8lld %.*s", (long long)sim->now.mono.ms, (int)n, line);
	return true;
}

/* --- building --- */

void sim_config(struct server_config *cfg)
{
	static const struct listener_config listeners[] = {
		{ .address = STR("127.0.0.1"), .port = 8080, .is_loopback = true },
		{ .address = STR("127.0.0.1"), .port = 8081, .is_loopback = true, .admin = true },
		{ .address = STR("127.0.0.1"), .port = 8082, .is_loopback = true, .has_dialect = true, .dialect = DIALECT_ECHO },
		{ .address = STR("127.0.0.1"), .port = 8083, .is_loopback = true, .has_dialect = true, .dialect = DIALECT_UPPER },
		{ .address = STR("10.0.0.1"), .port = 8080 },
	};

	*cfg = (struct server_config){
		.offline_debounce_ms = 5000, .stale_timeout_ms = 90000, .cleanup_interval_ms = 30000, .heartbeat_interval_ms = 30000,
		.ping_period_ms = 54000, .pong_wait_ms = 60000, .write_wait_ms = 10000, .presence_ttl_ms = 300000, .typing_ttl_ms = 5000,
		.drain_timeout_ms = 10000, .presence_rate = 1, .message_rate = 50, .message_burst = 100, .connections_max = 48,
		.connections_per_user_max = 16, .subscriptions_per_connection_max = 128, .fragments_max = 1024, .client_buffer_messages = 256,
		.client_buffer_bytes = 1u << 20, .slow_consumer = SLOW_DROP, .audience = AUDIENCE_ALL, .service_name = STR("presence"),
		.node_id = STR("sim"), .log_level = LOG_DEBUG,
		.auth_timeout_ms = 10000, .token = { .leeway_ms = 30000 },
		.listener_count = sizeof(listeners) / sizeof(listeners[0]),
	};
	memcpy(cfg->listeners, listeners, sizeof(listeners));
	for (int d = 0; d < DIALECT_COUNT; d++)
		cfg->message_bytes_max[d] = 65536;
	cfg->message_bytes_max[DIALECT_DOTTED] = 262144;
}

static size_t measure(const struct sim *sim)
{
	void *scratch = aligned_alloc(SERVER_ALIGNMENT, server_scratch_bytes());
	size_t total;

	if (scratch == NULL)
		return 0;
	memset(scratch, 0, server_scratch_bytes());
	total = server_measure(&sim->cfg, scratch).total;
	free(scratch);
	return total;
}

/* Zeroed pages, a guard behind them. Not the heap's: it would forget, and fault in again, the sanitizer's shadow of them each time. */
static bool map_memory(struct sim *sim)
{
	const size_t page = 4096, whole = (sim->mem_bytes + page - 1) / page * page;
	void *p = mmap(NULL, whole + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return false;
	sim->mem = p;
	sim->mapped_bytes = whole + page;
	poison_lay(sim->mem + sim->mem_bytes, whole - sim->mem_bytes);
	return mprotect(sim->mem, whole, PROT_READ | PROT_WRITE) == 0;
}

static void unmap_memory(struct sim *sim)
{
	if (sim->mem == NULL)
		return;
	poison_lift(sim->mem, sim->mapped_bytes);
	munmap(sim->mem, sim->mapped_bytes);
}

bool sim_boot(struct sim *sim, uint64_t seed)
{
	const struct transport transport = {
		.ctx = sim, .read = transport_read, .writev = transport_writev, .want = transport_want, .shutdown = transport_shutdown,
		.close = transport_close,
	};
	const struct outside outside = services_outside(&sim->services);
	struct server_seed random = { { 0 } };
	struct region r;

	assert(sim->server == NULL);
	sim->random = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
	for (int i = 0; i < 4; i++)
		random.random[i] = sim_random(sim);
	sim->mem_bytes = measure(sim);
	if (sim->mem_bytes == 0 || !map_memory(sim))
		return false;
	if (sim->company.join != NULL && !sim->company.join(sim->company.ctx, sim->now))
		return false;
	region_init(&r, sim->mem, sim->mem_bytes);
	sim->server = server_new(&sim->cfg, &r, &transport, &outside, sim->company.peers, log_sink, sim, &random, sim->now);
	if (sim->server == NULL)
		return false;
	if (region_used(&r) != sim->mem_bytes)
		sim_fault(sim, "server_measure() and server_new() disagree");
	if (sim->company.serve != NULL)
		sim->company.serve(sim->company.ctx, sim->server);
	return true;
}

bool sim_start(struct sim *sim, uint64_t seed)
{
	sim->hash = UINT64_C(0xcbf29ce484222325);
	sim->now = (struct now){ { 0 }, { wall_start_ms } };
	if (sim->pipe_bytes == 0)
		sim->pipe_bytes = sim->cut == SIM_TINY ? SIM_TINY_BYTES : SIM_PIPE_BYTES;
	sim->links = calloc(SIM_LINKS_MAX, sizeof(*sim->links));
	return sim->links != NULL && sim_boot(sim, seed);
}

void sim_kill(struct sim *sim)
{
	assert(sim->server != NULL);
	for (uint32_t i = 0; i < sim->links_high; i++) {
		struct sim_link *l = &sim->links[i];

		if (!l->used || l->server_closed)
			continue;
		sim_bytes_take(&l->stops, l->stops.n);
		sim_bytes_take(&l->up, l->up.n);
		sim_bytes_take(&l->down, l->down.n);
		l->accepted = l->server_closed = true;
		l->wants_input = l->wants_output = false;
	}
	unmap_memory(sim);
	sim->mem = NULL;
	sim->server = NULL;
	sim->services.asked_count = 0;
	sim->frozen = false;
}

void sim_stop(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->links_high; i++) {
		sim_bytes_free(&sim->links[i].up);
		sim_bytes_free(&sim->links[i].down);
		sim_bytes_free(&sim->links[i].stops);
	}
	unmap_memory(sim);
	free(sim->links);
	*sim = (struct sim){ .drink = NULL };
}

/* --- the client's end of a link --- */

int sim_connect(struct sim *sim, uint32_t listener, const struct peer *peer)
{
	static const struct peer loopback = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1 }, 4000 };
	uint32_t i = 0;

	while (i < sim->links_high && sim->links[i].used)
		i++;
	if (i == SIM_LINKS_MAX)
		return -1;
	if (i == sim->links_high)
		sim->links_high++;
	sim->links[i] = (struct sim_link){
		.used = true, .accepted = sim->server == NULL, .server_closed = sim->server == NULL, .wants_input = true, .listener = listener, .peer = peer == NULL ? loopback : *peer,
		.up = sim->links[i].up, .down = sim->links[i].down, .stops = sim->links[i].stops,
	};
	return (int)i;
}

void sim_send(struct sim *sim, int link, const void *bytes, size_t n)
{
	struct sim_link *l = link_at(sim, link);

	uint64_t stop = l->sent + sim->cut_at;

	if (l->server_closed || l->client_ended || l->client_gone)
		return;
	note_size(&sim->up_sizes, n);
	if (sim->cut == SIM_SPLIT && n > sim->cut_at)
		sim_bytes_put(&l->stops, &stop, sizeof(stop));
	sim_bytes_put(&l->up, bytes, n);
	l->sent += n;
}

void sim_end(struct sim *sim, int link)
{
	link_at(sim, link)->client_ended = true;
}

void sim_drop(struct sim *sim, int link)
{
	struct sim_link *l = link_at(sim, link);

	l->client_ended = l->client_gone = true;
	sim_bytes_take(&l->stops, l->stops.n);
	sim_bytes_take(&l->up, l->up.n);
	sim_bytes_take(&l->down, l->down.n);
}

void sim_release(struct sim *sim, int link)
{
	link_at(sim, link)->released = true;
}

size_t sim_receive(struct sim *sim, int link, void *buf, size_t n)
{
	struct sim_link *l = link_at(sim, link);
	struct {
		int64_t at_ms;
		int64_t link;
	} where = { sim->now.mono.ms, link };

	if (n > l->down.n)
		n = l->down.n;
	if (n == 0)
		return 0;
	memcpy(buf, sim_bytes_at(&l->down), n);
	sim_bytes_take(&l->down, n);
	hash(sim, &where, sizeof(where));
	hash(sim, buf, n);
	return n;
}

bool sim_at_end(const struct sim *sim, int link)
{
	const struct sim_link *l = link_at(sim, link);

	return l->down.n == 0 && (l->server_shut || l->server_closed);
}

/* --- the loop --- */

static bool may_accept(const struct sim *sim)
{
	return sim->now.mono.ms >= sim->accepts_ms && server_can_accept(sim->server);
}

static bool accept_pending(struct sim *sim)
{
	bool any = false;

	for (uint32_t i = 0; i < sim->links_high; i++) {
		struct sim_link *l = &sim->links[i];

		if (!l->used || l->accepted || !may_accept(sim))
			continue;
		l->accepted = any = true;
		if (sim->failing_accepts > 0) {
			sim->failing_accepts--;
			server_count_accept_error(sim->server);
			l->server_closed = true;
			continue;
		}
		l->conn = server_accept(sim->server, (int)i, l->listener, &l->peer, &l->generation);
		if (l->conn == CONN_NONE)
			l->server_closed = true;
	}
	return any;
}

/* What epoll would tell of the link, level-triggered. */
static bool serve(struct sim *sim, struct sim_link *l)
{
	bool readable, hangup, any = false;

	if (!l->used || !l->accepted || l->server_closed)
		return false;
	if (l->wants_output && (l->client_gone || l->down.n < pipe_of(sim, l))) {
		server_output(sim->server, l->conn, l->generation);
		any = true;
	}
	if (l->server_closed)
		return any;
	readable = l->up.n > 0 || l->client_ended;
	hangup = l->client_gone || (l->client_ended && l->server_shut);
	if (l->wants_input && readable)
		server_input(sim->server, l->conn, l->generation);
	else if (hangup)
		server_hangup(sim->server, l->conn, l->generation);
	else
		return any;
	return true;
}

void sim_tidy(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->links_high; i++) {
		struct sim_link *l = &sim->links[i];

		if (l->used && l->accepted && l->server_closed && l->released) {
			l->used = false;
			sim_bytes_take(&l->stops, l->stops.n);
			sim_bytes_take(&l->up, l->up.n);
			sim_bytes_take(&l->down, l->down.n);
		}
	}
}

void sim_check(struct sim *sim)
{
	sim_tidy(sim);
	if (sim->server != NULL && sim->cut < SIM_FREE_CUTS && !server_valid(sim->server))
		sim_fault(sim, "server_valid() says no");
	if (sim->server != NULL && sim->company.valid != NULL && !sim->company.valid(sim->company.ctx))
		sim_fault(sim, "cluster_valid() says no");
}

static bool is_ready(const struct sim *sim)
{
	for (uint32_t i = 0; i < sim->links_high; i++) {
		const struct sim_link *l = &sim->links[i];

		if (!l->used || l->server_closed)
			continue;
		if (!l->accepted ? may_accept(sim) : (l->wants_output && (l->client_gone || l->down.n < pipe_of(sim, l))) ||
		    (l->wants_input && (l->up.n > 0 || l->client_ended)) || l->client_gone)
			return true;
	}
	return false;
}

/* (7) Nobody's traffic makes a turn long: so many calls for one link, so many bytes. */
static void check_work(struct sim *sim)
{
	if (sim->work.most_of_link > SIM_CALLS_OF_LINK_MAX)
		sim_fault(sim, "(7) one link was read and written too often in one turn");
	if (sim->work.bytes_in > (uint64_t)sim->links_high * INPUT_BYTES)
		sim_fault(sim, "(7) too much was read in one turn");
}

bool sim_turn(struct sim *sim)
{
	uint32_t first = sim->cut == SIM_RANDOM && sim->links_high > 0 ? (uint32_t)(sim_random(sim) % sim->links_high) : 0;
	bool any, more;

	sim->turns++;
	sim->work = (struct sim_work){ 0 };
	sim->services.now = sim->now.mono;
	server_begin_turn(sim->server, sim->now);
	any = services_answer(&sim->services, sim->server, sim->now.mono);
	if (sim->company.attend != NULL)
		any |= sim->company.attend(sim->company.ctx, sim->now);
	any |= accept_pending(sim);
	for (uint32_t i = 0; i < sim->links_high; i++)
		any |= serve(sim, &sim->links[(first + i) % sim->links_high]);
	if (sim->company.speak != NULL)
		sim->company.speak(sim->company.ctx, sim->now);
	more = server_end_turn(sim->server, true);
	server_turn_took(sim->server, 1);
	check_work(sim);
	if (sim->check_turns)
		sim_check(sim);
	return any || more;
}

int64_t sim_due_ms(const struct sim *sim)
{
	mono_t due;

	if (sim->frozen || sim->server == NULL)
		return MONO_NEVER.ms;
	due = mono_min(server_deadline(sim->server), services_due(&sim->services));
	if (sim->accepts_ms > sim->now.mono.ms)
		due = mono_min(due, (mono_t){ sim->accepts_ms });
	return sim->company.due == NULL ? due.ms : mono_min(due, sim->company.due(sim->company.ctx)).ms;
}

bool sim_pending(const struct sim *sim)
{
	return !sim->frozen && sim->server != NULL && (is_ready(sim) || sim_due_ms(sim) <= sim->now.mono.ms);
}

static void settle(struct sim *sim)
{
	bool any = true;

	if (sim->frozen || sim->server == NULL)
		return;
	for (int turns = 0; any && sim->fault[0] == '\0'; turns++) {
		any = sim_turn(sim);
		if (sim->drink != NULL)
			any |= sim->drink(sim->drink_ctx);
		any |= sim_pending(sim);
		if (turns == TURNS_WITHOUT_REST_MAX)
			sim_fault(sim, "the server does not come to rest");
	}
}

void sim_settle(struct sim *sim)
{
	settle(sim);
	if (!sim->frozen)
		sim_check(sim);
}

void sim_clock(struct sim *sim, int64_t mono_ms)
{
	assert(mono_ms >= sim->now.mono.ms);
	sim->now.wall.ms += mono_ms - sim->now.mono.ms;
	sim->now.mono.ms = mono_ms;
}

void sim_advance(struct sim *sim, int64_t ms)
{
	while (!sim->frozen && sim->fault[0] == '\0') {
		int64_t next = sim_due_ms(sim);

		if (next > ms)
			break;
		sim_clock(sim, next > sim->now.mono.ms ? next : sim->now.mono.ms + 1);
		settle(sim);
	}
	if (ms > sim->now.mono.ms)
		sim_clock(sim, ms);
	sim_settle(sim);
}

void sim_fail_accepts(struct sim *sim, uint32_t n, int64_t ms)
{
	sim->failing_accepts = n;
	sim->accepts_ms = sim->now.mono.ms + ms;
}

void sim_pipe(struct sim *sim, int link, uint32_t bytes)
{
	link_at(sim, link)->pipe_bytes = bytes;
}

void sim_starve(struct sim *sim, int link, bool starved)
{
	link_at(sim, link)->starved = starved;
}

void sim_step_wall(struct sim *sim, int64_t ms)
{
	sim->now.wall.ms += ms;
}

/* --- leaks --- */

struct sim_levels sim_levels(const struct sim *sim)
{
	const struct server *s = sim->server;
	struct engine_stats e;
	struct sim_levels l = {
		.cells = pool_used(&s->frames.cells), .blocks = pool_used(&s->frames.blocks), .nodes = pool_used(&s->nodes),
		.loans = pool_used(&s->intake.loans), .waiting = s->waiting.n + s->waiting.turn_count,
		.tokens = pool_used(&s->waiting.tokens), .grants = strpool_used(&s->grants), .addresses = pool_used(&s->address_cells), .connections = s->metrics.connections,
	};

	for (int i = 0; i < INTAKE_CLASSES; i++)
		l.intake[i] = pool_used(&s->intake.pools[i]);
	engine_stats(s->engine, &e);
	l.links = e.links;
	l.users_online = e.users_online;
	l.users_known = e.users_known;
	l.devices = e.devices;
	l.rooms = e.rooms;
	l.subscriptions = e.subscriptions;
	l.watches = e.watches;
	l.typing = e.typing;
	l.calls = e.calls;
	return l;
}

void sim_drop_all(struct sim *sim)
{
	sim->frozen = sim->check_turns = false;
	for (uint32_t i = 0; i < sim->links_high; i++)
		if (sim->links[i].used) {
			sim_drop(sim, (int)i);
			sim_release(sim, (int)i);
		}
	if (sim->server != NULL && !server_valid(sim->server))
		sim_fault(sim, "server_valid() says no");
}

void sim_check_left(struct sim *sim)
{
	static const struct sim_levels nothing;
	struct sim_levels left;

	if (sim->server == NULL)
		return;
	left = sim_levels(sim);
	left.users_known = 0; /* remembered until their place is needed */
	if (memcmp(&left, &nothing, sizeof(left)) != 0)
		sim_fault(sim, "everybody left, and something was not given back");
	for (uint32_t i = 0; i < sim->links_high; i++)
		if (sim->links[i].used && sim->links[i].accepted && !sim->links[i].server_closed)
			sim_fault(sim, "everybody left, and a handle was not closed");
}

void sim_leave_all(struct sim *sim)
{
	sim_drop_all(sim);
	sim_settle(sim);
	sim_advance(sim, sim->now.mono.ms + SIM_FORGET_MS);
	sim_check_left(sim);
}
