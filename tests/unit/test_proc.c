#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/report.h"
#include "base/time.h"
#include "tests/unit/lab_cmocka.h"

#define SHELL(script) ((const char *const[]){ "sh", "-c", script, NULL })

static void test_streams_are_apart(void **state)
{
	auto_cleanup(buf_release_p) struct buf out = BUF_INIT(1000);
	auto_cleanup(buf_release_p) struct buf error = BUF_INIT(1000);
	struct err err = ERR_INIT;
	struct proc_spec spec = { .argv = SHELL("cat; echo trouble >&2; exit 7"),
				  .input = "given",
				  .output = &out,
				  .error_output = &error };

	(void)state;
	assert_int_equal(proc_run(&spec, &err), 7);
	assert_string_equal(out.data, "given");
	assert_string_equal(error.data, "trouble\n");
}

static void on_line(const char *line, void *user)
{
	struct buf *lines = user;

	buf_printf(lines, "[%s]", line);
}

static void test_lines_and_log(void **state)
{
	auto_free char *folder = test_folder();
	auto_free char *log = path_join(folder, "log");
	auto_free char *text = NULL;
	auto_cleanup(buf_release_p) struct buf lines = BUF_INIT(1000);
	struct err err = ERR_INIT;
	struct proc_spec spec = { .argv = SHELL("echo one; echo; printf end"),
				  .folder = folder,
				  .log_path = log,
				  .on_line = on_line,
				  .user = &lines };

	(void)state;
	assert_int_equal(proc_run(&spec, &err), 0);
	assert_string_equal(lines.data, "[one][][end]");
	spec.on_line = NULL;
	spec.argv = SHELL("pwd; echo e >&2");
	assert_int_equal(proc_run(&spec, &err), 0);
	assert_int_equal(fs_read_file(log, 1000, &text, NULL, &err), 0);
	assert_memory_equal(text, "one\n\nend/", 9);
	assert_non_null(strstr(text, "\ne\n"));
	assert_int_equal(fs_remove_tree(folder, &err), 0);
}

static void test_environment(void **state)
{
	auto_cleanup(buf_release_p) struct buf out = BUF_INIT(1000);
	struct err err = ERR_INIT;
	struct proc_spec spec = { .argv = SHELL("echo $LANG $MINE $SECRET"),
				  .env = (const char *const[]){ "MINE=yes", NULL },
				  .env_clear = true,
				  .output = &out };

	(void)state;
	assert_int_equal(setenv("SECRET", "leak", 1), 0);
	assert_int_equal(proc_run(&spec, &err), 0);
	assert_string_equal(out.data, "C.UTF-8 yes\n");
	buf_reset(&out);
	spec.env_clear = false;
	spec.env = (const char *const[]){ "SECRET=covered", NULL };
	assert_int_equal(proc_run(&spec, &err), 0);
	assert_non_null(strstr(out.data, " covered\n") ? out.data : strstr(out.data, "covered"));
	assert_null(strstr(out.data, "leak"));
}

static void test_start_failures_name_the_program(void **state)
{
	struct err err = ERR_INIT;
	struct proc_spec spec = { .argv = (const char *const[]){ "no-such-program-here", NULL } };

	(void)state;
	assert_int_equal(proc_run(&spec, &err), -ENOENT);
	assert_non_null(strstr(err.text, "'no-such-program-here'"));
	spec.argv = (const char *const[]){ "/etc/passwd", NULL };
	assert_int_equal(proc_run(&spec, &err), -EACCES);
	spec.argv = SHELL("true");
	spec.folder = "/nowhere";
	assert_int_equal(proc_run(&spec, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere"));
}

static void test_signal_is_an_error(void **state)
{
	struct err err = ERR_INIT;
	struct proc_spec spec = { .argv = SHELL("kill -SEGV $$") };

	(void)state;
	assert_int_equal(proc_run(&spec, &err), LAB_ECHILD);
	assert_non_null(strstr(err.text, "signal 11"));
}

static void test_timeout_kills_the_group(void **state)
{
	auto_cleanup(buf_release_p) struct buf out = BUF_INIT(1000);
	struct err err = ERR_INIT;
	int64_t start = time_monotonic_ns();
	struct proc_spec spec = { .argv = SHELL("sleep 60 & echo $!; wait"),
				  .output = &out,
				  .timeout_ms = 100 };
	pid_t grandchild;

	(void)state;
	assert_int_equal(proc_run(&spec, &err), LAB_ETIMEOUT);
	assert_true(time_monotonic_ns() - start < 2 * NS_PER_SECOND);
	grandchild = (pid_t)strtol(out.data, NULL, 10);
	assert_true(grandchild > 1);
	/* Killed; its zombie may wait a moment for whoever adopted it. */
	for (int i = 0; i < 100 && kill(grandchild, 0) == 0; i++) {
		auto_free char *path = xasprintf("/proc/%d/stat", (int)grandchild);
		auto_free char *stat = NULL;

		if (fs_read_file(path, 4096, &stat, NULL, NULL) < 0 || strstr(stat, ") Z "))
			return;
		(void)usleep(10000);
	}
	assert_int_equal(kill(grandchild, 0), -1);
}

/* What is left of the group when the leader ends does not hold us up. */
static void test_leftovers_are_killed(void **state)
{
	auto_cleanup(buf_release_p) struct buf out = BUF_INIT(1000);
	struct err err = ERR_INIT;
	int64_t start = time_monotonic_ns();
	struct proc_spec spec = { .argv = SHELL("sleep 60 & echo done"), .output = &out };

	(void)state;
	assert_int_equal(proc_run(&spec, &err), 0);
	assert_string_equal(out.data, "done\n");
	assert_true(time_monotonic_ns() - start < NS_PER_SECOND);
}

static void test_cancel(void **state)
{
	struct err err = ERR_INIT;
	int fds[2];
	struct proc_spec spec = { .argv = SHELL("sleep 60"), .cancel_fd = &fds[0] };

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(proc_run(&spec, &err), LAB_ECANCELLED);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void test_nothing_is_inherited(void **state)
{
	auto_cleanup(buf_release_p) struct buf out = BUF_INIT(1000);
	struct err err = ERR_INIT;
	struct proc_spec spec = {
		.argv = SHELL("ls /proc/self/fd | wc -l; "
			      "exec sed -n 's/^SigBlk:\\t//p;s/^SigIgn:\\t//p' /proc/self/status"),
		.output = &out
	};
	int open_fd = open("/dev/null", O_RDONLY);   /* not close-on-exec */
	const uint64_t libc_own = UINT64_C(3) << 31; /* 32 and 33: nobody can set these */
	char *at;

	(void)state;
	assert_true(open_fd >= 0);
	assert_true(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
	assert_int_equal(proc_run(&spec, &err), 0);
	(void)signal(SIGUSR1, SIG_DFL);
	(void)close(open_fd);
	assert_int_equal(strtol(out.data, &at, 10), 4); /* 0, 1, 2 and the folder that ls reads */
	assert_int_equal(strtoull(at, &at, 16), 0);
	assert_int_equal(strtoull(at, &at, 16) & ~libc_own, 0);
}

static void test_input_nobody_reads(void **state)
{
	auto_free char *input = xcalloc(1000001, 1);
	struct err err = ERR_INIT;
	struct proc_spec spec = { .argv = SHELL("true"), .input = input };

	(void)state;
	memset(input, 'x', 1000000);
	assert_int_equal(proc_run(&spec, &err), 0);
}

static void test_start_with_reports(void **state)
{
	struct err err = ERR_INIT;
	struct proc_child child;
	struct proc_spec spec = { .argv = SHELL("echo '{}' >&3; exit 5") };
	struct pollfd wait;
	char text[10];

	(void)state;
	assert_int_equal(proc_start(&spec, true, &child, &err), 0);
	wait = (struct pollfd){ .fd = child.report_fd, .events = POLLIN };
	assert_int_equal(poll(&wait, 1, 5000), 1);
	assert_int_equal(read(child.report_fd, text, sizeof(text)), 3);
	assert_int_equal(proc_wait(&child, &err), 5);
	assert_int_equal(child.report_fd, -1);
	spec.argv = SHELL("sleep 60");
	assert_int_equal(proc_start(&spec, false, &child, &err), 0);
	proc_signal(&child, SIGTERM);
	assert_int_equal(proc_wait(&child, &err), LAB_ECHILD);
}

/* A child of a child: when the one between is killed, the last one dies. */
static void test_dies_with_parent(void **state)
{
	int fds[2];
	pid_t between;
	struct pollfd wait;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	between = fork();
	if (between == 0) {
		struct proc_spec spec = { .argv = SHELL("exec sleep 60") };
		struct proc_child child;
		int held = dup(fds[1]); /* stays open until both are gone */

		if (held < 0 || proc_start(&spec, false, &child, NULL) < 0)
			_exit(1);
		(void)dprintf(fds[1], "%d\n", (int)child.pid);
		(void)pause();
		_exit(0);
	}
	(void)close(fds[1]);
	wait = (struct pollfd){ .fd = fds[0], .events = POLLIN };
	assert_int_equal(poll(&wait, 1, 5000), 1);
	char text[32] = "";
	assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
	assert_int_equal(kill(between, SIGKILL), 0);
	assert_int_equal(waitpid(between, NULL, 0), between);
	pid_t last = (pid_t)strtol(text, NULL, 10);
	auto_free char *path = xasprintf("/proc/%d/stat", (int)last);
	bool gone = false;
	for (int i = 0; i < 200 && !gone; i++) {
		auto_free char *stat = NULL;

		gone = fs_read_file(path, 4096, &stat, NULL, NULL) < 0 || strstr(stat, ") Z ");
		(void)usleep(10000);
	}
	assert_true(gone);
	(void)close(fds[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams_are_apart),
		cmocka_unit_test(test_lines_and_log),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_start_failures_name_the_program),
		cmocka_unit_test(test_signal_is_an_error),
		cmocka_unit_test(test_timeout_kills_the_group),
		cmocka_unit_test(test_leftovers_are_killed),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_nothing_is_inherited),
		cmocka_unit_test(test_input_nobody_reads),
		cmocka_unit_test(test_start_with_reports),
		cmocka_unit_test(test_dies_with_parent),
	};

	return cmocka_run_group_tests_name("proc", tests, NULL, NULL);
}
