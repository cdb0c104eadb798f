/*
 * The functions of libc that QEMU finds here instead. QEMU's main loop and its
 * vCPU threads live in the guest's time; every other thread (RCU, workers, the
 * monitor's I/O thread) stays in the host's, with waits and clocks that agree.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vclock/library.h"

#define NS_PER_SECOND INT64_C(1000000000)

struct library library = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.control_fd = -1,
	.wake_fd = -1,
	.output_ns = INT64_MAX,
};

static __thread enum thread_role role;
static __thread unsigned vcpu_index; /* of a THREAD_VCPU */

enum thread_role thread_role(void)
{
	return library.on ? role : THREAD_OTHER;
}

/* --- time ------------------------------------------------------------------ */

static int64_t read_clock(clockid_t id)
{
	struct timespec ts = { 0, 0 };

	(void)real_get()->clock_gettime(id, &ts);
	return ts.tv_sec * NS_PER_SECOND + ts.tv_nsec;
}

int64_t host_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

/* The measure "cpu": what the thread itself executed, whatever else the host does. */
static int64_t spent_cpu(clockid_t thread_clock)
{
	return read_clock(thread_clock);
}

/* The measure "wall", for comparison: the host's time while the thread is not halted. */
static int64_t spent_wall(clockid_t thread_clock)
{
	(void)thread_clock;
	return host_now_ns();
}

int64_t library_now_locked(void)
{
	int64_t now_ns = vclock_now(&library.clock);

	if (library.free_since_ns)
		now_ns += host_now_ns() - library.free_since_ns;
	return now_ns;
}

int64_t library_now_ns(void)
{
	int64_t now_ns;

	pthread_mutex_lock(&library.lock);
	now_ns = library_now_locked();
	pthread_mutex_unlock(&library.lock);
	return now_ns;
}

void library_note_output(int64_t now_ns)
{
	if (now_ns < library.output_ns)
		library.output_ns = now_ns;
}

void library_push(int64_t by_ns)
{
	vclock_jump(&library.clock, vclock_now(&library.clock) + by_ns);
	library.stalls++;
}

static int64_t spent_nothing(clockid_t thread_clock)
{
	(void)thread_clock;
	return 0;
}

void library_run_free(void)
{
	if (library.free_since_ns)
		return;
	vclock_jump(&library.clock, 0); /* settle, then no execution counts any more */
	library.clock.spent_ns = spent_nothing;
	for (unsigned i = 0; i < library.clock.count; i++)
		library.clock.vcpus[i].mark_ns = 0;
	library.free_since_ns = host_now_ns();
	(void)close(library.control_fd);
	library.control_fd = -1;
	(void)fprintf(stderr,
		      VCLOCK_LIBRARY ": the runner is gone: time is the host's from now on\n");
}

static int64_t role_realtime_ns(void)
{
	return library_now_ns() + library.realtime_ns;
}

VCLOCK_EXPORT int clock_gettime(clockid_t id, struct timespec *ts)
{
	int64_t now_ns;

	if (thread_role() == THREAD_OTHER)
		return real_get()->clock_gettime(id, ts);
	switch (id) {
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		now_ns = library_now_ns();
		break;
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
		now_ns = role_realtime_ns();
		break;
	default: /* CPU clocks */
		return real_get()->clock_gettime(id, ts);
	}
	*ts = (struct timespec){ now_ns / NS_PER_SECOND, now_ns % NS_PER_SECOND };
	return 0;
}

VCLOCK_EXPORT int gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	int64_t now_ns;

	if (thread_role() == THREAD_OTHER)
		return real_get()->gettimeofday(tv, tz);
	now_ns = role_realtime_ns();
	*tv = (struct timeval){ now_ns / NS_PER_SECOND, now_ns % NS_PER_SECOND / 1000 };
	return 0;
}

VCLOCK_EXPORT time_t time(time_t *t)
{
	time_t now;

	if (thread_role() == THREAD_OTHER)
		return real_get()->time(t);
	now = role_realtime_ns() / NS_PER_SECOND;
	if (t)
		*t = now;
	return now;
}

/* --- vCPUs: who executes and who is halted ---------------------------------- */

/* "CPU 3/TCG", or "ALL CPUs/TCG" where one thread serves them in turn. */
static bool is_vcpu_name(const char *name)
{
	const char *end = strrchr(name, '/');

	return end && strcmp(end, "/TCG") == 0 &&
	       (strncmp(name, "CPU ", 4) == 0 || strncmp(name, "ALL CPUs", 8) == 0);
}

static void become_vcpu(void)
{
	clockid_t thread_clock;
	int index;

	if (pthread_getcpuclockid(pthread_self(), &thread_clock) != 0)
		return;
	pthread_mutex_lock(&library.lock);
	index = vclock_add(&library.clock, thread_clock);
	pthread_mutex_unlock(&library.lock);
	if (index >= 0) {
		vcpu_index = (unsigned)index;
		role = THREAD_VCPU;
	}
}

VCLOCK_EXPORT int pthread_setname_np(pthread_t thread, const char *name)
{
	if (library.on && role == THREAD_OTHER && pthread_equal(thread, pthread_self()) &&
	    is_vcpu_name(name))
		become_vcpu();
	return real_get()->setname(thread, name);
}

/*
 * A vCPU waits on a futex of ours, not in libc: "halted" in the account and
 * the wake-up are then one thing under one lock, and a signal between them
 * cannot be lost.
 */
VCLOCK_EXPORT int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	uint32_t *woken;
	bool notify;

	if (thread_role() != THREAD_VCPU)
		return real_get()->cond_wait(cond, mutex);
	woken = &library.clock.vcpus[vcpu_index].woken;
	library.big_lock = mutex;
	pthread_mutex_lock(&library.lock);
	vclock_halt(&library.clock, vcpu_index, cond);
	notify = library.waiting && vclock_all_halted(&library.clock);
	pthread_mutex_unlock(&library.lock);
	pthread_mutex_unlock(mutex);
	if (notify)
		(void)eventfd_write(library.wake_fd, 1);
	while (!__atomic_load_n(woken, __ATOMIC_ACQUIRE))
		(void)syscall(SYS_futex, woken, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	return pthread_mutex_lock(mutex);
}

/* Wake the vCPUs that wait for `cond`; the other waiters are libc's affair. */
static void wake_vcpus(const void *cond)
{
	unsigned indexes[VCLOCK_VCPUS_MAX];
	unsigned count;

	pthread_mutex_lock(&library.lock);
	count = vclock_signal(&library.clock, cond, indexes);
	pthread_mutex_unlock(&library.lock);
	for (unsigned i = 0; i < count; i++)
		(void)syscall(SYS_futex, &library.clock.vcpus[indexes[i]].woken, FUTEX_WAKE_PRIVATE,
			      1, NULL, NULL, 0);
}

VCLOCK_EXPORT int pthread_cond_signal(pthread_cond_t *cond)
{
	if (library.on)
		wake_vcpus(cond);
	return real_get()->cond_signal(cond);
}

VCLOCK_EXPORT int pthread_cond_broadcast(pthread_cond_t *cond)
{
	if (library.on)
		wake_vcpus(cond);
	return real_get()->cond_broadcast(cond);
}

/*
 * `until` was reckoned from the guest's CLOCK_REALTIME (QEMU does not set the
 * condition's clock); the wait itself is the host's. A vCPU in it is not halted.
 */
VCLOCK_EXPORT int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
					 const struct timespec *until)
{
	struct timespec host_until;
	int64_t ns;

	if (thread_role() == THREAD_OTHER)
		return real_get()->cond_timedwait(cond, mutex, until);
	ns = until->tv_sec * NS_PER_SECOND + until->tv_nsec - role_realtime_ns();
	ns += read_clock(CLOCK_REALTIME);
	host_until = (struct timespec){ ns / NS_PER_SECOND, ns % NS_PER_SECOND };
	return real_get()->cond_timedwait(cond, mutex, &host_until);
}

/* --- the main loop ------------------------------------------------------------ */

/*
 * Is this the main loop's own wait? It is made without QEMU's global mutex; a
 * wait for a disk (savevm, loadvm) is made with it and is left alone.
 */
static bool is_main_loop(void)
{
	const pthread_mutex_t *big_lock = library.big_lock;

	return big_lock && big_lock->__data.__owner != (int)syscall(SYS_gettid);
}

VCLOCK_EXPORT int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
			const sigset_t *mask)
{
	if (thread_role() != THREAD_MAIN || mask || !is_main_loop())
		return real_get()->ppoll(fds, count, timeout, mask);
	return mainloop_poll(fds, count,
			     timeout ? timeout->tv_sec * NS_PER_SECOND + timeout->tv_nsec : -1);
}

/* --- what leaves and what comes in --------------------------------------------- */

static void note_output(void)
{
	if (thread_role() == THREAD_OTHER)
		return;
	pthread_mutex_lock(&library.lock);
	library_note_output(library_now_locked());
	pthread_mutex_unlock(&library.lock);
}

static struct link_account *find_link(const struct sockaddr *address, socklen_t size)
{
	uint16_t port;

	if (!library.on || !address || size < (socklen_t)sizeof(struct sockaddr_in) ||
	    address->sa_family != AF_INET)
		return NULL;
	port = ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
	for (unsigned i = 0; i < library.link_count; i++) {
		if (library.links[i].tester_port == port)
			return &library.links[i];
	}
	return NULL;
}

/* A frame of the guest goes out with its stamp behind it. */
static ssize_t send_stamped(struct link_account *link, int fd, const void *data, size_t size,
			    int flags, const struct sockaddr *to, socklen_t to_size)
{
	struct vclock_stamp stamp;
	struct sockaddr_storage address;
	union {
		const void *in;
		void *out;
	} frame = { .in = data }; /* iovec has no const */
	struct iovec parts[2] = { { frame.out, size }, { &stamp, sizeof(stamp) } };
	struct msghdr message = {
		.msg_name = &address, .msg_namelen = to_size, .msg_iov = parts, .msg_iovlen = 2
	};
	ssize_t n;

	memcpy(&address, to, to_size);
	pthread_mutex_lock(&library.lock);
	stamp = (struct vclock_stamp){ link->sent + 1, library_now_locked() };
	pthread_mutex_unlock(&library.lock);
	n = real_get()->sendmsg(fd, &message, flags);
	if (n < 0)
		return n;
	pthread_mutex_lock(&library.lock);
	link->sent++;
	library_note_output(stamp.time_ns);
	pthread_mutex_unlock(&library.lock);
	return (ssize_t)size;
}

VCLOCK_EXPORT ssize_t sendto(int fd, const void *data, size_t size, int flags,
			     const struct sockaddr *to, socklen_t to_size)
{
	struct link_account *link = find_link(to, to_size);

	if (link)
		return send_stamped(link, fd, data, size, flags, to, to_size);
	note_output();
	return real_get()->sendto(fd, data, size, flags, to, to_size);
}

VCLOCK_EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	note_output();
	return real_get()->sendmsg(fd, message, flags);
}

VCLOCK_EXPORT ssize_t send(int fd, const void *data, size_t size, int flags)
{
	note_output();
	return real_get()->send(fd, data, size, flags);
}

VCLOCK_EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
	note_output();
	return real_get()->writev(fd, parts, count);
}

/*
 * A vCPU that writes an eventfd gives the main loop something to do (a timer
 * is sooner now, a virtio queue has frames). Time stops at this moment, not when
 * the host lets the main loop run; ppoll lets it go on.
 */
VCLOCK_EXPORT ssize_t write(int fd, const void *data, size_t size)
{
	if (size == sizeof(uint64_t) && thread_role() == THREAD_VCPU) {
		pthread_mutex_lock(&library.lock);
		vclock_freeze(&library.clock);
		pthread_mutex_unlock(&library.lock);
	}
	return real_get()->write(fd, data, size);
}

VCLOCK_EXPORT ssize_t recv(int fd, void *data, size_t size, int flags)
{
	struct sockaddr_storage from;
	socklen_t from_size = sizeof(from);
	struct link_account *link;
	ssize_t n;

	if (thread_role() != THREAD_MAIN)
		return real_get()->recvfrom(fd, data, size, flags, NULL, NULL);
	n = real_get()->recvfrom(fd, data, size, flags, (struct sockaddr *)&from, &from_size);
	link = n < 0 ? NULL : find_link((struct sockaddr *)&from, from_size);
	if (link) {
		pthread_mutex_lock(&library.lock);
		link->received++;
		pthread_mutex_unlock(&library.lock);
	}
	return n;
}

/* --- start --------------------------------------------------------------------- */

static bool parse_port(const char **text, char end, uint16_t *ret_port)
{
	char *rest;
	unsigned long port = strtoul(*text, &rest, 10);

	if (rest == *text || port == 0 || port > UINT16_MAX || (*rest != end && *rest != '\0'))
		return false;
	*ret_port = (uint16_t)port;
	*text = *rest ? rest + 1 : rest;
	return true;
}

static bool parse_links(const char *text)
{
	while (*text) {
		struct link_account *link = &library.links[library.link_count];

		if (library.link_count == VCLOCK_LINKS_MAX ||
		    !parse_port(&text, ':', &link->nut_port) ||
		    !parse_port(&text, ',', &link->tester_port))
			return false;
		library.link_count++;
	}
	return true;
}

/* A clock that is neither the guest's nor the host's is worse than no QEMU. */
static _Noreturn void refuse(const char *what, const char *why)
{
	(void)fprintf(stderr, VCLOCK_LIBRARY ": %s: %s\n", what, why);
	_exit(1);
}

static void stop_in_child(void)
{
	library.on = false;
}

__attribute__((constructor)) static void start(void)
{
	const char *path = getenv(VCLOCK_ENV_SOCKET);
	const char *links = getenv(VCLOCK_ENV_LINKS);
	const char *measure = getenv(VCLOCK_ENV_MEASURE);
	bool wall = measure && strcmp(measure, "wall") == 0;
	int result;

	if (!path)
		return;
	if (measure && !wall && strcmp(measure, "cpu") != 0)
		refuse(VCLOCK_ENV_MEASURE, "expected 'cpu' or 'wall'");
	if (links && !parse_links(links))
		refuse(VCLOCK_ENV_LINKS, "expected 'NUTPORT:TESTERPORT,...', at most 4");
	library.realtime_ns = read_clock(CLOCK_REALTIME) - host_now_ns();
	vclock_init(&library.clock, host_now_ns(), wall ? spent_wall : spent_cpu);
	library.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (library.wake_fd < 0)
		refuse("eventfd", strerror(errno));
	result = control_connect(path);
	if (result < 0)
		refuse(path, strerror(-result));
	(void)pthread_atfork(NULL, NULL, stop_in_child);
	/* Helpers that QEMU starts have no part in this. */
	(void)unsetenv(VCLOCK_ENV_SOCKET);
	role = THREAD_MAIN;
	library.on = true;
}
