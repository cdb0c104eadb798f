/* Writing of cycles. Which moves are allowed is orchestrator/cycle.c's business. */
#include "db/store.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/time.h"
#include "db/db.h"

void cycle_row_release(struct cycle_row *row)
{
	free(row->state);
	free(row->reason);
	free(row->sets_json);
	free(row->note);
	*row = (struct cycle_row){ 0 };
}

int cycle_add(struct db *db, const struct cycle_new *cycle, int64_t *ret_cycle_id, struct err *err)
{
	int64_t now_us = time_wall_us();
	int rc;

	rc = db_run(
		db, err,
		"INSERT INTO cycle (kernel_id, state, reason, priority, requested_by, sets_json,"
		" created_us, changed_us) VALUES (?, 'wait', ?, ?, ?, ?, ?, ?)",
		DB_INT(cycle->kernel_id), DB_TEXT(cycle->reason), DB_INT(cycle->priority),
		DB_TEXT(cycle->requested_by), DB_TEXT(cycle->sets_json), DB_INT(now_us),
		DB_INT(now_us));
	if (rc < 0)
		return rc;
	*ret_cycle_id = db_last_id(db);
	return 0;
}

int cycle_load(struct db *db, int64_t cycle_id, struct cycle_row *ret_row, struct err *err)
{
	auto_stmt struct stmt *stmt = NULL;
	int rc;

	rc = db_query(db, &stmt, err,
		      "SELECT c.kernel_id, c.state, c.reason, c.sets_json, c.note, c.attempts,"
		      " c.not_before_us, c.created_us, c.changed_us, k.known_good"
		      " FROM cycle c JOIN kernel k USING (kernel_id) WHERE c.cycle_id = ?",
		      DB_INT(cycle_id));
	if (rc >= 0)
		rc = stmt_step(stmt, err);
	if (rc == 0)
		return err_set(err, LAB_ENOTFOUND, "no cycle %" PRId64, cycle_id);
	if (rc < 0)
		return rc;
	*ret_row = (struct cycle_row){
		.cycle_id = cycle_id,
		.kernel_id = stmt_int(stmt, 0),
		.state = xstrdup(stmt_text(stmt, 1)),
		.reason = xstrdup(stmt_text(stmt, 2)),
		.sets_json = xstrdup(stmt_text(stmt, 3)),
		.note = xstrdup(stmt_text(stmt, 4)),
		.attempts = stmt_int(stmt, 5),
		.not_before_us = stmt_int(stmt, 6),
		.created_us = stmt_int(stmt, 7),
		.changed_us = stmt_int(stmt, 8),
		.known_good = stmt_int(stmt, 9) != 0,
	};
	return 0;
}

/* All integers of the first column; the caller frees *ret_ids. Returns the count. */
static int read_ids(struct stmt *stmt, int64_t **ret_ids, struct err *err)
{
	int64_t *ids = NULL;
	int count = 0, rc;

	while ((rc = stmt_step(stmt, err)) > 0) {
		ids = xreallocarray(ids, (size_t)count + 1, sizeof(*ids));
		ids[count++] = stmt_int(stmt, 0);
	}
	if (rc < 0) {
		free(ids);
		return rc;
	}
	*ret_ids = ids;
	return count;
}

int cycle_list_active(struct db *db, int64_t **ret_ids, struct err *err)
{
	auto_stmt struct stmt *stmt = NULL;
	int rc;

	rc = db_query(db, &stmt, err,
		      "SELECT cycle_id FROM cycle WHERE finished_us IS NULL"
		      " ORDER BY priority DESC, cycle_id");
	return rc < 0 ? rc : read_ids(stmt, ret_ids, err);
}

int cycle_set_state(struct db *db, int64_t cycle_id, const char *from, const char *to,
		    bool finished, const char *note, struct err *err)
{
	int64_t now_us = time_wall_us();
	int rc;

	rc = db_begin(db, err);
	if (rc < 0)
		return rc;
	rc = db_run(db, err,
		    "UPDATE cycle SET state = ?2, note = ?3, attempts = 0, not_before_us = 0,"
		    " changed_us = ?4, finished_us = CASE WHEN ?5 THEN ?4 END"
		    " WHERE cycle_id = ?1 AND state = ?6",
		    DB_INT(cycle_id), DB_TEXT(to), DB_TEXT(note), DB_INT(now_us), DB_INT(finished),
		    DB_TEXT(from));
	lab_assert(rc < 0 ||
		   db_changes(db) == 1); /* the row is in another state than its owner believes */
	if (rc >= 0)
		rc = db_run(db, err,
			    "INSERT INTO cycle_move (cycle_id, from_state, to_state, at_us, note)"
			    " VALUES (?, ?, ?, ?, ?)",
			    DB_INT(cycle_id), DB_TEXT(from), DB_TEXT(to), DB_INT(now_us),
			    DB_TEXT(note));
	return db_end(db, rc, err);
}

int cycle_set_note(struct db *db, int64_t cycle_id, const char *note, struct err *err)
{
	/* Only when it changes: this is asked at each round of the scheduler. */
	return db_run(db, err, "UPDATE cycle SET note = ?2 WHERE cycle_id = ?1 AND note IS NOT ?2",
		      DB_INT(cycle_id), DB_TEXT(note));
}

int cycle_add_attempt(struct db *db, int64_t cycle_id, int64_t not_before_us, const char *note,
		      struct err *err)
{
	return db_run(db, err,
		      "UPDATE cycle SET attempts = attempts + 1, not_before_us = ?, note = ?"
		      " WHERE cycle_id = ?",
		      DB_INT(not_before_us), DB_TEXT(note), DB_INT(cycle_id));
}

int cycle_find_active(struct db *db, int64_t kernel_id, int64_t *ret_cycle_id, struct err *err)
{
	return db_get_int(
		db, ret_cycle_id, err,
		"SELECT max(cycle_id) FROM cycle WHERE kernel_id = ? AND finished_us IS NULL",
		DB_INT(kernel_id));
}

int run_list(struct db *db, int64_t cycle_id, int64_t **ret_ids, struct err *err)
{
	auto_stmt struct stmt *stmt = NULL;
	int rc;

	rc = db_query(db, &stmt, err, "SELECT run_id FROM run WHERE cycle_id = ? ORDER BY run_id",
		      DB_INT(cycle_id));
	return rc < 0 ? rc : read_ids(stmt, ret_ids, err);
}
