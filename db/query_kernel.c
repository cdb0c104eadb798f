/* Releases and kernels, and the table of kernels by sets. */
#include "db/query_int.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"

#define KERNEL_COLUMNS                                                                             \
	"SELECT k.kernel_id, r.release_id, r.name AS release, r.series, r.type, r.identity,"       \
	" r.prebuilt AS \"prebuilt:bool\", r.released_us, k.config_name, k.state, k.compiler,"     \
	" k.build_us, k.objects, k.first_error, k.created_us, k.built_us,"                         \
	" k.known_good AS \"known_good:bool\", k.uname,"                                           \
	" (SELECT state FROM cycle c WHERE c.kernel_id = k.kernel_id AND finished_us IS NULL"      \
	"  ORDER BY state = 'wait', cycle_id DESC LIMIT 1) AS cycle_state"                         \
	" FROM kernel k JOIN release r USING (release_id)"

/* --- releases ---------------------------------------------------------------- */

static int add_kernels_of_releases(struct db *db, json_t *releases, struct err *err)
{
	auto_json json_t *index = query_index(releases, "release_id");
	auto_json json_t *kernels = json_array();
	auto_free char *ids = query_ids(releases, "release_id");
	json_t *release, *kernel;
	size_t i;
	int rc;

	json_array_foreach(releases, i, release)
		json_object_set_new(release, "kernels", json_array());
	rc = query_rows(db, kernels, err,
			"SELECT kernel_id, release_id, config_name, state FROM kernel"
			" WHERE release_id IN (SELECT value FROM json_each(?)) ORDER BY kernel_id",
			DB_TEXT(ids));
	if (rc < 0)
		return rc;
	json_array_foreach(kernels, i, kernel) {
		release = query_index_get(index, json_int_or(kernel, "release_id", 0));
		json_object_del(kernel, "release_id");
		json_array_append(json_object_get(release, "kernels"), kernel);
	}
	return 0;
}

int query_releases(struct db *db, const struct query_release_filter *filter, struct query_page page,
		   json_t **ret_value, struct err *err)
{
	auto_json json_t *items = json_array();
	int rc;

	rc = query_rows(
		db, items, err,
		"SELECT r.release_id, s.name AS source, r.name AS release, r.series, r.type,"
		" r.identity, r.released_us, r.found_us, r.prebuilt AS \"prebuilt:bool\""
		" FROM release r LEFT JOIN source s USING (source_id)"
		" WHERE (?1 IS NULL OR r.series = ?1) AND (?2 IS NULL OR s.name = ?2)"
		" AND (?3 IS NULL OR r.release_id < ?3)"
		" ORDER BY r.release_id DESC LIMIT ?4",
		DB_TEXT(filter->series), DB_TEXT(filter->source), DB_ID(page.cursor),
		DB_INT(page.limit + 1));
	if (rc >= 0)
		rc = add_kernels_of_releases(db, items, err);
	if (rc < 0)
		return rc;
	*ret_value = query_list_new(STEAL_PTR(items), "release_id", page.limit);
	return 0;
}

/* --- kernels ------------------------------------------------------------------- */

/*
 * For each kernel and set the newest finished run, or the newest one if none
 * has finished: a run that is going on does not hide the last result, and is
 * named as "active_run_id" beside it.
 */
static int add_newest_runs(struct db *db, json_t *kernels, struct err *err)
{
	auto_json json_t *index = query_index(kernels, "kernel_id");
	auto_json json_t *runs = json_array();
	auto_free char *ids = query_ids(kernels, "kernel_id");
	json_t *kernel, *run;
	size_t i;
	int rc;

	json_array_foreach(kernels, i, kernel)
		json_object_set_new(kernel, "runs", json_array());
	rc = query_rows(
		db, runs, err,
		"SELECT run_id, kernel_id, set_name AS \"set\", state, clock, planned, total,"
		" note, finished_us, active_run_id FROM (SELECT *, row_number() OVER"
		"  (PARTITION BY kernel_id, set_name ORDER BY state = 'done' DESC, run_id DESC)"
		"  AS place, max(run_id) FILTER (WHERE state IN ('queued', 'running')) OVER"
		"  (PARTITION BY kernel_id, set_name) AS active_run_id"
		"  FROM run WHERE kernel_id IN (SELECT value FROM json_each(?)))"
		" WHERE place = 1 ORDER BY set_name",
		DB_TEXT(ids));
	if (rc >= 0)
		rc = query_add_run_facts(db, runs, err);
	if (rc < 0)
		return rc;
	json_array_foreach(runs, i, run) {
		kernel = query_index_get(index, json_int_or(run, "kernel_id", 0));
		json_object_del(run, "kernel_id");
		json_array_append(json_object_get(kernel, "runs"), run);
	}
	return 0;
}

int query_kernels(struct db *db, const struct query_kernel_filter *filter, struct query_page page,
		  json_t **ret_value, struct err *err)
{
	auto_json json_t *items = json_array();
	int rc;

	rc = query_rows(db, items, err,
			KERNEL_COLUMNS " WHERE (?1 IS NULL OR r.series = ?1)"
				       " AND (?2 IS NULL OR k.state = ?2)"
				       " AND (?3 IS NULL OR r.release_id = ?3)"
				       " AND (?4 IS NULL OR k.kernel_id < ?4)"
				       " ORDER BY k.kernel_id DESC LIMIT ?5",
			DB_TEXT(filter->series), DB_TEXT(filter->state), DB_ID(filter->release_id),
			DB_ID(page.cursor), DB_INT(page.limit + 1));
	if (rc >= 0)
		rc = add_newest_runs(db, items, err);
	if (rc < 0)
		return rc;
	*ret_value = query_list_new(STEAL_PTR(items), "kernel_id", page.limit);
	return 0;
}

static int put_config_diff(struct db *db, json_t *kernel, int64_t kernel_id, struct err *err)
{
	json_t *diff = NULL;
	int rc;

	rc = query_row(db, &diff, err,
		       "SELECT k.config_diff AS text, k.config_diff_kernel_id AS kernel_id,"
		       " r.name AS release FROM kernel k"
		       " LEFT JOIN kernel o ON o.kernel_id = k.config_diff_kernel_id"
		       " LEFT JOIN release r ON r.release_id = o.release_id"
		       " WHERE k.kernel_id = ? AND k.config_diff IS NOT NULL",
		       DB_INT(kernel_id));
	if (rc < 0)
		return rc;
	json_object_set_new(kernel, "config_diff", rc > 0 ? diff : json_null());
	return 0;
}

static int put_lists(struct db *db, json_t *kernel, int64_t kernel_id, struct err *err)
{
	const struct query_decision_filter about = { .kernel_id = kernel_id };
	const struct query_cycle_filter of_kernel = { .kernel_id = kernel_id, .active = -1 };
	const struct query_page page = { .limit = 50 };
	auto_json json_t *cycles = NULL, *decisions = NULL;
	int rc;

	rc = query_cycles(db, &of_kernel, page, &cycles, err);
	if (rc >= 0)
		rc = query_decisions(db, &about, page, &decisions, err);
	if (rc < 0)
		return rc;
	json_object_set(kernel, "cycles", json_object_get(cycles, "items"));
	json_object_set(kernel, "decisions", json_object_get(decisions, "items"));
	return 0;
}

int query_kernel(struct db *db, int64_t kernel_id, json_t **ret_value, struct err *err)
{
	auto_json json_t *kernel = NULL, *alone = json_array();
	int rc;

	rc = query_row(db, &kernel, err, KERNEL_COLUMNS " WHERE k.kernel_id = ?",
		       DB_INT(kernel_id));
	if (rc == 0)
		return err_set(err, LAB_ENOTFOUND, "no kernel %" PRId64, kernel_id);
	if (rc < 0)
		return rc;
	json_array_append(alone, kernel);
	rc = add_newest_runs(db, alone, err);
	if (rc >= 0)
		rc = put_config_diff(db, kernel, kernel_id, err);
	if (rc >= 0)
		rc = query_put_files(db, kernel, kernel_id, 0, 0, err);
	if (rc >= 0)
		rc = put_lists(db, kernel, kernel_id, err);
	if (rc < 0)
		return rc;
	*ret_value = STEAL_PTR(kernel);
	return 0;
}
