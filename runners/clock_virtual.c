/*
 * One request at a time is under way. An answer is applied (time goes on for
 * the loop) when every frame it speaks of has been taken in, because the host
 * may deliver a datagram on loopback after sendto() has returned.
 *
 * While loop_work() waits (libvirt: agent, monitor), nobody knows where the
 * command is: on its way in, being executed, on its way back. Then time stands
 * still, unless the work takes long; then it passes at the host's speed,
 * because the guest might need time for it.
 */
#include "runners/clock_virtual.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/time.h"
#include "runners/link.h"
#include "runners/loop.h"
#include "vclock/protocol.h"

/* All of the host's time. */
#define WORK_GRACE_NS   (500 * NS_PER_MS)    /* how long loop_work() may take before time passes */
#define WORK_STEP_MS    10                   /* then it passes in such steps */
#define ANSWER_LIMIT_NS (60 * NS_PER_SECOND) /* longer without an answer, and QEMU hangs */
#define ALARM_MS        250                  /* how often a wait is interrupted to look at these */

/* The library inside one QEMU. */
struct connection {
	uv_poll_t poll; /* first, so that a handle is its connection */
	struct clock_virtual *clock;
	int fd;
};

struct clock_virtual {
	uv_poll_t listener; /* of listener_fd */
	uv_timer_t alarm;   /* ends a wait of libuv */
	unsigned handles;   /* of the two above that are not closed yet */
	struct loop *loop;
	void *real; /* clock_real: waits while no QEMU is connected */
	int listener_fd;
	struct connection *connection; /* or NULL */
	char *socket_path;
	char *env[4]; /* NULL-terminated */
	unsigned link_count;
	struct link *links[VCLOCK_LINKS_MAX];
	uint64_t sent_base[VCLOCK_LINKS_MAX]; /* our frames before this QEMU */
	int64_t ahead_ns; /* this clock's time = QEMU's (or the host's, without one) + this */
	int64_t now_ns;   /* QEMU's time as far as it is applied */
	bool is_idle;     /* the guest was, at now_ns */
	bool is_stale;    /* a frame has come from later than now_ns */
	struct vclock_advance request;      /* the last */
	int64_t asked_host_ns;              /* host time of it, later of its answer */
	bool asked;                         /* it has no answer yet */
	bool answered;                      /* it has, which is not applied yet */
	struct vclock_answer answer;        /* the last */
	int64_t work_host_ns;               /* host time since when loop_work() waits, or 0 */
	int64_t work_ns;                    /* QEMU's time then */
	int64_t busy_ns;                    /* longest stretch of it since virtual_take_busy_ns() */
	struct clock_virtual_stats stats;   /* of all QEMUs; stalls and lost without this one's */
	struct clock_virtual_stats checked; /* what the last check has reported */
	struct err trouble;                 /* why this clock cannot go on; code 0: it can */
};

/* --- the connection ------------------------------------------------------------ */

static int64_t virtual_now_ns(void *user)
{
	const struct clock_virtual *clock = user;

	return (clock->connection ? clock->now_ns : time_monotonic_ns()) + clock->ahead_ns;
}

static void on_connection_closed(uv_handle_t *handle)
{
	struct connection *connection = (struct connection *)handle;

	(void)close(connection->fd);
	free(connection);
}

/* QEMU has ended, or we do not understand it: time is the host's again, without a step. */
static void disconnect(struct clock_virtual *clock)
{
	int64_t now_ns = virtual_now_ns(clock);

	if (!clock->connection)
		return;
	uv_close((uv_handle_t *)&clock->connection->poll, on_connection_closed);
	clock->connection = NULL;
	clock->ahead_ns = now_ns - time_monotonic_ns();
	clock->asked = false;
	clock->answered = false;
	clock->stats.stalls += clock->answer.stalls;
	clock->stats.lost += clock->answer.lost;
	clock->stats.jumps += clock->answer.jumps;
	clock->answer = (struct vclock_answer){ 0 };
}

/* Stay with the first trouble: what follows comes from it. */
static void fail(struct clock_virtual *clock, const char *what)
{
	if (!clock->trouble.code)
		err_set(&clock->trouble, LAB_EVIRT, "virtual clock: %s", what);
	disconnect(clock);
}

static void take_answer(struct clock_virtual *clock, const struct vclock_answer *answer)
{
	if (!clock->asked || answer->id != clock->request.id)
		return; /* to a request that another has replaced */
	if (answer->now_ns < clock->now_ns) {
		fail(clock, "the library's time went back");
		return;
	}
	if (!answer->vcpus) {
		fail(clock,
		     "the library found no vCPU thread; QEMU needs accel=tcg and debug-threads=on");
		return;
	}
	clock->answer = *answer;
	clock->asked = false;
	clock->answered = true;
	clock->asked_host_ns = time_monotonic_ns();
}

static void on_control(uv_poll_t *poll, int status, int events)
{
	struct connection *connection = (struct connection *)poll;
	struct clock_virtual *clock = connection->clock;
	struct vclock_answer answer;
	ssize_t n;

	(void)status;
	(void)events;
	while (clock->connection == connection) {
		n = recv(connection->fd, &answer, sizeof(answer), MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0)
			disconnect(clock);
		else if (n != sizeof(answer) || answer.header.magic != VCLOCK_MAGIC ||
			 answer.header.type != VCLOCK_ANSWER)
			fail(clock, "an answer that is none");
		else
			take_answer(clock, &answer);
	}
}

/* HELLO lies in the socket: the library sends it right after it has connected. */
static bool read_hello(int fd, struct vclock_hello *ret_hello)
{
	const struct timeval limit = { .tv_sec = 5 };

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return recv(fd, ret_hello, sizeof(*ret_hello), 0) == sizeof(*ret_hello) &&
	       ret_hello->header.magic == VCLOCK_MAGIC && ret_hello->header.type == VCLOCK_HELLO;
}

static void begin(struct clock_virtual *clock, struct connection *connection,
		  const struct vclock_hello *hello)
{
	int64_t now_ns = virtual_now_ns(clock);

	clock->connection = connection;
	clock->now_ns = hello->now_ns;
	clock->ahead_ns = now_ns - hello->now_ns;
	clock->is_idle = false;
	clock->is_stale = false;
	memset(clock->request.link_sent, 0, sizeof(clock->request.link_sent));
	for (unsigned i = 0; i < clock->link_count; i++) {
		clock->sent_base[i] = link_get_sent(clock->links[i]);
		link_start_stamps(clock->links[i]);
	}
}

static void on_connect(uv_poll_t *poll, int status, int events)
{
	struct clock_virtual *clock = poll->data;
	int fd = accept4(clock->listener_fd, NULL, NULL, SOCK_CLOEXEC);
	struct vclock_hello hello;
	struct connection *connection;

	(void)status;
	(void)events;
	if (fd < 0)
		return;
	if (clock->connection || !read_hello(fd, &hello)) {
		(void)close(fd); /* a second QEMU, or a stranger */
		return;
	}
	if (hello.header.version != VCLOCK_VERSION || hello.links != clock->link_count) {
		(void)close(fd);
		fail(clock, "the library in QEMU is of another version than the runner");
		return;
	}
	connection = xcalloc(1, sizeof(*connection));
	connection->clock = clock;
	connection->fd = fd;
	lab_assert(uv_poll_init(poll->loop, &connection->poll, fd) == 0);
	lab_assert(uv_poll_start(&connection->poll, UV_READABLE | UV_DISCONNECT, on_control) == 0);
	begin(clock, connection, &hello);
}

/* --- waiting ------------------------------------------------------------------- */

/* Have the frames that the answer speaks of been taken in? A muted link takes in none. */
static uint64_t count_missing(const struct clock_virtual *clock)
{
	uint64_t missing = 0;

	for (unsigned i = 0; i < clock->link_count; i++) {
		uint64_t sequence = link_get_sequence(clock->links[i]);

		if (!link_is_muted(clock->links[i]) && sequence < clock->answer.link_sent[i])
			missing += clock->answer.link_sent[i] - sequence;
	}
	return missing;
}

/* Let the answer count if it can by now. */
static bool apply(struct clock_virtual *clock)
{
	uint64_t missing;

	if (!clock->answered)
		return false;
	missing = count_missing(clock);
	if (missing && time_monotonic_ns() - clock->asked_host_ns < VCLOCK_MISSING_MS * NS_PER_MS)
		return false;
	clock->stats.missing += missing;
	clock->answered = false;
	clock->now_ns = clock->answer.now_ns;
	clock->is_idle = clock->answer.flags & VCLOCK_IDLE;
	clock->is_stale = false;
	clock->stats.vcpus = clock->answer.vcpus;
	if (clock->answer.busy_ns > clock->busy_ns)
		clock->busy_ns = clock->answer.busy_ns;
	return true;
}

/* How far time may go now. */
static int64_t get_target_ns(struct clock_virtual *clock, int64_t until_ns)
{
	int64_t host_ns = time_monotonic_ns(), limit_ns;

	if (!loop_is_working(clock->loop)) {
		clock->work_host_ns = 0;
		return until_ns;
	}
	if (!clock->work_host_ns) {
		clock->work_host_ns = host_ns;
		clock->work_ns = clock->now_ns;
	}
	limit_ns = clock->work_ns;
	if (host_ns - clock->work_host_ns > WORK_GRACE_NS)
		limit_ns += host_ns - clock->work_host_ns - WORK_GRACE_NS;
	return limit_ns < until_ns ? limit_ns : until_ns;
}

/* Ask for time, if there is anything to ask for. */
static void ask(struct clock_virtual *clock, int64_t target_ns)
{
	struct vclock_advance request = {
		.header = { VCLOCK_MAGIC, VCLOCK_VERSION, VCLOCK_ADVANCE },
		.id = clock->request.id + 1,
		.seen = clock->answer.id,
		.until_ns = target_ns,
		.patience_ns = VCLOCK_PATIENCE_NS,
	};
	bool sent = false;

	if (clock->answered)
		return;
	for (unsigned i = 0; i < clock->link_count; i++) {
		request.link_sent[i] = link_get_sent(clock->links[i]) - clock->sent_base[i];
		sent = sent || request.link_sent[i] != clock->request.link_sent[i];
	}
	/* A request under way is answered as soon as there is news; only our own frames are worth another. */
	if (!sent &&
	    (clock->asked || (target_ns <= clock->now_ns && clock->is_idle && !clock->is_stale)))
		return;
	/* A full socket means that QEMU reads nothing: the request under way has its limit. */
	if (send(clock->connection->fd, &request, sizeof(request), MSG_DONTWAIT | MSG_NOSIGNAL) !=
	    sizeof(request))
		return;
	clock->request = request;
	if (!clock->asked)
		clock->asked_host_ns = time_monotonic_ns();
	clock->asked = true;
}

/* How long to wait for something at most, in the host's time. */
static uint64_t get_alarm_ms(const struct clock_virtual *clock)
{
	int64_t grace_ms;

	if (!clock->work_host_ns)
		return ALARM_MS;
	grace_ms = (clock->work_host_ns + WORK_GRACE_NS - time_monotonic_ns()) / NS_PER_MS;
	if (grace_ms > ALARM_MS)
		return ALARM_MS;
	return grace_ms > WORK_STEP_MS ? (uint64_t)grace_ms : WORK_STEP_MS;
}

static void on_alarm(uv_timer_t *alarm)
{
	(void)alarm; /* it has ended the wait, and that was all */
}

static int wait_for_qemu(struct clock_virtual *clock, uv_loop_t *uv, int64_t until_ns)
{
	if (apply(clock))
		return 0;
	ask(clock, get_target_ns(clock, until_ns));
	uv_update_time(uv);
	(void)uv_timer_start(&clock->alarm, on_alarm, get_alarm_ms(clock), 0);
	(void)uv_run(uv, UV_RUN_ONCE);
	(void)uv_timer_stop(&clock->alarm);
	(void)apply(clock);
	if (clock->asked && time_monotonic_ns() - clock->asked_host_ns > ANSWER_LIMIT_NS)
		fail(clock, "QEMU has not answered for a minute; it hangs, or waits otherwise than "
			    "by ppoll");
	return 0;
}

static int virtual_wait(void *user, uv_loop_t *uv, int64_t until_ns, struct err *err)
{
	struct clock_virtual *clock = user;
	int rc = 0;

	if (until_ns != INT64_MAX)
		until_ns -= clock->ahead_ns;
	if (clock->connection)
		rc = wait_for_qemu(clock, uv, until_ns);
	else
		rc = clock_real_ops.wait(clock->real, uv, until_ns, err);
	if (rc == 0 && clock->trouble.code)
		rc = err_set(err, clock->trouble.code, "%s", clock->trouble.text);
	return rc;
}

/* --- the rest of the clock ------------------------------------------------------- */

static int64_t virtual_from_wall_ns(void *user, int64_t wall_ns)
{
	const struct clock_virtual *clock = user;

	if (clock->connection)
		return virtual_now_ns(user); /* nothing that QEMU does is measured by it */
	return clock_real_ops.from_wall_ns(clock->real, wall_ns) + clock->ahead_ns;
}

static int64_t virtual_from_nut_ns(void *user, int64_t nut_ns)
{
	struct clock_virtual *clock = user;

	if (nut_ns > clock->now_ns)
		clock->is_stale = true;
	return nut_ns + clock->ahead_ns;
}

void clock_virtual_get_stats(const struct clock_virtual *clock,
			     struct clock_virtual_stats *ret_stats)
{
	*ret_stats = clock->stats;
	ret_stats->stalls += clock->answer.stalls;
	ret_stats->lost += clock->answer.lost;
	ret_stats->jumps += clock->answer.jumps;
}

static int virtual_check(void *user, struct err *err)
{
	struct clock_virtual *clock = user;
	struct clock_virtual_stats last = clock->checked;

	clock_virtual_get_stats(clock, &clock->checked);
	if (clock->trouble.code)
		return err_set(err, clock->trouble.code, "%s", clock->trouble.text);
	if (clock->checked.stalls > last.stalls)
		return err_set(err, LAB_EVIRT,
			       "virtual clock: QEMU got no processor for %d s of the host's time",
			       VCLOCK_STALL_MS / 1000);
	if (clock->checked.missing > last.missing)
		return err_set(err, LAB_EVIRT,
			       "virtual clock: %" PRIu64 " frames of the NUT never came",
			       clock->checked.missing - last.missing);
	if (clock->checked.lost > last.lost)
		return err_set(err, LAB_EVIRT,
			       "virtual clock: %" PRIu64 " frames never came to the NUT",
			       clock->checked.lost - last.lost);
	return 0;
}

static int64_t virtual_take_busy_ns(void *user)
{
	struct clock_virtual *clock = user;
	int64_t busy_ns = clock->busy_ns;

	clock->busy_ns = 0;
	return busy_ns;
}

static bool virtual_is_settled(void *user)
{
	const struct clock_virtual *clock = user;

	return !clock->asked && !clock->answered;
}

static void release(struct clock_virtual *clock)
{
	if (clock->listener_fd >= 0) {
		(void)close(clock->listener_fd);
		(void)unlink(clock->socket_path);
	}
	for (size_t i = 0; i < sizeof(clock->env) / sizeof(clock->env[0]); i++)
		free(clock->env[i]);
	free(clock->socket_path);
	free(clock);
}

static void on_closed(uv_handle_t *handle)
{
	struct clock_virtual *clock = handle->data;

	if (--clock->handles == 0)
		release(clock);
}

static void virtual_free(void *user)
{
	struct clock_virtual *clock = user;

	disconnect(clock);
	clock_real_ops.free(clock->real);
	uv_close((uv_handle_t *)&clock->listener, on_closed);
	uv_close((uv_handle_t *)&clock->alarm, on_closed);
}

static const struct clock_ops clock_virtual_ops = {
	.kind = CLOCK_KIND_VIRTUAL,
	.now_ns = virtual_now_ns,
	.from_wall_ns = virtual_from_wall_ns,
	.from_nut_ns = virtual_from_nut_ns,
	.check = virtual_check,
	.take_busy_ns = virtual_take_busy_ns,
	.is_settled = virtual_is_settled,
	.wait = virtual_wait,
	.free = virtual_free,
};

const char *const *clock_virtual_get_env(const struct clock_virtual *clock)
{
	return (const char *const *)clock->env;
}

bool clock_virtual_is_connected(const struct clock_virtual *clock)
{
	return clock->connection != NULL;
}

static int listen_at(const char *path, int *ret_fd, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	auto_close int fd = -1;

	if (strlen(path) >= sizeof(address.sun_path))
		return err_set(err, -ENAMETOOLONG, "socket '%s': longer than %zu bytes", path,
			       sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path) + 1);
	(void)unlink(path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 4) < 0)
		return err_set(err, -errno, "socket '%s': %s", path, strerror(errno));
	*ret_fd = STEAL_FD(fd);
	return 0;
}

static int make_env(struct clock_virtual *clock, struct err *err)
{
	auto_free char *library = NULL;
	auto_free char *links = xstrdup("");
	int rc;

	rc = fs_find_program(VCLOCK_LIBRARY, &library, err);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < clock->link_count; i++) {
		char *longer = xasprintf("%s%s%u:%u", links, i ? "," : "",
					 link_get_nut_port(clock->links[i]),
					 link_get_tester_port(clock->links[i]));

		free(links);
		links = longer;
	}
	clock->env[0] = xasprintf("LD_PRELOAD=%s", library);
	clock->env[1] = xasprintf(VCLOCK_ENV_SOCKET "=%s", clock->socket_path);
	clock->env[2] = xasprintf(VCLOCK_ENV_LINKS "=%s", links);
	return 0;
}

int clock_virtual_new(struct loop *loop, const char *socket_path, struct link *const *links,
		      unsigned link_count, struct clock_virtual **ret_clock, struct err *err)
{
	struct clock_virtual *clock = xcalloc(1, sizeof(*clock));
	struct uv_loop_s *uv = loop_get_uv(loop);
	int rc;

	lab_assert(link_count <= VCLOCK_LINKS_MAX);
	clock->loop = loop;
	clock->listener_fd = -1;
	clock->socket_path = xstrdup(socket_path);
	clock->link_count = link_count;
	for (unsigned i = 0; i < link_count; i++)
		clock->links[i] = links[i];
	rc = make_env(clock, err);
	if (rc == 0)
		rc = listen_at(socket_path, &clock->listener_fd, err);
	if (rc == 0)
		rc = clock_real_new(uv, &clock->real, err);
	if (rc < 0) {
		release(clock);
		return rc;
	}
	clock->listener.data = clock;
	clock->alarm.data = clock;
	clock->handles = 2;
	lab_assert(uv_timer_init(uv, &clock->alarm) == 0);
	lab_assert(uv_poll_init(uv, &clock->listener, clock->listener_fd) == 0);
	lab_assert(uv_poll_start(&clock->listener, UV_READABLE, on_connect) == 0);
	loop_set_clock(loop, &clock_virtual_ops, clock);
	*ret_clock = clock;
	return 0;
}
