/* Verdicts of a run, one verdict with its evidence, and the history of a test. */
#include "db/query_int.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/limits.h"

#define VERDICT_COLUMNS                                                                            \
	" v.verdict_id, v.run_id, v.test_id, v.title, v.position, v.attempt,"                      \
	" v.final AS \"final:bool\", v.verdict, v.reason, v.signature, v.test_version, v.clock,"   \
	" v.started_us, v.wall_ns, v.clock_ns, v.restore_ns, v.teardown_ns,"                       \
	" v.clauses_json AS \"clauses:json\""

/* What the key diff says of it (query_add_run_facts): how it changed, failing since when. */
#define KEY_ENTRY_COLUMNS " e.change, e.since_release_id, since.name AS since_release"
#define KEY_ENTRY_JOIN                                                                             \
	" LEFT JOIN diff_entry e ON e.test_id = v.test_id AND e.new_verdict_id = v.verdict_id"     \
	" AND e.diff_id = (SELECT min(d.diff_id) FROM diff d"                                      \
	"  JOIN run nn ON nn.run_id = d.new_run_id JOIN run oo ON oo.run_id = d.old_run_id"        \
	"  WHERE d.new_run_id = v.run_id AND oo.kernel_id <> nn.kernel_id)"                        \
	" LEFT JOIN release since ON since.release_id = e.since_release_id"

int query_verdicts(struct db *db, int64_t run_id, const struct query_verdict_filter *filter,
		   struct query_page page, json_t **ret_value, struct err *err)
{
	auto_json json_t *items = json_array();
	int64_t unused;
	int rc;

	rc = db_get_int(db, &unused, err, "SELECT run_id FROM run WHERE run_id = ?",
			DB_INT(run_id));
	if (rc == 0)
		return err_set(err, LAB_ENOTFOUND, "no run %" PRId64, run_id);
	if (rc > 0) /* `place` counts the rows: positions alone may not be unique */
		rc = query_rows(
			db, items, err,
			"SELECT row_number() OVER (ORDER BY v.position, v.test_id, v.attempt)"
			" AS place," VERDICT_COLUMNS "," KEY_ENTRY_COLUMNS
			" FROM verdict v" KEY_ENTRY_JOIN " WHERE v.run_id = ?1 AND (v.final OR ?2) "
			"AND (?3 IS NULL OR v.verdict = ?3)"
			" ORDER BY place LIMIT ?4 OFFSET ?5",
			DB_INT(run_id), DB_INT(filter->all_attempts), DB_TEXT(filter->verdict),
			DB_INT(page.limit + 1), DB_INT(page.cursor));
	if (rc < 0)
		return rc;
	*ret_value = query_list_new(STEAL_PTR(items), "place", page.limit);
	return 0;
}

/* As a shell wants it, so that a pasted command has one argument whatever the id holds. */
static void append_quoted(struct buf *buf, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._-/:+,@%";

	if (*text && *text != '-' && strspn(text, plain) == strlen(text)) {
		buf_append_string(buf, text);
		return;
	}
	buf_append_char(buf, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			buf_append_string(buf, "'\\''");
		else
			buf_append_char(buf, *text);
	}
	buf_append_char(buf, '\'');
}

/* The command that does it again on anybody's machine, and the kernel's files that it needs. */
static int put_command(struct db *db, json_t *verdict, const json_t *run, struct err *err)
{
	auto_cleanup(buf_release_p) struct buf buf = BUF_INIT(64 * LIMIT_NAME);
	auto_json json_t *files = json_object();
	json_t *file;
	size_t i;
	int rc;

	rc = query_put_files(db, files, json_int_or(run, "kernel_id", 0), 0, 0, err);
	if (rc < 0)
		return rc;
	buf_append_string(&buf, "testlab run --kernel bzImage");
	json_array_foreach(json_object_get(files, "files"), i, file)
		if (strcmp(json_string_or(file, "role", ""), "modules") == 0)
			buf_append_string(&buf, " --modules modules.tar.zst");
	buf_append_string(&buf, " --test ");
	append_quoted(&buf, json_string_or(verdict, "test_id", ""));
	buf_append_string(&buf, " --clock ");
	append_quoted(&buf, json_string_or(verdict, "clock", ""));
	json_object_set_new(verdict, "reproduce", json_string_lossy(buf.data, buf.size));
	json_object_set(verdict, "kernel_files", json_object_get(files, "files"));
	return 0;
}

static int put_attempts(struct db *db, json_t *verdict, struct err *err)
{
	/* by the row itself: its id as text may have been changed to be UTF-8 */
	return query_put(
		db, verdict, "attempts", err,
		"SELECT a.verdict_id, a.attempt, a.final AS \"final:bool\", a.verdict, a.reason"
		" FROM verdict v JOIN verdict a USING (run_id, test_id)"
		" WHERE v.verdict_id = ? ORDER BY a.attempt",
		DB_INT(json_int_or(verdict, "verdict_id", 0)));
}

int query_verdict(struct db *db, int64_t verdict_id, json_t **ret_value, struct err *err)
{
	auto_json json_t *verdict = NULL, *run = NULL;
	int rc;

	rc = query_row(db, &verdict, err,
		       "SELECT" VERDICT_COLUMNS "," KEY_ENTRY_COLUMNS
		       ", v.steps_json AS \"steps:json\" FROM verdict v" KEY_ENTRY_JOIN
		       " WHERE v.verdict_id = ?",
		       DB_INT(verdict_id));
	if (rc == 0)
		return err_set(err, LAB_ENOTFOUND, "no verdict %" PRId64, verdict_id);
	if (rc < 0)
		return rc;
	rc = query_row(db, &run, err,
		       "SELECT " QUERY_RUN_COLUMNS " FROM run n" QUERY_RUN_JOIN
		       " WHERE n.run_id = ?",
		       DB_INT(json_int_or(verdict, "run_id", 0)));
	if (rc >= 0)
		rc = put_attempts(db, verdict, err);
	if (rc >= 0)
		rc = query_put_files(db, verdict, 0, 0, verdict_id, err);
	if (rc >= 0)
		rc = put_command(db, verdict, run, err);
	if (rc < 0)
		return rc;
	json_object_set(verdict, "run", run);
	*ret_value = STEAL_PTR(verdict);
	return 0;
}

int query_test(struct db *db, const char *test_id, const char *set_name, struct query_page page,
	       json_t **ret_value, struct err *err)
{
	auto_json json_t *test = NULL, *items = json_array(), *list = NULL;
	int rc;

	rc = query_row(db, &test, err,
		       "SELECT test_id, title, clauses_json AS \"clauses:json\" FROM verdict"
		       " WHERE test_id = ? ORDER BY run_id DESC, attempt DESC LIMIT 1",
		       DB_TEXT(test_id));
	if (rc == 0)
		return err_set(err, LAB_ENOTFOUND, "no verdict of a test '%s'", test_id);
	if (rc > 0)
		rc = query_rows(
			db, items, err,
			"SELECT v.verdict_id, v.run_id, n.set_name AS \"set\", n.kernel_id,"
			" r.release_id, r.name AS release, r.series, k.config_name, v.attempt,"
			" v.verdict, v.reason, v.signature, v.test_version, v.clock,"
			" v.started_us, v.wall_ns, v.clock_ns FROM verdict v JOIN run n"
			" USING (run_id)" QUERY_RUN_JOIN
			" WHERE v.test_id = ?1 AND v.final AND (?2 IS NULL OR n.set_name = ?2)"
			" AND (?3 IS NULL OR v.run_id < ?3) ORDER BY v.run_id DESC LIMIT ?4",
			DB_TEXT(test_id), DB_TEXT(set_name), DB_ID(page.cursor),
			DB_INT(page.limit + 1));
	if (rc < 0)
		return rc;
	list = query_list_new(STEAL_PTR(items), "run_id", page.limit);
	json_object_update(test, list);
	*ret_value = STEAL_PTR(test);
	return 0;
}
