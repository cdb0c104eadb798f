/* Making diffs: what a run is compared with, and what came of it. */
#include "db/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/time.h"
#include "db/compare.h"
#include "db/db.h"
#include "db/diff_int.h"

/* --- reading what is compared ---------------------------------------------- */

void verdict_list_release(struct verdict_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free((char *)(uintptr_t)list->items[i].test_id);
		free((char *)(uintptr_t)list->items[i].signature);
		free((char *)(uintptr_t)list->items[i].test_version);
	}
	free(list->items);
	*list = (struct verdict_list){ 0 };
}

int verdict_list_load(struct db *db, int64_t run_id, struct verdict_list *list, struct err *err)
{
	auto_stmt struct stmt *stmt = NULL;
	int rc;

	rc = db_query(db, &stmt, err,
		      "SELECT verdict_id, test_id, signature, test_version, verdict FROM verdict"
		      " WHERE run_id = ? AND final ORDER BY position, test_id",
		      DB_INT(run_id));
	while (rc >= 0 && (rc = stmt_step(stmt, err)) > 0) {
		enum verdict verdict;

		rc = verdict_from_string(stmt_text(stmt, 4), &verdict);
		if (rc < 0)
			return err_set(err, rc, "verdict %" PRId64 ": '%s' is no verdict",
				       stmt_int(stmt, 0), stmt_text(stmt, 4));
		list->items = xreallocarray(list->items, list->count + 1, sizeof(*list->items));
		list->items[list->count++] = (struct compare_verdict){
			.verdict_id = stmt_int(stmt, 0),
			.test_id = xstrdup(stmt_text(stmt, 1)),
			.signature = xstrdup(stmt_text(stmt, 2)),
			.test_version = xstrdup(stmt_text(stmt, 3)),
			.verdict = verdict,
		};
	}
	return rc;
}

struct candidate_list {
	struct key_candidate *items; /* strings are ours */
	size_t count;
};

static void candidate_list_release(struct candidate_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free((char *)(uintptr_t)list->items[i].name);
		free((char *)(uintptr_t)list->items[i].series);
		free((char *)(uintptr_t)list->items[i].type);
		free((char *)(uintptr_t)list->items[i].sort_key);
	}
	free(list->items);
	*list = (struct candidate_list){ 0 };
}

/* Every release, with its newest finished run of the set if it has one. */
static int load_candidates(struct db *db, const char *set_name, struct candidate_list *list,
			   struct err *err)
{
	auto_stmt struct stmt *stmt = NULL;
	int rc;

	rc = db_query(db, &stmt, err,
		      "SELECT r.release_id, max(n.run_id), r.name, r.series, r.type, r.sort_key,"
		      " max(coalesce(k.known_good, 0)) FROM release r"
		      " LEFT JOIN kernel k USING (release_id)"
		      " LEFT JOIN run n ON n.kernel_id = k.kernel_id AND n.set_name = ?"
		      "  AND n.state = 'done'"
		      " GROUP BY r.release_id",
		      DB_TEXT(set_name));
	while (rc >= 0 && (rc = stmt_step(stmt, err)) > 0) {
		list->items = xreallocarray(list->items, list->count + 1, sizeof(*list->items));
		list->items[list->count++] = (struct key_candidate){
			.release_id = stmt_int(stmt, 0),
			.run_id = stmt_int(stmt, 1),
			.name = xstrdup(stmt_text(stmt, 2)),
			.series = xstrdup(stmt_text(stmt, 3)),
			.type = xstrdup(stmt_text(stmt, 4)),
			.sort_key = xstrdup(stmt_text(stmt, 5)),
			.known_good = stmt_int(stmt, 6) != 0,
		};
	}
	return rc;
}

/* --- writing --------------------------------------------------------------- */

int diff_find_failing_since(struct db *db, const struct series_place *place, const char *test_id,
			    int64_t *ret_release_id, struct err *err)
{
	auto_stmt struct stmt *stmt = NULL;
	int64_t since = 0;
	int rc;

	rc = db_query(
		db, &stmt, err,
		"SELECT r.release_id, v.verdict FROM release r JOIN kernel k USING (release_id)"
		" JOIN run n ON n.kernel_id = k.kernel_id AND n.set_name = ?"
		" JOIN verdict v ON v.run_id = n.run_id AND v.final AND v.test_id = ?"
		" WHERE r.series = ? AND r.sort_key <= ? AND v.verdict <> 'ERROR'"
		" ORDER BY r.sort_key DESC, n.run_id DESC",
		DB_TEXT(place->set_name), DB_TEXT(test_id), DB_TEXT(place->series),
		DB_TEXT(place->sort_key));
	while (rc >= 0 && (rc = stmt_step(stmt, err)) > 0) {
		if (strcmp(stmt_text(stmt, 1), "FAIL") != 0)
			break;
		since = stmt_int(stmt, 0);
	}
	if (rc < 0)
		return rc;
	*ret_release_id = since;
	return 0;
}

static int put_entries(struct db *db, int64_t diff_id, const struct run_row *run,
		       const struct release_row *release, const struct compare_entry *entries,
		       size_t count, struct err *err)
{
	const struct series_place place = { run->set_name, release->series, release->sort_key };
	int rc = 0;

	for (size_t i = 0; i < count && rc >= 0; i++) {
		int64_t since = 0;

		if (entries[i].change == COMPARE_UNCHANGED)
			continue;
		if (entries[i].change == COMPARE_STILL_FAILING)
			rc = diff_find_failing_since(db, &place, entries[i].test_id, &since, err);
		if (rc >= 0)
			rc = db_run(
				db, err,
				"INSERT INTO diff_entry (diff_id, test_id, change, old_verdict_id,"
				" new_verdict_id, since_release_id) VALUES (?, ?, ?, ?, ?, ?)",
				DB_INT(diff_id), DB_TEXT(entries[i].test_id),
				DB_TEXT(compare_change_to_string(entries[i].change)),
				DB_ID(entries[i].old_verdict_id), DB_ID(entries[i].new_verdict_id),
				DB_ID(since));
	}
	return rc;
}

static int put_diff(struct db *db, const struct run_row *run, const struct release_row *release,
		    int64_t old_run_id, const char *why, struct err *err)
{
	auto_cleanup(verdict_list_release) struct verdict_list then = { 0 };
	auto_cleanup(verdict_list_release) struct verdict_list now = { 0 };
	auto_free struct compare_entry *entries = NULL;
	size_t counts[COMPARE_CHANGE_COUNT_], count;
	int64_t diff_id;
	int rc;

	rc = verdict_list_load(db, old_run_id, &then, err);
	if (rc >= 0)
		rc = verdict_list_load(db, run->run_id, &now, err);
	if (rc >= 0)
		rc = db_run(db, err, "DELETE FROM diff WHERE old_run_id = ? AND new_run_id = ?",
			    DB_INT(old_run_id), DB_INT(run->run_id));
	if (rc < 0)
		return rc;
	count = compare_runs(then.items, then.count, now.items, now.count, &entries, counts);
	rc = db_run(
		db, err,
		"INSERT INTO diff (old_run_id, new_run_id, why, created_us, regressed, fixed, new,"
		" gone, changed, still_failing, unchanged)"
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		DB_INT(old_run_id), DB_INT(run->run_id), DB_TEXT(why), DB_INT(time_wall_us()),
		DB_INT((int64_t)counts[COMPARE_REGRESSED]), DB_INT((int64_t)counts[COMPARE_FIXED]),
		DB_INT((int64_t)counts[COMPARE_NEW]), DB_INT((int64_t)counts[COMPARE_GONE]),
		DB_INT((int64_t)(counts[COMPARE_CHANGED] + counts[COMPARE_TEST_CHANGED])),
		DB_INT((int64_t)counts[COMPARE_STILL_FAILING]),
		DB_INT((int64_t)counts[COMPARE_UNCHANGED]));
	if (rc < 0)
		return rc;
	diff_id = db_last_id(db);
	rc = put_entries(db, diff_id, run, release, entries, count, err);
	if (rc < 0)
		return rc;
	return decision_add(
		db, "compare",
		(struct decision_about){
			.kernel_id = run->kernel_id, .run_id = run->run_id, .diff_id = diff_id },
		err, "%s, set %s: compared with %s: %zu regressed, %zu fixed", release->name,
		run->set_name, why, counts[COMPARE_REGRESSED], counts[COMPARE_FIXED]);
}

static int make_key_diffs(struct db *db, const struct run_row *run,
			  const struct release_row *release, struct err *err)
{
	auto_cleanup(candidate_list_release) struct candidate_list candidates = { 0 };
	auto_json json_t *detail = json_loads(release->detail_json, 0, NULL);
	struct key_choice choices[KEY_CHOICES_MAX];
	const struct key_candidate *target = NULL;
	size_t count;
	int rc;

	rc = load_candidates(db, run->set_name, &candidates, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < candidates.count; i++)
		if (candidates.items[i].release_id == release->release_id)
			target = &candidates.items[i];
	if (!target)
		return err_set(err, LAB_ENOTFOUND, "release '%s' is gone", release->name);
	count = key_releases(target, json_string_or(detail, "based_on", NULL), candidates.items,
			     candidates.count, choices);
	for (size_t i = 0; i < count && rc >= 0; i++)
		rc = put_diff(db, run, release, choices[i].run_id, choices[i].why, err);
	if (rc >= 0 && count == 0)
		rc = decision_add(db, "compare",
				  (struct decision_about){ .kernel_id = run->kernel_id,
							   .run_id = run->run_id },
				  err, "%s, set %s: no key release has results yet", release->name,
				  run->set_name);
	return rc;
}

/* Beside the key releases: did the same kernel behave as the last time? */
static int make_repeat_diff(struct db *db, const struct run_row *run,
			    const struct release_row *release, struct err *err)
{
	int64_t before = 0;
	int rc;

	rc = db_get_int(db, &before, err,
			"SELECT max(run_id) FROM run WHERE kernel_id = ? AND set_name = ?"
			" AND state = 'done' AND run_id < ?",
			DB_INT(run->kernel_id), DB_TEXT(run->set_name), DB_INT(run->run_id));
	if (rc <= 0)
		return rc;
	return put_diff(db, run, release, before, "the run before of the same kernel", err);
}

int diff_make(struct db *db, int64_t run_id, struct err *err)
{
	auto_cleanup(run_row_release) struct run_row run = { 0 };
	auto_cleanup(release_row_release) struct release_row release = { 0 };
	int rc;

	rc = run_load(db, run_id, &run, err);
	if (rc >= 0)
		rc = release_load(db, run.release_id, &release, err);
	if (rc >= 0)
		rc = db_begin(db, err);
	if (rc < 0)
		return rc;
	rc = make_key_diffs(db, &run, &release, err);
	if (rc >= 0)
		rc = make_repeat_diff(db, &run, &release, err);
	rc = db_end(db, rc, err);
	return rc < 0 ? rc : 0;
}

int diff_count_unhealthy(struct db *db, int64_t run_id, char **ret_text, struct err *err)
{
	auto_stmt struct stmt *stmt = NULL;
	auto_cleanup(buf_release_p) struct buf text = BUF_INIT(1000);
	int count = 0, rc;

	rc = db_query(
		db, &stmt, err,
		"SELECT v.test_id, v.verdict FROM verdict v JOIN run n USING (run_id)"
		" WHERE v.run_id = ?1 AND v.final AND (v.verdict = 'ERROR' OR (v.verdict <> 'PASS'"
		" AND EXISTS (SELECT 1 FROM verdict o JOIN run m ON m.run_id = o.run_id"
		"  JOIN kernel k ON k.kernel_id = m.kernel_id"
		"  WHERE k.known_good AND m.set_name = n.set_name AND m.run_id < ?1 AND o.final"
		"  AND o.test_id = v.test_id AND o.test_version = v.test_version"
		"  AND o.verdict = 'PASS'))) ORDER BY v.position",
		DB_INT(run_id));
	while (rc >= 0 && (rc = stmt_step(stmt, err)) > 0) {
		if (count++ < 5)
			buf_printf(&text, "%s%s %s", count > 1 ? ", " : "", stmt_text(stmt, 0),
				   stmt_text(stmt, 1));
	}
	if (rc < 0)
		return rc;
	if (count > 5)
		buf_printf(&text, " and %d more", count - 5);
	*ret_text = count ? buf_take_string(&text) : NULL;
	return count;
}
