/*
 * Debian packages as a source: `location` is the name of the package.
 * "linux-source-6.12" holds the tarball of a kernel's source; a package whose
 * name begins with "linux-image-" holds a kernel, built (builders/prebuilt.c).
 */
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/version.h"
#include "builders/apt.h"
#include "builders/archive.h"
#include "builders/job.h"
#include "builders/source.h"

/* Linux 6.12 has 1.5 GB in 87,000 files. */
#define SOURCE_BYTES_MAX   (8ll << 30)
#define SOURCE_ENTRIES_MAX 1000000

static bool is_prebuilt(const char *package)
{
	return strncmp(package, "linux-image-", strlen("linux-image-")) == 0;
}

static int list_debian(struct job *job, const json_t *config, source_release_cb cb, void *user,
		       struct err *err)
{
	auto_cleanup(apt_list_release_p) struct apt_list versions = { .count = 0 };
	const char *package;
	int rc = json_get_string(config, "location", &package, err);

	if (rc == 0)
		rc = apt_versions(job, package, &versions, err);
	for (size_t i = 0; i < versions.count && rc == 0; i++) {
		struct version version;
		auto_json json_t *detail =
			json_pack("{ss ss}", "package", package, "version", versions.items[i]);
		struct source_release release = {
			.name = versions.items[i],
			.identity = versions.items[i],
			.is_prebuilt = is_prebuilt(package),
			.detail = detail,
		};

		rc = version_parse(versions.items[i], &version, err);
		if (rc < 0)
			break;
		release.series = version.series;
		release.type = release_type_to_string(version.type);
		release.sort_key = version.sort_key;
		rc = cb(&release, user, err);
	}
	return rc;
}

static int count_entry(int64_t entries, int64_t bytes, void *user, struct err *err)
{
	struct job *job = user;

	(void)bytes;
	job_progress(job, "unpack", entries, 0, "unpacking the source");
	return job_check_cancelled(job, err);
}

static int unpack_debian(struct job *job, const json_t *config, const json_t *detail,
			 const char *folder, struct err *err)
{
	struct unpack_spec spec = {
		.folder = folder,
		.inside = (const char *const[]){ "data.tar*", "usr/src/linux-source-*.tar*", NULL },
		.strip = 1, /* linux-source-6.12/ */
		.links = ARCHIVE_LINKS_STRICT,
		.max_bytes = SOURCE_BYTES_MAX,
		.max_entries = SOURCE_ENTRIES_MAX,
		.on_entry = count_entry,
		.user = job,
	};
	auto_free char *deb = NULL;
	const char *package, *version;
	int rc = json_get_string(detail, "package", &package, err);

	(void)config;
	if (rc == 0)
		rc = json_get_string(detail, "version", &version, err);
	if (rc < 0)
		return err_prefix(err, "release");
	if (is_prebuilt(package))
		return err_set(err, LAB_EINVALID, "package '%s' holds a built kernel, no source",
			       package);
	rc = apt_fetch_one(job, package, version, &deb, err);
	if (rc < 0)
		return rc;
	spec.archive = deb;
	return archive_unpack(&spec, err);
}

const struct source_ops source_debian = {
	.kind = "debian",
	.list = list_debian,
	.unpack = unpack_debian,
};
