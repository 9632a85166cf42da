# The same objects with a thread that tries to break out: test/e2e/walls.py.
BREAKOUT_SRC := test/walls/breakout.c
build/presenced.breakout: LDFLAGS += -Wl,--wrap=epoll_wait -Wl,--wrap=getaddrinfo
build/presenced.breakout: build/obj/src/main.o $(BREAKOUT_SRC:%.c=build/obj/%.o) $(obj_LIBS)
	$(Q)$(MUSL_CC) $(LDFLAGS) -o $@ $(CRT)/rcrt1.o $(CRT)/crti.o $(GCRT)crtbeginS.o $^ $(GCRT)crtendS.o $(CRT)/crtn.o
-include $(BREAKOUT_SRC:%.c=build/obj/%.d) $(BREAKOUT_SRC:%.c=build/clang/%.d)
CHECKED += $(BREAKOUT_SRC)
BUILT += build/presenced.breakout
