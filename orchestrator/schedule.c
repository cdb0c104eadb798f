/*
 * The scheduler: looks at every unfinished cycle, in the order of work, and makes
 * each move that can be made and starts each job that a slot is free for. It
 * keeps nothing in memory but which jobs run, so a new start simply goes on.
 */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "base/time.h"
#include "db/db.h"
#include "db/store.h"
#include "orchestrator/config.h"
#include "orchestrator/cycle.h"
#include "orchestrator/job.h"
#include "orchestrator/lab.h"

#define LONGEST_PAUSE_US  (INT64_C(3600) * US_PER_SECOND)
#define PRUNE_INTERVAL_US (INT64_C(3600) * US_PER_SECOND)
/* After a failure of the database: it is not asked again each second. */
#define TROUBLE_PAUSE_US (10 * US_PER_SECOND)

/* --- ends of a cycle that are not its jobs' ------------------------------------- */

int schedule_fail(struct orchestrator *lab, int64_t cycle_id, const char *why, struct err *err)
{
	auto_cleanup(cycle_row_release) struct cycle_row cycle = { 0 };
	int rc;

	rc = cycle_load(lab->db, cycle_id, &cycle, err);
	if (rc >= 0)
		rc = cycle_fail(lab->db, &cycle, why, err);
	if (rc >= 0)
		log_notice("orch", "cycle=%" PRId64 ": failed: %s", cycle_id, why);
	return rc < 0 || !cycle.known_good ? rc : health_fail(lab, why, err);
}

int schedule_cancel(struct orchestrator *lab, int64_t cycle_id, const char *why, struct err *err)
{
	auto_cleanup(cycle_row_release) struct cycle_row cycle = { 0 };
	int rc;

	rc = cycle_load(lab->db, cycle_id, &cycle, err);
	if (rc >= 0)
		rc = cycle_cancel(lab->db, &cycle, why, err);
	if (rc >= 0)
		log_notice("orch", "cycle=%" PRId64 ": cancelled", cycle_id);
	return rc;
}

int schedule_retry(struct orchestrator *lab, int64_t cycle_id, const char *why, struct err *err)
{
	auto_cleanup(cycle_row_release) struct cycle_row cycle = { 0 };
	auto_free char *note = NULL;
	int64_t pause_us = lab->config->retry.pause_us;
	int rc;

	rc = cycle_load(lab->db, cycle_id, &cycle, err);
	if (rc < 0)
		return rc;
	if (cycle.attempts >= lab->config->retry.attempts) {
		note = xasprintf("the lab's own trouble, after %" PRId64 " attempts: %s",
				 cycle.attempts + 1, why);
		return schedule_fail(lab, cycle_id, note, err);
	}
	for (int64_t i = 0; i < cycle.attempts && pause_us < LONGEST_PAUSE_US; i++)
		pause_us *= 2;
	note = xasprintf("attempt %" PRId64 " was lost: %s; again in %" PRId64 " s",
			 cycle.attempts + 1, why, pause_us / US_PER_SECOND);
	log_warn("orch", "cycle=%" PRId64 ": %s", cycle_id, note);
	return cycle_add_attempt(lab->db, cycle_id, time_wall_us() + pause_us, note, err);
}

/* --- one cycle --------------------------------------------------------------------- */

static bool has_slot(const struct orchestrator *lab, enum job_slot slot)
{
	const int64_t most[JOB_SLOT_COUNT_] = {
		[JOB_SLOT_BUILD] = lab->config->build.parallel,
		[JOB_SLOT_TEST] = lab->config->test.parallel,
		[JOB_SLOT_FETCH] = 2,
	};

	return job_count(lab, slot) < most[slot];
}

/* Two cycles of one kernel would write the same files: the later one waits. */
static int is_blocked(struct orchestrator *lab, const struct cycle_row *cycle, struct err *err)
{
	int64_t other = 0;

	return db_get_int(lab->db, &other, err,
			  "SELECT min(cycle_id) FROM cycle WHERE kernel_id = ? AND cycle_id < ?"
			  " AND state IN ('wait', 'build', 'install', 'test')",
			  DB_INT(cycle->kernel_id), DB_INT(cycle->cycle_id));
}

static bool needs_fetch_slot(struct orchestrator *lab, const struct kernel_row *kernel)
{
	int64_t prebuilt = 0;

	(void)db_get_int(lab->db, &prebuilt, NULL,
			 "SELECT prebuilt FROM release WHERE release_id = ?",
			 DB_INT(kernel->release_id));
	return prebuilt != 0;
}

/* Each step returns 1 if the cycle moved and may go on at once, 0 if it has to wait. */
static int step_wait(struct orchestrator *lab, struct cycle_row *cycle, struct err *err)
{
	auto_cleanup(kernel_row_release) struct kernel_row kernel = { 0 };
	enum job_slot slot;
	int rc;

	rc = is_blocked(lab, cycle, err);
	if (rc > 0)
		return cycle_set_note(lab->db, cycle->cycle_id,
				      "waits for an earlier cycle of the same kernel", err) < 0
			       ? LAB_EDB
			       : 0;
	if (rc >= 0)
		rc = kernel_load(lab->db, cycle->kernel_id, &kernel, err);
	if (rc < 0)
		return rc;
	if (strcmp(kernel.state, "installed") == 0)
		rc = cycle_skip_install(lab->db, cycle, err);
	else if (strcmp(kernel.state, "built") == 0)
		rc = cycle_skip_build(lab->db, cycle, err);
	else {
		slot = needs_fetch_slot(lab, &kernel) ? JOB_SLOT_FETCH : JOB_SLOT_BUILD;
		if (!has_slot(lab, slot))
			return 0;
		rc = cycle_begin_build(lab->db, cycle, err);
	}
	return rc < 0 ? rc : 1;
}

static int step_build(struct orchestrator *lab, struct cycle_row *cycle, struct err *err)
{
	auto_cleanup(kernel_row_release) struct kernel_row kernel = { 0 };
	int rc;

	rc = kernel_load(lab->db, cycle->kernel_id, &kernel, err);
	if (rc < 0)
		return rc;
	if (!has_slot(lab, needs_fetch_slot(lab, &kernel) ? JOB_SLOT_FETCH : JOB_SLOT_BUILD))
		return 0;
	rc = build_start(lab, cycle, err);
	return rc < 0 ? rc : 0;
}

static int step_install(struct orchestrator *lab, struct cycle_row *cycle, struct err *err)
{
	int rc;

	if (!has_slot(lab, JOB_SLOT_TEST))
		return 0;
	rc = image_start(lab, cycle, err);
	return rc < 0 ? rc : 0;
}

static int step_test(struct orchestrator *lab, struct cycle_row *cycle, struct err *err)
{
	int64_t run_id = 0;
	int rc;

	rc = run_find_unfinished(lab->db, cycle->cycle_id, &run_id, err);
	if (rc < 0)
		return rc;
	if (rc == 0) {
		rc = cycle_begin_compare(lab->db, cycle, err);
		return rc < 0 ? rc : 1;
	}
	if (!cycle->known_good && !health_allows_tests(lab)) {
		rc = cycle_set_note(lab->db, cycle->cycle_id,
				    "waits until the known-good kernel proves the lab healthy",
				    err);
		return rc < 0 ? rc : 0;
	}
	if (!has_slot(lab, JOB_SLOT_TEST))
		return 0;
	rc = cycle_set_note(lab->db, cycle->cycle_id, NULL, err);
	if (rc >= 0)
		rc = run_start(lab, cycle, run_id, err);
	return rc < 0 ? rc : 0;
}

static int compare_runs_of(struct orchestrator *lab, struct cycle_row *cycle, struct err *err)
{
	auto_free int64_t *runs = NULL;
	int count, rc = 0;

	count = run_list(lab->db, cycle->cycle_id, &runs, err);
	if (count < 0)
		return count;
	for (int i = 0; i < count && rc >= 0; i++)
		rc = diff_make(lab->db, runs[i], err);
	return rc < 0 ? rc : cycle_begin_prove(lab->db, cycle, err);
}

static int step_compare(struct orchestrator *lab, struct cycle_row *cycle, struct err *err)
{
	int rc;

	rc = db_begin(lab->db, err);
	if (rc < 0)
		return rc;
	rc = db_end(lab->db, compare_runs_of(lab, cycle, err), err);
	return rc < 0 ? rc : 1;
}

static int mark_unhealthy_runs(struct orchestrator *lab, const struct cycle_row *cycle,
			       const char *note, struct err *err)
{
	auto_free int64_t *runs = NULL;
	auto_free char *text = xasprintf("the lab itself was unhealthy after this run: %s", note);
	int count, rc = 0;

	count = run_list(lab->db, cycle->cycle_id, &runs, err);
	for (int i = 0; i < count && rc >= 0; i++)
		rc = run_set_note(lab->db, runs[i], text, err);
	return count < 0 ? count : rc;
}

static int prove(struct orchestrator *lab, struct cycle_row *cycle, struct err *err)
{
	auto_free char *note = NULL;
	int rc;

	if (cycle->known_good)
		rc = health_judge(lab, cycle, err);
	else
		rc = health_check_cycle(lab, cycle, &note, err);
	if (rc < 0)
		return rc;
	if (rc == 0 && !cycle->known_good) {
		rc = cycle_set_note(lab->db, cycle->cycle_id,
				    "waits for the known-good kernel's proof", err);
		return rc < 0 ? rc : 0;
	}
	rc = note ? mark_unhealthy_runs(lab, cycle, note, err) : 0;
	if (rc >= 0)
		rc = cycle_finish(lab->db, cycle, note, err);
	return rc < 0 ? rc : 1;
}

static int step_prove(struct orchestrator *lab, struct cycle_row *cycle, struct err *err)
{
	int rc;

	rc = db_begin(lab->db, err);
	if (rc < 0)
		return rc;
	rc = db_end(lab->db, prove(lab, cycle, err), err);
	if (rc > 0)
		log_notice("orch", "cycle=%" PRId64 ": done", cycle->cycle_id);
	return rc;
}

static int step(struct orchestrator *lab, struct cycle_row *cycle, struct err *err)
{
	enum cycle_state state = CYCLE_STATE_COUNT_;

	if (cycle_state_from_string(cycle->state, &state) < 0)
		return err_set(err, LAB_EDB, "cycle %" PRId64 ": '%s' is no state", cycle->cycle_id,
			       cycle->state);
	switch (state) {
	case CYCLE_STATE_wait:
		return step_wait(lab, cycle, err);
	case CYCLE_STATE_build:
		return step_build(lab, cycle, err);
	case CYCLE_STATE_install:
		return step_install(lab, cycle, err);
	case CYCLE_STATE_test:
		return step_test(lab, cycle, err);
	case CYCLE_STATE_compare:
		return step_compare(lab, cycle, err);
	case CYCLE_STATE_prove:
		return step_prove(lab, cycle, err);
	case CYCLE_STATE_done:
	case CYCLE_STATE_failed:
	case CYCLE_STATE_cancelled:
	case CYCLE_STATE_COUNT_:
		break;
	}
	return 0;
}

/* As far as it goes now. */
static int work_on(struct orchestrator *lab, int64_t cycle_id, struct err *err)
{
	int rc;

	do {
		auto_cleanup(cycle_row_release) struct cycle_row cycle = { 0 };

		rc = cycle_load(lab->db, cycle_id, &cycle, err);
		if (rc < 0 || job_is_running(lab, cycle_id, 0) ||
		    cycle.not_before_us > time_wall_us())
			return rc;
		rc = step(lab, &cycle, err);
	} while (rc > 0);
	return rc;
}

/* --- all of them --------------------------------------------------------------------- */

static int work_on_all(struct orchestrator *lab, struct err *err)
{
	auto_free int64_t *ids = NULL;
	int count;

	count = cycle_list_active(lab->db, &ids, err);
	for (int i = 0; i < count; i++) {
		struct err trouble = ERR_INIT;
		int rc = work_on(lab, ids[i], &trouble);

		if (rc < 0) /* one cycle's trouble is not that of the others */
			rc = schedule_retry(lab, ids[i], trouble.text, err);
		if (rc < 0)
			return rc;
	}
	return count;
}

static int prune(struct orchestrator *lab, struct err *err)
{
	struct prune_rules rules = {
		.keep_kernels = lab->config->retention.kernels,
		.keep_days = lab->config->retention.days,
	};
	int removed;

	if (time_wall_us() < lab->prune_at_us)
		return 0;
	lab->prune_at_us = time_wall_us() + PRUNE_INTERVAL_US;
	removed = lab_prune(lab->db, &rules, err);
	if (removed > 0)
		log_notice("orch", "%d files are no longer kept", removed);
	return removed;
}

void schedule_round(struct orchestrator *lab)
{
	struct err err = ERR_INIT;
	int rc;

	if (lab->stopping || time_wall_us() < lab->resume_us)
		return;
	rc = watch_round(lab, &err);
	if (rc >= 0)
		rc = health_round(lab, &err);
	if (rc >= 0)
		rc = work_on_all(lab, &err);
	if (rc >= 0)
		rc = prune(lab, &err);
	if (rc < 0) {
		lab_complain("look for work (tried again)", &err);
		lab->resume_us = time_wall_us() + TROUBLE_PAUSE_US;
	}
}
