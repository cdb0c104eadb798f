/* Writing of sources. */
#include "db/store.h"

#include "base/alloc.h"
#include "base/err.h"
#include "base/time.h"
#include "db/db.h"

void source_row_release(struct source_row *row)
{
	free(row->name);
	free(row->config_json);
	*row = (struct source_row){ 0 };
}

int source_disable_all(struct db *db, struct err *err)
{
	return db_run(db, err, "UPDATE source SET enabled = 0");
}

int source_put(struct db *db, const char *name, const char *kind, const char *location,
	       const char *config_json, int64_t *ret_source_id, struct err *err)
{
	int rc;

	/* A source whose section changed is looked at anew at once. */
	rc = db_run(db, err,
		    "INSERT INTO source (name, kind, location, config_json) VALUES (?1, ?2, ?3, ?4)"
		    " ON CONFLICT (name) DO UPDATE SET kind = ?2, location = ?3, enabled = 1,"
		    " next_poll_us = CASE WHEN config_json = ?4 THEN next_poll_us END,"
		    " config_json = ?4",
		    DB_TEXT(name), DB_TEXT(kind), DB_TEXT(location), DB_TEXT(config_json));
	if (rc < 0)
		return rc;
	rc = db_get_int(db, ret_source_id, err, "SELECT source_id FROM source WHERE name = ?",
			DB_TEXT(name));
	return rc < 0 ? rc : 0;
}

static int read_source(struct stmt *stmt, struct source_row *ret_row, struct err *err)
{
	int rc = stmt_step(stmt, err);

	if (rc <= 0)
		return rc;
	ret_row->source_id = stmt_int(stmt, 0);
	ret_row->name = xstrdup(stmt_text(stmt, 1));
	ret_row->config_json = xstrdup(stmt_text(stmt, 2));
	ret_row->was_polled = !stmt_is_null(stmt, 3);
	return 1;
}

int source_find_due(struct db *db, int64_t now_us, struct source_row *ret_row, struct err *err)
{
	auto_stmt struct stmt *stmt = NULL;
	int rc;

	rc = db_query(db, &stmt, err,
		      "SELECT source_id, name, config_json, polled_us FROM source"
		      " WHERE enabled AND (next_poll_us IS NULL OR next_poll_us <= ?)"
		      " AND source_id NOT IN (SELECT source_id FROM job"
		      "  WHERE state = 'running' AND source_id IS NOT NULL)"
		      " ORDER BY next_poll_us, source_id LIMIT 1",
		      DB_INT(now_us));
	return rc < 0 ? rc : read_source(stmt, ret_row, err);
}

int source_load(struct db *db, int64_t source_id, struct source_row *ret_row, struct err *err)
{
	auto_stmt struct stmt *stmt = NULL;
	int rc;

	rc = db_query(db, &stmt, err,
		      "SELECT source_id, name, config_json, polled_us FROM source"
		      " WHERE source_id = ?",
		      DB_INT(source_id));
	if (rc >= 0)
		rc = read_source(stmt, ret_row, err);
	return rc == 0 ? err_set(err, LAB_ENOTFOUND, "no such source") : rc;
}

int source_set_polled(struct db *db, int64_t source_id, int64_t next_us, const char *error,
		      struct err *err)
{
	/* polled_us counts polls that went well: the first decides on the backlog. */
	return db_run(db, err,
		      "UPDATE source SET next_poll_us = ?2, error = ?3,"
		      " polled_us = CASE WHEN ?3 IS NULL THEN ?4 ELSE polled_us END"
		      " WHERE source_id = ?1",
		      DB_INT(source_id), DB_INT(next_us), DB_TEXT(error), DB_INT(time_wall_us()));
}

int source_poll_now(struct db *db, const char *name, int64_t *ret_source_id, struct err *err)
{
	int rc;

	rc = db_get_int(db, ret_source_id, err,
			"SELECT source_id FROM source WHERE name = ? AND enabled", DB_TEXT(name));
	if (rc == 0)
		return err_set(err, LAB_ENOTFOUND, "source '%s': not in the configuration", name);
	if (rc < 0)
		return rc;
	return db_run(db, err, "UPDATE source SET next_poll_us = NULL WHERE source_id = ?",
		      DB_INT(*ret_source_id));
}
