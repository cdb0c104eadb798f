/*
 * Links over loopback UDP.
 *
 * The socket of the tester is connected to the NUT's port, so the host kernel
 * drops datagrams of anybody else. The NUT's port is held by a second socket of
 * ours until the link is closed: nobody else gets it between choosing it and
 * QEMU's bind, nor between two NUTs. QEMU sets SO_REUSEADDR, and so does the
 * holder (after it has its port, or it might be given one that another holder
 * has); it is connected to its own port, so the kernel never hands it a
 * datagram of the tester.
 *
 * A frame's time is the host kernel's receive time stamp. What the socket has
 * is read at once and put into the loop's queue under those times, so the order
 * holds across links and timers.
 */
#include "runners/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/time.h"
#include "runners/loop.h"
#include "vclock/protocol.h"

/* Asked for; the kernel gives what net.core.rmem_max allows. */
#define SOCKET_BUFFER_BYTES (8 << 20)
/* Frames taken in at a time, so that a NUT that floods cannot keep the loop from everything else. */
#define FRAMES_AT_ONCE 256

/* A frame that was received and waits in the loop's queue for its time. */
struct waiting_frame {
	struct link *link;
	struct waiting_frame *prev, *next; /* in the link's list */
	struct loop_timer *timer;
	int64_t time_ns; /* loop time */
	size_t size;
	uint8_t data[];
};

struct link {
	struct loop *loop;
	char *name;
	link_frame_cb cb;
	void *user;
	int fd;        /* the tester's socket */
	int holder_fd; /* keeps the NUT's port */
	uint16_t tester_port, nut_port;
	struct loop_watch *watch; /* NULL while muted */
	struct waiting_frame *first, *last;
	int64_t last_ns; /* of the newest frame: times never go back */
	struct link_counters counters;
	uint32_t overflow; /* what SO_RXQ_OVFL said last; it wraps */
	bool stamped;      /* datagrams end with a stamp */
	uint64_t sequence; /* of the last stamp */
	uint8_t buffer[LIMIT_FRAME_BYTES + sizeof(struct vclock_stamp)];
};

/* A UDP socket on a port of 127.0.0.1 that the kernel chooses. */
static int open_socket(int *ret_fd, uint16_t *ret_port, struct err *err)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	auto_close int fd = -1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, -errno, "socket: %s", strerror(errno));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		return err_set(err, -errno, "bind to a port of 127.0.0.1: %s", strerror(errno));
	*ret_port = ntohs(address.sin_port);
	*ret_fd = STEAL_FD(fd);
	return 0;
}

static int connect_to(int fd, uint16_t port, struct err *err)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return err_set(err, -errno, "connect to 127.0.0.1 port %u: %s", port,
			       strerror(errno));
	return 0;
}

static int set_option(int fd, int option, int value, const char *name, struct err *err)
{
	if (setsockopt(fd, SOL_SOCKET, option, &value, sizeof(value)) < 0)
		return err_set(err, -errno, "setsockopt %s: %s", name, strerror(errno));
	return 0;
}

static int set_up_tester(struct link *link, struct err *err)
{
	int size = SOCKET_BUFFER_BYTES;
	int rc;

	/* FORCE goes past the limit but needs a privilege; the plain one cannot fail. */
	if (setsockopt(link->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(link->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	rc = set_option(link->fd, SO_TIMESTAMPNS, 1, "SO_TIMESTAMPNS", err);
	if (rc == 0)
		rc = set_option(link->fd, SO_RXQ_OVFL, 1, "SO_RXQ_OVFL", err);
	if (rc == 0)
		rc = connect_to(link->fd, link->nut_port, err);
	return rc;
}

static void on_readable(void *user);

int link_open_udp(struct loop *loop, const char *name, link_frame_cb cb, void *user,
		  struct link **ret_link, struct err *err)
{
	struct link *link = xcalloc(1, sizeof(*link));
	int rc;

	link->loop = loop;
	link->name = xstrdup(name);
	link->cb = cb;
	link->user = user;
	link->fd = -1;
	link->holder_fd = -1;
	rc = open_socket(&link->fd, &link->tester_port, err);
	if (rc == 0)
		rc = open_socket(&link->holder_fd, &link->nut_port, err);
	if (rc == 0)
		rc = set_option(link->holder_fd, SO_REUSEADDR, 1, "SO_REUSEADDR", err);
	if (rc == 0)
		rc = connect_to(link->holder_fd, link->nut_port, err);
	if (rc == 0)
		rc = set_up_tester(link, err);
	if (rc < 0) {
		link_close(link);
		return err ? err_prefix(err, "link '%s'", name) : rc;
	}
	link->watch = loop_watch_start(loop, link->fd, on_readable, link);
	*ret_link = link;
	return 0;
}

static void frame_unlink(struct waiting_frame *frame)
{
	struct link *link = frame->link;

	if (frame->prev)
		frame->prev->next = frame->next;
	else
		link->first = frame->next;
	if (frame->next)
		frame->next->prev = frame->prev;
	else
		link->last = frame->prev;
}

static unsigned drop_waiting(struct link *link)
{
	unsigned count = 0;

	for (; link->first; count++) {
		struct waiting_frame *frame = link->first;

		loop_timer_cancel(frame->timer);
		frame_unlink(frame);
		free(frame);
	}
	return count;
}

void link_close(struct link *link)
{
	if (!link)
		return;
	drop_waiting(link);
	loop_watch_stop(link->watch);
	if (link->fd >= 0)
		(void)close(link->fd);
	if (link->holder_fd >= 0)
		(void)close(link->holder_fd);
	free(link->name);
	free(link);
}

const char *link_get_name(const struct link *link)
{
	return link->name;
}

uint16_t link_get_tester_port(const struct link *link)
{
	return link->tester_port;
}

uint16_t link_get_nut_port(const struct link *link)
{
	return link->nut_port;
}

int link_send(struct link *link, const void *frame, size_t size, int64_t *ret_time_ns,
	      struct err *err)
{
	int64_t now_ns = loop_now_ns(link->loop);
	ssize_t sent;

	/* An earlier frame that nobody took is reported by the next call, once. */
	do {
		sent = send(link->fd, frame, size, 0);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno == ECONNREFUSED)
		sent = send(link->fd, frame, size, 0);
	if (sent < 0)
		return err_set(err, LAB_ENET, "link '%s': send %zu bytes: %s", link->name, size,
			       strerror(errno));
	link->counters.sent++;
	if (ret_time_ns)
		*ret_time_ns = now_ns;
	return 0;
}

/* Deliver one frame, at its turn in the loop. */
static void on_turn(void *user)
{
	struct waiting_frame *frame = user;
	struct link *link = frame->link;

	link->counters.received++;
	frame_unlink(frame); /* first: the callback may drain */
	link->cb(link, frame->data, frame->size, frame->time_ns, link->user);
	free(frame);
}

static void queue_frame(struct link *link, const void *data, size_t size, int64_t time_ns)
{
	struct waiting_frame *frame = xcalloc(1, sizeof(*frame) + size);

	frame->link = link;
	frame->time_ns = time_ns;
	frame->size = size;
	memcpy(frame->data, data, size);
	frame->prev = link->last;
	if (link->last)
		link->last->next = frame;
	else
		link->first = frame;
	link->last = frame;
	frame->timer = loop_timer_start(link->loop, time_ns, on_turn, frame);
}

/* Time stamp and overflow counter of a received datagram. */
static void read_control(struct link *link, struct msghdr *message, int64_t *ret_time_ns)
{
	for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control;
	     control = CMSG_NXTHDR(message, control)) {
		if (control->cmsg_level != SOL_SOCKET)
			continue;
		if (control->cmsg_type == SCM_TIMESTAMPNS) {
			struct timespec stamp;

			memcpy(&stamp, CMSG_DATA(control), sizeof(stamp));
			*ret_time_ns = loop_from_wall_ns(link->loop, stamp.tv_sec * NS_PER_SECOND +
									     stamp.tv_nsec);
		} else if (control->cmsg_type == SO_RXQ_OVFL) {
			uint32_t overflow;

			memcpy(&overflow, CMSG_DATA(control), sizeof(overflow));
			link->counters.dropped += overflow - link->overflow;
			link->overflow = overflow;
		}
	}
}

/* Take the stamp off the end of a datagram of `size` bytes; the size of the frame. */
static size_t read_stamp(struct link *link, size_t size, int64_t *ret_time_ns)
{
	struct vclock_stamp stamp;

	if (!link->stamped || size < sizeof(stamp))
		return size;
	size -= sizeof(stamp);
	memcpy(&stamp, link->buffer + size, sizeof(stamp));
	link->sequence = stamp.sequence;
	*ret_time_ns = loop_from_nut_ns(link->loop, stamp.time_ns);
	return size;
}

/* Read one datagram into the link's buffer; the frame's size, or -1 when there is none. */
static ssize_t receive(struct link *link, int64_t *ret_time_ns)
{
	union {
		struct cmsghdr align;
		uint8_t space[CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(uint32_t))];
	} control;
	struct iovec iov = { .iov_base = link->buffer, .iov_len = sizeof(link->buffer) };
	struct msghdr message;
	ssize_t size;

	/* The one error a connected UDP socket reports, once each: a frame met a closed port. */
	do {
		message = (struct msghdr){
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};
		size = recvmsg(link->fd, &message, 0);
	} while (size < 0 && (errno == EINTR || errno == ECONNREFUSED));
	if (size < 0)
		return -1;
	*ret_time_ns = loop_now_ns(link->loop);
	read_control(link, &message, ret_time_ns);
	return (ssize_t)read_stamp(link, (size_t)size, ret_time_ns);
}

static void on_readable(void *user)
{
	struct link *link = user;
	int64_t time_ns;
	ssize_t size;

	for (unsigned i = 0; i < FRAMES_AT_ONCE && (size = receive(link, &time_ns)) >= 0; i++) {
		if (time_ns < link->last_ns)
			time_ns = link->last_ns;
		link->last_ns = time_ns;
		queue_frame(link, link->buffer, (size_t)size, time_ns);
	}
}

unsigned link_drain(struct link *link)
{
	unsigned count = drop_waiting(link);
	int64_t time_ns;

	while (receive(link, &time_ns) >= 0)
		count++;
	return count;
}

void link_mute(struct link *link)
{
	loop_watch_stop(link->watch);
	link->watch = NULL;
}

unsigned link_unmute(struct link *link)
{
	unsigned count = link_drain(link);

	if (!link->watch)
		link->watch = loop_watch_start(link->loop, link->fd, on_readable, link);
	return count;
}

uint64_t link_get_sent(const struct link *link)
{
	return link->counters.sent;
}

bool link_is_muted(const struct link *link)
{
	return !link->watch;
}

void link_start_stamps(struct link *link)
{
	(void)link_drain(link);
	link->last_ns = 0;
	link->stamped = true;
	link->sequence = 0;
}

uint64_t link_get_sequence(const struct link *link)
{
	return link->sequence;
}

/*
 * What the host kernel knows of the sockets at the NUT's port: the holder and
 * QEMU's. proc_pid_net(5); the addresses are 127.0.0.1 in memory order.
 */
static void read_nut_socket(uint16_t nut_port, uint64_t *ret_backlog, uint64_t *ret_drops)
{
	auto_fclose FILE *file = fopen("/proc/net/udp", "re");
	char line[512];

	*ret_backlog = 0;
	*ret_drops = 0;
	while (file && fgets(line, sizeof(line), file)) {
		unsigned address, port;
		uint64_t backlog, drops;

		if (sscanf(line,
			   "%*d: %x:%x %*x:%*x %*x %*x:%" SCNx64
			   " %*x:%*x %*x %*d %*d %*d %*d %*x %" SCNu64,
			   &address, &port, &backlog, &drops) != 4)
			continue;
		if (port != nut_port || address != htonl(INADDR_LOOPBACK))
			continue;
		*ret_backlog += backlog;
		*ret_drops += drops;
	}
}

uint64_t link_port_backlog(uint16_t nut_port)
{
	uint64_t backlog, drops;

	read_nut_socket(nut_port, &backlog, &drops);
	return backlog;
}

void link_get_counters(const struct link *link, struct link_counters *ret_counters)
{
	uint64_t backlog;

	*ret_counters = link->counters;
	read_nut_socket(link->nut_port, &backlog, &ret_counters->nut_dropped);
}
