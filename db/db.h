/*
 * The lab's database: the door of this folder and the only wrapper of SQLite.
 *
 * One connection belongs to one thread. The orchestrator's is the only one that
 * writes; others are read-only (db_open_readonly). Values are bound and read
 * through struct stmt, so that no SQL text is ever put together from data:
 *
 *	auto_stmt struct stmt *stmt = NULL;
 *	int rc = db_query(db, &stmt, err, "SELECT name FROM source WHERE source_id = ?", DB_INT(7));
 *
 *	while (rc >= 0 && (rc = stmt_step(stmt, err)) > 0)
 *		puts(stmt_text(stmt, 0));
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct db;
struct err;
struct stmt;

/* "TLab": tells our files from other SQLite databases (PRAGMA application_id). */
#define DB_APPLICATION_ID 0x544c6162

/* One value to bind. Text and blobs are borrowed until the statement is freed. */
struct db_value {
	enum { DB_VALUE_END, DB_VALUE_NULL, DB_VALUE_INT, DB_VALUE_TEXT, DB_VALUE_BLOB } type;
	int64_t integer;  /* for INT */
	const void *data; /* for TEXT (NUL-terminated; NULL binds NULL) and BLOB */
	size_t size;      /* for BLOB */
};

#define DB_INT(value) ((struct db_value){ .type = DB_VALUE_INT, .integer = (value) })
#define DB_TEXT(text) ((struct db_value){ .type = DB_VALUE_TEXT, .data = (text) })
#define DB_BLOB(ptr, bytes)                                                                        \
	((struct db_value){ .type = DB_VALUE_BLOB, .data = (ptr), .size = (bytes) })
#define DB_NULL ((struct db_value){ .type = DB_VALUE_NULL })
/* An id, where 0 stands for "none" and binds NULL. */
#define DB_ID(id)                                                                                  \
	((struct db_value){ .type = (id) ? DB_VALUE_INT : DB_VALUE_NULL, .integer = (id) })
#define DB_VALUES(...)                                                                             \
	((const struct db_value[]){ __VA_ARGS__ __VA_OPT__(, ){ .type = DB_VALUE_END } })

/* --- connections ----------------------------------------------------------- */

/*
 * Open for writing: made when missing, migrated when older. LAB_EDB (or -errno)
 * with the path and the reason when it is no database, another program's, newer
 * than this program, or not writable.
 */
int db_open(const char *path, struct db **ret_db, struct err *err);
/* Open for reading only; the database must exist and be of this version. */
int db_open_readonly(const char *path, struct db **ret_db, struct err *err);
void db_close(struct db *db);
void db_close_p(struct db **db);
#define auto_db auto_cleanup(db_close_p)
const char *db_get_path(const struct db *db);

/* --- statements ------------------------------------------------------------ */

/* Prepare one statement and bind its values in order. */
#define db_query(db, ret_stmt, err, sql, ...)                                                      \
	db_query_values((db), (ret_stmt), (err), (sql), DB_VALUES(__VA_ARGS__))
/* Run one statement that gives no rows; db_changes() says how many it changed. */
#define db_run(db, err, sql, ...) db_run_values((db), (err), (sql), DB_VALUES(__VA_ARGS__))
/*
 * The integer in the first column of the first row into *ret_value; returns 1,
 * or 0 if there was no row or it was NULL, or a negative code.
 */
#define db_get_int(db, ret_value, err, sql, ...)                                                   \
	db_get_int_values((db), (ret_value), (err), (sql), DB_VALUES(__VA_ARGS__))
/* As db_get_int for text; the caller frees *ret_text. */
#define db_get_text(db, ret_text, err, sql, ...)                                                   \
	db_get_text_values((db), (ret_text), (err), (sql), DB_VALUES(__VA_ARGS__))

int db_query_values(struct db *db, struct stmt **ret_stmt, struct err *err, const char *sql,
		    const struct db_value *values);
int db_run_values(struct db *db, struct err *err, const char *sql, const struct db_value *values);
int db_get_int_values(struct db *db, int64_t *ret_value, struct err *err, const char *sql,
		      const struct db_value *values);
int db_get_text_values(struct db *db, char **ret_text, struct err *err, const char *sql,
		       const struct db_value *values);
/* Run a text of several statements without values (schema, pragmas). */
int db_run_script(struct db *db, const char *sql, struct err *err);
int64_t db_last_id(const struct db *db); /* rowid of the last INSERT of this connection */
int db_changes(const struct db *db);     /* rows that the last db_run changed */

/* 1 = there is a row, 0 = the end, negative = failure. */
int stmt_step(struct stmt *stmt, struct err *err);
/* Columns count from 0. Text and blobs are valid until the next step or free. */
int64_t stmt_int(struct stmt *stmt, int column);      /* 0 when NULL */
const char *stmt_text(struct stmt *stmt, int column); /* NULL when NULL */
const void *stmt_blob(struct stmt *stmt, int column, size_t *ret_size);
bool stmt_is_null(struct stmt *stmt, int column);
bool stmt_is_int(struct stmt *stmt, int column);
int stmt_column_count(struct stmt *stmt);
const char *stmt_column_name(struct stmt *stmt, int column);
/* Step to the end and keep the first column of each row; returns the count, the caller frees all. */
int stmt_take_texts(struct stmt *stmt, char ***ret_texts, struct err *err);
void stmt_free(struct stmt *stmt);
void stmt_free_p(struct stmt **stmt);
#define auto_stmt auto_cleanup(stmt_free_p)

/* --- transactions ---------------------------------------------------------- */

/*
 * Counted: an inner begin/end pair joins the outer transaction, and only the
 * outermost end writes. db_end(db, rc, err) commits if rc >= 0, else rolls
 * everything back (an outer commit then fails too, so half a change is never
 * kept), and returns rc or the code of a failing commit.
 *
 * On a read-only connection the pair makes several queries see one state.
 */
int db_begin(struct db *db, struct err *err);
int db_end(struct db *db, int rc, struct err *err);
