/*
 * test/sim/act.h: what a client can be told to do in a table (table.h lists the verbs).
 */
#ifndef TEST_SIM_ACT_H
#define TEST_SIM_ACT_H

#include "sim/client.h"

/* False: there is no such verb, or it is not said like that. */
bool act_does(struct crowd *, struct client *, struct str verb, struct str args);

#endif
