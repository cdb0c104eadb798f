/*
 * Reading for people: everything that the API and the pages show comes from
 * here as JSON, so that they cannot disagree. Each function writes a new
 * reference into *ret_value, only on success. Nothing here changes the
 * database; a read-only connection does.
 *
 * Lists are {"items":[...],"next":cursor or null}, newest first unless said
 * otherwise; `next` is the cursor of the page that follows. What does not exist
 * is LAB_ENOTFOUND with a sentence that names it. Text that is not UTF-8 comes
 * with U+FFFD in its place. The shapes are described in web/schemas.json.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct db;
struct err;

/* A page of a list. */
struct query_page {
	int64_t limit;  /* most items, 1 or more */
	int64_t cursor; /* `next` of the page before, 0 for the first page */
};

/* --- the lab (query_lab.c) -------------------------------------------------- */

/* Health, counts, and what is going on now: unfinished cycles and running jobs. */
int query_status(struct db *db, json_t **ret_value, struct err *err);
int query_sources(struct db *db, json_t **ret_value, struct err *err);
/* The sets of the plan and those that have runs, by name. */
int query_sets(struct db *db, json_t **ret_value, struct err *err);

struct query_clause_filter {
	int64_t rfc; /* 0 = any */
	int covered; /* 1 those that a test names, 0 the others, -1 any */
};
/* What the RFCs require, by RFC and in its order; the counts leave `covered` out of account. */
int query_clauses(struct db *db, const struct query_clause_filter *filter, json_t **ret_value,
		  struct err *err);

struct query_decision_filter {
	const char *area;                              /* NULL = any */
	int64_t kernel_id, run_id, diff_id, source_id; /* 0 = any */
};
int query_decisions(struct db *db, const struct query_decision_filter *filter,
		    struct query_page page, json_t **ret_value, struct err *err);

/* --- the queue (query_queue.c) ---------------------------------------------- */

struct query_cycle_filter {
	int64_t kernel_id; /* 0 = any */
	const char *state; /* NULL = any */
	int active; /* 1 = unfinished ones in the order of work, 0 = finished ones, -1 = any */
};
int query_cycles(struct db *db, const struct query_cycle_filter *filter, struct query_page page,
		 json_t **ret_value, struct err *err);
/* With its moves, jobs and runs. */
int query_cycle(struct db *db, int64_t cycle_id, json_t **ret_value, struct err *err);

struct query_job_filter {
	int64_t cycle_id;  /* 0 = any */
	const char *state; /* NULL = any */
};
int query_jobs(struct db *db, const struct query_job_filter *filter, struct query_page page,
	       json_t **ret_value, struct err *err);

/* --- releases and kernels (query_kernel.c) ---------------------------------- */

struct query_release_filter {
	const char *series, *source; /* NULL = any */
};
int query_releases(struct db *db, const struct query_release_filter *filter, struct query_page page,
		   json_t **ret_value, struct err *err);

struct query_kernel_filter {
	const char *series, *state; /* NULL = any */
	int64_t release_id;         /* 0 = any */
};
/* Each with its newest run of every set: the front table. */
int query_kernels(struct db *db, const struct query_kernel_filter *filter, struct query_page page,
		  json_t **ret_value, struct err *err);
/* With runs, files, what its configuration changed, cycles and decisions. */
int query_kernel(struct db *db, int64_t kernel_id, json_t **ret_value, struct err *err);

/* --- runs, verdicts, tests (query_run.c, query_verdict.c) --------------------- */

struct query_run_filter {
	int64_t kernel_id, cycle_id;  /* 0 = any */
	const char *set_name, *state; /* NULL = any */
};
int query_runs(struct db *db, const struct query_run_filter *filter, struct query_page page,
	       json_t **ret_value, struct err *err);
/* With its diffs and files. */
int query_run(struct db *db, int64_t run_id, json_t **ret_value, struct err *err);

struct query_verdict_filter {
	const char *verdict; /* NULL = any */
	bool all_attempts;   /* false: only those that count */
};
/* In the order of the set; without steps. */
int query_verdicts(struct db *db, int64_t run_id, const struct query_verdict_filter *filter,
		   struct query_page page, json_t **ret_value, struct err *err);
/* With steps, files, the other attempts and how to reproduce it. */
int query_verdict(struct db *db, int64_t verdict_id, json_t **ret_value, struct err *err);
/* What came of one test in every run; `set_name` may be NULL. */
int query_test(struct db *db, const char *test_id, const char *set_name, struct query_page page,
	       json_t **ret_value, struct err *err);

/* --- diffs (query_diff.c) ----------------------------------------------------- */

struct query_diff_filter {
	int64_t run_id;       /* on either side; 0 = any */
	const char *set_name; /* NULL = any */
};
int query_diffs(struct db *db, const struct query_diff_filter *filter, struct query_page page,
		json_t **ret_value, struct err *err);
/* With its entries. */
int query_diff(struct db *db, int64_t diff_id, json_t **ret_value, struct err *err);
/* Any two runs of one set, compared now; LAB_EINVALID if the sets differ. */
int query_diff_of(struct db *db, int64_t old_run_id, int64_t new_run_id, json_t **ret_value,
		  struct err *err);

/* --- files (query_file.c) ------------------------------------------------------ */

/* {"artifact_id","sha256","size_bytes","name","role"} of a file. */
int query_file(struct db *db, int64_t file_id, json_t **ret_value, struct err *err);
/* The same of an artifact, named as the newest file that refers to it. */
int query_artifact(struct db *db, const char *sha256, json_t **ret_value, struct err *err);
