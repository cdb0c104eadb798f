/*
 * What is said to and by the guest agent: commands and answers as text. The
 * agent runs in the NUT, so its answers are hostile. Each command has a number,
 * and its answer the same one, so that an answer that comes too late is known.
 * https://www.qemu.org/docs/master/interop/qemu-ga-ref.html
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* guest-ping, guest-exec of `argv` with its output captured, guest-exec-status; the caller frees them. */
char *agent_ping_command(int64_t id);
char *agent_exec_command(int64_t id, const char *const *argv);
char *agent_status_command(int64_t id, int64_t pid);

/*
 * One line of the agent. Returns 1 and what it returned when it is the answer
 * to command `id` (the caller drops the reference), LAB_EVIRT with the agent's words when it is
 * its refusal, 0 when it is something else.
 */
int agent_parse(const char *line, size_t size, int64_t id, json_t **ret_value, struct err *err);

/* These return 0, or LAB_EPARSE when the answer is not what the protocol promises. */
int agent_read_exec(const json_t *value, int64_t *ret_pid, struct err *err);

struct agent_status {
	bool exited;
	int exit_status; /* or -signal */
	char *output;    /* NUL-terminated; NUL bytes in it became '?' */
	char *error_output;
};
/* The caller releases it. */
int agent_read_status(const json_t *value, struct agent_status *ret_status, struct err *err);
void agent_status_release(struct agent_status *status);
