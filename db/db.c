/*
 * SQLite behind struct db and struct stmt. SQLite's result codes become ours
 * here, with the path of the database in every message: LAB_EBUSY, -ENOSPC,
 * -EACCES and LAB_EDB for the rest.
 */
#include "db/db.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "db/db_int.h"

/* A reader may hold the write lock's check-point off for this long; more is trouble. */
#define BUSY_TIMEOUT_MS 5000

struct db {
	sqlite3 *handle;
	char *path;  /* as given at open, for messages */
	int depth;   /* of counted transactions */
	bool failed; /* an inner transaction failed: the outermost must roll back */
};

struct stmt {
	struct db *db;
	sqlite3_stmt *handle;
};

/* Turn the connection's last failure into `err`. */
static int set_sqlite_error(struct db *db, int rc, struct err *err)
{
	const char *reason = db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(rc);
	int code;

	switch (rc & 0xff) {
	case SQLITE_FULL:
		code = -ENOSPC;
		reason = "disk full";
		break;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		code = LAB_EBUSY;
		break;
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_AUTH:
		code = -EACCES;
		break;
	case SQLITE_NOTADB:
		code = LAB_EDB;
		reason = "this file is not a SQLite database";
		break;
	case SQLITE_CORRUPT:
		code = LAB_EDB;
		reason = "the database file is damaged; restore it from a copy or move it away";
		break;
	default:
		code = LAB_EDB;
		break;
	}
	return err_set(err, code, "database '%s': %s", db->path, reason);
}

/*
 * SQLite hides why open(2) failed behind "unable to open database file": say it
 * first. Without opening: closing any descriptor of the file would drop all the
 * locks that this process has on it (fcntl(2)), and the next program that looks
 * at the database would take it for unused and remove the write-ahead log.
 */
static int check_file(const char *path, bool writable, struct err *err)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		if (errno == ENOENT && writable)
			return 0;
		return err_set(err, -errno, "database '%s': %s", path, strerror(errno));
	}
	if (!S_ISREG(st.st_mode))
		return err_set(err, LAB_EDB, "database '%s': expected a regular file", path);
	if (faccessat(AT_FDCWD, path, writable ? R_OK | W_OK : R_OK, AT_EACCESS) < 0)
		return err_set(err, -errno, "database '%s': %s", path, strerror(errno));
	return 0;
}

static int open_handle(const char *path, bool writable, struct db **ret_db, struct err *err)
{
	auto_db struct db *db = NULL;
	int flags = writable ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
	int rc;

	rc = check_file(path, writable, err);
	if (rc < 0)
		return rc;
	db = xcalloc(1, sizeof(*db));
	db->path = xstrdup(path);
	rc = sqlite3_open_v2(path, &db->handle, flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK)
		return set_sqlite_error(db, rc, err);
	sqlite3_extended_result_codes(db->handle, 1);
	sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
	/* Nothing in our schema needs extensions or functions from the file itself. */
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	*ret_db = STEAL_PTR(db);
	return 0;
}

int db_open(const char *path, struct db **ret_db, struct err *err)
{
	auto_db struct db *db = NULL;
	int rc;

	rc = open_handle(path, true, &db, err);
	if (rc < 0)
		return rc;
	/* Before the first write, so that a foreign file is left as it is. */
	rc = migrate_to_current(db, err);
	if (rc < 0)
		return rc;
	/*
	 * NORMAL keeps the database whole through a crash of the program, which is
	 * what kill -9 asks for; a power cut may lose the last transactions, but
	 * never tears one.
	 */
	rc = db_run_script(db,
			   "PRAGMA journal_mode = WAL;"
			   "PRAGMA synchronous = NORMAL;"
			   "PRAGMA foreign_keys = ON;"
			   "PRAGMA journal_size_limit = 67108864;",
			   err);
	if (rc < 0)
		return rc;
	*ret_db = STEAL_PTR(db);
	return 0;
}

int db_open_readonly(const char *path, struct db **ret_db, struct err *err)
{
	auto_db struct db *db = NULL;
	int rc;

	rc = open_handle(path, false, &db, err);
	if (rc < 0)
		return rc;
	rc = migrate_check(db, err);
	if (rc < 0)
		return rc;
	*ret_db = STEAL_PTR(db);
	return 0;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	lab_assert(db->depth == 0);
	if (db->handle) {
		/* SQLITE_BUSY here means a statement was not freed: our bug. */
		int rc = sqlite3_close(db->handle);

		lab_assert(rc == SQLITE_OK);
	}
	free(db->path);
	free(db);
}

void db_close_p(struct db **db)
{
	db_close(*db);
	*db = NULL;
}

const char *db_get_path(const struct db *db)
{
	return db->path;
}

static int bind_values(struct stmt *stmt, const struct db_value *values, struct err *err)
{
	int rc = SQLITE_OK;
	int count = 0;

	for (const struct db_value *v = values; v->type != DB_VALUE_END && rc == SQLITE_OK; v++) {
		count++;
		switch (v->type) {
		case DB_VALUE_NULL:
			rc = sqlite3_bind_null(stmt->handle, count);
			break;
		case DB_VALUE_INT:
			rc = sqlite3_bind_int64(stmt->handle, count, v->integer);
			break;
		case DB_VALUE_TEXT: /* a NULL pointer binds NULL */
			rc = sqlite3_bind_text(stmt->handle, count, v->data, -1, SQLITE_STATIC);
			break;
		case DB_VALUE_BLOB:
			rc = sqlite3_bind_blob64(stmt->handle, count, v->data ? v->data : "",
						 v->size, SQLITE_STATIC);
			break;
		case DB_VALUE_END:
			break;
		}
	}
	if (rc != SQLITE_OK)
		return set_sqlite_error(stmt->db, rc, err);
	lab_assert(count == sqlite3_bind_parameter_count(stmt->handle));
	return 0;
}

int db_query_values(struct db *db, struct stmt **ret_stmt, struct err *err, const char *sql,
		    const struct db_value *values)
{
	auto_stmt struct stmt *stmt = xcalloc(1, sizeof(*stmt));
	int rc;

	stmt->db = db;
	rc = sqlite3_prepare_v2(db->handle, sql, -1, &stmt->handle, NULL);
	if (rc != SQLITE_OK)
		return set_sqlite_error(db, rc, err);
	rc = bind_values(stmt, values, err);
	if (rc < 0)
		return rc;
	*ret_stmt = STEAL_PTR(stmt);
	return 0;
}

int db_run_values(struct db *db, struct err *err, const char *sql, const struct db_value *values)
{
	auto_stmt struct stmt *stmt = NULL;
	int rc;

	rc = db_query_values(db, &stmt, err, sql, values);
	if (rc < 0)
		return rc;
	do {
		rc = stmt_step(stmt, err);
	} while (rc > 0);
	return rc;
}

int db_get_int_values(struct db *db, int64_t *ret_value, struct err *err, const char *sql,
		      const struct db_value *values)
{
	auto_stmt struct stmt *stmt = NULL;
	int rc;

	rc = db_query_values(db, &stmt, err, sql, values);
	if (rc >= 0)
		rc = stmt_step(stmt, err);
	if (rc <= 0 || stmt_is_null(stmt, 0))
		return rc < 0 ? rc : 0;
	*ret_value = stmt_int(stmt, 0);
	return 1;
}

int db_get_text_values(struct db *db, char **ret_text, struct err *err, const char *sql,
		       const struct db_value *values)
{
	auto_stmt struct stmt *stmt = NULL;
	int rc;

	rc = db_query_values(db, &stmt, err, sql, values);
	if (rc >= 0)
		rc = stmt_step(stmt, err);
	if (rc <= 0 || stmt_is_null(stmt, 0))
		return rc < 0 ? rc : 0;
	*ret_text = xstrdup(stmt_text(stmt, 0));
	return 1;
}

int db_run_script(struct db *db, const char *sql, struct err *err)
{
	int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : set_sqlite_error(db, rc, err);
}

int64_t db_last_id(const struct db *db)
{
	return sqlite3_last_insert_rowid(db->handle);
}

int db_changes(const struct db *db)
{
	return sqlite3_changes(db->handle);
}

int stmt_step(struct stmt *stmt, struct err *err)
{
	int rc = sqlite3_step(stmt->handle);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	return set_sqlite_error(stmt->db, rc, err);
}

int64_t stmt_int(struct stmt *stmt, int column)
{
	return sqlite3_column_int64(stmt->handle, column);
}

const char *stmt_text(struct stmt *stmt, int column)
{
	return (const char *)sqlite3_column_text(stmt->handle, column);
}

const void *stmt_blob(struct stmt *stmt, int column, size_t *ret_size)
{
	const void *data = sqlite3_column_blob(stmt->handle, column);

	*ret_size = (size_t)sqlite3_column_bytes(stmt->handle, column);
	return data;
}

bool stmt_is_null(struct stmt *stmt, int column)
{
	return sqlite3_column_type(stmt->handle, column) == SQLITE_NULL;
}

bool stmt_is_int(struct stmt *stmt, int column)
{
	return sqlite3_column_type(stmt->handle, column) == SQLITE_INTEGER;
}

int stmt_column_count(struct stmt *stmt)
{
	return sqlite3_column_count(stmt->handle);
}

const char *stmt_column_name(struct stmt *stmt, int column)
{
	return sqlite3_column_name(stmt->handle, column);
}

int stmt_take_texts(struct stmt *stmt, char ***ret_texts, struct err *err)
{
	char **texts = NULL;
	int count = 0, rc;

	while ((rc = stmt_step(stmt, err)) > 0) {
		texts = xreallocarray(texts, (size_t)count + 1, sizeof(*texts));
		texts[count++] = xstrdup(stmt_text(stmt, 0));
	}
	if (rc < 0) {
		while (count > 0)
			free(texts[--count]);
		free(texts);
		return rc;
	}
	*ret_texts = texts;
	return count;
}

void stmt_free(struct stmt *stmt)
{
	if (!stmt)
		return;
	(void)sqlite3_finalize(stmt->handle); /* repeats the error of the last step, seen there */
	free(stmt);
}

void stmt_free_p(struct stmt **stmt)
{
	stmt_free(*stmt);
	*stmt = NULL;
}

int db_begin(struct db *db, struct err *err)
{
	int rc;

	if (db->depth == 0) {
		bool readonly = sqlite3_db_readonly(db->handle, "main") == 1;

		/* IMMEDIATE: a lock that cannot be had is reported here, not in the middle. */
		rc = db_run_script(db, readonly ? "BEGIN" : "BEGIN IMMEDIATE", err);
		if (rc < 0)
			return rc;
		db->failed = false;
	}
	db->depth++;
	return 0;
}

int db_end(struct db *db, int rc, struct err *err)
{
	int commit;

	lab_assert(db->depth > 0);
	if (rc < 0)
		db->failed = true;
	if (--db->depth > 0)
		return rc;
	if (db->failed) {
		/* SQLite may have rolled back by itself already (disk full). */
		if (!sqlite3_get_autocommit(db->handle))
			(void)db_run_script(db, "ROLLBACK", NULL);
		return rc < 0 ? rc
			      : err_set(err, LAB_EDB, "database '%s': a part of the change failed",
					db->path);
	}
	commit = db_run_script(db, "COMMIT", err);
	if (commit < 0) {
		if (!sqlite3_get_autocommit(db->handle))
			(void)db_run_script(db, "ROLLBACK", NULL);
		return commit;
	}
	return rc;
}
