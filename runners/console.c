/* The console scanner. Wordings are those of Linux 4.19 to 6.18 (kernel/panic.c, lib/bug.c, mm/kasan/report.c, ...). */
#include "runners/console.h"

#include <ctype.h>
#include <string.h>

static const struct {
	enum console_event event;
	const char *words; /* somewhere in the message */
} patterns[] = {
	{ CONSOLE_PANIC, "Kernel panic - not syncing" },
	/* Before "BUG:", of which the watchdog's messages are a special case. */
	{ CONSOLE_HUNG, "BUG: soft lockup" },
	{ CONSOLE_HUNG, "hard LOCKUP" },
	{ CONSOLE_HUNG, "BUG: workqueue lockup" },
	{ CONSOLE_HUNG, "self-detected stall on CPU" },
	{ CONSOLE_HUNG, "detected stalls on CPUs" },
	{ CONSOLE_HUNG, "detected expedited stalls on CPUs" },
	{ CONSOLE_HUNG, "blocked for more than" },
	{ CONSOLE_OOPS, "Oops:" },
	{ CONSOLE_OOPS, "BUG:" },
	{ CONSOLE_OOPS, "kernel BUG at" },
	{ CONSOLE_OOPS, "WARNING: CPU:" },
	{ CONSOLE_OOPS, "WARNING: possible" },
	{ CONSOLE_OOPS, "WARNING: suspicious RCU usage" },
	{ CONSOLE_OOPS, "WARNING: inconsistent lock state" },
	{ CONSOLE_OOPS, "WARNING: bad unlock balance" },
	{ CONSOLE_OOPS, "WARNING: held lock freed" },
	{ CONSOLE_OOPS, "WARNING: lock held when returning to user space" },
	{ CONSOLE_OOPS, "INFO: trying to register non-static key" },
	{ CONSOLE_OOPS, "UBSAN:" },
	{ CONSOLE_OOPS, "general protection fault" },
	{ CONSOLE_OOPS, "Unable to handle kernel" },
	{ CONSOLE_OOPS, "unregister_netdevice: waiting for" },
	{ CONSOLE_OOPS, "kmemleak: " },
};

void console_scanner_init(struct console_scanner *scanner)
{
	scanner->length = 0;
	scanner->worst = CONSOLE_NOTHING;
	scanner->line[0] = '\0';
	scanner->trouble[0] = '\0';
}

static const char *skip_digits(const char *text)
{
	while (isdigit((unsigned char)*text))
		text++;
	return text;
}

/* After "[ssss.uuuuuu]" and, with CONFIG_PRINTK_CALLER, "[ T123]"; NULL if `text` does not begin so. */
static const char *skip_stamp(const char *text)
{
	const char *digits;

	if (*text++ != '[')
		return NULL;
	while (*text == ' ')
		text++;
	digits = text;
	text = skip_digits(text);
	if (text == digits || *text++ != '.')
		return NULL;
	digits = text;
	text = skip_digits(text);
	if (text - digits != 6 || *text++ != ']')
		return NULL;
	if (*text == '[') {
		const char *end = strchr(text, ']');

		text = end ? end + 1 : text;
	}
	return text + (*text == ' ');
}

/* The kernel's message in a line, which may begin with what a program wrote without a newline. */
static const char *find_message(const char *line)
{
	for (const char *bracket = strchr(line, '['); bracket; bracket = strchr(bracket + 1, '[')) {
		const char *message = skip_stamp(bracket);

		if (message)
			return message;
	}
	return NULL;
}

static void scan_line(struct console_scanner *scanner)
{
	const char *message = find_message(scanner->line);

	for (size_t i = 0; message && i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		if (!strstr(message, patterns[i].words))
			continue;
		if (patterns[i].event > scanner->worst) {
			scanner->worst = patterns[i].event;
			memmove(scanner->trouble, message, strlen(message) + 1);
		}
		break;
	}
}

enum console_event console_scan(struct console_scanner *scanner, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == '\n') {
			scan_line(scanner);
			scanner->length = 0;
		} else if (bytes[i] != '\r' && scanner->length < sizeof(scanner->line) - 1) {
			scanner->line[scanner->length++] =
				bytes[i] >= 0x20 && bytes[i] < 0x7f ? (char)bytes[i] : '?';
		}
		scanner->line[scanner->length] = '\0';
	}
	return scanner->worst;
}
