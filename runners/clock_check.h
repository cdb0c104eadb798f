/*
 * The self-test of a run's clock: does the NUT's own clock do what ours says?
 * Whatever is wrong (the library does not do its work, QEMU waits in another way than it
 * knows, the guest has another source of time), it shows here.
 */
#pragma once

#include <stdint.h>

struct err;
struct loop;
struct nut;

struct clock_check {
	int64_t loop_ns;  /* how much time passed by the loop's clock */
	int64_t guest_ns; /* by the NUT's /proc/uptime, which knows 10 ms */
	int64_t host_ns;  /* by the host's */
};

/*
 * Let `span_ns` pass for a booted NUT and compare. LAB_EVIRT when the clocks do not agree.
 */
int clock_check(struct loop *loop, struct nut *nut, int64_t span_ns, struct clock_check *ret_check,
		struct err *err);
