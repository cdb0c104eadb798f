/*
 * Building one kernel: configure, count, compile.
 *
 * Everything that comes from the kernel's tree runs through sandbox_run(): its
 * makefiles and scripts are hostile. What they print goes to the log, and
 * through builders/build_log.c, which decides whose fault a failure is.
 */
#include "builders/kernel_build.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "builders/job.h"
#include "builders/kconfig.h"

#define MAKE_ARGUMENTS   24
#define INSIDE_SOURCE    "/source"
#define INSIDE_OBJECTS   "/objects"
#define INSIDE_FRAGMENTS "/fragments"
#define INSIDE_CCACHE    "/ccache"

/* What a `config_name` is made of: files of builders/config, the first is the base. */
static const struct config_set {
	const char *name;
	const char *fragments[6];
} config_sets[] = {
	{ "tiny", { "base.config", "net.config", "virt.config" } },
	{ "debug", { "base.config", "net.config", "virt.config", "debug.config" } },
};

static const struct config_set *find_config_set(const char *name)
{
	for (size_t i = 0; i < sizeof(config_sets) / sizeof(config_sets[0]); i++) {
		if (strcmp(config_sets[i].name, name) == 0)
			return &config_sets[i];
	}
	return NULL;
}

static void write_log(struct kernel_build *build, const char *line)
{
	if (build->log_bytes >= (int64_t)LIMIT_LOG_BYTES)
		return;
	build->log_bytes += (int64_t)strlen(line) + 1;
	(void)fprintf(build->log_file, "%s\n", line); /* ferror() is asked at the end */
	if (build->log_bytes >= (int64_t)LIMIT_LOG_BYTES)
		(void)fprintf(build->log_file, "the log was cut here, at %u bytes\n",
			      LIMIT_LOG_BYTES);
}

static void on_build_line(const char *line, void *user)
{
	struct kernel_build *build = user;
	const char *text = line + strspn(line, " ");

	write_log(build, line);
	build_log_add(&build->log, line);
	if (build_log_object(line) && build->log.objects > build->total && build->total > 0)
		build->total = build->log.objects;
	job_progress(build->job, build->phase, build->log.objects, build->total, text);
}

/* Lines of `make -n`: the shell commands, of which each object's says "  CC      name". */
static void on_dry_line(const char *line, void *user)
{
	struct kernel_build *build = user;

	if (strstr(line, "  CC  ") || strstr(line, "  AS  "))
		build->counted++;
}

/*
 * The same input gives the same bytes, whoever builds it where and when, so that
 * ccache hits and equal artifacts are stored once.
 */
static const char *const build_env[] = {
	"LC_ALL=C.UTF-8",
	"KBUILD_BUILD_TIMESTAMP=2026-01-01 00:00:00 UTC",
	"KBUILD_BUILD_USER=testlab",
	"KBUILD_BUILD_HOST=testlab",
	"KBUILD_BUILD_VERSION=1",
	"CCACHE_NOHASHDIR=1",
	NULL,
};
#define BUILD_ENV_COUNT (sizeof(build_env) / sizeof(build_env[0]) - 1)

/* Run a program of the kernel's tree in `folder`, a real path. */
static int run_tool(struct kernel_build *build, const char *folder, const char *const *argv,
		    proc_line_cb on_line, struct err *err)
{
	const struct sandbox *sandbox = &build->sandbox;
	auto_free char *ccache_dir =
		xasprintf("CCACHE_DIR=%s", sandbox_path(sandbox, build->ccache));
	/* Without bubblewrap the paths differ from job to job; ccache makes them relative. */
	auto_free char *base_dir = xasprintf("CCACHE_BASEDIR=%s",
					     sandbox->uses_bubblewrap ? "/" : build->job->scratch);
	const char *env[BUILD_ENV_COUNT + 3];

	memcpy(env, build_env, sizeof(build_env));
	env[BUILD_ENV_COUNT] = ccache_dir;
	env[BUILD_ENV_COUNT + 1] = base_dir;
	env[BUILD_ENV_COUNT + 2] = NULL;
	return sandbox_run(sandbox, sandbox_path(sandbox, folder), argv, env, on_line, build, err);
}

/* Run make in the source tree with our settings and the NULL-terminated `targets`. */
static int run_make(struct kernel_build *build, const char *const *targets, proc_line_cb on_line,
		    struct err *err)
{
	const char *argv[MAKE_ARGUMENTS + 1] = { "make", "ARCH=x86_64", build->objects_option };
	size_t count = 3;

	argv[count++] = build->uses_ccache ? "CC=ccache gcc" : "CC=gcc";
	argv[count++] = build->uses_ccache ? "HOSTCC=ccache gcc" : "HOSTCC=gcc";
	while (*targets && count < MAKE_ARGUMENTS)
		argv[count++] = *targets++;
	return run_tool(build, build->source, argv, on_line, err);
}

/*
 * What a failed step means. A negative code of our own (cancelled, killed) is
 * passed on; else the log tells whether the kernel or the machine is at fault.
 */
static int judge(struct kernel_build *build, int rc, struct err *err)
{
	const struct build_log *log = &build->log;

	if (rc <= 0)
		return rc;
	if (fs_free_bytes(build->job->scratch, NULL) == 0)
		build->log.fault = BUILD_FAULT_DISK;
	if (log->first_error[0])
		(void)json_object_set_new(
			build->job->failure, "first_error",
			json_string_lossy(log->first_error, strlen(log->first_error)));
	if (log->fault == BUILD_FAULT_KERNEL)
		(void)json_object_set_new(build->job->failure, "kernel_failed", json_true());
	/* The first line of it: an error is one line. */
	return err_set(err, LAB_EFAIL, "%s: make ended with status %d%s%.*s",
		       build_fault_to_string(log->fault), rc, log->first_error[0] ? ": " : "",
		       (int)strcspn(log->first_error, "\n"), log->first_error);
}

static bool has_ccache(struct kernel_build *build)
{
	struct proc_spec spec = {
		.argv = (const char *const[]){ "ccache", "--version", NULL },
		.env_clear = true,
	};

	return job_run(build->job, &spec, NULL) == 0;
}

int kernel_build_open(struct kernel_build *build, struct err *err)
{
	auto_free char *log_path = xasprintf("%s/out/build.log", build->job->scratch);
	const struct sandbox_folder folders[] = {
		{ build->source, INSIDE_SOURCE, false },
		{ build->objects_folder, INSIDE_OBJECTS, true },
		{ build->fragments, INSIDE_FRAGMENTS, false },
		{ build->ccache, INSIDE_CCACHE, true },
	};
	int rc = fs_mkdir_parents(build->objects_folder, 0755, err);

	if (rc == 0)
		rc = fs_mkdir_parents(build->ccache, 0755, err);
	if (rc < 0)
		return rc;
	build->log_file = fopen(log_path, "we");
	if (!build->log_file)
		return err_set(err, -errno, "open '%s': %s", log_path, strerror(errno));
	build->uses_ccache = has_ccache(build);
	if (!build->uses_ccache)
		job_decide(build->job, "build", "builds without ccache, which is not installed");
	rc = sandbox_init(&build->sandbox, build->job, folders,
			  sizeof(folders) / sizeof(folders[0]), err);
	snprintf(build->objects_option, sizeof(build->objects_option), "O=%s",
		 sandbox_path(&build->sandbox, build->objects_folder));
	return rc;
}

void kernel_build_release_p(struct kernel_build *build)
{
	if (build->log_file)
		(void)fclose(build->log_file); /* closed before when it is wanted */
	free(build->source);
	free(build->objects_folder);
	free(build->fragments);
	free(build->ccache);
}

/* Name the requested options that the kernel's own rules did not let through. */
static int check_fragments(struct kernel_build *build, const struct config_set *set,
			   struct err *err)
{
	auto_free char *path = path_join(build->objects_folder, ".config");
	auto_cleanup(kconfig_free_p) struct kconfig *config = NULL;
	auto_cleanup(buf_release_p) struct buf missing = BUF_INIT(16u << 10);
	auto_cleanup(buf_release_p) struct buf names = BUF_INIT(1024);
	int rc = kconfig_read(path, &config, err);

	for (size_t i = 0; rc == 0 && set->fragments[i]; i++) {
		auto_free char *fragment_path = path_join(build->fragments, set->fragments[i]);
		auto_cleanup(kconfig_free_p) struct kconfig *fragment = NULL;

		rc = kconfig_read(fragment_path, &fragment, err);
		if (rc == 0)
			kconfig_missing(fragment, config, &missing);
		buf_printf(&names, "%s%s", i ? ", " : "", set->fragments[i]);
	}
	if (rc < 0)
		return rc;
	job_decide(build->job, "build", "made the configuration '%s' anew from %s", set->name,
		   names.data);
	if (missing.size > 0)
		job_decide(build->job, "build",
			   "this kernel does not take these options as asked for: %s",
			   missing.data);
	return 0;
}

int kernel_build_configure(struct kernel_build *build, struct err *err)
{
	const struct config_set *set = find_config_set(build->config_name);
	const char *source = sandbox_path(&build->sandbox, build->source);
	const char *objects = sandbox_path(&build->sandbox, build->objects_folder);
	const char *fragments = sandbox_path(&build->sandbox, build->fragments);
	auto_free char *script = xasprintf("%s/scripts/kconfig/merge_config.sh", source);
	auto_free char *all = xasprintf("KCONFIG_ALLCONFIG=%s/requested.config", objects);
	auto_free char *merged = path_join(build->objects_folder, ".config");
	auto_free char *requested = path_join(build->objects_folder, "requested.config");
	char *paths[6] = { NULL };
	const char *argv[MAKE_ARGUMENTS] = { "sh", script, "-m", "-O", objects };
	size_t count = 5;
	int rc;

	if (!set)
		return err_set(err, LAB_EINVALID,
			       "field 'config_name': '%s' is neither 'tiny' nor 'debug'",
			       build->config_name);
	build->phase = "configure";
	for (size_t i = 0; set->fragments[i]; i++) {
		paths[i] = path_join(fragments, set->fragments[i]);
		argv[count++] = paths[i];
	}
	/*
	 * merge_config only merges here (-m): told to run make itself, it would
	 * write into the source tree. allnoconfig then turns off what nobody asked
	 * for, and olddefconfig settles what is new in this release.
	 */
	rc = run_tool(build, build->objects_folder, argv, on_build_line, err);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		free(paths[i]);
	if (rc == 0 && rename(merged, requested) < 0)
		return err_set(err, -errno, "rename '%s': %s", merged, strerror(errno));
	if (rc == 0)
		rc = run_make(build, (const char *const[]){ all, "allnoconfig", NULL },
			      on_build_line, err);
	if (rc == 0)
		rc = run_make(build, (const char *const[]){ "olddefconfig", NULL }, on_build_line,
			      err);
	return rc == 0 ? check_fragments(build, set, err) : judge(build, rc, err);
}

/* True if the configuration has modules to build. */
static bool has_modules(const struct kernel_build *build)
{
	auto_free char *path = path_join(build->objects_folder, ".config");
	auto_cleanup(kconfig_free_p) struct kconfig *config = NULL;

	return kconfig_read(path, &config, NULL) == 0 && kconfig_get(config, "CONFIG_MODULES");
}

int kernel_build_compile(struct kernel_build *build, struct err *err)
{
	auto_free char *install = xasprintf("INSTALL_MOD_PATH=%s/modules",
					    sandbox_path(&build->sandbox, build->objects_folder));
	int rc;

	build->phase = "prepare";
	rc = run_make(build, (const char *const[]){ build->jobs_option, "prepare", NULL },
		      on_build_line, err);
	if (rc != 0)
		return judge(build, rc, err);
	/*
	 * The number of objects is what make would do: 2 s against minutes. make
	 * ends with an error, because files that it would make are not there; what
	 * it lists up to then is nearly all, and only an estimate is wanted.
	 */
	rc = run_make(build, (const char *const[]){ "-n", "-k", "vmlinux", NULL }, on_dry_line,
		      err);
	if (rc < 0)
		return rc;
	build->total = build->log.objects + build->counted;
	build->phase = "compile";
	rc = run_make(build,
		      (const char *const[]){ build->jobs_option, "bzImage",
					     has_modules(build) ? "modules" : NULL, NULL },
		      on_build_line, err);
	if (rc == 0 && has_modules(build)) {
		build->phase = "install";
		rc = run_make(build,
			      (const char *const[]){ install, "INSTALL_MOD_STRIP=1",
						     "modules_install", NULL },
			      on_build_line, err);
	}
	return judge(build, rc, err);
}
