/*
 * Rows as JSON objects, for the query_*.c files. A column's name becomes the
 * key; a suffix tells what the value is where SQLite does not know: "name:bool"
 * (0 or 1), "name:json" (a JSON text, null if it is damaged).
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "db/db.h"
#include "db/query.h"

struct err;

/* Append an object per row to `array`. */
#define query_rows(db, array, err, sql, ...)                                                       \
	query_rows_values((db), (array), (err), (sql), DB_VALUES(__VA_ARGS__))
int query_rows_values(struct db *db, json_t *array, struct err *err, const char *sql,
		      const struct db_value *values);

/* The first row; returns 1, or 0 if there is none, or a negative code. */
#define query_row(db, ret_object, err, sql, ...)                                                   \
	query_row_values((db), (ret_object), (err), (sql), DB_VALUES(__VA_ARGS__))
int query_row_values(struct db *db, json_t **ret_object, struct err *err, const char *sql,
		     const struct db_value *values);

/* Put an array of the rows as `key` into `object`. */
#define query_put(db, object, key, err, sql, ...)                                                  \
	query_put_values((db), (object), (key), (err), (sql), DB_VALUES(__VA_ARGS__))
int query_put_values(struct db *db, json_t *object, const char *key, struct err *err,
		     const char *sql, const struct db_value *values);

/*
 * Make {"items","next"} of `items` (stolen), which has up to limit + 1 rows: the
 * one too many is dropped and says that there are more. `key` names the integer
 * that is the cursor.
 */
json_t *query_list_new(json_t *items, const char *key, int64_t limit);

/* The ids of `rows` as a JSON text for json_each(?); the caller frees it. */
char *query_ids(const json_t *rows, const char *key);
/* rows by id: {"7": row, ...}; a new reference. */
json_t *query_index(const json_t *rows, const char *key);
json_t *query_index_get(const json_t *index, int64_t id);

/* Columns of a run with its kernel, for "FROM run n" joined by QUERY_RUN_JOIN. */
#define QUERY_RUN_COLUMNS                                                                          \
	"n.run_id, n.cycle_id, n.kernel_id, r.release_id, r.name AS release, r.series, r.type,"    \
	" k.config_name, k.known_good AS \"known_good:bool\", n.set_name AS \"set\", n.role,"      \
	" n.suite_version, n.clock, n.accelerator, n.environment, n.state, n.note, n.planned,"     \
	" n.total, n.created_us, n.started_us, n.finished_us"
#define QUERY_RUN_JOIN " JOIN kernel k USING (kernel_id) JOIN release r USING (release_id)"

/*
 * Add to each run of `runs` its "counts" {verdict: n} of the attempts that count, and
 * "key_diff" {diff_id, old_release, why, regressed, fixed} or null.
 */
int query_add_run_facts(struct db *db, json_t *runs, struct err *err);

/* Put the files of a kernel, run or verdict (the others 0) as "files" into `object`. */
int query_put_files(struct db *db, json_t *object, int64_t kernel_id, int64_t run_id,
		    int64_t verdict_id, struct err *err);
