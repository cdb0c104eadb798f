/* Request targets, ranges, entity tags, hosts. */
#include "web/parse.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/limits.h"
#include "tests/unit/lab_cmocka.h"

static void test_target_is_split_before_it_is_decoded(void **state)
{
	auto_cleanup(target_release) struct target target = { 0 };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(target_parse("/tests/a%2Fb%23+c?set=x+y%26z&flag&&limit=5", &target, &err),
			 0);
	assert_int_equal(target.segment_count, 2);
	assert_string_equal(target.segments[0], "tests");
	assert_string_equal(target.segments[1], "a/b#+c");
	assert_int_equal(target.pair_count, 3);
	assert_string_equal(target.pairs[0].name, "set");
	assert_string_equal(target.pairs[0].value, "x y&z");
	assert_string_equal(target.pairs[1].name, "flag");
	assert_string_equal(target.pairs[1].value, "");
	assert_string_equal(target.pairs[2].value, "5");
}

static void test_trailing_slash_is_another_address(void **state)
{
	auto_cleanup(target_release) struct target root = { 0 }, plain = { 0 }, slash = { 0 };

	(void)state;
	assert_int_equal(target_parse("/", &root, NULL), 0);
	assert_int_equal(target_parse("/runs", &plain, NULL), 0);
	assert_int_equal(target_parse("/runs/", &slash, NULL), 0);
	assert_int_equal(root.segment_count, 0);
	assert_int_equal(plain.segment_count, 1);
	assert_int_equal(slash.segment_count, 2);
}

static void assert_bad_target(const char *text, int code)
{
	struct target target = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(target_parse(text, &target, &err), code);
	assert_non_null(strstr(err.text, "request target"));
	assert_null(target.bytes);
}

static void test_bad_targets_are_refused(void **state)
{
	char text[LIMIT_HTTP_TARGET + 2];

	(void)state;
	assert_bad_target("", LAB_EPARSE);
	assert_bad_target("*", LAB_EPARSE);
	assert_bad_target("http://x/", LAB_EPARSE);
	assert_bad_target("/%", LAB_EPARSE);
	assert_bad_target("/%4", LAB_EPARSE);
	assert_bad_target("/%zz", LAB_EPARSE);
	assert_bad_target("/a%00b", LAB_EPARSE);
	assert_bad_target("/?a=%00", LAB_EPARSE);
	assert_bad_target("/%ff", LAB_EPARSE);
	assert_bad_target("/1/2/3/4/5/6/7/8/9/10/11/12/13", LAB_EPARSE);
	assert_bad_target("/?1&2&3&4&5&6&7&8&9&10&11&12&13&14&15&16&17", LAB_EPARSE);
	memset(text, '/', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_bad_target(text, LAB_ELIMIT);
}

static void test_integers(void **state)
{
	static const char *const bad[] = { "",   "0",  "-1", "+1",  " 1",
					   "1 ", "01", "1x", "101", "99999999999999999999" };
	int64_t value = 0;

	(void)state;
	assert_int_equal(parse_integer("100", 1, 100, &value, NULL), 0);
	assert_int_equal(value, 100);
	assert_int_equal(parse_integer("9223372036854775807", 1, INT64_MAX, &value, NULL), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse_integer(bad[i], 1, 100, &value, NULL), LAB_EINVALID);
}

static void assert_range(const char *text, int64_t total, int64_t offset, int64_t size)
{
	struct byte_range range = { 0 };

	assert_int_equal(range_parse(text, total, &range), 1);
	assert_int_equal(range.offset, offset);
	assert_int_equal(range.size, size);
}

static void test_ranges(void **state)
{
	static const char *const ignored[] = { "",
					       "bytes",
					       "bytes=",
					       "bytes=-",
					       "bytes=a-b",
					       "bytes=5-3",
					       "bytes=0-1,3-4",
					       "lines=0-1",
					       "bytes=0 -1",
					       "bytes=-5x",
					       "bytes=99999999999999999999-" };
	static const char *const past[] = { "bytes=10-", "bytes=10-20", "bytes=-0" };
	struct byte_range range;

	(void)state;
	assert_range("bytes=0-3", 10, 0, 4);
	assert_range("Bytes=4-", 10, 4, 6);
	assert_range("bytes=4-400", 10, 4, 6);
	assert_range("bytes=-3", 10, 7, 3);
	assert_range("bytes=-30", 10, 0, 10);
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		assert_int_equal(range_parse(ignored[i], 10, &range), 0);
	for (size_t i = 0; i < sizeof(past) / sizeof(past[0]); i++)
		assert_int_equal(range_parse(past[i], 10, &range), LAB_EINVALID);
	assert_int_equal(range_parse("bytes=0-", 0, &range), LAB_EINVALID);
}

static void test_entity_tags(void **state)
{
	(void)state;
	assert_true(etag_list_has("\"abc\"", "\"abc\""));
	assert_true(etag_list_has("W/\"abc\"", "\"abc\""));
	assert_true(etag_list_has("\"x\", \"abc\"", "\"abc\""));
	assert_true(etag_list_has("*", "\"abc\""));
	assert_false(etag_list_has("\"abcd\"", "\"abc\""));
	assert_false(etag_list_has("abc", "\"abc\""));
	assert_false(etag_list_has("\"unclosed", "\"abc\""));
	assert_false(etag_list_has("", "\"abc\""));
}

static void test_hosts(void **state)
{
	static const char *const ours[] = { "localhost",  "LocalHost:8080", "127.0.0.1:1",
					    "[::1]:8080", "[::1]",          "127.0.0.2:9" };
	static const char *const foreign[] = {
		"evil.example", "localhost.evil.example:8080", "", "127.0.0.11", "[::1", "[::1]x",
		"[::2]:80"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		assert_true(host_is_local(ours[i], "127.0.0.2"));
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		assert_false(host_is_local(foreign[i], "127.0.0.2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_target_is_split_before_it_is_decoded),
		cmocka_unit_test(test_trailing_slash_is_another_address),
		cmocka_unit_test(test_bad_targets_are_refused),
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_entity_tags),
		cmocka_unit_test(test_hosts),
	};

	return cmocka_run_group_tests_name("http_parse", tests, NULL, NULL);
}
