#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "tests/unit/lab_cmocka.h"

static void test_components(void **state)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "/", "a\nb", "\x7f" };
	char name[300];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(path_is_component(bad[i]));
	memset(name, 'a', sizeof(name));
	name[256] = '\0';
	assert_false(path_is_component(name));
	assert_true(path_is_component("..."));
	assert_true(path_is_component("v6LC.1.1.8"));
}

static void test_join(void **state)
{
	auto_free char *plain = path_join("a", "b");
	auto_free char *slash = path_join("a/", "b");

	(void)state;
	assert_string_equal(plain, "a/b");
	assert_string_equal(slash, "a/b");
}

static void test_tree_made_and_removed(void **state)
{
	auto_free char *top = test_folder();
	auto_free char *deep = path_join(top, "a/b/c");
	auto_free char *file = path_join(deep, "file");
	auto_free char *link_path = path_join(top, "a/link");
	auto_free char *kept = test_folder();
	auto_free char *kept_file = path_join(kept, "kept");
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(fs_mkdir_parents(deep, 0755, &err), 0);
	assert_int_equal(fs_mkdir_parents(deep, 0755, &err), 0);
	assert_int_equal(fs_write_file(file, "x", 1, 0600, &err), 0);
	assert_int_equal(fs_write_file(kept_file, "x", 1, 0600, &err), 0);
	assert_int_equal(symlink(kept, link_path), 0);
	assert_int_equal(chmod(deep, 0500), 0);
	assert_int_equal(fs_mkdir_parents(file, 0755, &err), -ENOTDIR);
	assert_int_equal(fs_remove_tree(top, &err), 0);
	assert_false(fs_exists(top));
	assert_true(fs_exists(kept_file)); /* links are not followed */
	assert_int_equal(fs_remove_tree(top, &err), 0);
	assert_int_equal(fs_remove_tree(kept, &err), 0);
}

static void test_whole_files(void **state)
{
	auto_free char *top = test_folder();
	auto_free char *path = path_join(top, "file");
	auto_free char *copy = path_join(top, "copy");
	auto_free char *data = NULL;
	auto_free char *big = xcalloc(3000000, 1);
	struct stat info;
	struct err err = ERR_INIT;
	size_t size;

	(void)state;
	assert_int_equal(fs_write_file(path, "hello", 5, 0640, &err), 0);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0640);
	assert_int_equal(fs_read_file(path, 4, &data, &size, &err), LAB_ELIMIT);
	assert_int_equal(fs_read_file(path, 5, &data, &size, &err), 0);
	assert_string_equal(data, "hello");
	memset(big, 'b', 3000000);
	assert_int_equal(fs_write_file(path, big, 3000000, 0600, &err), 0);
	assert_int_equal(fs_copy_file(path, copy, 0755, &err), 0);
	assert_int_equal(fs_file_size(copy, &err), 3000000);
	assert_int_equal(stat(copy, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0755);
	assert_int_equal(fs_copy_file("/dev/zero", copy, 0600, &err), LAB_EINVALID);
	assert_int_equal(fs_file_size(top, &err), LAB_EINVALID);
	assert_true(fs_free_bytes(top, &err) > 0);
	assert_int_equal(fs_free_bytes("/nowhere/at/all", &err), -ENOENT);
	assert_int_equal(fs_remove_tree(top, &err), 0);
}

/* Files of /proc have no size beforehand. */
static void test_proc_files(void **state)
{
	auto_free char *top = test_folder();
	auto_free char *copy = path_join(top, "status");
	auto_free char *data = NULL;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(fs_read_file("/proc/self/status", 100000, &data, NULL, &err), 0);
	assert_non_null(strstr(data, "Pid:"));
	assert_int_equal(fs_copy_file("/proc/self/status", copy, 0600, &err), 0);
	assert_true(fs_file_size(copy, &err) > 100);
	assert_int_equal(fs_remove_tree(top, &err), 0);
}

static void test_write_failures_name_the_file(void **state)
{
	auto_free char *top = test_folder();
	auto_free char *folder = path_join(top, "folder");
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(fs_write_file("/nowhere/x", "", 0, 0600, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere/x"));
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_int_equal(fs_write_file(folder, "", 0, 0600, &err), -EISDIR);
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(rmdir(top), 0); /* no temporary is left behind */
}

static void test_data_folder(void **state)
{
	auto_free char *top = test_folder();
	auto_free char *path = NULL;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(setenv("TESTLAB_DATA", top, 1), 0);
	assert_int_equal(fs_find_data(&path, &err), LAB_ENOTFOUND);
	assert_non_null(strstr(err.text, top));
	assert_int_equal(unsetenv("TESTLAB_DATA"), 0);
	assert_int_equal(fs_find_program("no-such-program", &path, &err), LAB_ENOTFOUND);
	assert_int_equal(fs_remove_tree(top, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_components),
		cmocka_unit_test(test_join),
		cmocka_unit_test(test_tree_made_and_removed),
		cmocka_unit_test(test_whole_files),
		cmocka_unit_test(test_proc_files),
		cmocka_unit_test(test_write_failures_name_the_file),
		cmocka_unit_test(test_data_folder),
	};

	return cmocka_run_group_tests_name("fs", tests, NULL, NULL);
}
