/*
 * net/tls_state.h: everything net/tls*.c share; private to them.
 *
 * Reading order: tls.c (sessions and the turn), tls_handshake.c, tls_stream.c (the server's bytes),
 * tls_record.c (records in and out), tls_loan.c (cells).
 */
#ifndef NET_TLS_STATE_H
#define NET_TLS_STATE_H

#include "base/list.h"
#include "base/pool.h"
#include "net/tls.h"
#include "net/tls_cache.h"
#include "net/tls_engine.h"
#include "net/tls_policy.h"
#include "server/conn.h"

enum {
	TLS_SMALL_BYTES = 1024,   /* records of most messages */
	TLS_CIPHER_BYTES = 65536, /* read from a socket at once */
	TLS_STAGE_BYTES = 8192,   /* small records that are sent together */
};

enum tls_phase {
	TLS_HANDSHAKE, /* watched edge-triggered; `young` */
	TLS_OPEN,      /* the server's bytes pass */
	TLS_DEAD,      /* failed; the server is told and will close it */
};

enum tls_flag {
	TLS_BEGUN = 1 << 0,      /* the context is in use */
	TLS_WANTS_IN = 1 << 1,   /* by the server */
	TLS_WANTS_OUT = 1 << 2,
	TLS_ENDED = 1 << 3,      /* the peer's close_notify came: nothing can be sent any more either */
	TLS_SHUT = 1 << 4,       /* shutdown() was called: input is thrown away */
	TLS_SHUT_SENT = 1 << 5,
	TLS_BROKEN = 1 << 6,     /* the socket is; there is nothing to read */
	TLS_COUNTED = 1 << 7,    /* as a user of its set of certificates */
	TLS_STARVED = 1 << 8,    /* owes, and the socket took nothing though it was writable; or owes in a
	                          * handshake, where epoll may never tell: tried again at tls.retry_at */
};

/* Which of the lists that share `run` it is in. */
enum tls_list { TLS_NO_LIST, TLS_FRESH, TLS_GOING, TLS_READY, TLS_LISTS };

enum tls_side { TLS_IN, TLS_OUT, TLS_SIDES };
enum tls_size { TLS_SMALL, TLS_BIG, TLS_SIZES };

/* A cell that a session holds: TLS_IN: the record under way, at the engine's own offsets; TLS_OUT: bytes
 * [from, to) that wait for the socket. */
struct tls_loan {
	uint32_t cell;            /* POOL_NONE */
	uint16_t from, to;
	uint8_t size;             /* enum tls_size */
	struct list_link link;
	mono_t since;
};

struct tls_session {
	int fd;
	uint32_t conn, generation; /* the server's */
	uint32_t watched;          /* what epoll watches it for */
	uint8_t phase, list;
	uint8_t set;               /* of certificates */
	uint16_t flags;
	uint8_t header[TLS_HEADER_BYTES - 1]; /* of a record whose header came in part */
	struct list_link run, age; /* age: in `young` */
	mono_t accepted;
	struct tls_loan loans[TLS_SIDES];
	struct tls_policy policy;
};

/* Why a session ended that should not have: label `reason` of presenced_tls_failures_total. */
#define TLS_FAULTS(X) \
	X(ALERT, "alert") X(REFUSED, "refused") X(BAD_RECORD, "bad_record") X(TIMEOUT, "timeout") \
	X(POOL, "pool") X(GONE, "gone") X(STALLED, "stalled")

enum tls_fault {
#define TLS_FAULT_NAME(name, label) TLS_FAULT_##name,
	TLS_FAULTS(TLS_FAULT_NAME)
#undef TLS_FAULT_NAME
	TLS_FAULT_COUNT,
	TLS_FAULT_NONE = TLS_FAULT_COUNT, /* nothing that is counted: a connection broke */
};

struct tls_cells {
	struct pool pool;
	struct list holders[TLS_SIDES]; /* longest first */
};

struct tls {
	const struct server_config *cfg;
	struct transport plain;
	int epoll_fd;
	struct tls_host host;
	struct log *log;
	struct log_limit limits[TLS_FAULT_COUNT];
	struct now now;

	struct pool sessions;
	uint32_t *generations;    /* by number: odd while it is in use */
	br_ssl_server_context *contexts; /* by number */
	struct list lists[TLS_LISTS];
	struct list young;        /* in a handshake, first accepted first */
	struct tls_cells cells[TLS_SIZES];

	br_ssl_server_context *template;
	const char **protocols;
	struct certificates *sets;
	uint32_t users[2];        /* handshakes under way, of each set */
	uint8_t set;              /* that new handshakes get */
	bool reload;
	mono_t retry_at;          /* for all who are STARVED; MONO_NEVER: nobody is */
	struct tls_cache cache;

	uint8_t *in, *out, *cipher, *stage; /* nobody's between two calls */
	size_t staged;            /* bytes in `stage`; 0 between two calls */

	uint64_t handshakes, resumed;
	uint64_t faults[TLS_FAULT_COUNT];
	struct region region;
};

static inline uint32_t tls_number(const struct tls *t, const struct tls_session *s)
{
	return pool_index(&t->sessions, s);
}

static inline struct tls_session *tls_at(const struct tls *t, uint32_t number)
{
	return pool_at(&t->sessions, number);
}

static inline br_ssl_engine_context *tls_engine(const struct tls *t, const struct tls_session *s)
{
	return &t->contexts[tls_number(t, s)].eng;
}

static inline bool tls_owes(const struct tls_session *s)
{
	return s->loans[TLS_OUT].cell != POOL_NONE;
}

/* --- tls.c --- */

/* Puts it into a list of those there is work for, out of the one it is in. */
void tls_list(struct tls *t, struct tls_session *s, enum tls_list list);

/* The session is of no more use: the server is told in the turn to come. Idempotent. */
void tls_fail(struct tls *t, struct tls_session *s, enum tls_fault);

/* The handshake is over, one way or the other. */
void tls_grown(struct tls *t, struct tls_session *s);

/* The socket has to be tried again without being asked whether it is writable. */
void tls_starved(struct tls *t, struct tls_session *s);

/* Has epoll watch for what there is to wait for. */
void tls_rewatch(struct tls *t, struct tls_session *s);

/* --- tls_loan.c --- */

/* A cell of `bytes` or more; false: whole records' cells are all out, and nobody else holds one. */
bool tls_loan_take(struct tls *t, struct tls_session *s, enum tls_side side, size_t bytes);
void tls_loan_give(struct tls *t, struct tls_session *s, enum tls_side side);
/* Moves [from, to) of a small cell to the beginning of a large one; false: there is none. */
bool tls_loan_grow(struct tls *t, struct tls_session *s, enum tls_side side);
uint8_t *tls_loan_at(const struct tls *t, const struct tls_session *s, enum tls_side side);
size_t tls_loan_bytes(const struct tls_session *s, enum tls_side side);

/* Closes who has held a cell for too long; and when the next will have. */
void tls_loan_expire(struct tls *t);
mono_t tls_loan_deadline(const struct tls *t);

/* --- tls_record.c --- */

/* The engine gets its input buffer; and gives it back: what counts is kept in a cell. */
void tls_in_open(struct tls *t, struct tls_session *s);
void tls_in_close(struct tls *t, struct tls_session *s);

/* Between two records the shared buffer is good enough. */
void tls_in_settle(struct tls *t, struct tls_session *s);

/* Takes all that the engine has to send, and sends what it can; what is left waits in a cell. */
void tls_out_drain(struct tls *t, struct tls_session *s);
/* The same, but small records may wait for more; tls_out_drain() follows before the call ends. */
void tls_out_collect(struct tls *t, struct tls_session *s);
/* Sends on what waits. False: the socket took nothing of it. */
bool tls_out_resume(struct tls *t, struct tls_session *s);
/* One attempt at bytes that stand alone: an alert. */
void tls_out_last(struct tls *t, struct tls_session *s, const void *bytes, size_t n);

/* The engine has closed: is it an end, or a fault? Tells the peer. */
void tls_engine_closed(struct tls *t, struct tls_session *s);

/* --- tls_handshake.c --- */

/* Goes on as far as the socket gives bytes and takes them. */
void tls_handshake_step(struct tls *t, struct tls_session *s);

/* --- tls_stream.c --- */

ptrdiff_t tls_stream_read(struct tls *t, struct tls_session *s, void *buf, size_t bytes);
ptrdiff_t tls_stream_writev(struct tls *t, struct tls_session *s, const struct iovec *slices, uint32_t n);
void tls_stream_shutdown(struct tls *t, struct tls_session *s);
/* Is there something that epoll will not tell of? */
bool tls_stream_is_left(const struct tls *t, const struct tls_session *s);

#endif
