/*
 * The library in a process that waits as QEMU does: this program starts itself
 * with it preloaded. The child has a vCPU thread that halts on a condition
 * under a global lock, and a main loop in ppoll with one timer and one link.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/time.h"
#include "tests/unit/lab_cmocka.h"
#include "vclock/protocol.h"

/* --- the child: what QEMU does, in little -------------------------------------- */

static pthread_mutex_t big_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t halt_cond = PTHREAD_COND_INITIALIZER;
static pthread_cond_t created_cond = PTHREAD_COND_INITIALIZER;
static bool created;
static unsigned kicks;
static int link_fd;
static struct sockaddr_in tester;

static int64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_SECOND + ts.tv_nsec;
}

#define EXECUTE_NS (200 * NS_PER_US)

/* Each kick: execute for EXECUTE_NS of guest time, then send one frame. */
static void *vcpu_thread(void *arg)
{
	(void)arg;
	(void)pthread_setname_np(pthread_self(), "CPU 0/TCG");
	(void)pthread_mutex_lock(&big_lock);
	created = true;
	(void)pthread_cond_signal(&created_cond);
	for (;;) {
		int64_t until_ns;

		while (!kicks)
			(void)pthread_cond_wait(&halt_cond, &big_lock);
		kicks--;
		(void)pthread_mutex_unlock(&big_lock);
		until_ns = now_ns() + EXECUTE_NS;
		while (now_ns() < until_ns)
			;
		(void)sendto(link_fd, "frame", 5, 0, (struct sockaddr *)&tester, sizeof(tester));
		(void)pthread_mutex_lock(&big_lock);
	}
	return NULL;
}

static void kick(void)
{
	(void)pthread_mutex_lock(&big_lock);
	kicks++;
	(void)pthread_cond_broadcast(&halt_cond);
	(void)pthread_mutex_unlock(&big_lock);
}

/* A timer each second and each frame that comes in kick the vCPU; "end" ends it. */
static int child(uint16_t tester_port, int fd)
{
	int64_t timer_ns = now_ns() + NS_PER_SECOND;
	pthread_t thread;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	link_fd = fd;
	tester = (struct sockaddr_in){ .sin_family = AF_INET,
				       .sin_port = htons(tester_port),
				       .sin_addr = { htonl(INADDR_LOOPBACK) } };
	/* The main loop begins when the vCPU waits for the first time. */
	(void)pthread_mutex_lock(&big_lock);
	(void)pthread_create(&thread, NULL, vcpu_thread, NULL);
	while (!created)
		(void)pthread_cond_wait(&created_cond, &big_lock);
	(void)pthread_mutex_unlock(&big_lock);
	for (;;) {
		struct pollfd ready = { .fd = link_fd, .events = POLLIN };
		int64_t wait_ns = timer_ns - now_ns();
		struct timespec timeout;
		char data[64];

		if (wait_ns < 0)
			wait_ns = 0;
		timeout = (struct timespec){ wait_ns / NS_PER_SECOND, wait_ns % NS_PER_SECOND };
		if (ppoll(&ready, 1, &timeout, NULL) > 0) {
			ssize_t n = recv(link_fd, data, sizeof(data), 0);

			if (n == 3 && memcmp(data, "end", 3) == 0)
				return 0;
			kick();
		}
		if (now_ns() >= timer_ns) {
			timer_ns += NS_PER_SECOND;
			kick();
		}
	}
}

/* --- the parent: what the runner does ------------------------------------------- */

struct lab {
	pid_t pid;
	char *folder;
	int control_fd;
	int link_fd;
	struct sockaddr_in nut;
	int64_t start_ns;
	uint64_t id, sent, received;
	struct vclock_answer answer;
	struct vclock_stamp stamp; /* of the last frame */
};

static int open_udp(uint16_t *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static void library_path(char path[PATH_MAX])
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, PATH_MAX - 1);

	assert_true(n > 0);
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	assert_true(snprintf(path, PATH_MAX, "%s/../" VCLOCK_LIBRARY, self) < PATH_MAX);
}

static pid_t spawn(const char *socket_path, const char *links, const char *measure,
		   uint16_t tester_port, int fd)
{
	char path[PATH_MAX], port[16], number[16];
	pid_t pid;

	library_path(path);
	(void)snprintf(port, sizeof(port), "%u", tester_port);
	(void)snprintf(number, sizeof(number), "%d", fd);
	pid = fork();
	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	(void)setenv("LD_PRELOAD", path, 1);
	(void)setenv(VCLOCK_ENV_SOCKET, socket_path, 1);
	(void)setenv(VCLOCK_ENV_LINKS, links, 1);
	(void)setenv(VCLOCK_ENV_MEASURE, measure, 1);
	/* A sanitized build has its runtime behind our library then, which is fine here. */
	(void)setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
	(void)execl("/proc/self/exe", "child", port, number, (char *)NULL);
	_exit(127);
}

static int start(void **state)
{
	struct lab *lab = calloc(1, sizeof(*lab));
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	uint16_t tester_port, nut_port;
	struct vclock_hello hello;
	int listener, nut_fd;
	char links[32];

	lab->folder = test_folder();
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/clock", lab->folder);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
	lab->link_fd = open_udp(&tester_port);
	nut_fd = open_udp(&nut_port);
	lab->nut = (struct sockaddr_in){ .sin_family = AF_INET,
					 .sin_port = htons(nut_port),
					 .sin_addr = { htonl(INADDR_LOOPBACK) } };
	(void)snprintf(links, sizeof(links), "%u:%u", nut_port, tester_port);
	lab->pid = spawn(address.sun_path, links, "cpu", tester_port, nut_fd);
	(void)close(nut_fd);
	lab->control_fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	(void)close(listener);
	assert_int_equal(recv(lab->control_fd, &hello, sizeof(hello), 0), sizeof(hello));
	assert_int_equal(hello.header.magic, VCLOCK_MAGIC);
	assert_int_equal(hello.header.version, VCLOCK_VERSION);
	assert_int_equal(hello.pid, lab->pid);
	assert_int_equal(hello.links, 1);
	lab->start_ns = hello.now_ns;
	*state = lab;
	return 0;
}

static int stop(void **state)
{
	struct lab *lab = *state;

	(void)kill(lab->pid, SIGKILL);
	(void)waitpid(lab->pid, NULL, 0);
	(void)close(lab->control_fd);
	(void)close(lab->link_fd);
	(void)fs_remove_tree(lab->folder, NULL);
	free(lab->folder);
	free(lab);
	return 0;
}

static void ask(struct lab *lab, int64_t until_ns)
{
	struct vclock_advance request = {
		.header = { VCLOCK_MAGIC, VCLOCK_VERSION, VCLOCK_ADVANCE },
		.id = ++lab->id,
		.seen = lab->answer.id,
		.until_ns = until_ns,
		.patience_ns = NS_PER_SECOND, /* on a loaded host bursts are longer */
		.link_sent = { lab->sent },
	};

	assert_int_equal(send(lab->control_fd, &request, sizeof(request), 0), sizeof(request));
}

static void advance(struct lab *lab, int64_t until_ns)
{
	ask(lab, until_ns);
	do
		assert_int_equal(recv(lab->control_fd, &lab->answer, sizeof(lab->answer), 0),
				 sizeof(lab->answer));
	while (lab->answer.id != lab->id);
}

static void send_frame(struct lab *lab, const char *text)
{
	assert_int_equal(sendto(lab->link_fd, text, strlen(text), 0, (struct sockaddr *)&lab->nut,
				sizeof(lab->nut)),
			 strlen(text));
	lab->sent++;
}

/* Take one frame that the answer has counted. */
static void take_frame(struct lab *lab)
{
	char data[5 + sizeof(lab->stamp)];

	assert_int_equal(recv(lab->link_fd, data, sizeof(data), 0), sizeof(data));
	memcpy(&lab->stamp, data + 5, sizeof(lab->stamp));
	assert_int_equal(lab->stamp.sequence, ++lab->received);
}

/* An hour is asked for; each timer of the child stops it, because a frame went out. */
static void test_output_stops_a_jump(void **state)
{
	struct lab *lab = *state;
	int64_t host_ns = time_monotonic_ns();

	for (int i = 1; i <= 100; i++) {
		int64_t due_ns = lab->start_ns + i * NS_PER_SECOND;

		advance(lab, lab->start_ns + 3600 * NS_PER_SECOND);
		assert_int_equal(lab->answer.flags, VCLOCK_IDLE | VCLOCK_OUTPUT);
		assert_int_equal(lab->answer.vcpus, 1);
		assert_int_equal(lab->answer.link_sent[0], i);
		take_frame(lab);
		/* Its timer (it started a little after HELLO) and what it executes. */
		assert_in_range(lab->stamp.time_ns, due_ns + EXECUTE_NS, due_ns + 80 * NS_PER_MS);
		assert_in_range(lab->answer.now_ns, lab->stamp.time_ns,
				lab->stamp.time_ns + NS_PER_MS);
	}
	/* 100 s of guest time, 0.2 s of execution. */
	assert_true(time_monotonic_ns() - host_ns < 10 * NS_PER_SECOND);
	assert_int_equal(lab->answer.stalls, 0);
}

/* Frames that lie in the socket before the request are answered before time goes on. */
static void test_frames_are_not_overtaken(void **state)
{
	struct lab *lab = *state;

	advance(lab, lab->start_ns + 500 * NS_PER_MS);
	assert_int_equal(lab->answer.now_ns, lab->start_ns + 500 * NS_PER_MS);
	for (int i = 0; i < 10; i++)
		send_frame(lab, "request");
	for (int i = 0; i < 10;) {
		advance(lab, lab->start_ns + 999 * NS_PER_MS);
		assert_true(lab->answer.flags & VCLOCK_IDLE);
		assert_int_equal(lab->answer.link_received[0], 10);
		for (; (uint64_t)i < lab->answer.link_sent[0]; i++)
			take_frame(lab);
		assert_in_range(lab->answer.now_ns, lab->start_ns + 500 * NS_PER_MS + EXECUTE_NS,
				lab->start_ns + 900 * NS_PER_MS);
	}
}

/*
 * What leaves QEMU when no request is under way, or one that is replaced by another, stops the next jump:
 * whoever asked for that did not know of it.
 */
static void test_output_between_requests_stops_a_jump(void **state)
{
	struct lab *lab = *state;
	struct vclock_answer unread;

	advance(lab, lab->start_ns + 100 * NS_PER_MS);
	send_frame(lab, "request");
	take_frame(lab); /* the answer to it, which no answer to a request has told */
	advance(lab, lab->start_ns + 900 * NS_PER_MS);
	assert_int_equal(lab->answer.flags, VCLOCK_IDLE | VCLOCK_OUTPUT);
	assert_in_range(lab->answer.now_ns, lab->stamp.time_ns, lab->start_ns + 500 * NS_PER_MS);

	/* An answer has told of a frame, but the next request was made before that was read. */
	send_frame(lab, "request");
	ask(lab, lab->start_ns + 900 * NS_PER_MS);
	take_frame(lab);
	assert_int_equal(recv(lab->control_fd, &unread, sizeof(unread), 0), sizeof(unread));
	assert_true(unread.flags & VCLOCK_OUTPUT);
	advance(lab, lab->start_ns + 900 * NS_PER_MS);
	assert_true(lab->answer.flags & VCLOCK_OUTPUT);
	assert_in_range(lab->answer.now_ns, lab->stamp.time_ns, lab->start_ns + 500 * NS_PER_MS);

	/* By now it is known. */
	advance(lab, lab->start_ns + 900 * NS_PER_MS);
	assert_int_equal(lab->answer.flags, VCLOCK_IDLE);
	assert_int_equal(lab->answer.now_ns, lab->start_ns + 900 * NS_PER_MS);
}

/* A frame that was counted and never comes is given up after VCLOCK_MISSING_MS of the host. */
static void test_lost_frame_does_not_hang(void **state)
{
	struct lab *lab = *state;
	int64_t host_ns = time_monotonic_ns();

	lab->sent++;
	advance(lab, lab->start_ns + 500 * NS_PER_MS);
	assert_int_equal(lab->answer.link_received[0], 0);
	assert_in_range(time_monotonic_ns() - host_ns, (VCLOCK_MISSING_MS - 20) * NS_PER_MS,
			(VCLOCK_MISSING_MS + 3000) * NS_PER_MS);
}

/* Nobody asks: time does not pass, and what comes in is served. */
static void test_time_stands_still(void **state)
{
	struct lab *lab = *state;
	const struct timespec pause = { 0, 50 * NS_PER_MS };
	int64_t before_ns;

	advance(lab, lab->start_ns + 100 * NS_PER_MS);
	before_ns = lab->answer.now_ns;
	(void)nanosleep(&pause, NULL);
	advance(lab, 0);
	assert_int_equal(lab->answer.now_ns, before_ns);
	send_frame(lab, "request");
	take_frame(lab);
	assert_in_range(lab->stamp.time_ns, before_ns + EXECUTE_NS, before_ns + 20 * NS_PER_MS);
}

static int exit_status(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The runner is gone: the child lives on in the host's time and can be ended. */
static void test_runner_gone_runs_free(void **state)
{
	struct lab *lab = *state;
	int64_t host_ns = time_monotonic_ns();

	(void)close(lab->control_fd);
	lab->control_fd = -1;
	take_frame(lab); /* of its timer, one real second after its start */
	assert_in_range(time_monotonic_ns() - host_ns, 500 * NS_PER_MS, 5 * NS_PER_SECOND);
	send_frame(lab, "end");
	assert_int_equal(exit_status(lab->pid), 0);
	lab->pid = fork(); /* something for stop() to reap */
	if (lab->pid == 0)
		_exit(0);
}

static void test_bad_settings_are_refused(void **state)
{
	const struct {
		const char *socket, *links, *measure;
	} bad[] = {
		{ "/nonexistent/socket", "1:2", "cpu" },
		{ "/nonexistent/socket", "1", "cpu" },
		{ "/nonexistent/socket", "1:65536", "cpu" },
		{ "/nonexistent/socket", "1:2,3:4,5:6,7:8,9:10", "cpu" },
		{ "/nonexistent/socket", "1:2", "moon" },
	};

	(void)state;
	/* Not the tests' output: the messages are expected. */
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
			exit_status(spawn(bad[i].socket, bad[i].links, bad[i].measure, 1, 0)), 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_output_stops_a_jump, start, stop),
		cmocka_unit_test_setup_teardown(test_frames_are_not_overtaken, start, stop),
		cmocka_unit_test_setup_teardown(test_output_between_requests_stops_a_jump, start,
						stop),
		cmocka_unit_test_setup_teardown(test_lost_frame_does_not_hang, start, stop),
		cmocka_unit_test_setup_teardown(test_time_stands_still, start, stop),
		cmocka_unit_test_setup_teardown(test_runner_gone_runs_free, start, stop),
		cmocka_unit_test(test_bad_settings_are_refused),
	};

	if (argc == 3 && strcmp(argv[0], "child") == 0)
		return child((uint16_t)strtoul(argv[1], NULL, 10), (int)strtol(argv[2], NULL, 10));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
