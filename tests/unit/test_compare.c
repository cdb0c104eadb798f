/* The rules of comparing and of key releases, as tables. */
#include "db/compare.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tests/unit/lab_cmocka.h"

static const struct {
	enum verdict then, now;
	const char *then_signature, *now_signature;
	const char *then_version, *now_version;
	enum compare_change want;
} cases[] = {
	{ VERDICT_PASS, VERDICT_PASS, NULL, NULL, "1", "1", COMPARE_UNCHANGED },
	{ VERDICT_PASS, VERDICT_FAIL, NULL, "s", "1", "1", COMPARE_REGRESSED },
	{ VERDICT_PASS, VERDICT_WARN, NULL, "s", "1", "1", COMPARE_REGRESSED },
	{ VERDICT_WARN, VERDICT_FAIL, "s", "t", "1", "1", COMPARE_REGRESSED },
	{ VERDICT_FAIL, VERDICT_PASS, "s", NULL, "1", "1", COMPARE_FIXED },
	{ VERDICT_WARN, VERDICT_PASS, "s", NULL, "1", "1", COMPARE_FIXED },
	{ VERDICT_FAIL, VERDICT_WARN, "s", "t", "1", "1", COMPARE_CHANGED },
	{ VERDICT_FAIL, VERDICT_FAIL, "s", "s", "1", "1", COMPARE_STILL_FAILING },
	{ VERDICT_FAIL, VERDICT_FAIL, "s", "t", "1", "1", COMPARE_CHANGED },
	{ VERDICT_FAIL, VERDICT_FAIL, "s", "t", "1", "2", COMPARE_TEST_CHANGED },
	{ VERDICT_FAIL, VERDICT_FAIL, "s", "s", "1", "2", COMPARE_STILL_FAILING },
	{ VERDICT_WARN, VERDICT_WARN, "s", "s", "1", "1", COMPARE_UNCHANGED },
	{ VERDICT_PASS, VERDICT_SKIP, NULL, NULL, "1", "1", COMPARE_CHANGED },
	{ VERDICT_SKIP, VERDICT_FAIL, NULL, "s", "1", "1", COMPARE_CHANGED },
	{ VERDICT_UNSUPPORTED, VERDICT_PASS, NULL, NULL, "1", "1", COMPARE_CHANGED },
	{ VERDICT_SKIP, VERDICT_SKIP, NULL, NULL, "1", "1", COMPARE_UNCHANGED },
	/* A test that was changed is no regression of the kernel. */
	{ VERDICT_PASS, VERDICT_FAIL, NULL, "s", "1", "2", COMPARE_TEST_CHANGED },
	{ VERDICT_FAIL, VERDICT_PASS, "s", NULL, "1", "2", COMPARE_TEST_CHANGED },
	{ VERDICT_PASS, VERDICT_PASS, NULL, NULL, "1", "2", COMPARE_UNCHANGED },
	/* Our own trouble is never a regression, and getting over it mends no kernel. */
	{ VERDICT_PASS, VERDICT_ERROR, NULL, "e", "1", "1", COMPARE_CHANGED },
	{ VERDICT_PASS, VERDICT_ERROR, NULL, "e", "1", "2", COMPARE_CHANGED },
	{ VERDICT_ERROR, VERDICT_PASS, "e", NULL, "1", "1", COMPARE_CHANGED },
	{ VERDICT_ERROR, VERDICT_FAIL, "e", "s", "1", "1", COMPARE_CHANGED },
	{ VERDICT_ERROR, VERDICT_ERROR, "e", "f", "1", "1", COMPARE_UNCHANGED },
};

static void test_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct compare_verdict then = { .test_id = "t",
						.verdict = cases[i].then,
						.signature = cases[i].then_signature,
						.test_version = cases[i].then_version };
		struct compare_verdict now = { .test_id = "t",
					       .verdict = cases[i].now,
					       .signature = cases[i].now_signature,
					       .test_version = cases[i].now_version };
		enum compare_change got = compare_verdicts(&then, &now);

		if (got != cases[i].want)
			fail_msg("case %zu: %s to %s: want %s, got %s", i,
				 verdict_to_string(cases[i].then), verdict_to_string(cases[i].now),
				 compare_change_to_string(cases[i].want),
				 compare_change_to_string(got));
	}
}

static void test_lists(void **state)
{
	const struct compare_verdict then[] = {
		{ 1, "a", NULL, "1", VERDICT_PASS },
		{ 2, "gone", NULL, "1", VERDICT_PASS },
		{ 3, "c", "s", "1", VERDICT_FAIL },
	};
	const struct compare_verdict now[] = {
		{ 11, "c", "s", "1", VERDICT_FAIL },
		{ 12, "new", NULL, "1", VERDICT_FAIL },
		{ 13, "a", "s", "1", VERDICT_FAIL },
	};
	static const struct {
		const char *test_id;
		enum compare_change change;
		int64_t old_id, new_id;
	} want[] = {
		{ "c", COMPARE_STILL_FAILING, 3, 11 },
		{ "new", COMPARE_NEW, 0, 12 },
		{ "a", COMPARE_REGRESSED, 1, 13 },
		{ "gone", COMPARE_GONE, 2, 0 },
	};
	auto_free struct compare_entry *entries = NULL;
	size_t counts[COMPARE_CHANGE_COUNT_];

	(void)state;
	assert_int_equal(compare_runs(then, 3, now, 3, &entries, counts), 4);
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(entries[i].test_id, want[i].test_id);
		assert_int_equal(entries[i].change, want[i].change);
		assert_int_equal(entries[i].old_verdict_id, want[i].old_id);
		assert_int_equal(entries[i].new_verdict_id, want[i].new_id);
	}
	assert_int_equal(counts[COMPARE_REGRESSED], 1);
	assert_int_equal(counts[COMPARE_UNCHANGED], 0);
}

static void test_empty_lists(void **state)
{
	auto_free struct compare_entry *entries = NULL;
	size_t counts[COMPARE_CHANGE_COUNT_];

	(void)state;
	assert_int_equal(compare_runs(NULL, 0, NULL, 0, &entries, counts), 0);
}

/* Sort keys here are made by hand; base/version.c makes the real ones. */
static const struct key_candidate world[] = {
	{ 1, 101, "v6.11", "mainline", "mainline", "6.11-", false },
	{ 2, 102, "v6.12-rc1", "mainline", "rc", "6.12!1", false },
	{ 3, 103, "v6.12-rc2", "mainline", "rc", "6.12!2", false },
	{ 4, 104, "v6.12", "mainline", "mainline", "6.12-", false },
	{ 5, 105, "v6.12.1", "stable 6.12", "stable", "6.12.1", false },
	{ 6, 0, "v6.12.2", "stable 6.12", "stable", "6.12.2", false }, /* not tested */
	{ 7, 107, "v6.12.3", "stable 6.12", "stable", "6.12.3", false },
	{ 8, 108, "v6.11.9", "stable 6.11", "stable", "6.11.9", false },
	{ 9, 109, "next-20261119", "next", "next", "20261119", false },
	{ 10, 110, "next-20261120", "next", "next", "20261120", false },
	{ 11, 111, "6.1.1-1", "debian 6.1", "stable", "a", true },
	{ 12, 112, "mine", "local", "local", "0001", false },
	{ 13, 113, "v6.13-rc1", "mainline", "rc", "6.13!1", false },
};

static const struct {
	size_t target; /* in the world */
	const char *based_on;
	int64_t want[KEY_CHOICES_MAX]; /* 0 = no more */
	const char *why;               /* part of the first */
} key_cases[] = {
	{ 2, NULL, { 102, 101 }, "the rc before (v6.12-rc1)" },
	{ 1, NULL, { 101, 0 }, "the final before (v6.11)" },
	{ 3, NULL, { 103, 101 }, "the rc before (v6.12-rc2)" },
	{ 12, NULL, { 103, 104 }, "the rc before (v6.12-rc2)" },
	{ 4, NULL, { 104, 0 }, "the .0 of its series (v6.12)" },
	{ 5, NULL, { 105, 104 }, "the stable before in its series (v6.12.1)" },
	{ 6,
	  NULL,
	  { 105, 104 },
	  "the nearest tested (v6.12.1) for the stable before in its series (v6.12.2)" },
	{ 7, NULL, { 101, 0 }, "the .0 of its series (v6.11)" },
	{ 9, "v6.13-rc1", { 109, 113 }, "the daily before (next-20261119)" },
	{ 9, "v9.9", { 109, 0 }, "the daily before" },
	{ 8, NULL, { 0, 0 }, "" },
	{ 11, NULL, { 111, 0 }, "the known-good kernel (6.1.1-1)" },
	{ 0, NULL, { 0, 0 }, "" },
};

static void test_key_releases(void **state)
{
	size_t count = sizeof(world) / sizeof(world[0]);

	(void)state;
	for (size_t i = 0; i < sizeof(key_cases) / sizeof(key_cases[0]); i++) {
		struct key_choice got[KEY_CHOICES_MAX] = { 0 };
		const struct key_candidate *target = &world[key_cases[i].target];
		size_t chosen = key_releases(target, key_cases[i].based_on, world, count, got);

		for (size_t j = 0; j < KEY_CHOICES_MAX; j++)
			if ((j < chosen ? got[j].run_id : 0) != key_cases[i].want[j])
				fail_msg("%s, choice %zu: want run %d, got %d (%s)", target->name,
					 j, (int)key_cases[i].want[j], (int)got[j].run_id,
					 got[j].why);
		if (chosen && !strstr(got[0].why, key_cases[i].why))
			fail_msg("%s: want '%s', got '%s'", target->name, key_cases[i].why,
				 got[0].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_empty_lists),
		cmocka_unit_test(test_key_releases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
