#include "sim/living.h"
void hostile_act(struct life *l) { (void)l; }
