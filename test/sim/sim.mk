# The simulator for speed, beside the one under the sanitizers (build/asan/test/sim/test_world): the same sources.
$(eval $(call flavour,sim-obj,$(CC),-O2 -g,-O2,$(LIB_SRC) $(filter test/sim/%,$(HELP_SRC)),test/sim/test_world.c test/sim/test_scenarios.c test/sim/test_chaos.c))

build/sim/sim: build/sim-obj/test/sim/test_world.o $(sim-obj_LIBS)
	@mkdir -p $(@D)
	$(Q)$(CC) -g -o $@ $^ -pthread

# SEEDS of them from SEED on, on all processors; the first that fails is shrunk. A release: make sim SEEDS=1000000
SEEDS ?= 4000
SEED ?= 1
.PHONY: sim
sim: build/sim/sim
	$(Q)build/sim/sim --seed $(SEED) --count $(SEEDS) --jobs $$(nproc) --twice 100 --shrink

# Random lives in CI.
BUILT += build/sim/sim
BESIDE += test/sim/thousands

# The tables, cut in two at every byte.
BUILT += build/sim/scenarios
BESIDE += test/sim/cuts
build/sim/scenarios: build/sim-obj/test/sim/test_scenarios.o $(sim-obj_LIBS)
	@mkdir -p $(@D)
	$(Q)$(CC) -g -o $@ $^ -pthread
