/*
 * test/scorecard/tls_way.h: a fleet over TLS 1.2, by net/tls_client. Certificates and signatures are not verified: the
 * generator is to be faster than the server.
 */
#ifndef SCORECARD_TLS_WAY_H
#define SCORECARD_TLS_WAY_H

#include "bench/fleet.h"

struct tls_way;

/* Gives the fleet its way, before any client is opened. `resume`: slots keep their sessions. False: no memory. */
bool tls_way_begin(struct fleet *f, bool resume);

/* Handshakes done since the last call, and how many of them were resumed. */
void tls_way_count(struct fleet *f, uint32_t *done, uint32_t *resumed);

void tls_way_end(struct fleet *f); /* after fleet_close */

#endif
