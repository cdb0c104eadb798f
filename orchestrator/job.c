/*
 * Jobs: from the row in the database to the child and back.
 *
 *   job_start -> copying out (thread) -> child -> storing files -> finish -> removing (thread)
 *
 * Until finish has committed, the database says 'running' and the job stays in
 * the lab's list; a disk that is full holds it there and it is tried again each
 * second. A crash anywhere leaves a 'running' row, which recover.c mends.
 */
#include "orchestrator/job.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/time.h"
#include "db/artifact.h"
#include "db/db.h"
#include "orchestrator/child.h"
#include "orchestrator/ingest.h"
#include "orchestrator/lab.h"
#include "orchestrator/sweep.h"

/* Pages and the CLI show progress; more often than this nobody sees. */
#define PROGRESS_INTERVAL_NS NS_PER_SECOND

struct progress {
	char phase[64];
	char text[256];
	int64_t done, total; /* -1 = unknown */
	int64_t written_ns;
	bool is_dirty;
};

struct job {
	struct job *next;
	struct orchestrator *lab;
	const struct job_ops *ops;
	void *state;
	int64_t job_id, cycle_id, kernel_id, run_id, source_id;
	int64_t deadline_us;
	json_t *fields; /* of the job file */
	struct job_file files[JOB_FILES_MAX];
	char *scratch;
	char *job_path, *log_path, *db_path;
	struct child *child; /* NULL before it runs and after it ended */
	struct progress progress;
	json_t *final;   /* the done or failed report, or NULL */
	bool is_done;    /* `final` is done */
	bool is_stopped; /* by job_stop */
	enum job_outcome stop_outcome;
	unsigned storing; /* files on their way into the database */
	bool has_ended;   /* the child is gone (or never came) */
	char *trouble;    /* why it counts as lost, or NULL */
	char *log_tail;   /* or NULL */
	uv_work_t work;   /* copying out, and removing at the end */
	int work_rc;
	struct err work_err;
};

static void job_free(struct job *job)
{
	if (job->state)
		job->ops->free_state(job->state);
	json_decref(job->fields);
	json_decref(job->final);
	free(job->scratch);
	free(job->job_path);
	free(job->log_path);
	free(job->db_path);
	free(job->trouble);
	free(job->log_tail);
	free(job);
}

static void set_trouble(struct job *job, const char *text)
{
	if (!job->trouble)
		job->trouble = xstrdup(text);
}

static void write_progress(struct job *job)
{
	struct err err = ERR_INIT;

	job->progress.is_dirty = false;
	job->progress.written_ns = time_monotonic_ns();
	if (job_set_progress(job->lab->db, job->job_id, job->progress.phase, job->progress.done,
			     job->progress.total, job->progress.text, &err) < 0)
		lab_complain("record progress", &err);
}

/* --- the end ----------------------------------------------------------------- */

static enum job_outcome get_outcome(const struct job *job)
{
	/* Who cancels wants the cycle to end, also when the job was just done. */
	if (job->is_stopped && job->stop_outcome == JOB_CANCELLED)
		return JOB_CANCELLED;
	if (job->final && job->is_done && !job->trouble)
		return JOB_DONE;
	if (job->is_stopped)
		return job->stop_outcome;
	if (!job->trouble && job->final && json_bool_or(job->final, "kernel_failed", false))
		return JOB_KERNEL_FAILED;
	return JOB_TROUBLE;
}

static const char *get_end_text(const struct job *job, enum job_outcome outcome)
{
	switch (outcome) {
	case JOB_DONE:
		return NULL;
	case JOB_CANCELLED:
		return "cancelled";
	case JOB_INTERRUPTED:
		return "the lab was stopped";
	case JOB_KERNEL_FAILED:
	case JOB_TROUBLE:
		break;
	}
	if (job->trouble)
		return job->trouble;
	return json_string_or(job->final, "text", "failed without a reason");
}

static void on_removed(uv_work_t *work, int status)
{
	struct job *job = work->data;
	struct job **at = &job->lab->jobs;

	(void)status;
	if (job->work_rc < 0 && job->work_rc != LAB_ECANCELLED)
		lab_complain("remove a scratch folder", &job->work_err);
	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	lab_wake(job->lab);
	job_free(job);
}

static void remove_scratch(uv_work_t *work)
{
	struct job *job = work->data;

	job->work_rc = sweep_tree(job->scratch, &job->lab->hurry, &job->work_err);
}

/* Its slot is free now, though its folder is still being removed. */
static bool is_over(const struct job *job)
{
	return !job->ops;
}

static int write_end(struct job *job, enum job_outcome outcome, const char *text, struct err *err)
{
	static const char *const states[] = {
		[JOB_DONE] = "done",
		[JOB_KERNEL_FAILED] = "failed",
		[JOB_TROUBLE] = "failed",
		[JOB_CANCELLED] = "cancelled",
		[JOB_INTERRUPTED] = "interrupted",
	};
	int rc;

	rc = db_begin(job->lab->db, err);
	if (rc < 0)
		return rc;
	rc = job->ops->on_end(job, outcome, job->final, text, err);
	if (rc >= 0)
		rc = job_finish(job->lab->db, job->job_id, states[outcome], text,
				outcome == JOB_DONE ? NULL : job->log_tail, err);
	return db_end(job->lab->db, rc, err);
}

static void finish_if_quiet(struct job *job)
{
	enum job_outcome outcome;
	struct err err = ERR_INIT;
	const char *text;

	if (!job->has_ended || job->storing || is_over(job))
		return;
	if (job->progress.is_dirty)
		write_progress(job);
	outcome = get_outcome(job);
	text = get_end_text(job, outcome);
	if (write_end(job, outcome, text, &err) < 0) {
		lab_complain("record the end of a job (tried again)", &err);
		return;
	}
	log_info("orch", "job=%" PRId64 " kind=%s: %s%s%s", job->job_id, job->ops->kind,
		 outcome == JOB_DONE ? "done" : "ended", text ? ": " : "", text ? text : "");
	if (job->state)
		job->ops->free_state(job->state);
	job->state = NULL;
	job->ops = NULL; /* is_over() */
	lab_wake(job->lab);
	(void)uv_queue_work(&job->lab->uv, &job->work, remove_scratch, on_removed);
}

/* --- files ------------------------------------------------------------------- */

static void on_stored(void *user, const struct err *err)
{
	struct job *job = user;

	job->storing--;
	if (err)
		set_trouble(job, err->text);
	finish_if_quiet(job);
}

static void store_file(struct job *job, int fd, const char *role, const char *name)
{
	struct ingest_file file = {
		.fd = fd,
		.role = role,
		.name = name,
		.owner = { .kernel_id = job->run_id ? 0 : job->kernel_id, .run_id = job->run_id },
		.on_done = on_stored,
		.user = job,
	};

	job->storing++;
	ingest_add(job->lab->ingest, &file);
}

static int take_artifact(struct job *job, const json_t *value, struct err *err)
{
	static const char *const roles[] = { "image",     "modules", "config",  "build-log",
					     "initramfs", "console", "capture", "run-log" };
	const char *role, *name, *path;
	bool known = false;
	int fd, rc;

	rc = json_get_string(value, "role", &role, err);
	if (rc >= 0)
		rc = json_get_string(value, "name", &name, err);
	if (rc >= 0)
		rc = json_get_string(value, "path", &path, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		known = known || strcmp(roles[i], role) == 0;
	if (!known || !path_is_component(name) || !(job->run_id || job->kernel_id))
		return err_set(err, LAB_EINVALID, "artifact '%s' of role '%s' was not expected",
			       name, role);
	rc = ingest_open(job->scratch, path, &fd, err);
	if (rc < 0)
		return rc;
	store_file(job, fd, role, name);
	return 0;
}

/* The child's own log belongs to the evidence of a run. */
static void store_log(struct job *job)
{
	char name[64];
	int fd;

	if (!job->run_id || ingest_open(job->scratch, "job.log", &fd, NULL) < 0)
		return;
	(void)snprintf(name, sizeof(name), "run-%" PRId64 "-job-%" PRId64 ".log", job->run_id,
		       job->job_id);
	store_file(job, fd, "run-log", name);
}

/* --- reports ----------------------------------------------------------------- */

void job_set_progress_now(struct job *job, const char *phase, int64_t done, int64_t total,
			  const char *text)
{
	struct progress *progress = &job->progress;

	(void)snprintf(progress->phase, sizeof(progress->phase), "%s", phase);
	(void)snprintf(progress->text, sizeof(progress->text), "%s", text);
	progress->done = done;
	progress->total = total > 0 ? total : -1;
	progress->is_dirty = true;
	if (time_monotonic_ns() - progress->written_ns >= PROGRESS_INTERVAL_NS)
		write_progress(job);
}

static int take_decision(struct job *job, const json_t *value, struct err *err)
{
	struct decision_about about = {
		.source_id = job->source_id,
		.kernel_id = job->kernel_id,
		.run_id = job->run_id,
	};

	return decision_add(job->lab->db, json_string_or(value, "area", "lab"), about, err, "%s",
			    json_string_or(value, "text", ""));
}

static int on_report(json_t *value, void *user, struct err *err)
{
	struct job *job = user;
	const char *event;
	int rc;

	rc = json_get_string(value, "event", &event, err);
	if (rc < 0)
		return rc;
	if (strcmp(event, "progress") == 0) {
		job_set_progress_now(
			job, json_string_or(value, "phase", ""), json_int_or(value, "done", -1),
			json_int_or(value, "total", -1), json_string_or(value, "text", ""));
		return 0;
	}
	if (strcmp(event, "decision") == 0)
		return take_decision(job, value, err);
	if (strcmp(event, "artifact") == 0)
		return take_artifact(job, value, err);
	if (strcmp(event, "done") == 0 || strcmp(event, "failed") == 0) {
		json_decref(job->final);
		job->final = json_incref(value);
		job->is_done = strcmp(event, "done") == 0;
		return 0;
	}
	return job->ops->on_event ? job->ops->on_event(job, event, value, err) : 0;
}

static void on_child_end(const struct child_end *end, void *user)
{
	struct job *job = user;
	char text[128] = "";

	job->child = NULL;
	job->has_ended = true;
	job->log_tail = xstrdup(end->log_tail);
	if (end->trouble)
		set_trouble(job, end->trouble);
	else if (end->timed_out)
		(void)snprintf(text, sizeof(text), "stopped at its deadline of %" PRId64 " minutes",
			       job->deadline_us / US_PER_SECOND / 60);
	else if (end->signal)
		(void)snprintf(text, sizeof(text), "its process was ended by signal %d (%s)",
			       end->signal, strsignal(end->signal));
	else if (!job->final || (job->is_done && end->exit_status != 0))
		(void)snprintf(text, sizeof(text), "its process ended with status %d%s",
			       end->exit_status, job->final ? "" : " and without a last report");
	if (*text)
		set_trouble(job, text);
	store_log(job);
	finish_if_quiet(job);
}

/* --- the beginning ------------------------------------------------------------ */

/* Only in a thread of its own: copies files out on a connection of its own. */
static int prepare_files(struct job *job, struct err *err)
{
	auto_db struct db *db = NULL;
	int rc = 0;

	for (size_t i = 0; i < JOB_FILES_MAX && rc >= 0; i++) {
		auto_free char *path = NULL;

		if (!job->files[i].artifact_id)
			continue;
		if (!db)
			rc = db_open_readonly(job->db_path, &db, err);
		path = path_join(job->scratch, job->files[i].name);
		if (rc >= 0)
			rc = artifact_export(db, job->files[i].artifact_id, path, 0644, err);
	}
	return rc < 0 ? rc : json_write_file(job->job_path, job->fields, err);
}

static void prepare(uv_work_t *work)
{
	struct job *job = work->data;

	job->work_rc = prepare_files(job, &job->work_err);
}

static int start_child(struct job *job, struct err *err)
{
	const char *argv[] = { job->ops->is_run ? job->lab->runner_path : job->lab->builder_path,
			       job->job_path, NULL };
	struct child_spec spec = {
		.uv = &job->lab->uv,
		.argv = argv,
		.log_path = job->log_path,
		.deadline_ms = job->deadline_us / 1000,
		.on_report = on_report,
		.on_end = on_child_end,
		.user = job,
	};
	int rc;

	rc = child_start(&spec, &job->child, err);
	if (rc < 0)
		return rc;
	log_info("orch", "job=%" PRId64 " kind=%s pid=%d: started", job->job_id, job->ops->kind,
		 (int)child_get_pid(job->child));
	return job_set_process(job->lab->db, job->job_id, child_get_pid(job->child),
			       child_get_key(job->child), err);
}

static void on_prepared(uv_work_t *work, int status)
{
	struct job *job = work->data;
	struct err err = job->work_err;
	int rc = job->work_rc;

	(void)status;
	if (rc >= 0 && !job->is_stopped)
		rc = start_child(job, &err);
	if (rc < 0)
		set_trouble(job, err.text);
	if (rc < 0 && job->child)
		child_stop(job->child); /* it runs, but could not be recorded */
	if (job->child)
		return;
	job->has_ended = true;
	finish_if_quiet(job);
}

static void set_paths(struct job *job)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "job-%" PRId64, job->job_id);
	job->scratch = path_join(job->lab->scratch_folder, name);
	job->job_path = path_join(job->scratch, "job.json");
	job->log_path = path_join(job->scratch, "job.log");
	job->db_path = xstrdup(db_get_path(job->lab->db));
}

static void fill_fields(struct job *job)
{
	(void)json_object_set_new(job->fields, "kind", json_string(job->ops->kind));
	(void)json_object_set_new(job->fields, "scratch", json_string(job->scratch));
	(void)json_object_set_new(job->fields, "cache", json_string(job->lab->cache_folder));
	for (size_t i = 0; i < JOB_FILES_MAX; i++) {
		auto_free char *path = NULL;

		if (!job->files[i].artifact_id)
			continue;
		path = path_join(job->scratch, job->files[i].name);
		(void)json_object_set_new(job->fields, job->files[i].field, json_string(path));
	}
}

int job_start(struct orchestrator *lab, const struct job_spec *spec, struct err *err)
{
	struct job *job = xcalloc(1, sizeof(*job));
	struct job_new row = {
		.kind = spec->ops->kind,
		.cycle_id = spec->cycle_id,
		.source_id = spec->source_id,
		.run_id = spec->run_id,
		.deadline_us = time_wall_us() + spec->deadline_us,
	};
	int rc;

	lab_assert(!spec->state || spec->ops->free_state);
	job->lab = lab;
	job->ops = spec->ops;
	job->state = spec->state;
	job->cycle_id = spec->cycle_id;
	job->kernel_id = spec->kernel_id;
	job->run_id = spec->run_id;
	job->source_id = spec->source_id;
	job->deadline_us = spec->deadline_us;
	job->fields = spec->fields;
	job->progress.done = job->progress.total = -1;
	memcpy(job->files, spec->files, sizeof(job->files));
	job->work.data = job;
	rc = job_add(lab->db, &row, &job->job_id, err);
	if (rc >= 0) {
		set_paths(job);
		fill_fields(job);
		rc = fs_mkdir_parents(job->scratch, 0700, err);
	}
	if (rc < 0) {
		if (job->job_id) /* if this fails as well, the next start marks it */
			(void)job_finish(lab->db, job->job_id, "failed", err ? err->text : NULL,
					 NULL, NULL);
		job_free(job);
		return rc;
	}
	job->next = lab->jobs;
	lab->jobs = job;
	(void)uv_queue_work(&lab->uv, &job->work, prepare, on_prepared);
	return 0;
}

/* --- what others ask ----------------------------------------------------------- */

struct orchestrator *job_get_lab(const struct job *job)
{
	return job->lab;
}

int64_t job_get_cycle(const struct job *job)
{
	return job->cycle_id;
}

int64_t job_get_kernel(const struct job *job)
{
	return job->kernel_id;
}

int64_t job_get_run(const struct job *job)
{
	return job->run_id;
}

int64_t job_get_source(const struct job *job)
{
	return job->source_id;
}

const char *job_get_scratch(const struct job *job)
{
	return job->scratch;
}

void *job_get_state(const struct job *job)
{
	return job->state;
}

unsigned job_count(const struct orchestrator *lab, enum job_slot slot)
{
	unsigned count = 0;

	for (const struct job *job = lab->jobs; job; job = job->next)
		if (!is_over(job) && job->ops->slot == slot)
			count++;
	return count;
}

bool job_is_running(const struct orchestrator *lab, int64_t cycle_id, int64_t source_id)
{
	for (const struct job *job = lab->jobs; job; job = job->next)
		if (!is_over(job) && ((cycle_id && job->cycle_id == cycle_id) ||
				      (source_id && job->source_id == source_id)))
			return true;
	return false;
}

void job_stop(struct orchestrator *lab, int64_t cycle_id, enum job_outcome outcome)
{
	for (struct job *job = lab->jobs; job; job = job->next) {
		if (is_over(job) || (cycle_id && job->cycle_id != cycle_id))
			continue;
		if (!job->is_stopped) {
			job->is_stopped = true;
			job->stop_outcome = outcome;
		}
		if (job->child)
			child_stop(job->child);
	}
}

void job_tick(struct orchestrator *lab)
{
	int64_t now_ns = time_monotonic_ns();

	for (struct job *job = lab->jobs; job; job = job->next) {
		if (is_over(job))
			continue;
		if (job->progress.is_dirty &&
		    now_ns - job->progress.written_ns >= PROGRESS_INTERVAL_NS)
			write_progress(job);
		finish_if_quiet(job);
	}
}
