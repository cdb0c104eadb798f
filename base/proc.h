/*
 * Child processes, for programs that may block (builder, runner, CLI). The
 * daemon spawns its children with libuv (orchestrator/child.c) instead.
 *
 * Each child is the leader of its own process group, has default signals, no
 * inherited descriptor but 0, 1, 2 and those named, and dies with us
 * (PR_SET_PDEATHSIG). There is no shell anywhere.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct buf;

/* One line of output without its end, control bytes kept, of at most PROC_LINE_MAX bytes. */
#define PROC_LINE_MAX 65536u
typedef void (*proc_line_cb)(const char *line, void *user);

struct proc_spec {
	const char *const *argv; /* NULL-terminated; argv[0] is searched in PATH */
	const char *const *env;  /* NULL-terminated "NAME=value" added to ours; may be NULL */
	bool env_clear;          /* start from a minimal environment (PATH, HOME, LANG=C.UTF-8) */
	const char *folder;      /* working folder, or NULL for ours */
	const char *log_path;    /* append stdout and stderr to this file, or NULL */
	struct buf *output;      /* collect stdout here, or NULL */
	struct buf *
		error_output; /* collect stderr here, or NULL (goes with output's file or is dropped) */
	const char *input;    /* text for stdin, or NULL for /dev/null */
	proc_line_cb on_line; /* called with each line of stdout and stderr, or NULL */
	void *user;           /* for on_line */
	int64_t timeout_ms;   /* kill the group after this long; 0 = never */
	const int *
		cancel_fd; /* becoming readable cancels (SIGTERM, then SIGKILL after 3 s); or NULL */
};

/*
 * Run to the end. Returns the exit status (0..255), or a negative code:
 * LAB_ETIMEOUT, LAB_ECANCELLED, LAB_ECHILD (killed by a signal; err names it),
 * -ENOENT (no such program; err names it).
 */
int proc_run(const struct proc_spec *spec, struct err *err);

/*
 * The calling process gets `signal` when its parent dies. LAB_ECANCELLED if it
 * has died already: REPORT_FD is a pipe or socket that nobody reads.
 */
int proc_die_with_parent(int signal, struct err *err);

/* A child for callers that follow several at once: poll its descriptors, then wait for it. */
struct proc_child {
	pid_t pid;     /* leader of its own process group */
	int pid_fd;    /* readable when it has ended */
	int report_fd; /* read end of its REPORT_FD, non-blocking; -1 if not asked for */
};

/*
 * Start `spec` (argv, env, env_clear, folder and log_path; the rest must be
 * unset). With `with_reports` the child's REPORT_FD is a pipe to us.
 */
int proc_start(const struct proc_spec *spec, bool with_reports, struct proc_child *ret_child,
	       struct err *err);
/* Send `signal` to the whole group. */
void proc_signal(const struct proc_child *child, int signal);
/*
 * Wait for the end, kill what is left of the group, close the descriptors.
 * Returns the exit status or LAB_ECHILD.
 */
int proc_wait(struct proc_child *child, struct err *err);
