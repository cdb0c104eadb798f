/* What testlab makes of reports, and what it lets through to a terminal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/options.h"
#include "cli/results.h"
#include "cli/show.h"
#include "tests/unit/lab_cmocka.h"

static const struct result *take(struct results *results, const char *text)
{
	auto_json json_t *report = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(json_parse(text, strlen(text), &report, &err), 0);
	return results_take(results, report);
}

static void test_attempts_are_kept(void **state)
{
	auto_json json_t *ids = json_pack("[s,s]", "a", "b");
	auto_cleanup(results_release) struct results results;
	auto_json json_t *json = NULL;

	(void)state;
	results_init(&results, ids);
	assert_null(take(&results,
			 "{\"event\":\"test\",\"id\":\"a\",\"verdict\":\"ERROR\",\"final\":false,"
			 "\"reason\":\"no agent\",\"wall_ns\":500000000}"));
	assert_non_null(take(&results,
			     "{\"event\":\"test\",\"id\":\"a\",\"verdict\":\"PASS\",\"final\":true,"
			     "\"title\":\"T\",\"wall_ns\":1500000000,\"clock_ns\":3000000000}"));
	assert_true(results_is_final(&results, "a"));
	assert_false(results_is_final(&results, "b"));
	json = results_to_json(&results, true);
	assert_int_equal(json_array_size(json_object_get(json_array_get(json, 0), "attempts")), 2);
	assert_string_equal(json_string_or(json_array_get(json, 0), "verdict", ""), "PASS");
	assert_true(json_real_value(json_object_get(json_array_get(json, 0), "clock_seconds")) ==
		    3.0);
	/* A test without any report is never a pass. */
	assert_string_equal(json_string_or(json_array_get(json, 1), "verdict", ""), "ERROR");
}

static void test_odd_reports_are_dropped(void **state)
{
	auto_json json_t *ids = json_pack("[s]", "a");
	auto_cleanup(results_release) struct results results;

	(void)state;
	results_init(&results, ids);
	assert_null(take(&results, "{\"event\":\"test\",\"id\":\"other\",\"verdict\":\"PASS\"}"));
	assert_null(take(&results, "{\"event\":\"test\",\"id\":\"a\",\"verdict\":\"GOOD\"}"));
	assert_null(take(&results, "{\"event\":\"test\",\"id\":7}"));
	assert_non_null(take(&results, "{\"event\":\"test\",\"id\":\"a\",\"verdict\":\"FAIL\"}"));
	assert_null(take(&results, "{\"event\":\"test\",\"id\":\"a\",\"verdict\":\"PASS\"}"));
	assert_int_equal(results_status(&results), CLI_FAILED);
}

static int status_of(const char *first, const char *second)
{
	auto_json json_t *ids = json_pack("[s,s]", "a", "b");
	auto_free char *one =
		xasprintf("{\"event\":\"test\",\"id\":\"a\",\"verdict\":\"%s\"}", first);
	auto_free char *two =
		xasprintf("{\"event\":\"test\",\"id\":\"b\",\"verdict\":\"%s\"}", second);
	auto_cleanup(results_release) struct results results;

	results_init(&results, ids);
	(void)take(&results, one);
	(void)take(&results, two);
	return results_status(&results);
}

static void test_exit_status(void **state)
{
	auto_json json_t *none = json_array();
	struct results results;

	(void)state;
	assert_int_equal(status_of("PASS", "PASS"), CLI_OK);
	assert_int_equal(status_of("WARN", "SKIP"), CLI_OK);
	assert_int_equal(status_of("UNSUPPORTED", "PASS"), CLI_OK);
	assert_int_equal(status_of("PASS", "ERROR"), CLI_TROUBLE);
	assert_int_equal(status_of("ERROR", "FAIL"), CLI_FAILED);
	assert_int_equal(status_of("PASS", "nonsense"), CLI_TROUBLE);
	results_init(&results, none);
	assert_int_equal(results_status(&results), CLI_TROUBLE);
	results_release(&results);
}

static void test_lost_tests_are_errors(void **state)
{
	auto_json json_t *ids = json_pack("[s]", "a");
	auto_cleanup(results_release) struct results results;

	(void)state;
	results_init(&results, ids);
	assert_non_null(results_give_up(&results, "a", "runner lost\xff"));
	assert_int_equal(result_verdict(&results.items[0]), VERDICT_ERROR);
	assert_null(results_give_up(&results, "a", "again"));
}

static void check_shown(const char *text, const char *want)
{
	char *shown = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&shown, &size);

	assert_non_null(file);
	show_text(file, text);
	assert_int_equal(fclose(file), 0);
	assert_string_equal(shown, want);
	free(shown);
}

static void test_terminals_are_safe(void **state)
{
	(void)state;
	check_shown("plain \xc3\xa4\xe2\x82\xac", "plain \xc3\xa4\xe2\x82\xac");
	check_shown("\033]0;title\007\n", "?]0;title??");
	check_shown("\xc2\x9b"
		    "31m",
		    "?31m"); /* CSI as one character */
	check_shown("\xc2", "\xc2");
}

static void show_to(char *text, size_t size, const char *json)
{
	auto_json json_t *test = NULL;
	FILE *file = fmemopen(text, size, "w");

	assert_non_null(file);
	assert_int_equal(json_parse(json, strlen(json), &test, NULL), 0);
	show_failure(file, test, false);
	assert_int_equal(fclose(file), 0);
}

static void test_failure_tells_the_story(void **state)
{
	char text[2000] = "";

	(void)state;
	show_to(text, sizeof(text),
		"{\"id\":\"v6LC.1.1.8\",\"title\":\"Hop "
		"Limit\",\"verdict\":\"FAIL\",\"reason\":\"wrong field\","
		"\"clauses\":[\"RFC 8200 3 MUST\"],\"steps\":["
		"{\"kind\":\"send\",\"ok\":true,\"time_ns\":1500000000,\"packet\":{\"summary\":"
		"\"Echo Request\"}},"
		"{\"kind\":\"expect\",\"ok\":false,\"text\":\"Echo Reply within 1 "
		"s\",\"clause\":\"RFC 4443 4.2 MUST\","
		"\"near_misses\":[{\"time_ns\":2000000000,\"summary\":\"Echo Reply hop limit "
		"0\",\"fields\":["
		"{\"layer\":\"ip6\",\"field\":\"hop_limit\",\"want\":\"1..255\",\"got\":\"0\","
		"\"ok\":false},"
		"{\"layer\":\"ip6\",\"field\":\"src\",\"want\":\"x\",\"got\":\"x\",\"ok\":true}]}]}"
		"]}");
	assert_non_null(strstr(text, "FAIL        v6LC.1.1.8  Hop Limit\n"));
	assert_non_null(strstr(text, "sent      1.500000 s  Echo Request\n"));
	assert_non_null(strstr(text, "expected  Echo Reply within 1 s\n"));
	assert_non_null(strstr(text, "by        RFC 4443 4.2 MUST\n"));
	assert_non_null(strstr(text, "came      2.000000 s  Echo Reply hop limit 0\n"));
	assert_non_null(strstr(text, "ip6.hop_limit: expected 1..255, got 0\n"));
	assert_null(strstr(text, "src"));
}

static void test_failure_without_an_answer(void **state)
{
	char text[2000] = "";

	(void)state;
	show_to(text, sizeof(text),
		"{\"id\":\"x\",\"verdict\":\"FAIL\",\"steps\":[{\"kind\":\"expect\",\"ok\":false,"
		"\"text\":\"y\"}]}");
	assert_non_null(strstr(text, "came      nothing like it\n"));
	show_to(text, sizeof(text), "{\"id\":7,\"steps\":\"none\",\"clauses\":[7]}");
	assert_non_null(strstr(text, "ERROR"));
}

static void test_numbers_and_words(void **state)
{
	static const char *const words[] = { "one", "two", "three", NULL };
	struct err err = ERR_INIT;
	long number = 0;

	(void)state;
	assert_int_equal(parse_number("jobs", "8", 1, 8, &number, &err), 0);
	assert_int_equal(number, 8);
	assert_int_equal(parse_number("jobs", "9", 1, 8, &number, &err), LAB_EINVALID);
	assert_int_equal(parse_number("jobs", "", 1, 8, &number, &err), LAB_EINVALID);
	assert_int_equal(parse_number("jobs", "2x", 1, 8, &number, &err), LAB_EINVALID);
	assert_string_equal(err.text, "jobs '2x': expected a number from 1 to 8");
	assert_int_equal(parse_word("clock", "two", words, &err), 0);
	assert_int_equal(parse_word("clock", "tw", words, &err), LAB_EINVALID);
	assert_string_equal(err.text, "clock 'tw': expected one, two or three");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attempts_are_kept),
		cmocka_unit_test(test_odd_reports_are_dropped),
		cmocka_unit_test(test_exit_status),
		cmocka_unit_test(test_lost_tests_are_errors),
		cmocka_unit_test(test_terminals_are_safe),
		cmocka_unit_test(test_failure_tells_the_story),
		cmocka_unit_test(test_failure_without_an_answer),
		cmocka_unit_test(test_numbers_and_words),
	};

	return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
