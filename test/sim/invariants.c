#include "sim/living.h"
void invariants_check(struct life *l) { (void)l; }
