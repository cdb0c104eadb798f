/* JSON helpers and report lines. */
#include "base/json.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/report.h"
#include "tests/unit/lab_cmocka.h"

static json_t *parse(const char *text)
{
	json_t *value = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(json_parse(text, strlen(text), &value, &err), 0);
	return value;
}

static void test_fields_name_the_culprit(void **state)
{
	auto_json json_t *object = parse("{\"s\":\"x\",\"i\":7,\"b\":true,\"n\":null}");
	struct err err = ERR_INIT;
	const char *text;
	int64_t number;
	bool flag;

	(void)state;
	assert_int_equal(json_get_string(object, "s", &text, &err), 0);
	assert_string_equal(text, "x");
	assert_int_equal(json_get_string(object, "i", &text, &err), LAB_EINVALID);
	assert_string_equal(err.text, "field 'i': expected a string, got an integer");
	assert_int_equal(json_get_string(object, "gone", &text, &err), LAB_EINVALID);
	assert_string_equal(err.text, "field 'gone': expected a string, got nothing");
	assert_int_equal(json_get_int(object, "i", 0, 7, &number, &err), 0);
	assert_int_equal(number, 7);
	assert_int_equal(json_get_int(object, "i", 8, 9, &number, &err), LAB_EINVALID);
	assert_string_equal(err.text, "field 'i': expected 8 to 9, got 7");
	assert_int_equal(json_get_bool(object, "b", &flag, &err), 0);
	assert_int_equal(json_get_bool(object, "s", &flag, &err), LAB_EINVALID);
	assert_int_equal(json_get_bool(NULL, "s", &flag, &err), LAB_EINVALID);
	assert_string_equal(json_string_or(object, "n", "other"), "other");
	assert_int_equal(json_int_or(object, "s", 3), 3);
	assert_true(json_bool_or(object, "n", true));
}

static void test_unknown_keys(void **state)
{
	auto_json json_t *object = parse("{\"a\":1,\"c\":2}");
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(json_only_keys(object, (const char *const[]){ "a", "c", NULL }, &err), 0);
	assert_int_equal(json_only_keys(object, (const char *const[]){ "a", NULL }, &err),
			 LAB_EINVALID);
	assert_non_null(strstr(err.text, "'c'"));
}

static void test_bad_text(void **state)
{
	json_t *value = NULL;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(json_parse("{\"a\":1,\"a\":2}", 13, &value, &err), LAB_EPARSE);
	assert_int_equal(json_parse("{\n x", 4, &value, &err), LAB_EPARSE);
	assert_non_null(strstr(err.text, "line 2"));
	assert_int_equal(json_parse("", 0, &value, &err), LAB_EPARSE);
}

static void check_lossy(const char *bytes, size_t size, const char *want)
{
	auto_json json_t *value = json_string_lossy(bytes, size);

	assert_non_null(value);
	assert_string_equal(json_string_value(value), want);
}

#define BAD "\xef\xbf\xbd"

static void test_lossy_text(void **state)
{
	(void)state;
	check_lossy("", 0, "");
	check_lossy("plain", 5, "plain");
	check_lossy("\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7", 9,
		    "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7");
	check_lossy("a\0b", 3, "a" BAD "b");
	check_lossy("\xff", 1, BAD);
	check_lossy("\xc3", 1, BAD);                         /* cut */
	check_lossy("\xc0\xaf", 2, BAD BAD);                 /* overlong */
	check_lossy("\xe0\x80\x80", 3, BAD BAD BAD);         /* overlong */
	check_lossy("\xed\xa0\x80", 3, BAD BAD BAD);         /* surrogate */
	check_lossy("\xf4\x90\x80\x80", 4, BAD BAD BAD BAD); /* past U+10FFFF */
}

static void test_files(void **state)
{
	auto_free char *folder = test_folder();
	auto_free char *path = path_join(folder, "x.json");
	auto_json json_t *object = parse("{\"b\":1,\"a\":[true]}");
	auto_json json_t *back = NULL;
	auto_free char *text = NULL;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(json_write_file(path, object, &err), 0);
	assert_int_equal(json_read_file(path, 1000, &back, &err), 0);
	assert_true(json_equal(object, back));
	text = json_text(back);
	assert_string_equal(text, "{\"a\":[true],\"b\":1}");
	assert_int_equal(fs_write_file(path, "{", 1, 0600, &err), 0);
	assert_int_equal(json_read_file(path, 1000, &back, &err), LAB_EPARSE);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(fs_remove_tree(folder, &err), 0);
}

static int count_value(json_t *value, void *user, struct err *err)
{
	int *sum = user;

	if (json_object_get(value, "stop"))
		return err_set(err, LAB_ECANCELLED, "told to stop");
	*sum += (int)json_int_or(value, "n", 0);
	return 0;
}

static void test_reader_takes_any_pieces(void **state)
{
	static const char text[] = "{\"n\":1}\n\n{\"n\":20}\n{\"n\":300}\n";
	struct err err = ERR_INIT;

	(void)state;
	for (size_t piece = 1; piece < sizeof(text); piece++) {
		int sum = 0;
		struct report_reader *reader = report_reader_new(count_value, &sum);

		for (size_t at = 0; at < sizeof(text) - 1; at += piece) {
			size_t left = sizeof(text) - 1 - at;

			assert_int_equal(report_reader_feed(reader, text + at,
							    left < piece ? left : piece, &err),
					 0);
		}
		assert_int_equal(sum, 321);
		report_reader_free(reader);
	}
}

static int feed_text(const char *text, struct err *err)
{
	int sum = 0;
	struct report_reader *reader = report_reader_new(count_value, &sum);
	int rc = report_reader_feed(reader, text, strlen(text), err);

	report_reader_free(reader);
	return rc;
}

static void test_reader_refuses(void **state)
{
	struct err err = ERR_INIT;
	auto_free char *long_line = xcalloc(LIMIT_REPORT_LINE + 2, 1);

	(void)state;
	assert_int_equal(feed_text("nonsense\n", &err), LAB_EPARSE);
	assert_int_equal(feed_text("[1]\n", &err), LAB_EPARSE);
	assert_int_equal(feed_text("{\"stop\":1}\n", &err), LAB_ECANCELLED);
	memset(long_line, ' ', LIMIT_REPORT_LINE + 1);
	assert_int_equal(feed_text(long_line, &err), LAB_ELIMIT);
	report_reader_free(NULL);
}

static void test_send(void **state)
{
	struct err err = ERR_INIT;
	char text[64] = "";
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(report_send(fds[1], parse("{\"event\":\"done\"}"), &err), 0);
	assert_int_equal(read(fds[0], text, sizeof(text)), 17);
	assert_string_equal(text, "{\"event\":\"done\"}\n");
	(void)close(fds[0]);
	/* No reader: an error and not SIGPIPE. */
	assert_int_equal(report_send(fds[1], parse("{}"), &err), -EPIPE);
	(void)close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields_name_the_culprit),
		cmocka_unit_test(test_unknown_keys),
		cmocka_unit_test(test_bad_text),
		cmocka_unit_test(test_lossy_text),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_reader_takes_any_pieces),
		cmocka_unit_test(test_reader_refuses),
		cmocka_unit_test(test_send),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
