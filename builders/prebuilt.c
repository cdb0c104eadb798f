/*
 * Job kind "prebuilt": a kernel that comes built, from a Debian package
 * linux-image-*, or as somebody's local image. A meta package
 * ("linux-image-cloud-amd64") is followed to the one it depends on.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "builders/apt.h"
#include "builders/archive.h"
#include "builders/job.h"
#include "builders/kinds.h"

#define IMAGE_PREFIX       "linux-image-"
#define KERNEL_BYTES_MAX   (4096ll << 20)
#define KERNEL_ENTRIES_MAX 100000
#define META_DEPTH_MAX     4

/* "linux-image-6.1.0-53-cloud-amd64" is a kernel, "linux-image-cloud-amd64" a meta package. */
static bool is_real(const char *package)
{
	return strncmp(package, IMAGE_PREFIX, strlen(IMAGE_PREFIX)) == 0 &&
	       isdigit((unsigned char)package[strlen(IMAGE_PREFIX)]);
}

/* The package and version with the kernel in it, both on the heap. */
static int follow_meta(struct job *job, const char *package, const char *version,
		       char **ret_package, char **ret_version, struct err *err)
{
	auto_free char *name = xstrdup(package);
	auto_free char *wanted = xstrdup(version);

	for (int depth = 0; depth < META_DEPTH_MAX; depth++) {
		auto_cleanup(
			apt_package_list_release_p) struct apt_package_list list = { .count = 0 };
		const struct apt_package *found;
		const char *next = NULL;
		int rc;

		if (is_real(name) && wanted) {
			*ret_package = STEAL_PTR(name);
			*ret_version = STEAL_PTR(wanted);
			return 0;
		}
		rc = apt_show_one(job, name, wanted, &list, err);
		/* A meta package's version is that of its kernel, as a rule. */
		if (rc == LAB_ENOTFOUND && depth > 0)
			rc = apt_show_one(job, name, NULL, &list, err);
		if (rc < 0)
			return rc;
		found = &list.items[0];
		free(wanted);
		wanted = xstrdup(found->version);
		if (is_real(name))
			continue;
		for (size_t i = 0; i < found->depends_count && !next; i++)
			next = is_real(found->depends[i]) ? found->depends[i] : NULL;
		if (!next)
			return err_set(err, LAB_ENOTFOUND,
				       "package '%s' neither holds nor depends on a kernel", name);
		job_decide(job, "source", "package '%s' %s stands for '%s'", name, wanted, next);
		free(name);
		name = xstrdup(next);
	}
	return err_set(err, LAB_ELIMIT, "meta package '%s' leads through more than %d others",
		       package, META_DEPTH_MAX);
}

/* The first entry of `folder` that begins with `prefix`: its name, on the heap. */
static int find_entry(const char *folder, const char *prefix, char **ret_name, struct err *err)
{
	DIR *dir = opendir(folder);
	auto_free char *name = NULL;
	struct dirent *entry;

	if (!dir)
		return err_set(err, errno == ENOENT ? LAB_ENOTFOUND : -errno, "folder '%s': %s",
			       folder, strerror(errno));
	while (!name && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.' && strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
			name = xstrdup(entry->d_name);
	}
	(void)closedir(dir); /* only read */
	if (!name)
		return err_set(err, LAB_ENOTFOUND, "no '%s*' in '%s'", prefix, folder);
	*ret_name = STEAL_PTR(name);
	return 0;
}

static int count_entry(int64_t entries, int64_t bytes, void *user, struct err *err)
{
	struct job *job = user;

	(void)bytes;
	job_progress(job, "unpack", entries, 0, "unpacking the kernel's package");
	return job_check_cancelled(job, err);
}

/* unpacked/boot/<prefix>* becomes out/<to> and an artifact. */
static int hand_over(struct job *job, const char *unpacked, const char *prefix, const char *to,
		     const char *role, struct err *err)
{
	auto_free char *boot = path_join(unpacked, "boot");
	auto_free char *relative = path_join("out", to);
	auto_free char *to_path = path_join(job->scratch, relative);
	auto_free char *from_path = NULL;
	auto_free char *name = NULL;
	int rc = find_entry(boot, prefix, &name, err);

	if (rc < 0)
		return rc;
	from_path = path_join(boot, name);
	rc = fs_copy_file(from_path, to_path, 0644, err);
	return rc < 0 ? rc : job_artifact(job, role, to, relative, err);
}

/* lib/modules/VERSION as a tarball; VERSION is what `uname -r` will say. */
static int pack_modules(struct job *job, const char *unpacked, json_t *done, struct err *err)
{
	static const char *const places[] = { "lib/modules", "usr/lib/modules" };
	auto_cleanup(archive_writer_free_p) struct archive_writer *writer = NULL;
	auto_free char *path = path_join(job->scratch, "out/modules.tar.zst");
	auto_free char *folder = path_join(unpacked, places[0]);
	auto_free char *version = NULL;
	int rc;

	if (!fs_exists(folder)) {
		free(folder);
		folder = path_join(unpacked, places[1]);
	}
	rc = find_entry(folder, "", &version, err);
	if (rc < 0)
		return rc;
	(void)json_object_set_new(done, "uname", json_string_lossy(version, strlen(version)));
	job_progress(job, "pack", 0, 0, "packing the modules");
	rc = archive_writer_open(path, ARCHIVE_TAR_ZSTD, &writer, err);
	if (rc == 0)
		rc = archive_writer_add_tree(writer, folder, "lib/modules", err);
	if (rc == 0)
		rc = archive_writer_finish(STEAL_PTR(writer), err);
	return rc < 0 ? rc
		      : job_artifact(job, "modules", "modules.tar.zst", "out/modules.tar.zst", err);
}

/* Somebody's own image, copied so that the lab keeps what it tests. */
static int take_local(struct job *job, const json_t *detail, const char *image, struct err *err)
{
	const char *modules = json_string_or(detail, "modules", NULL);
	auto_cleanup(archive_writer_free_p) struct archive_writer *writer = NULL;
	auto_free char *copy = path_join(job->scratch, "out/bzImage");
	auto_free char *tarball = path_join(job->scratch, "out/modules.tar.zst");
	int rc = fs_copy_file(image, copy, 0644, err);

	if (rc == 0)
		rc = job_artifact(job, "image", "bzImage", "out/bzImage", err);
	if (rc < 0 || !modules)
		return rc;
	rc = archive_writer_open(tarball, ARCHIVE_TAR_ZSTD, &writer, err);
	if (rc == 0)
		rc = archive_writer_add_tree(writer, modules, "lib/modules/local", err);
	if (rc == 0)
		rc = archive_writer_finish(STEAL_PTR(writer), err);
	return rc < 0 ? rc
		      : job_artifact(job, "modules", "modules.tar.zst", "out/modules.tar.zst", err);
}

int prebuilt_run(struct job *job, json_t *done, struct err *err)
{
	const json_t *detail = json_object_get(json_object_get(job->spec, "release"), "detail");
	auto_free char *unpacked = path_join(job->scratch, "unpacked");
	auto_free char *out = path_join(job->scratch, "out");
	auto_free char *package = NULL;
	auto_free char *version = NULL;
	auto_free char *deb = NULL;
	struct unpack_spec spec = {
		.folder = unpacked,
		.inside = (const char *const[]){ "data.tar*", NULL },
		.links = ARCHIVE_LINKS_ROOTED,
		.max_bytes = KERNEL_BYTES_MAX,
		.max_entries = KERNEL_ENTRIES_MAX,
		.on_entry = count_entry,
		.user = job,
	};
	const char *image = json_string_or(detail, "image", NULL);
	const char *name;
	int rc = fs_mkdir_parents(out, 0755, err);

	if (rc < 0 || image)
		return rc < 0 ? rc : take_local(job, detail, image, err);
	rc = json_get_string(detail, "package", &name, err);
	if (rc < 0)
		return err_prefix(err, "field 'release.detail'");
	rc = follow_meta(job, name, json_string_or(detail, "version", NULL), &package, &version,
			 err);
	if (rc == 0)
		rc = apt_fetch_one(job, package, version, &deb, err);
	if (rc == 0)
		rc = fs_remove_tree(unpacked, err);
	if (rc == 0)
		rc = fs_mkdir_parents(unpacked, 0755, err);
	if (rc < 0)
		return rc;
	spec.archive = deb;
	rc = archive_unpack(&spec, err);
	if (rc == 0)
		rc = hand_over(job, unpacked, "vmlinuz-", "bzImage", "image", err);
	if (rc == 0)
		rc = hand_over(job, unpacked, "config-", "config", "config", err);
	if (rc == 0)
		rc = pack_modules(job, unpacked, done, err);
	if (rc == 0)
		(void)json_object_set_new(done, "version", json_string(version));
	return rc;
}
