#include "base/report.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/limits.h"

int report_claim(struct err *err)
{
	int fd;

	if (fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC) == 0)
		return 0;
	fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || (fd != REPORT_FD && dup3(fd, REPORT_FD, O_CLOEXEC) < 0))
		return err_set(err, -errno, "open '/dev/null': %s", strerror(errno));
	if (fd != REPORT_FD)
		(void)close(fd); /* only written to */
	return 0;
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t wrote = write(fd, data, size);

		if (wrote < 0 && errno == EAGAIN) {
			struct pollfd wait = { .fd = fd, .events = POLLOUT };

			(void)poll(&wait, 1, -1);
			continue;
		}
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return -errno;
		data += wrote;
		size -= (size_t)wrote;
	}
	return 0;
}

/*
 * Write with SIGPIPE held back in this thread: a parent that went away is an
 * error code here, whatever the program does with the signal.
 */
static int write_without_sigpipe(int fd, const char *data, size_t size)
{
	const struct timespec at_once = { 0 };
	sigset_t pipe_set, old_set, pending;
	bool was_pending;
	int rc;

	(void)sigemptyset(&pipe_set);
	(void)sigaddset(&pipe_set, SIGPIPE);
	(void)sigpending(&pending);
	was_pending = sigismember(&pending, SIGPIPE) == 1;
	(void)pthread_sigmask(SIG_BLOCK, &pipe_set, &old_set);
	rc = write_all(fd, data, size);
	if (rc == -EPIPE && !was_pending)
		(void)sigtimedwait(&pipe_set, NULL, &at_once);
	(void)pthread_sigmask(SIG_SETMASK, &old_set, NULL);
	return rc;
}

int report_send(int fd, json_t *value, struct err *err)
{
	auto_json json_t *owned = value;
	auto_free char *text = json_text(owned);
	size_t length = strlen(text);
	int rc;

	text = xreallocarray(text, length + 2, 1);
	text[length++] = '\n';
	text[length] = '\0';
	if (length > LIMIT_REPORT_LINE)
		return err_set(err, LAB_ELIMIT, "report of %zu bytes: at most %u are allowed",
			       length, LIMIT_REPORT_LINE);
	rc = write_without_sigpipe(fd, text, length);
	if (rc == -EBADF && fd == REPORT_FD)
		return 0; /* nobody listens: run by hand */
	if (rc < 0)
		return err_set(err, rc, "write a report: %s", strerror(-rc));
	return 0;
}

struct report_reader {
	report_cb on_value;
	void *user;
	struct buf line; /* what came since the last line end */
};

struct report_reader *report_reader_new(report_cb on_value, void *user)
{
	struct report_reader *reader = xcalloc(1, sizeof(*reader));

	reader->on_value = on_value;
	reader->user = user;
	reader->line = BUF_INIT(LIMIT_REPORT_LINE);
	return reader;
}

static int finish_line(struct report_reader *reader, struct err *err)
{
	auto_json json_t *value = NULL;
	int rc;

	if (reader->line.overflow)
		return err_set(err, LAB_ELIMIT, "report line of more than %u bytes",
			       LIMIT_REPORT_LINE);
	if (reader->line.size == 0)
		return 0;
	rc = json_parse(reader->line.data, reader->line.size, &value, err);
	if (rc < 0)
		return err_prefix(err, "report line");
	if (!json_is_object(value))
		return err_set(err, LAB_EPARSE, "report line: expected an object");
	return reader->on_value(value, reader->user, err);
}

int report_reader_feed(struct report_reader *reader, const char *data, size_t size, struct err *err)
{
	while (size) {
		const char *end = memchr(data, '\n', size);
		size_t length = end ? (size_t)(end - data) : size;
		int rc;

		buf_append(&reader->line, data, length);
		if (reader->line.overflow)
			return finish_line(reader, err);
		if (!end)
			return 0;
		rc = finish_line(reader, err);
		if (rc < 0)
			return rc;
		buf_reset(&reader->line);
		data = end + 1;
		size -= length + 1;
	}
	return 0;
}

void report_reader_free(struct report_reader *reader)
{
	if (!reader)
		return;
	buf_clear(&reader->line);
	free(reader);
}
