/*
 * The runner's one discrete-event loop, with one notion of now (libuv below).
 *
 * All times a test can see are the loop's: nanoseconds since the loop began,
 * in the run's clock. The clock behind it is an object with two duties, so
 * that a virtual one can be put in the place of the real one: say what time it
 * is, and let time pass until the next timer (or less, if an event comes
 * first). Timers and frames are delivered in the order of their times.
 *
 * One thread. Blocking work (libvirt, guest agent) goes through loop_work(),
 * which runs it in libuv's pool while the loop goes on.
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
void loop_free(struct loop *loop);
int64_t loop_now_ns(const struct loop *loop);
enum clock_kind loop_get_clock(const struct loop *loop);
/* The host wall clock, in ns since 1970, that belongs to loop time 0: base for capture time stamps. */
int64_t loop_get_epoch_ns(const struct loop *loop);

/* Call `cb` once at `at_ns`; the timer is gone after it fired or was cancelled. */
struct loop_timer *loop_timer_start(struct loop *loop, int64_t at_ns, loop_cb cb, void *user);
void loop_timer_cancel(struct loop_timer *timer);

/* Call `cb` whenever `fd` is readable. */
struct loop_watch *loop_watch_start(struct loop *loop, int fd, loop_cb cb, void *user);
void loop_watch_stop(struct loop_watch *watch);

/*
 * Let events happen until `until_ns` has come or *stop is true (checked after
 * each event; may be NULL). Returns 1 if stopped, 0 if the time came, or a
 * negative code (LAB_ECANCELLED after loop_cancel).
 */
int loop_run(struct loop *loop, int64_t until_ns, const bool *stop, struct err *err);
/* Make the running and every later loop_run return LAB_ECANCELLED; safe in a signal watcher. */
void loop_cancel(struct loop *loop);

/* Run `work` in another thread and events meanwhile; returns what `work` returned, or LAB_ETIMEOUT
 * after `timeout_ms` of host time (the work goes on in its thread and is waited for at loop_free). */
typedef int (*loop_work_fn)(void *arg, struct err *err);
int loop_work(struct loop *loop, loop_work_fn work, void *arg, int64_t timeout_ms, struct err *err);

/* --- for clocks (runners/clock_*.c) --------------------------------------- */

struct clock_ops {
	enum clock_kind kind;
	int64_t (*now_ns)(void *clock);
	/*
	 * Let time pass to at most `until_ns`, or until an event was handled; runs
	 * libuv once. Returns 0 or a negative code.
	 */
	int (*wait)(void *clock, struct uv_loop_s *uv, int64_t until_ns, struct err *err);
	void (*free)(void *clock);
};
/* Replace the clock; time goes on from the present loop_now_ns(). The loop owns `clock`. */
void loop_set_clock(struct loop *loop, const struct clock_ops *ops, void *clock);
struct uv_loop_s *loop_get_uv(struct loop *loop);
