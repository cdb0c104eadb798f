/* Runs: lists, and one with its diffs and files. */
#include "db/query_int.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"

int query_runs(struct db *db, const struct query_run_filter *filter, struct query_page page,
	       json_t **ret_value, struct err *err)
{
	auto_json json_t *items = json_array();
	int rc;

	rc = query_rows(
		db, items, err,
		"SELECT " QUERY_RUN_COLUMNS " FROM run n" QUERY_RUN_JOIN
		" WHERE (?1 IS NULL OR n.kernel_id = ?1) AND (?2 IS NULL OR n.cycle_id = ?2)"
		" AND (?3 IS NULL OR n.set_name = ?3) AND (?4 IS NULL OR n.state = ?4)"
		" AND (?5 IS NULL OR n.run_id < ?5) ORDER BY n.run_id DESC LIMIT ?6",
		DB_ID(filter->kernel_id), DB_ID(filter->cycle_id), DB_TEXT(filter->set_name),
		DB_TEXT(filter->state), DB_ID(page.cursor), DB_INT(page.limit + 1));
	if (rc >= 0)
		rc = query_add_run_facts(db, items, err);
	if (rc < 0)
		return rc;
	*ret_value = query_list_new(STEAL_PTR(items), "run_id", page.limit);
	return 0;
}

/* The running job of the run: how far it is. */
static int put_job(struct db *db, json_t *run, int64_t run_id, struct err *err)
{
	json_t *job = NULL;
	int rc;

	rc = query_row(db, &job, err,
		       "SELECT job_id, phase, done, total, text FROM job"
		       " WHERE run_id = ? AND state = 'running' ORDER BY job_id DESC LIMIT 1",
		       DB_INT(run_id));
	if (rc < 0)
		return rc;
	json_object_set_new(run, "job", rc > 0 ? job : json_null());
	return 0;
}

int query_run(struct db *db, int64_t run_id, json_t **ret_value, struct err *err)
{
	const struct query_diff_filter about = { .run_id = run_id };
	auto_json json_t *run = NULL, *alone = json_array(), *diffs = NULL;
	int rc;

	rc = query_row(db, &run, err,
		       "SELECT " QUERY_RUN_COLUMNS ", n.settings_json AS \"settings:json\","
		       " (SELECT coalesce(sum(clock_ns), 0) FROM verdict v"
		       "  WHERE v.run_id = n.run_id AND v.final) AS protocol_ns"
		       " FROM run n" QUERY_RUN_JOIN " WHERE n.run_id = ?",
		       DB_INT(run_id));
	if (rc == 0)
		return err_set(err, LAB_ENOTFOUND, "no run %" PRId64, run_id);
	if (rc < 0)
		return rc;
	json_array_append(alone, run);
	rc = query_add_run_facts(db, alone, err);
	if (rc >= 0)
		rc = put_job(db, run, run_id, err);
	if (rc >= 0)
		rc = query_diffs(db, &about, (struct query_page){ .limit = 20 }, &diffs, err);
	if (rc >= 0)
		rc = query_put_files(db, run, 0, run_id, 0, err);
	if (rc < 0)
		return rc;
	json_object_set(run, "diffs", json_object_get(diffs, "items"));
	*ret_value = STEAL_PTR(run);
	return 0;
}
