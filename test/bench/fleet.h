/*
 * test/bench/fleet.h: many WebSocket clients on one epoll set: connect, upgrade, join, then count what arrives.
 *
 * Ownership: fleet_init allocates all that grows with the number of clients; fleet_close frees it. A callback may call
 * fleet_send, fleet_drop and fleet_open for the client it was given, and nothing else.
 * Errors: the first one is kept as text in `fault`; every function then does nothing more, and loops end on it.
 */
#ifndef BENCH_FLEET_H
#define BENCH_FLEET_H

#include "script.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { FLEET_READ_BYTES_MAX = 262144, FLEET_PART_BYTES_MAX = 65536, FLEET_FAULT_BYTES = 256, FLEET_EVENTS_MAX = 256 };

enum client_state { CLIENT_FREE, CLIENT_CONNECTING, CLIENT_UPGRADING, CLIENT_JOINING, CLIENT_READY };

struct client {
	int fd;
	uint8_t state;
	bool deaf;
	uint16_t ended;     /* the code of a Close that came; 0: none */
	uint32_t slot;      /* index in the fleet */
	uint32_t identity;  /* which user */
	uint32_t part_bytes;
	uint8_t *part;      /* an incomplete frame, kept until the rest arrives; NULL most of the time */
	uint64_t got;       /* the scenario's: frames counted */
	uint64_t since_ns;  /* when the connection was begun */
};

struct fleet;

/*
 * What lies between a client and its socket, if anything does (TLS). open: the slot is about to connect; false: it cannot be.
 * send takes all or fails; recv is as recv(2), called until it says EAGAIN; errno is set. close: the slot is given up.
 */
struct fleet_way {
	bool (*open)(struct fleet *f, struct client *c);
	ssize_t (*send)(struct fleet *f, struct client *c, const uint8_t *bytes, size_t n);
	ssize_t (*recv)(struct fleet *f, struct client *c, uint8_t *out, size_t n);
	void (*close)(struct fleet *f, struct client *c);
};

struct fleet {
	const struct script *script;
	const struct fleet_way *way; /* NULL: none */
	void *way_ctx;
	struct sockaddr_in server;
	char host[32];
	uint32_t sources;           /* 127.0.1.1 and on: one address has only 28,000 ports */
	int epoll_fd;
	uint32_t clients_max;
	uint32_t identity_first;    /* slot 0's, for fleet_fill */
	struct client *clients;
	uint8_t *read_buffer;
	uint32_t ready, open;
	uint32_t small_from;        /* slots from here on are given receive buffers as small as may be; UINT32_MAX: none */
	const char *marker;         /* frames that hold it count */
	size_t marker_bytes;
	uint64_t frames_bytes;      /* payload of counted frames, and their number */
	uint64_t frames;
	uint64_t pings;
	char fault[FLEET_FAULT_BYTES];

	void *ctx;
	/* Any may be NULL. on_frames: n counted frames of one read, taken at `now`. */
	void (*on_ready)(void *ctx, struct client *c);
	void (*on_frames)(void *ctx, struct client *c, uint32_t n, uint64_t now);
	void (*on_text)(void *ctx, struct client *c, const char *text, size_t n); /* each counted frame; sends nothing */
	/* The server ended it, and its slot is free by now. code: of its Close, which was answered; or the status of a refused
	 * upgrade; or 0: the connection failed or just ended. NULL: that is a fault. */
	void (*on_end)(void *ctx, struct client *c, unsigned code);
};

/*
 * Once for a process, first: as many descriptors as may be, no SIGPIPE, an alarm that ends it after so long, and it stays on
 * `core` (-1: any). False: there is no such core for it.
 */
bool fleet_prepare(int core, unsigned life_seconds);

bool fleet_init(struct fleet *f, const struct script *s, struct in_addr addr, uint16_t port, uint32_t clients_max,
                uint32_t sources);
void fleet_close(struct fleet *f); /* resets every connection */

/* Begins one connection in a free slot. */
void fleet_open(struct fleet *f, uint32_t slot, uint32_t identity);

/* Sends all or sets the fault: the amounts here always fit a socket buffer, unless the server stopped reading. */
void fleet_send(struct fleet *f, struct client *c, const uint8_t *bytes, size_t n);

/* Closes one connection in order (FIN); its slot is free again. */
void fleet_drop(struct fleet *f, struct client *c);

/* The same with a reset: no TIME_WAIT is left behind. */
void fleet_reset(struct fleet *f, struct client *c);

/* One that is deaf reads nothing until it is not; no callback is called for it. */
void fleet_deafen(struct fleet *f, struct client *c, bool deaf);

/* One epoll_wait and all that it reports. timeout 0 polls. */
void fleet_turn(struct fleet *f, int timeout_ms);

/* Opens slots [from, to) as identities of that number and identity_first, `flight_max` at a time, until all joined or
 * time is up. */
void fleet_fill(struct fleet *f, uint32_t from, uint32_t to, uint32_t flight_max, uint64_t deadline_ns);

void fleet_watch(struct fleet *f, const char *marker);
bool fleet_failed(const struct fleet *f);
__attribute__((format(printf, 2, 3))) void fleet_fault(struct fleet *f, const char *fmt, ...);

#endif
