/*
 * cluster/redis_state.h: what redis.c and redis_way.c share. Nobody else includes it.
 *
 * Who writes what: redis_way.c all that has to do with where Redis is and whether it is there; redis.c the
 * rest.
 */
#ifndef CLUSTER_REDIS_STATE_H
#define CLUSTER_REDIS_STATE_H

#include "cluster/redis.h"
#include "cluster/redis_link.h"
#include "net/anchors.h"

/* Connections, and numbers of epoll events. */
enum { COMMANDS, SUBSCRIPTIONS, FINDER, LINKS, RESOLVER = LINKS };

enum state { STATE_WAITING, STATE_CHOSEN, STATE_ASKING, STATE_RESOLVING, STATE_OPENING, STATE_UP };

/* Kinds of commands. */
enum { ANSWER_WRITE, ANSWER_RENEW, ANSWER_MASTER, ANSWER_AUTH };

enum { HOST_BYTES_MAX = RESOLVER_HOST_BYTES_MAX };

/* Where the next connection goes. */
struct target {
	bool sentinel;             /* to ask for the master */
	uint16_t port;
	uint32_t host_bytes;
	char host[HOST_BYTES_MAX + 1];
};

struct redis {
	const struct redis_url *url;
	struct redis_ears ears;
	struct log *log;
	struct log_limit refusals;
	int epoll_fd;
	struct now now;            /* of this turn */
	enum state state;
	mono_t at;                 /* WAITING, RESOLVING: until then */
	mono_t up_since;
	uint32_t attempts;         /* that failed in a row */
	uint64_t random;
	struct target target;
	bool was_asked, authenticated; /* ASKING: for the master; it wanted a password */
	uint32_t sentinel, asked;  /* the next one to be asked; how many were in this attempt */
	struct resolver resolver;
	bool resolving;            /* the thread has a question */
	uint32_t question;         /* number of the last one */
	struct resolver_answer addresses;
	uint32_t next_address;
	struct redis_address address;
	struct anchors anchors;
	struct tls_client *tls;    /* LINKS of them; NULL: without */
	void *mem;                 /* of the links' tables */
	size_t mem_bytes;
	mono_t complain_again;     /* the same reason is not said before */
	char complaint[REDIS_WHY_BYTES];
	char name[REDIS_NAME_BYTES_MAX];
	uint32_t name_bytes;
	uint64_t ups, losses, refused;
	uint32_t channels_max;
	struct redis_link links[LINKS];
};

#endif
