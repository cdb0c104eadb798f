/*
 * The runner's one discrete-event loop, with one notion of now (libuv below).
 *
 * All times a test can see are the loop's: nanoseconds since the loop began,
 * in the run's clock. The clock behind it is an object with three duties, so
 * that a virtual one can be put in the place of the real one: say what time it
 * is, say which loop time a host time stamp belongs to, and let time pass until
 * the next timer (or less, if an event comes first).
 *
 * Timers and frames wait in one queue and are delivered one by one in the order
 * of their times, equal times in the order in which they came. Before each
 * delivery everything that the host has ready is taken in, so a frame that
 * arrived before a timer was due is seen before it.
 *
 * One thread. Blocking work (libvirt, guest agent) goes through loop_work(),
 * which runs it in libuv's pool while the loop goes on. Callbacks must not call
 * loop_run(), loop_wait() or loop_work().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;
struct loop;
struct loop_timer;
struct loop_watch;
struct uv_loop_s;

enum clock_kind { CLOCK_KIND_REAL, CLOCK_KIND_VIRTUAL };
const char *clock_kind_to_string(enum clock_kind kind); /* "real", "virtual" */

typedef void (*loop_cb)(void *user);

int loop_new(struct loop **ret_loop, struct err *err);
/* Waits for work that was abandoned or detached; NULL is fine. */
void loop_free(struct loop *loop);
int64_t loop_now_ns(const struct loop *loop);
enum clock_kind loop_get_clock(const struct loop *loop);
/* The host wall clock, in ns since 1970, that belongs to loop time 0: base for capture time stamps. */
int64_t loop_get_epoch_ns(const struct loop *loop);
/*
 * The loop time at which the NUT's own clock said `nut_ns`: only under a
 * virtual clock, where its frames carry that stamp (vclock/protocol.h).
 */
int64_t loop_from_nut_ns(const struct loop *loop, int64_t nut_ns);
/* 0 if all times of the run so far can be trusted; LAB_EVIRT, and why not, otherwise. */
int loop_check_clock(const struct loop *loop, struct err *err);
/*
 * The longest stretch since the last call in which the NUT was never idle. A
 * virtual clock goes at the host's speed then. 0 under the real clock, which does not know.
 */
int64_t loop_take_busy_ns(struct loop *loop);
/* The loop time at which the host's wall clock said `wall_ns`, a moment of the recent past. */
int64_t loop_from_wall_ns(const struct loop *loop, int64_t wall_ns);

/*
 * Call `cb` once at `at_ns`; the timer is gone after it fired or was cancelled.
 * A time in the past is fine: it comes in its order.
 */
struct loop_timer *loop_timer_start(struct loop *loop, int64_t at_ns, loop_cb cb, void *user);
void loop_timer_cancel(struct loop_timer *timer); /* NULL is fine */

/*
 * Call `cb` whenever `fd` is readable or its other end was closed. It takes in
 * what is there and leaves what it means to a timer, so that the order of times holds.
 */
struct loop_watch *loop_watch_start(struct loop *loop, int fd, loop_cb cb, void *user);
void loop_watch_stop(struct loop_watch *watch); /* NULL is fine; before the fd is closed */

/*
 * Let events happen until `until_ns` has come or *stop is true (checked after
 * each event; may be NULL). Returns 1 if stopped, 0 if the time came, or a
 * negative code (LAB_ECANCELLED after loop_cancel).
 */
int loop_run(struct loop *loop, int64_t until_ns, const bool *stop, struct err *err);
/* The same with two flags, for who waits for one thing while another may make it impossible. */
int loop_run_either(struct loop *loop, int64_t until_ns, const bool *stop, const bool *other,
		    struct err *err);
/* Make the running and every later loop_run, loop_wait and loop_work return LAB_ECANCELLED; from any thread or
 * signal handler. */
void loop_cancel(struct loop *loop);
bool loop_is_cancelled(const struct loop *loop);
/* SIGTERM and SIGINT cancel the loop from now on. */
int loop_cancel_on_signals(struct loop *loop, struct err *err);

/*
 * Let events happen until *done is true, for at most `timeout_ms` of host time (0: for ever).
 * Returns 0; or LAB_ETIMEOUT, LAB_EBUSY as soon as *stop is true (may be NULL), or
 * LAB_ECANCELLED after loop_cancel(). For waiting on the host's own affairs.
 */
int loop_wait(struct loop *loop, const bool *done, const bool *stop, int64_t timeout_ms,
	      struct err *err);

/*
 * Run `work` in another thread and loop_wait() for its end. Returns what `work`
 * returned, or what loop_wait() did: then the work goes on in its thread, and
 * loop_free() waits for it. So `arg` belongs to the loop: `finish` takes the
 * results out of it when there are any, `release` frees it in every case.
 */
typedef int (*loop_work_fn)(void *arg, struct err *err);
struct loop_job {
	loop_work_fn work;
	void *arg;
	void (*finish)(
		void *arg); /* in the loop's thread, when the work has ended in time; or NULL */
	void (*release)(
		void *arg); /* in the loop's thread, when everybody is done with it; or NULL */
	const bool *stop;
	int64_t timeout_ms;
};
int loop_work(struct loop *loop, const struct loop_job *job, struct err *err);
/* Begin `work` and do not wait; its result is dropped. loop_free() waits. */
void loop_work_detached(struct loop *loop, loop_work_fn work, void *arg,
			void (*release)(void *arg));
/*
 * True while loop_wait() or loop_work() waits. A clock that can jump must not
 * outrun the host then: what the NUT is asked to do happens at real speed.
 */
bool loop_is_working(const struct loop *loop);

/* --- for clocks (runners/clock_*.c) --------------------------------------- */

struct clock_ops {
	enum clock_kind kind;
	int64_t (*now_ns)(void *clock);
	/* The clock's time when the host's wall clock said `wall_ns`. */
	int64_t (*from_wall_ns)(void *clock, int64_t wall_ns);
	/* The clock's time when QEMU's clock said `nut_ns`; NULL for a clock without stamps. */
	int64_t (*from_nut_ns)(void *clock, int64_t nut_ns);
	/* The next three may be NULL. loop_check_clock(): */
	int (*check)(void *clock, struct err *err);
	/* loop_take_busy_ns(): */
	int64_t (*take_busy_ns)(void *clock);
	/*
	 * False while it is still to be heard what time it is. loop_run() does not end
	 * before, so that whoever it returns to sees a time that is not behind the NUT's.
	 */
	bool (*is_settled)(void *clock);
	/*
	 * Let time pass to at most `until_ns` (INT64_MAX: no limit), or until an
	 * event was handled; runs libuv once. Returns 0 or a negative code.
	 */
	int (*wait)(void *clock, struct uv_loop_s *uv, int64_t until_ns, struct err *err);
	void (*free)(void *clock);
};
/* Replace the clock; time goes on from the present loop_now_ns(). The loop owns `clock`. */
void loop_set_clock(struct loop *loop, const struct clock_ops *ops, void *clock);
struct uv_loop_s *loop_get_uv(struct loop *loop);

/* The host's monotonic clock under the loop: runners/clock_real.c. */
extern const struct clock_ops clock_real_ops;
int clock_real_new(struct uv_loop_s *uv, void **ret_clock, struct err *err);
