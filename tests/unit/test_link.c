/* Links over loopback: both ways, order of times, muting, strangers, drops, the kept port. */
#include "runners/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/time.h"
#include "runners/loop.h"

struct bench {
	struct loop *loop;
	struct link *link;
	int nut_fd;    /* plays QEMU */
	char text[64]; /* first byte of each frame that came, and what else a test adds */
	size_t length;
	int64_t times_ns[64];
	unsigned count;
	bool stop;
};

static void on_frame(struct link *link, const uint8_t *frame, size_t size, int64_t time_ns,
		     void *user)
{
	struct bench *bench = user;

	(void)link;
	if (bench->length < sizeof(bench->text) - 1)
		bench->text[bench->length++] = size ? (char)frame[0] : '-';
	if (bench->count < 64)
		bench->times_ns[bench->count] = time_ns;
	bench->count++;
	bench->stop = true;
}

/* As QEMU: SO_REUSEADDR, bind to the NUT's port, send to the tester's. */
static int open_nut(const struct link *link)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons(link_get_nut_port(link));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	address.sin_port = htons(link_get_tester_port(link));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int set_up(void **state)
{
	static struct bench bench;
	struct err err = ERR_INIT;

	bench = (struct bench){ .nut_fd = -1 };
	*state = &bench;
	assert_int_equal(loop_new(&bench.loop, &err), 0);
	assert_int_equal(link_open_udp(bench.loop, "a", on_frame, &bench, &bench.link, &err), 0);
	bench.nut_fd = open_nut(bench.link);
	return 0;
}

/*
 * The host stamps datagrams only while some socket asks for it, and begins a
 * moment after the first one did: until then a frame's time is that of reading
 * it. Wait for it with a link that stays open all the time.
 */
static struct link *early_link;
static struct loop *early_loop;

static int64_t early_ns;

static void on_early_frame(struct link *link, const uint8_t *frame, size_t size, int64_t time_ns,
			   void *user)
{
	(void)link;
	(void)frame;
	(void)size;
	(void)user;
	early_ns = time_ns;
}

static int wait_for_stamps(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(loop_new(&early_loop, NULL), 0);
	assert_int_equal(link_open_udp(early_loop, "e", on_early_frame, NULL, &early_link, NULL),
			 0);
	fd = open_nut(early_link);
	for (int i = 0; i < 200; i++) {
		int64_t now_ns;

		assert_int_equal(send(fd, "1", 1, 0), 1);
		usleep(2000);
		now_ns = loop_now_ns(early_loop);
		assert_int_equal(loop_run(early_loop, now_ns, NULL, NULL), 0);
		if (early_ns < now_ns - NS_PER_MS)
			break;
	}
	close(fd);
	return 0;
}

static int close_early_link(void **state)
{
	(void)state;
	link_close(early_link);
	loop_free(early_loop);
	return 0;
}

static int tear_down(void **state)
{
	struct bench *bench = *state;

	close(bench->nut_fd);
	link_close(bench->link);
	loop_free(bench->loop);
	return 0;
}

static void run_ms(struct bench *bench, int64_t ms)
{
	assert_int_equal(
		loop_run(bench->loop, loop_now_ns(bench->loop) + ms * NS_PER_MS, NULL, NULL), 0);
}

static void frames_go_both_ways(void **state)
{
	struct bench *bench = *state;
	int64_t before_ns = loop_now_ns(bench->loop), sent_ns;
	struct link_counters counters;
	char data[16];

	assert_int_equal(link_send(bench->link, "ping", 4, &sent_ns, NULL), 0);
	assert_true(sent_ns >= before_ns);
	assert_int_equal(recv(bench->nut_fd, data, sizeof(data), 0), 4);
	assert_memory_equal(data, "ping", 4);
	assert_int_equal(send(bench->nut_fd, "xong", 4, 0), 4);
	assert_int_equal(loop_run(bench->loop, INT64_MAX, &bench->stop, NULL), 1);
	assert_string_equal(bench->text, "x");
	assert_true(bench->times_ns[0] >= sent_ns);
	assert_true(bench->times_ns[0] <= loop_now_ns(bench->loop));
	link_get_counters(bench->link, &counters);
	assert_int_equal(counters.sent, 1);
	assert_int_equal(counters.received, 1);
	assert_int_equal(counters.dropped, 0);
	assert_int_equal(counters.nut_dropped, 0);
}

static void note_timer(void *user)
{
	struct bench *bench = user;

	bench->text[bench->length++] = 'T';
}

/* Everything is late: a frame, a timer, a frame. They still come in the order of their times. */
static void frames_and_timers_keep_order(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(send(bench->nut_fd, "1", 1, 0), 1);
	usleep(3000);
	loop_timer_start(bench->loop, loop_now_ns(bench->loop), note_timer, bench);
	usleep(3000);
	assert_int_equal(send(bench->nut_fd, "2", 1, 0), 1);
	run_ms(bench, 5);
	assert_string_equal(bench->text, "1T2");
	assert_true(bench->times_ns[1] - bench->times_ns[0] >= 5 * NS_PER_MS);
}

/* A stop after the first frame leaves the others for the next run. */
static void stop_leaves_the_rest(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(send(bench->nut_fd, "1", 1, 0), 1);
	assert_int_equal(send(bench->nut_fd, "2", 1, 0), 1);
	usleep(1000);
	assert_int_equal(loop_run(bench->loop, INT64_MAX, &bench->stop, NULL), 1);
	assert_string_equal(bench->text, "1");
	run_ms(bench, 1);
	assert_string_equal(bench->text, "12");
}

static void muted_link_forgets(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(send(bench->nut_fd, "1", 1, 0), 1);
	assert_int_equal(send(bench->nut_fd, "2", 1, 0), 1);
	assert_int_equal(loop_run(bench->loop, INT64_MAX, &bench->stop, NULL), 1);
	link_mute(bench->link);
	assert_int_equal(send(bench->nut_fd, "3", 1, 0), 1);
	run_ms(bench, 1);
	/* '2' was in the loop's queue or in the socket, '3' in the socket. */
	assert_int_equal(link_unmute(bench->link) + bench->count, 3);
	run_ms(bench, 1);
	assert_null(strchr(bench->text, '3'));
	assert_int_equal(send(bench->nut_fd, "4", 1, 0), 1);
	run_ms(bench, 1);
	assert_non_null(strchr(bench->text, '4'));
}

static void strangers_are_not_heard(void **state)
{
	struct bench *bench = *state;
	struct sockaddr_in address = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons(link_get_tester_port(bench->link));
	/* Refused by the host kernel (ICMP) or lost, but not delivered. */
	(void)sendto(fd, "!", 1, 0, (struct sockaddr *)&address, sizeof(address));
	run_ms(bench, 2);
	assert_int_equal(bench->count, 0);
	close(fd);
}

/* No QEMU at the port: sending says so, and the link works again when there is one. */
static void closed_port_is_an_error(void **state)
{
	struct bench *bench = *state;
	struct err err = ERR_INIT;

	close(bench->nut_fd);
	(void)link_send(bench->link, "1", 1, NULL, NULL);
	run_ms(bench, 1);
	assert_int_equal(bench->count, 0);
	bench->nut_fd = open_nut(bench->link);
	assert_int_equal(link_send(bench->link, "2", 1, NULL, &err), 0);
	assert_int_equal(send(bench->nut_fd, "3", 1, 0), 1);
	run_ms(bench, 1);
	assert_string_equal(bench->text, "3");
}

static void overflow_is_counted(void **state)
{
	static const char big[1500];
	struct bench *bench = *state;
	struct link_counters counters;
	uint64_t sent = 0;

	/* Far more than any socket buffer takes. */
	link_mute(bench->link);
	for (; sent < 20000; sent++)
		assert_int_equal(send(bench->nut_fd, big, sizeof(big), 0), sizeof(big));
	/* Some room, so that one more datagram carries the count. */
	assert_true(link_drain(bench->link) < sent);
	assert_int_equal(send(bench->nut_fd, big, sizeof(big), 0), sizeof(big));
	link_drain(bench->link);
	link_get_counters(bench->link, &counters);
	assert_true(counters.dropped > 0);
	/* And the other way: the NUT does not read. */
	for (unsigned i = 0; i < 20000; i++)
		assert_int_equal(link_send(bench->link, big, sizeof(big), NULL, NULL), 0);
	link_get_counters(bench->link, &counters);
	assert_true(counters.nut_dropped > 0);
	assert_true(link_port_backlog(link_get_nut_port(bench->link)) > 0);
	(void)link_unmute(bench->link);
}

/* While a link is open nobody else is given its ports, with or without SO_REUSEADDR. */
static void ports_are_kept(void **state)
{
	struct bench *bench = *state;
	struct link *links[20];

	for (size_t i = 0; i < 20; i++) {
		assert_int_equal(link_open_udp(bench->loop, "x", on_frame, bench, &links[i], NULL),
				 0);
		assert_int_not_equal(link_get_nut_port(links[i]), link_get_nut_port(bench->link));
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(link_get_nut_port(links[i]),
					     link_get_nut_port(links[j]));
	}
	for (size_t i = 0; i < 20; i++)
		link_close(links[i]);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(frames_go_both_ways),     T(frames_and_timers_keep_order),
		T(stop_leaves_the_rest),    T(muted_link_forgets),
		T(strangers_are_not_heard), T(closed_port_is_an_error),
		T(overflow_is_counted),     T(ports_are_kept),
	};

	return cmocka_run_group_tests(tests, wait_for_stamps, close_early_link);
}
