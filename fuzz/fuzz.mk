# make fuzz-long SECONDS=600: every target for so long, on all processors, by hand. CI runs scripts/fuzz-short.
SECONDS ?= 60
.PHONY: fuzz-long
fuzz-long: fuzz
	$(Q)fuzz/long $(SECONDS)

# What fuzz/build.sh makes is what it should be.
.PHONY: fuzz-build
fuzz-build:
	$(Q)fuzz/test_build
