/*
 * The account of guest time. It passes while a vCPU executes and QEMU's main
 * loop has nothing to do, up to the main loop's next timer; otherwise it stands
 * still. While all vCPUs are halted it may be set forward. No system calls, no
 * locks: the caller (preload.c) has one lock, and what execution costs comes
 * from the function it gives.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define VCLOCK_VCPUS_MAX 64u

/*
 * The translator executes guest code many times slower than a processor would,
 * most of all when it sees it for the first time (after each loadvm). A short burst
 * therefore counts for a tenth; what follows without a pause counts in full, so
 * that a guest that never goes idle lives at the host's speed.
 */
#define VCLOCK_BURST_NS     INT64_C(100000000)
#define VCLOCK_BURST_FACTOR 10

/* How much time the thread behind `thread_clock` has used so far, by the chosen measure. */
typedef int64_t (*vclock_spent_fn)(clockid_t thread_clock);

struct vclock_vcpu {
	const void *cond;       /* the condition it is halted on; NULL while it executes */
	clockid_t thread_clock; /* CPU clock of its thread */
	int64_t mark_ns;        /* what it had spent at the last settlement, while it executes */
	uint32_t woken;         /* futex: becomes 1 when its condition is signalled */
};

struct vclock {
	vclock_spent_fn spent_ns;
	int64_t settled_ns;  /* the time at the last settlement */
	int64_t burst_ns;    /* what was spent since all vCPUs were halted */
	int64_t limit_ns;    /* execution does not bring it further than this; while `runs` */
	bool runs;           /* execution counts */
	int64_t idle_ns;     /* when all vCPUs were last halted at once */
	uint64_t generation; /* changes whenever a vCPU halts or goes on */
	unsigned count;      /* of vcpus */
	unsigned busy;       /* of them not halted */
	struct vclock_vcpu vcpus[VCLOCK_VCPUS_MAX];
};

void vclock_init(struct vclock *clock, int64_t now_ns, vclock_spent_fn spent_ns);
/* Never goes back. Several vCPUs that execute at once: the one that got furthest counts. */
int64_t vclock_now(struct vclock *clock);
/*
 * The main loop waits for `limit_ns` or something to do: execution counts. The
 * main loop has something to do: it does not, so that whatever the host makes
 * of our threads, the main loop is never late for the guest.
 */
void vclock_run(struct vclock *clock, int64_t limit_ns);
void vclock_freeze(struct vclock *clock);
/* A new vCPU, executing; returns its index, or -1 when there are too many. */
int vclock_add(struct vclock *clock, clockid_t thread_clock);
/* vCPU `index` waits for `cond` from now on. */
void vclock_halt(struct vclock *clock, unsigned index, const void *cond);
/*
 * `cond` was signalled: the vCPUs halted on it execute again from this moment,
 * not from when their threads get a processor. Their `woken` is set; returns
 * how many, and their indexes in `ret_indexes`.
 */
unsigned vclock_signal(struct vclock *clock, const void *cond,
		       unsigned ret_indexes[VCLOCK_VCPUS_MAX]);
/* Nothing executes: time stands still. Not before there is a vCPU. */
bool vclock_all_halted(const struct vclock *clock);
/* Set the clock to `to_ns` if that is later than now. */
void vclock_jump(struct vclock *clock, int64_t to_ns);
