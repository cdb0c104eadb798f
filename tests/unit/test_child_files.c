/* What children name and leave: files in their folder, processes of their group. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "orchestrator/ingest.h"
#include "orchestrator/process.h"
#include "tests/unit/lab_cmocka.h"

static void test_open_stays_inside(void **state)
{
	static const char *const bad[] = { "../outside", "/etc/passwd", "link", "a/../../outside",
					   "folder",     "missing",     "fifo", "" };
	auto_free char *top = test_folder();
	auto_free char *folder = path_join(top, "in");
	auto_free char *outside = path_join(top, "outside");
	auto_free char *link_path = path_join(folder, "link");
	auto_free char *fifo = path_join(folder, "fifo");
	auto_free char *inner = path_join(folder, "folder");
	auto_free char *file = path_join(inner, "file");
	struct err err = ERR_INIT;
	int fd = -1;

	(void)state;
	assert_int_equal(fs_mkdir_parents(inner, 0700, &err), 0);
	assert_int_equal(fs_write_file(outside, "x", 1, 0600, &err), 0);
	assert_int_equal(fs_write_file(file, "y", 1, 0600, &err), 0);
	assert_int_equal(symlink("../outside", link_path), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (ingest_open(folder, bad[i], &fd, &err) >= 0)
			fail_msg("'%s' was opened", bad[i]);
		assert_int_equal(fd, -1);
	}
	assert_int_equal(ingest_open(folder, "folder/file", &fd, &err), 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(fs_remove_tree(top, &err), 0);
}

/* A leader that starts one member and waits; its pid, once both are there. */
static pid_t start_group(pid_t *ret_member)
{
	int ready[2];
	pid_t leader;

	assert_int_equal(pipe(ready), 0);
	leader = fork();
	assert_true(leader >= 0);
	if (leader == 0) {
		pid_t member;

		(void)setsid();
		member = fork();
		if (member > 0)
			(void)!write(ready[1], &member, sizeof(member));
		for (;;)
			(void)pause();
	}
	assert_int_equal(read(ready[0], ret_member, sizeof(*ret_member)), sizeof(*ret_member));
	(void)close(ready[0]);
	(void)close(ready[1]);
	return leader;
}

static void test_group_is_ended(void **state)
{
	char key[PROCESS_KEY_SIZE];
	struct err err = ERR_INIT;
	pid_t leader, member;

	(void)state;
	leader = start_group(&member);
	assert_true(process_get_key(leader, key));
	assert_int_equal(process_end_group(leader, key, 5000, &err), 0);
	assert_int_equal(waitpid(leader, NULL, 0), leader);
	assert_false(process_signal_group(leader, key, 0));
}

/* The leader is gone and its number free, as after a crash of the lab; the member lives on. */
static void test_member_without_leader_is_ended(void **state)
{
	char key[PROCESS_KEY_SIZE], member_key[PROCESS_KEY_SIZE];
	struct err err = ERR_INIT;
	pid_t leader, member;

	(void)state;
	leader = start_group(&member);
	assert_true(process_get_key(leader, key));
	assert_int_equal(kill(leader, SIGKILL), 0);
	assert_int_equal(waitpid(leader, NULL, 0), leader);
	assert_true(process_get_key(member, member_key));
	assert_int_equal(process_end_group(leader, key, 5000, &err), 0);
	assert_false(process_signal_group(leader, key, 0));
}

static void test_strangers_are_left_alone(void **state)
{
	char key[PROCESS_KEY_SIZE];
	struct err err = ERR_INIT;
	pid_t leader, member;
	int status;

	(void)state;
	leader = start_group(&member);
	assert_true(process_get_key(leader, key));
	key[strlen(key) - 1] ^= 1; /* another start time: the number was given to somebody else */
	assert_false(process_signal_group(leader, key, SIGKILL));
	key[0] = key[0] == 'x' ? 'y' : 'x'; /* another boot */
	assert_false(process_signal_group(leader, key, SIGKILL));
	assert_false(process_signal_group(leader, NULL, SIGKILL));
	assert_false(process_signal_group(1, key, SIGKILL));
	assert_int_equal(process_end_group(leader, key, 100, &err), 0);
	assert_int_equal(waitpid(leader, &status, WNOHANG), 0); /* it lives */
	assert_int_equal(kill(-leader, SIGKILL), 0);
	assert_int_equal(waitpid(leader, NULL, 0), leader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_stays_inside),
		cmocka_unit_test(test_group_is_ended),
		cmocka_unit_test(test_member_without_leader_is_ended),
		cmocka_unit_test(test_strangers_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
