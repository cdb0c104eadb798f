/* The simulated node as a target of a run: its socket, its commands, its states. */
#include "tests/simulated/sim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/time.h"
#include "runners/link.h"
#include "runners/loop.h"
#include "runners/target.h"

/* A frame that a slow node has not looked at yet. */
struct late_frame {
	struct simulation *simulation; /* NULL: free */
	struct loop_timer *timer;
	size_t size;
	uint8_t frame[14 + SIM_FRAME_MAX];
};

#define LATE_FRAMES 64
#define LATE_NS     (100 * NS_PER_MS)

struct simulation {
	struct sim_node node;
	struct target *target;
	struct late_frame late[LATE_FRAMES];
	int64_t last_late_ns; /* frames stay in order */
};

enum sim_fault sim_fault_from_string(const char *text)
{
	static const char *const names[] = {
		"none",
#define X(name, fault, about) fault,
#include "tests/simulated/sim_faults.tbl.h"
#undef X
	};

	for (unsigned i = 0; i < SIM_FAULT_COUNT_; i++)
		if (!strcmp(names[i], text))
			return (enum sim_fault)i;
	return SIM_FAULT_COUNT_;
}

static void take_frame(struct simulation *simulation, const uint8_t *frame, size_t size)
{
	struct sim_node *node = &simulation->node;
	enum nut_state before = node->state;

	sim_receive(node, frame, size);
	if (node->state != before && simulation->target->on_trouble)
		simulation->target->on_trouble(simulation->target->user);
}

static void take_late_frame(void *user)
{
	struct late_frame *late = user;
	struct simulation *simulation = late->simulation;

	late->timer = NULL;
	late->simulation = NULL;
	take_frame(simulation, late->frame, late->size);
}

/* A slow node looks at it later; what it has no room for is lost, as anywhere. */
static void keep_frame(struct simulation *simulation, const uint8_t *frame, size_t size)
{
	struct sim_node *node = &simulation->node;
	int64_t at_ns = loop_now_ns(node->loop) +
			(node->fault == SIM_FAULT_RANDOM ? sim_nd_draw(node, 0, LATE_NS) : LATE_NS);

	if (at_ns < simulation->last_late_ns)
		at_ns = simulation->last_late_ns;
	simulation->last_late_ns = at_ns;
	for (unsigned i = 0; i < LATE_FRAMES; i++) {
		struct late_frame *late = &simulation->late[i];

		if (late->simulation || size > sizeof(late->frame))
			continue;
		late->simulation = simulation;
		late->size = size;
		memcpy(late->frame, frame, size);
		late->timer = loop_timer_start(node->loop, at_ns, take_late_frame, late);
		return;
	}
}

static void forget_frames(struct simulation *simulation)
{
	for (unsigned i = 0; i < LATE_FRAMES; i++) {
		loop_timer_cancel(simulation->late[i].timer);
		simulation->late[i].timer = NULL;
		simulation->late[i].simulation = NULL;
	}
}

static void on_readable(void *user)
{
	struct simulation *simulation = user;
	uint8_t frame[65536];
	ssize_t size;

	while ((size = recv(simulation->node.fd, frame, sizeof(frame), MSG_DONTWAIT)) > 0) {
		if (simulation->node.fault == SIM_FAULT_SLOW ||
		    simulation->node.fault == SIM_FAULT_RANDOM)
			keep_frame(simulation, frame, (size_t)size);
		else
			take_frame(simulation, frame, (size_t)size);
	}
}

/* Takes the place that QEMU would have at the link. */
static int open_socket(struct sim_node *node, struct err *err)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(link_get_nut_port(node->link)),
				       .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int on = 1;

	node->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (node->fd < 0)
		return err_set(err, -errno, "socket: %s", strerror(errno));
	(void)setsockopt(node->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(node->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return err_set(err, -errno, "bind to the port of the NUT: %s", strerror(errno));
	address.sin_port = htons(link_get_tester_port(node->link));
	if (connect(node->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return err_set(err, -errno, "connect to the port of the tester: %s",
			       strerror(errno));
	return 0;
}

static void simulation_stop(void *self)
{
	struct sim_node *node = &((struct simulation *)self)->node;

	forget_frames(self);
	sim_nd_stop(node);
	loop_watch_stop(node->watch);
	node->watch = NULL;
	if (node->fd >= 0)
		(void)close(node->fd);
	node->fd = -1;
	node->state = NUT_STATE_STOPPED;
}

static int simulation_start(void *self, struct err *err)
{
	struct simulation *simulation = self;
	struct sim_node *node = &simulation->node;
	int rc = open_socket(node, err);

	if (rc < 0) {
		simulation_stop(self);
		return rc;
	}
	node->watch = loop_watch_start(node->loop, node->fd, on_readable, simulation);
	node->state = NUT_STATE_READY;
	sim_command_reset(node);
	sim_nd_start(node);
	return 0;
}

static int simulation_reboot(void *self, struct err *err)
{
	struct sim_node *node = &((struct simulation *)self)->node;

	(void)err;
	node->boots++;
	sim_command_reset(node);
	sim_nd_start(node);
	return 0;
}

static int simulation_exec(void *self, const char *const *argv, int64_t timeout_ms,
			   struct nut_exec_result *ret_result, struct err *err)
{
	char command[512] = "", output[1024] = "";
	size_t at = 0;

	(void)timeout_ms;
	(void)err;
	for (unsigned i = 0; argv[i] && at < sizeof(command); i++)
		at += (size_t)snprintf(command + at, sizeof(command) - at, "%s%s", i ? " " : "",
				       argv[i]);
	sim_command_obey(&((struct simulation *)self)->node, command, output, sizeof(output));
	*ret_result =
		(struct nut_exec_result){ .output = xstrdup(output), .error_output = xstrdup("") };
	return 0;
}

static bool simulation_ping(void *self, int64_t timeout_ms, struct err *err)
{
	(void)timeout_ms;
	(void)err;
	return ((struct simulation *)self)->node.state == NUT_STATE_READY;
}

static int simulation_save(void *self, struct err *err)
{
	(void)self;
	(void)err;
	return 0; /* sim_nd_settle() makes the one state there is */
}

static int simulation_load(void *self, struct err *err)
{
	struct sim_node *node = &((struct simulation *)self)->node;

	(void)err;
	node->state = NUT_STATE_READY;
	forget_frames(self);
	sim_command_reset(node);
	sim_nd_settle(node);
	(void)link_drain(node->link);
	return 0;
}

static enum nut_state simulation_state(void *self)
{
	return ((struct simulation *)self)->node.state;
}

static const char *simulation_trouble(void *self)
{
	return simulation_state(self) == NUT_STATE_READY ? "" : "its fault";
}

static enum accelerator simulation_accelerator(void *self)
{
	(void)self;
	return ACCELERATOR_TCG;
}

static int64_t simulation_zero(void *self)
{
	(void)self;
	return 0;
}

static char *simulation_console_text(void *self, int64_t offset)
{
	(void)offset;
	return xstrdup(nut_state_to_string(((struct simulation *)self)->node.state));
}

static void simulation_free(void *self)
{
	if (self)
		simulation_stop(self);
	free(self);
}

static const struct target_ops ops = {
	.name = "simulated",
	.start = simulation_start,
	.reboot = simulation_reboot,
	.exec = simulation_exec,
	.ping = simulation_ping,
	.save = simulation_save,
	.load = simulation_load,
	.state = simulation_state,
	.trouble = simulation_trouble,
	.accelerator = simulation_accelerator,
	.console_size = simulation_zero,
	.console_text = simulation_console_text,
	.peak_memory_kib = simulation_zero,
	.stop = simulation_stop,
	.free = simulation_free,
};

int sim_target_make(void *user, struct loop *loop, const struct target_spec *spec,
		    struct target *ret_target, struct err *err)
{
	struct simulation *simulation = xcalloc(1, sizeof(*simulation));
	struct sim_node *node = &simulation->node;
	const char *seed = getenv("FAULT_MATRIX_SEED");

	(void)err;
	sim_clock_set(loop);
	node->loop = loop;
	node->link = spec->nut.links[0];
	node->fault = *(const enum sim_fault *)user;
	node->fd = -1;
	node->state = NUT_STATE_STOPPED;
	memcpy(node->mac, spec->nut.macs[0], 6);
	node->random = seed ? strtoull(seed, NULL, 10) + 1 : 1;
	node->random *= 0x9e3779b97f4a7c15;
	simulation->target = ret_target;
	ret_target->ops = &ops;
	ret_target->self = simulation;
	return 0;
}
