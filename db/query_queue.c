/* What was, is and will be done: cycles, their moves, and jobs. */
#include "db/query_int.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"

#define CYCLE_COLUMNS                                                                              \
	"SELECT c.cycle_id, c.kernel_id, r.release_id, r.name AS release, r.series,"               \
	" k.config_name, k.known_good AS \"known_good:bool\", c.state, c.reason, c.priority,"      \
	" c.requested_by, c.sets_json AS \"sets:json\", c.attempts, c.note, c.created_us,"         \
	" c.changed_us, c.finished_us, c.not_before_us FROM cycle c"                               \
	" JOIN kernel k USING (kernel_id) JOIN release r USING (release_id)"

#define JOB_COLUMNS                                                                                \
	"SELECT j.job_id, j.cycle_id, j.source_id, j.run_id, j.kind, j.state, j.started_us,"       \
	" j.deadline_us, j.finished_us, j.phase, j.done, j.total, j.text, j.log_tail,"             \
	" c.kernel_id, r.name AS release, s.name AS source, n.set_name AS \"set\" FROM job j"      \
	" LEFT JOIN cycle c USING (cycle_id) LEFT JOIN kernel k ON k.kernel_id = c.kernel_id"      \
	" LEFT JOIN release r ON r.release_id = k.release_id"                                      \
	" LEFT JOIN source s ON s.source_id = j.source_id LEFT JOIN run n ON n.run_id = j.run_id"

/* In the order of work (store_cycle.c): there is no cursor, what waits is never much. */
static int list_active(struct db *db, const struct query_cycle_filter *filter, int64_t limit,
		       json_t *items, struct err *err)
{
	return query_rows(db, items, err,
			  CYCLE_COLUMNS
			  " WHERE c.finished_us IS NULL AND (?1 IS NULL OR c.kernel_id = ?1)"
			  " AND (?2 IS NULL OR c.state = ?2)"
			  " ORDER BY c.priority DESC, c.cycle_id LIMIT ?3",
			  DB_ID(filter->kernel_id), DB_TEXT(filter->state), DB_INT(limit));
}

int query_cycles(struct db *db, const struct query_cycle_filter *filter, struct query_page page,
		 json_t **ret_value, struct err *err)
{
	auto_json json_t *items = json_array();
	int rc;

	if (filter->active == 1) {
		rc = list_active(db, filter, page.limit, items, err);
		if (rc < 0)
			return rc;
		*ret_value = json_pack("{s:O, s:n}", "items", items, "next");
		return 0;
	}
	rc = query_rows(db, items, err,
			CYCLE_COLUMNS " WHERE (?1 < 0 OR c.finished_us IS NOT NULL)"
				      " AND (?2 IS NULL OR c.kernel_id = ?2)"
				      " AND (?3 IS NULL OR c.state = ?3)"
				      " AND (?4 IS NULL OR c.cycle_id < ?4)"
				      " ORDER BY c.cycle_id DESC LIMIT ?5",
			DB_INT(filter->active), DB_ID(filter->kernel_id), DB_TEXT(filter->state),
			DB_ID(page.cursor), DB_INT(page.limit + 1));
	if (rc < 0)
		return rc;
	*ret_value = query_list_new(STEAL_PTR(items), "cycle_id", page.limit);
	return 0;
}

int query_cycle(struct db *db, int64_t cycle_id, json_t **ret_value, struct err *err)
{
	auto_json json_t *cycle = NULL;
	int rc;

	rc = query_row(db, &cycle, err, CYCLE_COLUMNS " WHERE c.cycle_id = ?", DB_INT(cycle_id));
	if (rc == 0)
		return err_set(err, LAB_ENOTFOUND, "no cycle %" PRId64, cycle_id);
	if (rc > 0)
		rc = query_put(db, cycle, "moves", err,
			       "SELECT from_state, to_state, at_us, note FROM cycle_move"
			       " WHERE cycle_id = ? ORDER BY cycle_move_id",
			       DB_INT(cycle_id));
	if (rc >= 0)
		rc = query_put(db, cycle, "jobs", err,
			       JOB_COLUMNS " WHERE j.cycle_id = ? ORDER BY j.job_id",
			       DB_INT(cycle_id));
	if (rc >= 0)
		rc = query_put(db, cycle, "runs", err,
			       "SELECT " QUERY_RUN_COLUMNS " FROM run n" QUERY_RUN_JOIN
			       " WHERE n.cycle_id = ? ORDER BY n.run_id",
			       DB_INT(cycle_id));
	if (rc >= 0)
		rc = query_add_run_facts(db, json_object_get(cycle, "runs"), err);
	if (rc < 0)
		return rc;
	*ret_value = STEAL_PTR(cycle);
	return 0;
}

int query_jobs(struct db *db, const struct query_job_filter *filter, struct query_page page,
	       json_t **ret_value, struct err *err)
{
	auto_json json_t *items = json_array();
	int rc;

	rc = query_rows(db, items, err,
			JOB_COLUMNS " WHERE (?1 IS NULL OR j.cycle_id = ?1)"
				    " AND (?2 IS NULL OR j.state = ?2)"
				    " AND (?3 IS NULL OR j.job_id < ?3)"
				    " ORDER BY j.job_id DESC LIMIT ?4",
			DB_ID(filter->cycle_id), DB_TEXT(filter->state), DB_ID(page.cursor),
			DB_INT(page.limit + 1));
	if (rc < 0)
		return rc;
	*ret_value = query_list_new(STEAL_PTR(items), "job_id", page.limit);
	return 0;
}
