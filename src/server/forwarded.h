/*
 * server/forwarded.h: who asks, when a proxy asks for them: the X-Forwarded-For that trusted proxies append
 * to. RELIABILITY H25. Pure.
 *
 * The list is read from its end, where the nearest proxy wrote, and as long as whoever wrote is trusted; what
 * stands further left was the client's to invent.
 */
#ifndef SERVER_FORWARDED_H
#define SERVER_FORWARDED_H

#include "server/config.h"
#include "server/conn.h"

enum { FORWARDED_HOPS_MAX = 32 }; /* looked at; what stands before them counts for nothing */

/*
 * Makes *peer, the socket's, the client's. It stays as it is unless it is one of cfg->proxies: a unix
 * socket's peer is none of them, unless `unix` is listed. Else it becomes the first address from the right
 * that is no proxy's; when there is none, the last that was looked at. What is no address ends the list
 * there. The port is the list's, or 0.
 */
void forwarded_apply(const struct server_config *cfg, const struct http_request *req, struct peer *peer);

#endif
