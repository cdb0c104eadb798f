/* Files and folders: whole files, trees, and where our own data and programs lie. */
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"

#define TREE_DEPTH_MAX     200 /* one descriptor is open per level */
#define SOURCE_TREE_LEVELS 4   /* build/tests/x is two below the tree */
#define COPY_BLOCK_BYTES   (1 << 20)

char *path_join(const char *folder, const char *name)
{
	size_t length = strlen(folder);

	return xasprintf("%s%s%s", folder, length && folder[length - 1] == '/' ? "" : "/", name);
}

bool path_is_component(const char *name)
{
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strlen(name) > NAME_MAX)
		return false;
	for (const char *c = name; *c; c++) {
		if (*c == '/' || (unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	}
	return true;
}

static int make_folder(const char *path, mode_t mode, struct err *err)
{
	struct stat info;

	if (mkdir(path, mode) == 0)
		return 0;
	if (errno != EEXIST)
		return err_set(err, -errno, "make folder '%s': %s", path, strerror(errno));
	if (stat(path, &info) < 0)
		return err_set(err, -errno, "make folder '%s': %s", path, strerror(errno));
	if (!S_ISDIR(info.st_mode))
		return err_set(err, -ENOTDIR, "make folder '%s': it exists and is no folder", path);
	return 0;
}

int fs_mkdir_parents(const char *path, mode_t mode, struct err *err)
{
	auto_free char *part = xstrdup(path);

	for (char *slash = strchr(part + (*part == '/'), '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		int rc;

		*slash = '\0';
		rc = make_folder(part, mode, err);
		if (rc < 0)
			return rc;
		*slash = '/';
	}
	return make_folder(part, mode, err);
}

static void closedir_p(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

/* Open folder `name` below `parent`; one whose owner took his own rights away gets them back. */
static int open_folder(int parent, const char *name)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(parent, name, flags);

	if (fd < 0 && errno == EACCES && fchmodat(parent, name, 0700, 0) == 0)
		fd = openat(parent, name, flags);
	return fd;
}

static int remove_entry(int parent, const char *name, unsigned depth, struct err *err);

static int remove_children(int fd, const char *name, unsigned depth, struct err *err)
{
	auto_cleanup(closedir_p) DIR *dir = NULL;
	const struct dirent *entry;

	if (depth > TREE_DEPTH_MAX) {
		(void)close(fd);
		return err_set(err, LAB_ELIMIT, "remove '%s': more than %d folders deep", name,
			       TREE_DEPTH_MAX);
	}
	(void)fchmod(fd, 0700); /* entries of a read-only folder cannot be removed */
	dir = fdopendir(fd);
	if (!dir) {
		int saved = errno;

		(void)close(fd);
		return err_set(err, -saved, "remove '%s': %s", name, strerror(saved));
	}
	while ((errno = 0, entry = readdir(dir))) {
		int rc;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		rc = remove_entry(dirfd(dir), entry->d_name, depth + 1, err);
		if (rc < 0)
			return rc;
	}
	if (errno)
		return err_set(err, -errno, "remove '%s': %s", name, strerror(errno));
	return 0;
}

static int remove_entry(int parent, const char *name, unsigned depth, struct err *err)
{
	int fd, rc;

	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_set(err, -errno, "remove '%s': %s", name, strerror(errno));
	fd = open_folder(parent, name);
	if (fd < 0)
		return err_set(err, -errno, "remove '%s': %s", name, strerror(errno));
	rc = remove_children(fd, name, depth, err);
	if (rc < 0)
		return rc;
	if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_set(err, -errno, "remove '%s': %s", name, strerror(errno));
	return 0;
}

int fs_remove_tree(const char *path, struct err *err)
{
	int rc = remove_entry(AT_FDCWD, path, 0, err);

	if (rc < 0 && err && !strstr(err->text, path))
		(void)err_prefix(err, "remove tree '%s'", path);
	return rc;
}

/* Up to `size` bytes, fewer only at the end of the file; or a negative code. */
static ssize_t read_fully(int fd, char *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t got = read(fd, data + done, size - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

static int write_fully(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t wrote = write(fd, data, size);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return -errno;
		data += wrote;
		size -= (size_t)wrote;
	}
	return 0;
}

int fs_read_file(const char *path, size_t max, char **ret_data, size_t *ret_size, struct err *err)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	auto_free char *data = NULL;
	size_t capacity = 4096;
	size_t size = 0;
	ssize_t got;

	if (fd < 0)
		return err_set(err, -errno, "open '%s': %s", path, strerror(errno));
	/* Sizes of /proc and pipes are not known beforehand, so it grows. */
	for (;;) {
		data = xreallocarray(data, capacity + 1, 1);
		got = read_fully(fd, data + size, capacity - size);
		if (got < 0)
			return err_set(err, (int)got, "read '%s': %s", path, strerror((int)-got));
		size += (size_t)got;
		if (size > max)
			return err_set(err, LAB_ELIMIT, "read '%s': larger than %zu bytes", path,
				       max);
		if (size < capacity)
			break;
		capacity *= 2;
	}
	data[size] = '\0';
	*ret_data = STEAL_PTR(data);
	if (ret_size)
		*ret_size = size;
	return 0;
}

/* Make the new name of a file in `path`'s folder last through a power cut. */
static void sync_folder_of(const char *path)
{
	auto_free char *folder = xstrdup(path);
	char *slash = strrchr(folder, '/');
	auto_close int fd = -1;

	if (slash)
		*(slash == folder ? slash + 1 : slash) = '\0';
	fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		(void)fsync(fd); /* some file systems cannot; the file itself is safe */
}

static int fill_file(int fd, const void *data, size_t size, mode_t mode)
{
	int rc = write_fully(fd, data, size);

	if (rc < 0)
		return rc;
	if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

int fs_write_file(const char *path, const void *data, size_t size, mode_t mode, struct err *err)
{
	auto_free char *temporary = xasprintf("%s.XXXXXX", path);
	auto_close int fd = mkostemp(temporary, O_CLOEXEC);
	int rc;

	if (fd < 0)
		return err_set(err, -errno, "create '%s': %s", temporary, strerror(errno));
	rc = fill_file(fd, data, size, mode);
	if (rc == 0 && rename(temporary, path) < 0)
		rc = -errno;
	if (rc < 0) {
		(void)unlink(temporary);
		return err_set(err, rc, "write '%s': %s", path, strerror(-rc));
	}
	sync_folder_of(path);
	return 0;
}

static int copy_by_reading(int in, int out)
{
	auto_free char *block = xcalloc(COPY_BLOCK_BYTES, 1);

	for (;;) {
		ssize_t got = read_fully(in, block, COPY_BLOCK_BYTES);
		int rc;

		if (got <= 0)
			return (int)got;
		rc = write_fully(out, block, (size_t)got);
		if (rc < 0)
			return rc;
	}
}

static int copy_contents(int in, int out)
{
	bool copied = false;

	if (ioctl(out, FICLONE, in) == 0)
		return 0;
	for (;;) {
		ssize_t got = copy_file_range(in, NULL, out, NULL, SSIZE_MAX & ~4095, 0);

		if (got > 0) {
			copied = true;
			continue;
		}
		if (got < 0 && errno == EINTR)
			continue;
		/* 0 at the start may be a /proc file that only read() can see into. */
		if (got == 0 && copied)
			return 0;
		if (got == 0 || (!copied && errno != ENOSPC && errno != EIO))
			return copy_by_reading(in, out);
		return -errno;
	}
}

int fs_copy_file(const char *from, const char *to, mode_t mode, struct err *err)
{
	auto_close int in = open(from, O_RDONLY | O_CLOEXEC);
	auto_close int out = -1;
	struct stat info;
	int rc;

	if (in < 0 || fstat(in, &info) < 0)
		return err_set(err, -errno, "open '%s': %s", from, strerror(errno));
	if (!S_ISREG(info.st_mode))
		return err_set(err, LAB_EINVALID, "copy '%s': it is no regular file", from);
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (out < 0)
		return err_set(err, -errno, "create '%s': %s", to, strerror(errno));
	rc = copy_contents(in, out);
	if (rc == 0 && fchmod(out, mode) < 0)
		rc = -errno;
	if (rc < 0) {
		(void)unlink(to);
		return err_set(err, rc, "copy '%s' to '%s': %s", from, to, strerror(-rc));
	}
	return 0;
}

int64_t fs_file_size(const char *path, struct err *err)
{
	struct stat info;

	if (stat(path, &info) < 0)
		return err_set(err, -errno, "look at '%s': %s", path, strerror(errno));
	if (!S_ISREG(info.st_mode))
		return err_set(err, LAB_EINVALID, "look at '%s': expected a regular file", path);
	return info.st_size;
}

bool fs_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

int64_t fs_free_bytes(const char *path, struct err *err)
{
	struct statvfs info;

	if (statvfs(path, &info) < 0)
		return err_set(err, -errno, "free space of '%s': %s", path, strerror(errno));
	return (int64_t)info.f_bavail * (int64_t)info.f_frsize;
}

/* The folder of the running program, on the heap. */
static char *find_own_folder(void)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	if (length <= 0)
		return xstrdup("/");
	path[length] = '\0';
	slash = strrchr(path, '/');
	*(slash == path ? slash + 1 : slash) = '\0';
	return xstrdup(path);
}

static bool has(const char *folder, const char *name)
{
	auto_free char *path = path_join(folder, name);

	return fs_exists(path);
}

int fs_find_data(char **ret_path, struct err *err)
{
	const char *named = getenv("TESTLAB_DATA");
	auto_free char *folder = find_own_folder();

	if (named && *named) {
		if (!has(named, "suites") || !has(named, "builders"))
			return err_set(
				err, LAB_ENOTFOUND,
				"TESTLAB_DATA '%s': expected a folder with 'suites' and 'builders'",
				named);
		*ret_path = xstrdup(named);
		return 0;
	}
	for (int level = 0; level < SOURCE_TREE_LEVELS; level++) {
		char *slash = strrchr(folder, '/');

		if (has(folder, "suites") && has(folder, "builders") && has(folder, "Makefile")) {
			*ret_path = STEAL_PTR(folder);
			return 0;
		}
		if (!slash || slash == folder)
			break;
		*slash = '\0';
	}
	if (!has(LAB_PREFIX "/share/testlab", "suites"))
		return err_set(
			err, LAB_ENOTFOUND,
			"data of testlab: neither beside the program nor in '%s/share/testlab'",
			LAB_PREFIX);
	*ret_path = xstrdup(LAB_PREFIX "/share/testlab");
	return 0;
}

int fs_find_program(const char *name, char **ret_path, struct err *err)
{
	auto_free char *own = find_own_folder();
	auto_free char *beside = path_join(own, name);
	auto_free char *above = xasprintf("%s/../%s", own, name); /* from build/tests */
	auto_free char *installed = path_join(LAB_PREFIX "/libexec/testlab", name);
	char *candidates[] = { beside, above, installed };

	for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
		if (access(candidates[i], X_OK) == 0) {
			*ret_path = xstrdup(candidates[i]);
			return 0;
		}
	}
	return err_set(err, LAB_ENOTFOUND,
		       "program '%s': neither in '%s' nor in '%s/libexec/testlab'", name, own,
		       LAB_PREFIX);
}
