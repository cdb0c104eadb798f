/* The runner's side of the virtual clock; a thread plays the library in QEMU. */
#include "runners/clock_virtual.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/time.h"
#include "runners/link.h"
#include "runners/loop.h"
#include "tests/unit/lab_cmocka.h"
#include "vclock/protocol.h"

#define QEMU_START_NS (1000 * NS_PER_SECOND) /* its clock is none of the loop's */

struct bench {
	struct loop *loop;
	struct link *link;
	struct clock_virtual *clock;
	char *folder, *socket_path;
	int frames;
	int64_t frame_ns; /* loop time of the last frame */
	int64_t seen_ns;  /* what the loop said then */
	bool stop;
	int pipe_fd;
	/* the library */
	pthread_t thread;
	int control_fd, nut_fd;
	unsigned version;
	uint64_t sequence;
	int64_t frame_at_ns;    /* send a frame when the clock passes this; 0: none */
	int64_t frame_late_ms;  /* so long after the answer */
	pthread_t late_thread;  /* which sends it */
	int64_t late_frame_ns;  /* its stamp */
	int64_t answer_late_ms; /* the guest is busy for so long */
	int64_t busy_ns;        /* and says so */
	uint64_t stalls;
	int tell_fd;        /* written when a request comes; 0: none */
	uint64_t sent_seen; /* what the last request said of frames sent */
	bool runs;
};

static void pause_ms(int64_t ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * NS_PER_MS },
		  NULL);
}

static void send_frame(struct bench *bench, int64_t time_ns)
{
	struct {
		char frame[16];
		struct vclock_stamp stamp;
	} datagram = { "a frame", { ++bench->sequence, time_ns } };

	assert_int_equal(send(bench->nut_fd, &datagram, sizeof(datagram), 0), sizeof(datagram));
}

/* The host delivers a datagram late, while the library takes requests already. */
static void *late_thread(void *arg)
{
	struct bench *bench = arg;

	pause_ms(bench->frame_late_ms);
	send_frame(bench, bench->late_frame_ns);
	return NULL;
}

/* Jump to where the request allows, or to the frame before it. */
static void answer(struct bench *bench, const struct vclock_advance *request, int64_t *now_ns)
{
	struct vclock_answer reply = {
		.header = { VCLOCK_MAGIC, VCLOCK_VERSION, VCLOCK_ANSWER },
		.id = request->id,
		.flags = VCLOCK_IDLE,
		.vcpus = 1,
		.stalls = bench->stalls,
		.busy_ns = bench->busy_ns,
	};
	int64_t frame_ns = bench->frame_at_ns;

	if (bench->tell_fd > 0)
		assert_int_equal(write(bench->tell_fd, "x", 1), 1);
	pause_ms(bench->answer_late_ms);
	bench->sent_seen = request->link_sent[0];
	if (request->until_ns > *now_ns)
		*now_ns = request->until_ns;
	if (frame_ns && *now_ns >= frame_ns) {
		*now_ns = frame_ns + NS_PER_MS; /* the guest goes idle 1 ms later */
		bench->frame_at_ns = 0;
		reply.flags |= VCLOCK_OUTPUT;
		reply.link_sent[0] = bench->sequence + 1;
		if (!bench->frame_late_ms)
			send_frame(bench, frame_ns);
	} else {
		reply.link_sent[0] = bench->sequence;
		frame_ns = 0;
	}
	reply.now_ns = *now_ns;
	(void)send(bench->control_fd, &reply, sizeof(reply), MSG_NOSIGNAL);
	if (frame_ns && bench->frame_late_ms) {
		bench->late_frame_ns = frame_ns;
		assert_int_equal(pthread_create(&bench->late_thread, NULL, late_thread, bench), 0);
	}
}

static void *library_thread(void *arg)
{
	struct bench *bench = arg;
	struct vclock_advance request;
	int64_t now_ns = QEMU_START_NS;

	while (recv(bench->control_fd, &request, sizeof(request), 0) == sizeof(request))
		answer(bench, &request, &now_ns);
	return NULL;
}

static void start_library(struct bench *bench)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct vclock_hello hello = {
		.header = { VCLOCK_MAGIC, (uint16_t)bench->version, VCLOCK_HELLO },
		.now_ns = QEMU_START_NS,
		.links = 1,
	};

	assert_true(strlen(bench->socket_path) < sizeof(address.sun_path));
	memcpy(address.sun_path, bench->socket_path, strlen(bench->socket_path));
	bench->control_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(bench->control_fd, (struct sockaddr *)&address, sizeof(address)),
			 0);
	assert_int_equal(send(bench->control_fd, &hello, sizeof(hello), 0), sizeof(hello));
	assert_int_equal(pthread_create(&bench->thread, NULL, library_thread, bench), 0);
	bench->runs = true;
	(void)loop_run(bench->loop, loop_now_ns(bench->loop), NULL, NULL);
}

static void stop_library(struct bench *bench)
{
	if (!bench->runs)
		return;
	(void)shutdown(bench->control_fd, SHUT_RDWR);
	(void)pthread_join(bench->thread, NULL);
	(void)close(bench->control_fd);
	bench->runs = false;
}

static void on_frame(struct link *link, const uint8_t *frame, size_t size, int64_t time_ns,
		     void *user)
{
	struct bench *bench = user;

	(void)link;
	assert_int_equal(size, 16); /* without its stamp */
	assert_string_equal((const char *)frame, "a frame");
	bench->frames++;
	bench->frame_ns = time_ns;
	bench->seen_ns = loop_now_ns(bench->loop);
	bench->stop = true;
}

static int set_up(void **state)
{
	struct bench *bench = xcalloc(1, sizeof(*bench));
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct err err = ERR_INIT;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bench->version = VCLOCK_VERSION;
	bench->folder = test_folder();
	bench->socket_path = path_join(bench->folder, "clock");
	assert_int_equal(loop_new(&bench->loop, &err), 0);
	assert_int_equal(link_open_udp(bench->loop, "B", on_frame, bench, &bench->link, &err), 0);
	assert_int_equal(clock_virtual_new(bench->loop, bench->socket_path, &bench->link, 1,
					   &bench->clock, &err),
			 0);
	bench->nut_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	address.sin_port = htons(link_get_nut_port(bench->link));
	setsockopt(bench->nut_fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	assert_int_equal(bind(bench->nut_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	address.sin_port = htons(link_get_tester_port(bench->link));
	assert_int_equal(connect(bench->nut_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	*state = bench;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *bench = *state;

	stop_library(bench);
	(void)close(bench->nut_fd);
	link_close(bench->link);
	loop_free(bench->loop);
	(void)fs_remove_tree(bench->folder, NULL);
	free(bench->folder);
	free(bench->socket_path);
	free(bench);
	return 0;
}

static int run_for(struct bench *bench, int64_t ns)
{
	bench->stop = false;
	return loop_run(bench->loop, loop_now_ns(bench->loop) + ns, &bench->stop, NULL);
}

static void host_time_until_qemu_comes(void **state)
{
	struct bench *bench = *state;
	int64_t host_ns = time_monotonic_ns(), before_ns = loop_now_ns(bench->loop);

	assert_int_equal(loop_get_clock(bench->loop), CLOCK_KIND_VIRTUAL);
	assert_false(clock_virtual_is_connected(bench->clock));
	assert_int_equal(run_for(bench, 50 * NS_PER_MS), 0);
	assert_in_range(time_monotonic_ns() - host_ns, 50 * NS_PER_MS, NS_PER_SECOND);
	start_library(bench);
	assert_true(clock_virtual_is_connected(bench->clock));
	/* No step, although QEMU's clock says something else. */
	assert_in_range(loop_now_ns(bench->loop) - before_ns, 50 * NS_PER_MS, NS_PER_SECOND);
}

static void a_day_passes_at_once(void **state)
{
	struct bench *bench = *state;
	int64_t host_ns, before_ns;

	start_library(bench);
	host_ns = time_monotonic_ns();
	before_ns = loop_now_ns(bench->loop);
	assert_int_equal(run_for(bench, 86400 * NS_PER_SECOND), 0);
	assert_int_equal(loop_now_ns(bench->loop), before_ns + 86400 * NS_PER_SECOND);
	assert_true(time_monotonic_ns() - host_ns < 5 * NS_PER_SECOND);
	assert_int_equal(loop_check_clock(bench->loop, NULL), 0);
}

static void frame_has_the_time_of_its_stamp(void **state)
{
	struct bench *bench = *state;
	int64_t before_ns;

	start_library(bench);
	before_ns = loop_now_ns(bench->loop);
	bench->frame_at_ns = QEMU_START_NS + 1234567890;
	assert_int_equal(run_for(bench, 60 * NS_PER_SECOND), 1);
	assert_int_equal(bench->frame_ns, before_ns + 1234567890);
	assert_int_equal(bench->seen_ns, before_ns + 1234567890 + NS_PER_MS);
}

/* The answer overtakes the frame it speaks of: time must not go on before the frame is there. */
static void late_datagram_is_waited_for(void **state)
{
	struct bench *bench = *state;
	struct clock_virtual_stats stats;

	start_library(bench);
	bench->frame_late_ms = 50;
	bench->frame_at_ns = QEMU_START_NS + NS_PER_SECOND;
	assert_int_equal(run_for(bench, 60 * NS_PER_SECOND), 1);
	assert_int_equal(pthread_join(bench->late_thread, NULL), 0);
	assert_int_equal(bench->seen_ns - bench->frame_ns, NS_PER_MS);
	clock_virtual_get_stats(bench->clock, &stats);
	assert_int_equal(stats.missing, 0);
}

/* It never comes: the run goes on, and is told. */
static void lost_datagram_is_reported(void **state)
{
	struct bench *bench = *state;
	struct err err = ERR_INIT;

	start_library(bench);
	bench->sequence = 3; /* which nobody has sent */
	assert_int_equal(run_for(bench, NS_PER_SECOND), 0);
	assert_int_equal(loop_check_clock(bench->loop, &err), LAB_EVIRT);
	assert_non_null(strstr(err.text, "3 frames of the NUT"));
	assert_int_equal(loop_check_clock(bench->loop, &err), 0); /* once for each */
}

static void requests_count_our_frames(void **state)
{
	struct bench *bench = *state;

	/* One before this QEMU was there does not count. */
	assert_int_equal(link_send(bench->link, "x", 1, NULL, NULL), 0);
	start_library(bench);
	for (int i = 0; i < 5; i++)
		assert_int_equal(link_send(bench->link, "x", 1, NULL, NULL), 0);
	assert_int_equal(run_for(bench, NS_PER_SECOND), 0);
	assert_int_equal(bench->sent_seen, 5);
}

static int slow_work(void *arg, struct err *err)
{
	(void)err;
	pause_ms(*(int *)arg);
	return 0;
}

static void time_stands_still_during_work(void **state)
{
	struct bench *bench = *state;
	int ms = 100;
	int64_t before_ns;

	start_library(bench);
	assert_int_equal(run_for(bench, NS_PER_SECOND), 0);
	before_ns = loop_now_ns(bench->loop);
	assert_int_equal(
		loop_work(bench->loop, &(struct loop_job){ .work = slow_work, .arg = &ms }, NULL),
		0);
	assert_int_equal(loop_now_ns(bench->loop), before_ns);
}

/* Work that lasts may need guest time, so that passes, at the host's speed and not faster. */
static void long_work_is_given_time(void **state)
{
	struct bench *bench = *state;
	int ms = 800;
	int64_t before_ns;

	start_library(bench);
	before_ns = loop_now_ns(bench->loop);
	assert_int_equal(
		loop_work(bench->loop, &(struct loop_job){ .work = slow_work, .arg = &ms }, NULL),
		0);
	assert_in_range(loop_now_ns(bench->loop) - before_ns, 100 * NS_PER_MS, 5 * NS_PER_SECOND);
}

static void on_pipe(void *user)
{
	struct bench *bench = user;
	char byte;

	assert_int_equal(read(bench->pipe_fd, &byte, 1), 1);
	bench->stop = true;
}

/* The guest agent has answered, the guest is still busy: whoever waited gets to see the time of now. */
static void stop_waits_for_the_time(void **state)
{
	struct bench *bench = *state;
	struct loop_watch *watch;
	int64_t before_ns;
	int fds[2];

	start_library(bench);
	assert_int_equal(pipe(fds), 0);
	bench->pipe_fd = fds[0];
	watch = loop_watch_start(bench->loop, fds[0], on_pipe, bench);
	assert_int_equal(write(fds[1], "x", 1), 1);
	bench->answer_late_ms = 30;
	bench->frame_at_ns = QEMU_START_NS + 5 * NS_PER_SECOND;
	before_ns = loop_now_ns(bench->loop);
	/* Nothing was asked yet when it stops: at once. */
	assert_int_equal(run_for(bench, 10 * NS_PER_SECOND), 1);
	assert_int_equal(loop_now_ns(bench->loop), before_ns);
	/* Here the library has been asked (it writes the pipe), and is waited for. */
	bench->tell_fd = fds[1];
	bench->stop = false;
	assert_int_equal(loop_run(bench->loop, before_ns + 10 * NS_PER_SECOND, &bench->stop, NULL),
			 1);
	assert_in_range(loop_now_ns(bench->loop), before_ns + 5 * NS_PER_SECOND,
			before_ns + 10 * NS_PER_SECOND);
	loop_watch_stop(watch);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void busy_guest_is_told_of(void **state)
{
	struct bench *bench = *state;

	start_library(bench);
	bench->busy_ns = 3 * NS_PER_SECOND;
	assert_int_equal(run_for(bench, NS_PER_SECOND), 0);
	assert_int_equal(loop_take_busy_ns(bench->loop), 3 * NS_PER_SECOND);
	assert_int_equal(loop_take_busy_ns(bench->loop), 0);
}

static void other_version_is_refused(void **state)
{
	struct bench *bench = *state;
	struct err err = ERR_INIT;

	bench->version = VCLOCK_VERSION + 1;
	start_library(bench);
	assert_false(clock_virtual_is_connected(bench->clock));
	assert_int_equal(
		loop_run(bench->loop, loop_now_ns(bench->loop) + NS_PER_SECOND, NULL, &err),
		LAB_EVIRT);
	assert_non_null(strstr(err.text, "another version"));
}

static void qemu_can_end_and_another_come(void **state)
{
	struct bench *bench = *state;
	int64_t before_ns;

	start_library(bench);
	assert_int_equal(run_for(bench, 3600 * NS_PER_SECOND), 0);
	before_ns = loop_now_ns(bench->loop);
	stop_library(bench);
	assert_int_equal(run_for(bench, 20 * NS_PER_MS), 0);
	assert_false(clock_virtual_is_connected(bench->clock));
	assert_in_range(loop_now_ns(bench->loop) - before_ns, 20 * NS_PER_MS, NS_PER_SECOND);
	bench->sequence = 0;
	start_library(bench);
	bench->frame_at_ns = QEMU_START_NS + NS_PER_SECOND;
	before_ns = loop_now_ns(bench->loop);
	assert_int_equal(run_for(bench, 60 * NS_PER_SECOND), 1);
	assert_int_equal(bench->frame_ns, before_ns + NS_PER_SECOND);
}

static void stall_is_reported(void **state)
{
	struct bench *bench = *state;
	struct err err = ERR_INIT;

	start_library(bench);
	bench->stalls = 1;
	assert_int_equal(run_for(bench, NS_PER_SECOND), 0);
	assert_int_equal(loop_check_clock(bench->loop, &err), LAB_EVIRT);
	assert_non_null(strstr(err.text, "no processor"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(host_time_until_qemu_comes),
		T(a_day_passes_at_once),
		T(frame_has_the_time_of_its_stamp),
		T(late_datagram_is_waited_for),
		T(lost_datagram_is_reported),
		T(requests_count_our_frames),
		T(time_stands_still_during_work),
		T(long_work_is_given_time),
		T(stop_waits_for_the_time),
		T(busy_guest_is_told_of),
		T(other_version_is_refused),
		T(qemu_can_end_and_another_come),
		T(stall_is_reported),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
