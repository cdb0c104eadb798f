/*
 * The testlab-runner of a `testlab run`, followed to its end. One that is lost (it
 * crashed, or was killed) is started anew for what it had left; if that happens
 * too often the rest is ERROR, never FAIL.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/time.h"
#include "base/worker.h"
#include "cli/run.h"

#define STARTS_MAX        3
#define RETRIES_OF_ERRORS 2 /* by the runner, on a fresh NUT */
#define LOG_LINES         8

/* A test under way; a NUT has one at a time. */
struct under_way {
	char *id;         /* NULL: none */
	int64_t since_ns; /* when it began */
};

struct runner {
	struct run *run;
	struct worker worker;
	unsigned starts;
	struct under_way tests[LIMIT_NUTS]; /* by shard */
};

static void runner_release_p(struct runner *runner)
{
	if (runner->worker.folder)
		worker_release(&runner->worker);
	for (size_t i = 0; i < LIMIT_NUTS; i++)
		free(runner->tests[i].id);
}

static json_t *make_job(const struct runner *runner)
{
	const struct run *run = runner->run;
	const struct run_settings *settings = &run->settings;
	auto_free char *name = xasprintf("testlab-%d-%u", (int)getpid(), runner->starts);
	json_t *job = json_pack(
		"{s:s,s:s,s:s,s:s,s:s?,s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:b}", "kind", "run", "name",
		name, "image", settings->kernel, "initramfs", run->initramfs, "set", run->set,
		"role", run->role, "clock", settings->clock, "environment", settings->environment,
		"accelerator", settings->accelerator, "memory_mib",
		(json_int_t)settings->memory_mib, "retries", (json_int_t)RETRIES_OF_ERRORS, "jobs",
		(json_int_t)settings->jobs, "keep", settings->keep != NULL);
	json_t *left = json_array();
	const json_t *id;
	size_t i;

	json_array_foreach(run->tests, i, id)
		if (!results_is_final(&run->results, json_string_value(id)))
			(void)json_array_append(left, (json_t *)(uintptr_t)id);
	(void)json_object_set_new(job, "tests", left);
	return job;
}

static void show_final(struct run *run, const struct result *result)
{
	progress_verdict(&run->progress, result->final, run->results.done, run->results.count);
}

static void set_under_way(struct runner *runner, json_int_t shard, const char *id)
{
	struct under_way *test = &runner->tests[shard];

	free(test->id);
	test->id = xstrdup(id);
	test->since_ns = time_monotonic_ns();
}

static void forget_under_way(struct runner *runner, const char *id)
{
	for (size_t i = 0; i < LIMIT_NUTS; i++) {
		struct under_way *test = &runner->tests[i];

		if (test->id && (!id || !strcmp(test->id, id))) {
			free(test->id);
			test->id = NULL;
		}
	}
}

static void take_report(struct worker *worker, json_t *report, void *user)
{
	struct runner *runner = user;
	struct run *run = runner->run;
	json_int_t shard = (json_int_t)json_int_or(report, "shard", 0);
	const struct result *result;

	(void)worker;
	keep_report(run, report);
	if (!strcmp(json_string_or(report, "event", ""), "test-begin") && shard >= 0 &&
	    shard < LIMIT_NUTS)
		set_under_way(runner, shard, json_string_or(report, "id", ""));
	result = results_take(&run->results, report);
	if (!result)
		return;
	forget_under_way(runner, result->id);
	show_final(run, result);
}

static int start_runner(struct runner *runner, struct err *err)
{
	auto_free char *name = xasprintf("run-%u", runner->starts);
	auto_free char *folder = path_join(runner->run->scratch.path, name);
	auto_json json_t *job = make_job(runner);

	runner->worker = (struct worker){ .on_report = take_report, .user = runner };
	runner->starts++;
	return worker_start(&runner->worker, "testlab-runner", folder, job, err);
}

/* Tests without a verdict get none: say so in each. */
static void give_up_rest(struct run *run, const char *reason)
{
	for (size_t i = 0; i < run->results.count; i++) {
		const char *id = run->results.items[i].id;

		if (!results_is_final(&run->results, id))
			show_final(run, results_give_up(&run->results, id, reason));
	}
}

static void show_log(struct run *run, const struct worker *worker)
{
	auto_free char *tail = worker_log_tail(worker, LOG_LINES);

	if (!*tail || !run->progress.file)
		return;
	progress_line(&run->progress, "the end of its log:");
	show_lines(run->progress.file, "    ", tail);
}

static int on_end(struct worker *worker, void *user, struct err *err)
{
	struct runner *runner = user;
	struct run *run = runner->run;
	auto_free char *stem = xasprintf("runner-%u", runner->starts);

	keep_files(run, worker->folder, stem);
	forget_under_way(runner, NULL);
	if (run->results.done == run->results.count)
		return 0;
	if (worker->state == WORKER_STATE_LOST && runner->starts < STARTS_MAX) {
		progress_line(&run->progress, "the runner was lost: %s; starting another",
			      worker->reason);
		worker_release(worker);
		return start_runner(runner, err);
	}
	run->trouble = "the runner failed";
	if (worker->reason)
		progress_line(&run->progress, "the runner: %s", worker->reason);
	show_log(run, worker);
	give_up_rest(run, worker->reason ? worker->reason
					 : "the runner ended without this test's verdict");
	return 0;
}

static void on_tick(void *user)
{
	const struct runner *runner = user;
	struct run *run = runner->run;
	auto_free char *text = xasprintf("[%3zu/%zu]", run->results.done, run->results.count);
	int64_t now_ns = time_monotonic_ns();
	bool any = false;

	for (size_t i = 0; i < LIMIT_NUTS; i++) {
		const struct under_way *test = &runner->tests[i];
		char *longer;

		if (!test->id)
			continue;
		any = true;
		longer = xasprintf("%s %s %llds", text, test->id,
				   (long long)((now_ns - test->since_ns) / NS_PER_SECOND));
		free(text);
		text = longer;
	}
	progress_live(&run->progress, "%s%s", text, any ? "" : " booting");
}

int runner_follow(struct run *run, struct err *err)
{
	auto_cleanup(runner_release_p) struct runner runner = { .run = run };
	struct crew crew = { .workers = &runner.worker,
			     .count = 1,
			     .signal_fd = run->signal_fd,
			     .on_end = on_end,
			     .on_tick = on_tick,
			     .user = &runner };
	int rc = start_runner(&runner, err);

	if (rc == 0)
		rc = crew_follow(&crew, err);
	progress_clear(&run->progress);
	return rc;
}
