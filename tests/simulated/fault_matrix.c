/*
 * fault_matrix [-t TEST] [-f FAULT] MATRIX...: runs each line of the matrices
 * ("fault<TAB>test<TAB>verdict") as a run of that one test against the simulated
 * node with that fault, and compares the verdict. TAP on stdout. Every test of
 * the matrices must be in them with "none" and PASS, and with some fault and FAIL.
 * -t and -f choose lines, by how the test's id begins and by the fault.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/verdict.h"
#include "runners/run.h"
#include "tests/simulated/sim.h"

#define LINES_MAX 4096

struct line {
	char fault[64];
	char test[64];
	char verdict[16];
};

/* What one run reported last. */
struct result {
	char verdict[16];
	char reason[512];
	char signature[256];
	enum sim_fault fault; /* of the node */
};

static int take_report(void *user, json_t *report, struct err *err)
{
	struct result *result = user;

	(void)err;
	if (!strcmp(json_string_or(report, "event", ""), "test") &&
	    json_bool_or(report, "final", false)) {
		(void)snprintf(result->verdict, sizeof(result->verdict), "%s",
			       json_string_or(report, "verdict", ""));
		(void)snprintf(result->reason, sizeof(result->reason), "%s",
			       json_string_or(report, "reason", ""));
		(void)snprintf(result->signature, sizeof(result->signature), "%s",
			       json_string_or(report, "signature", ""));
	}
	if (getenv("FAULT_MATRIX_VERBOSE")) {
		auto_free char *text = json_text(report);

		printf("# %s\n", text);
	}
	json_decref(report);
	return 0;
}

static int make_target(void *user, struct loop *loop, const struct target_spec *spec,
		       struct target *ret_target, struct err *err)
{
	return sim_target_make(&((struct result *)user)->fault, loop, spec, ret_target, err);
}

/* Verdict, reason and signature of one test against one fault. */
static int run_line(const struct line *line, const char *scratch, struct result *result,
		    struct err *err)
{
	struct run_host host = { .make_target = make_target,
				 .report = take_report,
				 .user = result };
	auto_json json_t *job =
		json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:[s],s:i}", "kind", "run", "name", "simulated",
			  "scratch", scratch, "image", "none", "initramfs", "none", "role", "host",
			  "tests", line->test, "retries", 1);

	*result = (struct result){ .fault = sim_fault_from_string(line->fault) };
	if (result->fault == SIM_FAULT_COUNT_)
		return err_set(err, LAB_EINVALID, "no fault '%s'", line->fault);
	return run_job(job, &host, err);
}

static bool has_line(const struct line *lines, size_t count, const char *test, bool with_fault)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(lines[i].test, test) &&
		    (strcmp(lines[i].fault, "none") != 0) == with_fault &&
		    !strcmp(lines[i].verdict, with_fault ? "FAIL" : "PASS"))
			return true;
	return false;
}

/* Adds the lines of the file to the `count` that are there; returns how many there are now. */
static size_t read_matrix(const char *path, struct line lines[static LINES_MAX], size_t count)
{
	struct err err = ERR_INIT;
	auto_free char *text = NULL;
	size_t size;
	char *rest, *row;

	if (fs_read_file(path, LIMIT_CONFIG_BYTES, &text, &size, &err) < 0) {
		printf("Bail out! %s\n", err.text);
		exit(1);
	}
	rest = text;
	while ((row = strsep(&rest, "\n"))) {
		struct line *line = &lines[count];

		if (!*row || *row == '#')
			continue;
		if (count == LINES_MAX) {
			printf("Bail out! %s: more than %d lines\n", path, LINES_MAX);
			exit(1);
		}
		if (sscanf(row, "%63[^\t]\t%63[^\t]\t%15[A-Z]", line->fault, line->test,
			   line->verdict) != 3) {
			printf("Bail out! %s: cannot read '%s'\n", path, row);
			exit(1);
		}
		count++;
	}
	return count;
}

int main(int argc, char **argv)
{
	static struct line lines[LINES_MAX];
	char scratch[] = "/tmp/testlab-matrix-XXXXXX";
	const char *test = "", *fault = NULL;
	unsigned failed = 0;
	size_t count = 0, shown = 0;
	bool all;
	int option;

	while ((option = getopt(argc, argv, "t:f:")) != -1) {
		if (option == 't')
			test = optarg;
		else if (option == 'f')
			fault = optarg;
		else
			argc = 0; /* getopt() has said why */
	}
	if (optind >= argc) {
		fprintf(stderr, "usage: fault_matrix [-t TEST] [-f FAULT] MATRIX...\n");
		return 2;
	}
	if (!mkdtemp(scratch)) {
		perror("mkdtemp");
		return 1;
	}
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = optind; i < argc; i++)
		count = read_matrix(argv[i], lines, count);
	all = !*test && !fault;
	for (size_t i = 0; i < count; i++) {
		struct err err = ERR_INIT;
		struct result result;
		bool ok;

		if (strncmp(lines[i].test, test, strlen(test)) != 0 ||
		    (fault && strcmp(lines[i].fault, fault) != 0))
			continue;
		ok = run_line(&lines[i], scratch, &result, &err) == 0 &&
		     !strcmp(result.verdict, lines[i].verdict);
		printf("%s %zu - %s with fault %s: %s\n", ok ? "ok" : "not ok", ++shown,
		       lines[i].test, lines[i].fault, lines[i].verdict);
		if (!ok)
			printf("# got '%s' %s %s\n", result.verdict, result.reason, err.text);
		else if (*result.reason)
			printf("# %s [%s]\n", result.reason, result.signature);
		failed += !ok;
	}
	for (size_t i = 0; all && i < count; i++) {
		bool ok;

		if (strcmp(lines[i].fault, "none") != 0)
			continue;
		ok = has_line(lines, count, lines[i].test, true);
		printf("%s %zu - %s is seen to fail\n", ok ? "ok" : "not ok", ++shown,
		       lines[i].test);
		failed += !ok;
	}
	printf("1..%zu\n", shown);
	(void)fs_remove_tree(scratch, NULL); /* only evidence of runs that are over */
	return failed ? 1 : 0;
}
