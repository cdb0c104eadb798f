/*
 * The doctor. Its checks build on each other, so the first that fails ends it;
 * what could not be tried because of that is not reported as broken.
 */
#include "runners/doctor.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/time.h"
#include "runners/accel.h"
#include "runners/clock_check.h"
#include "runners/clock_virtual.h"
#include "runners/link.h"
#include "runners/loop.h"
#include "runners/nut.h"
#include "runners/probe.h"
#include "runners/session.h"
#include "runners/virt.h"
#include "vclock/protocol.h"

#define DISK_NEEDED_MIB  512 /* snapshots, consoles and captures of a few NUTs */
#define BOOT_TIMEOUT_MS  120000
#define AGENT_TIMEOUT_MS 10000
#define ECHO_TIMEOUT_MS  10000 /* the NUT's address is tentative for 1 to 2 s (RFC 4862 5.4) */
#define LOADS            5
#define CLOCK_SPAN_NS    (10 * NS_PER_SECOND)

struct doctor {
	char *image;     /* NULL if there is no kernel at hand */
	char *initramfs; /* */
	char *folder;    /* for the NUT's files; removed at the end */
	struct loop *loop;
	struct link *link;
	struct probe probe;
	struct nut *nut;
	uint8_t nut_mac[6];
	enum accelerator accelerator; /* the one that runs will use */
	struct clock_virtual *clock;  /* of the loop, or NULL: the clock is real */
};

static void report(const char *name, bool ok, const char *text, const char *mend)
{
	auto_json json_t *check =
		json_pack("{s:s, s:s, s:b, s:o, s:s?}", "event", "check", "name", name, "ok", ok,
			  "text", json_string_lossy(text, strlen(text)), "mend", mend);
	auto_free char *line = json_text(check);

	printf("%s\n", line);
	(void)fflush(stdout); /* a reader shows it at once */
}

/* Report a check that did not work, with the reason; returns its code. */
static int broken(const char *name, const struct err *err, const char *mend)
{
	report(name, false, err->text, mend);
	return err->code;
}

static int check_session(struct doctor *doctor)
{
	struct err err = ERR_INIT;
	auto_free char *folder = NULL;

	(void)doctor;
	if (session_get_socket_folder(&folder, &err) < 0)
		return broken("session", &err,
			      "set XDG_RUNTIME_DIR to a folder that only you can write to");
	report("session", true, folder, NULL);
	return 0;
}

static int check_libvirt(struct doctor *doctor)
{
	struct err err = ERR_INIT;
	auto_free char *text = NULL;
	struct virt *virt;

	(void)doctor;
	if (virt_open(NULL, &virt, &err) < 0)
		return broken(
			"libvirt", &err,
			"apt-get install libvirt-daemon libvirt-daemon-driver-qemu; as root, "
			"user namespaces have to be allowed (sysctl user.max_user_namespaces)");
	text = virt_describe(virt);
	virt_close(virt);
	report("libvirt", true, text ? text : "connected", NULL);
	return 0;
}

static int check_qemu(struct doctor *doctor)
{
	struct err err = ERR_INIT;
	auto_free char *text = NULL;

	(void)doctor;
	if (accel_find_qemu(&text, &err) < 0)
		return broken("qemu", &err, "apt-get install qemu-system-x86 qemu-utils");
	report("qemu", true, text, NULL);
	return 0;
}

static int check_disk(struct doctor *doctor)
{
	struct err err = ERR_INIT;
	auto_free char *text = NULL;
	int64_t free_bytes = fs_free_bytes(doctor->folder, &err);

	if (free_bytes < 0)
		return broken("scratch", &err, "set TMPDIR to a folder that you can write to");
	text = xasprintf("'%s' has %lld MiB free, %d are needed", doctor->folder,
			 (long long)(free_bytes >> 20), DISK_NEEDED_MIB);
	report("scratch", free_bytes >> 20 >= DISK_NEEDED_MIB, text,
	       free_bytes >> 20 >= DISK_NEEDED_MIB ? NULL : "make room there, or set TMPDIR");
	return free_bytes >> 20 >= DISK_NEEDED_MIB ? 0 : LAB_EFAIL;
}

static int check_kernel(struct doctor *doctor)
{
	auto_free char *text = NULL;

	if (!doctor->image) {
		report("kernel", false, "there is no kernel at hand to boot, so no NUT was tried",
		       "run `testlab-runner doctor --kernel IMAGE --initramfs FILE` once, with "
		       "what "
		       "`testlab-builder` made (`testlab run --keep DIR` leaves both); they are "
		       "kept");
		return LAB_ENOTFOUND;
	}
	text = xasprintf("'%s' with '%s'", doctor->image, doctor->initramfs);
	report("kernel", true, text, NULL);
	return 0;
}

static int check_accelerator(struct doctor *doctor)
{
	struct err err = ERR_INIT;
	auto_free char *found = NULL, *text = NULL;

	if (accel_choose(ACCELERATOR_AUTO, doctor->image, doctor->initramfs, &doctor->accelerator,
			 &found, &err) < 0)
		return broken("accelerator", &err, "run it again; see what QEMU says on this host");
	text = xasprintf("%s: %s", accelerator_to_string(doctor->accelerator), found);
	/* TCG is slower, not wrong; and the virtual clock needs it. */
	report("accelerator", true, text, NULL);
	return 0;
}

static const char clock_mend[] = "`make install` puts " VCLOCK_LIBRARY
				 " beside testlab-runner; until the virtual clock works, "
				 "runs need `--clock real`";

/* As for a run with `--clock auto`: virtual where QEMU translates. */
static int set_clock(struct doctor *doctor, struct nut_spec *spec, struct err *err)
{
	auto_free char *folder = NULL, *path = NULL;
	int rc;

	if (doctor->accelerator != ACCELERATOR_TCG)
		return 0;
	rc = session_get_socket_folder(&folder, err);
	if (rc < 0)
		return rc;
	path = xasprintf("%s/doctor-%d.clock", folder, (int)getpid());
	rc = clock_virtual_new(doctor->loop, path, &doctor->link, 1, &doctor->clock, err);
	if (rc < 0)
		return rc;
	spec->accelerator = ACCELERATOR_TCG;
	spec->hide_tsc = true;
	spec->environment = clock_virtual_get_env(doctor->clock);
	return 0;
}

static int check_boot(struct doctor *doctor)
{
	struct nut_spec spec = {
		.name = "doctor",
		.image = doctor->image,
		.initramfs = doctor->initramfs,
		.folder = doctor->folder,
		.cmdline = "testlab.role=host "
			   "testlab.sysctl=net.ipv6.conf.default.addr_gen_mode=0",
		.links = { doctor->link },
	};
	static const char mend[] =
		"look at what libvirt and QEMU say above; another kernel may boot";
	int64_t began_ns = time_monotonic_ns();
	struct err err = ERR_INIT;
	auto_free char *text = NULL;
	int64_t started_ms;

	memcpy(spec.macs[0], doctor->nut_mac, sizeof(spec.macs[0]));
	if (set_clock(doctor, &spec, &err) < 0)
		return broken("clock", &err, clock_mend);
	if (nut_start(doctor->loop, &spec, &doctor->nut, &err) < 0)
		return broken("start", &err, mend);
	started_ms = (time_monotonic_ns() - began_ns) / NS_PER_MS;
	text = xasprintf("a virtual machine was started in %lld ms", (long long)started_ms);
	report("start", true, text, NULL);
	if (nut_wait_ready(doctor->nut, BOOT_TIMEOUT_MS, &err) < 0)
		return broken("boot", &err, mend);
	free(text);
	text = xasprintf("the kernel booted and the guest agent answered after %lld ms, with %s",
			 (long long)((time_monotonic_ns() - began_ns) / NS_PER_MS),
			 accelerator_to_string(nut_get_accelerator(doctor->nut)));
	report("boot", true, text, NULL);
	return 0;
}

static int check_console(struct doctor *doctor)
{
	static const char words[] = "Linux version ";
	auto_free char *console = nut_console_text(doctor->nut, 0, 65536);
	const char *version = strstr(console, words);
	auto_free char *text = NULL;

	if (!version) {
		report("console", false, "the kernel's messages did not reach the console",
		       "the kernel needs CONFIG_SERIAL_8250_CONSOLE");
		return LAB_EFAIL;
	}
	text = xasprintf("%lld bytes, of Linux %.*s", (long long)nut_console_size(doctor->nut),
			 (int)strcspn(version + strlen(words), " "), version + strlen(words));
	report("console", true, text, NULL);
	return 0;
}

/* Run a program; *ret_ms is how long it took. */
static int try_agent(struct doctor *doctor, int64_t *ret_ms, char **ret_output, struct err *err)
{
	int64_t began_ns = time_monotonic_ns();
	struct nut_exec_result result = { 0 };
	int rc;

	rc = nut_exec(doctor->nut, (const char *[]){ "uname", "-r", NULL }, AGENT_TIMEOUT_MS,
		      &result, err);
	if (rc < 0)
		return rc;
	*ret_ms = (time_monotonic_ns() - began_ns) / NS_PER_MS;
	*ret_output = xstrndup(result.output, strcspn(result.output, "\n"));
	if (result.exit_status != 0 || !**ret_output)
		rc = err_set(err, LAB_EFAIL, "'uname -r' in the NUT ended with status %d",
			     result.exit_status);
	nut_exec_result_release(&result);
	return rc;
}

static int check_agent(struct doctor *doctor)
{
	auto_free char *output = NULL, *text = NULL;
	struct err err = ERR_INIT;
	int64_t ms;

	if (try_agent(doctor, &ms, &output, &err) < 0)
		return broken("agent", &err,
			      "the initramfs needs qemu-guest-agent with guest-exec");
	text = xasprintf("'uname -r' said '%s' after %lld ms", output, (long long)ms);
	report("agent", true, text, NULL);
	return 0;
}

/* The self-test of the clock that runs will have. */
static int check_clock(struct doctor *doctor)
{
	struct clock_check check;
	struct err err = ERR_INIT;
	auto_free char *text = NULL;

	if (doctor->clock && !clock_virtual_is_connected(doctor->clock)) {
		report("clock", false, "QEMU did not load " VCLOCK_LIBRARY, clock_mend);
		return LAB_EFAIL;
	}
	if (clock_check(doctor->loop, doctor->nut, CLOCK_SPAN_NS, &check, &err) < 0)
		return broken("clock", &err, clock_mend);
	text = xasprintf("%s: %.2f s passed, %.2f s by the NUT's own clock, %.3f s by the host's",
			 clock_kind_to_string(loop_get_clock(doctor->loop)),
			 (double)check.loop_ns / 1e9, (double)check.guest_ns / 1e9,
			 (double)check.host_ns / 1e9);
	report("clock", true, text, NULL);
	return 0;
}

static int check_link(struct doctor *doctor)
{
	int64_t began_ns = loop_now_ns(doctor->loop);
	struct err err = ERR_INIT;
	auto_free char *text = NULL;

	if (probe_echo(&doctor->probe, doctor->loop, doctor->link, doctor->nut_mac, ECHO_TIMEOUT_MS,
		       &err) < 0)
		return broken("link", &err, "the kernel needs IPv6 and virtio-net");
	text = xasprintf("an Echo Request was answered, %lld ms after the first was sent",
			 (long long)((doctor->probe.answered_ns - began_ns) / NS_PER_MS));
	report("link", true, text, NULL);
	return 0;
}

static int compare_times(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

/* Load the snapshot a few times and have it answer; the medians are the text. */
static int try_snapshots(struct doctor *doctor, char **ret_text, struct err *err)
{
	int64_t load_us[LOADS], answer_us[LOADS], began_ns = time_monotonic_ns(), save_ms, ms;
	auto_free char *output = NULL;
	int rc;

	rc = nut_save(doctor->nut, "doctor", err);
	save_ms = (time_monotonic_ns() - began_ns) / NS_PER_MS;
	for (int i = 0; i < LOADS && rc == 0; i++) {
		began_ns = time_monotonic_ns();
		rc = nut_load(doctor->nut, "doctor", err);
		load_us[i] = (time_monotonic_ns() - began_ns) / NS_PER_US;
		if (rc == 0)
			rc = probe_echo(&doctor->probe, doctor->loop, doctor->link, doctor->nut_mac,
					ECHO_TIMEOUT_MS, err);
		answer_us[i] = (time_monotonic_ns() - began_ns) / NS_PER_US;
	}
	if (rc == 0)
		rc = try_agent(doctor, &ms, &output, err);
	if (rc < 0)
		return rc;
	qsort(load_us, LOADS, sizeof(load_us[0]), compare_times);
	qsort(answer_us, LOADS, sizeof(answer_us[0]), compare_times);
	*ret_text = xasprintf("saved in %lld ms; loaded %d times in %.1f ms (median), and %.1f ms "
			      "until an Echo Request was answered",
			      (long long)save_ms, LOADS, (double)load_us[LOADS / 2] / 1000.0,
			      (double)answer_us[LOADS / 2] / 1000.0);
	return 0;
}

static int check_snapshot(struct doctor *doctor)
{
	struct err err = ERR_INIT;
	auto_free char *text = NULL;

	if (try_snapshots(doctor, &text, &err) < 0)
		return broken("snapshot", &err,
			      "QEMU has to have savevm and a qcow2 disk (qemu-utils)");
	report("snapshot", true, text, NULL);
	return 0;
}

/* --- the kernel at hand ------------------------------------------------------- */

static char *kept_path(const char *name)
{
	const char *cache = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");

	if (cache && *cache == '/')
		return xasprintf("%s/testlab/doctor/%s", cache, name);
	return home && *home == '/' ? xasprintf("%s/.cache/testlab/doctor/%s", home, name) : NULL;
}

static void find_kept(struct doctor *doctor)
{
	auto_free char *image = kept_path("bzImage");
	auto_free char *initramfs = kept_path("initramfs.img");

	if (doctor->image || !image || !fs_exists(image) || !fs_exists(initramfs))
		return;
	doctor->image = STEAL_PTR(image);
	doctor->initramfs = STEAL_PTR(initramfs);
}

/* Failing to keep them costs only that they have to be named again. */
static void keep(const struct doctor *doctor)
{
	auto_free char *folder = kept_path("");
	auto_free char *image = kept_path("bzImage");
	auto_free char *initramfs = kept_path("initramfs.img");

	if (!folder || strcmp(doctor->image, image) == 0 ||
	    fs_mkdir_parents(folder, 0700, NULL) < 0)
		return;
	if (fs_copy_file(doctor->image, image, 0600, NULL) == 0)
		(void)fs_copy_file(doctor->initramfs, initramfs, 0600, NULL);
}

/* --- all of it ------------------------------------------------------------------ */

static int run_checks(struct doctor *doctor)
{
	static int (*const checks[])(struct doctor * doctor) = {
		check_session,     check_libvirt, check_qemu, check_disk,
		check_accelerator, check_kernel,  check_boot, check_console,
		check_agent,       check_clock,   check_link, check_snapshot,
	};

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		if (checks[i](doctor) < 0)
			return 3;
	keep(doctor);
	return 0;
}

static int set_up(struct doctor *doctor, struct err *err)
{
	const char *temporary = getenv("TMPDIR");
	int rc;

	doctor->folder = xasprintf("%s/testlab-doctor-XXXXXX",
				   temporary && *temporary == '/' ? temporary : "/tmp");
	if (!mkdtemp(doctor->folder)) {
		free(STEAL_PTR(doctor->folder));
		return err_set(err, LAB_EFAIL, "cannot make a folder for temporary files in '%s'",
			       temporary ? temporary : "/tmp");
	}
	rc = loop_new(&doctor->loop, err);
	if (rc == 0)
		rc = loop_cancel_on_signals(doctor->loop, err);
	if (rc == 0)
		rc = link_open_udp(doctor->loop, "a", probe_on_frame, &doctor->probe, &doctor->link,
				   err);
	return rc;
}

static void tear_down(struct doctor *doctor)
{
	nut_stop(doctor->nut);
	link_close(doctor->link);
	loop_free(doctor->loop);
	if (doctor->folder)
		(void)fs_remove_tree(doctor->folder, NULL);
	free(doctor->folder);
	free(doctor->image);
	free(doctor->initramfs);
}

static int parse_options(struct doctor *doctor, int argc, char **argv)
{
	static const struct option options[] = {
		{ "kernel", required_argument, NULL, 'k' },
		{ "initramfs", required_argument, NULL, 'i' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		char **path = option == 'k'   ? &doctor->image
			      : option == 'i' ? &doctor->initramfs
					      : NULL;

		if (!path)
			return 2; /* getopt has said why */
		free(*path);
		*path = realpath(optarg, NULL);
		if (!*path) {
			fprintf(stderr, "testlab-runner doctor: '%s': %m\n", optarg);
			return 2;
		}
	}
	if (optind < argc || !doctor->image != !doctor->initramfs) {
		fprintf(stderr, "usage: testlab-runner doctor [--kernel IMAGE --initramfs FILE]\n");
		return 2;
	}
	return 0;
}

int doctor_main(int argc, char **argv)
{
	struct doctor doctor = { .nut_mac = { 0x02, 0x00, 0x00, 0x00, 0x01, 0xaa } };
	struct err err = ERR_INIT;
	int status = parse_options(&doctor, argc, argv);

	find_kept(&doctor);
	if (status == 0 && set_up(&doctor, &err) < 0)
		status = 3;
	if (err.code)
		report("scratch", false, err.text, "set TMPDIR to a folder that you can write to");
	if (status == 0)
		status = run_checks(&doctor);
	tear_down(&doctor);
	return status;
}
