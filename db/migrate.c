/*
 * Versions of the schema. PRAGMA user_version counts the migrations that a
 * database has seen; a new database gets the whole of schema.sql at once, an
 * older one the steps it lacks, in one transaction. A unit test holds both ways
 * against each other.
 *
 * To change the schema: edit schema.sql, append a step here, raise
 * DB_SCHEMA_VERSION.
 */
#include "db/db_int.h"

#include <inttypes.h>

#include "base/err.h"
#include "db/db.h"

static const char schema_sql[] =
#include "gen/schema.sql.inc"
	;

/* steps[i] leads from version i + 1 to i + 2. */
static const char *const steps[] = {
	/* 2: what is needed to find left-over children safely and to retry with a pause. */
	"ALTER TABLE job ADD COLUMN process_key TEXT;"
	"ALTER TABLE cycle ADD COLUMN not_before_us INTEGER NOT NULL DEFAULT 0;",
	/* 3: counts of the front table, read from the index alone. */
	"CREATE INDEX verdict_by_run_final ON verdict (run_id, verdict) WHERE final;",
	/* 4: the sample of a run that is repeated on the real clock. */
	"CREATE TABLE clock_sample ("
	" clock_sample_id INTEGER PRIMARY KEY,"
	" run_id INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,"
	" test_id TEXT NOT NULL,"
	" virtual_verdict TEXT NOT NULL,"
	" real_verdict TEXT,"
	" UNIQUE (run_id, test_id));"
	"CREATE INDEX clock_sample_by_test ON clock_sample (test_id);",
	/* 5: the settings that a run's NUT had. */
	"ALTER TABLE run ADD COLUMN settings_json TEXT NOT NULL DEFAULT '[]';",
};

_Static_assert(sizeof(steps) / sizeof(steps[0]) == DB_SCHEMA_VERSION - 1,
	       "each version after the first has one step");

static int get_pragma(struct db *db, const char *sql, int64_t *ret_value, struct err *err)
{
	*ret_value = 0;
	return db_get_int(db, ret_value, err, sql);
}

/* Ours (or empty), and not newer than this program. */
static int check_identity(struct db *db, int64_t *ret_version, struct err *err)
{
	int64_t application = 0, tables = 0;
	int rc;

	rc = get_pragma(db, "PRAGMA application_id", &application, err);
	if (rc >= 0)
		rc = get_pragma(db, "PRAGMA user_version", ret_version, err);
	if (rc >= 0)
		rc = get_pragma(db, "SELECT count(*) FROM sqlite_schema", &tables, err);
	if (rc < 0)
		return rc;
	if (application != DB_APPLICATION_ID && (application != 0 || tables != 0))
		return err_set(err, LAB_EDB,
			       "database '%s': made by another program (application id 0x%08" PRIx64
			       ", expected 0x%08x)",
			       db_get_path(db), (uint64_t)application, DB_APPLICATION_ID);
	if (*ret_version > DB_SCHEMA_VERSION)
		return err_set(err, LAB_EDB,
			       "database '%s': version %" PRId64
			       " was written by a newer testlabd, this one knows up to %d",
			       db_get_path(db), *ret_version, DB_SCHEMA_VERSION);
	return 0;
}

int migrate_check(struct db *db, struct err *err)
{
	int64_t version = 0;
	int rc;

	rc = check_identity(db, &version, err);
	if (rc < 0)
		return rc;
	if (version != DB_SCHEMA_VERSION)
		return err_set(err, LAB_EDB,
			       "database '%s': version %" PRId64
			       ", expected %d; testlabd migrates it",
			       db_get_path(db), version, DB_SCHEMA_VERSION);
	return 0;
}

static int apply_steps(struct db *db, int64_t version, struct err *err)
{
	int rc = 0;

	if (version == 0)
		rc = db_run_script(db, schema_sql, err);
	for (int64_t i = version; version > 0 && i < DB_SCHEMA_VERSION && rc >= 0; i++)
		rc = db_run_script(db, steps[i - 1], err);
	return rc;
}

int migrate_to_current(struct db *db, struct err *err)
{
	int64_t version = 0;
	char pragmas[128];
	int rc;

	rc = check_identity(db, &version, err);
	if (rc < 0 || version == DB_SCHEMA_VERSION)
		return rc;
	/* Pragmas take no bound values; both are our own constants. */
	(void)snprintf(pragmas, sizeof(pragmas),
		       "PRAGMA application_id = %d; PRAGMA user_version = %d;", DB_APPLICATION_ID,
		       DB_SCHEMA_VERSION);
	rc = db_begin(db, err);
	if (rc < 0)
		return rc;
	rc = apply_steps(db, version, err);
	if (rc >= 0)
		rc = db_run_script(db, pragmas, err);
	return db_end(db, rc, err);
}
