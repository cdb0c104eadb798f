/*
 * A job: one child of the lab with its row in the database, its scratch folder,
 * its progress and its files. What a kind of job means is in its job_ops
 * (build.c, run.c, watch.c).
 *
 * Life: job_start writes the row; files it needs are copied out of the database
 * in a thread; then the child runs; when it has ended and its files are stored,
 * on_end and the row's end are one transaction.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "db/store.h"

struct err;
struct job;
struct orchestrator;

/* Kinds that share their slots. */
enum job_slot {
	JOB_SLOT_BUILD, /* compiling */
	JOB_SLOT_TEST,  /* making NUT images and testing */
	JOB_SLOT_FETCH, /* polls and prebuilt kernels: mostly waiting for the network */
	JOB_SLOT_COUNT_
};

enum job_outcome {
	JOB_DONE,
	JOB_KERNEL_FAILED, /* the kernel's fault: it does not build */
	JOB_TROUBLE,       /* ours: it failed, was lost, or ran into its deadline */
	JOB_CANCELLED,     /* somebody asked for it */
	JOB_INTERRUPTED,   /* the lab is stopping */
};

struct job_ops {
	const char *kind; /* of job.kind and of the job file */
	enum job_slot slot;
	bool is_run; /* done by testlab-runner, not testlab-builder */
	/* A report that is not progress, decision, artifact, done or failed; NULL if there is none. */
	int (*on_event)(struct job *job, const char *event, const json_t *value, struct err *err);
	/* In the transaction that ends the job. `final` is the done or failed report, or NULL. */
	int (*on_end)(struct job *job, enum job_outcome outcome, const json_t *final,
		      const char *text, struct err *err);
	/* Something the kind keeps for itself; NULL if nothing. */
	void (*free_state)(void *state);
};

/* A file that the child needs, copied out of the database into its scratch folder. */
struct job_file {
	int64_t artifact_id;
	const char *field; /* of the job file, which gets the path */
	const char *name;  /* in the scratch folder */
};
#define JOB_FILES_MAX 4

struct job_spec {
	const struct job_ops *ops;
	int64_t cycle_id, kernel_id, run_id, source_id; /* 0 for none */
	int64_t deadline_us;                            /* from now */
	json_t *fields; /* of the job file beside kind and scratch; taken over */
	struct job_file files[JOB_FILES_MAX]; /* artifact_id 0 = none */
	void *state;                          /* for free_state, taken over */
};

/* Also frees spec->fields and spec->state when it fails. Commits the row. */
int job_start(struct orchestrator *lab, const struct job_spec *spec, struct err *err);
struct orchestrator *job_get_lab(const struct job *job);
int64_t job_get_cycle(const struct job *job);
int64_t job_get_kernel(const struct job *job);
int64_t job_get_run(const struct job *job);
int64_t job_get_source(const struct job *job);
const char *job_get_scratch(const struct job *job);
void *job_get_state(const struct job *job);
/* Progress that does not come as a progress report. */
void job_set_progress_now(struct job *job, const char *phase, int64_t done, int64_t total,
			  const char *text);

unsigned job_count(const struct orchestrator *lab, enum job_slot slot);
/* Is a job of that cycle (or that source) running? */
bool job_is_running(const struct orchestrator *lab, int64_t cycle_id, int64_t source_id);
/* Stop the jobs of a cycle, or all when it is 0; `outcome` is what they end with. */
void job_stop(struct orchestrator *lab, int64_t cycle_id, enum job_outcome outcome);
/* Once a second: write progress that was held back, finish what could not be written before. */
void job_tick(struct orchestrator *lab);
