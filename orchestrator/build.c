/*
 * The jobs that make a kernel testable: 'build' or 'prebuilt', then 'image'.
 * A kernel that does not compile is a result and ends its cycle; everything else
 * that goes wrong is the lab's trouble and is tried again.
 */
#include <inttypes.h>
#include <sched.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/time.h"
#include "db/db.h"
#include "db/store.h"
#include "orchestrator/config.h"
#include "orchestrator/cycle.h"
#include "orchestrator/job.h"
#include "orchestrator/lab.h"

/* Downloading and packing; compiling has its own setting. */
#define FETCH_DEADLINE_US (INT64_C(3600) * US_PER_SECOND)

/* --- what a build gives -------------------------------------------------------- */

static int keep_built(struct job *job, const json_t *final, struct err *err)
{
	const int64_t *previous = job_get_state(job);
	struct kernel_build build = {
		.compiler = json_string_or(final, "compiler", NULL),
		.config_diff = json_string_or(final, "config_diff", NULL),
		.uname = json_string_or(final, "uname", NULL),
		.previous_kernel_id = previous ? *previous : 0,
		.build_us = json_int_or(final, "build_us", 0),
		.objects = json_int_or(final, "objects", 0),
	};
	auto_cleanup(cycle_row_release) struct cycle_row cycle = { 0 };
	struct db *db = job_get_lab(job)->db;
	int64_t image = 0;
	int rc;

	rc = file_find(db, job_get_kernel(job), "image", &image, err);
	if (rc == 0)
		return schedule_retry(job_get_lab(job), job_get_cycle(job),
				      "the builder handed over no image", err);
	if (rc >= 0)
		rc = kernel_set_built(db, job_get_kernel(job), &build, err);
	if (rc >= 0)
		rc = cycle_load(db, job_get_cycle(job), &cycle, err);
	return rc < 0 ? rc : cycle_begin_install(db, &cycle, err);
}

static int keep_kernel_failure(struct job *job, const json_t *final, const char *text,
			       struct err *err)
{
	struct orchestrator *lab = job_get_lab(job);
	const char *first_error = json_string_or(final, "first_error", text);
	auto_free char *note = xasprintf("does not build: %s", first_error);
	int rc;

	rc = kernel_set_failed(lab->db, job_get_kernel(job), first_error, err);
	return rc < 0 ? rc : schedule_fail(lab, job_get_cycle(job), note, err);
}

/* Common to all jobs of this file when they did not end well. */
static int end_badly(struct job *job, enum job_outcome outcome, const char *kernel_state,
		     const char *text, struct err *err)
{
	struct orchestrator *lab = job_get_lab(job);
	int rc;

	rc = kernel_set_state(lab->db, job_get_kernel(job), kernel_state, err);
	if (rc < 0 || outcome == JOB_INTERRUPTED)
		return rc;
	if (outcome == JOB_CANCELLED)
		return schedule_cancel(lab, job_get_cycle(job), text, err);
	return schedule_retry(lab, job_get_cycle(job), text, err);
}

static int on_build_end(struct job *job, enum job_outcome outcome, const json_t *final,
			const char *text, struct err *err)
{
	if (outcome == JOB_DONE)
		return keep_built(job, final, err);
	if (outcome == JOB_KERNEL_FAILED)
		return keep_kernel_failure(job, final, text, err);
	return end_badly(job, outcome, "new", text, err);
}

static int on_image_end(struct job *job, enum job_outcome outcome, const json_t *final,
			const char *text, struct err *err)
{
	auto_cleanup(cycle_row_release) struct cycle_row cycle = { 0 };
	struct db *db = job_get_lab(job)->db;
	int rc;

	(void) final;
	if (outcome != JOB_DONE)
		return end_badly(job, outcome, "built", text, err);
	rc = kernel_set_state(db, job_get_kernel(job), "installed", err);
	if (rc >= 0)
		rc = cycle_load(db, job_get_cycle(job), &cycle, err);
	return rc < 0 ? rc : cycle_begin_test(db, &cycle, err);
}

/* --- starting them --------------------------------------------------------------- */

static const struct job_ops build_ops = {
	.kind = "build",
	.slot = JOB_SLOT_BUILD,
	.on_end = on_build_end,
	.free_state = free,
};
static const struct job_ops prebuilt_ops = {
	.kind = "prebuilt",
	.slot = JOB_SLOT_FETCH,
	.on_end = on_build_end,
};
static const struct job_ops image_ops = {
	.kind = "image",
	.slot = JOB_SLOT_TEST,
	.on_end = on_image_end,
};

static json_t *release_to_json(const struct release_row *release)
{
	json_t *detail = json_loads(release->detail_json, 0, NULL);

	return json_pack("{ss ss ss ss ss so}", "name", release->name, "series", release->series,
			 "type", release->type, "identity", release->identity, "sort_key",
			 release->sort_key, "detail", detail ? detail : json_object());
}

static int put_source(struct orchestrator *lab, int64_t source_id, json_t *fields, struct err *err)
{
	auto_cleanup(source_row_release) struct source_row source = { 0 };
	int rc;

	if (!source_id)
		return 0;
	rc = source_load(lab->db, source_id, &source, err);
	if (rc < 0)
		return rc;
	(void)json_object_set_new(fields, "source", json_loads(source.config_json, 0, NULL));
	return 0;
}

/* `make -j` of a build: as configured, or one for each processor we may use. */
static json_int_t count_make_jobs(const struct config *config)
{
	cpu_set_t processors;

	if (config->build.jobs > 0)
		return (json_int_t)config->build.jobs;
	if (sched_getaffinity(0, sizeof(processors), &processors) < 0)
		return 1; /* more processors than a cpu_set_t can name */
	return CPU_COUNT(&processors);
}

/* The fields of a compiling job, and the configuration it is compared with. */
static int fill_build(struct orchestrator *lab, const struct kernel_row *kernel,
		      struct job_spec *spec, struct err *err)
{
	int64_t previous = 0, *state;
	int rc;

	(void)json_object_update_new(
		spec->fields, json_pack("{sI ss ss sn}", "jobs", count_make_jobs(lab->config),
					"config_name", kernel->config_name, "ccache_dir",
					lab->ccache_folder, "previous_config"));
	rc = kernel_find_previous(lab->db, kernel->release_id, kernel->config_name, &previous, err);
	if (rc <= 0)
		return rc;
	spec->files[0] = (struct job_file){ .field = "previous_config", .name = "previous.config" };
	rc = file_find(lab->db, previous, "config", &spec->files[0].artifact_id, err);
	if (rc < 0)
		return rc;
	spec->state = state = xcalloc(1, sizeof(*state));
	*state = previous;
	return 0;
}

int build_start(struct orchestrator *lab, struct cycle_row *cycle, struct err *err)
{
	auto_cleanup(kernel_row_release) struct kernel_row kernel = { 0 };
	auto_cleanup(release_row_release) struct release_row release = { 0 };
	struct job_spec spec = { .cycle_id = cycle->cycle_id, .kernel_id = cycle->kernel_id };
	int rc;

	rc = kernel_load(lab->db, cycle->kernel_id, &kernel, err);
	if (rc >= 0)
		rc = release_load(lab->db, kernel.release_id, &release, err);
	if (rc >= 0)
		rc = kernel_set_state(lab->db, kernel.kernel_id, "building", err);
	if (rc < 0)
		return rc;
	spec.ops = release.prebuilt ? &prebuilt_ops : &build_ops;
	spec.deadline_us = release.prebuilt ? FETCH_DEADLINE_US : lab->config->build.deadline_us;
	spec.fields = json_pack("{so}", "release", release_to_json(&release));
	rc = put_source(lab, release.source_id, spec.fields, err);
	if (rc >= 0 && !release.prebuilt)
		rc = fill_build(lab, &kernel, &spec, err);
	if (rc < 0) {
		json_decref(spec.fields);
		free(spec.state);
		return rc;
	}
	return job_start(lab, &spec, err);
}

int image_start(struct orchestrator *lab, struct cycle_row *cycle, struct err *err)
{
	struct job_spec spec = {
		.ops = &image_ops,
		.cycle_id = cycle->cycle_id,
		.kernel_id = cycle->kernel_id,
		.deadline_us = FETCH_DEADLINE_US,
		.files = { { .field = "image", .name = "bzImage" },
			   { .field = "modules", .name = "modules.tar.zst" },
			   { .field = "config", .name = "config" } },
	};
	int rc = 0;

	for (size_t i = 0; i < 3 && rc >= 0; i++)
		rc = file_find(lab->db, cycle->kernel_id, spec.files[i].field,
			       &spec.files[i].artifact_id, err);
	if (rc < 0)
		return rc;
	spec.fields = json_pack("{sn sn ss}", "modules", "config", "role", "host");
	return job_start(lab, &spec, err);
}
