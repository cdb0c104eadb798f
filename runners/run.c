/*
 * The order of things in one run. States: no NUT -> NUT in its snapshot's state
 * (ready) -> one attempt after the other -> no NUT. An attempt that ends in
 * ERROR stops the NUT, so the next one boots it anew.
 */
#include "runners/run.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/report.h"
#include "base/time.h"
#include "base/verdict.h"
#include "packets/packet.h"
#include "runners/attempt.h"
#include "runners/claim.h"
#include "runners/context.h"
#include "runners/link.h"
#include "runners/loop.h"
#include "runners/nodes.h"
#include "runners/run_job.h"
#include "runners/shards.h"
#include "runners/target.h"
#include "runners/target_nut.h"
#include "suites/suite.h"

#define EXEC_TIMEOUT_MS 20000
/* Loop time for the NUT's link-local address to be usable: 1 s random delay, 1 s of duplicate
 * address detection (RFC 4862 5.4.2), and the rest for a slow host. */
#define ADDRESS_TIMEOUT_NS (20 * NS_PER_SECOND)
#define ADDRESS_POLL_NS    (100 * NS_PER_MS)

struct run {
	struct run_job job;
	const struct run_host *host;
	struct suite *suite;
	const struct plan_set *set; /* NULL when the tests were named one by one */
	struct suite_test *tests;   /* to run */
	size_t test_count;          /* */
	size_t total;               /* with those to be skipped */
	struct loop *loop;
	struct link *link;
	struct target target;
	bool ready; /* the target is booted and has its snapshot */
	bool shown; /* the `nut` report was made */
	uint8_t nut_link_local[16];
	char *cmdline;
	struct context *current; /* of the running attempt, or NULL */
	unsigned counts[VERDICT_COUNT_];
};

/* --- what to run ----------------------------------------------------------- */

static int add_named_tests(struct run *run, struct err *err)
{
	const json_t *id;
	size_t i;

	run->tests = xcalloc(json_array_size(run->job.tests) + 1, sizeof(*run->tests));
	json_array_foreach(run->job.tests, i, id) {
		const char *text = json_string_value(id);
		const struct script_test *test = script_host_find(run->suite->host, text);

		if (!test)
			return err_set(err, LAB_EINVALID, "test '%s' does not exist", text);
		if (!script_test_has_role(test, run->job.role))
			return err_set(err, LAB_EINVALID, "test '%s' is not for role '%s'", text,
				       run->job.role);
		run->tests[run->test_count++] = (struct suite_test){ .test = test, .position = i };
	}
	return 0;
}

static int add_set_tests(struct run *run, struct err *err)
{
	auto_free struct suite_test *all = NULL;
	size_t count;

	run->set = plan_find(run->suite->plan, run->job.set);
	if (!run->set)
		return err_set(err, LAB_EINVALID, "set '%s' does not exist", run->job.set);
	run->job.role = run->set->role;
	count = suite_tests(run->suite, run->set, &all);
	run->tests = xcalloc(count + 1, sizeof(*run->tests));
	for (size_t i = 0; i < count; i++)
		if (run_job_lists(run->job.tests, all[i].test->id, true))
			run->tests[run->test_count++] = all[i];
	return 0;
}

static int choose_tests(struct run *run, struct err *err)
{
	size_t kept = 0;
	int rc;

	if (!run->job.set && !run->job.tests)
		return err_set(err, LAB_EINVALID, "expected field 'set' or 'tests'");
	rc = run->job.set ? add_set_tests(run, err) : add_named_tests(run, err);
	if (rc < 0)
		return rc;
	if (strcmp(run->job.role, "host"))
		return err_set(err, LAB_EINVALID, "role '%s': no test for it exists",
			       run->job.role);
	if (!run->test_count)
		return err_set(err, LAB_EINVALID, "none of the tests asked for exists");
	run->total = run->test_count;
	for (size_t i = 0; i < run->test_count; i++)
		if (!run_job_lists(run->job.skip, run->tests[i].test->id, false))
			run->tests[kept++] = run->tests[i];
	run->test_count = kept;
	if (run->job.claims)
		claim_sort(run->tests, run->test_count);
	return 0;
}

static int report(const struct run *run, json_t *value, struct err *err)
{
	return run->host->report(run->host->user, value, err);
}

static void hash_of_tests(const struct run *run, char ret_version[HASH_HEX_SIZE])
{
	struct hash *hash = hash_new();

	for (size_t i = 0; i < run->test_count; i++)
		hash_update(hash, run->tests[i].test->version, HASH_HEX_SIZE);
	hash_finish(hash, ret_version);
}

static int report_plan(const struct run *run, struct err *err)
{
	char version[HASH_HEX_SIZE];
	json_t *environment = json_array();

	if (run->set)
		suite_version(run->suite, run->set, version);
	else
		hash_of_tests(run, version);
	for (size_t i = 0; run->set && run->job.set_environment && i < run->set->environment_count;
	     i++)
		(void)json_array_append_new(environment, json_string(run->set->environment[i]));
	return report(run,
		      json_pack("{s:s,s:s?,s:s,s:I,s:I,s:o}", "event", "plan", "set", run->job.set,
				"suite_version", version, "planned",
				(json_int_t)(run->set ? plan_set_count(run->set, PLAN_KIND_TEST)
						      : run->total),
				"total", (json_int_t)run->total, "environment", environment),
		      err);
}

/* --- the NUT --------------------------------------------------------------- */

static void on_frame(struct link *link, const uint8_t *frame, size_t size, int64_t time_ns,
		     void *user)
{
	struct run *run = user;

	(void)link;
	if (run->current)
		context_receive(run->current, frame, size, time_ns);
}

static void on_trouble(void *user)
{
	struct run *run = user;

	if (run->current)
		context_trouble(run->current);
}

/* Role and settings are the business of the NUT's first process: builders/root/init. */
static char *make_cmdline(const struct run *run)
{
	struct buf text = BUF_INIT(LIMIT_FRAME_BYTES);

	buf_printf(&text, "testlab.role=%s", run->job.role);
	for (size_t i = 0; run->set && run->job.set_environment && i < run->set->environment_count;
	     i++)
		buf_printf(&text, "%s%s", i ? "," : " testlab.sysctl=", run->set->environment[i]);
	return buf_take_string(&text);
}

static int open_target(struct run *run, struct err *err)
{
	struct target_spec spec = {
		.nut = {
			.name = run->job.name,
			.image = run->job.image,
			.initramfs = run->job.initramfs,
			.folder = run->job.scratch,
			.memory_mib = run->job.memory_mib,
			.accelerator = run->job.accelerator,
		},
		.clock = run->job.clock,
	};
	int rc = link_open_udp(run->loop, "B", on_frame, run, &run->link, err);

	if (rc < 0)
		return rc;
	run->cmdline = make_cmdline(run);
	spec.nut.cmdline = run->cmdline;
	spec.nut.links[0] = run->link;
	memcpy(spec.nut.macs[0], nodes_nut_mac, sizeof(nodes_nut_mac));
	run->target.on_trouble = on_trouble;
	run->target.user = run;
	return run->host->make_target(run->host->user, run->loop, &spec, &run->target, err);
}

/*
 * "2: eth0    inet6 fe80::.../64 scope link ..." -> 1 and the address, 0 while there is
 * none or it is tentative, LAB_EVIRT when it is a duplicate.
 */
static int parse_link_local(const char *text, uint8_t ret_address[16], struct err *err)
{
	const char *at = strstr(text, "inet6 fe80:");
	char address[IP6_TEXT_SIZE];
	size_t size;
	int rc;

	if (!at)
		return 0;
	if (strstr(at, "dadfailed"))
		return err_set(err, LAB_EVIRT,
			       "the NUT found its link-local address to be a duplicate");
	if (strstr(at, "tentative"))
		return 0;
	at += strlen("inet6 ");
	size = strcspn(at, "/ ");
	if (size >= sizeof(address))
		return err_set(err, LAB_EPARSE, "no address in '%s'", text);
	memcpy(address, at, size);
	address[size] = '\0';
	rc = ip6_from_string(address, ret_address, err);
	return rc < 0 ? rc : 1;
}

/* Wait until duplicate address detection of the link-local address is over. */
static int learn_link_local(struct run *run, struct err *err)
{
	static const char *const argv[] = { "ip",  "-6",   "-o",    "addr", "show",
					    "dev", "eth0", "scope", "link", NULL };
	int64_t until_ns = loop_now_ns(run->loop) + ADDRESS_TIMEOUT_NS;
	int rc;

	do {
		struct nut_exec_result result = { 0 };

		rc = run->target.ops->exec(run->target.self, argv, EXEC_TIMEOUT_MS, &result, err);
		if (!rc && result.error_output && strstr(result.error_output, "does not exist"))
			rc = err_set(err, LAB_EVIRT,
				     "the NUT has no interface eth0: its kernel has no driver for "
				     "virtio_net, built in or among the modules that it was given");
		if (!rc)
			rc = parse_link_local(result.output ? result.output : "",
					      run->nut_link_local, err);
		nut_exec_result_release(&result);
		if (rc)
			return rc < 0 ? rc : 0;
		rc = loop_run(run->loop, loop_now_ns(run->loop) + ADDRESS_POLL_NS, NULL, err);
		if (rc < 0)
			return rc;
	} while (loop_now_ns(run->loop) < until_ns);
	return err_set(err, LAB_ETIMEOUT, "the NUT has no link-local address on eth0 after %lld s",
		       (long long)(ADDRESS_TIMEOUT_NS / NS_PER_SECOND));
}

static int report_nut(struct run *run, int64_t boot_ns, struct err *err)
{
	static const char *const argv[] = { "uname", "-r", NULL };
	struct nut_exec_result result = { 0 };
	int rc = run->target.ops->exec(run->target.self, argv, EXEC_TIMEOUT_MS, &result, err);

	if (!rc && result.output) {
		size_t size = strcspn(result.output, "\r\n");

		rc = report(run,
			    json_pack("{s:s,s:s,s:s,s:s,s:o,s:I}", "event", "nut", "state",
				      "booted", "accelerator",
				      accelerator_to_string(
					      run->target.ops->accelerator(run->target.self)),
				      "clock", clock_kind_to_string(loop_get_clock(run->loop)),
				      "uname", json_string_lossy(result.output, size), "boot_ns",
				      (json_int_t)boot_ns),
			    err);
	}
	nut_exec_result_release(&result);
	run->shown = !rc;
	return rc;
}

static void stop_target(struct run *run)
{
	run->ready = false;
	if (run->target.ops)
		run->target.ops->stop(run->target.self);
}

static int make_ready(struct run *run, struct err *err)
{
	int64_t begin_ns = time_monotonic_ns();
	int64_t boot_ns;
	int rc;

	if (run->ready)
		return 0;
	rc = run->target.ops->start(run->target.self, err);
	boot_ns = time_monotonic_ns() - begin_ns;
	if (!rc)
		rc = learn_link_local(run, err);
	if (!rc && !run->shown)
		rc = report_nut(run, boot_ns, err);
	if (!rc)
		rc = run->target.ops->save(run->target.self, err);
	run->ready = !rc;
	if (rc < 0)
		stop_target(run);
	return rc;
}

/* --- tests ----------------------------------------------------------------- */

static int report_attempt(struct run *run, const struct attempt *attempt, json_t *value, bool final,
			  struct err *err)
{
	(void)json_object_set_new(value, "final", json_boolean(final));
	if (final)
		run->counts[attempt->verdict]++;
	return report(run, value, err);
}

/* One attempt; a NUT that cannot be had is an ERROR of that attempt. */
static int try_test(struct run *run, struct attempt *attempt, json_t **ret_report, struct err *err)
{
	struct err reason = ERR_INIT;
	int rc = make_ready(run, &reason);

	attempt->nut_link_local = run->nut_link_local;
	if (rc == LAB_ECANCELLED)
		return err_set(err, rc, "%s", reason.text);
	if (rc < 0) {
		attempt->verdict = VERDICT_ERROR;
		*ret_report = attempt_report_failed(attempt, reason.text);
		return 0;
	}
	rc = attempt_run(attempt, ret_report, err);
	if (rc < 0 || attempt->verdict == VERDICT_ERROR)
		stop_target(run);
	return rc;
}

static bool is_lost(const struct run *run)
{
	switch (run->target.ops->state(run->target.self)) {
	case NUT_STATE_STARTING:
	case NUT_STATE_READY:
	case NUT_STATE_OOPS:
	case NUT_STATE_PANIC:
	case NUT_STATE_HUNG:
		return false; /* the snapshot makes it good again */
	case NUT_STATE_GONE:
	case NUT_STATE_LOST:
	case NUT_STATE_STOPPED:
		return true;
	}
	return true;
}

static int run_test(struct run *run, const struct suite_test *test, struct err *err)
{
	bool hung_before = false;
	int rc = 0;

	for (unsigned number = 1;; number++) {
		struct attempt attempt = {
			.loop = run->loop,
			.link = run->link,
			.target = &run->target,
			.scripts = run->suite->host,
			.test = test->test,
			.folder = run->job.scratch,
			.current = &run->current,
			.position = test->position,
			.number = number,
			.set_environment = run->job.set_environment,
			.hung_before = hung_before,
		};
		json_t *value = NULL;
		bool final;

		rc = try_test(run, &attempt, &value, err);
		if (rc < 0)
			return rc;
		final = attempt.verdict != VERDICT_ERROR || number > run->job.retries;
		rc = report_attempt(run, &attempt, value, final, err);
		if (rc < 0 || final)
			break;
		hung_before = hung_before || attempt.hung;
	}
	if (run->ready && is_lost(run))
		stop_target(run);
	return rc;
}

static int run_tests(struct run *run, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < run->test_count; i++) {
		if (run->job.claims) {
			rc = claim_take(run->job.claims, run->tests[i].test->id, err);
			if (rc < 0)
				break;
			if (!rc)
				continue; /* another shard has it */
		}
		rc = report(run,
			    json_pack("{s:s,s:s,s:I,s:I}", "event", "test-begin", "id",
				      run->tests[i].test->id, "position",
				      (json_int_t)run->tests[i].position, "total",
				      (json_int_t)run->total),
			    err);
		if (!rc)
			rc = run_test(run, &run->tests[i], err);
	}
	return rc;
}

static int report_done(struct run *run, int64_t own_kib, int64_t nut_kib, struct err *err)
{
	json_t *counts = json_object();
	char version[HASH_HEX_SIZE];

	for (unsigned i = 0; i < VERDICT_COUNT_; i++)
		(void)json_object_set_new(counts, verdict_to_string((enum verdict)i),
					  json_integer(run->counts[i]));
	if (run->set)
		suite_version(run->suite, run->set, version);
	else
		hash_of_tests(run, version);
	return report(run,
		      json_pack("{s:s,s:o,s:I,s:I,s:s,s:s?}", "event", "done", "counts", counts,
				"peak_memory_kib", (json_int_t)own_kib, "nut_peak_memory_kib",
				(json_int_t)nut_kib, "suite_version", version, "set", run->job.set),
		      err);
}

/* All tests with one NUT, in this process. */
static int run_here(struct run *run, struct err *err)
{
	struct rusage usage;
	int rc = loop_new(&run->loop, err);

	if (!rc)
		rc = loop_cancel_on_signals(run->loop, err);
	if (!rc)
		rc = open_target(run, err);
	if (!rc)
		rc = make_ready(run, err);
	if (!rc)
		rc = run_tests(run, err);
	if (rc)
		return rc;
	(void)getrusage(RUSAGE_SELF, &usage);
	return report_done(run, usage.ru_maxrss, run->target.ops->peak_memory_kib(run->target.self),
			   err);
}

/* With `count` NUTs, each of a runner of its own. */
static int run_in_shards(struct run *run, const json_t *job, size_t count, struct err *err)
{
	const struct shards_order order = {
		.job = job,
		.scratch = run->job.scratch,
		.tests = run->tests,
		.test_count = run->test_count,
		.count = count,
		.report = run->host->report,
		.user = run->host->user,
	};
	struct shards_result result;
	int rc = shards_run(&order, &result, err);

	if (rc)
		return rc;
	memcpy(run->counts, result.counts, sizeof(run->counts));
	return report_done(run, result.peak_memory_kib, result.nut_peak_memory_kib, err);
}

/* --- the whole ------------------------------------------------------------- */

static void release_run(struct run *run)
{
	if (run->target.ops)
		run->target.ops->free(run->target.self);
	link_close(run->link);
	loop_free(run->loop);
	suite_close(run->suite);
	free(run->tests);
	free(run->cmdline);
}

int run_job(const json_t *json, const struct run_host *host, struct err *err)
{
	auto_cleanup(release_run) struct run run = { .host = host };
	auto_free char *data = NULL;
	size_t count;
	int rc;

	rc = run_job_parse(json, &run.job, err);
	if (!rc)
		rc = fs_find_data(&data, err);
	if (!rc)
		rc = suite_open(data, &run.suite, err);
	if (!rc)
		rc = choose_tests(&run, err);
	if (!rc)
		rc = report_plan(&run, err);
	if (rc)
		return rc;
	count = shards_choose_count(run.job.jobs, run.job.memory_mib, run.test_count);
	return count > 1 ? run_in_shards(&run, json, count, err) : run_here(&run, err);
}

static int report_to_parent(void *user, json_t *value, struct err *err)
{
	(void)user;
	return report_send(REPORT_FD, value, err);
}

const struct run_host run_host_nut = {
	.make_target = target_nut_make,
	.report = report_to_parent,
};
