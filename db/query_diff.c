/* Diffs: those that the lab made, and any two runs compared on the fly. */
#include "db/query_int.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "db/diff_int.h"

#define DIFF_COLUMNS                                                                               \
	"SELECT d.diff_id, n.set_name AS \"set\", d.old_run_id, o.kernel_id AS old_kernel_id,"     \
	" orel.name AS old_release, d.new_run_id, n.kernel_id AS new_kernel_id,"                   \
	" nrel.name AS new_release, d.why, d.created_us, d.regressed, d.fixed, d.new, d.gone,"     \
	" d.changed, d.still_failing, d.unchanged FROM diff d"                                     \
	" JOIN run o ON o.run_id = d.old_run_id JOIN kernel ok ON ok.kernel_id = o.kernel_id"      \
	" JOIN release orel ON orel.release_id = ok.release_id"                                    \
	" JOIN run n ON n.run_id = d.new_run_id JOIN kernel nk ON nk.kernel_id = n.kernel_id"      \
	" JOIN release nrel ON nrel.release_id = nk.release_id"

/* From a table `entry` with the columns of diff_entry. */
#define ENTRY_COLUMNS                                                                              \
	"SELECT e.test_id, coalesce(n.title, o.title) AS title, e.change,"                         \
	" e.old_verdict_id, o.verdict AS old_verdict, o.reason AS old_reason,"                     \
	" o.signature AS old_signature, e.new_verdict_id, n.verdict AS new_verdict,"               \
	" n.reason AS new_reason, n.signature AS new_signature, e.since_release_id,"               \
	" r.name AS since_release FROM entry e"                                                    \
	" LEFT JOIN verdict o ON o.verdict_id = e.old_verdict_id"                                  \
	" LEFT JOIN verdict n ON n.verdict_id = e.new_verdict_id"                                  \
	" LEFT JOIN release r ON r.release_id = e.since_release_id"                                \
	" ORDER BY coalesce(n.position, o.position), e.test_id"

int query_diffs(struct db *db, const struct query_diff_filter *filter, struct query_page page,
		json_t **ret_value, struct err *err)
{
	auto_json json_t *items = json_array();
	int rc;

	rc = query_rows(db, items, err,
			DIFF_COLUMNS " WHERE (?1 IS NULL OR d.old_run_id = ?1 OR d.new_run_id = ?1)"
				     " AND (?2 IS NULL OR n.set_name = ?2)"
				     " AND (?3 IS NULL OR d.diff_id < ?3)"
				     " ORDER BY d.diff_id DESC LIMIT ?4",
			DB_ID(filter->run_id), DB_TEXT(filter->set_name), DB_ID(page.cursor),
			DB_INT(page.limit + 1));
	if (rc < 0)
		return rc;
	*ret_value = query_list_new(STEAL_PTR(items), "diff_id", page.limit);
	return 0;
}

int query_diff(struct db *db, int64_t diff_id, json_t **ret_value, struct err *err)
{
	auto_json json_t *diff = NULL;
	int rc;

	rc = query_row(db, &diff, err, DIFF_COLUMNS " WHERE d.diff_id = ?", DB_INT(diff_id));
	if (rc == 0)
		return err_set(err, LAB_ENOTFOUND, "no diff %" PRId64, diff_id);
	if (rc > 0)
		rc = query_put(
			db, diff, "entries", err,
			"WITH entry AS (SELECT * FROM diff_entry WHERE diff_id = ?) " ENTRY_COLUMNS,
			DB_INT(diff_id));
	if (rc < 0)
		return rc;
	*ret_value = STEAL_PTR(diff);
	return 0;
}

/* --- on the fly ---------------------------------------------------------------- */

static int load_side(struct db *db, int64_t run_id, json_t **ret_run, struct verdict_list *list,
		     struct err *err)
{
	int rc;

	rc = query_row(db, ret_run, err,
		       "SELECT n.run_id, n.set_name AS \"set\", n.kernel_id, r.name AS release,"
		       " r.series, r.sort_key FROM run n" QUERY_RUN_JOIN " WHERE n.run_id = ?",
		       DB_INT(run_id));
	if (rc == 0)
		return err_set(err, LAB_ENOTFOUND, "no run %" PRId64, run_id);
	return rc < 0 ? rc : verdict_list_load(db, run_id, list, err);
}

/* The entries as rows for the database to fill in. */
static int entries_to_json(struct db *db, const json_t *run, const struct compare_entry *entries,
			   size_t count, json_t *array, struct err *err)
{
	const struct series_place place = {
		json_string_or(run, "set", ""),
		json_string_or(run, "series", ""),
		json_string_or(run, "sort_key", ""),
	};
	int rc = 0;

	for (size_t i = 0; i < count && rc >= 0; i++) {
		int64_t since = 0;

		if (entries[i].change == COMPARE_UNCHANGED)
			continue;
		if (entries[i].change == COMPARE_STILL_FAILING)
			rc = diff_find_failing_since(db, &place, entries[i].test_id, &since, err);
		json_array_append_new(
			array,
			json_pack("[o, s, I, I, I]",
				  json_string_lossy(entries[i].test_id, strlen(entries[i].test_id)),
				  compare_change_to_string(entries[i].change),
				  (json_int_t)entries[i].old_verdict_id,
				  (json_int_t)entries[i].new_verdict_id, (json_int_t)since));
	}
	return rc;
}

static json_t *diff_to_json(const json_t *then, const json_t *now, const size_t *counts)
{
	return json_pack(
		"{s:n, s:O, s:O, s:O, s:O, s:O, s:O, s:O, s:s, s:n,"
		" s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		"diff_id", "set", json_object_get(now, "set"), "old_run_id",
		json_object_get(then, "run_id"), "old_kernel_id",
		json_object_get(then, "kernel_id"), "old_release", json_object_get(then, "release"),
		"new_run_id", json_object_get(now, "run_id"), "new_kernel_id",
		json_object_get(now, "kernel_id"), "new_release", json_object_get(now, "release"),
		"why", "asked for", "created_us", "regressed",
		(json_int_t)counts[COMPARE_REGRESSED], "fixed", (json_int_t)counts[COMPARE_FIXED],
		"new", (json_int_t)counts[COMPARE_NEW], "gone", (json_int_t)counts[COMPARE_GONE],
		"changed", (json_int_t)(counts[COMPARE_CHANGED] + counts[COMPARE_TEST_CHANGED]),
		"still_failing", (json_int_t)counts[COMPARE_STILL_FAILING], "unchanged",
		(json_int_t)counts[COMPARE_UNCHANGED]);
}

static int check_sets(const json_t *then, const json_t *now, struct err *err)
{
	if (json_equal(json_object_get(then, "set"), json_object_get(now, "set")))
		return 0;
	return err_set(err, LAB_EINVALID,
		       "run %" PRId64 " is of set '%s' and run %" PRId64
		       " of set '%s': expected two runs of one set",
		       json_int_or(then, "run_id", 0), json_string_or(then, "set", ""),
		       json_int_or(now, "run_id", 0), json_string_or(now, "set", ""));
}

int query_diff_of(struct db *db, int64_t old_run_id, int64_t new_run_id, json_t **ret_value,
		  struct err *err)
{
	auto_cleanup(verdict_list_release) struct verdict_list then = { 0 }, now = { 0 };
	auto_json json_t *old_run = NULL, *new_run = NULL, *diff = NULL, *rows = json_array();
	auto_free struct compare_entry *entries = NULL;
	auto_free char *text = NULL;
	size_t counts[COMPARE_CHANGE_COUNT_], count;
	int rc;

	rc = load_side(db, old_run_id, &old_run, &then, err);
	if (rc >= 0)
		rc = load_side(db, new_run_id, &new_run, &now, err);
	if (rc >= 0)
		rc = check_sets(old_run, new_run, err);
	if (rc < 0)
		return rc;
	count = compare_runs(then.items, then.count, now.items, now.count, &entries, counts);
	rc = entries_to_json(db, new_run, entries, count, rows, err);
	if (rc < 0)
		return rc;
	diff = diff_to_json(old_run, new_run, counts);
	text = json_text(rows);
	rc = query_put(
		db, diff, "entries", err,
		"WITH entry AS (SELECT value ->> 0 AS test_id, value ->> 1 AS change,"
		" nullif(value ->> 2, 0) AS old_verdict_id,"
		" nullif(value ->> 3, 0) AS new_verdict_id,"
		" nullif(value ->> 4, 0) AS since_release_id FROM json_each(?)) " ENTRY_COLUMNS,
		DB_TEXT(text));
	if (rc < 0)
		return rc;
	*ret_value = STEAL_PTR(diff);
	return 0;
}
