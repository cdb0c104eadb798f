/*
 * testlab doctor: checks every part a run needs by using it. The runner checks
 * libvirt, QEMU, KVM and the NUT; here are those that are not its business.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/proc.h"
#include "base/report.h"
#include "cli/commands.h"
#include "cli/image.h"
#include "cli/scratch.h"
#include "cli/show.h"
#include "base/worker.h"

#define PROGRAM_TIMEOUT_MS 10000
#define RUNNER_TIMEOUT_MS  300000
#define DISK_RUN_MIB       512   /* initramfs, snapshots and captures of a few NUTs */
#define DISK_BUILD_MIB     12288 /* sources and objects of two kernels */

#define KERNEL_PACKAGE "linux-image-cloud-amd64"

enum { OPTION_FORMAT = 1, OPTION_KERNEL, OPTION_MODULES };

static const struct option_row options[] = {
	{ OPTION_KERNEL, "kernel", "IMAGE",
	  "boot this kernel (default: Debian's " KERNEL_PACKAGE ", which is fetched)" },
	{ OPTION_MODULES, "modules", "DIR", "lib/modules/VERSION folder of --kernel" },
	{ OPTION_FORMAT, "format", "FORMAT", "text (default) or json" },
	{ 0 },
};

struct doctor {
	bool is_json;
	bool all_ok;
	json_t *checks;         /* what was found, in order */
	struct err fault;       /* of the runner's output */
	char *kernel, *modules; /* given, or fetched; NULL if there is none */
	char *initramfs;        /* made for it; NULL if there is none */
	int signal_fd;
	struct scratch scratch;
	struct progress progress;
};

static int take_path(const char *what, const char *value, char **ret_path, struct err *err)
{
	char *path = realpath(value, NULL);

	if (!path)
		return err_set(err, LAB_EINVALID, "%s '%s': %s", what, value, strerror(errno));
	free(*ret_path);
	*ret_path = path;
	return 0;
}

static int take_option(int id, const char *value, void *settings, struct err *err)
{
	struct doctor *doctor = settings;

	switch (id) {
	case OPTION_KERNEL:
		return take_path("kernel", value, &doctor->kernel, err);
	case OPTION_MODULES:
		return take_path("modules", value, &doctor->modules, err);
	case OPTION_FORMAT:
		doctor->is_json = strcmp(value, "json") == 0;
		return parse_word("format", value, format_words, err);
	}
	return err_set(err, LAB_EINVALID, "option %d: not handled", id);
}

static void add_check(struct doctor *doctor, json_t *check)
{
	bool is_ok = json_bool_or(check, "ok", false);
	const char *mend = json_string_or(check, "mend", NULL);

	doctor->all_ok = doctor->all_ok && is_ok;
	(void)json_array_append(doctor->checks, check);
	if (doctor->is_json)
		return;
	progress_clear(&doctor->progress);
	printf("%-5s ", is_ok ? "ok" : "BAD");
	printf("%-16s ", json_string_or(check, "name", "?"));
	show_text(stdout, json_string_or(check, "text", ""));
	printf("\n");
	if (mend) {
		printf("      %-16s to mend: ", "");
		show_text(stdout, mend);
		printf("\n");
	}
	(void)fflush(stdout);
}

static void add_result(struct doctor *doctor, const char *name, bool is_ok, const char *text,
		       const char *mend)
{
	auto_json json_t *lossy = json_string_lossy(text, strlen(text));
	auto_json json_t *check = json_pack("{s:s,s:b,s:O,s:s?}", "name", name, "ok", is_ok, "text",
					    lossy, "mend", is_ok ? NULL : mend);

	add_check(doctor, check);
}

/* The first line that `argv` prints, as proof that it works. */
static void check_program(struct doctor *doctor, const char *name, const char *const *argv,
			  const char *mend)
{
	auto_cleanup(buf_release_p) struct buf output = BUF_INIT(65536);
	struct proc_spec spec = { .argv = argv,
				  .output = &output,
				  .timeout_ms = PROGRAM_TIMEOUT_MS };
	struct err err = ERR_INIT;
	int rc = proc_run(&spec, &err);

	if (output.data)
		output.data[strcspn(output.data, "\n")] = '\0';
	if (rc > 0)
		(void)err_set(&err, LAB_ECHILD, "'%s' ends with status %d", argv[0], rc);
	add_result(doctor, name, rc == 0, rc == 0 && output.data ? output.data : err.text, mend);
}

static void check_helper(struct doctor *doctor, const char *name)
{
	auto_free char *path = NULL;
	struct err err = ERR_INIT;
	int rc = fs_find_program(name, &path, &err);

	add_result(doctor, name, rc == 0, rc == 0 ? path : err.text,
		   "run `make`, or `make install`");
}

static void check_data(struct doctor *doctor)
{
	auto_free char *path = NULL;
	struct err err = ERR_INIT;
	int rc = fs_find_data(&path, &err);

	add_result(doctor, "data", rc == 0, rc == 0 ? path : err.text,
		   "run from the source tree, `make install`, or set TESTLAB_DATA");
}

static void check_disk(struct doctor *doctor, const char *name, const char *folder,
		       int64_t need_mib)
{
	struct err err = ERR_INIT;
	int64_t bytes = fs_free_bytes(folder, &err);
	auto_free char *text = bytes < 0
				       ? xstrdup(err.text)
				       : xasprintf("%s has %lld MiB free, %lld are needed", folder,
						   (long long)(bytes >> 20), (long long)need_mib);
	auto_free char *mend = xasprintf("make room in %s, or set TMPDIR or HOME", folder);

	add_result(doctor, name, bytes >> 20 >= need_mib, text, mend);
}

/* A kernel to boot: the one given, else Debian's. Makes the NUT's image, which checks the builder. */
static void check_builder(struct doctor *doctor)
{
	auto_free char *kernel_folder = path_join(doctor->scratch.path, "kernel");
	auto_free char *image_folder = path_join(doctor->scratch.path, "image");
	struct image_order order = { .folder = kernel_folder,
				     .signal_fd = doctor->signal_fd,
				     .progress = &doctor->progress };
	struct err err = ERR_INIT;
	int rc = 0;

	if (!doctor->kernel) {
		rc = image_fetch_kernel(&order, KERNEL_PACKAGE, &doctor->kernel, &doctor->modules,
					&err);
		add_result(doctor, "apt", rc == 0, rc == 0 ? "fetched " KERNEL_PACKAGE : err.text,
			   "let apt reach a Debian mirror (`apt-get update`), or name a kernel "
			   "with --kernel");
	}
	if (rc < 0)
		return;
	order.folder = image_folder;
	rc = image_make(&order, doctor->kernel, doctor->modules, "host", &doctor->initramfs, &err);
	add_result(doctor, "NUT image", rc == 0, rc == 0 ? "made from Debian packages" : err.text,
		   "see what it says; another kernel, given with --kernel and --modules, may do");
}

static void on_runner_line(const char *line, void *user)
{
	struct doctor *doctor = user;
	auto_json json_t *check = NULL;

	if (*line != '{') /* its log */
		return;
	if (json_parse(line, strlen(line), &check, &doctor->fault) == 0 && json_is_object(check) &&
	    strcmp(json_string_or(check, "event", ""), "check") == 0) {
		(void)json_object_del(check, "event");
		add_check(doctor, check);
	}
}

static void check_runner(struct doctor *doctor)
{
	auto_free char *runner = NULL;
	struct proc_spec spec = { .on_line = on_runner_line,
				  .user = doctor,
				  .timeout_ms = RUNNER_TIMEOUT_MS,
				  .cancel_fd = &doctor->signal_fd };
	size_t before = json_array_size(doctor->checks);
	struct err err = ERR_INIT;
	int rc;

	if (fs_find_program("testlab-runner", &runner, &err) < 0)
		return; /* check_helper() has said so */
	if (!doctor->initramfs)
		return; /* nothing to boot: check_builder() has said why */
	spec.argv =
		(const char *const[]){ runner,        "doctor",          "--kernel", doctor->kernel,
				       "--initramfs", doctor->initramfs, NULL };
	rc = proc_run(&spec, &err);
	if (rc < 0 || doctor->fault.code || json_array_size(doctor->checks) == before)
		add_result(doctor, "runner", false,
			   rc < 0               ? err.text
			   : doctor->fault.code ? doctor->fault.text
						: "it checked nothing",
			   "run `testlab-runner doctor` by hand and look at what it says");
}

static void check_host(struct doctor *doctor)
{
	const char *temporary = getenv("TMPDIR");
	const char *home = getenv("HOME");

	check_data(doctor);
	check_helper(doctor, "testlab-builder");
	check_helper(doctor, "testlab-runner");
	check_program(doctor, "compiler", (const char *const[]){ "cc", "--version", NULL },
		      "apt-get install gcc (needed to build kernels only)");
	check_program(
		doctor, "ccache", (const char *const[]){ "ccache", "--version", NULL },
		"apt-get install ccache (builds of the next kernel take much longer without)");
	check_program(doctor, "bubblewrap",
		      (const char *const[]){ "bwrap", "--ro-bind", "/", "/", "--unshare-net",
					     "echo", "a sandbox without network works", NULL },
		      "apt-get install bubblewrap; it needs user namespaces: "
		      "sysctl kernel.unprivileged_userns_clone=1");
	check_disk(doctor, "disk", temporary && *temporary == '/' ? temporary : "/tmp",
		   DISK_RUN_MIB);
	check_disk(doctor, "build disk", home && *home == '/' ? home : "/var/tmp", DISK_BUILD_MIB);
}

static void doctor_release_p(struct doctor *doctor)
{
	scratch_close(&doctor->scratch);
	if (doctor->signal_fd >= 0)
		(void)close(doctor->signal_fd);
	json_decref(doctor->checks);
	free(doctor->kernel);
	free(doctor->modules);
	free(doctor->initramfs);
}

static int doctor_main(const struct command *command, int argc, char **argv)
{
	auto_cleanup(doctor_release_p) struct doctor doctor = {
		.all_ok = true, .checks = json_array(), .signal_fd = -1, .scratch = SCRATCH_INIT
	};
	struct err err = ERR_INIT;
	int status;

	if (!options_parse(command, argc, argv, &doctor, &status))
		return status;
	if (doctor.modules && !doctor.kernel)
		return usage_error(command, "--modules goes with --kernel");
	progress_init(&doctor.progress, doctor.is_json);
	if (crew_open_signals(&doctor.signal_fd, &err) < 0 ||
	    scratch_open(&doctor.scratch, &err) < 0)
		return show_trouble(command, &err);
	check_host(&doctor);
	check_builder(&doctor);
	check_runner(&doctor);
	status = crew_get_signal(doctor.signal_fd);
	if (status)
		return 128 + status;
	if (doctor.is_json) {
		auto_json json_t *value =
			json_pack("{s:b,s:O}", "ok", doctor.all_ok, "checks", doctor.checks);

		show_json(value);
	} else {
		printf("%s\n",
		       doctor.all_ok ? "everything works" : "not everything works; see above");
	}
	return doctor.all_ok ? CLI_OK : CLI_TROUBLE;
}

const struct command command_doctor = {
	.name = "doctor",
	.usage = "[--kernel IMAGE [--modules DIR]] [--format text|json]",
	.summary = "Check every part a run needs, by using it, and say how to mend it",
	.options = options,
	.on_option = take_option,
	.main = doctor_main,
};
