/* The account of guest time, with threads whose CPU time the test sets. */
#include "vclock/clock.h"

#include "tests/unit/lab_cmocka.h"

static int64_t spent[4]; /* by thread_clock 0..3 */

/* So much execution makes one nanosecond in a short burst. */
#define X VCLOCK_BURST_FACTOR

static int64_t fake_spent(clockid_t thread_clock)
{
	return spent[thread_clock];
}

static struct vclock *start(unsigned vcpus)
{
	static struct vclock clock;

	for (int i = 0; i < 4; i++)
		spent[i] = 1000 * (i + 1); /* threads are not born at zero */
	vclock_init(&clock, 5000, fake_spent);
	for (unsigned i = 0; i < vcpus; i++)
		assert_int_equal(vclock_add(&clock, (clockid_t)i), i);
	vclock_run(&clock, INT64_MAX);
	return &clock;
}

static const int cond_a, cond_b; /* addresses that stand for conditions */

static void test_time_is_what_the_vcpu_executes(void **state)
{
	struct vclock *clock = start(1);

	(void)state;
	assert_int_equal(vclock_now(clock), 5000);
	spent[0] += 70 * X;
	assert_int_equal(vclock_now(clock), 5070);
	vclock_halt(clock, 0, &cond_a);
	spent[0] += 1000000; /* what the halted thread does, taking locks, is not guest time */
	assert_int_equal(vclock_now(clock), 5070);
	assert_true(vclock_all_halted(clock));
}

/* Bursts count for a tenth each; a guest that does not pause lives in real time. */
static void test_long_execution_counts_in_full(void **state)
{
	struct vclock *clock = start(1);
	unsigned woken[VCLOCK_VCPUS_MAX];
	int64_t now_ns;

	(void)state;
	spent[0] += VCLOCK_BURST_NS;
	now_ns = 5000 + VCLOCK_BURST_NS / VCLOCK_BURST_FACTOR;
	assert_int_equal(vclock_now(clock), now_ns);
	vclock_run(clock, INT64_MAX); /* settling changes nothing */
	spent[0] += 3600;
	assert_int_equal(vclock_now(clock), now_ns + 3600);
	vclock_halt(clock, 0, &cond_a);
	vclock_signal(clock, &cond_a, woken);
	spent[0] += 50 * VCLOCK_BURST_FACTOR;
	assert_int_equal(vclock_now(clock), now_ns + 3600 + 50);
}

static void test_signal_is_busy_at_once(void **state)
{
	struct vclock *clock = start(1);
	unsigned woken[VCLOCK_VCPUS_MAX];
	uint64_t generation;

	(void)state;
	vclock_halt(clock, 0, &cond_a);
	generation = clock->generation;
	assert_int_equal(vclock_signal(clock, &cond_b, woken), 0);
	assert_true(vclock_all_halted(clock));
	assert_int_equal(clock->generation, generation);
	assert_int_equal(vclock_signal(clock, &cond_a, woken), 1);
	assert_int_equal(woken[0], 0);
	assert_int_equal(clock->vcpus[0].woken, 1);
	assert_false(vclock_all_halted(clock));
	assert_int_not_equal(clock->generation, generation);
	/* It counts from the signal on, nothing before. */
	assert_int_equal(vclock_now(clock), 5000);
	spent[0] += 5 * X;
	assert_int_equal(vclock_now(clock), 5005);
	/* A second signal finds nobody. */
	assert_int_equal(vclock_signal(clock, &cond_a, woken), 0);
}

static void test_furthest_of_several_counts(void **state)
{
	struct vclock *clock = start(2);

	(void)state;
	spent[0] += 100 * X;
	spent[1] += 40 * X;
	assert_int_equal(vclock_now(clock), 5100);
	vclock_halt(clock, 0, &cond_a);
	assert_int_equal(vclock_now(clock), 5100);
	assert_false(vclock_all_halted(clock));
	spent[1] += 7 * X; /* counted from the settlement when the other halted */
	assert_int_equal(vclock_now(clock), 5107);
	vclock_halt(clock, 1, &cond_b);
	assert_true(vclock_all_halted(clock));
	assert_int_equal(vclock_now(clock), 5107);
	assert_int_equal(clock->idle_ns, 5107);
}

static void test_one_condition_for_all(void **state)
{
	struct vclock *clock = start(2);
	unsigned woken[VCLOCK_VCPUS_MAX];

	(void)state;
	vclock_halt(clock, 0, &cond_a);
	vclock_halt(clock, 1, &cond_a);
	assert_int_equal(vclock_signal(clock, &cond_a, woken), 2);
	assert_int_equal(clock->busy, 2);
}

static void test_jump_goes_forward_only(void **state)
{
	struct vclock *clock = start(1);

	(void)state;
	vclock_halt(clock, 0, &cond_a);
	vclock_jump(clock, 4000);
	assert_int_equal(vclock_now(clock), 5000);
	vclock_jump(clock, 3600 * INT64_C(1000000000));
	assert_int_equal(vclock_now(clock), 3600 * INT64_C(1000000000));
	assert_int_equal(clock->idle_ns, 3600 * INT64_C(1000000000));
}

/* However late the host lets the main loop run, its timers are on time for the guest. */
static void test_execution_stops_at_the_limit(void **state)
{
	struct vclock *clock = start(1);

	(void)state;
	vclock_run(clock, 5100);
	spent[0] += 400 * X;
	assert_int_equal(vclock_now(clock), 5100);
	vclock_freeze(clock);
	spent[0] += 1000;
	assert_int_equal(vclock_now(clock), 5100);
	vclock_run(clock, 9000);
	assert_int_equal(vclock_now(clock), 5100); /* what was over the limit is gone */
	spent[0] += 30 * X;
	assert_int_equal(vclock_now(clock), 5130);
}

static void test_nothing_counts_while_frozen(void **state)
{
	struct vclock *clock = start(2);
	unsigned woken[VCLOCK_VCPUS_MAX];

	(void)state;
	spent[0] += 10 * X;
	vclock_freeze(clock);
	spent[0] += 100;
	vclock_halt(clock, 1, &cond_a);
	spent[1] += 100;
	vclock_signal(clock, &cond_a, woken);
	spent[1] += 100;
	assert_int_equal(vclock_now(clock), 5010);
	vclock_run(clock, INT64_MAX);
	spent[1] += 7 * X;
	assert_int_equal(vclock_now(clock), 5017);
}

static void test_no_vcpu_is_not_idle(void **state)
{
	struct vclock *clock = start(0);

	(void)state;
	assert_false(vclock_all_halted(clock));
	for (unsigned i = 0; i < VCLOCK_VCPUS_MAX; i++)
		assert_int_equal(vclock_add(clock, 0), i);
	assert_int_equal(vclock_add(clock, 0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time_is_what_the_vcpu_executes),
		cmocka_unit_test(test_long_execution_counts_in_full),
		cmocka_unit_test(test_signal_is_busy_at_once),
		cmocka_unit_test(test_furthest_of_several_counts),
		cmocka_unit_test(test_one_condition_for_all),
		cmocka_unit_test(test_jump_goes_forward_only),
		cmocka_unit_test(test_execution_stops_at_the_limit),
		cmocka_unit_test(test_nothing_counts_while_frozen),
		cmocka_unit_test(test_no_vcpu_is_not_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
