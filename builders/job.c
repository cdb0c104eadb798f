#include "builders/job.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/report.h"
#include "base/time.h"

#define PROGRESS_INTERVAL_NS (NS_PER_SECOND / 10)
#define LOCK_RETRY_MS        200

int job_init(struct job *job, const char *path, int cancel_fd, int report_fd, struct err *err)
{
	int rc;

	memset(job, 0, sizeof(*job));
	job->cancel_fd = cancel_fd;
	job->report_fd = report_fd;
	job->failure = json_object();
	rc = json_read_file(path, LIMIT_CONFIG_BYTES, &job->spec, err);
	if (rc < 0)
		return rc;
	rc = json_get_string(job->spec, "kind", &job->kind, err);
	if (rc == 0)
		rc = json_get_string(job->spec, "scratch", &job->scratch, err);
	if (rc == 0)
		rc = json_get_string(job->spec, "cache", &job->cache, err);
	if (rc < 0)
		return err_prefix(err, "job '%s'", path);
	if (job->scratch[0] != '/' || job->cache[0] != '/')
		return err_set(err, LAB_EINVALID,
			       "job '%s': 'scratch' and 'cache' have to be absolute paths", path);
	rc = fs_mkdir_parents(job->cache, 0755, err);
	return rc < 0 ? rc : fs_mkdir_parents(job->scratch, 0755, err);
}

void job_release(struct job *job)
{
	json_decref(job->spec);
	json_decref(job->failure);
	memset(job, 0, sizeof(*job));
}

int job_report(struct job *job, json_t *event, struct err *err)
{
	return report_send(job->report_fd, event, err);
}

/* For reports that the work does not depend on: a parent that is gone has killed us anyway. */
static void send_or_log(struct job *job, json_t *event)
{
	struct err err = ERR_INIT;

	if (job_report(job, event, &err) < 0)
		log_debug("build", "report lost: %s", err.text);
}

void job_progress(struct job *job, const char *phase, int64_t done, int64_t total, const char *text)
{
	int64_t now_ns = time_monotonic_ns();

	if (strcmp(phase, job->last_phase) == 0 &&
	    now_ns - job->last_sent_ns < PROGRESS_INTERVAL_NS)
		return;
	snprintf(job->last_phase, sizeof(job->last_phase), "%s", phase);
	job->last_sent_ns = now_ns;
	send_or_log(job, json_pack("{ss ss sI sI so}", "event", "progress", "phase", phase, "done",
				   (json_int_t)done, "total", (json_int_t)total, "text",
				   json_string_lossy(text, strlen(text))));
}

void job_decide(struct job *job, const char *area, const char *fmt, ...)
{
	auto_free char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	log_info("build", "%s", text);
	send_or_log(job, json_pack("{ss ss so}", "event", "decision", "area", area, "text",
				   json_string_lossy(text, strlen(text))));
}

int job_artifact(struct job *job, const char *role, const char *name, const char *path,
		 struct err *err)
{
	return job_report(job,
			  json_pack("{ss ss ss ss}", "event", "artifact", "role", role, "name",
				    name, "path", path),
			  err);
}

int job_check_cancelled(const struct job *job, struct err *err)
{
	struct pollfd poll_fd = { .fd = job->cancel_fd, .events = POLLIN };

	if (poll(&poll_fd, 1, 0) > 0)
		return err_set(err, LAB_ECANCELLED, "the job was asked to stop");
	return 0;
}

/* The last line of `text` that is not empty; cuts `text`. */
static const char *last_line(char *text)
{
	size_t length = strlen(text);
	char *newline;

	while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' '))
		text[--length] = '\0';
	newline = strrchr(text, '\n');
	return newline ? newline + 1 : text;
}

int job_run(const struct job *job, struct proc_spec *spec, struct err *err)
{
	auto_cleanup(buf_release_p) struct buf errors = BUF_INIT(64u << 10);
	auto_free char *text = NULL;
	int rc;

	spec->cancel_fd = &job->cancel_fd;
	if (!spec->log_path && !spec->error_output && !spec->on_line)
		spec->error_output = &errors;
	rc = proc_run(spec, err);
	if (rc <= 0)
		return rc;
	text = buf_take_string(&errors);
	return err_set(err, LAB_ECHILD, "'%s' ended with status %d%s%s", spec->argv[0], rc,
		       text[0] ? ": " : "", last_line(text));
}

int job_cache_folder(const struct job *job, const char *name, char **ret_path, struct err *err)
{
	auto_free char *path = path_join(job->cache, name);
	int rc = fs_mkdir_parents(path, 0755, err);

	if (rc == 0)
		*ret_path = STEAL_PTR(path);
	return rc;
}

int job_lock(struct job *job, const char *folder, int *ret_fd, struct err *err)
{
	auto_free char *path = path_join(folder, "lock");
	auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	struct pollfd poll_fd = { .fd = job->cancel_fd, .events = POLLIN };

	if (fd < 0)
		return err_set(err, -errno, "open '%s': %s", path, strerror(errno));
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_set(err, -errno, "lock '%s': %s", path, strerror(errno));
		job_progress(job, "wait", 0, 0, "another job uses this part of the cache");
		if (poll(&poll_fd, 1, LOCK_RETRY_MS) > 0)
			return job_check_cancelled(job, err);
	}
	*ret_fd = STEAL_FD(fd);
	return 0;
}
