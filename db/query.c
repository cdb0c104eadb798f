/* Rows of SQLite as JSON objects, and the parts that several queries share. */
#include "db/query_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/json.h"

/* What the suffix of a column's name says. */
static json_t *column_value(struct stmt *stmt, int column, const char *suffix)
{
	const char *text;
	json_t *value;

	if (stmt_is_null(stmt, column))
		return json_null();
	if (strcmp(suffix, ":bool") == 0)
		return json_boolean(stmt_int(stmt, column) != 0);
	if (stmt_is_int(stmt, column))
		return json_integer(stmt_int(stmt, column));
	text = stmt_text(stmt, column);
	if (strcmp(suffix, ":json") == 0) {
		value = json_loads(text, JSON_DECODE_ANY, NULL);
		return value ? value : json_null();
	}
	return json_string_lossy(text, strlen(text));
}

static json_t *row_to_json(struct stmt *stmt)
{
	json_t *object = json_object();

	for (int i = 0; i < stmt_column_count(stmt); i++) {
		const char *name = stmt_column_name(stmt, i);
		const char *suffix = strchrnul(name, ':');
		auto_free char *key = xstrndup(name, (size_t)(suffix - name));
		int rc = json_object_set_new(object, key, column_value(stmt, i, suffix));

		lab_assert(rc == 0); /* keys are ours, values are never NULL */
	}
	return object;
}

int query_rows_values(struct db *db, json_t *array, struct err *err, const char *sql,
		      const struct db_value *values)
{
	auto_stmt struct stmt *stmt = NULL;
	int rc;

	rc = db_query_values(db, &stmt, err, sql, values);
	while (rc >= 0 && (rc = stmt_step(stmt, err)) > 0)
		json_array_append_new(array, row_to_json(stmt));
	return rc;
}

int query_row_values(struct db *db, json_t **ret_object, struct err *err, const char *sql,
		     const struct db_value *values)
{
	auto_stmt struct stmt *stmt = NULL;
	int rc;

	rc = db_query_values(db, &stmt, err, sql, values);
	if (rc >= 0)
		rc = stmt_step(stmt, err);
	if (rc > 0)
		*ret_object = row_to_json(stmt);
	return rc;
}

int query_put_values(struct db *db, json_t *object, const char *key, struct err *err,
		     const char *sql, const struct db_value *values)
{
	auto_json json_t *array = json_array();
	int rc;

	rc = query_rows_values(db, array, err, sql, values);
	if (rc < 0)
		return rc;
	json_object_set(object, key, array);
	return 0;
}

json_t *query_list_new(json_t *items, const char *key, int64_t limit)
{
	json_t *next = NULL;
	size_t count = json_array_size(items);

	lab_assert(limit > 0);
	if (count > (size_t)limit) {
		json_array_remove(items, count - 1);
		next = json_object_get(json_array_get(items, count - 2), key);
	}
	return json_pack("{s:o, s:O?}", "items", items, "next", next);
}

char *query_ids(const json_t *rows, const char *key)
{
	auto_json json_t *ids = json_array();
	json_t *row;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)rows, i, row)
		json_array_append(ids, json_object_get(row, key));
	return json_text(ids);
}

json_t *query_index(const json_t *rows, const char *key)
{
	json_t *index = json_object();
	json_t *row;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)rows, i, row) {
		char id[24];

		(void)snprintf(id, sizeof(id), "%" PRId64, json_int_or(row, key, 0));
		json_object_set(index, id, row);
	}
	return index;
}

json_t *query_index_get(const json_t *index, int64_t id)
{
	char key[24];

	(void)snprintf(key, sizeof(key), "%" PRId64, id);
	return json_object_get(index, key);
}

static int add_counts(struct db *db, const json_t *index, const char *ids, struct err *err)
{
	auto_stmt struct stmt *stmt = NULL;
	int rc;

	rc = db_query(db, &stmt, err,
		      "SELECT run_id, verdict, count(*) FROM verdict WHERE final"
		      " AND run_id IN (SELECT value FROM json_each(?)) GROUP BY run_id, verdict",
		      DB_TEXT(ids));
	while (rc >= 0 && (rc = stmt_step(stmt, err)) > 0) {
		json_t *run = query_index_get(index, stmt_int(stmt, 0));

		json_object_set_new(json_object_get(run, "counts"), stmt_text(stmt, 1),
				    json_integer(stmt_int(stmt, 2)));
	}
	return rc;
}

/*
 * The diff with the first key release: diff_make() stores the choices in their
 * order. A repeat of the same kernel is no key release.
 */
static int add_key_diffs(struct db *db, const json_t *index, const char *ids, struct err *err)
{
	auto_json json_t *diffs = json_array();
	json_t *diff;
	size_t i;
	int rc;

	rc = query_rows(
		db, diffs, err,
		"SELECT min(d.diff_id) AS diff_id, d.new_run_id, d.old_run_id,"
		" r.name AS old_release, d.why, d.regressed, d.fixed"
		" FROM diff d JOIN run n ON n.run_id = d.new_run_id"
		" JOIN run o ON o.run_id = d.old_run_id"
		" JOIN kernel k ON k.kernel_id = o.kernel_id JOIN release r USING (release_id)"
		" WHERE o.kernel_id <> n.kernel_id"
		" AND d.new_run_id IN (SELECT value FROM json_each(?)) GROUP BY d.new_run_id",
		DB_TEXT(ids));
	if (rc < 0)
		return rc;
	json_array_foreach(diffs, i, diff) {
		json_t *run = query_index_get(index, json_int_or(diff, "new_run_id", 0));

		json_object_del(diff, "new_run_id");
		json_object_set(run, "key_diff", diff);
	}
	return 0;
}

int query_add_run_facts(struct db *db, json_t *runs, struct err *err)
{
	auto_json json_t *index = query_index(runs, "run_id");
	auto_free char *ids = query_ids(runs, "run_id");
	json_t *run;
	size_t i;
	int rc;

	json_array_foreach(runs, i, run) {
		json_object_set_new(run, "counts", json_object());
		json_object_set_new(run, "key_diff", json_null());
	}
	rc = add_counts(db, index, ids, err);
	if (rc >= 0)
		rc = add_key_diffs(db, index, ids, err);
	return rc;
}

int query_put_files(struct db *db, json_t *object, int64_t kernel_id, int64_t run_id,
		    int64_t verdict_id, struct err *err)
{
	return query_put(db, object, "files", err,
			 "SELECT f.file_id, f.role, f.name, a.sha256, a.size_bytes FROM file f"
			 " JOIN artifact a USING (artifact_id) WHERE a.complete"
			 " AND (f.kernel_id = ?1 OR f.run_id = ?2 OR f.verdict_id = ?3)"
			 " ORDER BY f.role, f.file_id",
			 DB_ID(kernel_id), DB_ID(run_id), DB_ID(verdict_id));
}
