/*
 * The serial console of a NUT. QEMU connects to a socket of ours and not to a
 * file: so bytes are events of the loop, and the size of the log is ours to bound.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "runners/loop.h"
#include "runners/nut_int.h"

#define READS_AT_ONCE 64 /* so that a NUT that babbles cannot keep the loop from everything else */

static void on_console(void *user)
{
	nut_console_read(user);
}

int nut_console_open(struct nut *nut, const char *folder, const char *socket_folder,
		     struct err *err)
{
	struct nut_console *console = &nut->console;

	console_scanner_init(&console->scanner);
	nut->console_path = path_join(folder, "console.log");
	console->log_fd = open(nut->console_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (console->log_fd < 0)
		return err_set(err, -errno, "open '%s': %s", nut->console_path, strerror(errno));
	return nut_port_listen(&console->port, nut->loop,
			       xasprintf("%s/%s.console", socket_folder, nut->name), on_console,
			       nut, err);
}

/* What the log cannot take is lost to everybody who judges by it: our trouble, said once. */
static void keep(struct nut *nut, const char *data, size_t size)
{
	struct nut_console *console = &nut->console;

	while (size > 0 && console->size_bytes < LIMIT_CONSOLE_BYTES) {
		size_t room = (size_t)(LIMIT_CONSOLE_BYTES - console->size_bytes);
		ssize_t written = write(console->log_fd, data, size < room ? size : room);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0) {
			nut_set_trouble(nut, NUT_STATE_LOST, "write '%s': %s", nut->console_path,
					strerror(errno));
			return;
		}
		console->size_bytes += written;
		data += written;
		size -= (size_t)written;
	}
}

static void judge(struct nut *nut, enum console_event event)
{
	const char *line = nut->console.scanner.trouble;

	switch (event) {
	case CONSOLE_NOTHING:
		break;
	case CONSOLE_OOPS:
		nut_set_trouble(nut, NUT_STATE_OOPS, "%s", line);
		break;
	case CONSOLE_HUNG:
		nut_set_trouble(nut, NUT_STATE_HUNG, "%s", line);
		break;
	case CONSOLE_PANIC:
		nut_set_trouble(nut, NUT_STATE_PANIC, "%s", line);
		break;
	}
}

void nut_console_read(struct nut *nut)
{
	struct nut_console *console = &nut->console;
	char data[16384];

	for (int i = 0; i < READS_AT_ONCE; i++) {
		ssize_t size = nut_port_read(&console->port, data, sizeof(data));

		if (size <= 0)
			return;
		keep(nut, data, (size_t)size);
		judge(nut, console_scan(&console->scanner, data, (size_t)size));
	}
}

void nut_console_close(struct nut *nut)
{
	nut_port_close(&nut->console.port);
	if (nut->console.log_fd >= 0)
		(void)close(nut->console.log_fd);
	nut->console.log_fd = -1;
}

int64_t nut_console_size(const struct nut *nut)
{
	return nut->console.size_bytes;
}

char *nut_console_text(const struct nut *nut, int64_t offset, size_t max)
{
	int64_t present = nut->console.size_bytes - offset;
	size_t size = present < 0 ? 0 : (size_t)present < max ? (size_t)present : max;
	auto_free char *bytes = xcalloc(size + 1, 1);
	auto_json json_t *text = NULL;
	ssize_t got = pread(nut->console.log_fd, bytes, size, offset);

	text = json_string_lossy(bytes, got > 0 ? (size_t)got : 0);
	return xstrdup(json_string_value(text));
}
