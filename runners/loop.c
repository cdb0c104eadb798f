/*
 * The discrete-event loop. Invariants: the queue is sorted by time, equal times
 * in the order of their arrival; `running` is set while events are delivered,
 * and nothing that is called meanwhile may run the loop again.
 */
#include "runners/loop.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <uv.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/time.h"

struct loop_timer {
	struct loop *loop;
	struct loop_timer *prev, *next; /* in the loop's queue */
	int64_t at_ns;
	loop_cb cb;
	void *user;
};

struct loop {
	uv_loop_t uv;
	uv_async_t wake;        /* ends a wait for loop_cancel() */
	uv_signal_t signals[2]; /* SIGTERM, SIGINT; used when has_signals */
	const struct clock_ops *clock_ops;
	void *clock;
	int64_t offset_ns;               /* loop time = clock's time + this */
	int64_t epoch_ns;                /* wall clock at loop time 0 */
	struct loop_timer *first, *last; /* the queue */
	atomic_bool cancelled;
	bool has_signals;
	bool running;
	bool working; /* loop_wait() waits */
};

struct loop_watch {
	uv_poll_t poll; /* first, so that a handle is its watch */
	loop_cb cb;
	void *user;
};

/* One piece of work, from loop_work() until both its thread and its caller are done with it. */
struct work {
	uv_work_t request; /* first, so that a request is its work */
	loop_work_fn fn;
	void (*release)(void *arg);
	void *arg;
	struct err err;
	int rc;
	bool done;      /* the thread has ended */
	bool abandoned; /* nobody waits: free it when it is done */
};

const char *clock_kind_to_string(enum clock_kind kind)
{
	switch (kind) {
	case CLOCK_KIND_REAL:
		return "real";
	case CLOCK_KIND_VIRTUAL:
		return "virtual";
	}
	return "?";
}

static void on_wake(uv_async_t *async)
{
	(void)async; /* it has ended the wait, and that was all */
}

int loop_new(struct loop **ret_loop, struct err *err)
{
	struct loop *loop = xcalloc(1, sizeof(*loop));
	struct timespec wall;
	int rc;

	rc = uv_loop_init(&loop->uv);
	if (rc < 0) {
		free(loop);
		return err_set(err, rc, "uv_loop_init: %s", uv_strerror(rc));
	}
	rc = uv_async_init(&loop->uv, &loop->wake, on_wake);
	if (rc < 0)
		err_set(err, rc, "uv_async_init: %s", uv_strerror(rc));
	else
		rc = clock_real_new(&loop->uv, &loop->clock, err);
	if (rc < 0) {
		loop_free(loop);
		return rc;
	}
	loop->clock_ops = &clock_real_ops;
	loop->offset_ns = -loop->clock_ops->now_ns(loop->clock);
	clock_gettime(CLOCK_REALTIME, &wall);
	loop->epoch_ns = wall.tv_sec * NS_PER_SECOND + wall.tv_nsec;
	*ret_loop = loop;
	return 0;
}

static void close_own_handle(uv_handle_t *handle)
{
	if (handle->type != UV_UNKNOWN_HANDLE && !uv_is_closing(handle))
		uv_close(handle, NULL);
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	while (loop->first)
		loop_timer_cancel(loop->first);
	close_own_handle((uv_handle_t *)&loop->wake);
	for (size_t i = 0; loop->has_signals && i < 2; i++)
		close_own_handle((uv_handle_t *)&loop->signals[i]);
	if (loop->clock)
		loop->clock_ops->free(loop->clock);
	/* Returns when every handle is closed and all work has ended. */
	(void)uv_run(&loop->uv, UV_RUN_DEFAULT);
	lab_assert(uv_loop_close(&loop->uv) == 0); /* else a watch outlived its loop */
	free(loop);
}

int64_t loop_now_ns(const struct loop *loop)
{
	return loop->clock_ops->now_ns(loop->clock) + loop->offset_ns;
}

enum clock_kind loop_get_clock(const struct loop *loop)
{
	return loop->clock_ops->kind;
}

int64_t loop_get_epoch_ns(const struct loop *loop)
{
	return loop->epoch_ns;
}

int64_t loop_from_wall_ns(const struct loop *loop, int64_t wall_ns)
{
	return loop->clock_ops->from_wall_ns(loop->clock, wall_ns) + loop->offset_ns;
}

int64_t loop_from_nut_ns(const struct loop *loop, int64_t nut_ns)
{
	lab_assert(loop->clock_ops->from_nut_ns);
	return loop->clock_ops->from_nut_ns(loop->clock, nut_ns) + loop->offset_ns;
}

int loop_check_clock(const struct loop *loop, struct err *err)
{
	return loop->clock_ops->check ? loop->clock_ops->check(loop->clock, err) : 0;
}

int64_t loop_take_busy_ns(struct loop *loop)
{
	return loop->clock_ops->take_busy_ns ? loop->clock_ops->take_busy_ns(loop->clock) : 0;
}

/* loop_wait() is for the host's affairs, which may be that the NUT hangs: it waits for no clock. */
static bool is_settled(const struct loop *loop)
{
	return loop->working || !loop->clock_ops->is_settled ||
	       loop->clock_ops->is_settled(loop->clock);
}

struct loop_timer *loop_timer_start(struct loop *loop, int64_t at_ns, loop_cb cb, void *user)
{
	struct loop_timer *timer = xcalloc(1, sizeof(*timer));
	struct loop_timer *before = loop->last;

	timer->loop = loop;
	timer->at_ns = at_ns;
	timer->cb = cb;
	timer->user = user;
	/* From the end: frames mostly come in order, and timers are few. */
	while (before && before->at_ns > at_ns)
		before = before->prev;
	timer->prev = before;
	timer->next = before ? before->next : loop->first;
	if (timer->next)
		timer->next->prev = timer;
	else
		loop->last = timer;
	if (before)
		before->next = timer;
	else
		loop->first = timer;
	return timer;
}

static void unlink_timer(struct loop_timer *timer)
{
	struct loop *loop = timer->loop;

	if (timer->prev)
		timer->prev->next = timer->next;
	else
		loop->first = timer->next;
	if (timer->next)
		timer->next->prev = timer->prev;
	else
		loop->last = timer->prev;
}

void loop_timer_cancel(struct loop_timer *timer)
{
	if (!timer)
		return;
	unlink_timer(timer);
	free(timer);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct loop_watch *watch = (struct loop_watch *)poll;

	(void)events;
	/*
	 * libuv stops a handle whose descriptor has an error. Ours go on: reading
	 * takes the error, such as the one of a frame that met a closed port.
	 */
	if (status < 0)
		lab_assert(uv_poll_start(poll, UV_READABLE | UV_DISCONNECT, on_readable) == 0);
	watch->cb(watch->user);
}

struct loop_watch *loop_watch_start(struct loop *loop, int fd, loop_cb cb, void *user)
{
	struct loop_watch *watch = xcalloc(1, sizeof(*watch));

	watch->cb = cb;
	watch->user = user;
	/* They fail for a descriptor that is not open or cannot be polled: our own bug. */
	lab_assert(uv_poll_init(&loop->uv, &watch->poll, fd) == 0);
	lab_assert(uv_poll_start(&watch->poll, UV_READABLE | UV_DISCONNECT, on_readable) == 0);
	return watch;
}

static void on_watch_closed(uv_handle_t *handle)
{
	free(handle);
}

void loop_watch_stop(struct loop_watch *watch)
{
	if (!watch)
		return;
	uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
}

static bool any(const bool *const flags[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (flags[i] && *flags[i])
			return true;
	return false;
}

/* The first queued event if it is due by `until_ns` and now, taken out of the queue. */
static struct loop_timer *take_due(struct loop *loop, int64_t until_ns)
{
	struct loop_timer *timer = loop->first;

	if (!timer || timer->at_ns > until_ns || timer->at_ns > loop_now_ns(loop))
		return NULL;
	unlink_timer(timer);
	return timer;
}

static int run(struct loop *loop, int64_t until_ns, const bool *const stops[], size_t stop_count,
	       struct err *err)
{
	int64_t next_ns;
	int rc;

	for (;;) {
		struct loop_timer *due;
		bool stopped;

		(void)uv_run(&loop->uv, UV_RUN_NOWAIT); /* take in what is ready */
		stopped = any(stops, stop_count);
		if (stopped && is_settled(loop))
			return 1;
		if (loop->cancelled)
			return err_set(err, LAB_ECANCELLED, "cancelled");
		due = stopped ? NULL : take_due(loop, until_ns);
		if (due) {
			due->cb(due->user);
			free(due);
			continue;
		}
		if (until_ns <= loop_now_ns(loop) && !stopped)
			return 0;
		next_ns = loop->first && loop->first->at_ns < until_ns ? loop->first->at_ns
								       : until_ns;
		if (next_ns != INT64_MAX)
			next_ns -= loop->offset_ns;
		rc = loop->clock_ops->wait(loop->clock, &loop->uv, next_ns, err);
		if (rc < 0)
			return rc;
	}
}

int loop_run_either(struct loop *loop, int64_t until_ns, const bool *stop, const bool *other,
		    struct err *err)
{
	int rc;

	lab_assert(!loop->running);
	loop->running = true;
	rc = run(loop, until_ns, (const bool *[]){ stop, other }, 2, err);
	loop->running = false;
	return rc;
}

int loop_run(struct loop *loop, int64_t until_ns, const bool *stop, struct err *err)
{
	return loop_run_either(loop, until_ns, stop, NULL, err);
}

void loop_cancel(struct loop *loop)
{
	loop->cancelled = true;
	(void)uv_async_send(&loop->wake); /* cannot fail for a live handle */
}

bool loop_is_cancelled(const struct loop *loop)
{
	return loop->cancelled;
}

static void on_signal(uv_signal_t *handle, int number)
{
	(void)number;
	loop_cancel(handle->data);
}

int loop_cancel_on_signals(struct loop *loop, struct err *err)
{
	static const int numbers[] = { SIGTERM, SIGINT };
	int rc = 0;

	lab_assert(!loop->has_signals);
	loop->has_signals = true;
	for (size_t i = 0; i < 2 && rc == 0; i++) {
		rc = uv_signal_init(&loop->uv, &loop->signals[i]);
		if (rc == 0) {
			loop->signals[i].data = loop;
			rc = uv_signal_start(&loop->signals[i], on_signal, numbers[i]);
		}
	}
	return rc < 0 ? err_set(err, rc, "uv_signal_start: %s", uv_strerror(rc)) : 0;
}

/* --- waiting for the host ----------------------------------------------------- */

/* The host-time limit of one loop_wait(). */
struct deadline {
	uv_timer_t timer; /* first, so that a handle is its deadline */
	bool passed;
};

static void on_deadline(uv_timer_t *timer)
{
	((struct deadline *)timer)->passed = true;
}

static void on_deadline_closed(uv_handle_t *handle)
{
	free(handle);
}

static struct deadline *deadline_start(struct loop *loop, int64_t timeout_ms)
{
	struct deadline *deadline = xcalloc(1, sizeof(*deadline));

	lab_assert(uv_timer_init(&loop->uv, &deadline->timer) == 0);
	if (timeout_ms <= 0)
		return deadline;
	uv_update_time(&loop->uv);
	lab_assert(uv_timer_start(&deadline->timer, on_deadline, (uint64_t)timeout_ms, 0) == 0);
	return deadline;
}

int loop_wait(struct loop *loop, const bool *done, const bool *stop, int64_t timeout_ms,
	      struct err *err)
{
	struct deadline *deadline;
	bool late;
	int rc;

	lab_assert(!loop->running);
	deadline = deadline_start(loop, timeout_ms);
	loop->running = true;
	loop->working = true;
	rc = run(loop, INT64_MAX, (const bool *[]){ done, &deadline->passed, stop }, 3, err);
	loop->working = false;
	loop->running = false;
	late = deadline->passed;
	uv_close((uv_handle_t *)&deadline->timer, on_deadline_closed);
	if (done && *done)
		return 0;
	if (rc < 0)
		return rc;
	if (late)
		return err_set(err, LAB_ETIMEOUT, "no end after %lld ms", (long long)timeout_ms);
	return err_set(err, LAB_EBUSY, "given up, still going on");
}

bool loop_is_working(const struct loop *loop)
{
	return loop->working;
}

/* --- work ------------------------------------------------------------------ */

static void work_free(struct work *work)
{
	if (work->release)
		work->release(work->arg);
	free(work);
}

static void in_thread(uv_work_t *request)
{
	struct work *work = (struct work *)request;

	work->rc = work->fn(work->arg, &work->err);
}

static void after_thread(uv_work_t *request, int status)
{
	struct work *work = (struct work *)request;

	(void)status; /* only uv_cancel makes it an error, and nobody calls that */
	work->done = true;
	if (work->abandoned)
		work_free(work);
}

static struct work *work_start(struct loop *loop, loop_work_fn fn, void *arg,
			       void (*release)(void *arg))
{
	struct work *work = xcalloc(1, sizeof(*work));

	work->fn = fn;
	work->arg = arg;
	work->release = release;
	lab_assert(uv_queue_work(&loop->uv, &work->request, in_thread, after_thread) == 0);
	return work;
}

void loop_work_detached(struct loop *loop, loop_work_fn fn, void *arg, void (*release)(void *arg))
{
	struct work *work = work_start(loop, fn, arg, release);

	work->abandoned = true;
}

int loop_work(struct loop *loop, const struct loop_job *job, struct err *err)
{
	struct work *work;
	int rc;

	if (loop->cancelled) {
		if (job->release)
			job->release(job->arg);
		return err_set(err, LAB_ECANCELLED, "cancelled");
	}
	work = work_start(loop, job->work, job->arg, job->release);
	rc = loop_wait(loop, &work->done, job->stop, job->timeout_ms, err);
	if (!work->done) {
		work->abandoned = true;
		return rc;
	}
	rc = work->rc < 0 ? err_set(err, work->rc, "%s", work->err.text) : work->rc;
	if (job->finish)
		job->finish(job->arg);
	work_free(work);
	return rc;
}

void loop_set_clock(struct loop *loop, const struct clock_ops *ops, void *clock)
{
	int64_t now_ns = loop_now_ns(loop);

	loop->clock_ops->free(loop->clock);
	loop->clock_ops = ops;
	loop->clock = clock;
	loop->offset_ns = now_ns - ops->now_ns(clock);
}

struct uv_loop_s *loop_get_uv(struct loop *loop)
{
	return &loop->uv;
}
