#include "cli/show.h"

#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/time.h"
#include "cli/options.h"

#define NEAR_MISSES_SHOWN 2
#define WIDTH_DEFAULT     80

void show_text(FILE *file, const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		bool is_control = *c < 0x20 || *c == 0x7f;

		if (*c == 0xc2 && c[1] >= 0x80 &&
		    c[1] < 0xa0) { /* U+0080..9F: terminals obey them too */
			is_control = true;
			c++;
		}
		(void)fputc(is_control ? '?' : *c, file);
	}
}

void show_lines(FILE *file, const char *indent, const char *text)
{
	while (*text) {
		size_t length = strcspn(text, "\n");
		auto_free char *line = xstrndup(text, length);

		(void)fputs(indent, file);
		show_text(file, line);
		(void)fputc('\n', file);
		text += length + (text[length] == '\n');
	}
}

void show_json(const json_t *value)
{
	(void)json_dumpf(value, stdout, JSON_INDENT(1));
	(void)fputc('\n', stdout);
}

int show_trouble(const struct command *command, const struct err *err)
{
	(void)fprintf(stderr, "testlab %s: ", command->name);
	show_text(stderr, err->text);
	(void)fputc('\n', stderr);
	return CLI_TROUBLE;
}

/* --- progress ------------------------------------------------------------------- */

static bool can_colour(FILE *file)
{
	const char *no_colour = getenv("NO_COLOR"); /* https://no-color.org */
	const char *term = getenv("TERM");

	return isatty(fileno(file)) && !(no_colour && *no_colour) && term &&
	       strcmp(term, "dumb") != 0;
}

void progress_init(struct progress *progress, bool is_json)
{
	FILE *file = is_json ? stderr : stdout;
	bool is_terminal = isatty(fileno(file)) == 1;

	*progress = (struct progress){
		.file = is_json && !is_terminal ? NULL : file,
		.is_terminal = is_terminal,
		.has_colour = can_colour(file),
		.started_ns = time_monotonic_ns(),
	};
}

void progress_clear(struct progress *progress)
{
	if (!progress->has_live_line)
		return;
	(void)fputs("\r\033[K", progress->file);
	(void)fflush(progress->file);
	progress->has_live_line = false;
}

void progress_line(struct progress *progress, const char *fmt, ...)
{
	auto_free char *text = NULL;
	va_list ap;

	if (!progress->file)
		return;
	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	progress_clear(progress);
	show_text(progress->file, text);
	(void)fputc('\n', progress->file);
	(void)fflush(progress->file);
}

static size_t find_width(FILE *file)
{
	struct winsize size;

	if (ioctl(fileno(file), TIOCGWINSZ, &size) < 0 || size.ws_col < 20)
		return WIDTH_DEFAULT;
	return size.ws_col;
}

void progress_live(struct progress *progress, const char *fmt, ...)
{
	auto_free char *text = NULL;
	size_t width;
	va_list ap;

	if (!progress->file || !progress->is_terminal)
		return;
	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	width = find_width(progress->file);
	if (strlen(text) > width - 1) {
		size_t end = width - 1;

		while (end && ((unsigned char)text[end] & 0xc0) == 0x80)
			end--; /* not within a character */
		text[end] = '\0';
	}
	(void)fputs("\r\033[K", progress->file);
	show_text(progress->file, text);
	(void)fflush(progress->file);
	progress->has_live_line = true;
}

static const char *colour_of(const char *verdict, bool has_colour)
{
	enum verdict value;

	if (!has_colour || verdict_from_string(verdict, &value) < 0)
		return "";
	switch (value) {
	case VERDICT_PASS:
		return "\033[32m";
	case VERDICT_FAIL:
		return "\033[31;1m";
	case VERDICT_ERROR:
		return "\033[35;1m";
	case VERDICT_WARN:
		return "\033[33m";
	case VERDICT_SKIP:
	case VERDICT_UNSUPPORTED:
	case VERDICT_COUNT_:
		return "\033[36m";
	}
	return "";
}

static void show_verdict(FILE *file, const char *verdict, bool has_colour)
{
	const char *colour = colour_of(verdict, has_colour);

	(void)fprintf(file, "%s%-11s%s", colour, verdict, *colour ? "\033[0m" : "");
}

static double seconds(const json_t *test, const char *key)
{
	return (double)json_int_or(test, key, 0) / (double)NS_PER_SECOND;
}

void progress_verdict(struct progress *progress, const json_t *test, size_t done, size_t total)
{
	if (!progress->file)
		return;
	progress_clear(progress);
	(void)fprintf(progress->file, "[%3zu/%zu] ", done, total);
	show_verdict(progress->file, json_string_or(test, "verdict", "ERROR"),
		     progress->has_colour);
	(void)fputc(' ', progress->file);
	show_text(progress->file, json_string_or(test, "id", ""));
	(void)fputs("  ", progress->file);
	show_text(progress->file, json_string_or(test, "title", ""));
	(void)fprintf(progress->file, "  (%.1f s)\n", seconds(test, "wall_ns"));
	(void)fflush(progress->file);
}

/* --- failures --------------------------------------------------------------------- */

static void show_labelled(FILE *file, const char *label, const char *text)
{
	(void)fprintf(file, "  %-10s", label);
	show_text(file, text);
	(void)fputc('\n', file);
}

static void show_fields(FILE *file, const json_t *fields)
{
	const json_t *field;
	size_t i;

	json_array_foreach(fields, i, field) {
		if (json_bool_or(field, "ok", true))
			continue;
		(void)fputs("              ", file);
		show_text(file, json_string_or(field, "layer", ""));
		(void)fputc('.', file);
		show_text(file, json_string_or(field, "field", ""));
		(void)fputs(": expected ", file);
		show_text(file, json_string_or(field, "want", "something else"));
		(void)fputs(", got ", file);
		show_text(file, json_string_or(field, "got", "nothing"));
		(void)fputc('\n', file);
	}
}

static void show_near_misses(FILE *file, const json_t *step)
{
	const json_t *misses = json_object_get(step, "near_misses");
	size_t count = json_array_size(misses);

	for (size_t i = 0; i < count && i < NEAR_MISSES_SHOWN; i++) {
		const json_t *miss = json_array_get(misses, i);
		auto_free char *text = xasprintf("%.6f s  %s", seconds(miss, "time_ns"),
						 json_string_or(miss, "summary", "?"));

		show_labelled(file, "came", text);
		show_fields(file, json_object_get(miss, "fields"));
	}
}

/* What came: the packet of the step itself, else the near misses, else nothing. */
static void show_what_came(FILE *file, const json_t *step)
{
	const json_t *packet = json_object_get(step, "packet");

	if (json_is_object(packet)) {
		show_labelled(file, "came", json_string_or(packet, "summary", "?"));
		show_fields(file, json_object_get(step, "fields"));
	} else if (json_array_size(json_object_get(step, "near_misses"))) {
		show_near_misses(file, step);
	} else if (strcmp(json_string_or(step, "kind", ""), "expect") == 0) {
		show_labelled(file, "came", "nothing like it");
	}
}

static void show_failed_step(FILE *file, const json_t *step, const json_t *sent)
{
	const json_t *expected = json_object_get(step, "expected");
	auto_free char *text = NULL;

	if (sent) {
		const json_t *packet = json_object_get(sent, "packet");

		text = xasprintf(
			"%.6f s  %s", seconds(sent, "time_ns"),
			json_string_or(packet, "summary", json_string_or(sent, "text", "?")));
		show_labelled(file, "sent", text);
	}
	show_labelled(file, "expected", json_string_or(step, "text", "?"));
	if (json_string_or(expected, "text", NULL))
		show_labelled(file, "", json_string_or(expected, "text", ""));
	if (json_string_or(step, "clause", NULL))
		show_labelled(file, "by", json_string_or(step, "clause", ""));
	show_what_came(file, step);
}

static void show_failed_steps(FILE *file, const json_t *steps)
{
	const json_t *step, *sent = NULL;
	size_t i;

	json_array_foreach(steps, i, step) {
		if (strcmp(json_string_or(step, "kind", ""), "send") == 0)
			sent = step;
		if (!json_bool_or(step, "ok", true))
			show_failed_step(file, step, sent);
	}
}

static void show_clauses(FILE *file, const json_t *clauses)
{
	const json_t *clause;
	size_t i;

	json_array_foreach(clauses, i, clause) {
		if (json_is_string(clause))
			show_labelled(file, i ? "" : "checks", json_string_value(clause));
	}
}

void show_failure(FILE *file, const json_t *test, bool has_colour)
{
	(void)fputc('\n', file);
	show_verdict(file, json_string_or(test, "verdict", "ERROR"), has_colour);
	(void)fputc(' ', file);
	show_text(file, json_string_or(test, "id", ""));
	(void)fputs("  ", file);
	show_text(file, json_string_or(test, "title", ""));
	(void)fputc('\n', file);
	if (json_string_or(test, "reason", NULL))
		show_labelled(file, "reason", json_string_or(test, "reason", ""));
	show_clauses(file, json_object_get(test, "clauses"));
	show_failed_steps(file, json_object_get(test, "steps"));
}
