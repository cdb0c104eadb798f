/* Writing of the lab's own state, of its decisions, and what is thrown away. */
#include "db/store.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/time.h"
#include "db/artifact.h"
#include "db/db.h"

#define US_PER_DAY (INT64_C(86400) * US_PER_SECOND)

int lab_set(struct db *db, const char *key, const char *value, struct err *err)
{
	return db_run(db, err,
		      "INSERT INTO lab (key, value) VALUES (?1, ?2)"
		      " ON CONFLICT (key) DO UPDATE SET value = ?2",
		      DB_TEXT(key), DB_TEXT(value));
}

int lab_set_int(struct db *db, const char *key, int64_t value, struct err *err)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%" PRId64, value);
	return lab_set(db, key, text, err);
}

int lab_get(struct db *db, const char *key, char **ret_value, struct err *err)
{
	return db_get_text(db, ret_value, err, "SELECT value FROM lab WHERE key = ?", DB_TEXT(key));
}

int64_t lab_get_int(struct db *db, const char *key, int64_t otherwise)
{
	int64_t value = otherwise;

	(void)db_get_int(db, &value, NULL, "SELECT CAST(value AS INTEGER) FROM lab WHERE key = ?",
			 DB_TEXT(key));
	return value;
}

int decision_add(struct db *db, const char *area, struct decision_about about, struct err *err,
		 const char *fmt, ...)
{
	auto_free char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	return db_run(
		db, err,
		"INSERT INTO decision (at_us, area, text, source_id, kernel_id, run_id, diff_id)"
		" VALUES (?, ?, ?, ?, ?, ?, ?)",
		DB_INT(time_wall_us()), DB_TEXT(area), DB_TEXT(text), DB_ID(about.source_id),
		DB_ID(about.kernel_id), DB_ID(about.run_id), DB_ID(about.diff_id));
}

/*
 * Images can be made again from the source, so those of all but the newest
 * kernels of a series go; local ones cannot, and the known-good kernel and what
 * is being worked on are needed.
 */
static int prune_kernels(struct db *db, int64_t keep, struct err *err)
{
	static const char old_kernels[] =
		"SELECT kernel_id FROM (SELECT k.kernel_id, r.type, k.known_good, row_number() OVER"
		" (PARTITION BY r.series, k.config_name ORDER BY r.sort_key DESC) AS place"
		" FROM kernel k JOIN release r USING (release_id))"
		" WHERE place > ? AND type <> 'local' AND NOT known_good AND kernel_id NOT IN"
		" (SELECT kernel_id FROM cycle WHERE finished_us IS NULL)";
	auto_free char *files = NULL, *states = NULL;
	int removed, rc;

	files = xasprintf("DELETE FROM file WHERE role IN ('image', 'modules', 'initramfs')"
			  " AND kernel_id IN (%s)",
			  old_kernels);
	states = xasprintf("UPDATE kernel SET state = 'new' WHERE state IN ('built', 'installed')"
			   " AND kernel_id IN (%s)",
			   old_kernels);
	rc = db_run(db, err, files, DB_INT(keep));
	if (rc < 0)
		return rc;
	removed = db_changes(db);
	rc = db_run(db, err, states, DB_INT(keep));
	return rc < 0 ? rc : removed;
}

int lab_prune(struct db *db, const struct prune_rules *rules, struct err *err)
{
	int64_t before_us = time_wall_us() - rules->keep_days * US_PER_DAY;
	int kernels = 0, verdicts = 0, rc;

	rc = db_begin(db, err);
	if (rc < 0)
		return rc;
	if (rules->keep_kernels > 0)
		rc = kernels = prune_kernels(db, rules->keep_kernels, err);
	if (rc >= 0 && rules->keep_days > 0) {
		rc = db_run(db, err,
			    "DELETE FROM file WHERE verdict_id IN (SELECT verdict_id"
			    " FROM verdict WHERE verdict = 'PASS' AND started_us < ?)",
			    DB_INT(before_us));
		verdicts = db_changes(db);
	}
	if (rc >= 0 && kernels + verdicts > 0)
		rc = artifact_sweep(db, false, err);
	rc = db_end(db, rc, err);
	return rc < 0 ? rc : kernels + verdicts;
}
