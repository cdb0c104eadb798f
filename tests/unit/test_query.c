/* Queries for people: pages of lists, damaged and hostile content, what does not exist. */
#include "db/query.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "db/db.h"
#include "db/store.h"
#include "tests/unit/lab_cmocka.h"

struct fixture {
	char *folder;
	struct db *db;
	struct err err;
	int64_t run_ids[3];
};

static int64_t add_run(struct fixture *f, const char *name)
{
	struct release_row release = {
		.name = xstrdup(name),
		.series = xstrdup("s"),
		.type = xstrdup("stable"),
		.identity = xstrdup(name),
		.sort_key = xstrdup(name),
		.detail_json = xstrdup("{}"),
	};
	int64_t kernel_id, run_id;

	assert_int_equal(release_add(f->db, &release, &f->err), 1);
	assert_int_equal(kernel_add(f->db, release.release_id, "tiny", false, &kernel_id, &f->err),
			 1);
	assert_true(run_add(f->db, 0, kernel_id, "smoke", "host", &run_id, &f->err) >= 0);
	release_row_release(&release);
	return run_id;
}

static int64_t add_verdict(struct fixture *f, int64_t run_id, const char *test_id,
			   const char *verdict, const char *steps)
{
	const struct verdict_new row = {
		.run_id = run_id,
		.test_id = test_id,
		.title = "t",
		.verdict = verdict,
		.test_version = "v",
		.clock = "real",
		.clauses_json = "[]",
		.steps_json = steps,
		.signature = strcmp(verdict, "PASS") == 0 ? NULL : "s",
		.final = true,
	};
	int64_t verdict_id;

	assert_true(verdict_add(f->db, &row, &verdict_id, &f->err) >= 0);
	return verdict_id;
}

static int setup(void **state)
{
	static const char *const names[] = { "1", "2", "\xff<3>" };
	struct fixture *f = xcalloc(1, sizeof(*f));
	auto_free char *path = NULL;

	f->folder = test_folder();
	path = path_join(f->folder, "lab.sqlite");
	assert_int_equal(db_open(path, &f->db, &f->err), 0);
	for (size_t i = 0; i < 3; i++)
		f->run_ids[i] = add_run(f, names[i]);
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

static void test_lists_come_in_pages(void **state)
{
	struct fixture *f = *state;
	const struct query_run_filter all = { 0 };
	auto_json json_t *first = NULL, *second = NULL, *whole = NULL;

	assert_true(query_runs(f->db, &all, (struct query_page){ .limit = 2 }, &first, &f->err) >=
		    0);
	assert_int_equal(json_array_size(json_object_get(first, "items")), 2);
	assert_int_equal(json_int_or(first, "next", 0), f->run_ids[1]);
	assert_true(query_runs(f->db, &all, (struct query_page){ 2, f->run_ids[1] }, &second,
			       &f->err) >= 0);
	assert_int_equal(json_array_size(json_object_get(second, "items")), 1);
	assert_true(json_is_null(json_object_get(second, "next")));
	assert_true(query_runs(f->db, &all, (struct query_page){ .limit = 3 }, &whole, &f->err) >=
		    0);
	assert_true(json_is_null(json_object_get(whole, "next")));
}

static void test_names_are_utf8(void **state)
{
	struct fixture *f = *state;
	auto_json json_t *run = NULL;

	assert_true(query_run(f->db, f->run_ids[2], &run, &f->err) >= 0);
	assert_string_equal(json_string_or(run, "release", ""), "\xef\xbf\xbd<3>");
}

static void test_damaged_steps_are_null(void **state)
{
	struct fixture *f = *state;
	auto_json json_t *verdict = NULL;
	int64_t id = add_verdict(f, f->run_ids[0], "a", "PASS", "[{\"seq\":");

	assert_true(query_verdict(f->db, id, &verdict, &f->err) >= 0);
	assert_true(json_is_null(json_object_get(verdict, "steps")));
}

static void test_commands_are_one_argument_each(void **state)
{
	struct fixture *f = *state;
	auto_json json_t *plain = NULL, *odd = NULL;

	assert_true(query_verdict(f->db, add_verdict(f, f->run_ids[0], "v6LC.1.1.8", "PASS", "[]"),
				  &plain, &f->err) >= 0);
	assert_string_equal(json_string_or(plain, "reproduce", ""),
			    "testlab run --kernel bzImage --test v6LC.1.1.8 --clock real");
	assert_true(query_verdict(f->db,
				  add_verdict(f, f->run_ids[0], "a'; rm -rf $HOME", "PASS", "[]"),
				  &odd, &f->err) >= 0);
	assert_string_equal(
		json_string_or(odd, "reproduce", ""),
		"testlab run --kernel bzImage --test 'a'\\''; rm -rf $HOME' --clock real");
}

static void test_what_is_not_there_is_named(void **state)
{
	struct fixture *f = *state;
	json_t *value = NULL;

	assert_int_equal(query_kernel(f->db, 77, &value, &f->err), LAB_ENOTFOUND);
	assert_non_null(strstr(f->err.text, "77"));
	assert_int_equal(query_verdict(f->db, 77, &value, &f->err), LAB_ENOTFOUND);
	assert_int_equal(
		query_test(f->db, "x", NULL, (struct query_page){ .limit = 1 }, &value, &f->err),
		LAB_ENOTFOUND);
	assert_int_equal(query_diff_of(f->db, f->run_ids[0], 77, &value, &f->err), LAB_ENOTFOUND);
	assert_null(value);
}

static void test_any_two_runs_compare(void **state)
{
	struct fixture *f = *state;
	auto_json json_t *diff = NULL;
	const json_t *entry;

	add_verdict(f, f->run_ids[0], "a", "PASS", "[]");
	add_verdict(f, f->run_ids[0], "b", "PASS", "[]");
	add_verdict(f, f->run_ids[1], "a", "FAIL", "[]");
	add_verdict(f, f->run_ids[1], "b", "PASS", "[]");
	assert_true(query_diff_of(f->db, f->run_ids[0], f->run_ids[1], &diff, &f->err) >= 0);
	assert_int_equal(json_int_or(diff, "regressed", 0), 1);
	assert_int_equal(json_int_or(diff, "unchanged", 0), 1);
	entry = json_array_get(json_object_get(diff, "entries"), 0);
	assert_string_equal(json_string_or(entry, "test_id", ""), "a");
	assert_string_equal(json_string_or(entry, "old_verdict", ""), "PASS");
	assert_string_equal(json_string_or(entry, "new_verdict", ""), "FAIL");
}

static void test_sets_join_plan_and_runs(void **state)
{
	struct fixture *f = *state;
	auto_json json_t *sets = NULL;
	const json_t *items;

	assert_int_equal(lab_set(f->db, "sets",
				 "[{\"name\":\"later\",\"planned\":9,\"implemented\":0},7]",
				 &f->err),
			 0);
	assert_true(query_sets(f->db, &sets, &f->err) >= 0);
	items = json_object_get(sets, "items");
	assert_int_equal(json_array_size(items), 2);
	assert_string_equal(json_string_or(json_array_get(items, 0), "name", ""), "later");
	assert_int_equal(json_int_or(json_array_get(items, 0), "runs", -1), 0);
	assert_int_equal(json_int_or(json_array_get(items, 1), "runs", -1), 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lists_come_in_pages),        TEST(test_names_are_utf8),
		TEST(test_damaged_steps_are_null),     TEST(test_commands_are_one_argument_each),
		TEST(test_what_is_not_there_is_named), TEST(test_any_two_runs_compare),
		TEST(test_sets_join_plan_and_runs),
	};

	return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}
