/*
 * test/sim/faults.h: what befalls a world of several servers in a table (table.h lists the verbs).
 */
#ifndef TEST_SIM_FAULTS_H
#define TEST_SIM_FAULTS_H

#include "sim/world.h"

/* False: there is no such verb, or it is not said like that. `got` tells what is not as the table says; "": all is. */
bool faults_do(struct world *, struct str verb, struct str args, char *got, size_t cap);

/* Does `text` match `pattern`, where `*` is any run of characters? */
bool faults_match(struct str pattern, const char *text);

#endif
