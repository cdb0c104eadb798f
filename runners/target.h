/*
 * The node under test as the engine sees it. The NUT of a run is a virtual
 * machine (runners/target_nut.c); the tests of the suites put a simulated node
 * with known faults in its place (tests/simulated). Everything that decides about
 * a verdict is on this side of the interface.
 *
 * Responsibilities: calls block, with events of the loop going on meanwhile;
 * negative codes are trouble of ours. Between start and stop the target's link
 * interfaces are up as soon as it runs, with the role and the settings it was
 * made for.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "runners/nut.h"

enum target_clock {
	TARGET_CLOCK_AUTO, /* virtual where that is possible */
	TARGET_CLOCK_REAL,
	TARGET_CLOCK_VIRTUAL,
};

/* What a target is made from. */
struct target_spec {
	struct nut_spec nut; /* strings and links outlive the target */
	enum target_clock clock;
};

struct target_ops {
	const char *name;
	/* Boot, until commands can be given; after stop, a new one. */
	int (*start)(void *target, struct err *err);
	/* Boot the running one anew, until commands can be given. */
	int (*reboot)(void *target, struct err *err);
	int (*exec)(void *target, const char *const *argv, int64_t timeout_ms,
		    struct nut_exec_result *ret_result, struct err *err);
	bool (*ping)(void *target, int64_t timeout_ms, struct err *err);
	/*
	 * The one snapshot of the target: the state that every test begins in. After a load
	 * nothing of the state before is left on the link.
	 */
	int (*save)(void *target, struct err *err);
	int (*load)(void *target, struct err *err);
	enum nut_state (*state)(void *target);
	/* What made the state bad, one line; "" while all is well. */
	const char *(*trouble)(void *target);
	enum accelerator (*accelerator)(void *target);
	int64_t (*console_size)(void *target);
	/* Text of the console from `offset` on, on the heap. */
	char *(*console_text)(void *target, int64_t offset);
	int64_t (*peak_memory_kib)(void *target);
	void (*stop)(void *target);
	void (*free)(void *target);
};

struct target {
	const struct target_ops *ops;
	void *self;
	void (*on_trouble)(void *user); /* called from the loop when the state turns bad */
	void *user;                     /* for on_trouble */
};
