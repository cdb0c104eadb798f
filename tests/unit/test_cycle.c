/* The states of a cycle and their moves. */
#include "orchestrator/cycle.h"

#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "db/db.h"
#include "db/store.h"
#include "tests/unit/lab_cmocka.h"

/* The same list as cycle_states.tbl.h, written a second time on purpose. */
static const char *const allowed =
	"wait>build wait>install wait>test build>install install>test test>compare compare>prove"
	" prove>done wait>failed build>failed install>failed test>failed compare>failed "
	"prove>failed"
	" wait>cancelled build>cancelled install>cancelled test>cancelled compare>cancelled"
	" prove>cancelled ";

static void test_table(void **state)
{
	(void)state;
	for (int from = 0; from < CYCLE_STATE_COUNT_; from++)
		for (int to = 0; to < CYCLE_STATE_COUNT_; to++) {
			auto_free char *word =
				xasprintf("%s>%s ", cycle_state_to_string((enum cycle_state)from),
					  cycle_state_to_string((enum cycle_state)to));
			const char *at = strstr(allowed, word);
			bool want = at && (at == allowed || at[-1] == ' ');

			if (cycle_can_move((enum cycle_state)from, (enum cycle_state)to) != want)
				fail_msg("%s: want %d", word, want);
		}
}

static void test_names(void **state)
{
	enum cycle_state found = CYCLE_STATE_COUNT_;

	(void)state;
	assert_int_equal(cycle_state_from_string("prove", &found), 0);
	assert_int_equal(found, CYCLE_STATE_prove);
	assert_int_equal(cycle_state_from_string("proven", &found), LAB_EINVALID);
	assert_true(cycle_state_is_end(CYCLE_STATE_cancelled));
	assert_false(cycle_state_is_end(CYCLE_STATE_prove));
}

struct fixture {
	char *folder;
	struct db *db;
	int64_t kernel_id, cycle_id;
	struct cycle_row cycle;
	struct err err;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	auto_free char *path = NULL;
	char name[] = "n", series[] = "s", type[] = "stable", identity[] = "i", key[] = "k",
	     detail[] = "{}";
	struct release_row release = { .name = name,
				       .series = series,
				       .type = type,
				       .identity = identity,
				       .sort_key = key,
				       .detail_json = detail };
	struct cycle_new cycle = { .reason = "test", .sets_json = "[\"smoke\",\"phase2-host\"]" };

	f->folder = test_folder();
	path = path_join(f->folder, "lab.sqlite");
	assert_int_equal(db_open(path, &f->db, &f->err), 0);
	assert_int_equal(release_add(f->db, &release, &f->err), 1);
	assert_int_equal(
		kernel_add(f->db, release.release_id, "tiny", false, &f->kernel_id, &f->err), 1);
	cycle.kernel_id = f->kernel_id;
	assert_int_equal(cycle_add(f->db, &cycle, &f->cycle_id, &f->err), 0);
	assert_int_equal(cycle_load(f->db, f->cycle_id, &f->cycle, &f->err), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	cycle_row_release(&f->cycle);
	db_close(f->db);
	assert_int_equal(fs_remove_tree(f->folder, NULL), 0);
	free(f->folder);
	free(f);
	return 0;
}

static int64_t count(struct fixture *f, const char *sql)
{
	int64_t value = 0;

	assert_int_equal(db_get_int(f->db, &value, &f->err, sql), 1);
	return value;
}

static void test_whole_way(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(cycle_begin_build(f->db, &f->cycle, &f->err), 0);
	assert_int_equal(cycle_begin_install(f->db, &f->cycle, &f->err), 0);
	assert_int_equal(count(f, "SELECT count(*) FROM run"), 0);
	assert_int_equal(cycle_begin_test(f->db, &f->cycle, &f->err), 0);
	assert_int_equal(count(f, "SELECT count(*) FROM run WHERE state = 'queued'"), 2);
	assert_int_equal(cycle_begin_compare(f->db, &f->cycle, &f->err), 0);
	assert_int_equal(cycle_begin_prove(f->db, &f->cycle, &f->err), 0);
	assert_int_equal(count(f, "SELECT count(*) FROM cycle WHERE finished_us IS NULL"), 1);
	assert_int_equal(cycle_finish(f->db, &f->cycle, NULL, &f->err), 0);
	assert_string_equal(f->cycle.state, "done");
	assert_int_equal(count(f, "SELECT count(*) FROM cycle WHERE finished_us IS NULL"), 0);
	assert_int_equal(count(f, "SELECT count(*) FROM cycle_move"), 6);
}

static void test_failing_takes_runs_and_kernel_along(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(cycle_skip_install(f->db, &f->cycle, &f->err), 0);
	assert_int_equal(kernel_set_state(f->db, f->kernel_id, "building", &f->err), 0);
	assert_int_equal(cycle_fail(f->db, &f->cycle, "no room", &f->err), 0);
	assert_int_equal(count(f, "SELECT count(*) FROM run WHERE state = 'failed'"
				  " AND note = 'no room'"),
			 2);
	assert_int_equal(count(f, "SELECT count(*) FROM kernel WHERE state = 'new'"), 1);
}

static void test_attempts_begin_anew_in_each_state(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(cycle_begin_build(f->db, &f->cycle, &f->err), 0);
	assert_int_equal(cycle_add_attempt(f->db, f->cycle_id, 5, "lost", &f->err), 0);
	assert_int_equal(count(f, "SELECT attempts FROM cycle"), 1);
	assert_int_equal(cycle_cancel(f->db, &f->cycle, NULL, &f->err), 0);
	assert_int_equal(count(f, "SELECT attempts FROM cycle"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_names),
		cmocka_unit_test_setup_teardown(test_whole_way, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failing_takes_runs_and_kernel_along, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_attempts_begin_anew_in_each_state, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
