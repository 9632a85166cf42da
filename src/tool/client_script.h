/*
 * tool/client_script.h: `--script auto`, the seven steps of seed 002's test client: connect, subscribe, type,
 * ping, subscribe elsewhere, unsubscribe, direct messages. A step passes when the server answered all of it;
 * typing, which nothing answers, when the next ping is answered without an error.
 */
#ifndef TOOL_CLIENT_SCRIPT_H
#define TOOL_CLIENT_SCRIPT_H

#include "tool/client_session.h"

struct client_script {
	uint32_t at;      /* of the table: what is asked next */
	uint32_t step;    /* the step that is open; 0: none */
	uint32_t waiting; /* the request that must be answered first; 0: none */
	uint32_t passed, skipped;
	bool step_failed, step_skipped;
	const char *note; /* why */
	int64_t step_us;  /* when it began */
};

/* The link has just been opened; that began at `began_us`. `c` is all zero. */
void client_script_begin(struct client_script *c, struct client_session *s, int64_t began_us);

/* What a message meant, in the order in which they come. */
void client_script_hear(struct client_script *c, const struct client_news *news);

/* Goes on as far as it can. True: it has come to its end, and said what came of it. */
bool client_script_turn(struct client_script *c, struct client_session *s, int64_t now_us);

/* The link is gone. Says what came of it. */
void client_script_abandon(struct client_script *c, struct client_session *s);

/* Was every step answered? */
bool client_script_passed(const struct client_script *c);

#endif
