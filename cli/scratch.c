#include "cli/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/time.h"

#define PREFIX        "testlab-run."
#define FRESH_SECONDS 60 /* a younger one may be between mkdtemp() and flock() */

static void closedir_p(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

/* True if folder `name` is one of ours whose testlab has gone. Anybody may put things into /tmp. */
static bool is_stale(int parent, const char *name)
{
	auto_close int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat info;

	return fd >= 0 && fstat(fd, &info) == 0 && info.st_uid == geteuid() &&
	       time_wall_us() / US_PER_SECOND - info.st_mtime > FRESH_SECONDS &&
	       flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static void sweep(const char *folder)
{
	auto_cleanup(closedir_p) DIR *dir = opendir(folder);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		auto_free char *path = NULL;

		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0 ||
		    !is_stale(dirfd(dir), entry->d_name))
			continue;
		path = path_join(folder, entry->d_name);
		(void)fs_remove_tree(path, NULL); /* the next run tries again */
	}
}

int scratch_open(struct scratch *scratch, struct err *err)
{
	const char *folder = getenv("TMPDIR");
	auto_free char *path = NULL;
	int rc;

	if (!folder || *folder != '/')
		folder = "/tmp";
	sweep(folder);
	path = xasprintf("%s/" PREFIX "XXXXXX", folder);
	if (!mkdtemp(path)) {
		rc = -errno;
		return err_set(err, rc, "temporary folder '%s': %s", path, strerror(-rc));
	}
	scratch->path = STEAL_PTR(path);
	scratch->lock_fd = open(scratch->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (scratch->lock_fd < 0 || flock(scratch->lock_fd, LOCK_EX) < 0) {
		rc = -errno;
		return err_set(err, rc, "temporary folder '%s': %s", scratch->path, strerror(-rc));
	}
	return 0;
}

void scratch_close(struct scratch *scratch)
{
	if (scratch->path)
		(void)fs_remove_tree(scratch->path, NULL); /* else the next run sweeps it */
	if (scratch->lock_fd >= 0)
		(void)close(scratch->lock_fd);
	free(scratch->path);
	*scratch = SCRATCH_INIT;
}
