/*
 * Logging to stderr. A line is made whole and written with one call, so lines
 * of several threads do not mix. Control bytes of outside text become '?', so a
 * hostile name can neither forge a line nor drive a terminal.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"

#define LOG_LINE_BYTES 4096

static const struct {
	const char *name;
	int journal; /* sd-daemon(3) priority */
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", 3 },   [LOG_LEVEL_WARN] = { "warn", 4 },
	[LOG_LEVEL_NOTICE] = { "notice", 5 }, [LOG_LEVEL_INFO] = { "info", 6 },
	[LOG_LEVEL_DEBUG] = { "debug", 7 },
};

static atomic_int shown_level = LOG_LEVEL_INFO;
static atomic_int journal_style;

void log_set_level(enum log_level level)
{
	shown_level = (int)level;
}

void log_set_journal(int on)
{
	journal_style = on;
}

int log_level_from_string(const char *text, enum log_level *ret_level)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcmp(levels[i].name, text) == 0) {
			*ret_level = (enum log_level)i;
			return 0;
		}
	}
	return LAB_EINVALID;
}

static size_t write_prefix(char *line, size_t size, enum log_level level, const char *area)
{
	struct timespec now;
	struct tm parts;
	int used;

	if (journal_style) {
		used = snprintf(line, size, "<%d>%s: ", levels[level].journal, area);
	} else {
		(void)clock_gettime(CLOCK_REALTIME, &now);
		(void)localtime_r(&now.tv_sec, &parts);
		used = snprintf(line, size, "%02d:%02d:%02d.%03ld %-6s %s: ", parts.tm_hour,
				parts.tm_min, parts.tm_sec, now.tv_nsec / 1000000,
				levels[level].name, area);
	}
	return (size_t)used < size ? (size_t)used : size - 1;
}

void log_write(enum log_level level, const char *area, const char *fmt, ...)
{
	char line[LOG_LINE_BYTES];
	size_t start, length;
	va_list ap;

	if ((int)level > shown_level)
		return;
	start = write_prefix(line, sizeof(line) - 1, level, area);
	va_start(ap, fmt);
	(void)vsnprintf(line + start, sizeof(line) - 1 - start, fmt, ap); /* cut on purpose */
	va_end(ap);
	length = strlen(line);
	for (size_t i = start; i < length; i++) {
		unsigned char c = (unsigned char)line[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			line[i] = '?';
	}
	line[length++] = '\n';
	if (write(STDERR_FILENO, line, length) < 0)
		return; /* nowhere is left to say it */
}
