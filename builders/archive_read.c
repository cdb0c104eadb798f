/*
 * Reading archives. An archive inside an archive (the tarball in a Debian
 * package in an ar file) is read through a callback that reads the outer one,
 * so nothing is written but the final files.
 *
 * What makes it safe: each path is checked here and put behind the real path of
 * the folder; libarchive then refuses to go through a symbolic link
 * (SECURE_SYMLINKS), so a link made by an earlier entry leads nowhere. Devices,
 * sockets and set-id bits are never made.
 */
#include "builders/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"

#define READ_BLOCK_BYTES (256u << 10)
#define NESTING_MAX      3

static void archive_read_free_p(struct archive **archive)
{
	if (*archive)
		(void)archive_read_free(*archive);
	*archive = NULL;
}

/* libarchive's last error in our form. Its codes are errno values, mostly. */
static int read_error(struct archive *archive, const char *what, struct err *err)
{
	int code = archive_errno(archive);
	const char *text = archive_error_string(archive);

	return err_set(err, code > 0 && code < 4096 ? -code : LAB_EPARSE, "%s: %s", what,
		       text ? text : "not an archive");
}

int archive_check_path(const char *path, struct err *err)
{
	const char *part = path;

	if (path[0] == '/')
		return err_set(err, LAB_EINVALID, "archive path '%s' is absolute", path);
	for (const char *p = path; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return err_set(err, LAB_EINVALID, "archive path has a control byte 0x%02x",
				       (unsigned char)*p);
	}
	while (*part) {
		size_t length = strcspn(part, "/");

		if (length == 2 && part[0] == '.' && part[1] == '.')
			return err_set(err, LAB_EINVALID, "archive path '%s' has a '..'", path);
		part += length;
		part += strspn(part, "/");
	}
	return 0;
}

/* How many folders deep `path` lies: "a/b/c" is 2. */
static int count_depth(const char *path)
{
	int depth = 0;
	const char *part = path;

	while (*part) {
		size_t length = strcspn(part, "/");

		if (length > 0 && !(length == 1 && part[0] == '.'))
			depth++;
		part += length;
		part += strspn(part, "/");
	}
	return depth > 0 ? depth - 1 : 0;
}

/* True if going along `target` from `depth` folders deep ever leaves the top. */
static bool leaves_top(const char *target, int depth)
{
	const char *part = target;

	while (*part) {
		size_t length = strcspn(part, "/");

		if (length == 2 && part[0] == '.' && part[1] == '.') {
			if (--depth < 0)
				return true;
		} else if (length > 0 && !(length == 1 && part[0] == '.')) {
			depth++;
		}
		part += length;
		part += strspn(part, "/");
	}
	return false;
}

int archive_check_link(const char *path, const char *target, enum archive_links links,
		       char **ret_target, struct err *err)
{
	auto_cleanup(buf_release_p) struct buf relative = BUF_INIT(8192);
	int depth = count_depth(path);

	if (target[0] != '/') {
		if (leaves_top(target, depth))
			return err_set(err, LAB_EINVALID,
				       "archive link '%s' leads out of the folder, to '%s'", path,
				       target);
		*ret_target = xstrdup(target);
		return 0;
	}
	if (links == ARCHIVE_LINKS_STRICT)
		return err_set(err, LAB_EINVALID, "archive link '%s' is absolute, to '%s'", path,
			       target);
	if (leaves_top(target, 0))
		return err_set(err, LAB_EINVALID,
			       "archive link '%s' leads out of the folder, to '%s'", path, target);
	for (int i = 0; i < depth; i++)
		buf_append_string(&relative, "../");
	buf_append_string(&relative, target + strspn(target, "/"));
	if (relative.overflow)
		return err_set(err, LAB_ELIMIT, "archive link '%s' is too long", path);
	*ret_target = buf_take_string(&relative);
	return 0;
}

/* An archive that is read from the current entry of another. */
struct nested {
	struct archive *outer;
	char block[READ_BLOCK_BYTES];
};

static la_ssize_t nested_read(struct archive *archive, void *user, const void **ret_block)
{
	struct nested *nested = user;
	la_ssize_t got = archive_read_data(nested->outer, nested->block, sizeof(nested->block));

	if (got < 0)
		archive_set_error(archive, archive_errno(nested->outer), "%s",
				  archive_error_string(nested->outer));
	*ret_block = nested->block;
	return got;
}

/* The archives from the file to the innermost, and what closes them. */
struct chain {
	struct archive *archives[NESTING_MAX + 1];
	struct nested *nested[NESTING_MAX + 1];
	unsigned count;
};

static void chain_release_p(struct chain *chain)
{
	while (chain->count > 0) {
		chain->count--;
		archive_read_free_p(&chain->archives[chain->count]);
		free(chain->nested[chain->count]);
	}
}

static struct archive *new_reader(void)
{
	struct archive *archive = archive_read_new();

	if (!archive)
		abort(); /* out of memory, as base/alloc.h does */
	(void)archive_read_support_filter_gzip(archive);
	(void)archive_read_support_filter_xz(archive);
	(void)archive_read_support_filter_zstd(archive);
	(void)archive_read_support_filter_bzip2(archive);
	(void)archive_read_support_format_tar(archive);
	(void)archive_read_support_format_ar(archive);
	return archive;
}

/* Leading "./" of a member's name. */
static const char *skip_dot_slash(const char *path)
{
	while (path[0] == '.' && path[1] == '/')
		path += 1 + strspn(path + 1, "/");
	return path;
}

static int enter_member(struct chain *chain, const char *pattern, struct err *err)
{
	struct archive *outer = chain->archives[chain->count - 1];
	struct archive *inner = NULL;
	struct archive_entry *entry;
	int rc;

	for (;;) {
		const char *path;

		rc = archive_read_next_header(outer, &entry);
		if (rc == ARCHIVE_EOF)
			return err_set(err, LAB_EPARSE, "no member '%s' in it", pattern);
		if (rc < ARCHIVE_WARN)
			return read_error(outer, "member", err);
		path = archive_entry_pathname(entry);
		if (path && archive_entry_filetype(entry) == AE_IFREG &&
		    fnmatch(pattern, skip_dot_slash(path), 0) == 0)
			break;
	}
	inner = new_reader();
	chain->archives[chain->count] = inner;
	chain->nested[chain->count] = xcalloc(1, sizeof(*chain->nested[0]));
	chain->nested[chain->count]->outer = outer;
	if (archive_read_open2(inner, chain->nested[chain->count++], NULL, nested_read, NULL,
			       NULL) != ARCHIVE_OK)
		return read_error(inner, pattern, err);
	return 0;
}

static int open_chain(const struct unpack_spec *spec, struct chain *chain, struct err *err)
{
	int rc = 0;

	chain->archives[0] = new_reader();
	chain->count = 1;
	if (archive_read_open_filename(chain->archives[0], spec->archive, READ_BLOCK_BYTES) !=
	    ARCHIVE_OK)
		return read_error(chain->archives[0], "open", err);
	for (size_t i = 0; spec->inside && spec->inside[i] && rc == 0; i++) {
		if (i == NESTING_MAX)
			return err_set(err, LAB_ELIMIT, "archives nested deeper than %d",
				       NESTING_MAX);
		rc = enter_member(chain, spec->inside[i], err);
	}
	return rc;
}

/* `path` without its first `count` components, or NULL if nothing remains. */
static const char *strip_components(const char *path, unsigned count)
{
	path = skip_dot_slash(path);
	for (; count > 0; count--) {
		path += strcspn(path, "/");
		path += strspn(path, "/");
	}
	return path[0] && strcmp(path, ".") != 0 ? path : NULL;
}

/*
 * Turn the entry into what may be written: its path inside the folder, no
 * special modes, links checked. 1 = write it, 0 = pass over it.
 */
static int prepare_entry(const struct unpack_spec *spec, const char *folder,
			 struct archive_entry *entry, struct err *err)
{
	const char *path = archive_entry_pathname(entry);
	const char *hard = archive_entry_hardlink(entry);
	const char *stripped;
	auto_free char *full = NULL;
	int rc;

	if (!path)
		return err_set(err, LAB_EINVALID, "an entry has no readable path");
	if (spec->only && fnmatch(spec->only, skip_dot_slash(path), 0) != 0)
		return 0;
	rc = archive_check_path(path, err);
	if (rc < 0)
		return rc;
	stripped = strip_components(path, spec->strip);
	if (!stripped)
		return 0;
	full = xasprintf("%s/%s", folder, stripped);
	if (hard) {
		const char *target;
		auto_free char *full_target = NULL;

		rc = archive_check_path(hard, err);
		target = rc == 0 ? strip_components(hard, spec->strip) : NULL;
		if (!target)
			return rc < 0 ? rc
				      : err_set(err, LAB_EINVALID,
						"archive path '%s' is a hard link to a folder",
						path);
		full_target = xasprintf("%s/%s", folder, target);
		archive_entry_copy_hardlink(entry, full_target);
	} else if (archive_entry_filetype(entry) == AE_IFLNK) {
		auto_free char *link = NULL;

		rc = archive_check_link(stripped, archive_entry_symlink(entry), spec->links, &link,
					err);
		if (rc < 0)
			return rc;
		archive_entry_copy_symlink(entry, link);
	} else if (archive_entry_filetype(entry) != AE_IFREG &&
		   archive_entry_filetype(entry) != AE_IFDIR) {
		return err_set(err, LAB_EINVALID,
			       "archive path '%s' is neither file, folder nor link", path);
	}
	archive_entry_copy_pathname(entry, full);
	/* Ours to read and remove again, whatever the archive says. */
	if (archive_entry_filetype(entry) == AE_IFDIR)
		archive_entry_set_perm(entry, 0755);
	else if (archive_entry_filetype(entry) == AE_IFREG)
		archive_entry_set_perm(entry, archive_entry_perm(entry) & 0111 ? 0755 : 0644);
	return 1;
}

/* Copies the data of the current entry; adds to *bytes. */
static int copy_data(struct archive *in, struct archive *out, const struct unpack_spec *spec,
		     int64_t *bytes, struct err *err)
{
	for (;;) {
		const void *block;
		size_t size;
		la_int64_t offset;
		int rc = archive_read_data_block(in, &block, &size, &offset);

		if (rc == ARCHIVE_EOF)
			return 0;
		if (rc < ARCHIVE_WARN)
			return read_error(in, "read", err);
		*bytes += (int64_t)size;
		if (*bytes > spec->max_bytes)
			return err_set(err, LAB_ELIMIT, "unpacks to more than %lld bytes",
				       (long long)spec->max_bytes);
		if (archive_write_data_block(out, block, size, offset) < ARCHIVE_WARN)
			return read_error(out, "write", err);
	}
}

static int unpack_entries(const struct unpack_spec *spec, const char *folder, struct archive *in,
			  struct archive *out, struct err *err)
{
	struct archive_entry *entry;
	int64_t entries = 0;
	int64_t bytes = 0;
	int rc;

	for (;;) {
		rc = archive_read_next_header(in, &entry);
		if (rc == ARCHIVE_EOF)
			return 0;
		if (rc < ARCHIVE_WARN)
			return read_error(in, "read", err);
		if (++entries > spec->max_entries)
			return err_set(err, LAB_ELIMIT, "holds more than %lld entries",
				       (long long)spec->max_entries);
		rc = prepare_entry(spec, folder, entry, err);
		if (rc < 0)
			return rc;
		if (rc == 1) {
			if (archive_write_header(out, entry) < ARCHIVE_WARN)
				return read_error(out, "write", err);
			rc = copy_data(in, out, spec, &bytes, err);
			if (rc < 0)
				return rc;
			if (archive_write_finish_entry(out) < ARCHIVE_WARN)
				return read_error(out, "write", err);
		}
		if (spec->on_entry) {
			rc = spec->on_entry(entries, bytes, spec->user, err);
			if (rc < 0)
				return rc;
		}
	}
}

int archive_unpack(const struct unpack_spec *spec, struct err *err)
{
	auto_cleanup(chain_release_p) struct chain chain = { .count = 0 };
	auto_cleanup(archive_read_free_p) struct archive *out = NULL;
	/* SECURE_SYMLINKS looks at every component, so none of ours may be a link. */
	auto_free char *folder = realpath(spec->folder, NULL);
	int rc;

	if (!folder)
		return err_set(err, -errno, "folder '%s': %s", spec->folder, strerror(errno));
	rc = open_chain(spec, &chain, err);
	if (rc < 0)
		return err_prefix(err, "archive '%s'", spec->archive);
	out = archive_write_disk_new();
	if (!out)
		abort(); /* out of memory */
	(void)archive_write_disk_set_options(out, ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME |
							  ARCHIVE_EXTRACT_SECURE_SYMLINKS |
							  ARCHIVE_EXTRACT_SECURE_NODOTDOT);
	rc = unpack_entries(spec, folder, chain.archives[chain.count - 1], out, err);
	if (rc == 0 && archive_write_close(out) < ARCHIVE_WARN)
		rc = read_error(out, "write", err);
	return rc < 0 ? err_prefix(err, "archive '%s'", spec->archive) : 0;
}

int archive_inflate_file(const char *path, size_t max, char **ret_data, size_t *ret_size,
			 struct err *err)
{
	auto_cleanup(archive_read_free_p) struct archive *archive = archive_read_new();
	auto_cleanup(buf_release_p) struct buf data = BUF_INIT(max);
	auto_free char *block = xcalloc(1, READ_BLOCK_BYTES);
	struct archive_entry *entry;

	if (!archive)
		abort(); /* out of memory */
	(void)archive_read_support_filter_gzip(archive);
	(void)archive_read_support_filter_xz(archive);
	(void)archive_read_support_filter_zstd(archive);
	(void)archive_read_support_format_raw(archive);
	if (archive_read_open_filename(archive, path, READ_BLOCK_BYTES) != ARCHIVE_OK ||
	    archive_read_next_header(archive, &entry) != ARCHIVE_OK)
		return read_error(archive, path, err);
	for (;;) {
		la_ssize_t got = archive_read_data(archive, block, READ_BLOCK_BYTES);

		if (got < 0)
			return read_error(archive, path, err);
		if (got == 0)
			break;
		buf_append(&data, block, (size_t)got);
		if (data.overflow)
			return err_set(err, LAB_ELIMIT, "'%s' is larger than %zu bytes", path, max);
	}
	*ret_size = data.size;
	*ret_data = buf_take_string(&data);
	return 0;
}
