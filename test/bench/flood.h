/*
 * test/bench/flood.h: handshakes that a full server refuses, or hellos of TLS that are left alone once they were answered, begun
 * at an even pace beside a fleet, on the fleet's thread.
 *
 * One call of flood_turn does one small thing (begins a connection, or asks, or takes an answer), so that the fleet's
 * clients are read in between. Server, script, sources and faults are the fleet's; an upgrade that is not refused is a fault.
 */
#ifndef BENCH_FLOOD_H
#define BENCH_FLOOD_H

#include "fleet.h"

#include <stdbool.h>
#include <stdint.h>

enum { FLOOD_AT_A_TIME = 30 }; /* those a turn closes and those it accepts fit the slots that a server has to spare */

struct flood_asker {
	int fd;        /* -1: free */
	bool asked, refused;
};

struct flood {
	struct fleet *fleet;
	int epoll_fd;
	struct sockaddr_in to;
	bool hello;    /* say a ClientHello, which costs the server two multiplications and a signature */
	uint32_t look_from; /* have tokens from this one on looked at; 0: no tokens */
	uint64_t start_ns, step_ns;
	uint64_t begun, refused; /* or answered */
	uint32_t under_way;
	struct flood_asker askers[FLOOD_AT_A_TIME];
};

/* Nothing is sent before flood_turn. `hello_port`: of a TLS listener, to say hello to; 0: none. False: no epoll set. */
bool flood_init(struct flood *f, struct fleet *fleet, uint32_t per_second, uint16_t hello_port);
void flood_start(struct flood *f, uint64_t now);
void flood_turn(struct flood *f, uint64_t now);
void flood_close(struct flood *f); /* resets what is under way */

#endif
