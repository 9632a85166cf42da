/*
 * test/unit/serving.h: a whole server over memory instead of sockets: connect, say bytes, read what came back.
 *
 * One handle is one connection; what the server wrote to it stands in `out` until serving_forget(). Time stands still unless moved.
 */
#ifndef TEST_SERVING_H
#define TEST_SERVING_H

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rfc3339.h"
#include "server/server.h"
#include "server/state.h"

enum { SERVING_HANDLES = 512, SERVING_OUT_BYTES = 1 << 20 };

enum { ON_LOOPBACK, ON_ADMIN, ON_UPPER, ON_UNIX, ON_LISTENERS };

struct serving_end {
	const char *in;
	size_t in_n;
	char *out;
	size_t out_n;
	bool shut, closed, used;
	uint32_t conn, generation;
};

struct serving {
	struct server_config cfg;
	struct server *s;
	struct serving_end ends[SERVING_HANDLES];
	int handles;
	struct now now;
	void *mem;
	struct region region;
};

static ptrdiff_t serving_read(void *ctx, int handle, void *buf, size_t bytes)
{
	struct serving_end *e = &((struct serving *)ctx)->ends[handle];
	size_t n = e->in_n < bytes ? e->in_n : bytes;

	assert(!e->closed);
	if (n == 0)
		return TRANSPORT_AGAIN;
	memcpy(buf, e->in, n);
	e->in += n;
	e->in_n -= n;
	return (ptrdiff_t)n;
}

static ptrdiff_t serving_writev(void *ctx, int handle, const struct iovec *slices, uint32_t n)
{
	struct serving_end *e = &((struct serving *)ctx)->ends[handle];
	size_t before = e->out_n;

	assert(!e->closed && !e->shut);
	for (uint32_t i = 0; i < n; i++) {
		assert(e->out_n + slices[i].iov_len < SERVING_OUT_BYTES);
		memcpy(e->out + e->out_n, slices[i].iov_base, slices[i].iov_len);
		e->out_n += slices[i].iov_len;
	}
	e->out[e->out_n] = '\0';
	return (ptrdiff_t)(e->out_n - before);
}

static void serving_want(void *ctx, int handle, uint32_t conn, uint32_t generation, bool readable, bool writable)
{
	(void)ctx, (void)handle, (void)conn, (void)generation, (void)readable, (void)writable;
}

static void serving_shutdown(void *ctx, int handle)
{
	((struct serving *)ctx)->ends[handle].shut = true;
}

static void serving_close(void *ctx, int handle)
{
	((struct serving *)ctx)->ends[handle].closed = true;
}

static bool serving_log(void *ctx, const char *line, size_t n)
{
	(void)ctx, (void)line, (void)n;
	return true;
}

static void serving_defaults(struct server_config *cfg)
{
	*cfg = (struct server_config){
		.listener_count = ON_LISTENERS, .offline_debounce_ms = 5000, .stale_timeout_ms = 90000, .cleanup_interval_ms = 30000,
		.heartbeat_interval_ms = 30000, .ping_period_ms = 54000, .pong_wait_ms = 60000, .write_wait_ms = 10000,
		.presence_ttl_ms = 300000, .typing_ttl_ms = 5000, .drain_timeout_ms = 10000, .message_rate = 50, .message_burst = 100,
		.connections_max = 400, .connections_per_user_max = 16, .subscriptions_per_connection_max = 128, .fragments_max = 1024,
		.client_buffer_messages = 256, .client_buffer_bytes = 1 << 20, .service_name = STR("presence"), .node_id = STR("n1"),
		.log_level = LOG_ERROR,
	};
	for (int d = 0; d < DIALECT_COUNT; d++)
		cfg->message_bytes_max[d] = 65536;
	for (int i = 0; i < ON_LISTENERS; i++)
		cfg->listeners[i] = (struct listener_config){ .address = STR("127.0.0.1"), .port = 8080, .is_loopback = true };
	cfg->listeners[ON_ADMIN].admin = true;
	cfg->listeners[ON_UPPER].has_dialect = true;
	cfg->listeners[ON_UPPER].dialect = DIALECT_UPPER;
	cfg->listeners[ON_UNIX].is_unix = true;
}

/* Starts with w->cfg as it is. */
static void serving_start(struct serving *w)
{
	struct transport t = { w, serving_read, serving_writev, serving_want, serving_shutdown, serving_close, NULL };
	struct server_seed seed = { { 1, 2, 3, 4 } };
	void *scratch = aligned_alloc(SERVER_ALIGNMENT, server_scratch_bytes());
	size_t bytes;

	memset(scratch, 0, server_scratch_bytes());
	bytes = server_measure(&w->cfg, scratch).total;
	free(scratch);
	bytes = (bytes + 63) / 64 * 64;
	w->mem = aligned_alloc(64, bytes);
	assert(w->mem != NULL);
	memset(w->mem, 0, bytes);
	region_init(&w->region, w->mem, bytes);
	w->now.mono.ms = 1000000;
	rfc3339_parse(STR("2026-01-14T12:00:00.123Z"), &w->now.wall);
	w->s = server_new(&w->cfg, &w->region, &t, NULL, NULL, serving_log, NULL, &seed, w->now);
	assert(w->s != NULL);
}

static void serving_stop(struct serving *w)
{
	for (int i = 0; i < w->handles; i++)
		free(w->ends[i].out);
	region_end(&w->region);
	free(w->mem);
	memset(w, 0, sizeof(*w));
}

__attribute__((unused)) static int serving_connect(struct serving *w, uint32_t listener, const struct peer *peer)
{
	int h = w->handles++;
	struct serving_end *e = &w->ends[h];

	assert(h < SERVING_HANDLES);
	*e = (struct serving_end){ .out = malloc(SERVING_OUT_BYTES), .used = true };
	e->out[0] = '\0';
	server_begin_turn(w->s, w->now);
	e->conn = server_accept(w->s, h, listener, peer, &e->generation);
	assert(e->conn != CONN_NONE);
	server_end_turn(w->s, true);
	return h;
}

static void serving_turns(struct serving *w)
{
	bool more;

	do {
		server_begin_turn(w->s, w->now);
		more = server_end_turn(w->s, true);
	} while (more);
}

/* Bytes from the peer, and all turns until nothing is left to do. */
__attribute__((unused)) static void serving_say(struct serving *w, int h, const char *bytes, size_t n)
{
	struct serving_end *e = &w->ends[h];

	e->in = bytes;
	e->in_n = n;
	while (e->in_n > 0 && !e->closed) {
		server_begin_turn(w->s, w->now);
		server_input(w->s, e->conn, e->generation);
		server_end_turn(w->s, true);
	}
	serving_turns(w);
}

__attribute__((unused)) static void serving_forget(struct serving *w, int h)
{
	w->ends[h].out_n = 0;
	w->ends[h].out[0] = '\0';
}

__attribute__((unused)) static void serving_pass(struct serving *w, int64_t ms)
{
	w->now.mono.ms += ms;
	w->now.wall.ms += ms;
	serving_turns(w);
}

#endif
