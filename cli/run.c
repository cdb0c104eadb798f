/*
 * testlab run: tests one kernel here and now. testlab-builder makes the NUT's
 * initramfs, testlab-runner children run the tests; everything lies in one
 * temporary folder that is removed at the end, also after Ctrl-C.
 */
#include "cli/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/time.h"
#include "cli/commands.h"
#include "cli/image.h"
#include "cli/sets.h"
#include "base/worker.h"

#define MEMORY_MIB_DEFAULT 128

enum {
	OPTION_KERNEL = 1,
	OPTION_MODULES,
	OPTION_SET,
	OPTION_TEST,
	OPTION_JOBS,
	OPTION_CLOCK,
	OPTION_ACCEL,
	OPTION_ENVIRONMENT,
	OPTION_MEMORY,
	OPTION_FORMAT,
	OPTION_KEEP,
};

static const struct option_row options[] = {
	{ OPTION_KERNEL, "kernel", "IMAGE", "kernel image to test (bzImage); needed" },
	{ OPTION_MODULES, "modules", "DIR",
	  "its lib/modules/VERSION folder, or a tar archive of it" },
	{ OPTION_SET, "set", "SET", "run the tests of this set; `testlab sets` lists them" },
	{ OPTION_TEST, "test", "ID", "run this test; may be repeated, further ids may follow" },
	{ OPTION_JOBS, "jobs", "N", "virtual machines side by side (default: what fits)" },
	{ OPTION_CLOCK, "clock", "CLOCK", "auto (default), virtual or real" },
	{ OPTION_ACCEL, "accel", "ACCEL", "auto (default), tcg or kvm" },
	{ OPTION_ENVIRONMENT, "environment", "WHICH",
	  "kernel settings: those of the set (set, default) or the kernel's own (defaults)" },
	{ OPTION_MEMORY, "memory", "MIB", "memory of a virtual machine (default 128)" },
	{ OPTION_FORMAT, "format", "FORMAT",
	  "text (default) or json, one object on stdout at the end" },
	{ OPTION_KEEP, "keep", "DIR", "keep captures, consoles, logs and report.jsonl there" },
	{ 0 },
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

static int take_kernel(const char *value, struct run_settings *settings, struct err *err)
{
	struct stat info;

	if (take_path("kernel", value, &settings->kernel, err) < 0)
		return LAB_EINVALID;
	if (stat(settings->kernel, &info) < 0 || !S_ISREG(info.st_mode))
		return err_set(err, LAB_EINVALID,
			       "kernel '%s': expected a kernel image, a regular file", value);
	if (access(settings->kernel, R_OK) < 0)
		return err_set(err, LAB_EINVALID, "kernel '%s': %s", value, strerror(errno));
	return 0;
}

static int take_test(const char *value, struct run_settings *settings, struct err *err)
{
	size_t length = strlen(value);
	const json_t *id;
	size_t i;

	if (!length || length > LIMIT_NAME)
		return err_set(err, LAB_EINVALID, "test '%s': expected a test id", value);
	json_array_foreach(settings->tests, i, id) {
		if (strcmp(json_string_value(id), value) == 0)
			return 0; /* named twice */
	}
	if (json_array_append_new(settings->tests, json_string(value)) < 0)
		return err_set(err, LAB_EINVALID, "test: its id is no UTF-8");
	return 0;
}

static int take_option(int id, const char *value, void *user, struct err *err)
{
	static const char *const clocks[] = { "auto", "virtual", "real", NULL };
	static const char *const accelerators[] = { "auto", "tcg", "kvm", NULL };
	static const char *const environments[] = { "set", "defaults", NULL };
	struct run_settings *settings = user;

	switch (id) {
	case OPTION_KERNEL:
		return take_kernel(value, settings, err);
	case OPTION_MODULES:
		return take_path("modules", value, &settings->modules, err);
	case OPTION_SET:
		settings->set = value;
		return 0;
	case OPTION_TEST:
		return take_test(value, settings, err);
	case OPTION_JOBS:
		return parse_number("jobs", value, 1, LIMIT_NUTS, &settings->jobs, err);
	case OPTION_MEMORY:
		return parse_number("memory", value, 64, 16384, &settings->memory_mib, err);
	case OPTION_CLOCK:
		settings->clock = value;
		return parse_word("clock", value, clocks, err);
	case OPTION_ACCEL:
		settings->accelerator = value;
		return parse_word("accel", value, accelerators, err);
	case OPTION_ENVIRONMENT:
		settings->environment = value;
		return parse_word("environment", value, environments, err);
	case OPTION_FORMAT:
		settings->is_json = strcmp(value, "json") == 0;
		return parse_word("format", value, format_words, err);
	case OPTION_KEEP:
		free(settings->keep);
		settings->keep = xstrdup(value);
		return *value ? 0 : err_set(err, LAB_EINVALID, "keep '': expected a folder");
	}
	return err_set(err, LAB_EINVALID, "option %d: not handled", id);
}

/* `--test A B C`: what follows is further ids. */
static int take_argument(const char *value, void *user, struct err *err)
{
	struct run_settings *settings = user;

	if (json_array_size(settings->tests) == 0)
		return err_set(err, LAB_EINVALID, "argument '%s': ids of tests follow --test",
			       value);
	return take_test(value, settings, err);
}

/* --- what to run ------------------------------------------------------------------ */

/* The first id of `ids` that does not exist in `set`, or NULL. */
static const char *find_missing(const json_t *set, const json_t *ids)
{
	const json_t *id;
	size_t i;

	json_array_foreach(ids, i, id) {
		if (!sets_has_test(set, json_string_value(id)))
			return json_string_value(id);
	}
	return NULL;
}

static int choose_named_set(struct run *run, struct err *err)
{
	const json_t *set = sets_find(run->sets, run->settings.set);
	const char *missing;

	if (!set) {
		auto_free char *names = sets_names(run->sets);

		return err_set(err, LAB_EINVALID,
			       "set '%s': there is none of that name; expected one of %s",
			       run->settings.set, names);
	}
	run->set = json_string_or(set, "name", NULL);
	run->role = json_string_or(set, "role", "host");
	if (json_array_size(run->settings.tests)) {
		missing = find_missing(set, run->settings.tests);
		run->tests = json_incref(run->settings.tests);
		return missing ? err_set(err, LAB_EINVALID,
					 "test '%s': it does not exist in set '%s'", missing,
					 run->set)
			       : 0;
	}
	run->tests = json_incref(json_object_get(set, "tests"));
	if (json_array_size(run->tests) == 0)
		return err_set(err, LAB_ENOTFOUND, "set '%s': none of its %lld tests exists yet",
			       run->set, (long long)json_int_or(set, "planned", 0));
	return 0;
}

/* Some set with the test `id`, or NULL. */
static const json_t *find_set_of(const json_t *sets, const char *id)
{
	const json_t *set;
	size_t i;

	json_array_foreach(sets, i, set) {
		if (sets_has_test(set, id))
			return set;
	}
	return NULL;
}

/*
 * Only tests were named. The first set that has them all gives the settings of
 * the NUT, so that a verdict of that set is reproduced; without such a set each
 * test brings its own settings, and all must be for one role.
 */
static int choose_by_tests(struct run *run, struct err *err)
{
	const json_t *set, *id;
	size_t i;

	run->tests = json_incref(run->settings.tests);
	json_array_foreach(run->tests, i, id) {
		const char *role;

		set = find_set_of(run->sets, json_string_value(id));
		if (!set)
			return err_set(err, LAB_EINVALID,
				       "test '%s': it exists in no set; `testlab sets --format "
				       "json` lists ids",
				       json_string_value(id));
		role = json_string_or(set, "role", "host");
		if (run->role && strcmp(role, run->role) != 0)
			return err_set(
				err, LAB_EINVALID,
				"test '%s': it is for role '%s', the ones before it for '%s'",
				json_string_value(id), role, run->role);
		run->role = role;
	}
	json_array_foreach(run->sets, i, set) {
		if (!find_missing(set, run->tests)) {
			run->set = json_string_or(set, "name", NULL);
			run->role = json_string_or(set, "role", "host");
			break;
		}
	}
	return 0;
}

/* --- the NUT's image ---------------------------------------------------------------- */

static void take_image_report(const json_t *report, void *user)
{
	keep_report(user, report);
}

static int make_image(struct run *run, struct err *err)
{
	auto_free char *folder = path_join(run->scratch.path, "image");
	const struct image_order order = { .folder = folder,
					   .signal_fd = run->signal_fd,
					   .progress = &run->progress,
					   .on_report = take_image_report,
					   .user = run };
	int rc = image_make(&order, run->settings.kernel, run->settings.modules, run->role,
			    &run->initramfs, err);

	keep_files(run, folder, "builder");
	return rc;
}

/* --- the end ------------------------------------------------------------------------ */

static void print_summary(struct run *run, double wall_seconds)
{
	const struct results *results = &run->results;
	size_t counts[VERDICT_COUNT_];

	for (size_t i = 0; i < results->count; i++) {
		const json_t *final = results->items[i].final;
		const char *capture = json_string_or(final, "capture", NULL);

		if (result_verdict(&results->items[i]) == VERDICT_PASS)
			continue;
		show_failure(stdout, final, run->progress.has_colour);
		if (run->settings.keep && capture)
			printf("  %-10s%s/%s\n", "capture", run->settings.keep, capture);
	}
	results_count(results, counts);
	printf("\n%zu tests:", results->count);
	for (unsigned i = 0; i < VERDICT_COUNT_; i++) {
		if (counts[i])
			printf(" %zu %s", counts[i], verdict_to_string((enum verdict)i));
	}
	printf(" in %.1f s for %.0f s of protocol time; clock %s, accelerator %s", wall_seconds,
	       results_clock_seconds(results), results->clock ? results->clock : "unknown",
	       results->accelerator ? results->accelerator : "unknown");
	if (results->uname) {
		printf(", kernel ");
		show_text(stdout, results->uname);
	}
	printf("\n");
	if (run->settings.keep)
		printf("kept in %s\n", run->settings.keep);
	if (run->trouble)
		printf("trouble of the lab's own: %s\n", run->trouble);
}

static void print_json(const struct run *run, double wall_seconds, int status)
{
	const struct results *results = &run->results;
	size_t counts[VERDICT_COUNT_];
	auto_json json_t *count_json = json_object();
	auto_json json_t *value = NULL;

	results_count(results, counts);
	for (unsigned i = 0; i < VERDICT_COUNT_; i++)
		(void)json_object_set_new(count_json, verdict_to_string((enum verdict)i),
					  json_integer((json_int_t)counts[i]));
	value = json_pack(
		"{s:s,s:s?,s:s?,s:s,s:s?,s:s?,s:s,s:s?,s:f,s:f,s:i,s:O,s:o,s:s?}", "kernel",
		run->settings.kernel, "uname", results->uname, "set", run->set, "role", run->role,
		"clock", results->clock, "accelerator", results->accelerator, "environment",
		run->settings.environment, "suite_version", results->suite_version, "wall_seconds",
		wall_seconds, "clock_seconds", results_clock_seconds(results), "status", status,
		"counts", count_json, "tests", results_to_json(results, run->settings.keep != NULL),
		"trouble", run->trouble);
	show_json(value);
}

static int finish(struct run *run)
{
	double wall_seconds =
		(double)(time_monotonic_ns() - run->progress.started_ns) / NS_PER_SECOND;
	int status = results_status(&run->results);

	if (run->trouble && status == CLI_OK)
		status = CLI_TROUBLE;
	if (run->settings.is_json)
		print_json(run, wall_seconds, status);
	else
		print_summary(run, wall_seconds);
	return status;
}

/* --- the whole ------------------------------------------------------------------------ */

static void run_release_p(struct run *run)
{
	results_release(&run->results);
	scratch_close(&run->scratch);
	if (run->report)
		(void)fclose(run->report); /* each line was flushed */
	if (run->signal_fd >= 0)
		(void)close(run->signal_fd);
	json_decref(run->sets);
	json_decref(run->tests);
	json_decref(run->settings.tests);
	free(run->settings.kernel);
	free(run->settings.modules);
	free(run->settings.keep);
	free(run->initramfs);
}

static int execute(struct run *run, struct err *err)
{
	int rc;

	progress_line(&run->progress, "kernel %s, %s%s, role %s", run->settings.kernel,
		      run->set ? "set " : "tests of no common set", run->set ? run->set : "",
		      run->role);
	rc = scratch_open(&run->scratch, err);
	if (rc == 0)
		rc = make_image(run, err);
	if (rc == 0)
		rc = runner_follow(run, err);
	return rc;
}

static int run_main(const struct command *command, int argc, char **argv)
{
	auto_cleanup(run_release_p) struct run run = {
		.settings = { .tests = json_array(),
			      .memory_mib = MEMORY_MIB_DEFAULT,
			      .clock = "auto",
			      .accelerator = "auto",
			      .environment = "set" },
		.signal_fd = -1,
		.scratch = SCRATCH_INIT,
	};
	struct err err = ERR_INIT;
	int status, rc;

	if (!options_parse(command, argc, argv, &run.settings, &status))
		return status;
	if (!run.settings.kernel)
		return usage_error(command, "--kernel is missing: expected a kernel image");
	if (!run.settings.set && json_array_size(run.settings.tests) == 0)
		return usage_error(command, "expected --set SET or --test ID");
	progress_init(&run.progress, run.settings.is_json);
	if (sets_load(&run.sets, &err) < 0 || crew_open_signals(&run.signal_fd, &err) < 0)
		return show_trouble(command, &err);
	rc = run.settings.set ? choose_named_set(&run, &err) : choose_by_tests(&run, &err);
	if (rc == 0)
		rc = keep_open(&run, &err);
	results_init(&run.results, run.tests);
	if (rc == 0)
		rc = execute(&run, &err);
	progress_clear(&run.progress);
	if (rc == LAB_EINVALID)
		return usage_error(command, "%s", err.text);
	if (rc < 0) {
		int number = rc == LAB_ECANCELLED ? crew_get_signal(run.signal_fd) : 0;

		(void)show_trouble(command, &err);
		return number ? 128 + number : CLI_TROUBLE;
	}
	return finish(&run);
}

const struct command command_run = {
	.name = "run",
	.usage = "--kernel IMAGE [--modules DIR] --set SET | --test ID... [OPTION]...",
	.summary = "Test a kernel here and now, without a daemon, as any user",
	.about = "For each test that did not pass the summary says what was sent, what was "
		 "expected by\n"
		 "which clause, and what came instead. Exit status: 0 nothing failed (WARN, SKIP "
		 "and\n"
		 "UNSUPPORTED do not fail), 1 a test failed, 2 wrong usage, 3 the lab's own "
		 "trouble.\n"
		 "Ctrl-C stops cleanly. With --test alone, the settings of the NUT are those of "
		 "the\n"
		 "first set that has all the tests.",
	.options = options,
	.on_option = take_option,
	.on_argument = take_argument,
	.main = run_main,
};
