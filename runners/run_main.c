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
#include "suites/clause.h"
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

/* Each of `values` as one line of event `event` on stdout. */
static int print_values(const json_t *values, const char *event, struct err *err)
{
	json_t *value;
	size_t i;
	int rc;

	json_array_foreach((json_t *)(uintptr_t)values, i, value) {
		(void)json_object_set_new(value, "event", json_string(event));
		rc = report_send(STDOUT_FILENO, json_incref(value), err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int print_sets(const char *data, const struct suite *suite, struct err *err)
{
	auto_json json_t *sets = suite_sets_to_json(suite);

	(void)data;
	return print_values(sets, "set", err);
}

static int print_clauses(const char *data, const struct suite *suite, struct err *err)
{
	auto_free char *folder = path_join(data, "suites/clauses");
	auto_json json_t *clauses = NULL;
	struct clause_list *list = NULL;
	int rc;

	rc = clause_list_open(folder, &list, err);
	if (!rc)
		rc = clause_list_check(list, suite, err);
	if (!rc) {
		clauses = clause_list_to_json(list, suite);
		rc = print_values(clauses, "clause", err);
	}
	clause_list_free(list);
	return rc;
}

/* Have `print` list what there is in the data folder. */
static int list_main(int argc, char **argv,
		     int (*print)(const char *data, const struct suite *suite, struct err *err))
{
	struct suite *suite = NULL;
	auto_free char *data = NULL;
	struct err err = ERR_INIT;
	int rc;

	if (argc != 1) {
		fprintf(stderr, "testlab-runner %s: takes no argument\n", argv[0]);
		return STATUS_BAD_JOB;
	}
	rc = fs_find_data(&data, &err);
	if (!rc)
		rc = suite_open(data, &suite, &err);
	if (!rc)
		rc = print(data, suite, &err);
	suite_close(suite);
	if (rc < 0) {
		fprintf(stderr, "testlab-runner: %s\n", err.text);
		return STATUS_FAILED;
	}
	return STATUS_DONE;
}

int sets_main(int argc, char **argv)
{
	return list_main(argc, argv, print_sets);
}

int clauses_main(int argc, char **argv)
{
	return list_main(argc, argv, print_clauses);
}
