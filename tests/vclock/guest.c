#include "tests/vclock/guest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND INT64_C(1000000000)
#define NS_PER_MS     INT64_C(1000000)
#define PATIENCE_MS   60000 /* of the host: no single answer takes longer */

void die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)fputs("Bail out! ", stdout);
	(void)vprintf(format, ap);
	(void)putchar('\n');
	va_end(ap);
	exit(1);
}

int64_t host_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_SECOND + ts.tv_nsec;
}

static struct sockaddr_un unix_address(const struct guest_options *options, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", options->folder, name) >=
	    (int)sizeof(address.sun_path))
		die("folder '%s' is too long for a socket", options->folder);
	return address;
}

static int open_udp(uint16_t port, uint16_t *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int bytes = 4 << 20;

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		die("udp: %s", strerror(errno));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *text(const char *format, ...)
{
	va_list ap;
	char *result;

	va_start(ap, format);
	if (vasprintf(&result, format, ap) < 0)
		die("out of memory");
	va_end(ap);
	return result;
}

static void exec_qemu(const struct guest *guest, const struct guest_options *options)
{
	const char *folder = options->folder;
	char *argv[64];
	int n = 0;

#define ARG(...) (argv[n++] = text(__VA_ARGS__))
	ARG("qemu-system-x86_64");
	ARG("-name"), ARG("guest=vclock,debug-threads=on");
	ARG("-machine"), ARG("pc,accel=tcg");
	ARG("-cpu"), ARG("qemu64,-tsc");
	ARG("-m"), ARG("128");
	ARG("-smp"), ARG("%u", options->cpus);
	ARG("-nodefaults"), ARG("-no-user-config"), ARG("-no-reboot"), ARG("-display"), ARG("none");
	ARG("-rtc"), ARG("base=utc,clock=vm");
	ARG("-kernel"), ARG("%s", options->image);
	ARG("-initrd"), ARG("%s", options->initramfs);
	ARG("-append"), ARG("console=ttyS0 panic=-1 quiet testlab.role=host clocksource=hpet notsc "
			    "testlab.sysctl=net.ipv6.conf.default.addr_gen_mode=0 %s",
			    options->extra ? options->extra : "");
	ARG("-serial"), ARG("file:%s/console.log", folder);
	ARG("-monitor"), ARG("unix:%s/monitor,server=on,wait=off", folder);
	ARG("-device"), ARG("virtio-serial-pci");
	ARG("-chardev"), ARG("socket,id=ga,path=%s/agent,server=on,wait=off", folder);
	ARG("-device"), ARG("virtserialport,chardev=ga,name=org.qemu.guest_agent.0");
	ARG("-netdev"), ARG("socket,id=n0,udp=127.0.0.1:%u,localaddr=127.0.0.1:%u",
			    guest->tester_port, guest->nut_port);
	ARG("-device"), ARG("virtio-net-pci,netdev=n0,mac=52:54:00:12:34:56,romfile=");
	ARG("-drive"), ARG("if=none,id=state,format=qcow2,file=%s/state.qcow2", folder);
	if (options->icount)
		ARG("-icount"), ARG("shift=3,sleep=on");
#undef ARG
	argv[n] = NULL;
	if (options->measure) {
		(void)setenv("LD_PRELOAD", text("%s/" VCLOCK_LIBRARY, getenv("TESTLAB_BUILD")), 1);
		(void)setenv(VCLOCK_ENV_SOCKET, text("%s/clock", folder), 1);
		(void)setenv(VCLOCK_ENV_MEASURE, options->measure, 1);
		(void)setenv(VCLOCK_ENV_LINKS, text("%u:%u", guest->nut_port, guest->tester_port),
			     1);
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)execvp(argv[0], argv);
	_exit(127);
}

static int accept_clock(struct guest *guest, int listener)
{
	struct pollfd ready = { .fd = listener, .events = POLLIN };
	struct vclock_hello hello;
	int fd;

	if (poll(&ready, 1, 10000) != 1)
		die("QEMU did not connect to the clock");
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0 || recv(fd, &hello, sizeof(hello), 0) != sizeof(hello) ||
	    hello.header.type != VCLOCK_HELLO || hello.header.version != VCLOCK_VERSION)
		die("no HELLO from the library");
	guest->now_ns = hello.now_ns;
	return fd;
}

/* QEMU's own listeners appear some time after its start. */
static int connect_unix(const struct guest_options *options, const char *name)
{
	struct sockaddr_un address = unix_address(options, name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	for (int i = 0; i < 500; i++) {
		const struct timespec pause = { 0, 10 * NS_PER_MS };

		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
			return fd;
		(void)nanosleep(&pause, NULL);
	}
	die("cannot connect to QEMU's '%s'", name);
}

/* For snapshots. */
static void make_disk(const struct guest_options *options)
{
	char *path = text("%s/state.qcow2", options->folder);
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		(void)execlp("qemu-img", "qemu-img", "create", "-q", "-f", "qcow2", path, "256M",
			     (char *)NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		die("qemu-img cannot make '%s'", path);
	free(path);
}

struct guest *guest_start(const struct guest_options *options)
{
	struct guest *guest = calloc(1, sizeof(*guest));
	struct sockaddr_un clock = unix_address(options, "clock");
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int probe;

	if (!guest)
		die("out of memory");
	make_disk(options);
	(void)unlink(clock.sun_path);
	if (bind(listener, (struct sockaddr *)&clock, sizeof(clock)) < 0 || listen(listener, 1) < 0)
		die("clock socket: %s", strerror(errno));
	guest->link_fd = open_udp(0, &guest->tester_port);
	probe = open_udp(0, &guest->nut_port);
	(void)close(probe);
	guest->virtual_clock = options->measure != NULL;
	guest->pid = fork();
	if (guest->pid == 0)
		exec_qemu(guest, options);
	guest->now_ns = host_ns();
	guest->control_fd = options->measure ? accept_clock(guest, listener) : -1;
	guest->start_ns = guest->now_ns;
	(void)close(listener);
	guest->monitor_fd = connect_unix(options, "monitor");
	guest->agent_fd = connect_unix(options, "agent");
	return guest;
}

void guest_stop(struct guest *guest)
{
	(void)kill(guest->pid, SIGTERM);
	(void)waitpid(guest->pid, NULL, 0);
	(void)close(guest->link_fd);
	(void)close(guest->agent_fd);
	(void)close(guest->monitor_fd);
	if (guest->control_fd >= 0)
		(void)close(guest->control_fd);
	free(guest);
}

static void take_frames(struct guest *guest)
{
	for (;;) {
		struct vclock_stamp stamp = { guest->received + 1, host_ns() };
		uint8_t data[65536];
		struct frame *frame = &guest->frames[guest->frame_count];
		ssize_t n = recv(guest->link_fd, data, sizeof(data), MSG_DONTWAIT);

		if (n < 0)
			return;
		if (guest->virtual_clock) {
			if (n < (ssize_t)sizeof(stamp))
				die("a frame without a stamp");
			n -= sizeof(stamp);
			memcpy(&stamp, data + n, sizeof(stamp));
			if (stamp.sequence != guest->received + 1)
				die("frame %ju came after %ju", (uintmax_t)stamp.sequence,
				    (uintmax_t)guest->received);
		}
		guest->received++;
		if (guest->frame_count == FRAMES_MAX)
			die("too many frames");
		guest->frame_count++;
		frame->sequence = stamp.sequence;
		frame->time_ns = stamp.time_ns;
		frame->size = (size_t)n < sizeof(frame->data) ? (size_t)n : sizeof(frame->data);
		memcpy(frame->data, data, frame->size);
	}
}

static void ask(struct guest *guest, int64_t until_ns)
{
	struct vclock_advance request = {
		.header = { VCLOCK_MAGIC, VCLOCK_VERSION, VCLOCK_ADVANCE },
		.id = ++guest->asked,
		.seen = guest->answer.id,
		.until_ns = until_ns,
		.patience_ns = VCLOCK_PATIENCE_NS,
		.link_sent = { guest->sent },
	};

	if (send(guest->control_fd, &request, sizeof(request), MSG_NOSIGNAL) != sizeof(request))
		die("QEMU is gone");
}

static void advance_real(struct guest *guest, int64_t until_ns)
{
	struct pollfd fds[2] = { { .fd = guest->link_fd, .events = POLLIN },
				 { .fd = guest->agent_fd, .events = POLLIN } };
	int64_t wait_ns = until_ns - host_ns();

	(void)poll(fds, 2, wait_ns > 0 ? (int)(wait_ns / NS_PER_MS) + 1 : 0);
	take_frames(guest);
	guest->now_ns = host_ns();
}

void guest_advance(struct guest *guest, int64_t until_ns)
{
	if (!guest->virtual_clock) {
		advance_real(guest, until_ns);
		return;
	}
	ask(guest, until_ns);
	do {
		struct pollfd fds[2] = { { .fd = guest->control_fd, .events = POLLIN },
					 { .fd = guest->link_fd, .events = POLLIN } };

		if (poll(fds, 2, PATIENCE_MS) <= 0)
			die("no answer from the library in %d ms", PATIENCE_MS);
		take_frames(guest);
		if (fds[0].revents && recv(guest->control_fd, &guest->answer, sizeof(guest->answer),
					   0) != sizeof(guest->answer))
			die("QEMU is gone");
	} while (guest->answer.id != guest->asked);
	/* The host may deliver a datagram on loopback after sendto() has returned. */
	for (int i = 0; guest->received < guest->answer.link_sent[0]; i++) {
		struct pollfd link = { .fd = guest->link_fd, .events = POLLIN };

		if (poll(&link, 1, 100) <= 0 && i > 10)
			die("%ju frames of the guest were lost",
			    (uintmax_t)(guest->answer.link_sent[0] - guest->received));
		take_frames(guest);
	}
	if (guest->answer.now_ns < guest->now_ns)
		die("the clock went back");
	guest->now_ns = guest->answer.now_ns;
}

void guest_run(struct guest *guest, int64_t until_ns)
{
	while (guest->now_ns < until_ns)
		guest_advance(guest, until_ns);
}

const struct frame *guest_expect(struct guest *guest, frame_match match, int64_t until_ns)
{
	size_t seen = 0;

	for (;;) {
		for (; seen < guest->frame_count; seen++) {
			if (match(&guest->frames[seen]))
				return &guest->frames[seen];
		}
		if (guest->now_ns >= until_ns)
			return NULL;
		guest_advance(guest, until_ns);
	}
}

void guest_send(struct guest *guest, const void *frame, size_t size)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(guest->nut_port),
				  .sin_addr = { htonl(INADDR_LOOPBACK) } };

	if (sendto(guest->link_fd, frame, size, 0, (struct sockaddr *)&to, sizeof(to)) !=
	    (ssize_t)size)
		die("sendto: %s", strerror(errno));
	guest->sent++;
}

void guest_forget(struct guest *guest)
{
	guest->frame_count = 0;
}

/* One line from the agent. Guest time passes only as far as the guest executes, then in small steps. */
static bool agent_line(struct guest *guest, char *line, size_t size)
{
	int64_t until_ns = guest->now_ns + 5 * NS_PER_SECOND;
	size_t n = 0;

	while (n + 1 < size) {
		ssize_t got = recv(guest->agent_fd, line + n, 1, MSG_DONTWAIT);

		if (got == 1 && line[n] == '\n') {
			line[n] = '\0';
			return true;
		}
		if (got == 1) {
			n++;
		} else if (guest->now_ns >= until_ns) {
			return false;
		} else {
			guest_advance(guest, guest->now_ns + 10 * NS_PER_MS);
		}
	}
	die("the agent's answer is too long");
}

bool guest_agent(struct guest *guest, const char *command, char *ret_answer, size_t size)
{
	char *line = text("%s\n", command);

	if (send(guest->agent_fd, line, strlen(line), MSG_NOSIGNAL) < 0)
		die("QEMU is gone");
	free(line);
	return agent_line(guest, ret_answer, size);
}

static size_t base64_decode(const char *from, char *to, size_t size)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned bits = 0, held = 0;
	size_t n = 0;

	for (; *from && *from != '=' && n + 1 < size; from++) {
		const char *digit = strchr(digits, *from);

		if (!digit)
			continue;
		bits = bits << 6 | (unsigned)(digit - digits);
		held += 6;
		if (held >= 8) {
			held -= 8;
			to[n++] = (char)(bits >> held);
		}
	}
	to[n] = '\0';
	return n;
}

void guest_shell(struct guest *guest, const char *line, char *ret_output, size_t size)
{
	static char answer[1 << 16];
	json_t *command =
		json_pack("{s:s,s:{s:s,s:[s,s],s:b}}", "execute", "guest-exec", "arguments", "path",
			  "/bin/sh", "arg", "-c", line, "capture-output", 1);
	char *words = json_dumps(command, JSON_COMPACT);
	const char *data = "";
	json_int_t pid = 0;
	json_t *value;

	if (!guest_agent(guest, words, answer, sizeof(answer)))
		die("the agent does not answer '%s'", line);
	free(words);
	json_decref(command);
	value = json_loads(answer, 0, NULL);
	if (json_unpack(value, "{s:{s:I}}", "return", "pid", &pid) < 0)
		die("agent: %s", answer);
	json_decref(value);
	for (int ended = 0; !ended;) {
		char *status =
			text("{\"execute\":\"guest-exec-status\",\"arguments\":{\"pid\":%lld}}",
			     (long long)pid);

		if (!guest_agent(guest, status, answer, sizeof(answer)))
			die("the agent does not answer");
		free(status);
		value = json_loads(answer, 0, NULL);
		data = "";
		if (json_unpack(value, "{s:{s:b,s?s}}", "return", "exited", &ended, "out-data",
				&data) < 0)
			die("agent: %s", answer);
		if (ended)
			(void)base64_decode(data, ret_output, size);
		else
			guest_advance(guest, guest->now_ns + 5 * NS_PER_MS);
		json_decref(value);
	}
}

void guest_boot(struct guest *guest)
{
	char answer[4096];

	for (int i = 0; i < 30; i++) {
		if (guest_agent(guest, "{\"execute\":\"guest-ping\"}", answer, sizeof(answer))) {
			/* Those asked before it listened are answered now too. */
			guest_run(guest, guest->now_ns + 100 * NS_PER_MS);
			while (recv(guest->agent_fd, answer, sizeof(answer), MSG_DONTWAIT) > 0)
				;
			return;
		}
	}
	die("the guest agent never answered");
}

void guest_monitor(struct guest *guest, const char *command)
{
	char output[65536] = "";
	char *line = text("%s\n", command);
	size_t n = 0;

	/* What was printed before, the banner and its prompt. */
	do
		guest_advance(guest, guest->now_ns);
	while (recv(guest->monitor_fd, output, sizeof(output), MSG_DONTWAIT) > 0);
	if (send(guest->monitor_fd, line, strlen(line), MSG_NOSIGNAL) < 0)
		die("QEMU is gone");
	free(line);
	memset(output, 0, sizeof(output));
	/* The prompt comes back when the command is done; the echo has its own carriage returns. */
	for (;;) {
		struct pollfd ready = { .fd = guest->monitor_fd, .events = POLLIN };
		const char *end;
		ssize_t got;

		if (poll(&ready, 1, PATIENCE_MS) != 1)
			die("monitor: no prompt after '%s'", command);
		got = recv(guest->monitor_fd, output + n, sizeof(output) - 1 - n, 0);
		if (got <= 0)
			die("QEMU is gone");
		n += (size_t)got;
		end = strchr(output, '\n');
		if (end && strstr(end, "(qemu) "))
			break;
	}
	if (strstr(output, "rror"))
		die("monitor: %s", output);
}
