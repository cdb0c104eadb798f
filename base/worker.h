/*
 * Helper programs (testlab-builder, testlab-runner) at work on one job each,
 * followed side by side in one poll loop. They are children of ours in process
 * groups of their own and die with us; a signal to us (Ctrl-C) is passed on, so
 * that they clean up, and ends the loop.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/proc.h"

struct err;
struct report_reader;
struct worker;

enum worker_state {
	WORKER_STATE_RUNNING,
	WORKER_STATE_DONE,   /* it reported `done` */
	WORKER_STATE_FAILED, /* it reported `failed`; `reason` has its sentence */
	WORKER_STATE_LOST,   /* it ended without either; `reason` says how */
};

struct worker {
	enum worker_state state;
	char *folder;        /* its scratch folder; "job.json" and "log" are in it */
	char *reason;        /* why it failed or was lost, else NULL */
	bool is_input_wrong; /* it failed because of what it was given, not of us */
	struct proc_child child;
	struct report_reader *reader;
	/* Each report; called before `state` changes for done and failed. */
	void (*on_report)(struct worker *worker, json_t *report, void *user);
	void *user; /* for on_report */
};

/*
 * Write `job` (borrowed) to FOLDER/job.json with "scratch" set to the folder, which is made, and
 * start `program`, a helper's name. Release with worker_release() whatever comes back.
 */
int worker_start(struct worker *worker, const char *program, const char *folder, json_t *job,
		 struct err *err);
/* Kill it if it runs; free what it holds. */
void worker_release(struct worker *worker);
/* The last `count` lines of its log, on the heap, "" if there are none. */
char *worker_log_tail(const struct worker *worker, unsigned count);

/* Several workers under one loop. */
struct crew {
	struct worker *workers;
	size_t count;
	int signal_fd; /* of crew_open_signals() */
	/* A worker has ended; the callback may start it anew. May be NULL. */
	int (*on_end)(struct worker *worker, void *user, struct err *err);
	/* About four times a second, for what shows that time passes. May be NULL. */
	void (*on_tick)(void *user);
	void *user;
};

/* Block SIGINT, SIGTERM and SIGHUP and read them from *ret_fd. */
int crew_open_signals(int *ret_fd, struct err *err);
/* The signal that came, or 0. */
int crew_get_signal(int signal_fd);
/* Until all have ended; LAB_ECANCELLED after a signal, when all are gone. */
int crew_follow(struct crew *crew, struct err *err);
