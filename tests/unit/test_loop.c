/* The runner's loop: order of times, stopping, work in threads, change of clock. */
#include "runners/loop.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/time.h"

/* What happened, one letter an event. */
struct record {
	struct loop *loop;
	char text[64];
	size_t length;
	bool stop;
	int fd;
};

struct mark {
	struct record *record;
	char letter;
	bool stops;
};

static void note(void *user)
{
	struct mark *mark = user;
	struct record *record = mark->record;

	record->text[record->length++] = mark->letter;
	if (mark->stops)
		record->stop = true;
}

static int set_up(void **state)
{
	static struct record record;

	record = (struct record){ 0 };
	*state = &record;
	return loop_new(&record.loop, NULL);
}

static int tear_down(void **state)
{
	struct record *record = *state;

	loop_free(record->loop);
	return 0;
}

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000 }, NULL);
}

static void timers_come_in_order(void **state)
{
	struct record *record = *state;
	struct mark a = { record, 'a', false }, b = { record, 'b', false },
		    c = { record, 'c', false }, d = { record, 'd', false };
	int64_t now_ns = loop_now_ns(record->loop);
	struct loop_timer *cancelled;

	loop_timer_start(record->loop, now_ns + 3 * NS_PER_MS, note, &c);
	loop_timer_start(record->loop, now_ns + 1 * NS_PER_MS, note, &a);
	cancelled = loop_timer_start(record->loop, now_ns + 2 * NS_PER_MS, note, &d);
	loop_timer_start(record->loop, now_ns + 1 * NS_PER_MS, note, &b);
	loop_timer_cancel(cancelled);
	assert_int_equal(loop_run(record->loop, now_ns + 5 * NS_PER_MS, NULL, NULL), 0);
	assert_string_equal(record->text, "abc");
	assert_true(loop_now_ns(record->loop) >= now_ns + 5 * NS_PER_MS);
}

/* All are due at once, as after a long callback: the second stops, the third stays for later. */
static void stop_is_seen_between_events(void **state)
{
	struct record *record = *state;
	struct mark a = { record, 'a', false }, b = { record, 'b', true },
		    c = { record, 'c', false };
	int64_t now_ns = loop_now_ns(record->loop);

	loop_timer_start(record->loop, now_ns - 2, note, &b);
	loop_timer_start(record->loop, now_ns - 3, note, &a);
	loop_timer_start(record->loop, now_ns - 1, note, &c);
	assert_int_equal(loop_run(record->loop, now_ns + NS_PER_SECOND, &record->stop, NULL), 1);
	assert_string_equal(record->text, "ab");
	assert_int_equal(loop_run(record->loop, now_ns, NULL, NULL), 0);
	assert_string_equal(record->text, "abc");
}

static void later_timers_stay(void **state)
{
	struct record *record = *state;
	struct mark a = { record, 'a', false };
	int64_t now_ns = loop_now_ns(record->loop);

	loop_timer_start(record->loop, now_ns + 10 * NS_PER_MS, note, &a);
	sleep_ms(12);
	assert_int_equal(loop_run(record->loop, now_ns + 5 * NS_PER_MS, NULL, NULL), 0);
	assert_string_equal(record->text, "");
	assert_int_equal(loop_run(record->loop, now_ns + 11 * NS_PER_MS, NULL, NULL), 0);
	assert_string_equal(record->text, "a");
}

static void read_byte(void *user)
{
	struct record *record = user;
	char c;

	assert_int_equal(read(record->fd, &c, 1), 1);
	record->text[record->length++] = c;
	record->stop = true;
}

static void watch_tells_of_bytes(void **state)
{
	struct record *record = *state;
	struct loop_watch *watch;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	record->fd = fds[0];
	watch = loop_watch_start(record->loop, fds[0], read_byte, record);
	assert_int_equal(
		loop_run(record->loop, loop_now_ns(record->loop) + NS_PER_MS, &record->stop, NULL),
		0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(loop_run(record->loop, INT64_MAX, &record->stop, NULL), 1);
	assert_string_equal(record->text, "x");
	loop_watch_stop(watch);
	close(fds[0]);
	close(fds[1]);
}

/* Waiting is exact: a millisecond is not rounded to libuv's. */
static void waiting_is_exact(void **state)
{
	struct record *record = *state;
	int64_t best_ns = INT64_MAX;

	for (int i = 0; i < 20; i++) {
		int64_t until_ns = loop_now_ns(record->loop) + 300 * NS_PER_US;

		assert_int_equal(loop_run(record->loop, until_ns, NULL, NULL), 0);
		assert_true(loop_now_ns(record->loop) >= until_ns);
		if (loop_now_ns(record->loop) - until_ns < best_ns)
			best_ns = loop_now_ns(record->loop) - until_ns;
	}
	assert_true(best_ns < 500 * NS_PER_US);
}

static int work_20_ms(void *arg, struct err *err)
{
	(void)err;
	sleep_ms(20);
	*(pthread_t *)arg = pthread_self();
	return 7;
}

static void work_runs_beside_events(void **state)
{
	struct record *record = *state;
	struct mark a = { record, 'a', false };
	pthread_t thread = pthread_self();

	loop_timer_start(record->loop, loop_now_ns(record->loop) + NS_PER_MS, note, &a);
	assert_int_equal(loop_work(record->loop,
				   &(struct loop_job){ .work = work_20_ms, .arg = &thread }, NULL),
			 7);
	assert_string_equal(record->text, "a");
	assert_false(pthread_equal(thread, pthread_self()));
}

static int work_fails(void *arg, struct err *err)
{
	(void)arg;
	return err_set(err, LAB_EVIRT, "it is 100%% broken");
}

static void work_error_is_passed_on(void **state)
{
	struct record *record = *state;
	struct err err = ERR_INIT;

	assert_int_equal(loop_work(record->loop, &(struct loop_job){ .work = work_fails }, &err),
			 LAB_EVIRT);
	assert_string_equal(err.text, "it is 100% broken");
}

static int work_60_ms(void *arg, struct err *err)
{
	(void)err;
	sleep_ms(60);
	*(bool *)arg = true;
	return 0;
}

static bool released;

static void release(void *arg)
{
	released = *(bool *)arg;
}

static void late_work_is_waited_for_at_the_end(void **state)
{
	struct record *record = *state;
	static bool ended;
	int64_t began_ns = loop_now_ns(record->loop);

	ended = released = false;
	assert_int_equal(loop_work(record->loop,
				   &(struct loop_job){ .work = work_60_ms,
						       .arg = &ended,
						       .release = release,
						       .timeout_ms = 10 },
				   NULL),
			 LAB_ETIMEOUT);
	assert_true(loop_now_ns(record->loop) - began_ns < 50 * NS_PER_MS);
	assert_false(released);
	loop_free(record->loop);
	assert_true(released);
	assert_int_equal(loop_new(&record->loop, NULL), 0);
}

static void work_ends_with_a_flag(void **state)
{
	struct record *record = *state;
	struct mark a = { record, 'a', true };
	static bool ended;

	loop_timer_start(record->loop, loop_now_ns(record->loop) + NS_PER_MS, note, &a);
	assert_int_equal(loop_work(record->loop,
				   &(struct loop_job){ .work = work_60_ms,
						       .arg = &ended,
						       .stop = &record->stop },
				   NULL),
			 LAB_EBUSY);
}

static void *cancel_soon(void *loop)
{
	sleep_ms(5);
	loop_cancel(loop);
	return NULL;
}

static void cancel_ends_everything(void **state)
{
	struct record *record = *state;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, cancel_soon, record->loop), 0);
	assert_int_equal(loop_run(record->loop, INT64_MAX, NULL, NULL), LAB_ECANCELLED);
	assert_int_equal(loop_run(record->loop, 0, NULL, NULL), LAB_ECANCELLED);
	assert_int_equal(loop_work(record->loop, &(struct loop_job){ .work = work_fails }, NULL),
			 LAB_ECANCELLED);
	pthread_join(thread, NULL);
}

/* A clock that jumps: waiting for a day takes no time, and time goes on where the old clock was. */
static int64_t jump_ns;

static int64_t jumping_now_ns(void *clock)
{
	return *(int64_t *)clock;
}

static int64_t jumping_from_wall_ns(void *clock, int64_t wall_ns)
{
	(void)wall_ns;
	return *(int64_t *)clock;
}

static int jumping_wait(void *clock, uv_loop_t *uv, int64_t until_ns, struct err *err)
{
	(void)err;
	uv_run(uv, UV_RUN_NOWAIT);
	*(int64_t *)clock = until_ns;
	return 0;
}

static void jumping_free(void *clock)
{
	(void)clock;
}

static void clock_can_be_replaced(void **state)
{
	static const struct clock_ops ops = {
		.kind = CLOCK_KIND_VIRTUAL,
		.now_ns = jumping_now_ns,
		.from_wall_ns = jumping_from_wall_ns,
		.wait = jumping_wait,
		.free = jumping_free,
	};
	struct record *record = *state;
	struct mark a = { record, 'a', false };
	int64_t before_ns, day_ns = 86400 * NS_PER_SECOND;

	jump_ns = 5;
	before_ns = loop_now_ns(record->loop);
	assert_int_equal(loop_get_clock(record->loop), CLOCK_KIND_REAL);
	loop_set_clock(record->loop, &ops, &jump_ns);
	assert_int_equal(loop_get_clock(record->loop), CLOCK_KIND_VIRTUAL);
	assert_true(loop_now_ns(record->loop) >= before_ns);
	before_ns = loop_now_ns(record->loop);
	loop_timer_start(record->loop, before_ns + day_ns, note, &a);
	assert_int_equal(loop_run(record->loop, before_ns + day_ns, NULL, NULL), 0);
	assert_string_equal(record->text, "a");
	assert_int_equal(loop_now_ns(record->loop), before_ns + day_ns);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(timers_come_in_order),    T(stop_is_seen_between_events),
		T(later_timers_stay),       T(watch_tells_of_bytes),
		T(waiting_is_exact),        T(work_runs_beside_events),
		T(work_error_is_passed_on), T(late_work_is_waited_for_at_the_end),
		T(work_ends_with_a_flag),   T(cancel_ends_everything),
		T(clock_can_be_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
