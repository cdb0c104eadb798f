/*
 * Inside of the orchestrator, for the files of this folder: one libuv loop, one
 * writing database connection, the jobs that are running. Everything here runs
 * in the loop's thread, except orchestrator_ask() (ask.c).
 */
#pragma once

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct child;
struct config;
struct db;
struct err;
struct ingest;
struct job;
struct request;

struct orchestrator {
	const struct config *config;
	struct db *db;
	uv_loop_t uv;
	uv_timer_t tick;          /* lets time-driven work be looked for */
	uv_prepare_t round;       /* runs the scheduler when something happened */
	uv_async_t asked;         /* wakes the loop for requests and for stopping */
	uv_signal_t terminate[2]; /* SIGTERM, SIGINT */
	struct ingest *ingest;    /* files on their way into the database */
	struct job *jobs;         /* running, newest first */
	struct child *catalogue;  /* testlab-runner listing its tests, NULL when it has ended */
	size_t catalogue_list;    /* which of the lists it prints */
	int64_t prune_at_us;      /* when old files are looked for again */
	int64_t resume_us;        /* no work before that, after trouble with the database */
	bool needs_round;         /* something changed that the scheduler should see */
	bool stopping;
	unsigned stopping_ticks; /* seconds since then */
	bool is_sweeping;        /* the trash is being emptied */
	atomic_bool hurry;       /* for removers of folders: leave the rest to the next start */
	bool closed;             /* the loop's handles are on their way out */
	char *builder_path;      /* testlab-builder */
	char *runner_path;       /* testlab-runner */
	char *scratch_folder;    /* of running jobs, one folder each */
	char *trash_folder;      /* what is to be removed */
	char *cache_folder;
	char *ccache_folder;
	pthread_mutex_t lock;     /* guards `requests` and `refuses` */
	struct request *requests; /* of web threads, oldest first */
	bool refuses;             /* no more requests are taken */
};

/* --- lab.c: life of the whole ------------------------------------------------ */

struct orchestrator;
/* Open the database, mend what a crash left. `config` is borrowed. */
int orchestrator_new(const struct config *config, struct orchestrator **ret_lab, struct err *err);
/* Returns when SIGTERM or SIGINT came and all children have ended. */
int orchestrator_run(struct orchestrator *lab, struct err *err);
void orchestrator_free(struct orchestrator *lab);
/* Have the scheduler look before the loop sleeps again. */
void lab_wake(struct orchestrator *lab);
/* Log a failure of the lab's own; there is nobody to hand it to. */
void lab_complain(const char *what, const struct err *err);

/* --- recover.c: after a crash ------------------------------------------------ */

/* End left-over children, sweep scratch folders and half artifacts, mark interrupted jobs. */
int recover(struct orchestrator *lab, struct err *err);

/* --- schedule.c -------------------------------------------------------------- */

/* Start whatever can be started, make every move that can be made. */
void schedule_round(struct orchestrator *lab);
/*
 * A job of the cycle was lost to the lab's own trouble: again after a pause, or
 * the cycle fails when that was the last attempt. For a transaction of the caller.
 */
int schedule_retry(struct orchestrator *lab, int64_t cycle_id, const char *why, struct err *err);
/* The cycle fails; if it was to prove the lab, that failed too. */
int schedule_fail(struct orchestrator *lab, int64_t cycle_id, const char *why, struct err *err);
int schedule_cancel(struct orchestrator *lab, int64_t cycle_id, const char *why, struct err *err);

/* --- health.c: the known-good kernel ----------------------------------------- */

/* At start: make known what proves the lab. */
int health_start(struct orchestrator *lab, struct err *err);
/* Ask for a proof that is due after a failed one. */
int health_round(struct orchestrator *lab, struct err *err);
bool health_allows_tests(struct orchestrator *lab);

struct cycle_row;
/* A cycle of the known-good kernel has its results: judge the lab by them. */
int health_judge(struct orchestrator *lab, const struct cycle_row *cycle, struct err *err);
/* Such a cycle failed: the lab could not be proven. */
int health_fail(struct orchestrator *lab, const char *why, struct err *err);
/*
 * Is the lab proven after this cycle's tests? 1 = yes; 2 = no, it is unhealthy,
 * *ret_note (the caller frees it) says why; 0 = not known yet, a proof was asked for.
 */
int health_check_cycle(struct orchestrator *lab, const struct cycle_row *cycle, char **ret_note,
		       struct err *err);
/* The source of the known-good package was polled: take its newest release. */
int health_take_release(struct orchestrator *lab, int64_t release_id, struct err *err);
#define HEALTH_SOURCE "known-good"

/* --- watch.c: polls and what comes of them ----------------------------------- */

int watch_start(struct orchestrator *lab, struct err *err);
/* Start the polls that are due. */
int watch_round(struct orchestrator *lab, struct err *err);

/* --- build.c, run.c: the jobs of a cycle ------------------------------------- */

int build_start(struct orchestrator *lab, struct cycle_row *cycle, struct err *err);
int image_start(struct orchestrator *lab, struct cycle_row *cycle, struct err *err);
int run_start(struct orchestrator *lab, struct cycle_row *cycle, int64_t run_id, struct err *err);

/* --- catalogue.c: test sets and clauses ----------------------------------------------- */

/* Have the runner list its sets, then the clauses; failures are logged and leave what was there. */
void catalogue_start(struct orchestrator *lab);
void catalogue_stop(struct orchestrator *lab);
/*
 * LAB_EINVALID unless every name of the list is a set with a test. Before the runner has listed
 * its sets for the first time, in the first second of a new lab, everything is fine.
 */
int catalogue_check_sets(struct orchestrator *lab, const json_t *names, struct err *err);

/* --- trigger.c: what people ask for ------------------------------------------ */

struct config_source;
/* A kernel of a local image, identified by its content; may be part of a transaction. */
int trigger_add_local(struct orchestrator *lab, const char *name, const char *image,
		      const char *modules, bool known_good, int64_t *ret_kernel_id,
		      struct err *err);
/* Carry one request out (orchestrator.h has its shapes). */
int trigger_handle(struct orchestrator *lab, const json_t *request, json_t **ret_answer,
		   struct err *err);

/* --- ask.c ------------------------------------------------------------------- */

/* Answer everything that is waiting. With `refuse` set nothing more is taken. */
void ask_serve(struct orchestrator *lab, bool refuse);
