/*
 * One child, five libuv handles. Life: running -> (stopping) -> exited -> all
 * pipes at their end -> handles closed -> on_end -> freed. A grandchild that
 * keeps a pipe open is killed with the group, or cut off after DRAIN_MS.
 */
#include "orchestrator/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/report.h"
#include "orchestrator/process.h"

/* A child cleans up within 5 s of SIGTERM (docs/design/001-shape.md); then the group is killed. */
#define GRACE_MS 7000
/* How long a pipe may stay open after the child ended. */
#define DRAIN_MS   2000
#define TAIL_BYTES 4096
#define HANDLES    5

struct child {
	uv_process_t process;
	uv_pipe_t report;
	uv_pipe_t log;
	uv_timer_t deadline;
	uv_timer_t grace; /* after SIGTERM, and then for the pipes */
	int (*on_report)(json_t *value, void *user, struct err *err);
	void (*on_end)(const struct child_end *end, void *user);
	void *user;
	struct report_reader *reader;
	int log_fd;
	int64_t log_bytes;
	char tail[TAIL_BYTES + 1]; /* the last output, NUL-terminated */
	size_t tail_size;
	char key[PROCESS_KEY_SIZE];
	char trouble[512];
	pid_t pid; /* stays after the exit */
	int exit_status;
	int signal;
	int open_handles; /* that are still to be closed */
	bool exited, report_ended, log_ended, stopping, timed_out, closing;
	char read_buffer[65536];
};

static void close_log(struct child *child)
{
	if (child->log_fd >= 0)
		(void)close(STEAL_FD(child->log_fd)); /* a lost log line is no trouble of the job */
}

static void on_closed(uv_handle_t *handle)
{
	struct child *child = handle->data;
	struct child_end end;

	if (--child->open_handles > 0)
		return;
	close_log(child);
	report_reader_free(child->reader);
	end = (struct child_end){
		.exit_status = child->exit_status,
		.signal = child->signal,
		.timed_out = child->timed_out,
		.trouble = *child->trouble ? child->trouble : NULL,
		.log_tail = child->tail,
	};
	if (child->on_end)
		child->on_end(&end, child->user);
	free(child);
}

static void close_all(struct child *child)
{
	uv_handle_t *handles[HANDLES] = {
		(uv_handle_t *)&child->process, (uv_handle_t *)&child->report,
		(uv_handle_t *)&child->log,     (uv_handle_t *)&child->deadline,
		(uv_handle_t *)&child->grace,
	};

	if (child->closing)
		return;
	child->closing = true;
	child->open_handles = HANDLES;
	for (size_t i = 0; i < HANDLES; i++)
		uv_close(handles[i], on_closed);
}

static void end_if_quiet(struct child *child)
{
	if (child->exited && child->report_ended && child->log_ended)
		close_all(child);
}

static void on_drained(uv_timer_t *timer)
{
	close_all(timer->data);
}

static void on_exit_status(uv_process_t *process, int64_t status, int signal)
{
	struct child *child = process->data;

	child->exited = true;
	child->exit_status = (int)status;
	child->signal = signal;
	/* Whoever is left in the group has no parent to report to. */
	(void)process_signal_group(child->pid, child->key, SIGKILL);
	(void)uv_timer_stop(&child->deadline);
	(void)uv_timer_start(&child->grace, on_drained, DRAIN_MS, 0);
	end_if_quiet(child);
}

static void on_grace_over(uv_timer_t *timer)
{
	struct child *child = timer->data;

	if (!child->exited)
		(void)kill(-child->pid, SIGKILL); /* not reaped yet, so the number is its own */
}

void child_stop(struct child *child)
{
	if (child->exited || child->stopping)
		return;
	child->stopping = true;
	(void)kill(child->pid, SIGTERM);
	(void)uv_timer_start(&child->grace, on_grace_over, GRACE_MS, 0);
}

static void on_deadline(uv_timer_t *timer)
{
	struct child *child = timer->data;

	child->timed_out = true;
	child_stop(child);
}

static void on_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct child *child = handle->data;

	(void)suggested;
	*buf = uv_buf_init(child->read_buffer, sizeof(child->read_buffer));
}

static int take_report(json_t *value, void *user, struct err *err)
{
	struct child *child = user;

	return child->on_report(value, child->user, err);
}

static void on_report_data(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
	struct child *child = stream->data;
	struct err err = ERR_INIT;

	if (size < 0) {
		child->report_ended = true;
		(void)uv_read_stop(stream);
		end_if_quiet(child);
		return;
	}
	if (*child->trouble) /* nothing more of it is believed */
		return;
	if (report_reader_feed(child->reader, buf->base, (size_t)size, &err) < 0) {
		(void)snprintf(child->trouble, sizeof(child->trouble), "%.500s", err.text);
		child_stop(child);
	}
}

static void keep_tail(struct child *child, const char *data, size_t size)
{
	size_t keep;

	if (size > TAIL_BYTES) {
		data += size - TAIL_BYTES;
		size = TAIL_BYTES;
	}
	keep = child->tail_size + size > TAIL_BYTES ? TAIL_BYTES - size : child->tail_size;
	memmove(child->tail, child->tail + child->tail_size - keep, keep);
	memcpy(child->tail + keep, data, size);
	child->tail_size = keep + size;
	child->tail[child->tail_size] = '\0';
	for (size_t i = 0; i < child->tail_size; i++)
		if (!child->tail[i]) /* a NUL would hide the rest */
			child->tail[i] = '?';
}

static void on_log_data(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
	static const char cut[] = "\n[log cut here: larger than the limit]\n";
	struct child *child = stream->data;

	if (size < 0) {
		child->log_ended = true;
		(void)uv_read_stop(stream);
		end_if_quiet(child);
		return;
	}
	keep_tail(child, buf->base, (size_t)size);
	child->log_bytes += size;
	if (child->log_fd < 0)
		return;
	if (child->log_bytes > LIMIT_LOG_BYTES ||
	    write(child->log_fd, buf->base, (size_t)size) < 0) {
		(void)!write(child->log_fd, cut, sizeof(cut) - 1); /* the disk may be full */
		close_log(child);
	}
}

static void init_handles(struct child *child, uv_loop_t *uv)
{
	(void)uv_pipe_init(uv, &child->report, 0);
	(void)uv_pipe_init(uv, &child->log, 0);
	(void)uv_timer_init(uv, &child->deadline);
	(void)uv_timer_init(uv, &child->grace);
	child->process.data = child;
	child->report.data = child;
	child->log.data = child;
	child->deadline.data = child;
	child->grace.data = child;
}

/* uv_spawn with our pipes; stdout and stderr share one. */
static int spawn(struct child *child, const struct child_spec *spec, int output_fd)
{
	uv_stdio_container_t stdio[4] = {
		{ .flags = UV_IGNORE },
		{ .flags = UV_INHERIT_FD, .data.fd = output_fd },
		{ .flags = UV_INHERIT_FD, .data.fd = output_fd },
		{ .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
		  .data.stream = (uv_stream_t *)&child->report },
	};
	uv_process_options_t options = {
		.exit_cb = on_exit_status,
		.file = spec->argv[0],
		.args = (char **)(uintptr_t)spec->argv,
		.flags = UV_PROCESS_DETACHED, /* setsid(2): a group that can be killed as one */
		.stdio_count = 4,
		.stdio = stdio,
	};

	return uv_spawn(spec->uv, &child->process, &options);
}

int child_start(const struct child_spec *spec, struct child **ret_child, struct err *err)
{
	struct child *child;
	auto_close int log_fd = -1;
	int pipe_fds[2], rc;

	log_fd = open(spec->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (log_fd < 0)
		return err_set(err, -errno, "open '%s': %s", spec->log_path, strerror(errno));
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_set(err, -errno, "pipe: %s", strerror(errno));
	child = xcalloc(1, sizeof(*child));
	child->on_report = spec->on_report;
	child->user = spec->user;
	child->reader = report_reader_new(take_report, child);
	child->log_fd = STEAL_FD(log_fd);
	init_handles(child, spec->uv);
	rc = uv_pipe_open(&child->log, pipe_fds[0]); /* owns the descriptor from here */
	lab_assert(rc == 0);
	rc = spawn(child, spec, pipe_fds[1]);
	(void)close(pipe_fds[1]);
	if (rc < 0) {
		close_all(child); /* on_end is not set: nobody is told */
		return err_set(err, LAB_ECHILD, "start '%s': %s", spec->argv[0], uv_strerror(rc));
	}
	child->on_end = spec->on_end;
	child->pid = child->process.pid;
	(void)process_get_key(child->pid, child->key); /* not reaped yet, so it is there */
	(void)uv_read_start((uv_stream_t *)&child->report, on_buffer, on_report_data);
	(void)uv_read_start((uv_stream_t *)&child->log, on_buffer, on_log_data);
	(void)uv_timer_start(&child->deadline, on_deadline, (uint64_t)spec->deadline_ms, 0);
	*ret_child = child;
	return 0;
}

pid_t child_get_pid(const struct child *child)
{
	return child->pid;
}

const char *child_get_key(const struct child *child)
{
	return child->key;
}
