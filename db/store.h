/*
 * Writing (and the orchestrator's own reading) of the lab's entities, one
 * store_*.c each. Only the orchestrator calls what changes something. Reading
 * for people is db/query*.h.
 *
 * Rows own their strings; x_row_release frees them. A function that adds
 * returns 1 if the row is new and 0 if it was there already.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct db;
struct err;

/* --- store_source.c -------------------------------------------------------- */

struct source_row {
	int64_t source_id;
	char *name;
	char *config_json;
	bool was_polled; /* at least once, successfully or not */
};
void source_row_release(struct source_row *row);

/* Forget which sources are configured; source_put turns those of the configuration on again. */
int source_disable_all(struct db *db, struct err *err);
int source_put(struct db *db, const char *name, const char *kind, const char *location,
	       const char *config_json, int64_t *ret_source_id, struct err *err);
/* The enabled source that is due first and has no running job; 1 or 0. */
int source_find_due(struct db *db, int64_t now_us, struct source_row *ret_row, struct err *err);
int source_load(struct db *db, int64_t source_id, struct source_row *ret_row, struct err *err);
/* A poll ended; `error` is NULL when it went well. */
int source_set_polled(struct db *db, int64_t source_id, int64_t next_us, const char *error,
		      struct err *err);
/* Make an enabled source due now; LAB_ENOTFOUND for an unknown name. */
int source_poll_now(struct db *db, const char *name, int64_t *ret_source_id, struct err *err);

/* --- store_release.c ------------------------------------------------------- */

struct release_row {
	int64_t release_id;
	int64_t source_id; /* 0 for none */
	char *name;
	char *series;
	char *type;
	char *identity;
	char *sort_key;
	char *detail_json;
	int64_t released_us; /* 0 if unknown */
	bool prebuilt;
};
void release_row_release(struct release_row *row);

/* `row->release_id` is set either way; 1 = new, 0 = known (same source and identity). */
int release_add(struct db *db, struct release_row *row, struct err *err);
int release_load(struct db *db, int64_t release_id, struct release_row *ret_row, struct err *err);
/* The newest release of that name; LAB_ENOTFOUND. */
int release_find(struct db *db, const char *name, int64_t *ret_release_id, struct err *err);

/* --- store_kernel.c -------------------------------------------------------- */

struct kernel_row {
	int64_t kernel_id;
	int64_t release_id;
	char *config_name;
	char *state;
	bool known_good;
};
void kernel_row_release(struct kernel_row *row);

int kernel_add(struct db *db, int64_t release_id, const char *config_name, bool known_good,
	       int64_t *ret_kernel_id, struct err *err);
int kernel_load(struct db *db, int64_t kernel_id, struct kernel_row *ret_row, struct err *err);
int kernel_set_state(struct db *db, int64_t kernel_id, const char *state, struct err *err);
int kernel_set_failed(struct db *db, int64_t kernel_id, const char *first_error, struct err *err);

struct kernel_build {
	const char *compiler;       /* NULL if not compiled by us */
	const char *config_diff;    /* NULL if there was nothing to compare with */
	const char *uname;          /* NULL if unknown */
	int64_t previous_kernel_id; /* what config_diff is against, 0 for none */
	int64_t build_us;
	int64_t objects;
};
int kernel_set_built(struct db *db, int64_t kernel_id, const struct kernel_build *build,
		     struct err *err);
int kernel_set_uname(struct db *db, int64_t kernel_id, const char *uname, struct err *err);
/*
 * The built kernel whose configuration a build of `release_id` is compared
 * with: same series and config name, greatest sort_key below; 1 or 0.
 */
int kernel_find_previous(struct db *db, int64_t release_id, const char *config_name,
			 int64_t *ret_kernel_id, struct err *err);

/* Exactly one of the three owners is not 0. Replaces an earlier file of that owner, role and name. */
struct file_owner {
	int64_t kernel_id;
	int64_t run_id;
	int64_t verdict_id;
};
int file_put(struct db *db, struct file_owner owner, const char *role, const char *name,
	     int64_t artifact_id, struct err *err);
/* 1 and the artifact of the kernel's file of that role, or 0. */
int file_find(struct db *db, int64_t kernel_id, const char *role, int64_t *ret_artifact_id,
	      struct err *err);

/* --- store_cycle.c --------------------------------------------------------- */

struct cycle_row {
	int64_t cycle_id;
	int64_t kernel_id;
	char *state;
	char *reason;
	char *sets_json;
	char *note; /* NULL if none */
	int64_t attempts;
	int64_t not_before_us;
	int64_t created_us;
	int64_t changed_us; /* when it came into its state */
	bool known_good;    /* of its kernel */
};
void cycle_row_release(struct cycle_row *row);

struct cycle_new {
	int64_t kernel_id;
	const char *reason;
	const char *requested_by; /* NULL for the lab itself */
	const char *sets_json;
	int64_t priority;
};
int cycle_add(struct db *db, const struct cycle_new *cycle, int64_t *ret_cycle_id, struct err *err);
int cycle_load(struct db *db, int64_t cycle_id, struct cycle_row *ret_row, struct err *err);
/* Ids of the unfinished cycles in the order of work; the caller frees *ret_ids. Returns the count. */
int cycle_list_active(struct db *db, int64_t **ret_ids, struct err *err);
/* Change the state, keep the move; `attempts` starts anew. `finished` ends the cycle. */
int cycle_set_state(struct db *db, int64_t cycle_id, const char *from, const char *to,
		    bool finished, const char *note, struct err *err);
int cycle_set_note(struct db *db, int64_t cycle_id, const char *note, struct err *err);
/* One more attempt was lost; not again before `not_before_us`. */
int cycle_add_attempt(struct db *db, int64_t cycle_id, int64_t not_before_us, const char *note,
		      struct err *err);
/* The newest unfinished cycle of the kernel; 1 or 0. */
int cycle_find_active(struct db *db, int64_t kernel_id, int64_t *ret_cycle_id, struct err *err);

/* --- store_job.c ----------------------------------------------------------- */

struct job_new {
	const char *kind;
	int64_t cycle_id, source_id, run_id; /* 0 for none */
	int64_t deadline_us;                 /* wall clock */
};
int job_add(struct db *db, const struct job_new *job, int64_t *ret_job_id, struct err *err);
int job_set_process(struct db *db, int64_t job_id, int64_t pid, const char *key, struct err *err);
/* done and total may be -1 for "unknown". */
int job_set_progress(struct db *db, int64_t job_id, const char *phase, int64_t done, int64_t total,
		     const char *text, struct err *err);
/* `state` is one of job.state; text and log_tail may be NULL (then the text stays). */
int job_finish(struct db *db, int64_t job_id, const char *state, const char *text,
	       const char *log_tail, struct err *err);

struct job_left {
	int64_t job_id;
	int64_t pid;       /* 0 if it was never started */
	char *process_key; /* NULL if never started */
};
/* Jobs that say 'running'; the caller frees each key and *ret_jobs. Returns the count. */
int job_list_running(struct db *db, struct job_left **ret_jobs, struct err *err);

/* --- store_run.c ----------------------------------------------------------- */

struct run_row {
	int64_t run_id;
	int64_t cycle_id; /* 0 for none */
	int64_t kernel_id;
	int64_t release_id;
	char *set_name;
	char *role;
	char *state;
};
void run_row_release(struct run_row *row);

int run_add(struct db *db, int64_t cycle_id, int64_t kernel_id, const char *set_name,
	    const char *role, int64_t *ret_run_id, struct err *err);
int run_load(struct db *db, int64_t run_id, struct run_row *ret_row, struct err *err);
/* The first unfinished run of a cycle; 1 or 0. */
int run_find_unfinished(struct db *db, int64_t cycle_id, int64_t *ret_run_id, struct err *err);
/* The runs of a cycle in order; the caller frees *ret_ids. Returns the count. */
int run_list(struct db *db, int64_t cycle_id, int64_t **ret_ids, struct err *err);
int run_set_state(struct db *db, int64_t run_id, const char *state, const char *note,
		  struct err *err);
int run_set_note(struct db *db, int64_t run_id, const char *note, struct err *err);
/* `settings_json` is a list of "NAME=VALUE". */
int run_set_plan(struct db *db, int64_t run_id, int64_t planned, int64_t total,
		 const char *suite_version, const char *settings_json, struct err *err);
int run_set_machine(struct db *db, int64_t run_id, const char *clock, const char *accelerator,
		    struct err *err);
/* Unfinished runs of a cycle become 'cancelled' or 'failed'. */
int run_end_unfinished(struct db *db, int64_t cycle_id, const char *state, const char *note,
		       struct err *err);

struct verdict_new {
	int64_t run_id;
	const char *test_id, *title, *verdict, *test_version, *clock;
	const char *reason, *signature; /* NULL if none */
	const char *clauses_json, *steps_json;
	int64_t position;
	bool final;
	int64_t started_us, wall_ns, clock_ns, restore_ns, teardown_ns;
};
/*
 * Store one attempt. Its number follows those that are stored already (a
 * restarted run counts on). LAB_EEXISTS if the test has its final verdict.
 */
int verdict_add(struct db *db, const struct verdict_new *verdict, int64_t *ret_verdict_id,
		struct err *err);
/* Store an attempt that never counts, also beside a final one: `final` is taken for false. */
int verdict_add_aside(struct db *db, const struct verdict_new *verdict, int64_t *ret_verdict_id,
		      struct err *err);
/* Ids of the tests of a run with a final verdict; returns the count, the caller frees all. */
int verdict_list_final(struct db *db, int64_t run_id, char ***ret_ids, struct err *err);

/* --- store_clock_sample.c --------------------------------------------------- */

/*
 * Choose `percent` of the tests of a run that was judged on the virtual clock
 * (rounded up), those first that were never or longest ago in a sample, so that
 * all come round. Does nothing for a run that has its sample, or that was on
 * the real clock. Returns how many tests the sample has.
 */
int clock_sample_choose(struct db *db, int64_t run_id, int64_t percent, struct err *err);
/* Ids of the sample that were not repeated yet; returns the count, the caller frees all. */
int clock_sample_list_open(struct db *db, int64_t run_id, char ***ret_ids, struct err *err);
/*
 * What the real clock said about a test of the sample. When that is another
 * verdict than the virtual clock's, a verdict ERROR becomes the final one.
 * ERROR from the real clock says nothing about the clocks. Returns 1 if the clocks
 * disagree.
 */
int clock_sample_judge(struct db *db, int64_t run_id, const char *test_id, const char *real_verdict,
		       struct err *err);

/* --- store_diff.c ---------------------------------------------------------- */

/*
 * Compare a finished run with the runs of its key releases and with the run
 * before of the same kernel, store the diffs and the decisions behind them.
 */
int diff_make(struct db *db, int64_t run_id, struct err *err);
/*
 * How many tests of the run `run_id` of a known-good kernel are worse than they
 * have been: passed in an earlier run of a known-good kernel with the same
 * script, and did not now; plus those with verdict ERROR. The caller frees
 * *ret_text (NULL when 0), which names the first few.
 */
int diff_count_unhealthy(struct db *db, int64_t run_id, char **ret_text, struct err *err);

/* --- store_lab.c ----------------------------------------------------------- */

int lab_set(struct db *db, const char *key, const char *value, struct err *err);
int lab_set_int(struct db *db, const char *key, int64_t value, struct err *err);
/* 1 and the value (the caller frees it), or 0. */
int lab_get(struct db *db, const char *key, char **ret_value, struct err *err);
int64_t lab_get_int(struct db *db, const char *key, int64_t otherwise);

struct decision_about {
	int64_t source_id, kernel_id, run_id, diff_id; /* 0 for none */
};
int decision_add(struct db *db, const char *area, struct decision_about about, struct err *err,
		 const char *fmt, ...) __attribute__((format(printf, 5, 6)));

struct prune_rules {
	int64_t keep_kernels; /* per series: images of older ones go */
	int64_t keep_days;    /* captures and consoles of older passed verdicts go */
};
/* Remove files that the rules no longer keep; results stay. Returns the number of files. */
int lab_prune(struct db *db, const struct prune_rules *rules, struct err *err);
