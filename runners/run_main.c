#include "runners/run_main.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/report.h"
#include "runners/run.h"
#include "suites/suite.h"

enum { STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_BAD_JOB = 2 };

static int report_failure(const struct err *err)
{
	log_error("run", "%s", err->text);
	/* Nobody may listen any more: the exit status says it, too. */
	(void)report_send(REPORT_FD,
			  json_pack("{s:s,s:s,s:o}", "event", "failed", "code",
				    err_symbol(err->code), "text",
				    json_string_lossy(err->text, strlen(err->text))),
			  NULL);
	return err->code == LAB_EINVALID ? STATUS_BAD_JOB : STATUS_FAILED;
}

int run_main(const char *job_path)
{
	struct err err = ERR_INIT;
	auto_json json_t *job = NULL;
	const char *kind;
	int rc;

	rc = report_claim(&err);
	if (!rc)
		rc = proc_die_with_parent(SIGTERM, &err);
	if (!rc)
		rc = json_read_file(job_path, LIMIT_CONFIG_BYTES, &job, &err);
	if (!rc)
		rc = json_get_string(job, "kind", &kind, &err);
	if (!rc && strcmp(kind, "run"))
		rc = err_set(&err, LAB_EINVALID, "job '%s': unknown kind '%s'", job_path, kind);
	if (!rc)
		rc = run_job(job, &run_host_nut, &err);
	return rc < 0 ? report_failure(&err) : STATUS_DONE;
}

static int print_sets(struct err *err)
{
	struct suite *suite = NULL;
	auto_free char *data = NULL;
	auto_json json_t *sets = NULL;
	json_t *set;
	size_t i;
	int rc;

	rc = fs_find_data(&data, err);
	if (!rc)
		rc = suite_open(data, &suite, err);
	if (rc < 0)
		return rc;
	sets = suite_sets_to_json(suite);
	suite_close(suite);
	json_array_foreach(sets, i, set) {
		(void)json_object_set_new(set, "event", json_string("set"));
		rc = report_send(STDOUT_FILENO, json_incref(set), err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int sets_main(int argc, char **argv)
{
	struct err err = ERR_INIT;

	(void)argv;
	if (argc != 1) {
		fprintf(stderr, "testlab-runner sets: takes no argument\n");
		return STATUS_BAD_JOB;
	}
	if (print_sets(&err) < 0) {
		fprintf(stderr, "testlab-runner: %s\n", err.text);
		return STATUS_FAILED;
	}
	return STATUS_DONE;
}
