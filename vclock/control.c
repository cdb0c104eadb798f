#include <errno.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "vclock/library.h"

static bool control_send(const void *message, size_t size)
{
	ssize_t n;

	do
		n = real_get()->send(library.control_fd, message, size, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)size;
}

int control_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct vclock_hello hello = {
		.header = { VCLOCK_MAGIC, VCLOCK_VERSION, VCLOCK_HELLO },
		.now_ns = library_now_ns(),
		.realtime_ns = library.realtime_ns,
		.pid = getpid(),
		.links = library.link_count,
	};

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	library.control_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (library.control_fd < 0)
		return -errno;
	if (connect(library.control_fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return control_send(&hello, sizeof(hello)) ? 0 : -EPIPE;
}

static void take_request(const struct vclock_advance *request)
{
	int64_t now_ns;

	pthread_mutex_lock(&library.lock);
	now_ns = library_now_locked();
	library.request = *request;
	library.asked = true;
	/* Asked before the runner knew of what has left: time must not pass that. */
	if (request->seen < library.told_id)
		library_note_output(library.told_ns);
	library.request_limit_ns = request->until_ns > now_ns ? request->until_ns : now_ns;
	library.request_limit_ns += request->patience_ns;
	for (unsigned i = 0; i < library.link_count; i++)
		library.links[i].expected = request->link_sent[i];
	pthread_mutex_unlock(&library.lock);
}

bool control_read(void)
{
	for (;;) {
		struct vclock_advance request;
		ssize_t n = real_get()->recvfrom(library.control_fd, &request, sizeof(request),
						 MSG_DONTWAIT, NULL, NULL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		if (n != sizeof(request) || request.header.magic != VCLOCK_MAGIC ||
		    request.header.version != VCLOCK_VERSION ||
		    request.header.type != VCLOCK_ADVANCE || request.patience_ns < 0)
			return false;
		take_request(&request);
	}
}

void control_answer(bool idle)
{
	struct vclock_answer answer = {
		.header = { VCLOCK_MAGIC, VCLOCK_VERSION, VCLOCK_ANSWER },
		.id = library.request.id,
		.now_ns = library_now_locked(),
		.flags = (idle ? VCLOCK_IDLE : 0) |
			 (library.output_ns != INT64_MAX ? VCLOCK_OUTPUT : 0),
		.vcpus = library.clock.count,
		.jumps = library.jumps,
		.stalls = library.stalls,
	};

	answer.busy_ns = idle ? 0 : answer.now_ns - library.clock.idle_ns;
	for (unsigned i = 0; i < library.link_count; i++) {
		answer.link_sent[i] = library.links[i].sent;
		answer.link_received[i] = library.links[i].received;
		answer.lost += library.links[i].lost;
	}
	library.asked = false;
	if (library.output_ns != INT64_MAX) {
		library.told_id = answer.id;
		library.told_ns = library.output_ns;
		library.output_ns = INT64_MAX;
	}
	/* One small packet for each request: the socket's buffer cannot be full. */
	if (!control_send(&answer, sizeof(answer)))
		library_run_free();
}
