/* Writing of jobs. */
#include "db/store.h"

#include "base/alloc.h"
#include "base/time.h"
#include "db/db.h"

int job_add(struct db *db, const struct job_new *job, int64_t *ret_job_id, struct err *err)
{
	int rc;

	rc = db_run(db, err,
		    "INSERT INTO job (cycle_id, source_id, run_id, kind, state, started_us,"
		    " deadline_us) VALUES (?, ?, ?, ?, 'running', ?, ?)",
		    DB_ID(job->cycle_id), DB_ID(job->source_id), DB_ID(job->run_id),
		    DB_TEXT(job->kind), DB_INT(time_wall_us()), DB_INT(job->deadline_us));
	if (rc < 0)
		return rc;
	*ret_job_id = db_last_id(db);
	return 0;
}

int job_set_process(struct db *db, int64_t job_id, int64_t pid, const char *key, struct err *err)
{
	return db_run(db, err, "UPDATE job SET pid = ?, process_key = ? WHERE job_id = ?",
		      DB_INT(pid), DB_TEXT(key), DB_INT(job_id));
}

int job_set_progress(struct db *db, int64_t job_id, const char *phase, int64_t done, int64_t total,
		     const char *text, struct err *err)
{
	return db_run(
		db, err,
		"UPDATE job SET phase = ?, done = nullif(?, -1), total = nullif(?, -1), text = ?"
		" WHERE job_id = ?",
		DB_TEXT(phase), DB_INT(done), DB_INT(total), DB_TEXT(text), DB_INT(job_id));
}

int job_finish(struct db *db, int64_t job_id, const char *state, const char *text,
	       const char *log_tail, struct err *err)
{
	return db_run(db, err,
		      "UPDATE job SET state = ?, finished_us = ?, text = coalesce(?, text),"
		      " log_tail = ? WHERE job_id = ?",
		      DB_TEXT(state), DB_INT(time_wall_us()), DB_TEXT(text), DB_TEXT(log_tail),
		      DB_INT(job_id));
}

int job_list_running(struct db *db, struct job_left **ret_jobs, struct err *err)
{
	auto_stmt struct stmt *stmt = NULL;
	struct job_left *jobs = NULL;
	int count = 0, rc;

	rc = db_query(db, &stmt, err,
		      "SELECT job_id, pid, process_key FROM job WHERE state = 'running'");
	while (rc >= 0 && (rc = stmt_step(stmt, err)) > 0) {
		jobs = xreallocarray(jobs, (size_t)count + 1, sizeof(*jobs));
		jobs[count++] = (struct job_left){
			.job_id = stmt_int(stmt, 0),
			.pid = stmt_int(stmt, 1),
			.process_key = xstrdup(stmt_text(stmt, 2)),
		};
	}
	if (rc < 0) {
		for (int i = 0; i < count; i++)
			free(jobs[i].process_key);
		free(jobs);
		return rc;
	}
	*ret_jobs = jobs;
	return count;
}
