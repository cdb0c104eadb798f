/*
 * A NUT without the engine, for tests/integration/30*-nut*.sh:
 *
 *   nut-driver FOLDER IMAGE INITRAMFS STEP...
 *
 * starts a NUT with one link and its files in FOLDER, and takes the steps one
 * after another; each prints one line, what came of it in words, then
 * "[STATE MILLISECONDS]". Steps go on when one fails; only a NUT that cannot be
 * started ends the program, with status 1.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/time.h"
#include "runners/link.h"
#include "runners/loop.h"
#include "runners/nut.h"
#include "runners/probe.h"

#define BOOT_TIMEOUT_MS 60000
#define EXEC_TIMEOUT_MS 5000
#define PING_TIMEOUT_MS 2000
#define ECHO_TIMEOUT_MS 5000

struct bench {
	struct loop *loop;
	struct link *link;
	struct probe probe;
	struct nut *nut;
	uint64_t frames; /* that came from the NUT */
};

static const uint8_t nut_mac[6] = { 0x02, 0x00, 0x00, 0x00, 0x01, 0xaa };
/* A full frame to the NUT of a type that is nobody's (IEEE 802, local experimental 1). */
static const uint8_t filler[1514] = {
	0x02, 0x00, 0x00, 0x00, 0x01, 0xaa, 0x02, 0x00, 0x00, 0x00, 0x0f, 0x01, 0x88, 0xb5,
};

static void on_frame(struct link *link, const uint8_t *frame, size_t size, int64_t time_ns,
		     void *user)
{
	struct bench *bench = user;

	bench->frames++;
	probe_on_frame(link, frame, size, time_ns, &bench->probe);
}

static void say(int rc, const struct err *err)
{
	if (rc < 0)
		printf("error %s", err->text);
	else
		printf("ok");
}

static int step_ready(struct bench *bench, const char *argument, struct err *err)
{
	(void)argument;
	return nut_wait_ready(bench->nut, BOOT_TIMEOUT_MS, err);
}

static int step_exec(struct bench *bench, const char *argument, struct err *err)
{
	struct nut_exec_result result = { 0 };
	int rc = nut_exec(bench->nut, (const char *[]){ "sh", "-c", argument, NULL },
			  EXEC_TIMEOUT_MS, &result, err);

	if (rc == 0) {
		result.output[strcspn(result.output, "\n")] = '\0';
		printf("%d '%s' ", result.exit_status, result.output);
	}
	nut_exec_result_release(&result);
	return rc;
}

static int step_ping(struct bench *bench, const char *argument, struct err *err)
{
	(void)argument;
	return nut_ping(bench->nut, PING_TIMEOUT_MS, err) ? 0 : err->code;
}

static int step_echo(struct bench *bench, const char *argument, struct err *err)
{
	(void)argument;
	return probe_echo(&bench->probe, bench->loop, bench->link, nut_mac, ECHO_TIMEOUT_MS, err);
}

static int step_save(struct bench *bench, const char *argument, struct err *err)
{
	return nut_save(bench->nut, argument, err);
}

static int step_load(struct bench *bench, const char *argument, struct err *err)
{
	return nut_load(bench->nut, argument, err);
}

static int step_reboot(struct bench *bench, const char *argument, struct err *err)
{
	int rc = nut_reboot(bench->nut, err);

	(void)argument;
	return rc < 0 ? rc : nut_wait_ready(bench->nut, BOOT_TIMEOUT_MS, err);
}

static int step_wait(struct bench *bench, const char *argument, struct err *err)
{
	return loop_run(bench->loop,
			loop_now_ns(bench->loop) + strtoll(argument, NULL, 10) * NS_PER_MS, NULL,
			err);
}

/* Until the state is no longer "ready", for at most 60 s. */
static void set_flag(struct nut *nut, void *user)
{
	(void)nut;
	*(bool *)user = true;
}

static int step_trouble(struct bench *bench, const char *argument, struct err *err)
{
	bool seen = nut_get_state(bench->nut) > NUT_STATE_READY;
	int rc;

	(void)argument;
	nut_on_trouble(bench->nut, set_flag, &seen);
	rc = loop_run(bench->loop, loop_now_ns(bench->loop) + 60 * NS_PER_SECOND, &seen, err);
	nut_on_trouble(bench->nut, NULL, NULL);
	printf("'%s' ", nut_get_trouble(bench->nut));
	return rc;
}

static int step_kill_qemu(struct bench *bench, const char *argument, struct err *err)
{
	(void)argument;
	(void)err;
	(void)kill(nut_get_pid(bench->nut), SIGKILL); /* the next steps see what it did */
	return 0;
}

static int compare_times(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

/* Load the snapshot "base" N times; after each, an answer to an Echo Request and a program. */
static int step_cycles(struct bench *bench, const char *argument, struct err *err)
{
	size_t count = strtoul(argument, NULL, 10);
	auto_free int64_t *load_us = xcalloc(count + 1, sizeof(*load_us));
	auto_free int64_t *answer_us = xcalloc(count + 1, sizeof(*answer_us));
	size_t done = 0;
	int rc = 0;

	for (; done < count && rc == 0; done++) {
		struct nut_exec_result result = { 0 };
		int64_t began_ns = time_monotonic_ns();

		rc = nut_load(bench->nut, "base", err);
		load_us[done] = (time_monotonic_ns() - began_ns) / NS_PER_US;
		if (rc == 0)
			rc = step_echo(bench, NULL, err);
		answer_us[done] = (time_monotonic_ns() - began_ns) / NS_PER_US;
		if (rc == 0)
			rc = nut_exec(bench->nut, (const char *[]){ "true", NULL }, EXEC_TIMEOUT_MS,
				      &result, err);
		nut_exec_result_release(&result);
	}
	qsort(load_us, done, sizeof(*load_us), compare_times);
	qsort(answer_us, done, sizeof(*answer_us), compare_times);
	printf("%zu load %.1f ms answer %.1f ms ", done, (double)load_us[done / 2] / 1000.0,
	       (double)answer_us[done / 2] / 1000.0);
	return rc;
}

/*
 * Send N Echo Requests right before loading "base", and again while the guest does not
 * take any; then be quiet: nothing of that may reach the guest, nor an old answer us.
 */
static int step_stale(struct bench *bench, const char *argument, struct err *err)
{
	uint64_t before;
	int rc = 0;

	for (long i = strtol(argument, NULL, 10); i > 0 && rc == 0; i--) {
		rc = link_send(bench->link, filler, sizeof(filler), NULL, err);
		if (rc == 0)
			rc = probe_echo(&bench->probe, bench->loop, bench->link, nut_mac, 1, err);
		if (rc == LAB_ETIMEOUT)
			rc = 0;
	}
	if (rc == 0)
		rc = nut_load(bench->nut, "base", err);
	before = bench->frames;
	if (rc == 0)
		rc = step_wait(bench, "1000", err);
	printf("%llu frames ", (unsigned long long)(bench->frames - before));
	return rc;
}

/* N full frames at once, with nobody reading in between. */
static int step_burst(struct bench *bench, const char *argument, struct err *err)
{
	struct link_counters counters;
	int rc = 0;

	for (long i = strtol(argument, NULL, 10); i > 0 && rc == 0; i--)
		rc = link_send(bench->link, filler, sizeof(filler), NULL, err);
	if (rc == 0)
		rc = step_wait(bench, "100", err);
	link_get_counters(bench->link, &counters);
	printf("%llu lost ", (unsigned long long)counters.nut_dropped);
	return rc;
}

static const struct step {
	const char *name;
	int (*take)(struct bench *bench, const char *argument, struct err *err);
} steps[] = {
	{ "ready", step_ready },         { "exec", step_exec },     { "ping", step_ping },
	{ "echo", step_echo },           { "save", step_save },     { "load", step_load },
	{ "reboot", step_reboot },       { "wait", step_wait },     { "trouble", step_trouble },
	{ "kill-qemu", step_kill_qemu }, { "cycles", step_cycles }, { "stale", step_stale },
	{ "burst", step_burst },
};

/* "NAME" or "NAME:ARGUMENT". */
static void take_step(struct bench *bench, const char *text)
{
	size_t length = strcspn(text, ":");
	int64_t began_ns = time_monotonic_ns();
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (strlen(steps[i].name) != length || strncmp(steps[i].name, text, length) != 0)
			continue;
		printf("%s: ", steps[i].name);
		say(steps[i].take(bench, text + length + (text[length] == ':'), &err), &err);
		printf(" [%s %lld]\n", nut_state_to_string(nut_get_state(bench->nut)),
		       (long long)((time_monotonic_ns() - began_ns) / NS_PER_MS));
		return;
	}
	printf("%s: there is no such step\n", text);
}

static int start(struct bench *bench, char **argv, struct err *err)
{
	struct nut_spec spec = {
		.name = "driver",
		.folder = argv[1],
		.image = argv[2],
		.initramfs = argv[3],
		/* Silent when it has its address, so that every frame has a cause. */
		.cmdline = "testlab.role=host testlab.sysctl=net.ipv6.conf.default.addr_gen_mode=0,"
			   "net.ipv6.conf.default.router_solicitations=0",
		.accelerator = ACCELERATOR_TCG,
		.hide_tsc = true,
	};
	int rc;

	rc = loop_new(&bench->loop, err);
	if (rc == 0)
		rc = loop_cancel_on_signals(bench->loop, err);
	if (rc == 0)
		rc = link_open_udp(bench->loop, "a", on_frame, bench, &bench->link, err);
	spec.links[0] = bench->link;
	memcpy(spec.macs[0], nut_mac, sizeof(nut_mac));
	return rc == 0 ? nut_start(bench->loop, &spec, &bench->nut, err) : rc;
}

int main(int argc, char **argv)
{
	struct bench bench = { 0 };
	struct err err = ERR_INIT;
	int rc;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 4) {
		fprintf(stderr, "usage: nut-driver FOLDER IMAGE INITRAMFS STEP...\n");
		return 2;
	}
	rc = start(&bench, argv, &err);
	printf("start: ");
	say(rc, &err);
	printf("\n");
	for (int i = 4; i < argc && rc == 0; i++)
		take_step(&bench, argv[i]);
	nut_stop(bench.nut);
	link_close(bench.link);
	loop_free(bench.loop);
	return rc < 0;
}
