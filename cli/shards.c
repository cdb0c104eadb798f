/*
 * The tests of a run shared out to runners side by side, each with its own NUT,
 * link and folder. A runner that is lost (it crashed, or was killed) is started
 * anew for what it had left; tests that lose their runner too often are ERROR,
 * never FAIL.
 */
#include <errno.h>
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

#define LOSSES_MAX        3 /* of one test's runner, or of one that never comes to a test */
#define RETRIES_OF_ERRORS 2 /* by the runner, on a fresh NUT */
#define LOG_LINES         8
/* QEMU, the runner and the host's caches for each NUT, beside the NUT's own memory. */
#define OVERHEAD_MIB 160

struct shard {
	struct shards *all;
	size_t index;
	unsigned starts;  /* of its runner so far */
	unsigned losses;  /* of its runner since its last verdict */
	char *current;    /* id of the test under way, or NULL */
	int64_t since_ns; /* when that began */
};

struct shards {
	struct run *run;
	char *claims;    /* folder, runners/claim.h */
	const char *why; /* a runner failed, or NULL */
	struct shard *items;
	struct worker *workers; /* one a shard */
	size_t count;
};

static void forget_current(struct shard *shard)
{
	free(shard->current);
	shard->current = NULL;
}

static void shards_release_p(struct shards *shards)
{
	for (size_t i = 0; i < shards->count; i++) {
		if (shards->workers[i].folder)
			worker_release(&shards->workers[i]);
		forget_current(&shards->items[i]);
	}
	free(shards->items);
	free(shards->workers);
	free(shards->claims);
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
	return json_pack("{s:s,s:s,s:s,s:s,s:s?,s:s,s:O,s:s,s:s,s:s,s:s,s:I,s:I,s:b}", "kind",
			 "run", "name", name, "image", settings->kernel, "initramfs",
			 run->initramfs, "set", run->set, "role", run->role, "tests", run->tests,
			 "claims", shard->all->claims, "clock", settings->clock, "environment",
			 settings->environment, "accelerator", settings->accelerator, "memory_mib",
			 (json_int_t)settings->memory_mib, "retries", (json_int_t)RETRIES_OF_ERRORS,
			 "keep", settings->keep != NULL);
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
	const struct result *result;

	(void)worker;
	keep_report(run, report);
	if (strcmp(event, "test-begin") == 0) {
		forget_current(shard);
		shard->current = xstrdup(json_string_or(report, "id", ""));
		shard->since_ns = time_monotonic_ns();
	}
	result = results_take(&run->results, report);
	if (!result)
		return;
	shard->losses = 0;
	show_final(run, result);
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

/* Tests without a verdict get none: say so in each. */
static void give_up_rest(struct run *run, const char *reason)
{
	for (size_t i = 0; i < run->results.count; i++) {
		const char *id = run->results.items[i].id;

		if (!results_is_final(&run->results, id))
			show_final(run, results_give_up(&run->results, id, reason));
	}
}

/*
 * The runner of the shard was lost. 1: another one may go on, with the test that it had unless
 * that one has cost too many runners. 0: no runner of this shard comes as far as a test.
 */
static int prepare_another(struct shard *shard, const char *reason, struct err *err)
{
	struct run *run = shard->all->run;
	auto_free char *claim = NULL;

	shard->losses++;
	if (!shard->current)
		return shard->losses < LOSSES_MAX;
	if (results_is_final(&run->results, shard->current))
		return 1;
	if (shard->losses >= LOSSES_MAX) {
		run->trouble = "a runner was lost again and again";
		show_final(run, results_give_up(&run->results, shard->current, reason));
		shard->losses = 0;
		return 1;
	}
	claim = path_join(shard->all->claims, shard->current);
	if (unlink(claim) < 0)
		return err_set(err, -errno, "remove '%s': %s", claim, strerror(errno));
	return 1;
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
	int rc = 0;

	keep_files(run, worker->folder, stem);
	if (worker->state == WORKER_STATE_LOST && run->results.done < run->results.count)
		rc = prepare_another(shard, worker->reason, err);
	forget_current(shard);
	if (rc < 0 || worker->state == WORKER_STATE_DONE)
		return rc;
	if (rc) {
		progress_line(&run->progress, "a runner was lost: %s; starting another",
			      worker->reason);
		worker_release(worker);
		return start_shard(shard, err);
	}
	run->trouble = "a runner failed";
	if (worker->reason) {
		shards->why = worker->reason;
		progress_line(&run->progress, "runner %zu: %s", shard->index, worker->reason);
	}
	show_log(run, worker);
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

static int make_shards(struct shards *shards, struct err *err)
{
	for (size_t i = 0; i < shards->count; i++) {
		shards->items[i] = (struct shard){ .all = shards, .index = i };
		shards->workers[i].state = WORKER_STATE_DONE;
	}
	shards->claims = path_join(shards->run->scratch.path, "claims");
	return fs_mkdir_parents(shards->claims, 0700, err);
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
	int rc = make_shards(&shards, err);

	progress_line(&run->progress, "%zu tests, %zu NUT%s side by side", run->results.count,
		      count, count == 1 ? "" : "s");
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = start_shard(&shards.items[i], err);
	if (rc == 0)
		rc = crew_follow(&crew, err);
	progress_clear(&run->progress);
	if (rc == 0)
		give_up_rest(run, shards.why ? shards.why
					     : "the runner ended without this test's verdict");
	return rc;
}
