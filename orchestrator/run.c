/*
 * The 'run' job: one set on one kernel. Each verdict is stored with its files in
 * one transaction as it comes; a run that was interrupted goes on with the tests
 * that have no final verdict. After a run on the virtual clock a second job
 * repeats a sample of its tests on the real one; the run is done after that.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/time.h"
#include "base/verdict.h"
#include "db/artifact.h"
#include "db/db.h"
#include "db/store.h"
#include "orchestrator/config.h"
#include "orchestrator/ingest.h"
#include "orchestrator/job.h"
#include "orchestrator/lab.h"

struct run_state {
	int64_t finals; /* tests with a final verdict */
	int64_t total;  /* tests of the run; 0 before the plan came */
	bool is_sample; /* repeats a sample on the real clock */
};

/* --- reports ----------------------------------------------------------------- */

/* A list of the report as text. */
static char *field_to_text(const json_t *value, const char *key)
{
	const json_t *field = json_object_get(value, key);

	return json_is_array(field) ? json_text(field) : xstrdup("[]");
}

static int take_plan(struct job *job, const json_t *value, struct err *err)
{
	struct run_state *state = job_get_state(job);
	auto_free char *settings = field_to_text(value, "environment");
	const char *suite_version;
	int64_t planned;
	int rc;

	rc = json_get_int(value, "planned", 0, 1000000, &planned, err);
	if (rc >= 0)
		rc = json_get_int(value, "total", 0, 1000000, &state->total, err);
	if (rc >= 0 && state->is_sample) {
		job_set_progress_now(job, "boot", 0, state->total,
				     "booting the NUT on the real clock");
		return 0;
	}
	if (rc >= 0)
		rc = json_get_string(value, "suite_version", &suite_version, err);
	if (rc < 0)
		return rc;
	job_set_progress_now(job, "boot", state->finals, state->total, "booting the NUT");
	return run_set_plan(job_get_lab(job)->db, job_get_run(job), planned, state->total,
			    suite_version, settings, err);
}

static int take_nut(struct job *job, const json_t *value, struct err *err)
{
	const char *uname = json_string_or(value, "uname", NULL);
	struct db *db = job_get_lab(job)->db;
	int rc = 0;

	if (strcmp(json_string_or(value, "state", ""), "booted") != 0)
		return 0;
	if (((const struct run_state *)job_get_state(job))->is_sample)
		return 0; /* the run is on the clock that its verdicts come from */
	if (uname)
		rc = kernel_set_uname(db, job_get_kernel(job), uname, err);
	return rc < 0 ? rc
		      : run_set_machine(db, job_get_run(job),
					json_string_or(value, "clock", "real"),
					json_string_or(value, "accelerator", "tcg"), err);
}

/* A capture or console of a verdict: small, so it is stored at once with it. */
static int put_file(struct job *job, int64_t verdict_id, const char *role, const char *path,
		    struct err *err)
{
	struct db *db = job_get_lab(job)->db;
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	int64_t artifact_id;
	int fd, rc;

	if (!path_is_component(name))
		return err_set(err, LAB_EINVALID, "file '%s' of a verdict: bad name", path);
	rc = ingest_open(job_get_scratch(job), path, &fd, err);
	if (rc >= 0)
		rc = artifact_add_fd(db, fd, &artifact_id, err);
	if (rc < 0)
		return rc;
	return file_put(db, (struct file_owner){ .verdict_id = verdict_id }, role, name,
			artifact_id, err);
}

static int read_verdict(const json_t *value, struct verdict_new *verdict, struct err *err)
{
	enum verdict word;
	int rc;

	rc = json_get_string(value, "id", &verdict->test_id, err);
	if (rc >= 0)
		rc = json_get_string(value, "title", &verdict->title, err);
	if (rc >= 0)
		rc = json_get_string(value, "verdict", &verdict->verdict, err);
	if (rc >= 0)
		rc = json_get_string(value, "test_version", &verdict->test_version, err);
	if (rc >= 0)
		rc = json_get_string(value, "clock", &verdict->clock, err);
	if (rc >= 0)
		rc = json_get_bool(value, "final", &verdict->final, err);
	if (rc >= 0)
		rc = json_get_int(value, "position", 0, 1000000, &verdict->position, err);
	if (rc < 0)
		return rc;
	if (verdict_from_string(verdict->verdict, &word) < 0)
		return err_set(err, LAB_EINVALID, "test '%s': '%s' is no verdict", verdict->test_id,
			       verdict->verdict);
	verdict->reason = json_string_or(value, "reason", NULL);
	verdict->signature = json_string_or(value, "signature", NULL);
	verdict->started_us = json_int_or(value, "started_us", time_wall_us());
	verdict->wall_ns = json_int_or(value, "wall_ns", 0);
	verdict->clock_ns = json_int_or(value, "clock_ns", 0);
	verdict->restore_ns = json_int_or(value, "restore_ns", 0);
	verdict->teardown_ns = json_int_or(value, "teardown_ns", 0);
	return 0;
}

/* The real clock's word about a test of the sample, and what it means for people. */
static int judge_sample(struct job *job, const struct verdict_new *verdict, struct err *err)
{
	struct decision_about about = { .kernel_id = job_get_kernel(job),
					.run_id = verdict->run_id };
	struct db *db = job_get_lab(job)->db;
	int disagree;

	disagree = clock_sample_judge(db, verdict->run_id, verdict->test_id, verdict->verdict, err);
	if (disagree < 0)
		return disagree;
	if (disagree)
		log_warn("run", "run=%" PRId64 " test=%s: the clocks disagree", verdict->run_id,
			 verdict->test_id);
	return decision_add(db, "test", about, err, "repeated %s on the real clock: %s, %s",
			    verdict->test_id, verdict->verdict,
			    disagree ? "the virtual clock said otherwise: an ERROR of the lab"
				     : "nothing speaks against the virtual clock");
}

static int store_verdict(struct job *job, const json_t *value, const struct verdict_new *verdict,
			 struct err *err)
{
	const char *capture = json_string_or(value, "capture", NULL);
	const char *console = json_string_or(value, "console", NULL);
	const struct run_state *state = job_get_state(job);
	struct db *db = job_get_lab(job)->db;
	int64_t verdict_id = 0;
	int rc;

	rc = db_begin(db, err);
	if (rc < 0)
		return rc;
	if (state->is_sample)
		rc = verdict_add_aside(db, verdict, &verdict_id, err);
	else
		rc = verdict_add(db, verdict, &verdict_id, err);
	if (rc >= 0 && state->is_sample && verdict->final)
		rc = judge_sample(job, verdict, err);
	if (rc >= 0 && capture)
		rc = put_file(job, verdict_id, "capture", capture, err);
	if (rc >= 0 && console)
		rc = put_file(job, verdict_id, "console", console, err);
	return db_end(db, rc, err);
}

static int take_test(struct job *job, const json_t *value, struct err *err)
{
	auto_free char *clauses = field_to_text(value, "clauses");
	auto_free char *steps = field_to_text(value, "steps");
	struct run_state *state = job_get_state(job);
	struct verdict_new verdict = {
		.run_id = job_get_run(job),
		.clauses_json = clauses,
		.steps_json = steps,
	};
	int rc;

	rc = read_verdict(value, &verdict, err);
	if (rc >= 0)
		rc = store_verdict(job, value, &verdict, err);
	if (rc < 0)
		return rc;
	log_info("run", "run=%" PRId64 " test=%s: %s%s%s", job_get_run(job), verdict.test_id,
		 verdict.verdict, verdict.reason ? ": " : "", verdict.reason ? verdict.reason : "");
	if (verdict.final)
		state->finals++;
	job_set_progress_now(job, "test", state->finals, state->total, verdict.test_id);
	return 0;
}

static int on_run_event(struct job *job, const char *event, const json_t *value, struct err *err)
{
	struct run_state *state = job_get_state(job);

	if (strcmp(event, "plan") == 0)
		return take_plan(job, value, err);
	if (strcmp(event, "nut") == 0)
		return take_nut(job, value, err);
	if (strcmp(event, "test") == 0)
		return take_test(job, value, err);
	if (strcmp(event, "test-begin") == 0)
		job_set_progress_now(job, "test", state->finals, state->total,
				     json_string_or(value, "id", ""));
	return 0;
}

/* --- the end ------------------------------------------------------------------- */

static int end_well(struct job *job, struct err *err)
{
	struct orchestrator *lab = job_get_lab(job);
	const struct run_state *state = job_get_state(job);
	auto_free char *why = NULL;
	int rc = 0;

	if (state->finals >= state->total) {
		/* With a sample the run stays unfinished, and run_start goes on with that. */
		if (!state->is_sample)
			rc = clock_sample_choose(lab->db, job_get_run(job),
						 lab->config->test.real_percent, err);
		return rc != 0 ? rc : run_set_state(lab->db, job_get_run(job), "done", NULL, err);
	}
	why = xasprintf("the runner ended with %" PRId64 " of %" PRId64 " tests judged",
			state->finals, state->total);
	return schedule_retry(lab, job_get_cycle(job), why, err);
}

static int on_run_end(struct job *job, enum job_outcome outcome, const json_t *final,
		      const char *text, struct err *err)
{
	struct orchestrator *lab = job_get_lab(job);

	(void) final;
	switch (outcome) {
	case JOB_DONE:
		return end_well(job, err);
	case JOB_KERNEL_FAILED: /* it does not come up at all */
		return schedule_fail(lab, job_get_cycle(job), text, err);
	case JOB_TROUBLE:
		return schedule_retry(lab, job_get_cycle(job), text, err);
	case JOB_CANCELLED:
		return schedule_cancel(lab, job_get_cycle(job), text, err);
	case JOB_INTERRUPTED:
		break; /* goes on at the next start */
	}
	return 0;
}

static const struct job_ops run_ops = {
	.kind = "run",
	.slot = JOB_SLOT_TEST,
	.is_run = true,
	.on_event = on_run_event,
	.on_end = on_run_end,
	.free_state = free,
};

/* --- the beginning --------------------------------------------------------------- */

/* `count` ids as a list; frees them. */
static json_t *take_ids(char **ids, int count)
{
	json_t *list = json_array();

	for (int i = 0; i < count; i++) {
		(void)json_array_append_new(list, json_string(ids[i]));
		free(ids[i]);
	}
	free(ids);
	return list;
}

/* The tests that are judged already; *ret_count says how many. */
static int list_finished(struct db *db, int64_t run_id, json_t **ret_skip, int64_t *ret_count,
			 struct err *err)
{
	char **ids = NULL;
	int count;

	count = verdict_list_final(db, run_id, &ids, err);
	if (count < 0)
		return count;
	*ret_count = count;
	*ret_skip = take_ids(ids, count);
	return 0;
}

static json_t *make_fields(const struct orchestrator *lab, const struct run_row *run, json_t *skip)
{
	const struct config *config = lab->config;
	char name[64];

	/* A domain name must not meet that of an earlier job that is still being destroyed. */
	(void)snprintf(name, sizeof(name), "run-%" PRId64 "-%" PRIx64, run->run_id,
		       (uint64_t)time_wall_us());
	return json_pack(
		"{ss ss so ss ss ss ss sI sI sI sb}", "name", name, "set", run->set_name, "skip",
		skip, "role", run->role, "clock", config->test.clock, "environment",
		config->test.environment, "accelerator", config->test.accelerator, "memory_mib",
		(json_int_t)config->test.memory_mib, "retries", (json_int_t)config->test.retries,
		"jobs", (json_int_t)config->test.jobs, "keep", 0);
}

int run_start(struct orchestrator *lab, struct cycle_row *cycle, int64_t run_id, struct err *err)
{
	auto_cleanup(run_row_release) struct run_row run = { 0 };
	struct run_state *state;
	struct job_spec spec = {
		.ops = &run_ops,
		.cycle_id = cycle->cycle_id,
		.kernel_id = cycle->kernel_id,
		.run_id = run_id,
		.deadline_us = lab->config->test.deadline_us,
		.files = { { .field = "image", .name = "bzImage" },
			   { .field = "initramfs", .name = "initramfs" } },
	};
	json_t *skip = NULL;
	char **sample = NULL;
	int64_t finals = 0;
	int samples = 0, rc;

	rc = run_load(lab->db, run_id, &run, err);
	for (size_t i = 0; i < 2 && rc >= 0; i++)
		rc = file_find(lab->db, cycle->kernel_id, spec.files[i].field,
			       &spec.files[i].artifact_id, err);
	if (rc >= 0)
		rc = run_set_state(lab->db, run_id, "running", NULL, err);
	if (rc >= 0)
		rc = samples = clock_sample_list_open(lab->db, run_id, &sample, err);
	if (rc == 0)
		rc = list_finished(lab->db, run_id, &skip, &finals, err);
	if (rc < 0)
		return rc;
	spec.fields = make_fields(lab, &run, skip ? skip : json_array());
	if (samples) {
		(void)json_object_set_new(spec.fields, "tests", take_ids(sample, samples));
		(void)json_object_set_new(spec.fields, "clock", json_string("real"));
		/* One NUT: others beside it would make the real clock late. */
		(void)json_object_set_new(spec.fields, "jobs", json_integer(1));
	}
	spec.state = state = xcalloc(1, sizeof(*state));
	state->finals = finals;
	state->is_sample = samples > 0;
	return job_start(lab, &spec, err);
}
