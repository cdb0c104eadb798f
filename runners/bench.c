/*
 * Measures of one NUT on the virtual clock, in host time: booting it, loading its
 * snapshot until the first frame is answered, and letting it idle. All in one
 * run, so that they can be put in relation to each other.
 */
#include "runners/bench.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/report.h"
#include "base/time.h"
#include "runners/link.h"
#include "runners/loop.h"
#include "runners/nodes.h"
#include "runners/probe.h"
#include "runners/session.h"
#include "runners/target.h"
#include "runners/target_nut.h"

#define BOOTS           3
#define LOADS           50
#define WAITS           10
#define IDLE_S          3600
#define WAIT_S          60
#define ECHO_TIMEOUT_MS 10000

enum { STATUS_OK = 0, STATUS_USAGE = 2, STATUS_TROUBLE = 3 };

struct bench {
	struct loop *loop;
	struct link *link;
	struct probe probe;
	struct target target;
};

static double seconds_since(int64_t begin_ns)
{
	return (double)(time_monotonic_ns() - begin_ns) / NS_PER_SECOND;
}

/* Prints the measure; drops the reference to `values`. */
static int show(const char *name, json_t *values, struct err *err)
{
	return report_send(STDOUT_FILENO,
			   json_pack("{ss ss so ss}", "event", "measure", "name", name, "values",
				     values, "unit", "s"),
			   err);
}

static int ask(struct bench *bench, struct err *err)
{
	return probe_echo(&bench->probe, bench->loop, bench->link, nodes_nut_mac, ECHO_TIMEOUT_MS,
			  err);
}

/* From nothing to the first answered frame, which every boot must reach. */
static int measure_boots(struct bench *bench, struct err *err)
{
	json_t *agent = json_array(), *frame = json_array();
	int rc = 0;

	for (unsigned i = 0; i < BOOTS && !rc; i++) {
		int64_t begin_ns = time_monotonic_ns();

		if (i)
			bench->target.ops->stop(bench->target.self);
		rc = bench->target.ops->start(bench->target.self, err);
		(void)json_array_append_new(agent, json_real(seconds_since(begin_ns)));
		if (!rc)
			rc = ask(bench, err);
		(void)json_array_append_new(frame, json_real(seconds_since(begin_ns)));
	}
	if (!rc)
		rc = show("boot to agent answer", json_incref(agent), err);
	if (!rc)
		rc = show("boot to first frame answered", json_incref(frame), err);
	json_decref(agent);
	json_decref(frame);
	return rc;
}

static int measure_loads(struct bench *bench, struct err *err)
{
	json_t *load = json_array(), *frame = json_array();
	int rc = bench->target.ops->save(bench->target.self, err);

	for (unsigned i = 0; i < LOADS && !rc; i++) {
		int64_t begin_ns = time_monotonic_ns();

		rc = bench->target.ops->load(bench->target.self, err);
		(void)json_array_append_new(load, json_real(seconds_since(begin_ns)));
		if (!rc)
			rc = ask(bench, err);
		(void)json_array_append_new(frame, json_real(seconds_since(begin_ns)));
	}
	if (!rc)
		rc = show("snapshot load", json_incref(load), err);
	if (!rc)
		rc = show("snapshot load to first frame answered", json_incref(frame), err);
	json_decref(load);
	json_decref(frame);
	return rc;
}

/* Host time for `guest_s` seconds of an idle NUT, `count` times. */
static int measure_idle(struct bench *bench, const char *name, unsigned count, int64_t guest_s,
			struct err *err)
{
	json_t *values = json_array();
	int rc = 0;

	for (unsigned i = 0; i < count && rc >= 0; i++) {
		int64_t begin_ns;

		rc = bench->target.ops->load(bench->target.self, err);
		if (rc < 0)
			break;
		begin_ns = time_monotonic_ns();
		rc = loop_run(bench->loop, loop_now_ns(bench->loop) + guest_s * NS_PER_SECOND, NULL,
			      err);
		(void)json_array_append_new(values, json_real(seconds_since(begin_ns)));
	}
	if (rc >= 0)
		rc = show(name, json_incref(values), err);
	json_decref(values);
	return rc;
}

/* For those who measure what libvirt does by itself. */
static int show_libvirt(struct err *err)
{
	auto_free char *uri = NULL;
	int rc = session_get_uri(&uri, err);

	return rc < 0 ? rc
		      : report_send(STDOUT_FILENO,
				    json_pack("{ss ss}", "event", "libvirt", "uri", uri), err);
}

static int measure(struct bench *bench, const struct target_spec *spec, struct err *err)
{
	int rc = target_nut_make(NULL, bench->loop, spec, &bench->target, err);

	if (!rc)
		rc = measure_boots(bench, err);
	if (!rc)
		rc = show_libvirt(err);
	if (!rc)
		rc = measure_loads(bench, err);
	if (!rc)
		rc = measure_idle(bench, "60 s of an idle NUT", WAITS, WAIT_S, err);
	if (!rc)
		rc = measure_idle(bench, "3600 s of an idle NUT", 1, IDLE_S, err);
	return rc;
}

int bench_main(int argc, char **argv)
{
	struct bench bench = { 0 };
	struct err err = ERR_INIT;
	struct target_spec spec = { .clock = TARGET_CLOCK_VIRTUAL };
	int rc;

	if (argc != 4) {
		fprintf(stderr, "testlab-runner bench: expected IMAGE INITRAMFS FOLDER\n");
		return STATUS_USAGE;
	}
	rc = loop_new(&bench.loop, &err);
	if (!rc)
		rc = loop_cancel_on_signals(bench.loop, &err);
	if (!rc)
		rc = link_open_udp(bench.loop, "B", probe_on_frame, &bench.probe, &bench.link,
				   &err);
	if (!rc) {
		spec.nut = (struct nut_spec){
			.name = "bench",
			.image = argv[1],
			.initramfs = argv[2],
			.folder = argv[3],
			.cmdline =
				"testlab.role=host testlab.sysctl=net.ipv6.conf.all.addr_gen_mode=0",
			.links = { bench.link },
		};
		memcpy(spec.nut.macs[0], nodes_nut_mac, sizeof(nodes_nut_mac));
		rc = measure(&bench, &spec, &err);
	}
	if (bench.target.ops)
		bench.target.ops->free(bench.target.self);
	link_close(bench.link);
	loop_free(bench.loop);
	if (rc < 0)
		fprintf(stderr, "testlab-runner bench: %s\n", err.text);
	return rc < 0 ? STATUS_TROUBLE : STATUS_OK;
}
