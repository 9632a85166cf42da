# make coverage: what the tests and the fuzz corpora reach of src/ (test/coverage/report; gate is the part that CI runs).
#
# The cov flavour is clang's, counted (-fprofile-instr-generate -fcoverage-mapping). Its src/ is built with -DNDEBUG: an assert
# says what cannot be, so its other side is no branch that a test could take (SQLite counts in the same way). Tests keep their
# own asserts. BearSSL is not measured: it is the one that ships, which wants nothing of libc but mem* and a clock.
COUNTED := -fprofile-instr-generate
# The server itself says where its counts go, since end-to-end tests give it an environment of its own: into files that it maps as
# it starts (%c), because later it may open none, and because some servers are killed; four of them for all (%4m).
COUNTED_SERVER := =$(CURDIR)/build/cov/profiles/e2e-%c%4m.profraw
COUNTED_SRC := $(COUNTED) -fcoverage-mapping -mllvm -runtime-counter-relocation
$(eval $(call flavour,cov,$(CLANG),-O1 -w $(COUNTED_SRC) $$(if $$(filter src/main.c,$$<),$(COUNTED)$(COUNTED_SERVER)) $$(if $$(filter src/%,$$<),-DNDEBUG,-DSRC_NDEBUG),-O1,$(LIB_SRC) $(HELP_SRC),$(TEST_SRC) $(FUZZ_SRC) src/main.c))

COV_LIBS := build/cov/libpresenced.a $(HIREDIS:%=build/cov/%) build/obj/bearssl/libbearssl.a
COV_TESTS := $(TEST_SRC:%.c=build/cov/%)
COV_FUZZERS := $(FUZZ_SRC:fuzz/fuzz_%.c=build/cov/fuzz/%)
COV_GATE := $(filter build/cov/test/wire/%,$(COV_TESTS)) $(COV_FUZZERS) build/cov/presenced
$(COV_TESTS): build/cov/%: build/cov/%.o $(COV_LIBS)
	$(Q)$(CLANG) $(COUNTED) -o $@ $^ -pthread
$(COV_FUZZERS): build/cov/fuzz/%: build/cov/fuzz/fuzz_%.o build/cov/test/coverage/replay.o $(COV_LIBS)
	$(Q)$(CLANG) $(COUNTED) -o $@ $^ -pthread
build/cov/presenced: build/cov/src/main.o $(LIB_SRC:%.c=build/cov/%.o) $(filter-out %/libpresenced.a,$(COV_LIBS))
	$(Q)$(CLANG) $(COUNTED) -o $@ $^ -pthread
CHECKED += test/coverage/replay.c

.PHONY: coverage coverage-build coverage-gate-build
coverage-gate-build: $(COV_GATE)
coverage-build: $(COV_GATE) $(COV_TESTS)
coverage:
	$(Q)test/coverage/report $(if $(E2E),--e2e)

BUILT += coverage-gate-build
IDLE += test/coverage/gate
