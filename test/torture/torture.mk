# The same objects as build/presenced, with every call that may fail wrapped (test/torture/calls.def): test/torture/run fails them one by one,
# test/torture/memory all sends from some time on, and what epoll takes in.
comma := ,
FAULTY_SRC := test/torture/faulty.c
FAULTY_CALLS := $(shell grep -o '^CALL.[a-z0-9_]*' test/torture/calls.def | cut -c 6-)
FAULTY_WRAP := $(patsubst %,-Wl$(comma)--wrap=%,$(FAULTY_CALLS) buddy_init)
CHECKED += $(FAULTY_SRC)
BUILT += build/presenced.faulty
ALONE += test/torture/wrapped test/torture/run test/torture/memory

-include $(FAULTY_SRC:%.c=build/obj/%.d) $(FAULTY_SRC:%.c=build/asan/%.d)
build/presenced.faulty: LDFLAGS += $(FAULTY_WRAP)
build/presenced.faulty: build/obj/src/main.o $(FAULTY_SRC:%.c=build/obj/%.o) $(obj_LIBS) test/torture/calls.def
	$(Q)$(MUSL_CC) $(LDFLAGS) -o $@ $(CRT)/rcrt1.o $(CRT)/crti.o $(GCRT)crtbeginS.o $(filter-out %.def,$^) $(GCRT)crtendS.o $(CRT)/crtn.o
build/presenced.faulty-asan: build/asan/src/main.o $(FAULTY_SRC:%.c=build/asan/%.o) $(asan_LIBS) test/torture/calls.def
	$(Q)$(CC) $(SANITIZE) $(FAULTY_WRAP) -o $@ $(filter-out %.def,$^) -pthread

.PHONY: torture torture-asan torture-files
# Every call x every error x every N; and again under the sanitizers.
torture: build/presenced build/presenced.faulty
	$(Q)test/torture/run --all
torture-asan: build/presenced build/presenced.faulty-asan
	$(Q)test/torture/run --all --binary build/presenced.faulty-asan
# The end-to-end tests, each with every error at the first, the last and one more call of each place: hours. FILES chooses.
torture-files: FILES = $(filter-out %large %no_malloc.py,$(filter %.py,$(E2E)))
torture-files: build/presenced build/presenced.faulty
	$(Q)test/torture/run $(FILES:%=--file %) --seconds 0
