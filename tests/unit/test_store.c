/* Entities, artifacts and diffs in a real database. */
#include "db/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/hash.h"
#include "db/artifact.h"
#include "db/db.h"
#include "tests/unit/lab_cmocka.h"

struct fixture {
	char *folder;
	struct db *db;
	struct err err;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	auto_free char *path = NULL;

	f->folder = test_folder();
	path = path_join(f->folder, "lab.sqlite");
	assert_int_equal(db_open(path, &f->db, &f->err), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	db_close(f->db);
	assert_int_equal(fs_remove_tree(f->folder, NULL), 0);
	free(f->folder);
	free(f);
	return 0;
}

static int64_t get(struct fixture *f, const char *sql)
{
	int64_t value = -1;

	assert_true(db_get_int(f->db, &value, &f->err, sql) >= 0);
	return value;
}

/* A descriptor on a file of these bytes. */
static int file_of(const void *data, size_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* --- artifacts ----------------------------------------------------------------- */

#define BIG (3 * ARTIFACT_CHUNK_BYTES + 17)

static unsigned char *make_big(void)
{
	unsigned char *data = xcalloc(1, BIG);

	for (size_t i = 0; i < BIG; i++)
		data[i] = (unsigned char)(i * 2654435761u >> 13);
	return data;
}

static void test_artifact_in_and_out(void **state)
{
	struct fixture *f = *state;
	auto_free unsigned char *big = make_big();
	auto_free char *path = path_join(f->folder, "out");
	auto_free char *back = NULL;
	struct artifact_info info;
	char want[HASH_HEX_SIZE], part[100];
	int64_t id = 0, again = 0;
	size_t size;

	assert_int_equal(artifact_add_fd(f->db, file_of(big, BIG), &id, &f->err), 0);
	hash_bytes(big, BIG, want);
	assert_int_equal(artifact_get_info(f->db, id, &info, &f->err), 0);
	assert_int_equal(info.size_bytes, BIG);
	assert_string_equal(info.sha256, want);
	/* A range across the border of two chunks, and the end. */
	assert_int_equal(artifact_read(f->db, id, ARTIFACT_CHUNK_BYTES - 50, part, 100, &f->err),
			 100);
	assert_memory_equal(part, big + ARTIFACT_CHUNK_BYTES - 50, 100);
	assert_int_equal(artifact_read(f->db, id, BIG - 10, part, 100, &f->err), 10);
	assert_int_equal(artifact_read(f->db, id, BIG, part, 100, &f->err), 0);
	assert_int_equal(artifact_read(f->db, id, INT64_MAX / 2, part, 100, &f->err), 0);
	assert_int_equal(artifact_read(f->db, id, -1, part, 100, &f->err), LAB_EINVALID);
	assert_int_equal(artifact_export(f->db, id, path, 0600, &f->err), 0);
	assert_int_equal(fs_read_file(path, BIG + 1, &back, &size, &f->err), 0);
	assert_int_equal(size, BIG);
	assert_memory_equal(back, big, BIG);
	assert_int_equal(artifact_export(f->db, id, path, 0600, &f->err), -EEXIST);
	/* The same bytes are stored once. */
	assert_int_equal(artifact_add_fd(f->db, file_of(big, BIG), &again, &f->err), 0);
	assert_int_equal(again, id);
	assert_int_equal(get(f, "SELECT count(*) FROM artifact"), 1);
	assert_int_equal(get(f, "SELECT count(*) FROM artifact_chunk"), 4);
}

static void test_artifact_sizes(void **state)
{
	static const size_t sizes[] = { 0, 1, ARTIFACT_CHUNK_BYTES - 1, ARTIFACT_CHUNK_BYTES,
					ARTIFACT_CHUNK_BYTES + 1 };
	struct fixture *f = *state;
	auto_free unsigned char *big = make_big();

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct artifact_info info;
		int64_t id = 0;

		assert_int_equal(artifact_add_fd(f->db, file_of(big, sizes[i]), &id, &f->err), 0);
		assert_int_equal(artifact_get_info(f->db, id, &info, &f->err), 0);
		assert_int_equal(info.size_bytes, sizes[i]);
	}
}

static void test_artifact_half_is_never_seen(void **state)
{
	struct fixture *f = *state;
	auto_free unsigned char *big = make_big();
	struct artifact_writer *writer = NULL;
	struct artifact_info info;
	int64_t id;

	assert_int_equal(artifact_writer_new(f->db, file_of(big, BIG), &writer, &f->err), 0);
	assert_int_equal(artifact_writer_step(writer, &f->err), 1);
	id = artifact_writer_get_id(writer);
	assert_int_equal(artifact_get_info(f->db, id, &info, &f->err), LAB_ENOTFOUND);
	artifact_writer_free(writer); /* given up */
	assert_int_equal(get(f, "SELECT count(*) FROM artifact"), 0);
	assert_int_equal(get(f, "SELECT count(*) FROM artifact_chunk"), 0);
}

static void test_artifact_sweep(void **state)
{
	struct fixture *f = *state;
	int64_t id = 0;

	assert_int_equal(artifact_add_fd(f->db, file_of("x", 1), &id, &f->err), 0);
	assert_int_equal(db_run(f->db, &f->err,
				"INSERT INTO artifact (sha256, size_bytes, created_us)"
				" VALUES ('incomplete-1', 0, 0)"),
			 0);
	assert_int_equal(artifact_sweep(f->db, false, &f->err), 1); /* nobody refers to x */
	assert_int_equal(artifact_sweep(f->db, true, &f->err), 1);
	assert_int_equal(get(f, "SELECT count(*) FROM artifact"), 0);
}

/* --- entities ------------------------------------------------------------------- */

static int64_t add_kernel(struct fixture *f, const char *name, const char *key, bool known_good)
{
	struct release_row row = { 0 };
	int64_t kernel_id = 0;

	row.name = xstrdup(name);
	row.series = xstrdup("stable 6.12");
	row.type = xstrdup("stable");
	row.identity = xstrdup(name);
	row.sort_key = xstrdup(key);
	row.detail_json = xstrdup("{}");
	assert_true(release_add(f->db, &row, &f->err) >= 0);
	assert_true(kernel_add(f->db, row.release_id, "tiny", known_good, &kernel_id, &f->err) >=
		    0);
	release_row_release(&row);
	return kernel_id;
}

static int put_verdict(struct fixture *f, int64_t run_id, const char *test_id, const char *verdict,
		       bool final)
{
	struct verdict_new row = {
		.run_id = run_id,
		.test_id = test_id,
		.title = "T",
		.verdict = verdict,
		.test_version = "1",
		.clock = "real",
		.signature = strcmp(verdict, "PASS") == 0 ? NULL : "s",
		.clauses_json = "[]",
		.steps_json = "[]",
		.final = final,
	};
	int64_t id;

	return verdict_add(f->db, &row, &id, &f->err);
}

/* A finished run with verdicts "a" and "b". */
static int64_t add_run(struct fixture *f, int64_t kernel_id, const char *a, const char *b)
{
	int64_t run_id = 0;

	assert_int_equal(run_add(f->db, 0, kernel_id, "smoke", "host", &run_id, &f->err), 0);
	assert_int_equal(put_verdict(f, run_id, "a", a, true), 0);
	assert_int_equal(put_verdict(f, run_id, "b", b, true), 0);
	assert_int_equal(run_set_state(f->db, run_id, "done", NULL, &f->err), 0);
	return run_id;
}

static void test_known_things_are_not_added_twice(void **state)
{
	struct fixture *f = *state;
	int64_t first = add_kernel(f, "v6.12.1", "1", false);

	assert_int_equal(add_kernel(f, "v6.12.1", "1", false), first);
	assert_int_equal(get(f, "SELECT count(*) FROM release"), 1);
}

static void test_attempts_count_on(void **state)
{
	struct fixture *f = *state;
	int64_t run_id = 0;
	char **ids = NULL;

	assert_int_equal(run_add(f->db, 0, add_kernel(f, "k", "1", false), "smoke", "host", &run_id,
				 &f->err),
			 0);
	assert_int_equal(put_verdict(f, run_id, "a", "ERROR", false), 0);
	assert_int_equal(put_verdict(f, run_id, "b", "ERROR", false), 0);
	assert_int_equal(verdict_list_final(f->db, run_id, &ids, &f->err), 0);
	/* The runner was killed here; the next one begins with its first attempt. */
	assert_int_equal(put_verdict(f, run_id, "a", "PASS", true), 0);
	assert_int_equal(get(f, "SELECT attempt FROM verdict WHERE verdict = 'PASS'"), 2);
	assert_int_equal(verdict_list_final(f->db, run_id, &ids, &f->err), 1);
	assert_string_equal(ids[0], "a");
	free(ids[0]);
	free(ids);
	/* A finished test is not judged twice. */
	assert_int_equal(put_verdict(f, run_id, "a", "FAIL", true), LAB_EEXISTS);
	assert_int_equal(get(f, "SELECT count(*) FROM verdict WHERE test_id = 'a'"), 2);
}

/* A run of "a" and "b" on the virtual clock, with one of them chosen; *ret_id is freed by the caller. */
static int64_t add_sampled_run(struct fixture *f, int64_t kernel_id, char **ret_id)
{
	int64_t run_id = add_run(f, kernel_id, "PASS", "FAIL");
	char **ids = NULL;

	assert_int_equal(db_run(f->db, &f->err, "UPDATE verdict SET clock = 'virtual'"), 0);
	assert_int_equal(clock_sample_choose(f->db, run_id, 50, &f->err), 1);
	assert_int_equal(clock_sample_choose(f->db, run_id, 50, &f->err), 1); /* once a run */
	assert_int_equal(clock_sample_list_open(f->db, run_id, &ids, &f->err), 1);
	*ret_id = ids[0];
	free(ids);
	return run_id;
}

static void test_clock_sample_comes_round(void **state)
{
	struct fixture *f = *state;
	int64_t kernel_id = add_kernel(f, "k", "1", false);
	const char *want[] = { "a", "b", "a" };

	for (unsigned i = 0; i < 3; i++) {
		auto_free char *id = NULL;
		int64_t run_id = add_sampled_run(f, kernel_id, &id);
		char **ids = NULL;

		assert_string_equal(id, want[i]);
		assert_int_equal(
			clock_sample_judge(f->db, run_id, id, i == 1 ? "FAIL" : "PASS", &f->err),
			0);
		assert_int_equal(clock_sample_list_open(f->db, run_id, &ids, &f->err), 0);
		free(ids);
	}
	assert_int_equal(get(f, "SELECT count(*) FROM verdict WHERE verdict = 'ERROR'"), 0);
	assert_int_equal(get(f, "SELECT count(*) FROM verdict WHERE NOT final"), 0);
}

static void test_clocks_that_disagree_are_an_error(void **state)
{
	struct fixture *f = *state;
	auto_free char *id = NULL, *reason = NULL;
	int64_t run_id = add_sampled_run(f, add_kernel(f, "k", "1", false), &id);

	/* ERROR on the real clock is no word about the clocks. */
	assert_int_equal(clock_sample_judge(f->db, run_id, id, "ERROR", &f->err), 0);
	assert_int_equal(get(f, "SELECT count(*) FROM verdict WHERE verdict = 'ERROR'"), 0);
	assert_int_equal(clock_sample_judge(f->db, run_id, id, "FAIL", &f->err), 1);
	assert_int_equal(db_get_text(f->db, &reason, &f->err,
				     "SELECT reason FROM verdict WHERE test_id = 'a' AND final"
				     " AND verdict = 'ERROR'"),
			 1);
	assert_string_equal(reason,
			    "the clocks disagree: PASS on the virtual one, FAIL on the real one");
	assert_int_equal(get(f, "SELECT count(*) FROM verdict WHERE test_id = 'a' AND final"), 1);
	/* A test that was not chosen, and a run that was on the real clock all along. */
	assert_int_equal(clock_sample_judge(f->db, run_id, "b", "FAIL", &f->err), LAB_ENOTFOUND);
	run_id = add_run(f, add_kernel(f, "l", "2", false), "PASS", "PASS");
	assert_int_equal(clock_sample_choose(f->db, run_id, 100, &f->err), 0);
}

static void test_due_sources(void **state)
{
	struct fixture *f = *state;
	struct source_row row = { 0 };
	int64_t a = 0, b = 0;

	assert_int_equal(source_put(f->db, "a", "git", "/a", "{}", &a, &f->err), 0);
	assert_int_equal(source_put(f->db, "b", "git", "/b", "{}", &b, &f->err), 0);
	assert_int_equal(source_set_polled(f->db, a, 100, NULL, &f->err), 0);
	assert_int_equal(source_set_polled(f->db, b, 50, "no network", &f->err), 0);
	assert_int_equal(source_find_due(f->db, 49, &row, &f->err), 0);
	assert_int_equal(source_find_due(f->db, 200, &row, &f->err), 1);
	assert_string_equal(row.name, "b");
	assert_false(row.was_polled); /* a poll that failed shows nothing */
	source_row_release(&row);
	assert_int_equal(source_poll_now(f->db, "a", &a, &f->err), 0);
	assert_int_equal(source_find_due(f->db, 1, &row, &f->err), 1);
	assert_string_equal(row.name, "a");
	assert_true(row.was_polled);
	source_row_release(&row);
	assert_int_equal(source_disable_all(f->db, &f->err), 0);
	assert_int_equal(source_find_due(f->db, 200, &row, &f->err), 0);
	assert_int_equal(source_poll_now(f->db, "a", &a, &f->err), LAB_ENOTFOUND);
}

static void test_diffs(void **state)
{
	struct fixture *f = *state;
	int64_t old_run = add_run(f, add_kernel(f, "v6.12.1", "1", false), "PASS", "FAIL");
	int64_t new_run;

	/* v6.12.2 failed b too and was never compared: since when goes back to v6.12.1. */
	(void)add_run(f, add_kernel(f, "v6.12.2", "2", false), "PASS", "FAIL");
	new_run = add_run(f, add_kernel(f, "v6.12.3", "3", false), "FAIL", "FAIL");
	assert_int_equal(diff_make(f->db, new_run, &f->err), 0);
	assert_int_equal(get(f, "SELECT count(*) FROM diff"), 1);
	assert_int_equal(get(f, "SELECT regressed FROM diff"), 1);
	assert_int_equal(get(f, "SELECT still_failing FROM diff"), 1);
	assert_int_equal(
		get(f, "SELECT o.run_id FROM diff d JOIN run o ON o.run_id = d.old_run_id"),
		old_run + 1);
	assert_int_equal(get(f, "SELECT r.sort_key FROM diff_entry e JOIN release r"
				" ON r.release_id = e.since_release_id WHERE e.test_id = 'b'"),
			 1);
	assert_int_equal(diff_make(f->db, new_run, &f->err), 0); /* again changes nothing */
	assert_int_equal(get(f, "SELECT count(*) FROM diff"), 1);
}

static void test_health(void **state)
{
	struct fixture *f = *state;
	int64_t kernel_id = add_kernel(f, "good", "1", true);
	auto_free char *text = NULL;
	int64_t run_id;

	/* What it never passed is not asked of it. */
	run_id = add_run(f, kernel_id, "PASS", "FAIL");
	assert_int_equal(diff_count_unhealthy(f->db, run_id, &text, &f->err), 0);
	run_id = add_run(f, kernel_id, "PASS", "FAIL");
	assert_int_equal(diff_count_unhealthy(f->db, run_id, &text, &f->err), 0);
	run_id = add_run(f, kernel_id, "FAIL", "FAIL");
	assert_int_equal(diff_count_unhealthy(f->db, run_id, &text, &f->err), 1);
	assert_string_equal(text, "a FAIL");
	free(text);
	text = NULL;
	run_id = add_run(f, kernel_id, "PASS", "ERROR");
	assert_int_equal(diff_count_unhealthy(f->db, run_id, &text, &f->err), 1);
	assert_string_equal(text, "b ERROR");
}

static void put_image(struct fixture *f, int64_t kernel_id, const char *bytes)
{
	int64_t id = 0;

	assert_int_equal(artifact_add_fd(f->db, file_of(bytes, strlen(bytes)), &id, &f->err), 0);
	assert_int_equal(file_put(f->db, (struct file_owner){ .kernel_id = kernel_id }, "image",
				  "bzImage", id, &f->err),
			 0);
	assert_int_equal(kernel_set_state(f->db, kernel_id, "installed", &f->err), 0);
}

static void test_prune(void **state)
{
	const struct prune_rules rules = { .keep_kernels = 1 };
	struct fixture *f = *state;
	int64_t oldest = add_kernel(f, "v6.12.1", "1", false);
	int64_t newest = add_kernel(f, "v6.12.3", "3", false);
	int64_t good = add_kernel(f, "v6.12.0", "0", true);
	int64_t artifact_id = 0;

	put_image(f, oldest, "1");
	put_image(f, newest, "3");
	put_image(f, good, "0");
	assert_int_equal(lab_prune(f->db, &rules, &f->err), 1);
	assert_int_equal(file_find(f->db, oldest, "image", &artifact_id, &f->err), 0);
	assert_int_equal(file_find(f->db, newest, "image", &artifact_id, &f->err), 1);
	assert_int_equal(file_find(f->db, good, "image", &artifact_id, &f->err), 1);
	assert_int_equal(get(f, "SELECT count(*) FROM artifact"), 2);
	assert_int_equal(get(f, "SELECT count(*) FROM kernel WHERE state = 'new'"), 1);
	assert_int_equal(lab_prune(f->db, &rules, &f->err), 0);
}

static void test_lab_values(void **state)
{
	struct fixture *f = *state;
	auto_free char *text = NULL;

	assert_int_equal(lab_get_int(f->db, "n", 7), 7);
	assert_int_equal(lab_set_int(f->db, "n", 5, &f->err), 0);
	assert_int_equal(lab_get_int(f->db, "n", 7), 5);
	assert_int_equal(lab_set(f->db, "n", "six", &f->err), 0);
	assert_int_equal(lab_get(f->db, "n", &text, &f->err), 1);
	assert_string_equal(text, "six");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_artifact_in_and_out),
		TEST(test_artifact_sizes),
		TEST(test_artifact_half_is_never_seen),
		TEST(test_artifact_sweep),
		TEST(test_known_things_are_not_added_twice),
		TEST(test_attempts_count_on),
		TEST(test_clock_sample_comes_round),
		TEST(test_clocks_that_disagree_are_an_error),
		TEST(test_due_sources),
		TEST(test_diffs),
		TEST(test_health),
		TEST(test_prune),
		TEST(test_lab_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
