/* The first error of a build's log, whose fault it is, and the count of objects. */
#include "builders/build_log.h"

#include "tests/unit/lab_cmocka.h"

static struct build_log read_log(const char *const *lines)
{
	struct build_log log = { .objects = 0 };

	for (; *lines; lines++)
		build_log_add(&log, *lines);
	return log;
}
#define READ_LOG(...) read_log((const char *const[]){ __VA_ARGS__, NULL })

static void test_counts_objects(void **state)
{
	struct build_log log = READ_LOG("  CC      net/ipv6/ndisc.o", "  AS      arch/x86/entry.o",
					"  CC [M]  net/ipv6/ip6_gre.o", "  LD      vmlinux.o",
					"  HOSTCC  scripts/basic/fixdep", "CC not/kbuild.o");

	(void)state;
	assert_int_equal(log.objects, 3);
	assert_int_equal(log.fault, BUILD_FAULT_NONE);
	assert_string_equal(build_log_object("  CC [M]  net/ipv6/ip6_gre.o"), "net/ipv6/ip6_gre.o");
	assert_null(build_log_object("  CCLD    x"));
	assert_null(build_log_object(""));
}

static void test_first_compiler_error_counts(void **state)
{
	struct build_log log =
		READ_LOG("  CC      net/ipv6/ndisc.o", "net/ipv6/ndisc.c: In function 'x':",
			 "net/ipv6/ndisc.c:12:9: error: expected ';' before 'return'",
			 "net/ipv6/ndisc.c:99:1: error: control reaches the end",
			 "make[4]: *** [scripts/Makefile.build:229: net/ipv6/ndisc.o] Error 1");

	(void)state;
	assert_int_equal(log.fault, BUILD_FAULT_KERNEL);
	assert_string_equal(log.first_error,
			    "net/ipv6/ndisc.c:12:9: error: expected ';' before 'return'");
}

static void test_linker_error_after_a_summary_of_make(void **state)
{
	struct build_log log = READ_LOG("make[2]: *** [Makefile:9: first] Error 2",
					"ld: main.o: undefined reference to `missing'");

	(void)state;
	assert_int_equal(log.fault, BUILD_FAULT_KERNEL);
	assert_string_equal(log.first_error, "ld: main.o: undefined reference to `missing'");
}

static void test_make_error_keeps_the_line_before(void **state)
{
	struct build_log log =
		READ_LOG("  GEN     /evil", "touch: cannot touch '/evil': Read-only file system",
			 "make: *** [Makefile:3: all] Error 1");

	(void)state;
	assert_int_equal(log.fault, BUILD_FAULT_KERNEL);
	assert_string_equal(log.first_error, "touch: cannot touch '/evil': Read-only file system\n"
					     "make: *** [Makefile:3: all] Error 1");
}

static void test_unreadable_makefile(void **state)
{
	struct build_log log = READ_LOG("Makefile:2: *** missing separator.  Stop.");

	(void)state;
	assert_int_equal(log.fault, BUILD_FAULT_KERNEL);
	assert_string_equal(log.first_error, "Makefile:2: *** missing separator.  Stop.");
}

static void test_our_trouble_outranks_the_kernel(void **state)
{
	static const struct {
		const char *line;
		enum build_fault fault;
	} cases[] = {
		{ "fatal error: error writing to /tmp/x.s: No space left on device",
		  BUILD_FAULT_DISK },
		{ "/bin/sh: 1: flex: not found", BUILD_FAULT_TOOL },
		{ "make[1]: gcc: No such file or directory", BUILD_FAULT_TOOL },
		{ "gcc: fatal error: Killed signal terminated program cc1", BUILD_FAULT_MACHINE },
		{ "make[2]: *** [x.o] Killed", BUILD_FAULT_MACHINE },
		{ "cc1: out of memory allocating 65536 bytes", BUILD_FAULT_MACHINE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct build_log log = READ_LOG("a.c:1:1: error: something", cases[i].line,
						"b.c:2:2: error: something else");

		assert_int_equal(log.fault, cases[i].fault);
		assert_string_equal(log.first_error, cases[i].line);
	}
}

static void test_what_is_no_error(void **state)
{
	struct build_log log =
		READ_LOG("warning: unused variable 'error'", "  CC      drivers/base/error.o",
			 "arch/x86/kernel/x.c:1: warning: out of range",
			 "make[1]: Entering directory '/o'", "symbol table: not found", "");

	(void)state;
	assert_int_equal(log.fault, BUILD_FAULT_NONE);
	assert_string_equal(log.first_error, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts_objects),
		cmocka_unit_test(test_first_compiler_error_counts),
		cmocka_unit_test(test_linker_error_after_a_summary_of_make),
		cmocka_unit_test(test_make_error_keeps_the_line_before),
		cmocka_unit_test(test_unreadable_makefile),
		cmocka_unit_test(test_our_trouble_outranks_the_kernel),
		cmocka_unit_test(test_what_is_no_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
