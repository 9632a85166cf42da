# Does the simulator find bugs that are there? Those of planted.list, one at a time; it makes what it needs.
IDLE += test/sim/planted
.PHONY: planted
planted: build/sim/sim
	$(Q)test/sim/planted --all
