/*
 * QEMU's main loop calls ppoll with the time until its next timer. Here it is
 * decided whether the guest is idle, and the clock is set forward. Nothing
 * spins: each turn either ends the call or blocks in ppoll.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vclock/library.h"

#define NS_PER_SECOND INT64_C(1000000000)
#define NS_PER_MS     INT64_C(1000000)
#define NEVER         INT64_MAX
/*
 * How late a timer is called: never at its very time. QEMU's HPET (7.2,
 * hpet_timer()) takes a call at the exact time for one too early and raises a
 * second interrupt; a real main loop is always later.
 */
#define LATENCY_NS 1000
/* How long to block between looks at the clock while a vCPU executes; while it gets no processor. */
#define SLICE_MIN_NS (20 * INT64_C(1000))
#define SLICE_MAX_NS (100 * NS_PER_MS)
#define STILL_MAX_NS (2 * NS_PER_MS)

/* QEMU's descriptors and our two behind them. */
struct poll_set {
	struct pollfd *fds;
	nfds_t count; /* QEMU's */
	size_t capacity;
};

static struct poll_set set;

static bool set_fill(const struct pollfd *fds, nfds_t count)
{
	if (count + 2 > set.capacity) {
		size_t capacity = 2 * count + 16;
		struct pollfd *larger = reallocarray(set.fds, capacity, sizeof(*larger));

		if (!larger)
			return false;
		set.fds = larger;
		set.capacity = capacity;
	}
	memcpy(set.fds, fds, count * sizeof(*fds));
	set.count = count;
	set.fds[count] = (struct pollfd){ .fd = library.control_fd, .events = POLLIN };
	set.fds[count + 1] = (struct pollfd){ .fd = library.wake_fd, .events = POLLIN };
	return true;
}

/* Block up to `timeout_ns` of host time. Returns how many of QEMU's descriptors are ready, or -1. */
static int set_poll(int64_t timeout_ns)
{
	struct timespec ts = { timeout_ns / NS_PER_SECOND, timeout_ns % NS_PER_SECOND };
	int ready =
		real_get()->ppoll(set.fds, set.count + 2, timeout_ns == NEVER ? NULL : &ts, NULL);

	if (ready <= 0)
		return ready;
	if (set.fds[set.count + 1].revents) {
		uint64_t ignored;

		ready--;
		if (read(library.wake_fd, &ignored, sizeof(ignored)) < 0 && errno != EAGAIN)
			return -1;
	}
	if (set.fds[set.count].revents) {
		ready--;
		if (!control_read()) {
			pthread_mutex_lock(&library.lock);
			library_run_free();
			pthread_mutex_unlock(&library.lock);
			set.fds[set.count].fd = -1;
		}
	}
	return ready;
}

/* A frame that the runner has sent lies in the socket still, or on its way there (softirq). */
static bool is_polled(uint16_t port)
{
	for (nfds_t i = 0; i < set.count; i++) {
		struct sockaddr_storage address;
		socklen_t size = sizeof(address);

		if (!(set.fds[i].events & POLLIN) ||
		    getsockname(set.fds[i].fd, (struct sockaddr *)&address, &size) < 0 ||
		    address.ss_family != AF_INET)
			continue;
		if (ntohs(((const struct sockaddr_in *)&address)->sin_port) == port)
			return true;
	}
	return false;
}

/*
 * Is there a link with frames to come? Not if QEMU does not read it now (the
 * guest's receive ring is full or its driver not up): then only the guest can
 * change that. With `give_up` they are counted as lost.
 */
static bool frames_missing(bool give_up)
{
	bool missing = false;

	for (unsigned i = 0; i < library.link_count; i++) {
		struct link_account *link = &library.links[i];

		if (link->received + link->lost >= link->expected || !is_polled(link->nut_port))
			continue;
		if (give_up)
			link->lost = link->expected - link->received; /* of all, not of now */
		else
			missing = true;
	}
	return missing;
}

/* One call of ppoll by the main loop. */
struct turn {
	int64_t deadline_ns;      /* QEMU's next timer, or NEVER */
	int64_t missing_since_ns; /* host time since when frames are missing, or 0 */
};

/* vCPUs that are busy while guest time does not pass. */
static struct {
	int64_t time_ns;  /* guest time at the last look */
	int64_t look_ns;  /* host time of it */
	int64_t still_ns; /* host time that passed meanwhile, from look to look */
	int64_t slice_ns; /* how long to block before the next */
} stall;

/* What to do next: a number of nanoseconds to block, or one of these. */
#define DUE   (-1) /* QEMU's timer is due: end the call */
#define AGAIN 0    /* look at everything once more */

/*
 * A vCPU executes and time has not passed since the last look: the host gives
 * its thread no processor, or it is blocked by something that waits for time.
 * True when that has lasted too long. A host that slept counts as one slice.
 */
static bool is_stalled(int64_t now_ns)
{
	int64_t host_ns = host_now_ns(), passed_ns = host_ns - stall.look_ns;

	stall.look_ns = host_ns;
	if (now_ns != stall.time_ns) {
		stall.time_ns = now_ns;
		stall.still_ns = 0;
		stall.slice_ns = SLICE_MIN_NS;
		return false;
	}
	stall.still_ns += passed_ns < SLICE_MAX_NS ? passed_ns : SLICE_MAX_NS;
	stall.slice_ns *= 2;
	if (stall.slice_ns > STILL_MAX_NS)
		stall.slice_ns = STILL_MAX_NS;
	return stall.still_ns >= VCLOCK_STALL_MS * NS_PER_MS;
}

/* When the runner gets its answer though the guest is busy: it must not wait long for a frame either. */
static int64_t answer_limit_ns(void)
{
	int64_t limit_ns = library.request_limit_ns;

	if (library.output_ns != INT64_MAX &&
	    library.output_ns + library.request.patience_ns < limit_ns)
		limit_ns = library.output_ns + library.request.patience_ns;
	return limit_ns;
}

/* A vCPU executes: how long to block. Lock held. */
static int64_t decide_busy(const struct turn *turn, int64_t now_ns)
{
	int64_t until_ns = turn->deadline_ns, wait_ns;

	if (is_stalled(now_ns)) {
		library_push(stall.still_ns);
		return AGAIN;
	}
	if (library.asked && now_ns >= answer_limit_ns())
		control_answer(false);
	if (library.asked && answer_limit_ns() < until_ns)
		until_ns = answer_limit_ns();
	library.waiting = true;
	wait_ns = until_ns == NEVER ? SLICE_MAX_NS : until_ns - now_ns;
	if (wait_ns > SLICE_MAX_NS)
		wait_ns = SLICE_MAX_NS;
	return wait_ns > stall.slice_ns ? wait_ns : stall.slice_ns;
}

/* Everything stands still: answer, set the clock forward, or wait for somebody. Lock held. */
static int64_t decide_idle(struct turn *turn, int64_t now_ns)
{
	int64_t host_ns;

	stall.still_ns = 0;
	if (!library.asked)
		return NEVER;
	if (frames_missing(false)) {
		host_ns = host_now_ns();
		if (!turn->missing_since_ns)
			turn->missing_since_ns = host_ns;
		if (host_ns - turn->missing_since_ns < VCLOCK_MISSING_MS * NS_PER_MS)
			return SLICE_MAX_NS;
		(void)frames_missing(true);
	}
	if (library.output_ns != INT64_MAX || now_ns >= library.request.until_ns) {
		control_answer(true);
		return AGAIN;
	}
	vclock_jump(&library.clock, turn->deadline_ns < library.request.until_ns
					    ? turn->deadline_ns
					    : library.request.until_ns);
	library.jumps++;
	return AGAIN;
}

/* `generation` is that of the vCPUs before QEMU's descriptors were found to be quiet. */
static int64_t decide(struct turn *turn, uint64_t generation)
{
	int64_t now_ns, next;

	pthread_mutex_lock(&library.lock);
	now_ns = library_now_locked();
	if (now_ns >= turn->deadline_ns)
		next = DUE;
	else if (library.free_since_ns)
		next = turn->deadline_ns == NEVER ? NEVER : turn->deadline_ns - now_ns;
	else if (!vclock_all_halted(&library.clock))
		next = decide_busy(turn, now_ns);
	else if (generation != library.clock.generation)
		next = AGAIN; /* halted since: what it wrote may lie in a descriptor now */
	else
		next = decide_idle(turn, now_ns);
	pthread_mutex_unlock(&library.lock);
	return next;
}

/* Give QEMU what is ready. Its main loop has something to do now: time stops for that. */
static int finish(struct pollfd *fds, int ready)
{
	pthread_mutex_lock(&library.lock);
	vclock_freeze(&library.clock);
	pthread_mutex_unlock(&library.lock);
	for (nfds_t i = 0; i < set.count; i++)
		fds[i].revents = set.fds[i].revents;
	return ready;
}

int mainloop_poll(struct pollfd *fds, nfds_t count, int64_t timeout_ns)
{
	struct turn turn = {
		.deadline_ns = timeout_ns < 0 ? NEVER
					      : library_now_ns() + timeout_ns +
							(timeout_ns ? LATENCY_NS : 0),
	};

	if (!set_fill(fds, count)) {
		errno = ENOMEM;
		return -1;
	}
	for (;;) {
		uint64_t generation;
		int64_t next;
		int ready;

		pthread_mutex_lock(&library.lock);
		generation = library.clock.generation;
		vclock_run(&library.clock, turn.deadline_ns);
		pthread_mutex_unlock(&library.lock);
		/* Looked at after the vCPUs: what they wrote before they halted is seen here. */
		ready = set_poll(0);
		if (ready)
			return finish(fds, ready);
		next = decide(&turn, generation);
		if (next == DUE)
			return finish(fds, 0);
		if (next == AGAIN)
			continue;
		ready = set_poll(next);
		library.waiting = false;
		if (ready)
			return finish(fds, ready);
	}
}
