/*
 * Job kind "build": a kernel from its source. Everything lies in the scratch
 * folder: source/ (unpacked), objects/ (O=), out/ (what is handed over).
 */
#include <errno.h>
#include <stdbool.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/time.h"
#include "builders/archive.h"
#include "builders/job.h"
#include "builders/kconfig.h"
#include "builders/kernel_build.h"
#include "builders/kinds.h"
#include "builders/source.h"

/* An unpacked tree is 1.7 GB, the objects of our configuration 0.3 GB. */
#define SPACE_NEEDED_BYTES (3ll << 30)
#define JOBS_MAX           1024
#define CONFIG_DIFF_BYTES  (4u << 20)

static int check_space(const struct job *job, struct err *err)
{
	int64_t bytes = fs_free_bytes(job->scratch, err);

	if (bytes < 0)
		return (int)bytes;
	if (bytes < SPACE_NEEDED_BYTES)
		return err_set(err, -ENOSPC,
			       "'%s' has %" PRId64 " MB free; a kernel build needs %lld MB",
			       job->scratch, bytes >> 20, SPACE_NEEDED_BYTES >> 20);
	return 0;
}

static int unpack_source(struct job *job, const char *folder, struct err *err)
{
	const json_t *config = json_object_get(job->spec, "source");
	const json_t *detail = json_object_get(json_object_get(job->spec, "release"), "detail");
	const struct source_ops *source;
	int rc;

	if (!json_is_object(config) || !json_is_object(detail))
		return err_set(err, LAB_EINVALID,
			       "fields 'source' and 'release.detail': expected objects");
	rc = source_find(config, &source, err);
	if (rc == 0)
		rc = fs_remove_tree(folder, err);
	if (rc == 0)
		rc = fs_mkdir_parents(folder, 0755, err);
	return rc == 0 ? source->unpack(job, config, detail, folder, err) : rc;
}

static int read_fields(struct kernel_build *build, struct err *err)
{
	struct job *job = build->job;
	auto_free char *data = NULL;
	const char *config_name, *ccache;
	int64_t jobs;
	int rc = json_get_int(job->spec, "jobs", 1, JOBS_MAX, &jobs, err);

	if (rc == 0)
		rc = json_get_string(job->spec, "config_name", &config_name, err);
	if (rc == 0)
		rc = json_get_string(job->spec, "ccache_dir", &ccache, err);
	if (rc == 0)
		rc = fs_find_data(&data, err);
	if (rc < 0)
		return rc;
	snprintf(build->jobs_option, sizeof(build->jobs_option), "-j%" PRId64, jobs);
	snprintf(build->config_name, sizeof(build->config_name), "%s", config_name);
	build->ccache = xstrdup(ccache);
	build->source = path_join(job->scratch, "source");
	build->objects_folder = path_join(job->scratch, "objects");
	build->fragments = path_join(data, "builders/config");
	return 0;
}

/* First line of `cc --version`, on the heap. */
static int ask_compiler(const struct job *job, char **ret_text, struct err *err)
{
	auto_cleanup(buf_release_p) struct buf output = BUF_INIT(16u << 10);
	struct proc_spec spec = {
		.argv = (const char *const[]){ "gcc", "--version", NULL },
		.env_clear = true,
		.output = &output,
	};
	int rc = job_run(job, &spec, err);

	if (rc < 0)
		return err_prefix(err, "the compiler");
	*ret_text = xstrndup(output.data ? output.data : "",
			     output.data ? strcspn(output.data, "\n") : 0);
	return 0;
}

/* What changed against the configuration of the release before; null when there was none. */
static int add_config_diff(const struct job *job, const char *path, json_t *done, struct err *err)
{
	const char *previous = json_string_or(job->spec, "previous_config", NULL);
	auto_cleanup(kconfig_free_p) struct kconfig *old_config = NULL;
	auto_cleanup(kconfig_free_p) struct kconfig *new_config = NULL;
	auto_cleanup(buf_release_p) struct buf text = BUF_INIT(CONFIG_DIFF_BYTES);
	int rc;

	if (!previous) {
		(void)json_object_set_new(done, "config_diff", json_null());
		return 0;
	}
	rc = kconfig_read(previous, &old_config, err);
	if (rc == 0)
		rc = kconfig_read(path, &new_config, err);
	if (rc < 0)
		return rc;
	kconfig_diff(old_config, new_config, &text);
	(void)json_object_set_new(done, "config_diff",
				  json_string_lossy(text.data ? text.data : "", text.size));
	return 0;
}

/* objects/<from> becomes out/<to> and an artifact. */
static int hand_over(struct kernel_build *build, const char *from, const char *to, const char *role,
		     struct err *err)
{
	auto_free char *from_path = path_join(build->objects_folder, from);
	auto_free char *relative = path_join("out", to);
	auto_free char *to_path = path_join(build->job->scratch, relative);
	int rc = fs_copy_file(from_path, to_path, 0644, err);

	return rc < 0 ? rc : job_artifact(build->job, role, to, relative, err);
}

static int pack_modules(struct kernel_build *build, struct err *err)
{
	auto_free char *folder = path_join(build->objects_folder, "modules");
	auto_free char *path = path_join(build->job->scratch, "out/modules.tar.zst");
	auto_cleanup(archive_writer_free_p) struct archive_writer *writer = NULL;
	int rc;

	if (!fs_exists(folder))
		return 0;
	rc = archive_writer_open(path, ARCHIVE_TAR_ZSTD, &writer, err);
	if (rc == 0)
		rc = archive_writer_add_tree(writer, folder, "", err);
	if (rc == 0)
		rc = archive_writer_finish(STEAL_PTR(writer), err);
	return rc < 0 ? rc
		      : job_artifact(build->job, "modules", "modules.tar.zst",
				     "out/modules.tar.zst", err);
}

/* The log is an artifact of a failed build, too. */
static int close_log(struct kernel_build *build, struct err *err)
{
	bool bad = ferror(build->log_file) != 0;

	if (fclose(STEAL_PTR(build->log_file)) != 0 || bad)
		return err_set(err, -ENOSPC, "write 'out/build.log': disk full or broken");
	return job_artifact(build->job, "build-log", "build.log", "out/build.log", err);
}

static int add_uname(struct kernel_build *build, json_t *done, struct err *err)
{
	auto_free char *path = path_join(build->objects_folder, "include/config/kernel.release");
	auto_free char *text = NULL;
	size_t size = 0;
	int rc = fs_read_file(path, 4096, &text, &size, err);

	if (rc == 0)
		(void)json_object_set_new(done, "uname",
					  json_string_lossy(text, strcspn(text, "\n")));
	return rc;
}

static int finish(struct kernel_build *build, json_t *done, struct err *err)
{
	auto_free char *config = path_join(build->objects_folder, ".config");
	int rc = hand_over(build, ".config", "config", "config", err);

	if (rc == 0)
		rc = hand_over(build, "arch/x86/boot/bzImage", "bzImage", "image", err);
	if (rc == 0)
		rc = pack_modules(build, err);
	if (rc == 0)
		rc = add_config_diff(build->job, config, done, err);
	return rc == 0 ? add_uname(build, done, err) : rc;
}

int build_run(struct job *job, json_t *done, struct err *err)
{
	auto_cleanup(kernel_build_release_p) struct kernel_build build = { .job = job };
	auto_free char *out = path_join(job->scratch, "out");
	auto_free char *compiler = NULL;
	int64_t start_ns;
	struct err log_err = ERR_INIT;
	int rc = read_fields(&build, err);

	if (rc == 0)
		rc = fs_mkdir_parents(out, 0755, err);
	if (rc == 0)
		rc = check_space(job, err);
	if (rc == 0)
		rc = ask_compiler(job, &compiler, err);
	if (rc == 0)
		rc = unpack_source(job, build.source, err);
	if (rc == 0)
		rc = kernel_build_open(&build, err);
	if (rc < 0)
		return rc;
	start_ns = time_monotonic_ns();
	rc = kernel_build_configure(&build, err);
	if (rc == 0)
		rc = kernel_build_compile(&build, err);
	if (close_log(&build, &log_err) < 0 && rc == 0)
		return err_set(err, log_err.code, "%s", log_err.text);
	(void)json_object_set_new(done, "compiler", json_string_lossy(compiler, strlen(compiler)));
	(void)json_object_set_new(done, "objects", json_integer(build.log.objects));
	(void)json_object_set_new(done, "build_us",
				  json_integer((time_monotonic_ns() - start_ns) / NS_PER_US));
	return rc == 0 ? finish(&build, done, err) : rc;
}
