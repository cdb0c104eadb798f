/* The folder of --keep: report.jsonl, captures, consoles, logs. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "cli/run.h"

#define REPORT_NAME "report.jsonl"

/* The files a run may leave there, by the end of their names. */
static const char *const endings[] = { ".pcapng", ".console.txt", ".log", REPORT_NAME };

static void closedir_p(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

static bool ends_with(const char *name, const char *ending)
{
	size_t length = strlen(name);
	size_t end = strlen(ending);

	return length >= end && strcmp(name + length - end, ending) == 0;
}

static bool is_evidence(const char *name)
{
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		if (ends_with(name, endings[i]))
			return true;
	}
	return false;
}

/* Remove what an earlier run kept in the folder; refuse a folder with anything else. */
static int empty_folder(const char *folder, struct err *err)
{
	auto_cleanup(closedir_p) DIR *dir = opendir(folder);
	const struct dirent *entry;

	if (!dir)
		return err_set(err, -errno, "keep folder '%s': %s", folder, strerror(errno));
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (!is_evidence(entry->d_name))
			return err_set(
				err, LAB_EINVALID,
				"keep folder '%s': it holds '%s', which no run has kept there; "
				"expected a new or empty folder",
				folder, entry->d_name);
	}
	rewinddir(dir);
	while ((entry = readdir(dir))) {
		if (is_evidence(entry->d_name) && unlinkat(dirfd(dir), entry->d_name, 0) < 0)
			return err_set(err, -errno, "remove '%s/%s': %s", folder, entry->d_name,
				       strerror(errno));
	}
	return 0;
}

int keep_open(struct run *run, struct err *err)
{
	auto_free char *path = NULL;
	int rc;

	if (!run->settings.keep)
		return 0;
	rc = fs_mkdir_parents(run->settings.keep, 0755, err);
	if (rc == 0)
		rc = empty_folder(run->settings.keep, err);
	if (rc < 0)
		return rc;
	path = path_join(run->settings.keep, REPORT_NAME);
	run->report = fopen(path, "we");
	if (!run->report)
		return err_set(err, -errno, "create '%s': %s", path, strerror(errno));
	return 0;
}

void keep_report(struct run *run, const json_t *report)
{
	auto_free char *text = NULL;

	if (!run->report)
		return;
	text = json_text(report);
	if (fprintf(run->report, "%s\n", text) < 0 || fflush(run->report) != 0)
		run->trouble = "report.jsonl could not be written";
}

static void keep_one(struct run *run, const char *folder, const char *name, const char *new_name)
{
	auto_free char *from = path_join(folder, name);
	auto_free char *to = path_join(run->settings.keep, new_name);
	struct err err = ERR_INIT;

	if (fs_copy_file(from, to, 0644, &err) < 0) {
		progress_line(&run->progress, "%s", err.text);
		run->trouble = "not everything could be kept";
	}
}

void keep_files(struct run *run, const char *folder, const char *stem)
{
	auto_cleanup(closedir_p) DIR *dir = NULL;
	auto_free char *log = path_join(folder, "log");
	auto_free char *log_name = xasprintf("%s.log", stem);
	const struct dirent *entry;

	if (!run->settings.keep)
		return;
	if (fs_exists(log))
		keep_one(run, folder, "log", log_name);
	dir = opendir(folder);
	while (dir && (entry = readdir(dir))) {
		auto_free char *name = NULL;

		if (entry->d_type == DT_DIR || !is_evidence(entry->d_name))
			continue;
		/* A test's files have its id in their names; a log is one of many. */
		name = ends_with(entry->d_name, ".log") ? xasprintf("%s.%s", stem, entry->d_name)
							: xstrdup(entry->d_name);
		keep_one(run, folder, entry->d_name, name);
	}
}
