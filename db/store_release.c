/* Writing of releases. */
#include "db/store.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/time.h"
#include "db/db.h"

void release_row_release(struct release_row *row)
{
	free(row->name);
	free(row->series);
	free(row->type);
	free(row->identity);
	free(row->sort_key);
	free(row->detail_json);
	*row = (struct release_row){ 0 };
}

int release_add(struct db *db, struct release_row *row, struct err *err)
{
	int rc;

	/* IS, because a release without source has NULL there, which UNIQUE takes as ever new. */
	rc = db_get_int(db, &row->release_id, err,
			"SELECT release_id FROM release WHERE source_id IS ? AND identity = ?",
			DB_ID(row->source_id), DB_TEXT(row->identity));
	if (rc < 0)
		return rc;
	if (rc > 0) /* how to fetch it may have changed (a mirror, a pool path) */
		rc = db_run(db, err, "UPDATE release SET detail_json = ? WHERE release_id = ?",
			    DB_TEXT(row->detail_json), DB_INT(row->release_id));
	else
		rc = db_run(
			db, err,
			"INSERT INTO release (source_id, name, series, type, identity, sort_key,"
			" released_us, found_us, prebuilt, detail_json)"
			" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			DB_ID(row->source_id), DB_TEXT(row->name), DB_TEXT(row->series),
			DB_TEXT(row->type), DB_TEXT(row->identity), DB_TEXT(row->sort_key),
			DB_ID(row->released_us), DB_INT(time_wall_us()), DB_INT(row->prebuilt),
			DB_TEXT(row->detail_json));
	if (rc < 0)
		return rc;
	if (row->release_id)
		return 0;
	row->release_id = db_last_id(db);
	return 1;
}

int release_load(struct db *db, int64_t release_id, struct release_row *ret_row, struct err *err)
{
	auto_stmt struct stmt *stmt = NULL;
	int rc;

	rc = db_query(db, &stmt, err,
		      "SELECT source_id, name, series, type, identity, sort_key, detail_json,"
		      " released_us, prebuilt FROM release WHERE release_id = ?",
		      DB_INT(release_id));
	if (rc >= 0)
		rc = stmt_step(stmt, err);
	if (rc == 0)
		return err_set(err, LAB_ENOTFOUND, "no release %" PRId64, release_id);
	if (rc < 0)
		return rc;
	*ret_row = (struct release_row){
		.release_id = release_id,
		.source_id = stmt_int(stmt, 0),
		.name = xstrdup(stmt_text(stmt, 1)),
		.series = xstrdup(stmt_text(stmt, 2)),
		.type = xstrdup(stmt_text(stmt, 3)),
		.identity = xstrdup(stmt_text(stmt, 4)),
		.sort_key = xstrdup(stmt_text(stmt, 5)),
		.detail_json = xstrdup(stmt_text(stmt, 6)),
		.released_us = stmt_int(stmt, 7),
		.prebuilt = stmt_int(stmt, 8) != 0,
	};
	return 0;
}

int release_find(struct db *db, const char *name, int64_t *ret_release_id, struct err *err)
{
	int rc;

	rc = db_get_int(db, ret_release_id, err,
			"SELECT max(release_id) FROM release WHERE name = ?", DB_TEXT(name));
	if (rc == 0)
		return err_set(err, LAB_ENOTFOUND, "release '%s': no source has offered it", name);
	return rc < 0 ? rc : 0;
}
