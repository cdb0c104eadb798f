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

struct proc_line {
	const char *text; /* one line of output without its end, control bytes kept */
	bool is_stderr;
};

typedef void (*proc_line_cb)(const char *line, void *user);

struct proc_spec {
	const char *const *argv;  /* NULL-terminated; argv[0] is searched in PATH */
	const char *const *env;	  /* NULL-terminated "NAME=value" added to ours; may be NULL */
	bool env_clear;		  /* start from a minimal environment (PATH, HOME, LANG=C.UTF-8) */
	const char *folder;	  /* working folder, or NULL for ours */
	const char *log_path;	  /* append stdout and stderr to this file, or NULL */
	struct buf *output;	  /* collect stdout here, or NULL */
	struct buf *error_output; /* collect stderr here, or NULL (goes with output's file or is dropped) */
	const char *input;	  /* text for stdin, or NULL for /dev/null */
	proc_line_cb on_line;	  /* called with each line of stdout and stderr, or NULL */
	void *user;		  /* for on_line */
	int64_t timeout_ms;	  /* kill the group after this long; 0 = never */
	const int *cancel_fd;	  /* becoming readable cancels (SIGTERM, then SIGKILL after 3 s); or NULL */
};

/*
 * Run to the end. Returns the exit status (0..255), or a negative code:
 * LAB_ETIMEOUT, LAB_ECANCELLED, LAB_ECHILD (killed by a signal; err names it),
 * -ENOENT (no such program; err names it).
 */
int proc_run(const struct proc_spec *spec, struct err *err);

/* The calling process gets `signal` when its parent dies; fails if that has happened already. */
int proc_die_with_parent(int signal, struct err *err);
