# presenced. `make` fetches and builds the libraries of vendor/lock and links build/presenced: one static file.
#
# The same sources are compiled up to four ways, each under a directory of its own, named in the table at the end:
# obj (musl, what ships), asan (gcc, glibc, sanitizers: the tests), fuzz-obj (clang, libFuzzer), clang (its warnings).

VERSION := 0.1.0
MUSL_CC ?= musl-gcc
CC := gcc
CLANG ?= clang
MAKEFLAGS += --no-builtin-rules
MACHINE := $(shell uname -m)
Q := $(if $(V),,@)

# Sources. Layers may be empty. What is neither main nor a test is linked into tests as a library.
LAYERS := base wire presence dialect server net cluster tool
LIB_SRC := $(sort $(wildcard $(LAYERS:%=src/%/*.c)) $(filter-out src/main.c,$(wildcard src/*.c)))
TEST_SRC := $(sort $(wildcard test/unit/test_*.c test/wire/test_*.c test/sim/test_*.c))
HELP_SRC := $(sort $(filter-out $(TEST_SRC),$(wildcard test/*.c test/unit/*.c test/wire/*.c test/sim/*.c)))
FUZZ_SRC := $(sort $(wildcard fuzz/fuzz_*.c))
BENCH_SRC := $(sort $(wildcard test/bench/*.c))
COUNTING_SRC := test/malloc/counting.c
E2E := $(sort $(wildcard test/e2e/*.sh test/e2e/*.py test/e2e/*.mjs))
TESTS := $(TEST_SRC:%.c=build/asan/%)
FUZZERS := $(FUZZ_SRC:fuzz/fuzz_%.c=build/fuzz/%)
ALL_TESTS = $(TESTS) $(BESIDE) -- scripts/tidy scripts/fuzz-short $(ALONE) $(E2E) -- $(IDLE)
BENCHES := build/bench/load build/bench/floor build/bench/relay build/bench/selfcheck
VERIFY_SRC := test/bench/verify/verify.c
HIREDIS := $(if $(wildcard src/cluster/*.c),libhiredis.a)

# Flags. Only net and above may ask for more than C11; tests too. Third-party headers are system headers: no warnings.
STD := -std=c11 -Isrc -isystem build/vendor/jsmn -isystem build/vendor/bearssl/inc -isystem build/vendor/hiredis \
	-DPRESENCED_VERSION='"$(VERSION)"' -ffile-prefix-map=$(CURDIR)=.
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wvla -Wformat=2 -Werror
PURE := src/base/% src/wire/% src/presence/% src/dialect/% src/server/%
# Runs at start, by an operator's hand, or once for a connection at most: small before fast.
COLD_SERVER := metrics expose admin start api health rest rest_write keys user_check waiting authenticate credential address forwarded body
COLD_NET := certificate certificates anchors resolver fetch x509 machine tls_client tls_policy walls seccomp landlock
COLD_CLUSTER := companion figures life nodes sync seeds_roster seeds_happen redis redis_link redis_memory redis_way
COLD := $(wildcard src/*.c src/tool/*.c) src/wire/redis_url.c $(COLD_CLUSTER:%=src/cluster/%.c) $(COLD_SERVER:%=src/server/%.c) $(COLD_NET:%=src/net/%.c)
flags = $(if $(filter $(COLD),$1),-Os) $(if $(filter src/%,$1),-Wconversion -Wno-string-conversion,-Itest -Wno-format-nonliteral) $(if $(filter $(PURE),$1),,-D_GNU_SOURCE)
# musl copies with `rep movs`, which is slow to begin: what is short is copied in line.
COPY := -minline-stringops-dynamically -mmemcpy-strategy=unrolled_loop:256:noalign,libcall:-1:noalign
HARDEN := -fPIE -fstack-protector-strong -fstack-clash-protection -ftrivial-auto-var-init=zero \
	-fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing \
	$(if $(filter x86_64,$(MACHINE)),-fcf-protection=full $(COPY)) $(if $(filter aarch64,$(MACHINE)),-mbranch-protection=standard) \
	-ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -Werror=date-time
# What gcc 12 does not know, gcc 13 and 15 do; warnings that only gcc has. scripts/hardening says what came of it.
takes = $(shell for f in $1; do echo 'int x;' | $(MUSL_CC) -Werror $$f -x c -c -o /dev/null - 2>/dev/null && echo $$f; done)
HARDEN += $(call takes,-fstrict-flex-arrays=3 -fzero-init-padding-bits=all -Wtrampolines -Wbidi-chars=any)
HARDEN_LIB := -Wformat -Werror=format-security -Werror=implicit -Werror=incompatible-pointer-types -Werror=int-conversion
SANITIZE := -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
# BearSSL's own style is not ours to judge, and clang's UBSan dislikes its function casts: it gets ASan only.
SANITIZE_LIB := -g -fno-omit-frame-pointer -fsanitize=address

# musl's wrapper turns -static-pie into a dynamic executable; this is what it should have passed. CRT is musl's, GCRT gcc's.
CRT = /usr/lib/$(MACHINE)-linux-musl
GCRT = $(dir $(shell $(CC) -print-libgcc-file-name))
LDFLAGS = -static -Wl,-pie -Wl,--no-dynamic-linker -Wl,-z,text -Wl,-z,relro,-z,now -Wl,-z,noexecstack \
	-Wl,-z,separate-code -Wl,--gc-sections -nostartfiles -Wl,-Map=$@.map

WATCHED := malloc calloc realloc aligned_alloc posix_memalign free epoll_wait

.PHONY: all built test test-unit test-e2e fuzz fuzz-short check-clang tidy bench image clean tests list-tests
.DELETE_ON_ERROR:
.SECONDARY:
all: build/presenced

build/presenced: build/presenced.debug
	$(Q)strip -o $@ $<

# flavour DIR, COMPILER, FLAGS, FLAGS FOR LIBRARIES, SOURCES: objects, the sources' archive and the libraries' ones.
define flavour
build/$1/%.o: %.c Makefile | build/vendor/ready
	@mkdir -p $$(@D)
	@echo "  $2 $$<"
	$(Q)$2 $(STD) $(WARN) $3 $$(call flags,$$<) -MMD -MP -c -o $$@ $$<
build/$1/libpresenced.a: $(5:%.c=build/$1/%.o) $(sort $(dir $5))
	@mkdir -p $$(@D)
	$(Q)rm -f $$@ && ar rcs $$@ $$(filter %.o,$$^)
build/$1/bearssl/libbearssl.a: build/vendor/ready
	@mkdir -p $$(@D)
	@echo "  $2 BearSSL for $1"
	$(Q)$$(MAKE) -s -C build/vendor/bearssl CONF=Unix BUILD=../../$1/bearssl CC='$2' CFLAGS='$4' \
		DLL=no TOOLS=no TESTS=no lib >build/$1/bearssl.log 2>&1 || { tail -20 build/$1/bearssl.log; exit 1; }
build/$1/libhiredis.a: build/vendor/ready
	@mkdir -p $$(@D)/hiredis
	@echo "  $2 hiredis for $1"
	$(Q)for c in alloc async hiredis net read sds sockcompat; do \
		$2 -std=gnu99 -D_GNU_SOURCE $4 $(if $(filter obj,$1),-Os) -c -o build/$1/hiredis/$$$$c.o build/vendor/hiredis/$$$$c.c || exit 1; done
	$(Q)rm -f $$@ && ar rcs $$@ build/$1/hiredis/*.o
$1_LIBS := build/$1/libpresenced.a $(HIREDIS:%=build/$1/%) build/$1/bearssl/libbearssl.a
-include $(patsubst %.c,build/$1/%.d,$5 $6)
endef
KERNEL := -idirafter build/vendor/kernel-headers
KERNEL_LIB := -idirafter $(CURDIR)/build/vendor/kernel-headers -ffile-prefix-map=$(CURDIR)=.
CHECKED := $(LIB_SRC) src/main.c $(HELP_SRC) $(TEST_SRC) $(FUZZ_SRC) $(BENCH_SRC) $(VERIFY_SRC) $(COUNTING_SRC)
$(eval $(call flavour,obj,$(MUSL_CC),-O2 -g $(HARDEN) -Wstack-usage=8192 $(KERNEL),-O3 -g $(HARDEN) $(HARDEN_LIB) $(KERNEL_LIB),$(LIB_SRC),src/main.c $(VERIFY_SRC) $(COUNTING_SRC)))
$(eval $(call flavour,asan,$(CC),-O1 $(SANITIZE),-O1 $(SANITIZE_LIB),$(LIB_SRC) $(HELP_SRC),$(TEST_SRC)))
$(eval $(call flavour,fuzz-obj,$(CLANG),-O1 $(SANITIZE) -fsanitize=fuzzer-no-link,-O1 $(SANITIZE_LIB),$(LIB_SRC) $(HELP_SRC),$(FUZZ_SRC)))
$(eval $(call flavour,clang,$(CLANG),-O2,-O2,$(CHECKED)))
$(eval $(call flavour,bench-obj,$(CC),-O2 -g,-O2,$(BENCH_SRC)))

build/vendor/ready: vendor/lock scripts/vendor
	$(Q)scripts/vendor
	$(Q)touch $@
build/presenced.debug: build/obj/src/main.o $(obj_LIBS)
	$(Q)$(MUSL_CC) $(LDFLAGS) -o $@ $(CRT)/rcrt1.o $(CRT)/crti.o $(GCRT)crtbeginS.o $^ $(GCRT)crtendS.o $(CRT)/crtn.o
# The same objects, libc's too, with every allocator watched: test/e2e/no_malloc.py.
build/presenced.counting: LDFLAGS += $(WATCHED:%=-Wl,--wrap=%)
build/presenced.counting: build/obj/src/main.o $(COUNTING_SRC:%.c=build/obj/%.o) $(obj_LIBS)
	$(Q)$(MUSL_CC) $(LDFLAGS) -o $@ $(CRT)/rcrt1.o $(CRT)/crti.o $(GCRT)crtbeginS.o $^ $(GCRT)crtendS.o $(CRT)/crtn.o
$(TESTS): build/asan/%: build/asan/%.o $(asan_LIBS)
	$(Q)$(CC) $(SANITIZE) -o $@ $^ -pthread
$(FUZZERS): build/fuzz/%: build/fuzz-obj/fuzz/fuzz_%.o $(fuzz-obj_LIBS)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(SANITIZE) -fsanitize=fuzzer -o $@ $^
$(BENCHES): build/bench/%: build/bench-obj/test/bench/%.o build/bench-obj/libpresenced.a
	@mkdir -p $(@D)
	$(Q)$(CC) -o $@ $^ -pthread -lm
# Measures what ships: the same objects, and musl.
build/bench/verify: $(VERIFY_SRC:%.c=build/obj/%.o) $(obj_LIBS)
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(LDFLAGS) -o $@ $(CRT)/rcrt1.o $(CRT)/crti.o $(GCRT)crtbeginS.o $^ $(GCRT)crtendS.o $(CRT)/crtn.o

# Rules of one kind of test only. Each may add to BUILT (what `make test` needs), BESIDE (programs that may run at the same
# time as others), ALONE (those that may not) and IDLE (those that compute for long and measure no time).
include $(sort $(wildcard test/*/*.mk fuzz/*.mk))

tests: $(TESTS)
test-unit: tests
	$(Q)scripts/tap $(TESTS)
test-e2e: all build/presenced.counting
	$(Q)scripts/tap -- $(E2E)
fuzz: $(FUZZERS)
fuzz-short: fuzz
	$(Q)scripts/fuzz-short
check-clang: $(CHECKED:%.c=build/clang/%.o)
tidy: all
	$(Q)scripts/tidy
built: all build/presenced.counting tests fuzz check-clang $(BUILT)
test: built
	$(Q)scripts/tap $(ALL_TESTS)
list-tests:
	@echo $(ALL_TESTS)
bench: all $(BENCHES) build/bench/verify
	$(Q)if [ -x test/bench/run ]; then test/bench/run; fi
	$(Q)test/bench/verify/run
image: all
	$(Q)scripts/image
clean:
	rm -rf build
