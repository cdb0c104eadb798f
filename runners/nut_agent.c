/*
 * Programs in the NUT, through the guest agent's port.
 *
 * libvirt could do this (virDomainQemuAgentCommand) but not after a load: it
 * goes by QEMU's VSERPORT_CHANGE events, which QEMU sends at most once a second, so
 * for up to a second after each load it holds the agent for disconnected. The port's
 * connection itself comes through a load unharmed. It being ours also makes answers
 * events of the loop, and a NUT that dies ends the wait for them.
 *
 * The agent tells of the end of a program only when it is asked, so it is asked
 * again and again, at first quickly.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/time.h"
#include "runners/agent.h"
#include "runners/loop.h"
#include "runners/nut_int.h"

#define STATUS_PAUSE_MAX_MS 20
#define ANSWER_TIME_MIN_MS  1000
#define LINE_BYTES_MAX      (3 * LIMIT_AGENT_REPLY) /* both outputs in base64 */

/* Take whole lines out of the input; the answer that is waited for ends the wait. */
static void take_lines(struct nut_agent *agent)
{
	char *end;

	while (agent->input.size && (end = memchr(agent->input.data, '\n', agent->input.size))) {
		size_t size = (size_t)(end - agent->input.data);

		if (!agent->answered) {
			agent->answer_rc = agent_parse(agent->input.data, size, agent->id,
						       &agent->answer, &agent->answer_err);
			agent->answered = agent->answer_rc != 0;
		}
		buf_consume(&agent->input, size + 1);
	}
	if (agent->input.overflow) {
		buf_reset(&agent->input);
		agent->input.overflow = false;
		agent->answer_rc =
			err_set(&agent->answer_err, LAB_EPARSE,
				"guest agent: an answer of more than %u bytes", LINE_BYTES_MAX);
		agent->answered = true;
	}
}

static void on_agent(void *user)
{
	struct nut *nut = user;
	struct nut_agent *agent = &nut->agent;
	char data[16384];
	ssize_t size = nut_port_read(&agent->port, data, sizeof(data));

	if (size <= 0)
		return;
	buf_append(&agent->input, data, (size_t)size);
	take_lines(agent);
}

int nut_agent_open(struct nut *nut, const char *socket_folder, struct err *err)
{
	nut->agent.input = BUF_INIT(LINE_BYTES_MAX);
	return nut_port_listen(&nut->agent.port, nut->loop,
			       xasprintf("%s/%s.agent", socket_folder, nut->name), on_agent, nut,
			       err);
}

static void forget_answer(struct nut_agent *agent)
{
	json_decref(agent->answer);
	agent->answer = NULL;
	agent->answered = false;
	agent->answer_err = ERR_INIT;
}

void nut_agent_reset(struct nut *nut)
{
	char data[16384];

	while (nut_port_read(&nut->agent.port, data, sizeof(data)) > 0)
		;
	buf_reset(&nut->agent.input);
	forget_answer(&nut->agent);
}

void nut_agent_close(struct nut *nut)
{
	nut_port_close(&nut->agent.port);
	buf_clear(&nut->agent.input);
	forget_answer(&nut->agent);
}

bool nut_agent_is_clogged(const struct nut *nut)
{
	int unread = 0;

	return nut->agent.port.fd >= 0 && ioctl(nut->agent.port.fd, SIOCOUTQ, &unread) == 0 &&
	       unread > 0;
}

static int send_line(struct nut_agent *agent, const char *command, struct err *err)
{
	auto_free char *line = xasprintf("%s\n", command);
	size_t size = strlen(line);
	ssize_t sent = agent->port.fd < 0 ? -1 : send(agent->port.fd, line, size, MSG_NOSIGNAL);

	if (sent == (ssize_t)size)
		return 0;
	return err_set(err, LAB_EVIRT,
		       "the guest agent's port does not take a command of %zu bytes", size);
}

/*
 * All times here are the run's, not the host's: a command lies in QEMU's socket
 * before a virtual clock is asked to go on, so it is never overtaken, and the NUT
 * gets all the time it needs.
 */
static int64_t deadline_in(const struct nut *nut, int64_t ms)
{
	return loop_now_ns(nut->loop) + ms * NS_PER_MS;
}

static int64_t left_ms(const struct nut *nut, int64_t deadline_ns)
{
	int64_t ms = (deadline_ns - loop_now_ns(nut->loop)) / NS_PER_MS;

	return ms > 0 ? ms : 1;
}

/*
 * Send a command made with agent->id and wait for its answer. An agent that does not
 * answer makes the NUT HUNG.
 */
static int call(struct nut *nut, const char *command, int64_t deadline_ns, json_t **ret_answer,
		struct err *err)
{
	struct nut_agent *agent = &nut->agent;
	int64_t limit_ms = left_ms(nut, deadline_ns);
	int rc;

	rc = nut_check_alive(nut, err);
	if (rc < 0)
		return rc;
	forget_answer(agent);
	rc = send_line(agent, command, err);
	if (rc == 0)
		rc = loop_run_either(nut->loop, deadline_in(nut, limit_ms), &agent->answered,
				     &nut->ended, err);
	agent->id++;
	if (nut->ended)
		return nut_check_alive(nut, err);
	if (rc < 0)
		return rc;
	if (!agent->answered) {
		nut_set_trouble(nut, NUT_STATE_HUNG,
				"the guest agent did not answer within %lld ms%s",
				(long long)limit_ms,
				nut->state == NUT_STATE_STARTING
					? " of the start: a kernel needs virtio_pci and "
					  "virtio_console, built in or among its modules"
					: "");
		return err_set(err, LAB_ETIMEOUT, "%s", nut->trouble);
	}
	if (agent->answer_rc < 0)
		return err_set(err, agent->answer_rc, "%s", agent->answer_err.text);
	*ret_answer = STEAL_PTR(agent->answer);
	return 0;
}

static int ping(struct nut *nut, int64_t timeout_ms, struct err *err)
{
	auto_free char *command = agent_ping_command(nut->agent.id);
	auto_json json_t *answer = NULL;

	return call(nut, command, deadline_in(nut, timeout_ms), &answer, err);
}

bool nut_ping(struct nut *nut, int64_t timeout_ms, struct err *err)
{
	return ping(nut, timeout_ms, err) == 0;
}

int nut_wait_ready(struct nut *nut, int64_t timeout_ms, struct err *err)
{
	/* It waits in the port until there is an agent to read it. */
	int rc = ping(nut, timeout_ms, err);

	if (rc == 0)
		rc = nut_forbid_resets(nut, err);
	if (rc < 0)
		return rc;
	/* What the kernel warned of while it booted is told by nut_get_trouble(), and it did boot. */
	nut->state = NUT_STATE_READY;
	console_scanner_init(&nut->console.scanner);
	return 0;
}

static int begin(struct nut *nut, const char *const *argv, int64_t deadline_ns, int64_t *ret_pid,
		 struct err *err)
{
	auto_free char *command = agent_exec_command(nut->agent.id, argv);
	auto_json json_t *answer = NULL;
	int rc = call(nut, command, deadline_ns, &answer, err);

	return rc < 0 ? rc : agent_read_exec(answer, ret_pid, err);
}

static int ask_status(struct nut *nut, int64_t pid, int64_t deadline_ns,
		      struct agent_status *ret_status, struct err *err)
{
	auto_free char *command = agent_status_command(nut->agent.id, pid);
	auto_json json_t *answer = NULL;
	int rc = call(nut, command, deadline_ns, &answer, err);

	return rc < 0 ? rc : agent_read_status(answer, ret_status, err);
}

static int wait_for_end(struct nut *nut, int64_t pid, int64_t deadline_ns,
			struct agent_status *ret_status, struct err *err)
{
	int64_t pause_ms = 1;
	int rc;

	for (;;) {
		/* However little time is left for the program, the agent gets a fair chance to answer. */
		int64_t fair_ns = deadline_in(nut, ANSWER_TIME_MIN_MS);

		rc = ask_status(nut, pid, deadline_ns > fair_ns ? deadline_ns : fair_ns, ret_status,
				err);
		if (rc < 0 || ret_status->exited)
			return rc;
		if (left_ms(nut, deadline_ns) <= pause_ms)
			return err_set(err, LAB_ETIMEOUT, "the program has not ended");
		rc = loop_run(nut->loop, deadline_in(nut, pause_ms), &nut->ended, err);
		if (rc < 0)
			return rc;
		pause_ms = pause_ms * 2 < STATUS_PAUSE_MAX_MS ? pause_ms * 2 : STATUS_PAUSE_MAX_MS;
	}
}

int nut_exec(struct nut *nut, const char *const *argv, int64_t timeout_ms,
	     struct nut_exec_result *ret_result, struct err *err)
{
	int64_t deadline_ns = deadline_in(nut, timeout_ms);
	struct agent_status status = { 0 };
	int64_t pid;
	int rc;

	rc = begin(nut, argv, deadline_ns, &pid, err);
	if (rc == 0)
		rc = wait_for_end(nut, pid, deadline_ns, &status, err);
	if (rc < 0) {
		if (err)
			err_prefix(err, "run '%s' in the NUT", argv[0]);
		return rc;
	}
	*ret_result = (struct nut_exec_result){
		.exit_status = status.exit_status,
		.output = status.output,
		.error_output = status.error_output,
	};
	return 0;
}

void nut_exec_result_release(struct nut_exec_result *result)
{
	free(result->output);
	free(result->error_output);
	*result = (struct nut_exec_result){ 0 };
}
