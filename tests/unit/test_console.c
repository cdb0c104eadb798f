/* The console scanner against lines that kernels wrote, and against lines that only look like it. */
#include "runners/console.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/lab_cmocka.h"

static enum console_event scan(const char *text, char trouble[CONSOLE_LINE_MAX])
{
	struct console_scanner scanner;
	enum console_event event;

	console_scanner_init(&scanner);
	event = console_scan(&scanner, text, strlen(text));
	memcpy(trouble, scanner.trouble, CONSOLE_LINE_MAX);
	return event;
}

static void kernel_trouble_is_found(void **state)
{
	static const struct {
		const char *line;
		enum console_event event;
	} cases[] = {
		{ "[   12.345678] Kernel panic - not syncing: sysrq triggered crash\n",
		  CONSOLE_PANIC },
		{ "[    3.000001] BUG: unable to handle page fault for address: ffff\n",
		  CONSOLE_OOPS },
		{ "[    3.000002] Oops: 0002 [#1] PREEMPT SMP PTI\n", CONSOLE_OOPS },
		{ "[    3.000002] Oops: general protection fault, 0000 [#1] SMP\n", CONSOLE_OOPS },
		{ "[    3.000003] kernel BUG at net/ipv6/ip6_output.c:1234!\n", CONSOLE_OOPS },
		{ "[    3.000004] WARNING: CPU: 0 PID: 1 at net/core/dev.c:1 dev_x+0x1\n",
		  CONSOLE_OOPS },
		{ "[    3.000005] BUG: KASAN: slab-out-of-bounds in ip6_x+0x1/0x2\n",
		  CONSOLE_OOPS },
		{ "[    3.000006] WARNING: possible circular locking dependency detected\n",
		  CONSOLE_OOPS },
		{ "[    3.000007] WARNING: suspicious RCU usage\n", CONSOLE_OOPS },
		{ "[    3.000008] UBSAN: array-index-out-of-bounds in net/ipv6/x.c:1:2\n",
		  CONSOLE_OOPS },
		{ "[   99.000009] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [sh:1]\n",
		  CONSOLE_HUNG },
		{ "[   99.000010] INFO: task ip:12 blocked for more than 120 seconds.\n",
		  CONSOLE_HUNG },
		{ "[   99.000011] rcu: INFO: rcu_sched self-detected stall on CPU\n",
		  CONSOLE_HUNG },
		{ "[   99.000012] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:\n",
		  CONSOLE_HUNG },
		{ "[   99.000013][  T123] BUG: scheduling while atomic\n", CONSOLE_OOPS },
		{ "[12345.000014] BUG: scheduling while atomic\r\n", CONSOLE_OOPS },
		{ "half a line of a program[    1.000015] BUG: scheduling while atomic\n",
		  CONSOLE_OOPS },
		{ "[x] [    1.000016] BUG: scheduling while atomic\n", CONSOLE_OOPS },
	};
	char trouble[CONSOLE_LINE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (scan(cases[i].line, trouble) != cases[i].event)
			fail_msg("not seen: %s", cases[i].line);
		assert_non_null(strstr(cases[i].line, trouble));
		assert_true(*trouble && *trouble != '[');
	}
}

static void other_lines_are_nothing(void **state)
{
	static const char *const lines[] = {
		"",
		"\n",
		"BUG: a program says so\n",
		"Kernel panic - not syncing: said by a program\n",
		"[ 1.5] BUG: not a kernel's time stamp\n",
		"[1.000000 BUG: no end\n",
		"[.000000] BUG: no seconds\n",
		"[    1.000000] debug: nothing\n",
		"[    1.000000] testlab: ready\n",
		"[    1.000000] BUG: a line that has not ended",
	};
	char trouble[CONSOLE_LINE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (scan(lines[i], trouble) != CONSOLE_NOTHING)
			fail_msg("seen: %s", lines[i]);
		assert_string_equal(trouble, "");
	}
}

static void the_worst_stays(void **state)
{
	char trouble[CONSOLE_LINE_MAX];

	(void)state;
	assert_int_equal(scan("[    1.000000] WARNING: CPU: 0 PID: 1 at x\n"
			      "[    1.000001] Kernel panic - not syncing: Fatal exception\n"
			      "[    1.000002] BUG: later\n",
			      trouble),
			 CONSOLE_PANIC);
	assert_string_equal(trouble, "Kernel panic - not syncing: Fatal exception");
	assert_int_equal(scan("[    1.000000] BUG: first\n[    1.000001] BUG: second\n", trouble),
			 CONSOLE_OOPS);
	assert_string_equal(trouble, "BUG: first");
}

/* However the bytes are cut into pieces, the result is the same. */
static void pieces_make_no_difference(void **state)
{
	static const char text[] = "boot\n[    1.000000] BUG: in pieces\nmore\n";

	(void)state;
	for (size_t piece = 1; piece < sizeof(text); piece++) {
		struct console_scanner scanner;

		console_scanner_init(&scanner);
		for (size_t at = 0; at < sizeof(text) - 1; at += piece) {
			size_t left = sizeof(text) - 1 - at;

			console_scan(&scanner, text + at, left < piece ? left : piece);
		}
		assert_int_equal(scanner.worst, CONSOLE_OOPS);
		assert_string_equal(scanner.trouble, "BUG: in pieces");
	}
}

static void hostile_bytes_are_harmless(void **state)
{
	struct console_scanner scanner;
	static const char controls[] = "[    1.000000] BUG: a\0b\033[2Jc\xff\n";
	char *line = malloc(100000);
	char trouble[CONSOLE_LINE_MAX];

	(void)state;
	/* A line of any length is cut, and the next one is read again. */
	memset(line, '[', 99999);
	line[99999] = '\n';
	console_scanner_init(&scanner);
	assert_int_equal(console_scan(&scanner, line, 100000), CONSOLE_NOTHING);
	assert_int_equal(console_scan(&scanner, "[    1.000000] BUG: x\n", 22), CONSOLE_OOPS);
	/* Control bytes and NULs do not get into what is shown. */
	console_scanner_init(&scanner);
	assert_int_equal(console_scan(&scanner, controls, sizeof(controls) - 1), CONSOLE_OOPS);
	assert_string_equal(scanner.trouble, "BUG: a?b?[2Jc?");
	assert_int_equal(scan("%s%n[    1.000000] BUG: %s%n\n", trouble), CONSOLE_OOPS);
	assert_string_equal(trouble, "BUG: %s%n");
	free(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kernel_trouble_is_found),
		cmocka_unit_test(other_lines_are_nothing),
		cmocka_unit_test(the_worst_stays),
		cmocka_unit_test(pieces_make_no_difference),
		cmocka_unit_test(hostile_bytes_are_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
