/* Writing of runs and verdicts. */
#include "db/store.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/time.h"
#include "db/db.h"

void run_row_release(struct run_row *row)
{
	free(row->set_name);
	free(row->role);
	free(row->state);
	*row = (struct run_row){ 0 };
}

int run_add(struct db *db, int64_t cycle_id, int64_t kernel_id, const char *set_name,
	    const char *role, int64_t *ret_run_id, struct err *err)
{
	int rc;

	rc = db_run(db, err,
		    "INSERT INTO run (cycle_id, kernel_id, set_name, role, state, created_us)"
		    " VALUES (?, ?, ?, ?, 'queued', ?)",
		    DB_ID(cycle_id), DB_INT(kernel_id), DB_TEXT(set_name), DB_TEXT(role),
		    DB_INT(time_wall_us()));
	if (rc < 0)
		return rc;
	*ret_run_id = db_last_id(db);
	return 0;
}

int run_load(struct db *db, int64_t run_id, struct run_row *ret_row, struct err *err)
{
	auto_stmt struct stmt *stmt = NULL;
	int rc;

	rc = db_query(db, &stmt, err,
		      "SELECT r.cycle_id, r.kernel_id, k.release_id, r.set_name, r.role, r.state"
		      " FROM run r JOIN kernel k USING (kernel_id) WHERE r.run_id = ?",
		      DB_INT(run_id));
	if (rc >= 0)
		rc = stmt_step(stmt, err);
	if (rc == 0)
		return err_set(err, LAB_ENOTFOUND, "no run %" PRId64, run_id);
	if (rc < 0)
		return rc;
	*ret_row = (struct run_row){
		.run_id = run_id,
		.cycle_id = stmt_int(stmt, 0),
		.kernel_id = stmt_int(stmt, 1),
		.release_id = stmt_int(stmt, 2),
		.set_name = xstrdup(stmt_text(stmt, 3)),
		.role = xstrdup(stmt_text(stmt, 4)),
		.state = xstrdup(stmt_text(stmt, 5)),
	};
	return 0;
}

int run_find_unfinished(struct db *db, int64_t cycle_id, int64_t *ret_run_id, struct err *err)
{
	return db_get_int(db, ret_run_id, err,
			  "SELECT min(run_id) FROM run WHERE cycle_id = ?"
			  " AND state IN ('queued', 'running')",
			  DB_INT(cycle_id));
}

int run_set_state(struct db *db, int64_t run_id, const char *state, const char *note,
		  struct err *err)
{
	bool running = strcmp(state, "running") == 0;

	return db_run(
		db, err,
		"UPDATE run SET state = ?2, note = coalesce(?3, note),"
		" started_us = CASE WHEN ?4 THEN coalesce(started_us, ?5) ELSE started_us END,"
		" finished_us = CASE WHEN ?4 THEN NULL ELSE ?5 END WHERE run_id = ?1",
		DB_INT(run_id), DB_TEXT(state), DB_TEXT(note), DB_INT(running),
		DB_INT(time_wall_us()));
}

int run_set_note(struct db *db, int64_t run_id, const char *note, struct err *err)
{
	return db_run(db, err, "UPDATE run SET note = ? WHERE run_id = ?", DB_TEXT(note),
		      DB_INT(run_id));
}

int run_set_plan(struct db *db, int64_t run_id, int64_t planned, int64_t total,
		 const char *suite_version, const char *settings_json, struct err *err)
{
	return db_run(db, err,
		      "UPDATE run SET planned = ?, total = ?, suite_version = ?, settings_json = ?"
		      " WHERE run_id = ?",
		      DB_INT(planned), DB_INT(total), DB_TEXT(suite_version),
		      DB_TEXT(settings_json), DB_INT(run_id));
}

int run_set_machine(struct db *db, int64_t run_id, const char *clock, const char *accelerator,
		    struct err *err)
{
	return db_run(db, err, "UPDATE run SET clock = ?, accelerator = ? WHERE run_id = ?",
		      DB_TEXT(clock), DB_TEXT(accelerator), DB_INT(run_id));
}

int run_end_unfinished(struct db *db, int64_t cycle_id, const char *state, const char *note,
		       struct err *err)
{
	return db_run(db, err,
		      "UPDATE run SET state = ?, note = coalesce(?, note), finished_us = ?"
		      " WHERE cycle_id = ? AND state IN ('queued', 'running')",
		      DB_TEXT(state), DB_TEXT(note), DB_INT(time_wall_us()), DB_INT(cycle_id));
}

static int insert_verdict(struct db *db, const struct verdict_new *verdict, bool final,
			  int64_t *ret_verdict_id, struct err *err)
{
	int64_t attempts = 0;
	int rc;

	rc = db_get_int(db, &attempts, err,
			"SELECT count(*) FROM verdict WHERE run_id = ? AND test_id = ?",
			DB_INT(verdict->run_id), DB_TEXT(verdict->test_id));
	if (rc < 0)
		return rc;
	rc = db_run(
		db, err,
		"INSERT INTO verdict (run_id, test_id, title, position, attempt, final, verdict,"
		" reason, signature, test_version, clock, started_us, wall_ns, clock_ns,"
		" restore_ns, teardown_ns, clauses_json, steps_json)"
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		DB_INT(verdict->run_id), DB_TEXT(verdict->test_id), DB_TEXT(verdict->title),
		DB_INT(verdict->position), DB_INT(attempts + 1), DB_INT(final),
		DB_TEXT(verdict->verdict), DB_TEXT(verdict->reason), DB_TEXT(verdict->signature),
		DB_TEXT(verdict->test_version), DB_TEXT(verdict->clock),
		DB_INT(verdict->started_us), DB_INT(verdict->wall_ns), DB_INT(verdict->clock_ns),
		DB_INT(verdict->restore_ns), DB_INT(verdict->teardown_ns),
		DB_TEXT(verdict->clauses_json), DB_TEXT(verdict->steps_json));
	if (rc < 0)
		return rc;
	*ret_verdict_id = db_last_id(db);
	return 0;
}

int verdict_add(struct db *db, const struct verdict_new *verdict, int64_t *ret_verdict_id,
		struct err *err)
{
	int64_t finals = 0;
	int rc;

	rc = db_get_int(db, &finals, err,
			"SELECT count(*) FROM verdict WHERE run_id = ? AND test_id = ?"
			" AND final",
			DB_INT(verdict->run_id), DB_TEXT(verdict->test_id));
	if (rc < 0)
		return rc;
	if (finals)
		return err_set(err, LAB_EEXISTS,
			       "run=%" PRId64 " test=%s: has its final verdict already",
			       verdict->run_id, verdict->test_id);
	return insert_verdict(db, verdict, verdict->final, ret_verdict_id, err);
}

int verdict_add_aside(struct db *db, const struct verdict_new *verdict, int64_t *ret_verdict_id,
		      struct err *err)
{
	return insert_verdict(db, verdict, false, ret_verdict_id, err);
}

int verdict_list_final(struct db *db, int64_t run_id, char ***ret_ids, struct err *err)
{
	auto_stmt struct stmt *stmt = NULL;
	int rc;

	rc = db_query(db, &stmt, err,
		      "SELECT test_id FROM verdict WHERE run_id = ? AND final ORDER BY position",
		      DB_INT(run_id));
	return rc < 0 ? rc : stmt_take_texts(stmt, ret_ids, err);
}
