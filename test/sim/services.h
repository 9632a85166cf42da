/*
 * test/sim/services.h: the services that the server asks (server/outside.h), as a table scripts them: what the JWKS endpoint answers,
 * whom the operator's service knows, after how long. They answer between the turns of a world; `never` is no answer within the five
 * seconds that the seam allows.
 */
#ifndef TEST_SIM_SERVICES_H
#define TEST_SIM_SERVICES_H

#include "sim/mint.h"
#include "server/outside.h"

struct sim;

enum { SERVICES_USERS_MAX = 32, SERVICES_NAME_MAX = 24 };

enum service_answer { SERVICE_STATUS, SERVICE_KEYS, SERVICE_GARBAGE, SERVICE_NEVER, SERVICE_REFUSED };

struct service_reply {
	enum service_answer what;
	unsigned status;        /* 0: nothing was said; 200, or an empty set */
	int64_t after_ms;
};

struct services {
	struct service_reply keys;
	char key_names[256];
	struct service_reply other_users; /* those that no row names */
	struct {
		char id[SERVICES_NAME_MAX];
		struct service_reply reply;
		uint32_t asked;
	} users[SERVICES_USERS_MAX];
	uint32_t user_count;
	uint32_t keys_asked, users_asked, refused;
	struct service_question {
		uint32_t ticket;
		enum outside_service service;
		struct service_reply reply;
		char key_names[256];
		mono_t due;
	} asked[OUTSIDE_ASKED_MAX];
	uint32_t asked_count;
	mono_t now;             /* of the world */
};

/* Zeroed: everybody is known, and there are no keys. */
struct outside services_outside(struct services *);

/* `[after=DURATION] KEY...`, or 500, garbage, never, refused: what the endpoint answers from now on. */
bool services_set_keys(struct services *, struct str words);
/* `[after=DURATION] ann=200 bob=404 cat=never dan=refused *=200` */
bool services_set_users(struct services *, struct str words);
/* `keys=1 users=3 ann=1 refused=0`: so often was asked since the start. `got` tells what is not so. */
bool services_were_asked(const struct services *, struct str words, char *got, size_t cap);

/* When the next answer is due; MONO_NEVER. */
mono_t services_due(const struct services *);
/* Gives the answers that are due to the server, in a turn. True: there was one. */
bool services_answer(struct services *, struct server *, mono_t now);

#endif
