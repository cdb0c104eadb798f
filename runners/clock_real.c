/*
 * The real clock: the host's CLOCK_MONOTONIC. Waiting is a timerfd in libuv's
 * loop, because libuv's own timers know milliseconds only.
 */
#include "runners/loop.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/time.h"

struct clock_real {
	uv_poll_t poll; /* of timer_fd; first, so that a handle is its clock */
	int timer_fd;
	int64_t armed_ns; /* monotonic time timer_fd is set to; 0 when it is not */
};

static int64_t real_now_ns(void *clock)
{
	(void)clock;
	return time_monotonic_ns();
}

static int64_t wall_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

/* How far the wall clock is ahead of the monotonic one. Read again if we were interrupted between. */
static int64_t wall_offset_ns(void)
{
	int64_t best_gap_ns = INT64_MAX, offset_ns = 0;

	for (int i = 0; i < 5 && best_gap_ns > 5 * NS_PER_US; i++) {
		int64_t before_ns = time_monotonic_ns();
		int64_t wall_ns = wall_now_ns();
		int64_t gap_ns = time_monotonic_ns() - before_ns;

		if (gap_ns < best_gap_ns) {
			best_gap_ns = gap_ns;
			offset_ns = wall_ns - before_ns - gap_ns / 2;
		}
	}
	return offset_ns;
}

/*
 * The wall clock may be set at any time, so only a short way back is measured
 * with it; a stamp that would lie in the future or far back counts as now.
 */
static int64_t real_from_wall_ns(void *clock, int64_t wall_ns)
{
	int64_t then_ns = wall_ns - wall_offset_ns();
	int64_t now_ns = real_now_ns(clock);

	return then_ns > now_ns || then_ns < now_ns - 10 * NS_PER_SECOND ? now_ns : then_ns;
}

static void on_timer(uv_poll_t *poll, int status, int events)
{
	struct clock_real *clock = (struct clock_real *)poll;
	uint64_t expirations;

	(void)status;
	(void)events;
	if (read(clock->timer_fd, &expirations, sizeof(expirations)) > 0)
		clock->armed_ns = 0;
}

static int arm(struct clock_real *clock, int64_t at_ns, struct err *err)
{
	struct itimerspec when = { 0 };

	if (at_ns == clock->armed_ns)
		return 0;
	when.it_value.tv_sec = at_ns / NS_PER_SECOND;
	when.it_value.tv_nsec = at_ns % NS_PER_SECOND;
	if (timerfd_settime(clock->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) < 0)
		return err_set(err, -errno, "timerfd_settime: %s", strerror(errno));
	clock->armed_ns = at_ns;
	return 0;
}

static int real_wait(void *user, uv_loop_t *uv, int64_t until_ns, struct err *err)
{
	struct clock_real *clock = user;
	int rc;

	if (until_ns <= real_now_ns(clock)) {
		(void)uv_run(uv, UV_RUN_NOWAIT); /* its result only counts live handles */
		return 0;
	}
	/* A time of 0 disarms. */
	rc = arm(clock, until_ns == INT64_MAX ? 0 : until_ns, err);
	if (rc < 0)
		return rc;
	(void)uv_run(uv, UV_RUN_ONCE);
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct clock_real *clock = (struct clock_real *)handle;

	(void)close(clock->timer_fd);
	free(clock);
}

static void real_free(void *user)
{
	struct clock_real *clock = user;

	uv_close((uv_handle_t *)&clock->poll, on_closed);
}

const struct clock_ops clock_real_ops = {
	.kind = CLOCK_KIND_REAL,
	.now_ns = real_now_ns,
	.from_wall_ns = real_from_wall_ns,
	.wait = real_wait,
	.free = real_free,
};

int clock_real_new(uv_loop_t *uv, void **ret_clock, struct err *err)
{
	auto_close int fd = -1;
	struct clock_real *clock;
	int rc;

	fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (fd < 0)
		return err_set(err, -errno, "timerfd_create: %s", strerror(errno));
	clock = xcalloc(1, sizeof(*clock));
	rc = uv_poll_init(uv, &clock->poll, fd);
	if (rc < 0) {
		free(clock);
		return err_set(err, rc, "uv_poll_init: %s", uv_strerror(rc));
	}
	clock->timer_fd = STEAL_FD(fd);
	rc = uv_poll_start(&clock->poll, UV_READABLE, on_timer);
	if (rc < 0) {
		real_free(clock);
		return err_set(err, rc, "uv_poll_start: %s", uv_strerror(rc));
	}
	*ret_clock = clock;
	return 0;
}
