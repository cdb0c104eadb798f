#include "runners/run_job.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/limits.h"

static int check_ids(const json_t *json, const char *field, const json_t **ret_list,
		     struct err *err)
{
	const json_t *list = json_object_get(json, field);
	const json_t *id;
	size_t i;

	*ret_list = NULL;
	if (!list || json_is_null(list))
		return 0;
	if (!json_is_array(list))
		return err_set(err, LAB_EINVALID, "field '%s': expected a list of test ids", field);
	json_array_foreach(list, i, id)
		if (!json_is_string(id) || json_string_length(id) > LIMIT_NAME)
			return err_set(err, LAB_EINVALID, "field '%s': expected a list of test ids",
				       field);
	*ret_list = list;
	return 0;
}

static int check_clock(const json_t *json, struct run_job *job, struct err *err)
{
	const char *clock = json_string_or(json, "clock", "auto");

	if (!strcmp(clock, "auto"))
		job->clock = TARGET_CLOCK_AUTO;
	else if (!strcmp(clock, "real"))
		job->clock = TARGET_CLOCK_REAL;
	else if (!strcmp(clock, "virtual"))
		job->clock = TARGET_CLOCK_VIRTUAL;
	else
		return err_set(err, LAB_EINVALID,
			       "field 'clock': expected auto, real or virtual, not '%s'", clock);
	return 0;
}

static int check_environment(const json_t *json, struct run_job *job, struct err *err)
{
	const char *environment = json_string_or(json, "environment", "set");

	job->set_environment = !strcmp(environment, "set");
	if (!job->set_environment && strcmp(environment, "defaults"))
		return err_set(err, LAB_EINVALID,
			       "field 'environment': expected set or defaults, not '%s'",
			       environment);
	return 0;
}

int run_job_parse(const json_t *json, struct run_job *ret_job, struct err *err)
{
	struct run_job job = { .set = json_string_or(json, "set", NULL),
			       .role = json_string_or(json, "role", "host"),
			       .claims = json_string_or(json, "claims", NULL) };
	int64_t memory_mib, retries, jobs;
	int rc;

	rc = json_get_string(json, "name", &job.name, err);
	if (!rc)
		rc = json_get_string(json, "scratch", &job.scratch, err);
	if (!rc)
		rc = json_get_string(json, "image", &job.image, err);
	if (!rc)
		rc = json_get_string(json, "initramfs", &job.initramfs, err);
	if (!rc)
		rc = check_ids(json, "tests", &job.tests, err);
	if (!rc)
		rc = check_ids(json, "skip", &job.skip, err);
	if (!rc)
		rc = check_clock(json, &job, err);
	if (!rc)
		rc = check_environment(json, &job, err);
	if (!rc)
		rc = accelerator_from_string(json_string_or(json, "accelerator", "auto"),
					     &job.accelerator);
	if (rc < 0)
		return err && err->code ? rc
					: err_set(err, LAB_EINVALID,
						  "field 'accelerator': expected auto, tcg or kvm");
	memory_mib = json_int_or(json, "memory_mib", 128);
	retries = json_int_or(json, "retries", 2);
	if (memory_mib < 64 || memory_mib > 16384)
		return err_set(err, LAB_EINVALID, "field 'memory_mib': expected 64 to 16384");
	if (retries < 0 || retries > 10)
		return err_set(err, LAB_EINVALID, "field 'retries': expected 0 to 10");
	jobs = json_int_or(json, "jobs", 1);
	if (jobs < 0 || jobs > LIMIT_NUTS)
		return err_set(err, LAB_EINVALID, "field 'jobs': expected 0 to %d", LIMIT_NUTS);
	job.jobs = (unsigned)jobs;
	job.memory_mib = (unsigned)memory_mib;
	job.retries = (unsigned)retries;
	*ret_job = job;
	return 0;
}

bool run_job_lists(const json_t *list, const char *id, bool otherwise)
{
	const json_t *entry;
	size_t i;

	if (!list)
		return otherwise;
	json_array_foreach(list, i, entry)
		if (!strcmp(json_string_value(entry), id))
			return true;
	return false;
}
