# `make scorecard`: test/scorecard/README.md. Programs of its own are made from the generator's parts in test/bench.
SCORECARD_SRC := $(sort $(wildcard test/scorecard/*.c))
SCORECARD_PARTS := test/scorecard/tls_way.c
SCORECARD := $(patsubst test/scorecard/%.c,build/scorecard/%,$(filter-out $(SCORECARD_PARTS),$(SCORECARD_SRC)))
SCORECARD_LINKED := $(SCORECARD_PARTS:%.c=build/bench-obj/%.o) \
	$(patsubst %,build/bench-obj/src/%.o,net/tls_client net/leaf base/map base/siphash base/region)
.PHONY: scorecard scorecard-programs
$(SCORECARD): build/scorecard/%: build/bench-obj/test/scorecard/%.o $(SCORECARD_LINKED) build/bench-obj/libpresenced.a \
		build/bench-obj/bearssl/libbearssl.a
	@mkdir -p $(@D)
	$(Q)$(CC) -o $@ $^ -pthread -lm
-include $(SCORECARD_SRC:%.c=build/bench-obj/%.d)
check-clang: $(SCORECARD_SRC:%.c=build/clang/%.o)
scorecard-programs: all build/bench/load $(SCORECARD)
scorecard: scorecard-programs
	$(Q)test/scorecard/run $(ROWS)
