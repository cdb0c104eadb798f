/*
 * A child process under libuv: its own session and process group, a deadline,
 * output captured into a log file of limited size, and JSON reports on
 * descriptor 3 (base/report.h). Nothing here blocks.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

struct child;
struct err;

struct child_end {
	int exit_status;      /* when signal is 0 */
	int signal;           /* that ended it, or 0 */
	bool timed_out;       /* it was stopped at its deadline */
	const char *trouble;  /* a report of it could not be taken, or NULL */
	const char *log_tail; /* its last output, never NULL */
};

struct child_spec {
	uv_loop_t *uv;
	const char *const *argv; /* argv[0] is a path */
	const char *log_path;
	int64_t deadline_ms;
	/* `value` is borrowed. A failure stops the child; its text becomes child_end.trouble. */
	int (*on_report)(json_t *value, void *user, struct err *err);
	/* Called once, from the loop, when it is gone and all its reports were delivered. */
	void (*on_end)(const struct child_end *end, void *user);
	void *user;
};

/* The child frees itself after on_end. */
int child_start(const struct child_spec *spec, struct child **ret_child, struct err *err);
pid_t child_get_pid(const struct child *child);
const char *child_get_key(const struct child *child); /* orchestrator/process.h */
/* SIGTERM now, SIGKILL to the group when it did not end in time. */
void child_stop(struct child *child);
