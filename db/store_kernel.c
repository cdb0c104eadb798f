/* Writing of kernels and of the files that belong to kernels, runs and verdicts. */
#include "db/store.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/time.h"
#include "db/db.h"

void kernel_row_release(struct kernel_row *row)
{
	free(row->config_name);
	free(row->state);
	*row = (struct kernel_row){ 0 };
}

int kernel_add(struct db *db, int64_t release_id, const char *config_name, bool known_good,
	       int64_t *ret_kernel_id, struct err *err)
{
	int rc;

	rc = db_get_int(db, ret_kernel_id, err,
			"SELECT kernel_id FROM kernel WHERE release_id = ? AND config_name = ?",
			DB_INT(release_id), DB_TEXT(config_name));
	if (rc < 0)
		return rc;
	if (rc > 0)
		return 0;
	rc = db_run(db, err,
		    "INSERT INTO kernel (release_id, config_name, state, created_us, known_good)"
		    " VALUES (?, ?, 'new', ?, ?)",
		    DB_INT(release_id), DB_TEXT(config_name), DB_INT(time_wall_us()),
		    DB_INT(known_good));
	if (rc < 0)
		return rc;
	*ret_kernel_id = db_last_id(db);
	return 1;
}

int kernel_load(struct db *db, int64_t kernel_id, struct kernel_row *ret_row, struct err *err)
{
	auto_stmt struct stmt *stmt = NULL;
	int rc;

	rc = db_query(db, &stmt, err,
		      "SELECT release_id, config_name, state, known_good FROM kernel"
		      " WHERE kernel_id = ?",
		      DB_INT(kernel_id));
	if (rc >= 0)
		rc = stmt_step(stmt, err);
	if (rc == 0)
		return err_set(err, LAB_ENOTFOUND, "no kernel %" PRId64, kernel_id);
	if (rc < 0)
		return rc;
	*ret_row = (struct kernel_row){
		.kernel_id = kernel_id,
		.release_id = stmt_int(stmt, 0),
		.config_name = xstrdup(stmt_text(stmt, 1)),
		.state = xstrdup(stmt_text(stmt, 2)),
		.known_good = stmt_int(stmt, 3) != 0,
	};
	return 0;
}

int kernel_set_state(struct db *db, int64_t kernel_id, const char *state, struct err *err)
{
	return db_run(db, err, "UPDATE kernel SET state = ? WHERE kernel_id = ?", DB_TEXT(state),
		      DB_INT(kernel_id));
}

int kernel_set_failed(struct db *db, int64_t kernel_id, const char *first_error, struct err *err)
{
	return db_run(db, err,
		      "UPDATE kernel SET state = 'failed', first_error = ?, built_us = ?"
		      " WHERE kernel_id = ?",
		      DB_TEXT(first_error), DB_INT(time_wall_us()), DB_INT(kernel_id));
}

int kernel_set_built(struct db *db, int64_t kernel_id, const struct kernel_build *build,
		     struct err *err)
{
	return db_run(db, err,
		      "UPDATE kernel SET state = 'built', first_error = NULL, compiler = ?,"
		      " build_us = ?, objects = ?, config_diff = ?, config_diff_kernel_id = ?,"
		      " built_us = ?, uname = coalesce(?, uname) WHERE kernel_id = ?",
		      DB_TEXT(build->compiler), DB_ID(build->build_us), DB_ID(build->objects),
		      DB_TEXT(build->config_diff), DB_ID(build->previous_kernel_id),
		      DB_INT(time_wall_us()), DB_TEXT(build->uname), DB_INT(kernel_id));
}

int kernel_set_uname(struct db *db, int64_t kernel_id, const char *uname, struct err *err)
{
	return db_run(db, err, "UPDATE kernel SET uname = ? WHERE kernel_id = ?", DB_TEXT(uname),
		      DB_INT(kernel_id));
}

int kernel_find_previous(struct db *db, int64_t release_id, const char *config_name,
			 int64_t *ret_kernel_id, struct err *err)
{
	return db_get_int(db, ret_kernel_id, err,
			  "SELECT k.kernel_id FROM release r"
			  " JOIN release o ON o.series = r.series AND o.sort_key < r.sort_key"
			  " JOIN kernel k ON k.release_id = o.release_id AND k.config_name = ?2"
			  " JOIN file f ON f.kernel_id = k.kernel_id AND f.role = 'config'"
			  " WHERE r.release_id = ?1 ORDER BY o.sort_key DESC LIMIT 1",
			  DB_INT(release_id), DB_TEXT(config_name));
}

int file_put(struct db *db, struct file_owner owner, const char *role, const char *name,
	     int64_t artifact_id, struct err *err)
{
	int rc;

	lab_assert(!!owner.kernel_id + !!owner.run_id + !!owner.verdict_id == 1);
	rc = db_begin(db, err);
	if (rc < 0)
		return rc;
	rc = db_run(db, err,
		    "DELETE FROM file WHERE kernel_id IS ? AND run_id IS ? AND verdict_id IS ?"
		    " AND role = ? AND name = ?",
		    DB_ID(owner.kernel_id), DB_ID(owner.run_id), DB_ID(owner.verdict_id),
		    DB_TEXT(role), DB_TEXT(name));
	if (rc >= 0)
		rc = db_run(
			db, err,
			"INSERT INTO file (kernel_id, run_id, verdict_id, role, name, artifact_id)"
			" VALUES (?, ?, ?, ?, ?, ?)",
			DB_ID(owner.kernel_id), DB_ID(owner.run_id), DB_ID(owner.verdict_id),
			DB_TEXT(role), DB_TEXT(name), DB_INT(artifact_id));
	return db_end(db, rc, err);
}

int file_find(struct db *db, int64_t kernel_id, const char *role, int64_t *ret_artifact_id,
	      struct err *err)
{
	return db_get_int(db, ret_artifact_id, err,
			  "SELECT artifact_id FROM file WHERE kernel_id = ? AND role = ?"
			  " ORDER BY file_id DESC LIMIT 1",
			  DB_INT(kernel_id), DB_TEXT(role));
}
