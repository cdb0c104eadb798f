/* What is known of stored bytes before they are read (db/artifact.h). */
#include "db/query_int.h"

#include <inttypes.h>

#include "base/err.h"

int query_file(struct db *db, int64_t file_id, json_t **ret_value, struct err *err)
{
	int rc;

	rc = query_row(db, ret_value, err,
		       "SELECT f.file_id, a.artifact_id, a.sha256, a.size_bytes, f.role, f.name"
		       " FROM file f JOIN artifact a USING (artifact_id)"
		       " WHERE f.file_id = ? AND a.complete",
		       DB_INT(file_id));
	return rc == 0 ? err_set(err, LAB_ENOTFOUND, "no file %" PRId64, file_id) : rc;
}

int query_artifact(struct db *db, const char *sha256, json_t **ret_value, struct err *err)
{
	int rc;

	rc = query_row(db, ret_value, err,
		       "SELECT f.file_id, a.artifact_id, a.sha256, a.size_bytes, f.role, f.name"
		       " FROM artifact a LEFT JOIN file f USING (artifact_id)"
		       " WHERE a.sha256 = ? AND a.complete ORDER BY f.file_id DESC LIMIT 1",
		       DB_TEXT(sha256));
	return rc == 0 ? err_set(err, LAB_ENOTFOUND, "no artifact '%s'", sha256) : rc;
}
