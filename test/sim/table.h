/*
 * test/sim/table.h: runs one scenario table, a text that a human can read:
 *
 *	option offline-debounce 5s                # options of the server, before the first line
 *	# at(ms) who does-what         -> everything that anybody hears since the line before, in order
 *	0      a1 connect snake user=ann -> a1 open | a1 connection_ack ann 30
 *	20000  a1 status away          -> a1 presence_update_ack ann away | a1 presence_update ann away 1
 *	30000  .                       -> b1 ping @25000
 *
 * Each item is a client and what it hears, in the short form of client.h or, when it begins with `{`, the JSON itself; `*` in either
 * stands for anything. `x3` before it: three times; `x*`: any number of times; `@25000` behind it: at that time and no other. Order
 * counts for each client by itself: nobody can compare what two sockets got. What is heard and not said fails the line. A line that
 * begins with a blank continues the one before.
 *
 * Verbs (WHO VERB): connect DIALECT [user= device= name= ip= listener= path= proto= header=], tcp, send JSON, status S [TEXT], ping, beat,
 * sub ROOM, unsub ROOM, watch [USER...], type ROOM, stop ROOM, frame OP[+] [TEXT], big BYTES, bytes C-ESCAPED, close [CODE], end, drop, stall,
 * read [BYTES], silent, polite, auth TOKEN, with [HEADER: VALUE] (of its requests from now on), get PATH, head PATH, delete PATH,
 * put PATH JSON, post PATH JSON, starve (its socket is writable and takes nothing), feed; with xN before the verb N times.
 * Of nobody (`.`): wall +-DURATION, drain, freeze, thaw, limit POOL N|all (so many cells more than are in use now), keys ANSWER,
 * users USER=ANSWER..., asked WHAT=TIMES..., or nothing: time passes.
 *
 * `nodes N` before the first line: N servers and a Redis (world.h). `an@2` is a client on node 2, which is `an` from then on; `.@2` is
 * of that node. Before the first line also: delay MS (one way to Redis; else all comes at once), reconnect MS, space BYTES, redis-keys off.
 * Of nobody: kill N, boot N, stop N and resume N (SIGSTOP, SIGCONT), quit N (SIGTERM), gone N (it has ended), cut N and join N (from Redis),
 * deafen N (nothing more comes, and nobody says so), lose N (its connections), drop N COUNT (that many messages to it), redis down, up,
 * hang, wake, flush, failover WRITES, refuse writes|all CODE, accept, limbo all|none (of what hung), publish CHANNEL TEXT, set KEY MS TEXT,
 * key KEY TEXT (is so; `none`: is not there), ttl KEY MS, tap (the client `redis` hears what is published for other programs).
 *
 * T{sub:ann,ttl:120s} anywhere in what is done is a token (mint.h). `connect` takes token= (in the query) and bearer= as well. What the
 * services answer (services.h) is said in rows, or before the first one without the dot; what they were asked is counted from the start.
 */
#ifndef TEST_SIM_TABLE_H
#define TEST_SIM_TABLE_H

#include "sim/client.h"

struct table_result {
	unsigned lines, failed;
	bool skipped;           /* the table says that it depends on how bytes travel */
	uint64_t hash;          /* of all that was heard, byte for byte and when */
	uint64_t heard;         /* of what each client heard, message for message and when, but for what the server draws */
	struct sim_sizes up_sizes, down_sizes;
	uint64_t turns;
};

struct table_way {
	enum sim_cut cut;
	size_t cut_at;          /* as in sim.h */
	uint64_t seed;
	bool show;              /* prints what was heard, and judges nothing */
};

/* Runs the text `table` (NUL-terminated; `path` is for diagnostics, printed as `# path:line: ...`). */
struct table_result table_run(const char *path, const char *table, const struct table_way *);

/* An option's name and value as in CONTRACT 1 into *cfg; false: unknown or malformed. */
bool table_option(struct server_config *cfg, const char *name, const char *value);

/* Lets N cells more than now be in use of a pool, or "all" again; false: no such pool (limit.c). */
bool table_limit(struct server *s, const char *pool, const char *n);

#endif
