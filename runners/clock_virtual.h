/*
 * The virtual clock under the loop (docs/design/003-virtual-time.md): the time
 * of a QEMU that has the library vclock/ in it. The loop asks for time up to
 * its next event; the library sets the guest's clock forward while the guest
 * is idle, and answers.
 *
 * While no QEMU is connected (before the NUT is started, after it ended) the
 * clock is the host's, so that one run can have several NUTs one after another.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct clock_virtual;
struct err;
struct link;
struct loop;

/*
 * Listen at `socket_path` and become the clock of `loop`, which owns it from
 * now on. The links (at most VCLOCK_LINKS_MAX) are those of the NUT, in its
 * order; they live until the loop runs no more. LAB_ENOTFOUND if the library is
 * not installed.
 */
int clock_virtual_new(struct loop *loop, const char *socket_path, struct link *const *links,
		      unsigned link_count, struct clock_virtual **ret_clock, struct err *err);

/* What QEMU must find in its environment: "NAME=value", NULL-terminated; of the clock. */
const char *const *clock_virtual_get_env(const struct clock_virtual *clock);
/* For the kernel command line: with the host's cycle counter the guest would see the host's time. */
#define CLOCK_VIRTUAL_CMDLINE "clocksource=hpet notsc"

/*
 * True when a QEMU is connected: it is, as soon as libvirt says that the domain
 * runs. If not then, the library was not loaded.
 */
bool clock_virtual_is_connected(const struct clock_virtual *clock);

struct clock_virtual_stats {
	unsigned vcpus;   /* threads that the library watches */
	uint64_t jumps;   /* how often the clock was set forward */
	uint64_t stalls;  /* how often time had to be pushed on: the host gave QEMU no processor */
	uint64_t missing; /* frames of the NUT that never came */
	uint64_t lost;    /* frames that never came to the NUT */
};
void clock_virtual_get_stats(const struct clock_virtual *clock,
			     struct clock_virtual_stats *ret_stats);
