/*
 * The one job a builder process does: its description, its reports to the
 * parent (docs/design/001-shape.md) and its cancellation. Used everywhere in
 * builders/ that takes long enough to be watched or stopped.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct err;
struct proc_spec;

struct job {
	json_t *spec;         /* the job file */
	const char *kind;     /* in `spec` */
	const char *scratch;  /* in `spec`: folder that belongs to this job alone */
	const char *cache;    /* in `spec`: folder shared with other jobs */
	int cancel_fd;        /* readable once SIGTERM or SIGINT came */
	int report_fd;        /* where reports go */
	json_t *failure;      /* fields to add to the `failed` report; an object */
	char last_phase[32];  /* of the last progress report */
	int64_t last_sent_ns; /* when that was, monotonic */
};

/* Read and check the fields that every job has. `cancel_fd` and `report_fd` are borrowed. */
int job_init(struct job *job, const char *path, int cancel_fd, int report_fd, struct err *err);
void job_release(struct job *job);

/* Tell how far `phase` is; `total` 0 = unknown. More than ten a second of one phase are dropped. */
void job_progress(struct job *job, const char *phase, int64_t done, int64_t total,
		  const char *text);
/* Tell people why something was done. */
void job_decide(struct job *job, const char *area, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Hand over a file; `path` is relative to the scratch folder. */
int job_artifact(struct job *job, const char *role, const char *name, const char *path,
		 struct err *err);
/* Send an event of the job's kind and drop the reference. */
int job_report(struct job *job, json_t *event, struct err *err);

/* 0, or LAB_ECANCELLED when the job was asked to stop. */
int job_check_cancelled(const struct job *job, struct err *err);
/*
 * Run a child that ends when the job is cancelled. 0, or a negative code; a
 * non-zero exit status is LAB_ECHILD with the last line of its stderr.
 */
int job_run(const struct job *job, struct proc_spec *spec, struct err *err);

/* The folder `name` in the cache (made if missing), on the heap in *ret_path. */
int job_cache_folder(const struct job *job, const char *name, char **ret_path, struct err *err);
/*
 * Hold `<folder>/lock` against other jobs on the same cache until *ret_fd is
 * closed. Waits; LAB_ECANCELLED ends the wait.
 */
int job_lock(struct job *job, const char *folder, int *ret_fd, struct err *err);
