#include "base/worker.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/report.h"
#include "base/time.h"

#define TICK_MS       250
#define STOP_GRACE_NS (8 * NS_PER_SECOND) /* a helper promises to clean up within 5 s of SIGTERM */

static int take_report(json_t *value, void *user, struct err *err)
{
	struct worker *worker = user;
	const char *event = json_string_or(value, "event", "");

	(void)err;
	worker->on_report(worker, value, worker->user);
	if (strcmp(event, "done") == 0) {
		worker->state = WORKER_STATE_DONE;
	} else if (strcmp(event, "failed") == 0) {
		worker->state = WORKER_STATE_FAILED;
		worker->is_input_wrong = strcmp(json_string_or(value, "code", ""), "EINVALID") == 0;
		free(worker->reason);
		worker->reason = xstrdup(json_string_or(value, "text", "it did not say why"));
	}
	return 0;
}

int worker_start(struct worker *worker, const char *program, const char *folder, json_t *job,
		 struct err *err)
{
	auto_free char *path = NULL;
	auto_free char *log = path_join(folder, "log");
	auto_free char *job_path = path_join(folder, "job.json");
	struct proc_spec spec = { .log_path = log };
	int rc;

	worker->state = WORKER_STATE_LOST;
	worker->child = (struct proc_child){ .pid = -1, .pid_fd = -1, .report_fd = -1 };
	worker->folder = xstrdup(folder);
	worker->reader = report_reader_new(take_report, worker);
	rc = fs_find_program(program, &path, err);
	if (rc == 0)
		rc = fs_mkdir_parents(folder, 0700, err);
	if (rc == 0 && json_object_set_new(job, "scratch", json_string(folder)) < 0)
		rc = err_set(err, LAB_EINVALID, "folder '%s': its name is no UTF-8", folder);
	if (rc == 0)
		rc = json_write_file(job_path, job, err);
	if (rc < 0)
		return rc;
	spec.argv = (const char *const[]){ path, job_path, NULL };
	rc = proc_start(&spec, true, &worker->child, err);
	if (rc == 0)
		worker->state = WORKER_STATE_RUNNING;
	return rc;
}

void worker_release(struct worker *worker)
{
	if (worker->child.pid > 0) {
		proc_signal(&worker->child, SIGKILL);
		(void)proc_wait(&worker->child, NULL);
	}
	report_reader_free(worker->reader);
	free(worker->folder);
	free(worker->reason);
	worker->reader = NULL;
	worker->folder = NULL;
	worker->reason = NULL;
}

char *worker_log_tail(const struct worker *worker, unsigned count)
{
	auto_free char *path = path_join(worker->folder, "log");
	auto_free char *text = NULL;
	size_t size, at;

	if (fs_read_file(path, LIMIT_LOG_BYTES, &text, &size, NULL) < 0)
		return xstrdup("");
	while (size && text[size - 1] == '\n')
		text[--size] = '\0';
	for (at = size; at > 0; at--) {
		if (text[at - 1] == '\n' && --count == 0)
			break;
	}
	return xstrdup(text + at);
}

/* Read what is there. A worker that talks nonsense is killed and counts as lost. */
static void read_reports(struct worker *worker)
{
	char block[65536];
	struct err err = ERR_INIT;
	ssize_t got;

	while (worker->child.report_fd >= 0) {
		got = read(worker->child.report_fd, block, sizeof(block));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0) {
			(void)close(STEAL_FD(worker->child.report_fd));
			return;
		}
		if (report_reader_feed(worker->reader, block, (size_t)got, &err) < 0) {
			worker->state = WORKER_STATE_RUNNING;
			free(worker->reason);
			worker->reason = xstrdup(err.text);
			proc_signal(&worker->child, SIGKILL);
			(void)close(STEAL_FD(worker->child.report_fd));
		}
	}
}

/* The process has ended. */
static void finish_worker(struct worker *worker)
{
	struct err err = ERR_INIT;
	int status;

	read_reports(worker);
	status = proc_wait(&worker->child, &err);
	if (worker->state != WORKER_STATE_RUNNING)
		return;
	worker->state = WORKER_STATE_LOST;
	if (!worker->reason)
		worker->reason =
			status < 0 ? xstrdup(err.text)
				   : xasprintf("it ended with status %d and no result", status);
}

int crew_open_signals(int *ret_fd, struct err *err)
{
	sigset_t set;
	int fd;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_set(err, -errno, "block signals: %s", strerror(errno));
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_set(err, -errno, "watch signals: %s", strerror(errno));
	*ret_fd = fd;
	return 0;
}

int crew_get_signal(int signal_fd)
{
	struct signalfd_siginfo info;

	return read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info) ? (int)info.ssi_signo
									     : 0;
}

static void signal_all(const struct crew *crew, int number)
{
	for (size_t i = 0; i < crew->count; i++) {
		if (crew->workers[i].child.pid > 0)
			proc_signal(&crew->workers[i].child, number);
	}
}

static size_t count_running(const struct crew *crew)
{
	size_t running = 0;

	for (size_t i = 0; i < crew->count; i++)
		running += crew->workers[i].child.pid > 0;
	return running;
}

/* One round of events of all workers; `fds` has two entries a worker. */
static int handle_workers(struct crew *crew, const struct pollfd *fds, bool stopping,
			  struct err *err)
{
	for (size_t i = 0; i < crew->count; i++) {
		struct worker *worker = &crew->workers[i];
		int rc;

		if (fds[2 * i].revents)
			read_reports(worker);
		if (!fds[2 * i + 1].revents)
			continue;
		finish_worker(worker);
		if (!crew->on_end || stopping)
			continue;
		rc = crew->on_end(worker, crew->user, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Watch for at most one tick; `fds` has room for two entries a worker and one more. */
static int follow_once(struct crew *crew, struct pollfd *fds, bool stopping, bool *ret_signal,
		       struct err *err)
{
	for (size_t i = 0; i < crew->count; i++) {
		const struct proc_child *child = &crew->workers[i].child;

		fds[2 * i] = (struct pollfd){ .fd = child->report_fd, .events = POLLIN };
		fds[2 * i + 1] = (struct pollfd){ .fd = child->pid_fd, .events = POLLIN };
	}
	fds[2 * crew->count] =
		(struct pollfd){ .fd = stopping ? -1 : crew->signal_fd, .events = POLLIN };
	if (poll(fds, 2 * crew->count + 1, TICK_MS) < 0) {
		if (errno == EINTR)
			return 0;
		return err_set(err, -errno, "wait for events: %s", strerror(errno));
	}
	*ret_signal = fds[2 * crew->count].revents != 0;
	return handle_workers(crew, fds, stopping, err);
}

int crew_follow(struct crew *crew, struct err *err)
{
	auto_free struct pollfd *fds = xcalloc(2 * crew->count + 1, sizeof(*fds));
	int64_t kill_ns = 0; /* when to lose patience; 0 = not stopping */
	int stop_code = 0;

	while (count_running(crew)) {
		bool got_signal = false;
		int rc = follow_once(crew, fds, kill_ns != 0, &got_signal, kill_ns ? NULL : err);

		if (got_signal)
			rc = err_set(err, LAB_ECANCELLED, "stopped by a signal");
		if (rc < 0 && !kill_ns) {
			stop_code = rc;
			signal_all(crew, SIGTERM);
			kill_ns = time_monotonic_ns() + STOP_GRACE_NS;
		}
		if (kill_ns && time_monotonic_ns() > kill_ns)
			signal_all(crew, SIGKILL);
		if (crew->on_tick)
			crew->on_tick(crew->user);
	}
	return stop_code;
}
