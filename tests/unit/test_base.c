/* err, alloc, buf, time, verdict, hash, zst, log levels. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/time.h"
#include "base/verdict.h"
#include "base/zst.h"
#include "tests/unit/lab_cmocka.h"

static void test_err_prefix_goes_before(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(err_set(&err, -ENOENT, "open '%s': missing", "x"), -ENOENT);
	assert_int_equal(err_prefix(&err, "suite '%s'", "nd"), -ENOENT);
	assert_string_equal(err.text, "suite 'nd': open 'x': missing");
	assert_int_equal(err_set(NULL, LAB_EBUSY, "x"), LAB_EBUSY);
	assert_int_equal(err_prefix(NULL, "x"), LAB_EFAIL);
}

static void test_err_long_texts_are_cut(void **state)
{
	struct err err = ERR_INIT;
	char text[3000];

	(void)state;
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	(void)err_set(&err, LAB_EFAIL, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	(void)err_prefix(&err, "before");
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_memory_equal(err.text, "before: aaa", 11);
	(void)err_prefix(&err, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void test_err_names(void **state)
{
	(void)state;
	assert_string_equal(err_name(LAB_ETIMEOUT), "deadline passed");
	assert_string_equal(err_name(-ENOENT), "No such file or directory");
	assert_string_equal(err_name(-999999), "unknown error");
	assert_string_equal(err_name(0), "success");
}

static void test_buf_stops_at_its_maximum(void **state)
{
	auto_cleanup(buf_release_p) struct buf buf = BUF_INIT(10);

	(void)state;
	buf_append_string(&buf, "12345678");
	assert_false(buf.overflow);
	buf_printf(&buf, "%s", "abcdef");
	assert_true(buf.overflow);
	assert_string_equal(buf.data, "12345678ab");
	buf_consume(&buf, 3);
	assert_string_equal(buf.data, "45678ab");
	buf_consume(&buf, 100);
	assert_int_equal(buf.size, 0);
	buf_reset(&buf);
	assert_false(buf.overflow);
}

static void test_buf_prints_long_text(void **state)
{
	auto_cleanup(buf_release_p) struct buf buf = BUF_INIT(100000);
	auto_free char *taken = NULL;
	char text[5000];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	buf_printf(&buf, "<%s>", text);
	assert_int_equal(buf.size, sizeof(text) + 1);
	taken = buf_take_string(&buf);
	assert_int_equal(taken[sizeof(text)], '>');
	free(buf_take_string(&buf)); /* of an empty one: "" */
}

static void test_time_iso(void **state)
{
	char text[TIME_ISO_SIZE];

	(void)state;
	assert_string_equal(time_iso(INT64_C(1795484830000000), text), "2026-11-24T01:47:10Z");
	assert_string_equal(time_iso(-1, text), "1969-12-31T23:59:59Z");
	assert_int_equal(*time_iso(INT64_MAX, text) != '\0', 1);
}

static void test_verdict_names_go_round(void **state)
{
	enum verdict verdict;

	(void)state;
	for (int i = 0; i < VERDICT_COUNT_; i++) {
		assert_int_equal(verdict_from_string(verdict_to_string((enum verdict)i), &verdict),
				 0);
		assert_int_equal(verdict, i);
		assert_true(strlen(verdict_meaning(verdict)) > 5);
	}
	assert_int_equal(verdict_from_string("pass", &verdict), LAB_EINVALID);
	assert_int_equal(verdict_exit_code(VERDICT_WARN), 0);
	assert_int_equal(verdict_exit_code(VERDICT_FAIL), 1);
	assert_int_equal(verdict_exit_code(VERDICT_ERROR), 3);
	assert_true(verdict_rank(VERDICT_FAIL) > verdict_rank(VERDICT_ERROR));
}

static void test_hash_known_digests(void **state)
{
	char hex[HASH_HEX_SIZE];
	struct hash *hash = hash_new();
	struct err err = ERR_INIT;

	(void)state;
	/* FIPS 180-2, appendix B.1. */
	hash_update(hash, "a", 1);
	hash_update(hash, "bc", 2);
	hash_finish(hash, hex);
	assert_string_equal(hex,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	hash_bytes("", 0, hex);
	assert_string_equal(hex,
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_int_equal(hash_file("/nowhere/x", hex, &err), -ENOENT);
	assert_non_null(strstr(err.text, "'/nowhere/x'"));
	assert_int_equal(hash_file("/", hex, &err), -EISDIR);
	assert_int_equal(hash_file("/dev/null", hex, &err), 0);
	assert_memory_equal(hex, "e3b0c442", 8);
}

static void test_random_bytes_differ(void **state)
{
	char a[16] = "";
	char b[16] = "";

	(void)state;
	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
}

static void test_zst_round_trip_and_limits(void **state)
{
	struct err err = ERR_INIT;
	auto_free char *plain = xcalloc(100000, 1);
	auto_free void *packed = NULL;
	auto_free void *back = NULL;
	size_t packed_size, back_size;

	(void)state;
	plain[77777] = 'x';
	assert_int_equal(zst_compress(plain, 100000, 3, &packed, &packed_size, &err), 0);
	assert_true(packed_size < 1000);
	assert_int_equal(zst_decompress(packed, packed_size, 99999, &back, &back_size, &err),
			 LAB_ELIMIT);
	assert_int_equal(zst_decompress(packed, packed_size, 100000, &back, &back_size, &err), 0);
	assert_int_equal(back_size, 100000);
	assert_memory_equal(back, plain, 100000);
	assert_int_equal(zst_decompress("not zstd", 8, 100, &back, &back_size, &err), LAB_EPARSE);
	assert_int_equal(zst_decompress(packed, packed_size - 4, 100000, &back, &back_size, &err),
			 LAB_EPARSE);
}

static void test_log_levels(void **state)
{
	enum log_level level;

	(void)state;
	assert_int_equal(log_level_from_string("debug", &level), 0);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_from_string("loud", &level), LAB_EINVALID);
}

/* What log_write() puts on stderr, through a pipe. */
static void read_logged(char *text, size_t size, const char *message)
{
	int fds[2];
	int saved = dup(STDERR_FILENO);
	ssize_t got;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	log_info("cli", "%s", message);
	log_debug("cli", "not shown");
	(void)dup2(saved, STDERR_FILENO);
	(void)close(saved);
	(void)close(fds[1]);
	got = read(fds[0], text, size - 1);
	assert_true(got >= 0);
	text[got] = '\0';
	(void)close(fds[0]);
}

static void test_log_cannot_be_forged(void **state)
{
	char text[512];

	(void)state;
	log_set_journal(1);
	read_logged(text, sizeof(text), "name\n<0>forged\x1b[31m");
	log_set_journal(0);
	assert_string_equal(text, "<6>cli: name?<0>forged?[31m\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_err_prefix_goes_before),
		cmocka_unit_test(test_err_long_texts_are_cut),
		cmocka_unit_test(test_err_names),
		cmocka_unit_test(test_buf_stops_at_its_maximum),
		cmocka_unit_test(test_buf_prints_long_text),
		cmocka_unit_test(test_time_iso),
		cmocka_unit_test(test_verdict_names_go_round),
		cmocka_unit_test(test_hash_known_digests),
		cmocka_unit_test(test_random_bytes_differ),
		cmocka_unit_test(test_zst_round_trip_and_limits),
		cmocka_unit_test(test_log_levels),
		cmocka_unit_test(test_log_cannot_be_forged),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
