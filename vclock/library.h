/*
 * What the parts of the library share. One lock guards the clock and the
 * counters; it is held for a few hundred nanoseconds at a time and never while
 * anything blocks.
 */
#pragma once

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

#include "vclock/clock.h"
#include "vclock/protocol.h"

#define VCLOCK_EXPORT __attribute__((visibility("default")))

/* The functions of libc that ours stand before. */
struct real {
	int (*clock_gettime)(clockid_t id, struct timespec *ts);
	int (*gettimeofday)(struct timeval *restrict tv, void *restrict tz);
	time_t (*time)(time_t *t);
	int (*ppoll)(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
		     const sigset_t *mask);
	int (*cond_wait)(pthread_cond_t *cond, pthread_mutex_t *mutex);
	int (*cond_timedwait)(pthread_cond_t *cond, pthread_mutex_t *mutex,
			      const struct timespec *until);
	int (*cond_signal)(pthread_cond_t *cond);
	int (*cond_broadcast)(pthread_cond_t *cond);
	int (*setname)(pthread_t thread, const char *name);
	ssize_t (*sendto)(int fd, const void *data, size_t size, int flags,
			  const struct sockaddr *to, socklen_t to_size);
	ssize_t (*sendmsg)(int fd, const struct msghdr *message, int flags);
	ssize_t (*send)(int fd, const void *data, size_t size, int flags);
	ssize_t (*write)(int fd, const void *data, size_t size);
	ssize_t (*writev)(int fd, const struct iovec *parts, int count);
	ssize_t (*recvfrom)(int fd, void *data, size_t size, int flags, struct sockaddr *from,
			    socklen_t *from_size);
};
/* Found at the first call: other libraries' constructors come before ours. */
const struct real *real_get(void);

struct link_account {
	uint16_t nut_port;
	uint16_t tester_port;
	uint64_t sent;     /* datagrams from the guest */
	uint64_t received; /* datagrams from the runner */
	uint64_t expected; /* datagrams the runner says it sent */
	uint64_t lost;     /* of those, given up after VCLOCK_MISSING_MS */
};

struct library {
	bool on;
	pthread_mutex_t lock;
	struct vclock clock;
	int64_t realtime_ns;   /* CLOCK_REALTIME less CLOCK_MONOTONIC, at the start */
	int64_t free_since_ns; /* host time since which we run free (runner gone), or 0 */
	int control_fd;        /* to the runner; -1 when it is gone */
	int wake_fd;           /* eventfd: the last vCPU halted while the main loop waited */
	bool waiting;          /* the main loop is in ppoll because a vCPU executes */
	int64_t output_ns;     /* when something left QEMU that no answer has told, or INT64_MAX */
	int64_t told_ns;       /* the same of what the answer `told_id` has told */
	uint64_t told_id;      /* which the runner may not have read yet; 0: none */
	unsigned link_count;
	struct link_account links[VCLOCK_LINKS_MAX];
	_Atomic(pthread_mutex_t *)
		big_lock; /* QEMU's global mutex: what vCPUs let go when they halt */
	struct vclock_advance request;
	bool asked;               /* `request` waits for its answer */
	int64_t request_limit_ns; /* answer then even if the guest is busy */
	uint64_t jumps;
	uint64_t stalls;
};
extern struct library library;

/* Who the calling thread is: only the main loop and the vCPUs live in the guest's time. */
enum thread_role { THREAD_OTHER, THREAD_MAIN, THREAD_VCPU };
enum thread_role thread_role(void);

int64_t host_now_ns(void);
/* The guest's time; takes the lock. */
int64_t library_now_ns(void);
/* The same with the lock held. */
int64_t library_now_locked(void);
/* Something left QEMU. Lock held. */
void library_note_output(int64_t now_ns);
/* Set the clock forward though a vCPU executes, and count it as a stall. Lock held. */
void library_push(int64_t by_ns);
/* The runner is gone: time is the host's from now on. Lock held. */
void library_run_free(void);

/* control.c */
int control_connect(const char *path);
/* Read what the runner sent; false when it is gone or speaks otherwise. Main loop only. */
bool control_read(void);
/* Answer the request that waits. Lock held. */
void control_answer(bool idle);

/* mainloop.c: QEMU's main loop in ppoll. */
int mainloop_poll(struct pollfd *fds, nfds_t count, int64_t timeout_ns);
