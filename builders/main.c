/*
 * testlab-builder JOB.json: does one job and ends (docs/design/001-shape.md).
 *
 * One thread. SIGTERM and SIGINT are blocked and read from a signalfd, which
 * every wait of the job watches. The process adopts orphans of its children
 * (PR_SET_CHILD_SUBREAPER): a makefile that forks off is killed at the end with
 * everything else.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/report.h"
#include "builders/job.h"
#include "builders/kinds.h"

enum { STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_BAD_JOB = 2 };

static const struct kind {
	const char *name;
	int (*run)(struct job *job, json_t *done, struct err *err);
} kinds[] = {
	{ "watch", watch_run },
	{ "prebuilt", prebuilt_run },
	{ "build", build_run },
	{ "image", image_run },
};
#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

static const struct kind *find_kind(const char *name)
{
	for (size_t i = 0; i < KIND_COUNT; i++) {
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	}
	return NULL;
}

static int open_signals(int *ret_fd, struct err *err)
{
	sigset_t set;
	int fd;

	(void)signal(SIGPIPE, SIG_IGN); /* a parent that is gone shows as an error of write */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_set(err, -errno, "block signals: %s", strerror(errno));
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_set(err, -errno, "signalfd: %s", strerror(errno));
	*ret_fd = fd;
	return 0;
}

/* Kill a child of ours for each line in /proc/self/task/TID/children; false when there is none. */
static bool kill_children(void)
{
	char path[64];
	auto_fclose FILE *file = NULL;
	bool found = false;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	file = fopen(path, "re");
	while (file && fscanf(file, "%d", &pid) == 1) {
		found = true;
		(void)kill(pid, SIGKILL); /* may have ended by itself */
	}
	return found;
}

/* End what the job's children left behind; its own children come to us as they die. */
static void end_orphans(void)
{
	while (kill_children()) {
		if (waitpid(-1, NULL, 0) < 0 && errno != EINTR)
			break;
	}
}

static void report_failure(struct job *job, int code, const char *text)
{
	json_t *event = json_pack("{ss ss so}", "event", "failed", "code", err_symbol(code), "text",
				  json_string_lossy(text, strlen(text)));

	if (job->failure)
		(void)json_object_update(event, job->failure);
	(void)job_report(job, event, NULL); /* the exit status says it, too */
}

static int run_kind(struct job *job, const struct kind *kind)
{
	struct err err = ERR_INIT;
	json_t *done = json_pack("{ss}", "event", "done");
	int rc;

	lab_assert(kind && done);
	rc = kind->run(job, done, &err);

	end_orphans();
	if (rc < 0) {
		json_decref(done);
		log_error("build", "%s", err.text);
		report_failure(job, rc, err.text);
		return STATUS_FAILED;
	}
	rc = job_report(job, done, &err);
	if (rc < 0) {
		log_error("build", "%s", err.text);
		return STATUS_FAILED;
	}
	return STATUS_DONE;
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	auto_cleanup(job_release) struct job job = { .report_fd = REPORT_FD };
	auto_close int cancel_fd = -1;
	const struct kind *kind;
	int rc;

	if (argc != 2 || argv[1][0] == '-') {
		fprintf(stderr, "usage: testlab-builder JOB.json\n"
				"Does one job of the lab; testlabd and testlab start it.\n");
		return STATUS_BAD_JOB;
	}
	rc = report_claim(&err);
	if (rc == 0)
		rc = open_signals(&cancel_fd, &err);
	if (rc == 0)
		rc = proc_die_with_parent(SIGTERM, &err);
	if (rc == 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		rc = err_set(&err, -errno, "become subreaper: %s", strerror(errno));
	if (rc == 0)
		rc = job_init(&job, argv[1], cancel_fd, REPORT_FD, &err);
	kind = rc == 0 ? find_kind(job.kind) : NULL;
	if (rc == 0 && !kind)
		rc = err_set(&err, LAB_EINVALID, "job '%s': unknown kind '%s'", argv[1], job.kind);
	if (rc < 0) {
		fprintf(stderr, "testlab-builder: %s\n", err.text);
		report_failure(&job, rc, err.text);
		return STATUS_BAD_JOB;
	}
	return run_kind(&job, kind);
}
