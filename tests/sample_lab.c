/*
 * A lab's database with plausible and with hostile content, made by the same
 * functions that the orchestrator uses, and a web server over it; for the
 * integration tests of the web side and for measuring it.
 *
 *	sample_lab fill DATABASE [KERNELS SETS TESTS]
 *	sample_lab serve DATABASE ADDRESS PORT      prints its URL, ends when stdin does
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/time.h"
#include "db/artifact.h"
#include "db/db.h"
#include "db/store.h"
#include "orchestrator/orchestrator.h"
#include "web/parse.h"
#include "web/web.h"

#define DAY_US (INT64_C(86400) * US_PER_SECOND)

static struct err failure;

static void must_at(int rc, int line)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "sample_lab.c:%d: %s\n", line, failure.text);
	exit(1);
}
#define must(rc) must_at((rc), __LINE__)

/* There is no orchestrator behind a sample: the lab's is tested with the daemon. */
int orchestrator_ask(struct orchestrator *orchestrator, const json_t *request, json_t **ret_answer,
		     struct err *err)
{
	(void)orchestrator;
	(void)request;
	(void)ret_answer;
	return err_set(err, LAB_EBUSY, "a sample takes no orders");
}

/* --- content --------------------------------------------------------------------- */

static const char hostile_script[] = "<script>alert('name')</script>\"'&amp;";
static const char hostile_bytes[] = "\xff\xfe\xc0\xbc not UTF-8 \x01\x1b[31m\xe2\x80\xae"
				    "drowssap";

static char *long_text(size_t size)
{
	char *text = xcalloc(1, size + 1);

	memset(text, 'W', size);
	return text;
}

struct test {
	const char *id;
	const char *title;
	const char *clause;
};

static const struct test tests[] = {
	{ "v6LC.1.1.1", "Version Field", "RFC 8200 3 MUST" },
	{ "v6LC.1.1.2", "Traffic Class Non-Zero - End Node", "RFC 8200 7 MUST" },
	{ "v6LC.1.1.4.A", "Flow Label Non-Zero - Part A: NUT receives Non-Zero Flow Label",
	  "RFC 8200 6 MUST" },
	{ "v6LC.1.1.5.A", "Payload Length - Part A: Payload Length Odd", "RFC 8200 3 MUST" },
	{ "v6LC.1.1.7.A",
	  "Unrecognized Next Header - Part A: Unrecognized Next Header in IPv6 Header (Multiple "
	  "Values)",
	  "RFC 8200 4 MUST" },
	{ "v6LC.1.1.8", "Hop Limit Zero - End Node", "RFC 8200 3 MUST" },
	{ "v6LC.1.2.1", "Next Header Zero", "RFC 8200 4.1 MUST" },
	{ "v6LC.2.1.1", "On-link determination: link-local address", "RFC 4861 5.2 MUST" },
	{ "v6LC.2.1.2.A", "Resolution Wait Queue - Part A: Single Queue", "RFC 4861 7.2.2 SHOULD" },
	{ "v6LC.3.1.1.A", "Address Autoconfiguration and Duplicate Address Detection",
	  "RFC 4862 5.4 MUST" },
	{ "spec.p2/INIT #1", "An id with a slash, a space and a number sign", "RFC 8200 3 MUST" },
	{ "v6LC.5.1.1.A", "Transmitting Echo Requests", "RFC 4443 4.1 MUST" },
	{ "v6LC.5.1.3", "Reply to Echo Request", "RFC 4443 4.2 MUST" },
	{ hostile_script, hostile_bytes, hostile_script },
};
#define TEST_COUNT (sizeof(tests) / sizeof(tests[0]))

static json_t *field(const char *layer, const char *name, const char *want, const char *got,
		     bool ok)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:b}", "layer", layer, "field", name, "want", want,
			 "got", got, "ok", ok);
}

static json_t *packet(const char *summary, const char *type)
{
	return json_pack("{s:s, s:s, s:[{s:s, s:s, s:i, s:[{s:s, s:s}, {s:s, s:s}]},"
			 " {s:s, s:s, s:i, s:[{s:s, s:s}, {s:s, s:s}, {s:s, s:s}]},"
			 " {s:s, s:s, s:i, s:[{s:s, s:s}, {s:s, s:s}]}]}",
			 "summary", summary, "hex",
			 "5254000000010252540000fe86dd6000000000083a40fe800000000000000000000000000"
			 "00100000000"
			 "fe800000000000000000000000000002800012340001000a",
			 "layers", "layer", "ether", "title", "Ethernet", "size", 14, "fields",
			 "name", "destination", "text", "52:54:00:00:00:01", "name", "source",
			 "text", "02:52:54:00:00:fe", "layer", "ip6", "title", "IPv6", "size", 40,
			 "fields", "name", "hop_limit", "text", "64", "name", "source", "text",
			 "fe80::1", "name", "destination", "text", "fe80::2", "layer", "icmp6",
			 "title", type, "size", 8, "fields", "name", "identifier", "text", "1",
			 "name", "sequence", "text", "10");
}

static json_t *step(int seq, int64_t ms, const char *kind, const char *text)
{
	return json_pack("{s:i, s:I, s:s, s:s, s:s, s:b, s:s}", "seq", seq, "time_ns",
			 (json_int_t)(ms * NS_PER_MS), "kind", kind, "link", "A", "node", "tn1",
			 "ok", 1, "text", text);
}

/* What a passing or failing test looks like: an exchange, and the answer as it should be or not. */
static char *make_steps(const struct test *test, bool passes)
{
	auto_json json_t *steps = json_array();
	json_t *one;

	one = step(0, 0, "note", "TR1 advertises 2001:db8:1::/64");
	json_array_append_new(steps, one);
	one = step(1, 12, "send", "Echo Request with the Hop Limit under test");
	json_object_set_new(one, "packet",
			    packet("Echo Request fe80::1 > fe80::2 id 1 seq 10 hop limit 0",
				   "ICMPv6 Echo Request"));
	json_object_set_new(one, "frame", json_integer(4));
	json_array_append_new(steps, one);
	one = step(2, 14, "expect", "Echo Reply from the NUT within 1 s");
	json_object_set_new(one, "ok", json_boolean(passes));
	json_object_set_new(one, "clause", json_string_lossy(test->clause, strlen(test->clause)));
	json_object_set_new(one, "expected",
			    json_pack("{s:s}", "text",
				      "echo_reply{identifier=1, sequence=10} / hop_limit 1..255"));
	if (passes) {
		json_object_set_new(
			one, "packet",
			packet("Echo Reply fe80::2 > fe80::1 id 1 seq 10", "ICMPv6 Echo Reply"));
		json_object_set_new(one, "fields",
				    json_pack("[o, o]",
					      field("ip6", "hop_limit", "1..255", "64", true),
					      field("echo_reply", "sequence", "10", "10", true)));
	} else {
		json_object_set_new(one, "near_misses",
				    json_pack("[{s:I, s:s, s:[o, o, o]}]", "time_ns",
					      (json_int_t)(13 * NS_PER_MS), "summary",
					      "Echo Reply fe80::2 > fe80::1 id 1 seq 11", "fields",
					      field("ip6", "hop_limit", "1..255", "64", true),
					      field("echo_reply", "identifier", "1", "1", true),
					      field("echo_reply", "sequence", "10", "11", false)));
	}
	json_array_append_new(steps, one);
	json_array_append_new(steps, step(3, 1014, "wait", "1 s"));
	json_array_append_new(steps, step(4, 1020, "command", "ip -6 neigh show dev eth0"));
	json_array_append_new(steps, step(5, 3020, "expect-none", "nothing from the NUT for 2 s"));
	return json_text(steps);
}

/* A descriptor of a file in memory with `size` bytes made from `seed`. */
static int make_file(const char *text, size_t size, unsigned seed)
{
	int fd = memfd_create("sample", MFD_CLOEXEC);
	auto_free char *bytes = xcalloc(1, size + 1);

	for (size_t i = 0; i < size; i++) {
		seed = seed * 1664525u + 1013904223u;
		bytes[i] = (char)(seed >> 24);
	}
	if (text)
		must(write(fd, text, strlen(text)) < 0 ? -1 : 0);
	must(write(fd, bytes, size) < 0 ? -1 : 0);
	must(lseek(fd, 0, SEEK_SET) < 0 ? -1 : 0);
	return fd;
}

static void put_file(struct db *db, struct file_owner owner, const char *role, const char *name,
		     int fd)
{
	int64_t artifact_id;

	must(artifact_add_fd(db, fd, &artifact_id, &failure));
	must(file_put(db, owner, role, name, artifact_id, &failure));
}

/* --- filling ------------------------------------------------------------------------ */

static int64_t add_kernel(struct db *db, int64_t source_id, const char *name, const char *series,
			  const char *sort_key, const char *config, bool known_good)
{
	struct release_row release = {
		.source_id = source_id,
		.name = xstrdup(name),
		.series = xstrdup(series),
		.type = xstrdup("stable"),
		.identity = xasprintf("identity of %s", name),
		.sort_key = xstrdup(sort_key),
		.detail_json = xstrdup("{}"),
		.released_us = time_wall_us() - 2 * DAY_US,
		.prebuilt = known_good,
	};
	int64_t kernel_id;

	must(release_add(db, &release, &failure));
	must(kernel_add(db, release.release_id, config, known_good, &kernel_id, &failure));
	release_row_release(&release);
	return kernel_id;
}

static void build_kernel(struct db *db, int64_t kernel_id, int64_t previous_id)
{
	const struct kernel_build build = {
		.compiler = "gcc (Debian 12.2.0-14+deb12u1) 12.2.0",
		.config_diff = previous_id ? "+CONFIG_NET_NEW=y\n-CONFIG_OLD_THING=m\n-CONFIG_TLS="
					     "y\n+CONFIG_TLS=m\n"
					   : NULL,
		.uname = "6.12.117",
		.previous_kernel_id = previous_id,
		.build_us = 331 * US_PER_SECOND,
		.objects = 1510,
	};
	const struct file_owner owner = { .kernel_id = kernel_id };

	must(kernel_set_built(db, kernel_id, &build, &failure));
	must(kernel_set_state(db, kernel_id, "installed", &failure));
	put_file(db, owner, "image", "bzImage-6.12.117", make_file(NULL, (3u << 20) + 17, 7));
	put_file(db, owner, "config", "config-6.12.117",
		 make_file("CONFIG_IPV6=y\nCONFIG_NET=y\n", 0, 0));
	put_file(db, owner, "build-log", "build.log",
		 make_file("  CC net/ipv6/ip6_input.o\n<b>not markup</b>\n", 0, 0));
}

static void add_verdict(struct db *db, int64_t run_id, const struct test *test, int64_t position,
			const char *verdict, bool final)
{
	bool passes = strcmp(verdict, "PASS") == 0;
	auto_json json_t *clauses = json_array();
	auto_free char *clauses_text = NULL, *steps = make_steps(test, passes), *signature = NULL;
	struct file_owner owner = { 0 };
	struct verdict_new row = {
		.run_id = run_id,
		.test_id = test->id,
		.title = test->title,
		.verdict = verdict,
		.test_version = "5c1f9e2ab0774d21",
		.clock = "virtual",
		.steps_json = steps,
		.position = position,
		.final = final,
		.started_us = time_wall_us() - DAY_US + position * US_PER_SECOND,
		.wall_ns = 143 * NS_PER_MS,
		.clock_ns = 3020 * NS_PER_MS,
		.restore_ns = 41 * NS_PER_MS,
		.teardown_ns = 6 * NS_PER_MS,
	};

	json_array_append_new(clauses, json_string_lossy(test->clause, strlen(test->clause)));
	clauses_text = json_text(clauses);
	row.clauses_json = clauses_text;
	if (!passes) {
		signature = xasprintf("%s/2/mismatch/echo_reply.sequence", test->id);
		row.signature = signature;
		row.reason = strcmp(verdict, "ERROR") == 0
				     ? "the guest agent did not answer within 5 s"
				     : "no Echo Reply with sequence 10 came within 1 s; one with "
				       "sequence 11 did";
	}
	must(verdict_add(db, &row, &owner.verdict_id, &failure));
	if (passes)
		return;
	put_file(db, owner, "console", "console.txt",
		 make_file("[    0.000000] Linux version 6.12.117 <img src=x>\n", 0, 0));
	put_file(db, owner, "capture", "capture.pcapng", make_file("\n\r\r\n", 400, 3));
}

/* `seed` decides what fails; the same seed gives the same verdicts. */
static int64_t add_run(struct db *db, int64_t cycle_id, int64_t kernel_id, const char *set,
		       unsigned seed)
{
	static const char *const others[] = {
		"FAIL", "WARN", "SKIP", "UNSUPPORTED", "FAIL", "ERROR"
	};
	int64_t run_id;

	must(run_add(db, cycle_id, kernel_id, set, "host", &run_id, &failure));
	must(run_set_state(db, run_id, "running", NULL, &failure));
	must(run_set_plan(db, run_id, 426, (int64_t)TEST_COUNT, "9f3ad71c52",
			  "[\"net.ipv6.conf.default.accept_dad=2\"]", &failure));
	must(run_set_machine(db, run_id, "virtual", "tcg", &failure));
	for (size_t i = 0; i < TEST_COUNT; i++) {
		unsigned fate = (unsigned)(i * 7 + seed * 5) % 29;
		const char *verdict = fate < 6 && i > 1 ? others[fate] : "PASS";

		if (i == 3) /* retried on a fresh NUT */
			add_verdict(db, run_id, &tests[i], (int64_t)i, "ERROR", false);
		if (i == 5)
			verdict = "FAIL"; /* in every kernel */
		add_verdict(db, run_id, &tests[i], (int64_t)i, verdict, true);
	}
	must(run_set_state(db, run_id, "done", NULL, &failure));
	must(diff_make(db, run_id, &failure));
	return run_id;
}

static int64_t add_cycle(struct db *db, int64_t kernel_id, const char *reason, const char *by)
{
	const struct cycle_new cycle = { .kernel_id = kernel_id,
					 .reason = reason,
					 .requested_by = by,
					 .sets_json = "[\"smoke\"]" };
	int64_t cycle_id;

	must(cycle_add(db, &cycle, &cycle_id, &failure));
	return cycle_id;
}

static void finish_cycle(struct db *db, int64_t cycle_id, const char *end)
{
	must(cycle_set_state(db, cycle_id, "wait", "build", false, NULL, &failure));
	must(cycle_set_state(db, cycle_id, "build", end, true, "3 of 3 sets tested", &failure));
}

/* What is going on: a build at half, a run after some tests, one that waits. */
static void add_work(struct db *db, int64_t source_id)
{
	int64_t kernel_id, cycle_id, run_id, job_id;
	struct job_new job = { .deadline_us = time_wall_us() + 3600 * US_PER_SECOND };

	kernel_id = add_kernel(db, source_id, "6.12.120-1", "debian 6.12", "0006.0012.0120", "tiny",
			       false);
	must(kernel_set_state(db, kernel_id, "building", &failure));
	job.cycle_id = add_cycle(db, kernel_id, "new release", NULL);
	must(cycle_set_state(db, job.cycle_id, "wait", "build", false, NULL, &failure));
	job.kind = "build";
	must(job_add(db, &job, &job_id, &failure));
	must(job_set_progress(db, job_id, "compile", 812, 1510, "CC net/ipv6/ip6_input.o",
			      &failure));

	kernel_id = add_kernel(db, source_id, "6.12.121-1", "debian 6.12", "0006.0012.0121", "tiny",
			       false);
	build_kernel(db, kernel_id, 0);
	cycle_id = add_cycle(db, kernel_id, "trigger", "api");
	must(cycle_set_state(db, cycle_id, "wait", "test", false, NULL, &failure));
	must(run_add(db, cycle_id, kernel_id, "smoke", "host", &run_id, &failure));
	must(run_set_state(db, run_id, "running", NULL, &failure));
	must(run_set_plan(db, run_id, 426, (int64_t)TEST_COUNT, "9f3ad71c52",
			  "[\"net.ipv6.conf.default.accept_dad=2\"]", &failure));
	add_verdict(db, run_id, &tests[0], 0, "PASS", true);
	job.kind = "run";
	job.cycle_id = cycle_id;
	job.run_id = run_id;
	must(job_add(db, &job, &job_id, &failure));
	must(job_set_progress(db, job_id, "test", 1, (int64_t)TEST_COUNT, "v6LC.1.1.2", &failure));
	(void)add_cycle(db, kernel_id, "trigger", hostile_script);
}

static void add_hostile(struct db *db)
{
	auto_free char *long_name = long_text(250);
	const char *const names[] = { hostile_script, hostile_bytes, long_name };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int64_t source_id, kernel_id, cycle_id;

		must(source_put(db, names[i], "git", names[i], "{}", &source_id, &failure));
		must(source_set_polled(db, source_id, time_wall_us() + DAY_US, names[i], &failure));
		kernel_id =
			add_kernel(db, source_id, names[i], names[i], names[i], names[i], false);
		must(kernel_set_failed(db, kernel_id, names[i], &failure));
		cycle_id = add_cycle(db, kernel_id, names[i], names[i]);
		finish_cycle(db, cycle_id, "failed");
		must(decision_add(db, "build", (struct decision_about){ .kernel_id = kernel_id },
				  &failure, "%s", names[i]));
	}
}

static void add_history(struct db *db, int64_t source_id)
{
	int64_t before = 0, kernel_id, cycle_id, job_id, run_id;

	kernel_id = add_kernel(db, source_id, "6.1.0-41-cloud-amd64", "debian 6.1", "0006.0001",
			       "prebuilt", true);
	build_kernel(db, kernel_id, 0);
	cycle_id = add_cycle(db, kernel_id, "known-good", NULL);
	(void)add_run(db, cycle_id, kernel_id, "smoke", 1);
	finish_cycle(db, cycle_id, "done");
	for (int i = 0; i < 4; i++) {
		char name[32], key[32];
		struct job_new job = { .kind = "build", .deadline_us = time_wall_us() };

		(void)snprintf(name, sizeof(name), "6.12.%d-1~deb12u1", 114 + i);
		(void)snprintf(key, sizeof(key), "0006.0012.%04d", 114 + i);
		kernel_id = add_kernel(db, source_id, name, "debian 6.12", key, "tiny", false);
		build_kernel(db, kernel_id, before);
		job.cycle_id = cycle_id = add_cycle(db, kernel_id, "new release", NULL);
		must(job_add(db, &job, &job_id, &failure));
		must(job_finish(db, job_id, i == 1 ? "interrupted" : "done", i == 1 ? "lost" : NULL,
				i == 1 ? "make: *** [Makefile:2] Error 1\n<b>tail</b>" : NULL,
				&failure));
		must(decision_add(
			db, "build",
			(struct decision_about){ .kernel_id = kernel_id, .source_id = source_id },
			&failure, "%s is new in debian 6.12: to be built with 'tiny'", name));
		(void)add_run(db, cycle_id, kernel_id, "smoke", (unsigned)i);
		(void)add_run(db, cycle_id, kernel_id, "phase2-host", (unsigned)i + 3);
		finish_cycle(db, cycle_id, "done");
		before = kernel_id;
	}
	kernel_id = add_kernel(db, source_id, "6.12.118-1", "debian 6.12", "0006.0012.0118", "tiny",
			       false);
	must(kernel_set_failed(db, kernel_id,
			       "net/ipv6/route.c:42:9: error: expected ';' before 'return'",
			       &failure));
	finish_cycle(db, add_cycle(db, kernel_id, "new release", NULL), "failed");
	kernel_id = add_kernel(db, source_id, "6.12.119-1", "debian 6.12", "0006.0012.0119", "tiny",
			       false);
	build_kernel(db, kernel_id, before);
	cycle_id = add_cycle(db, kernel_id, "new release", NULL);
	must(run_add(db, cycle_id, kernel_id, "smoke", "host", &run_id, &failure));
	must(run_set_state(db, run_id, "failed", "the runner was lost three times", &failure));
	finish_cycle(db, cycle_id, "failed");
}

/* Many rows for measuring: verdicts without evidence, and no diffs. */
static void add_bulk(struct db *db, int64_t source_id, int kernels, int sets, int per_set)
{
	for (int k = 0; k < kernels; k++) {
		char name[32];
		int64_t kernel_id;

		(void)snprintf(name, sizeof(name), "6.13.%d", k);
		kernel_id = add_kernel(db, source_id, name, "bulk", name, "tiny", false);
		must(kernel_set_state(db, kernel_id, "installed", &failure));
		must(db_begin(db, &failure));
		for (int s = 0; s < sets; s++) {
			char set[32];
			int64_t run_id;

			(void)snprintf(set, sizeof(set), "set-%d", s);
			must(run_add(db, 0, kernel_id, set, "host", &run_id, &failure));
			must(run_set_plan(db, run_id, 426, per_set, "x", "[]", &failure));
			for (int t = 0; t < per_set; t++) {
				char id[32];
				const struct verdict_new row = {
					.run_id = run_id,
					.test_id = id,
					.title = "A test of many",
					.position = t,
					.verdict = t % 17 ? "PASS" : "FAIL",
					.signature = t % 17 ? NULL : id,
					.test_version = "x",
					.clock = "virtual",
					.final = true,
					.clauses_json = "[\"RFC 8200 3 MUST\"]",
					.steps_json = "[{\"seq\":0,\"time_ns\":0,\"kind\":\"note\","
						      "\"text\":\"bulk\"}]",
				};
				int64_t verdict_id;

				(void)snprintf(id, sizeof(id), "bulk.%d", t);
				must(verdict_add(db, &row, &verdict_id, &failure));
			}
			must(run_set_state(db, run_id, "done", NULL, &failure));
		}
		must(db_end(db, 0, &failure));
	}
}

/* One that many tests name, also some that never ran; one that none does; and a hostile one. */
static const char sample_clauses[] =
	"[{\"name\":\"RFC 8200 3 should\",\"rfc\":8200,\"rfc_title\":\"Internet Protocol, Version 6\","
	"\"section\":\"3\",\"level\":\"should\",\"requirements\":[{\"summary\":\"the destination "
	"processes a packet whose Hop Limit is zero\",\"who\":\"both\"}],\"tests\":[\"v6LC.1.1.1\","
	"\"v6LC.1.1.2\",\"v6LC.1.1.4.A\",\"v6LC.1.1.5.A\",\"v6LC.1.1.8\",\"v6LC.1.2.1\","
	"\"v6LC.1.9.9\"]},{\"name\":\"RFC 8200 4.7 must\",\"rfc\":8200,\"rfc_title\":"
	"\"Internet Protocol, Version 6\",\"section\":\"4.7\",\"level\":\"must\",\"requirements\":"
	"[{\"summary\":\"octets behind the end are ignored\",\"who\":\"both\"},{\"summary\":"
	"\"they are forwarded unchanged\",\"who\":\"router\"}],\"tests\":[]},{\"name\":"
	"\"RFC 9999 1 MUST\",\"rfc\":9999,\"rfc_title\":\"<script>alert('name')</script>\","
	"\"section\":\"1\",\"level\":\"MUST\",\"requirements\":[{\"summary\":"
	"\"<script>alert('name')</script>\",\"who\":\"host\"}],\"tests\":"
	"[\"<script>alert('name')</script>\"]}]";

static int fill(const char *path, int kernels, int sets, int per_set)
{
	auto_db struct db *db = NULL;
	int64_t source_id;

	must(db_open(path, &db, &failure));
	must(source_put(db, "debian-6.12", "debian", "linux-source-6.12", "{}", &source_id,
			&failure));
	must(source_set_polled(db, source_id, time_wall_us() + 3600 * US_PER_SECOND, NULL,
			       &failure));
	must(lab_set(db, "health", "healthy", &failure));
	must(lab_set(db, "health_note", "6.1.0-41-cloud-amd64 passes what it always passed",
		     &failure));
	must(lab_set_int(db, "health_us", time_wall_us() - 3600 * US_PER_SECOND, &failure));
	must(lab_set_int(db, "started_us", time_wall_us() - DAY_US, &failure));
	must(lab_set(db, "sets",
		     "[{\"name\":\"phase2-host\",\"title\":\"Core Protocols, "
		     "host\",\"role\":\"host\",\"planned\":426,"
		     "\"implemented\":14},{\"name\":\"phase2-router\",\"title\":\"Core Protocols, "
		     "router\",\"role\":"
		     "\"router\",\"planned\":403,\"implemented\":0}]",
		     &failure));
	must(lab_set(db, "clauses", sample_clauses, &failure));
	must(db_begin(db, &failure));
	add_hostile(db);
	add_history(db, source_id);
	add_work(db, source_id);
	must(decision_add(db, "health", (struct decision_about){ 0 }, &failure,
			  "the lab is healthy"));
	must(db_end(db, 0, &failure));
	add_bulk(db, source_id, kernels, sets, per_set);
	return 0;
}

static int serve(const char *path, const char *address, int port)
{
	const struct web_config config = {
		.address = address, .port = port, .db_path = path, .token = getenv("TESTLAB_TOKEN")
	};
	struct web *web = NULL;
	char byte;

	must(web_start(&config, NULL, &web, &failure));
	printf("http://%s:%d\n", address, web_get_port(web));
	(void)fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	web_stop(web);
	return 0;
}

static int number(const char *text)
{
	int64_t value;

	must(parse_integer(text, 0, 65535, &value, &failure));
	return (int)value;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "fill") == 0)
		return fill(argv[2], 0, 0, 0);
	if (argc == 6 && strcmp(argv[1], "fill") == 0)
		return fill(argv[2], number(argv[3]), number(argv[4]), number(argv[5]));
	if (argc == 5 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2], argv[3], number(argv[4]));
	fprintf(stderr, "usage: sample_lab fill DATABASE [KERNELS SETS TESTS]\n"
			"       sample_lab serve DATABASE ADDRESS PORT\n");
	return 2;
}
