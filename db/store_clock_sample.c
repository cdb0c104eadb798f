/*
 * The sample of a run that is repeated on the real clock: what keeps the
 * virtual clock honest (docs/design/003-virtual-time.md).
 */
#include "db/store.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/verdict.h"
#include "db/db.h"

int clock_sample_choose(struct db *db, int64_t run_id, int64_t percent, struct err *err)
{
	int64_t chosen = 0, tests = 0;
	int rc;

	rc = db_get_int(db, &chosen, err, "SELECT count(*) FROM clock_sample WHERE run_id = ?",
			DB_INT(run_id));
	if (rc < 0 || chosen > 0)
		return rc < 0 ? rc : (int)chosen;
	/* An ERROR is no word of the virtual clock about the kernel. */
	rc = db_get_int(db, &tests, err,
			"SELECT count(*) FROM verdict WHERE run_id = ? AND final"
			" AND clock = 'virtual' AND verdict <> 'ERROR'",
			DB_INT(run_id));
	if (rc < 0)
		return rc;
	chosen = (tests * percent + 99) / 100;
	rc = db_run(db, err,
		    "INSERT INTO clock_sample (run_id, test_id, virtual_verdict)"
		    " SELECT run_id, test_id, verdict FROM verdict v"
		    " WHERE run_id = ? AND final AND clock = 'virtual' AND verdict <> 'ERROR'"
		    " ORDER BY (SELECT max(clock_sample_id) FROM clock_sample s"
		    "  WHERE s.test_id = v.test_id) NULLS FIRST, position, verdict_id LIMIT ?",
		    DB_INT(run_id), DB_INT(chosen));
	return rc < 0 ? rc : (int)chosen;
}

int clock_sample_list_open(struct db *db, int64_t run_id, char ***ret_ids, struct err *err)
{
	auto_stmt struct stmt *stmt = NULL;
	int rc;

	rc = db_query(db, &stmt, err,
		      "SELECT test_id FROM clock_sample WHERE run_id = ?"
		      " AND real_verdict IS NULL ORDER BY clock_sample_id",
		      DB_INT(run_id));
	return rc < 0 ? rc : stmt_take_texts(stmt, ret_ids, err);
}

/* The virtual clock's verdict no longer counts; an ERROR that says why does. */
static int put_disagreement(struct db *db, int64_t run_id, const char *test_id,
			    const char *virtual_verdict, const char *real_verdict, struct err *err)
{
	int rc;

	rc = db_run(
		db, err,
		"INSERT INTO verdict (run_id, test_id, title, position, attempt, final, verdict,"
		" reason, signature, test_version, clock, started_us, wall_ns, clock_ns,"
		" restore_ns, teardown_ns, clauses_json, steps_json)"
		" SELECT run_id, test_id, title, position,"
		"  (SELECT max(attempt) + 1 FROM verdict WHERE run_id = v.run_id"
		"   AND test_id = v.test_id), 0, ?3,"
		"  'the clocks disagree: ' || ?4 || ' on the virtual one, ' || ?5 ||"
		"  ' on the real one', test_id || ':clocks-disagree', test_version, 'real',"
		"  started_us, 0, 0, 0, 0, clauses_json, '[]'"
		" FROM verdict v WHERE run_id = ?1 AND test_id = ?2 AND final",
		DB_INT(run_id), DB_TEXT(test_id), DB_TEXT(verdict_to_string(VERDICT_ERROR)),
		DB_TEXT(virtual_verdict), DB_TEXT(real_verdict));
	if (rc < 0)
		return rc;
	return db_run(db, err,
		      "UPDATE verdict SET final = (verdict_id = ?3)"
		      " WHERE run_id = ?1 AND test_id = ?2",
		      DB_INT(run_id), DB_TEXT(test_id), DB_INT(db_last_id(db)));
}

int clock_sample_judge(struct db *db, int64_t run_id, const char *test_id, const char *real_verdict,
		       struct err *err)
{
	auto_free char *virtual_verdict = NULL;
	int rc;

	rc = db_get_text(
		db, &virtual_verdict, err,
		"SELECT virtual_verdict FROM clock_sample WHERE run_id = ? AND test_id = ?",
		DB_INT(run_id), DB_TEXT(test_id));
	if (rc >= 0)
		rc = db_run(db, err,
			    "UPDATE clock_sample SET real_verdict = ?3"
			    " WHERE run_id = ?1 AND test_id = ?2",
			    DB_INT(run_id), DB_TEXT(test_id), DB_TEXT(real_verdict));
	if (rc < 0)
		return rc;
	if (!virtual_verdict)
		return err_set(err, LAB_ENOTFOUND, "test '%s': is not in the sample of the run",
			       test_id);
	if (strcmp(real_verdict, verdict_to_string(VERDICT_ERROR)) == 0 ||
	    strcmp(real_verdict, virtual_verdict) == 0)
		return 0;
	rc = put_disagreement(db, run_id, test_id, virtual_verdict, real_verdict, err);
	return rc < 0 ? rc : 1;
}
