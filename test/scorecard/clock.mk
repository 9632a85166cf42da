# build/presenced.clock: the same objects, and a wall clock that a test may set (test/scorecard/clock/clock.c).
CLOCK_SRC := test/scorecard/clock/clock.c
build/presenced.clock: LDFLAGS += -Wl,--wrap=clock_gettime
build/presenced.clock: build/obj/src/main.o $(CLOCK_SRC:%.c=build/obj/%.o) $(obj_LIBS)
	$(Q)$(MUSL_CC) $(LDFLAGS) -o $@ $(CRT)/rcrt1.o $(CRT)/crti.o $(GCRT)crtbeginS.o $^ $(GCRT)crtendS.o $(CRT)/crtn.o
-include $(CLOCK_SRC:%.c=build/obj/%.d)
check-clang: $(CLOCK_SRC:%.c=build/clang/%.o)
scorecard-programs: build/presenced.clock build/presenced.counting
