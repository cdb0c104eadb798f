/*
 * The tests of a run shared out to runners side by side, each with its own NUT,
 * link and folder. A runner that is lost (it crashed, or was killed) is started
 * anew for what it had left; tests that lose their runner too often are ERROR,
 * never FAIL.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/time.h"
#include "cli/run.h"
#include "cli/worker.h"

#define STARTS_MAX        3 /* of one shard's runner */
#define RETRIES_OF_ERRORS 2 /* by the runner, on a fresh NUT */
#define LOG_LINES         8
/* QEMU, the runner and the host's caches for each NUT, beside the NUT's own memory. */
#define OVERHEAD_MIB 160

struct shard {
	struct shards *all;
	size_t index;
	json_t *tests;    /* ids; belongs to the shard */
	unsigned starts;  /* of its runner so far */
	char *current;    /* id of the test under way, or NULL */
	int64_t since_ns; /* when that began */
};

struct shards {
	struct run *run;
	struct shard *items;
	struct worker *workers; /* one a shard */
	size_t count;
};

static void shards_release_p(struct shards *shards)
{
	for (size_t i = 0; i < shards->count; i++) {
		if (shards->workers[i].folder)
			worker_release(&shards->workers[i]);
		json_decref(shards->items[i].tests);
		free(shards->items[i].current);
	}
	free(shards->items);
	free(shards->workers);
}

/* MemAvailable of /proc/meminfo in MiB, 0 if it does not say. */
static long available_mib(void)
{
	auto_free char *text = NULL;
	const char *at;

	if (fs_read_file("/proc/meminfo", 65536, &text, NULL, NULL) < 0)
		return 0;
	at = strstr(text, "MemAvailable:");
	return at ? strtol(at + strlen("MemAvailable:"), NULL, 10) / 1024 : 0;
}

/* As many as asked for, else as many as processors and memory carry; never more than tests. */
static size_t choose_count(const struct run *run)
{
	long count = run->settings.jobs;
	long tests = (long)json_array_size(run->tests);

	if (!count) {
		long fit = available_mib() / (run->settings.memory_mib + OVERHEAD_MIB);

		count = sysconf(_SC_NPROCESSORS_ONLN);
		if (count > fit)
			count = fit;
	}
	if (count > tests)
		count = tests;
	return count < 1 ? 1 : (size_t)count;
}

static json_t *make_job(const struct run *run, const struct shard *shard)
{
	const struct run_settings *settings = &run->settings;
	auto_free char *name =
		xasprintf("testlab-%d-%zu-%u", (int)getpid(), shard->index, shard->starts);
	json_t *job =
		json_pack("{s:s,s:s,s:s,s:s,s:s?,s:s,s:s,s:s,s:s,s:I,s:I,s:b}", "kind", "run",
			  "name", name, "image", settings->kernel, "initramfs", run->initramfs,
			  "set", run->set, "role", run->role, "clock", settings->clock,
			  "environment", settings->environment, "accelerator",
			  settings->accelerator, "memory_mib", (json_int_t)settings->memory_mib,
			  "retries", (json_int_t)RETRIES_OF_ERRORS, "keep", settings->keep != NULL);
	json_t *left = json_array();
	const json_t *id;
	size_t i;

	json_array_foreach(shard->tests, i, id) {
		if (!results_is_final(&run->results, json_string_value(id)))
			(void)json_array_append(left, (json_t *)(uintptr_t)id);
	}
	(void)json_object_set_new(job, "tests", left);
	return job;
}

static void show_final(struct run *run, const struct result *result)
{
	if (result)
		progress_verdict(&run->progress, result->final, run->results.done,
				 run->results.count);
}

static void take_report(struct worker *worker, json_t *report, void *user)
{
	struct shard *shard = user;
	struct run *run = shard->all->run;
	const char *event = json_string_or(report, "event", "");

	(void)worker;
	keep_report(run, report);
	if (strcmp(event, "test-begin") == 0) {
		free(shard->current);
		shard->current = xstrdup(json_string_or(report, "id", ""));
		shard->since_ns = time_monotonic_ns();
	}
	show_final(run, results_take(&run->results, report));
}

static int start_shard(struct shard *shard, struct err *err)
{
	struct run *run = shard->all->run;
	struct worker *worker = &shard->all->workers[shard->index];
	auto_free char *name = xasprintf("shard-%zu-%u", shard->index, shard->starts);
	auto_free char *folder = path_join(run->scratch.path, name);
	auto_json json_t *job = make_job(run, shard);

	*worker = (struct worker){ .on_report = take_report, .user = shard };
	shard->starts++;
	return worker_start(worker, "testlab-runner", folder, job, err);
}

/* The shard's tests without a verdict get none: say so in each. */
static void give_up(struct shard *shard, const char *reason)
{
	struct run *run = shard->all->run;
	const json_t *id;
	size_t i;

	json_array_foreach(shard->tests, i, id) {
		if (!results_is_final(&run->results, json_string_value(id)))
			show_final(run,
				   results_give_up(&run->results, json_string_value(id), reason));
	}
}

static bool has_left(const struct shard *shard)
{
	const json_t *id;
	size_t i;

	json_array_foreach(shard->tests, i, id) {
		if (!results_is_final(&shard->all->run->results, json_string_value(id)))
			return true;
	}
	return false;
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
	struct shards *shards = user;
	struct shard *shard = worker->user;
	struct run *run = shards->run;
	auto_free char *stem = xasprintf("runner-%zu-%u", shard->index, shard->starts);

	keep_files(run, worker->folder, stem);
	free(shard->current);
	shard->current = NULL;
	if (!has_left(shard))
		return 0;
	if (worker->state == WORKER_STATE_LOST && shard->starts < STARTS_MAX) {
		progress_line(&run->progress, "a runner was lost: %s; starting another",
			      worker->reason);
		worker_release(worker);
		return start_shard(shard, err);
	}
	run->trouble = "a runner failed";
	if (worker->reason)
		progress_line(&run->progress, "runner %zu: %s", shard->index, worker->reason);
	show_log(run, worker);
	give_up(shard,
		worker->reason ? worker->reason : "the runner ended without this test's verdict");
	return 0;
}

static void on_tick(void *user)
{
	const struct shards *shards = user;
	struct run *run = shards->run;
	auto_free char *text = xasprintf("[%3zu/%zu]", run->results.done, run->results.count);
	int64_t now_ns = time_monotonic_ns();

	for (size_t i = 0; i < shards->count; i++) {
		const struct shard *shard = &shards->items[i];
		char *longer;

		if (shard->current)
			longer = xasprintf("%s %s %llds", text, shard->current,
					   (long long)((now_ns - shard->since_ns) / NS_PER_SECOND));
		else if (shards->workers[i].state == WORKER_STATE_RUNNING)
			longer = xasprintf("%s booting", text);
		else
			continue;
		free(text);
		text = longer;
	}
	progress_live(&run->progress, "%s", text);
}

static void share_out(struct shards *shards, const struct run *run)
{
	size_t i;
	json_t *id;

	for (i = 0; i < shards->count; i++) {
		shards->items[i] =
			(struct shard){ .all = shards, .index = i, .tests = json_array() };
		shards->workers[i].state = WORKER_STATE_DONE;
	}
	/* Neighbours of the list take about as long: deal them out like cards. */
	json_array_foreach(run->tests, i, id)
		(void)json_array_append(shards->items[i % shards->count].tests, id);
}

int shards_run(struct run *run, struct err *err)
{
	size_t count = choose_count(run);
	auto_cleanup(shards_release_p) struct shards shards = {
		.run = run,
		.items = xcalloc(count, sizeof(struct shard)),
		.workers = xcalloc(count, sizeof(struct worker)),
		.count = count,
	};
	struct crew crew = { .workers = shards.workers,
			     .count = count,
			     .signal_fd = run->signal_fd,
			     .on_end = on_end,
			     .on_tick = on_tick,
			     .user = &shards };
	int rc = 0;

	share_out(&shards, run);
	progress_line(&run->progress, "%zu tests, %zu NUT%s side by side", run->results.count,
		      count, count == 1 ? "" : "s");
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = start_shard(&shards.items[i], err);
	if (rc == 0)
		rc = crew_follow(&crew, err);
	progress_clear(&run->progress);
	return rc;
}
