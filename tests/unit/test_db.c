/* Opening, refusing, migrating, transactions. */
#include "db/db.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/fs.h"
#include "db/db_int.h"
#include "tests/unit/lab_cmocka.h"

struct fixture {
	char *folder;
	char *path;
	struct err err;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->folder = test_folder();
	f->path = path_join(f->folder, "lab.sqlite");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fs_remove_tree(f->folder, NULL), 0);
	free(f->path);
	free(f->folder);
	free(f);
	return 0;
}

/* Somebody else's hands on the file. */
static void run_raw(const char *path, const char *sql)
{
	sqlite3 *raw = NULL;

	assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
	assert_int_equal(sqlite3_exec(raw, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(raw), SQLITE_OK);
}

static void test_new_and_again(void **state)
{
	struct fixture *f = *state;
	struct db *db = NULL;
	int64_t value = 0;

	assert_int_equal(db_open(f->path, &db, &f->err), 0);
	assert_int_equal(db_get_int(db, &value, &f->err, "PRAGMA user_version"), 1);
	assert_int_equal(value, DB_SCHEMA_VERSION);
	assert_int_equal(db_get_int(db, &value, &f->err, "PRAGMA foreign_keys"), 1);
	assert_int_equal(value, 1);
	assert_int_equal(db_run(db, &f->err, "INSERT INTO lab (key, value) VALUES (?, ?)",
				DB_TEXT("k"), DB_TEXT("v")),
			 0);
	assert_int_equal(db_changes(db), 1);
	db_close(db);
	db = NULL;
	assert_int_equal(db_open_readonly(f->path, &db, &f->err), 0);
	assert_int_equal(db_get_int(db, &value, &f->err, "SELECT count(*) FROM lab"), 1);
	assert_int_equal(value, 1);
	assert_true(db_run(db, &f->err, "DELETE FROM lab") < 0);
	assert_non_null(strstr(f->err.text, f->path));
	db_close(db);
}

static void expect_refused(struct fixture *f, int code, const char *text)
{
	struct db *db = NULL;

	f->err = ERR_INIT;
	assert_int_equal(db_open(f->path, &db, &f->err), code);
	assert_null(db);
	if (!strstr(f->err.text, f->path) || !strstr(f->err.text, text))
		fail_msg("'%s' has no '%s' or no path", f->err.text, text);
}

static void test_refuses_what_is_no_database(void **state)
{
	static const char text[] =
		"This is a letter, not a database, and it is long enough to tell so.\n";
	struct fixture *f = *state;
	auto_free char *data = NULL;
	char big[4096];
	size_t size;

	memset(big, 'x', sizeof(big));
	memcpy(big, text, sizeof(text));
	assert_int_equal(fs_write_file(f->path, big, sizeof(big), 0600, &f->err), 0);
	expect_refused(f, LAB_EDB, "not a SQLite database");
	assert_int_equal(fs_read_file(f->path, 1 << 20, &data, &size, &f->err), 0);
	assert_int_equal(size, sizeof(big)); /* it was left as it is */
	assert_memory_equal(data, big, size);
}

static void test_refuses_foreign(void **state)
{
	struct fixture *f = *state;

	run_raw(f->path, "PRAGMA application_id = 4711; CREATE TABLE cake (a)");
	expect_refused(f, LAB_EDB, "made by another program (application id 0x00001267");
	assert_int_equal(unlink(f->path), 0);
	run_raw(f->path, "CREATE TABLE cake (a)"); /* no application id at all */
	expect_refused(f, LAB_EDB, "made by another program");
}

static void test_refuses_newer(void **state)
{
	struct fixture *f = *state;
	struct db *db = NULL;

	assert_int_equal(db_open(f->path, &db, &f->err), 0);
	db_close(db);
	run_raw(f->path, "PRAGMA user_version = 999");
	expect_refused(f, LAB_EDB,
		       "version 999 was written by a newer testlabd, this one knows up to");
}

static void test_refuses_folder_and_missing(void **state)
{
	struct fixture *f = *state;
	struct db *db = NULL;

	assert_int_equal(db_open_readonly(f->path, &db, &f->err), -ENOENT);
	assert_int_equal(mkdir(f->path, 0700), 0);
	expect_refused(f, LAB_EDB, "expected a regular file");
}

static void test_refuses_without_permission(void **state)
{
	struct fixture *f = *state;
	struct db *db = NULL;

	if (geteuid() == 0)
		skip(); /* root may write everything; tests/integration/101 does it as another user */
	assert_int_equal(db_open(f->path, &db, &f->err), 0);
	db_close(db);
	assert_int_equal(chmod(f->path, 0400), 0);
	expect_refused(f, -EACCES, "Permission denied");
}

/* A limit on file sizes stands for a full disk: SQLite sees the same short write. */
static void test_full_disk(void **state)
{
	struct rlimit saved, small;
	struct fixture *f = *state;
	struct db *db = NULL;
	int64_t value = -1;
	int rc;

	assert_int_equal(db_open(f->path, &db, &f->err), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &saved), 0);
	small = saved;
	small.rlim_cur = 1 << 20;
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(db_begin(db, &f->err), 0);
	rc = db_run(db, &f->err,
		    "INSERT INTO lab (key, value) VALUES ('big', hex(zeroblob(4000000)))");
	rc = db_end(db, rc, &f->err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &saved), 0);
	assert_true(rc < 0);
	assert_non_null(strstr(f->err.text, f->path));
	/* And it goes on when there is room again, with nothing half done. */
	assert_int_equal(db_get_int(db, &value, &f->err, "SELECT count(*) FROM lab"), 1);
	assert_int_equal(value, 0);
	assert_int_equal(db_run(db, &f->err, "INSERT INTO lab VALUES ('small', 'x')"), 0);
	db_close(db);
}

/*
 * SQLite holds a read lock on these bytes of an open database (SHARED_FIRST in
 * its os.h). Another process must see it also after a second connection of ours
 * was opened and closed; else its own closing would remove the write-ahead log.
 */
static void test_locks_survive_readers(void **state)
{
	struct fixture *f = *state;
	struct db *writer = NULL, *reader = NULL;
	int64_t value = 0;
	int status = -1;
	pid_t pid;

	assert_int_equal(db_open(f->path, &writer, &f->err), 0);
	assert_int_equal(db_run(writer, &f->err, "INSERT INTO lab VALUES ('a', '1')"), 0);
	assert_int_equal(db_open_readonly(f->path, &reader, &f->err), 0);
	assert_int_equal(db_get_int(reader, &value, &f->err, "SELECT count(*) FROM lab"), 1);
	db_close(reader);
	pid = fork();
	if (pid == 0) {
		struct flock lock = {
			.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0x40000002, .l_len = 510
		};
		int fd = open(f->path, O_RDWR | O_CLOEXEC);

		_exit(fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == F_RDLCK ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	db_close(writer);
}

/* All tables, columns and indexes, comments aside. */
static char *describe(const char *path)
{
	struct db *db = NULL;
	struct stmt *stmt = NULL;
	char *all = xstrdup("");

	assert_int_equal(db_open_readonly(path, &db, NULL), 0);
	assert_int_equal(
		db_query(db, &stmt, NULL,
			 "SELECT m.type || ' ' || m.name || ' ' || coalesce(i.name || ' ' ||"
			 " i.type || ' ' || i.\"notnull\" || ' ' || coalesce(i.dflt_value, '-')"
			 " || ' ' || i.pk, '') FROM sqlite_schema m"
			 " LEFT JOIN pragma_table_info(m.name) i WHERE m.name NOT LIKE 'sqlite_%'"
			 " ORDER BY m.type, m.name, i.name"),
		0);
	while (stmt_step(stmt, NULL) > 0) {
		char *more = xasprintf("%s%s\n", all, stmt_text(stmt, 0));

		free(all);
		all = more;
	}
	stmt_free(stmt);
	db_close(db);
	return all;
}

static void test_older_is_migrated(void **state)
{
	struct fixture *f = *state;
	auto_free char *new_path = path_join(f->folder, "new.sqlite");
	auto_free char *sql = NULL;
	auto_free char *want = NULL;
	auto_free char *got = NULL;
	struct db *db = NULL;
	int64_t value = 0;
	size_t size;

	assert_int_equal(fs_read_file("tests/data/schema-1.sql", 1 << 20, &sql, &size, &f->err), 0);
	run_raw(f->path, sql);
	run_raw(f->path, "PRAGMA application_id = 0x544c6162; PRAGMA user_version = 1;"
			 "INSERT INTO job (kind, state, started_us, deadline_us)"
			 " VALUES ('watch', 'running', 1, 2)");
	assert_int_equal(db_open(f->path, &db, &f->err), 0);
	assert_int_equal(db_get_int(db, &value, &f->err, "SELECT count(*) FROM job"), 1);
	assert_int_equal(value, 1); /* what was in it is still there */
	db_close(db);
	db = NULL;
	assert_int_equal(db_open(new_path, &db, &f->err), 0);
	db_close(db);
	want = describe(new_path);
	got = describe(f->path);
	assert_string_equal(got, want);
}

static void test_transactions_are_counted(void **state)
{
	struct fixture *f = *state;
	struct db *db = NULL;
	int64_t count = -1;

	assert_int_equal(db_open(f->path, &db, &f->err), 0);
	/* An inner failure undoes the whole, though the outer says it went well. */
	assert_int_equal(db_begin(db, &f->err), 0);
	assert_int_equal(db_run(db, &f->err, "INSERT INTO lab VALUES ('a', '1')"), 0);
	assert_int_equal(db_begin(db, &f->err), 0);
	assert_int_equal(db_end(db, LAB_EFAIL, &f->err), LAB_EFAIL);
	assert_int_equal(db_end(db, 0, &f->err), LAB_EDB);
	assert_int_equal(db_get_int(db, &count, &f->err, "SELECT count(*) FROM lab"), 1);
	assert_int_equal(count, 0);
	/* Both well: both kept, and the answer is handed through. */
	assert_int_equal(db_begin(db, &f->err), 0);
	assert_int_equal(db_begin(db, &f->err), 0);
	assert_int_equal(db_run(db, &f->err, "INSERT INTO lab VALUES ('a', '1')"), 0);
	assert_int_equal(db_end(db, 0, &f->err), 0);
	assert_int_equal(db_end(db, 7, &f->err), 7);
	assert_int_equal(db_get_int(db, &count, &f->err, "SELECT count(*) FROM lab"), 1);
	assert_int_equal(count, 1);
	db_close(db);
}

static void test_values(void **state)
{
	struct fixture *f = *state;
	struct db *db = NULL;
	struct stmt *stmt = NULL;
	char *text = NULL;
	size_t size;

	assert_int_equal(db_open(f->path, &db, &f->err), 0);
	assert_int_equal(db_query(db, &stmt, &f->err, "SELECT ?, ?, ?, ?, ?, ?", DB_INT(-5),
				  DB_TEXT("x'y"), DB_BLOB("a\0b", 3), DB_NULL, DB_TEXT(NULL),
				  DB_ID(0)),
			 0);
	assert_int_equal(stmt_step(stmt, &f->err), 1);
	assert_int_equal(stmt_int(stmt, 0), -5);
	assert_string_equal(stmt_text(stmt, 1), "x'y");
	assert_memory_equal(stmt_blob(stmt, 2, &size), "a\0b", 3);
	assert_int_equal(size, 3);
	for (int i = 3; i < 6; i++)
		assert_true(stmt_is_null(stmt, i));
	assert_int_equal(stmt_step(stmt, &f->err), 0);
	stmt_free(stmt);
	assert_int_equal(db_get_text(db, &text, &f->err, "SELECT NULL"), 0);
	assert_null(text);
	assert_true(db_run(db, &f->err, "SELEKT 1") < 0);
	assert_non_null(strstr(f->err.text, "SELEKT"));
	db_close(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_new_and_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refuses_what_is_no_database, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refuses_foreign, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refuses_newer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refuses_folder_and_missing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refuses_without_permission, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_locks_survive_readers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_older_is_migrated, setup, teardown),
		cmocka_unit_test_setup_teardown(test_transactions_are_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_values, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
