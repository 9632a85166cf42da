# `make scorecard`: test/scorecard/README.md. Programs of its own are made from the generator's parts in test/bench.
SCORECARD_SRC := $(sort $(wildcard test/scorecard/*.c))
SCORECARD := $(SCORECARD_SRC:test/scorecard/%.c=build/scorecard/%)
BENCH_PARTS := fleet flood hist proc scene script
.PHONY: scorecard scorecard-programs
$(SCORECARD): build/scorecard/%: build/bench-obj/test/scorecard/%.o $(BENCH_PARTS:%=build/bench-obj/test/bench/%.o) build/bench-obj/libpresenced.a
	@mkdir -p $(@D)
	$(Q)$(CC) -o $@ $^ -pthread -lm
-include $(SCORECARD_SRC:%.c=build/bench-obj/%.d)
check-clang: $(SCORECARD_SRC:%.c=build/clang/%.o)
scorecard-programs: all build/bench/load $(SCORECARD)
scorecard: scorecard-programs
	$(Q)test/scorecard/run $(ROWS)
