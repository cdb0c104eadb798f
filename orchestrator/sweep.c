#include "orchestrator/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/time.h"
#include "orchestrator/lab.h"

/* Folders this deep are removed in one go: some hundred files of a kernel tree. */
#define STEP_DEPTH 6

static void closedir_p(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

static int sweep(const char *path, unsigned depth, const atomic_bool *stop, struct err *err)
{
	auto_cleanup(closedir_p) DIR *dir = NULL;
	const struct dirent *entry;
	struct stat st;

	if (atomic_load(stop))
		return err_set(err, LAB_ECANCELLED, "'%s' is removed at the next start", path);
	if (depth >= STEP_DEPTH || lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return fs_remove_tree(path, err);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		auto_free char *inner = NULL;
		int rc;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		inner = path_join(path, entry->d_name);
		rc = sweep(inner, depth + 1, stop, err);
		if (rc < 0)
			return rc;
	}
	return fs_remove_tree(path, err); /* empty now, unless it could not be read */
}

int sweep_tree(const char *path, const atomic_bool *stop, struct err *err)
{
	return sweep(path, 0, stop, err);
}

int sweep_scratch(struct orchestrator *lab, struct err *err)
{
	auto_free char *aside = NULL;
	int rc;

	rc = fs_mkdir_parents(lab->trash_folder, 0700, err);
	if (rc < 0)
		return rc;
	aside = xasprintf("%s/%" PRId64, lab->trash_folder, time_wall_us());
	if (rename(lab->scratch_folder, aside) < 0 && errno != ENOENT)
		return err_set(err, -errno, "rename '%s' to '%s': %s", lab->scratch_folder, aside,
			       strerror(errno));
	return fs_mkdir_parents(lab->scratch_folder, 0700, err);
}

struct sweep_work {
	uv_work_t work;
	struct orchestrator *lab;
	struct err err;
	int rc;
};

static void empty_trash(uv_work_t *work)
{
	struct sweep_work *sweeping = work->data;

	sweeping->rc =
		sweep_tree(sweeping->lab->trash_folder, &sweeping->lab->hurry, &sweeping->err);
}

static void on_empty(uv_work_t *work, int status)
{
	struct sweep_work *sweeping = work->data;

	(void)status;
	sweeping->lab->is_sweeping = false;
	if (sweeping->rc < 0 && sweeping->rc != LAB_ECANCELLED)
		lab_complain("empty the trash folder", &sweeping->err);
	free(sweeping);
}

void sweep_start(struct orchestrator *lab)
{
	struct sweep_work *sweeping = xcalloc(1, sizeof(*sweeping));

	sweeping->lab = lab;
	sweeping->work.data = sweeping;
	lab->is_sweeping = uv_queue_work(&lab->uv, &sweeping->work, empty_trash, on_empty) == 0;
	if (!lab->is_sweeping)
		free(sweeping);
}
