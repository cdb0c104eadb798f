#include "runners/shards.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/worker.h"
#include "runners/attempt.h"
#include "suites/suite.h"

#define LOSSES_MAX 3 /* of one test's runner, or of one that never comes to a test */
/* QEMU, the runner and the host's caches for each NUT, beside the NUT's own memory. */
#define OVERHEAD_MIB 160

struct shard {
	struct shards *all;
	size_t index;
	unsigned starts;                  /* of its runner so far */
	unsigned losses;                  /* of its runner since its last verdict */
	const struct suite_test *current; /* the test under way, or NULL */
};

struct shards {
	const struct shards_order *order;
	struct shards_result *result;
	struct shard *items;
	struct worker *workers; /* one a shard */
	bool *is_final;         /* of each test */
	size_t finals;
	char *claims;      /* folder, runners/claim.h */
	char *clock;       /* what a NUT said, or NULL */
	struct err reason; /* of the last runner that failed */
	struct err report; /* a report could not be passed on */
};

static void shards_release_p(struct shards *shards)
{
	for (size_t i = 0; i < shards->order->count; i++)
		if (shards->workers[i].folder)
			worker_release(&shards->workers[i]);
	free(shards->items);
	free(shards->workers);
	free(shards->is_final);
	free(shards->claims);
	free(shards->clock);
}

/* --- how many ------------------------------------------------------------------- */

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

size_t shards_choose_count(unsigned jobs, unsigned memory_mib, size_t tests)
{
	long count = jobs;

	if (!count) {
		long fit = available_mib() / (long)(memory_mib + OVERHEAD_MIB);

		count = sysconf(_SC_NPROCESSORS_ONLN);
		if (count > fit)
			count = fit;
	}
	if (count < 1)
		count = 1;
	return (size_t)count < tests ? (size_t)count : tests;
}

/* --- reports ---------------------------------------------------------------------- */

/* Takes the reference. What cannot be passed on is said when the shards are gone. */
static void pass_on(struct shards *shards, json_t *report)
{
	struct err *err = shards->report.code ? NULL : &shards->report;

	(void)shards->order->report(shards->order->user, report, err);
}

static const struct suite_test *find_test(const struct shards *shards, const json_t *report)
{
	const char *id = json_string_or(report, "id", "");

	for (size_t i = 0; i < shards->order->test_count; i++)
		if (!strcmp(shards->order->tests[i].test->id, id))
			return &shards->order->tests[i];
	return NULL;
}

static bool is_final(const struct shards *shards, const struct suite_test *test)
{
	return shards->is_final[test - shards->order->tests];
}

static void set_final(struct shards *shards, const struct suite_test *test, enum verdict verdict)
{
	shards->is_final[test - shards->order->tests] = true;
	shards->finals++;
	shards->result->counts[verdict]++;
}

/* A file that a report names goes into the run's folder, where the report says it is. */
static void move_file(const struct shards *shards, const struct worker *worker,
		      const json_t *report, const char *key)
{
	const char *name = json_string_or(report, key, NULL);
	auto_free char *from = NULL, *to = NULL;

	if (!name || !path_is_component(name))
		return;
	from = path_join(worker->folder, name);
	to = path_join(shards->order->scratch, name);
	if (rename(from, to) < 0)
		log_error("run", "move '%s' to '%s': %s", from, to, strerror(errno));
}

static void take_test(struct shard *shard, const struct worker *worker, json_t *report)
{
	struct shards *shards = shard->all;
	const struct suite_test *test = find_test(shards, report);
	enum verdict verdict;

	if (!test || is_final(shards, test) ||
	    verdict_from_string(json_string_or(report, "verdict", ""), &verdict) < 0)
		return;
	move_file(shards, worker, report, "capture");
	move_file(shards, worker, report, "console");
	if (json_bool_or(report, "final", false)) {
		set_final(shards, test, verdict);
		shard->losses = 0;
	}
	pass_on(shards, json_incref(report));
}

static void take_done(struct shards *shards, const json_t *report)
{
	struct shards_result *result = shards->result;
	json_int_t own = json_int_or(report, "peak_memory_kib", 0);
	json_int_t nut = json_int_or(report, "nut_peak_memory_kib", 0);

	if (own > result->peak_memory_kib)
		result->peak_memory_kib = own;
	if (nut > result->nut_peak_memory_kib)
		result->nut_peak_memory_kib = nut;
}

static void take_report(struct worker *worker, json_t *report, void *user)
{
	struct shard *shard = user;
	struct shards *shards = shard->all;
	const char *event = json_string_or(report, "event", "");

	if (!strcmp(event, "nut")) {
		free(shards->clock);
		shards->clock = xstrdup(json_string_or(report, "clock", "real"));
		pass_on(shards, json_incref(report));
	} else if (!strcmp(event, "test-begin")) {
		shard->current = find_test(shards, report);
		(void)json_object_set_new(report, "shard", json_integer((json_int_t)shard->index));
		pass_on(shards, json_incref(report));
	} else if (!strcmp(event, "test")) {
		take_test(shard, worker, report);
	} else if (!strcmp(event, "done")) {
		take_done(shards, report);
	}
}

/* --- the runners ------------------------------------------------------------------- */

static json_t *make_job(const struct shard *shard)
{
	const struct shards *shards = shard->all;
	json_t *job = json_copy((json_t *)(uintptr_t)shards->order->job);
	json_t *tests = json_array();

	for (size_t i = 0; i < shards->order->test_count; i++)
		(void)json_array_append_new(tests, json_string(shards->order->tests[i].test->id));
	(void)json_object_set_new(job, "tests", tests);
	(void)json_object_set_new(job, "claims", json_string(shards->claims));
	(void)json_object_set_new(job, "jobs", json_integer(1));
	(void)json_object_del(job, "skip");
	(void)json_object_set_new(job, "name",
				  json_sprintf("%s-%zu-%u", json_string_or(job, "name", "run"),
					       shard->index, shard->starts));
	return job;
}

static int start_shard(struct shard *shard, struct err *err)
{
	struct shards *shards = shard->all;
	struct worker *worker = &shards->workers[shard->index];
	auto_free char *name = xasprintf("shard-%zu-%u", shard->index, shard->starts);
	auto_free char *folder = path_join(shards->order->scratch, name);
	auto_json json_t *job = make_job(shard);

	*worker = (struct worker){ .on_report = take_report, .user = shard };
	shard->starts++;
	return worker_start(worker, "testlab-runner", folder, job, err);
}

/* Its log becomes part of ours, its consoles lie beside ours. */
static void keep_logs(const struct shard *shard, const struct worker *worker)
{
	auto_free char *log = path_join(worker->folder, "log");
	auto_free char *console = path_join(worker->folder, "console.log");
	auto_free char *name = xasprintf("shard-%zu-%u.console.log", shard->index, shard->starts);
	auto_free char *kept = path_join(shard->all->order->scratch, name);
	auto_free char *text = NULL;

	if (fs_read_file(log, LIMIT_LOG_BYTES, &text, NULL, NULL) == 0 && *text)
		fprintf(stderr, "--- log of shard %zu, runner %u:\n%s", shard->index, shard->starts,
			text);
	(void)rename(console, kept); /* a runner that came to no NUT has none */
}

static void give_up(struct shard *shard, const char *why)
{
	struct shards *shards = shard->all;
	const struct attempt attempt = {
		.test = shard->current->test,
		.position = shard->current->position,
		.number = shard->losses,
		.verdict = VERDICT_ERROR,
	};
	auto_free char *reason = xasprintf("its runner was lost %u times: %s", shard->losses, why);
	json_t *report = attempt_report_failed(&attempt, reason);

	(void)json_object_set_new(report, "final", json_true());
	(void)json_object_set_new(report, "clock",
				  json_string(shards->clock ? shards->clock : "real"));
	set_final(shards, shard->current, VERDICT_ERROR);
	shard->losses = 0;
	pass_on(shards, report);
}

/*
 * The runner of the shard was lost. 1: another one may go on, with the test that it had unless
 * that one has cost too many runners. 0: no runner of this shard comes as far as a test.
 */
static int prepare_another(struct shard *shard, const char *why, struct err *err)
{
	auto_free char *claim = NULL;

	shard->losses++;
	if (!shard->current)
		return shard->losses < LOSSES_MAX;
	if (is_final(shard->all, shard->current))
		return 1;
	if (shard->losses >= LOSSES_MAX) {
		give_up(shard, why);
		return 1;
	}
	claim = path_join(shard->all->claims, shard->current->test->id);
	if (unlink(claim) < 0)
		return err_set(err, -errno, "remove '%s': %s", claim, strerror(errno));
	return 1;
}

static int on_end(struct worker *worker, void *user, struct err *err)
{
	struct shards *shards = user;
	struct shard *shard = worker->user;
	int rc = 0;

	keep_logs(shard, worker);
	if (shards->report.code)
		return err_set(err, shards->report.code, "%s", shards->report.text);
	if (worker->state == WORKER_STATE_LOST && shards->finals < shards->order->test_count)
		rc = prepare_another(shard, worker->reason, err);
	shard->current = NULL;
	if (rc < 0 || worker->state == WORKER_STATE_DONE)
		return rc;
	log_error("run", "shard %zu: %s%s", shard->index, worker->reason,
		  rc ? "; starting another runner" : "");
	shards->reason = (struct err)ERR_INIT;
	(void)err_set(&shards->reason, worker->is_input_wrong ? LAB_EINVALID : LAB_ECHILD, "%s",
		      worker->reason);
	if (!rc)
		return 0;
	worker_release(worker);
	return start_shard(shard, err);
}

static int make_shards(struct shards *shards, struct err *err)
{
	size_t count = shards->order->count;

	shards->items = xcalloc(count, sizeof(*shards->items));
	shards->workers = xcalloc(count, sizeof(*shards->workers));
	shards->is_final = xcalloc(shards->order->test_count, sizeof(*shards->is_final));
	for (size_t i = 0; i < count; i++) {
		shards->items[i] = (struct shard){ .all = shards, .index = i };
		shards->workers[i].state = WORKER_STATE_DONE;
	}
	shards->claims = path_join(shards->order->scratch, "claims");
	return fs_mkdir_parents(shards->claims, 0700, err);
}

int shards_run(const struct shards_order *order, struct shards_result *ret_result, struct err *err)
{
	struct shards_result result = { 0 };
	auto_cleanup(shards_release_p) struct shards shards = { .order = order, .result = &result };
	auto_close int signal_fd = -1;
	struct crew crew = { .count = order->count, .on_end = on_end, .user = &shards };
	int rc = make_shards(&shards, err);

	if (rc == 0)
		rc = crew_open_signals(&signal_fd, err);
	for (size_t i = 0; i < order->count && rc == 0; i++)
		rc = start_shard(&shards.items[i], err);
	if (rc < 0)
		return rc;
	crew.workers = shards.workers;
	crew.signal_fd = signal_fd;
	rc = crew_follow(&crew, err);
	if (rc < 0)
		return rc;
	if (shards.finals < order->test_count)
		return err_set(err, shards.reason.code ? shards.reason.code : LAB_ECHILD, "%s",
			       shards.reason.code ? shards.reason.text
						  : "the runners ended without every verdict");
	*ret_result = result;
	return 0;
}
