/* Archives: hostile paths and links, limits, and what we write ourselves. */
#include "builders/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "tests/unit/lab_cmocka.h"

/* A member of an archive made for a test. */
struct member {
	const char *path;
	mode_t type;        /* AE_IFREG, ... */
	const char *target; /* of a link, or the text of a file */
};

static void write_tar(const char *path, const struct member *members, size_t count)
{
	struct archive *archive = archive_write_new();

	assert_int_equal(archive_write_set_format_pax_restricted(archive), ARCHIVE_OK);
	assert_int_equal(archive_write_open_filename(archive, path), ARCHIVE_OK);
	for (size_t i = 0; i < count; i++) {
		struct archive_entry *entry = archive_entry_new();
		const char *text = members[i].type == AE_IFREG ? members[i].target : "";

		archive_entry_set_pathname(entry, members[i].path);
		archive_entry_set_filetype(entry, members[i].type);
		archive_entry_set_perm(entry, 06777);
		archive_entry_set_size(entry, (la_int64_t)strlen(text));
		if (members[i].type == AE_IFLNK)
			archive_entry_set_symlink(entry, members[i].target);
		assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
		assert_int_equal(archive_write_data(archive, text, strlen(text)),
				 (int)strlen(text));
		archive_entry_free(entry);
	}
	assert_int_equal(archive_write_free(archive), ARCHIVE_OK);
}

/* Unpack the members in a new folder, whose path is *ret_folder, and return the code. */
static int unpack(const struct member *members, size_t count, enum archive_links links,
		  char **ret_folder, struct err *err)
{
	char *folder = test_folder();
	auto_free char *tar = path_join(folder, "in.tar");
	auto_free char *into = path_join(folder, "into");
	struct unpack_spec spec = {
		.archive = tar,
		.folder = into,
		.links = links,
		.max_bytes = 1000,
		.max_entries = 10,
	};

	write_tar(tar, members, count);
	assert_int_equal(mkdir(into, 0755), 0);
	*ret_folder = folder;
	return archive_unpack(&spec, err);
}
#define UNPACK(members, links, folder, err)                                                        \
	unpack(members, sizeof(members) / sizeof((members)[0]), links, folder, err)

static void remove_folder(char *folder)
{
	assert_int_equal(fs_remove_tree(folder, NULL), 0);
	free(folder);
}

static void test_harmless_archive(void **state)
{
	static const struct member members[] = {
		{ "./top", AE_IFDIR, "" },
		{ "./top/file", AE_IFREG, "text" },
		{ "./top/sub/link", AE_IFLNK, "../file" },
	};
	struct err err = ERR_INIT;
	auto_free char *path = NULL;
	auto_free char *text = NULL;
	struct stat info;
	size_t size;
	char *folder;

	(void)state;
	assert_int_equal(UNPACK(members, ARCHIVE_LINKS_STRICT, &folder, &err), 0);
	path = path_join(folder, "into/top/sub/link");
	assert_int_equal(fs_read_file(path, 100, &text, &size, &err), 0);
	assert_string_equal(text, "text");
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0755); /* set-id bits are gone */
	remove_folder(folder);
}

static void test_refused_members(void **state)
{
	static const struct {
		struct member members[3];
		size_t count;
		const char *text; /* in the message */
	} cases[] = {
		{ { { "../evil", AE_IFREG, "x" } }, 1, "'..'" },
		{ { { "a/../../evil", AE_IFREG, "x" } }, 1, "'..'" },
		{ { { "/evil", AE_IFREG, "x" } }, 1, "absolute" },
		{ { { "link", AE_IFLNK, "/etc" } }, 1, "absolute" },
		{ { { "a/link", AE_IFLNK, "../../etc" } }, 1, "leads out" },
		{ { { "dir", AE_IFDIR, "" },
		    { "link", AE_IFLNK, "dir" },
		    { "link/evil", AE_IFREG, "x" } },
		  3,
		  "symlink" },
		{ { { "pipe", AE_IFIFO, "" } }, 1, "neither file" },
		{ { { "bad\nname", AE_IFREG, "x" } }, 1, "control byte" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = ERR_INIT;
		auto_free char *evil = NULL;
		char *folder;

		assert_true(unpack(cases[i].members, cases[i].count, ARCHIVE_LINKS_STRICT, &folder,
				   &err) < 0);
		if (!strstr(err.text, cases[i].text))
			fail_msg("case %zu: '%s' does not say '%s'", i, err.text, cases[i].text);
		evil = path_join(folder, "evil");
		assert_false(fs_exists(evil));
		remove_folder(folder);
	}
}

static void test_absolute_links_in_a_root(void **state)
{
	static const struct member members[] = { { "sbin/deep/ip", AE_IFLNK, "/bin/ip" } };
	struct err err = ERR_INIT;
	auto_free char *path = NULL;
	char target[100] = "";
	char *folder;

	(void)state;
	assert_int_equal(UNPACK(members, ARCHIVE_LINKS_ROOTED, &folder, &err), 0);
	path = path_join(folder, "into/sbin/deep/ip");
	assert_true(readlink(path, target, sizeof(target) - 1) > 0);
	assert_string_equal(target, "../../bin/ip");
	remove_folder(folder);
}

static void test_limits(void **state)
{
	struct member many[12];
	char names[12][8];
	auto_free char *long_text = xcalloc(1, 2001);
	struct member big[] = { { "big", AE_IFREG, long_text } };
	struct err err = ERR_INIT;
	char *folder;

	(void)state;
	for (size_t i = 0; i < 12; i++) {
		snprintf(names[i], sizeof(names[i]), "f%zu", i);
		many[i] = (struct member){ names[i], AE_IFREG, "x" };
	}
	memset(long_text, 'x', 2000);
	assert_int_equal(UNPACK(many, ARCHIVE_LINKS_STRICT, &folder, &err), LAB_ELIMIT);
	remove_folder(folder);
	assert_int_equal(UNPACK(big, ARCHIVE_LINKS_STRICT, &folder, &err), LAB_ELIMIT);
	remove_folder(folder);
}

static void test_cut_archive_is_an_error(void **state)
{
	static const struct member members[] = { { "file", AE_IFREG, "text" } };
	char *folder = test_folder();
	auto_free char *tar = path_join(folder, "in.tar");
	struct unpack_spec spec = {
		.archive = tar, .folder = folder, .max_bytes = 1000, .max_entries = 10
	};
	struct err err = ERR_INIT;

	(void)state;
	write_tar(tar, members, 1);
	assert_int_equal(truncate(tar, 514), 0);
	assert_true(archive_unpack(&spec, &err) < 0);
	assert_int_equal(fs_write_file(tar, "no archive at all", 17, 0644, &err), 0);
	assert_true(archive_unpack(&spec, &err) < 0);
	remove_folder(folder);
}

static void test_same_content_gives_same_bytes(void **state)
{
	char *folder = test_folder();
	auto_free char *tree = path_join(folder, "tree");
	auto_free char *file = path_join(tree, "file");
	char *texts[2] = { NULL };
	size_t sizes[2] = { 0 };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(mkdir(tree, 0755), 0);
	assert_int_equal(fs_write_file(file, "content", 7, 0644, &err), 0);
	for (int i = 0; i < 2; i++) {
		auto_free char *path = xasprintf("%s/out%d", folder, i);
		struct archive_writer *writer = NULL;

		assert_int_equal(archive_writer_open(path, ARCHIVE_CPIO_ZSTD, &writer, &err), 0);
		assert_int_equal(archive_writer_add_tree(writer, tree, "", &err), 0);
		assert_int_equal(archive_writer_add_device(writer, "console", 0600, 5, 1, &err), 0);
		assert_int_equal(archive_writer_add_link(writer, "link", "file", &err), 0);
		assert_int_equal(archive_writer_finish(writer, &err), 0);
		assert_int_equal(fs_read_file(path, 100000, &texts[i], &sizes[i], &err), 0);
	}
	assert_int_equal(sizes[0], sizes[1]);
	assert_memory_equal(texts[0], texts[1], sizes[0]);
	free(texts[0]);
	free(texts[1]);
	remove_folder(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_harmless_archive),
		cmocka_unit_test(test_refused_members),
		cmocka_unit_test(test_absolute_links_in_a_root),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_cut_archive_is_an_error),
		cmocka_unit_test(test_same_content_gives_same_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
