/*
 * fault_matrix [-t TEST] [-f FAULT] MATRIX...: runs each line of the matrices
 * ("fault<TAB>test<TAB>verdict") against the simulated node with that fault, and
 * compares the verdict. The tests of a fault are one run, and as many runs go on at
 * a time as there are processors. TAP on stdout, in the order of the lines. Every test
 * of the matrices must be in them with "none" and PASS, and with some fault and FAIL.
 * A test that ends in "*" stands for all tests that begin so and are there with "none".
 * -t and -f choose lines, by how the test's id begins and by the fault. In the
 * environment FAULT_MATRIX_VERBOSE=1 prints all reports, and FAULT_MATRIX_SEED=N lets
 * a node with the fault "random" draw other numbers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/verdict.h"
#include "runners/run.h"
#include "tests/simulated/sim.h"

#define LINES_MAX 16384

/* A line of a matrix, and what the run said of it. */
struct line {
	char fault[64];
	char test[64];
	char verdict[16];
	bool is_chosen;
	unsigned batch; /* number of its run */
	char seen[16];
	char reason[512];
	char signature[256];
};

struct matrix {
	struct line lines[LINES_MAX];
	size_t count;
};

/* One run: the lines that have a fault in common. */
struct batch {
	struct matrix *matrix;
	unsigned number;
	enum sim_fault fault;
};

static struct line *find_line(const struct batch *batch, const char *test)
{
	for (size_t i = 0; i < batch->matrix->count; i++) {
		struct line *line = &batch->matrix->lines[i];

		if (line->is_chosen && line->batch == batch->number && !strcmp(line->test, test))
			return line;
	}
	return NULL;
}

static void take_result(const struct batch *batch, const json_t *report)
{
	struct line *line = find_line(batch, json_string_or(report, "id", ""));

	if (!line)
		return;
	(void)snprintf(line->seen, sizeof(line->seen), "%s", json_string_or(report, "verdict", ""));
	(void)snprintf(line->reason, sizeof(line->reason), "%s",
		       json_string_or(report, "reason", ""));
	(void)snprintf(line->signature, sizeof(line->signature), "%s",
		       json_string_or(report, "signature", ""));
}

static int take_report(void *user, json_t *report, struct err *err)
{
	(void)err;
	if (!strcmp(json_string_or(report, "event", ""), "test") &&
	    json_bool_or(report, "final", false))
		take_result(user, report);
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
	return sim_target_make(&((struct batch *)user)->fault, loop, spec, ret_target, err);
}

/* The lines of `first`'s batch, as one run. */
static int run_batch(struct matrix *matrix, const struct line *first, const char *scratch,
		     struct err *err)
{
	struct batch batch = { .matrix = matrix,
			       .number = first->batch,
			       .fault = sim_fault_from_string(first->fault) };
	struct run_host host = { .make_target = make_target,
				 .report = take_report,
				 .user = &batch };
	json_t *tests = json_array();
	auto_json json_t *job =
		json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:o,s:i}", "kind", "run", "name", "simulated",
			  "scratch", scratch, "image", "none", "initramfs", "none", "role", "host",
			  "tests", tests, "retries", 1);

	for (size_t i = 0; i < matrix->count; i++)
		if (matrix->lines[i].is_chosen && matrix->lines[i].batch == batch.number)
			(void)json_array_append_new(tests, json_string(matrix->lines[i].test));
	if (batch.fault == SIM_FAULT_COUNT_)
		return err_set(err, LAB_EINVALID, "no fault '%s'", first->fault);
	return run_job(job, &host, err);
}

/* Every batch whose number divided by `workers` leaves `worker`. */
static void work(struct matrix *matrix, unsigned worker, unsigned workers, const char *scratch)
{
	auto_free char *folder = xasprintf("%s/%u", scratch, worker);
	unsigned next = worker;

	(void)mkdir(folder, 0700);
	for (size_t i = 0; i < matrix->count; i++) {
		const struct line *line = &matrix->lines[i];
		struct err err = ERR_INIT;

		/* Batches are numbered in the order of their first lines. */
		if (!line->is_chosen || line->batch != next)
			continue;
		if (run_batch(matrix, line, folder, &err) < 0)
			printf("# fault %s: %s\n", line->fault, err.text);
		next += workers;
	}
}

/* The matrix is in memory that the children share. */
static void run_all(struct matrix *matrix, const char *scratch)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned workers = processors > 1 ? (unsigned)processors : 1;
	int status;

	(void)fflush(stdout);
	for (unsigned worker = 1; worker < workers; worker++) {
		pid_t child = fork();

		if (child < 0) {
			perror("fork");
			exit(1);
		}
		if (!child) {
			work(matrix, worker, workers, scratch);
			(void)fflush(stdout);
			_exit(0);
		}
	}
	work(matrix, 0, workers, scratch);
	while (wait(&status) > 0)
		if (status)
			printf("# a worker ended with status %d\n", status);
}

static bool has_line(const struct matrix *matrix, const char *test, bool with_fault)
{
	for (size_t i = 0; i < matrix->count; i++) {
		const struct line *line = &matrix->lines[i];

		if (!strcmp(line->test, test) && (strcmp(line->fault, "none") != 0) == with_fault &&
		    !strcmp(line->verdict, with_fault ? "FAIL" : "PASS"))
			return true;
	}
	return false;
}

static void bail_out(const char *path, const char *why)
{
	printf("Bail out! %s: %s\n", path, why);
	exit(1);
}

static void read_matrix(const char *path, struct matrix *matrix)
{
	struct err err = ERR_INIT;
	auto_free char *text = NULL;
	size_t size;
	char *rest, *row;

	if (fs_read_file(path, LIMIT_CONFIG_BYTES, &text, &size, &err) < 0)
		bail_out(path, err.text);
	rest = text;
	while ((row = strsep(&rest, "\n"))) {
		struct line *line = &matrix->lines[matrix->count];

		if (!*row || *row == '#')
			continue;
		if (matrix->count == LINES_MAX)
			bail_out(path, "too many lines");
		if (sscanf(row, "%63[^\t]\t%63[^\t]\t%15[A-Z]", line->fault, line->test,
			   line->verdict) != 3)
			bail_out(path, row);
		matrix->count++;
	}
}

static bool is_pattern(const struct line *line)
{
	return line->test[strlen(line->test) - 1] == '*';
}

static bool is_listed(const struct matrix *matrix, const char *fault, const char *test)
{
	for (size_t i = 0; i < matrix->count; i++)
		if (!strcmp(matrix->lines[i].fault, fault) && !strcmp(matrix->lines[i].test, test))
			return true;
	return false;
}

/* Lines for all tests that the pattern stands for and that have none of their own. */
static void expand(struct matrix *matrix, const struct line *pattern, size_t tests)
{
	size_t length = strlen(pattern->test) - 1;

	for (size_t i = 0; i < tests; i++) {
		const struct line *right = &matrix->lines[i];
		struct line *line = &matrix->lines[matrix->count];

		if (strcmp(right->fault, "none") != 0 ||
		    strncmp(right->test, pattern->test, length) != 0 ||
		    is_listed(matrix, pattern->fault, right->test))
			continue;
		if (matrix->count == LINES_MAX)
			bail_out(pattern->test, "too many lines");
		*line = *pattern;
		(void)snprintf(line->test, sizeof(line->test), "%s", right->test);
		matrix->count++;
	}
}

/* The number of the run that chosen lines before it with that fault have, or a new one. */
static unsigned find_batch(const struct matrix *matrix, const struct line *line, unsigned *batches)
{
	for (const struct line *other = matrix->lines; other < line; other++)
		if (other->is_chosen && !strcmp(other->fault, line->fault))
			return other->batch;
	return (*batches)++;
}

static void choose(struct matrix *matrix, const char *test, const char *fault)
{
	size_t count = matrix->count;
	unsigned batches = 0;

	for (size_t i = 0; i < count; i++)
		if (is_pattern(&matrix->lines[i]))
			expand(matrix, &matrix->lines[i], count);
	for (size_t i = 0; i < matrix->count; i++) {
		struct line *line = &matrix->lines[i];

		line->is_chosen = !is_pattern(line) && !strncmp(line->test, test, strlen(test)) &&
				  (!fault || !strcmp(line->fault, fault));
		if (line->is_chosen)
			line->batch = find_batch(matrix, line, &batches);
	}
}

/* Both return how many are not as they should be. */

static unsigned print_lines(const struct matrix *matrix, size_t *shown)
{
	unsigned failed = 0;

	for (size_t i = 0; i < matrix->count; i++) {
		const struct line *line = &matrix->lines[i];
		bool ok = !strcmp(line->seen, line->verdict);

		if (!line->is_chosen)
			continue;
		printf("%s %zu - %s with fault %s: %s\n", ok ? "ok" : "not ok", ++*shown,
		       line->test, line->fault, line->verdict);
		if (!ok)
			printf("# got '%s' %s\n", line->seen, line->reason);
		else if (*line->reason)
			printf("# %s [%s]\n", line->reason, line->signature);
		failed += !ok;
	}
	return failed;
}

static unsigned print_tests(const struct matrix *matrix, size_t *shown)
{
	unsigned failed = 0;

	for (size_t i = 0; i < matrix->count; i++) {
		const struct line *line = &matrix->lines[i];
		bool ok;

		if (strcmp(line->fault, "none") != 0)
			continue;
		ok = has_line(matrix, line->test, true);
		printf("%s %zu - %s is seen to fail\n", ok ? "ok" : "not ok", ++*shown, line->test);
		failed += !ok;
	}
	return failed;
}

int main(int argc, char **argv)
{
	struct matrix *matrix = mmap(NULL, sizeof(*matrix), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char scratch[64];
	const char *test = "", *fault = NULL;
	unsigned failed;
	size_t shown = 0;
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
	/* Captures go to the disk for good; these are nobody's, so they go to memory. */
	(void)snprintf(scratch, sizeof(scratch), "%s/testlab-matrix-XXXXXX",
		       access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	if (matrix == MAP_FAILED || !mkdtemp(scratch)) {
		perror("fault_matrix");
		return 1;
	}
	for (int i = optind; i < argc; i++)
		read_matrix(argv[i], matrix);
	choose(matrix, test, fault);
	run_all(matrix, scratch);
	failed = print_lines(matrix, &shown);
	if (!*test && !fault)
		failed += print_tests(matrix, &shown);
	printf("1..%zu\n", shown);
	(void)fs_remove_tree(scratch, NULL); /* only evidence of runs that are over */
	return failed ? 1 : 0;
}
