#include "builders/apt.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/proc.h"
#include "builders/job.h"

#define APT_OUTPUT_BYTES        (4u << 20)
#define APT_QUERY_TIMEOUT_MS    60000
#define APT_DOWNLOAD_TIMEOUT_MS (30 * 60000)

static void release_package(struct apt_package *package)
{
	free(package->name);
	free(package->version);
	free(package->section);
	for (size_t i = 0; i < package->depends_count; i++)
		free(package->depends[i]);
	free(package->depends);
	memset(package, 0, sizeof(*package));
}

void apt_package_list_release_p(struct apt_package_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		release_package(&list->items[i]);
	free(list->items);
	list->items = NULL;
	list->count = 0;
}

void apt_list_release_p(struct apt_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	list->items = NULL;
	list->count = 0;
}

/* Debian policy 5.6.1: lower case letters, digits, + - . ; starts with one of the first two. */
bool apt_is_package_name(const char *text)
{
	size_t length = strlen(text);

	return length >= 2 && length <= LIMIT_NAME && isalnum((unsigned char)text[0]) &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+-.") == length;
}

/* Debian policy 5.6.12: [epoch:]upstream[-revision]; starts with a digit. */
bool apt_is_version(const char *text)
{
	size_t length = strlen(text);

	return length >= 1 && length <= LIMIT_NAME && isdigit((unsigned char)text[0]) &&
	       strspn(text,
		      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.~:") ==
		       length;
}

static bool contains(char *const *items, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(items[i], text) == 0)
			return true;
	}
	return false;
}

/* The text from *p up to one of `ends` without blanks around it, on the heap; *p is behind it. */
static char *take_field(const char **p, const char *ends)
{
	const char *start = *p + strspn(*p, " \t");
	size_t length = strcspn(start, ends);

	*p = start + length;
	while (length > 0 && (start[length - 1] == ' ' || start[length - 1] == '\t'))
		length--;
	return xstrndup(start, length);
}

int apt_parse_madison(const char *text, const char *package, struct apt_list *ret_versions,
		      struct err *err)
{
	auto_cleanup(apt_list_release_p) struct apt_list versions = { .count = 0 };

	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		auto_free char *name = take_field(&p, "|\n");
		auto_free char *version = NULL;

		if (*p != '|')
			continue;
		p++;
		version = take_field(&p, "|\n");
		if (strcmp(name, package) != 0 || contains(versions.items, versions.count, version))
			continue;
		if (!apt_is_version(version))
			return err_set(err, LAB_EPARSE,
				       "apt-cache gives '%.80s' as a version of '%s'", version,
				       package);
		if (versions.count == APT_VERSIONS_MAX)
			return err_set(err, LAB_ELIMIT, "package '%s' has more than %d versions",
				       package, APT_VERSIONS_MAX);
		versions.items =
			xreallocarray(versions.items, versions.count + 1, sizeof(*versions.items));
		versions.items[versions.count++] = STEAL_PTR(version);
	}
	*ret_versions = versions;
	versions = (struct apt_list){ .count = 0 };
	return 0;
}

/* Adds the names of "libc6 (>= 2.34), debconf | debconf-2.0:any" to the package. */
static int parse_depends(const char *line, struct apt_package *package, struct err *err)
{
	for (const char *p = line; *p && *p != '\n';) {
		auto_free char *name = take_field(&p, ",|(:\n ");

		p += strcspn(p, ",|\n");
		if (*p == ',' || *p == '|')
			p++;
		if (!apt_is_package_name(name) ||
		    contains(package->depends, package->depends_count, name))
			continue;
		if (package->depends_count == APT_NAMES_MAX)
			return err_set(err, LAB_ELIMIT,
				       "package '%s' depends on more than %d others",
				       package->name ? package->name : "?", APT_NAMES_MAX);
		package->depends = xreallocarray(package->depends, package->depends_count + 1,
						 sizeof(*package->depends));
		package->depends[package->depends_count++] = STEAL_PTR(name);
	}
	return 0;
}

/* If the line at `p` is the field `key`, its value; else NULL. */
static const char *field_value(const char *p, const char *key)
{
	size_t length = strlen(key);

	return strncmp(p, key, length) == 0 && p[length] == ':' ? p + length + 1 : NULL;
}

static void set_field(char **field, const char *value)
{
	if (!*field)
		*field = take_field(&value, "\n");
}

/* One stanza, which ends at an empty line; *p moves behind it. */
static int parse_stanza(const char **p, struct apt_package *package, struct err *err)
{
	const char *line = *p;
	const char *value;
	int rc = 0;

	for (; *line && *line != '\n' && rc == 0;
	     line += strcspn(line, "\n"), line += *line == '\n') {
		if ((value = field_value(line, "Package")))
			set_field(&package->name, value);
		else if ((value = field_value(line, "Version")))
			set_field(&package->version, value);
		else if ((value = field_value(line, "Section")))
			set_field(&package->section, value);
		else if ((value = field_value(line, "Depends")) ||
			 (value = field_value(line, "Pre-Depends")))
			rc = parse_depends(value, package, err);
	}
	*p = line;
	if (rc < 0)
		return rc;
	if (!package->name || !package->version || !apt_is_package_name(package->name) ||
	    !apt_is_version(package->version))
		return err_set(err, LAB_EPARSE, "apt-cache gives package '%.80s' version '%.80s'",
			       package->name ? package->name : "",
			       package->version ? package->version : "");
	if (!package->section)
		package->section = xstrdup("");
	return 0;
}

int apt_parse_show(const char *text, struct apt_package_list *ret_packages, struct err *err)
{
	auto_cleanup(apt_package_list_release_p) struct apt_package_list list = { .count = 0 };

	for (const char *p = text + strspn(text, "\n"); *p; p += strspn(p, "\n")) {
		int rc;

		if (list.count == APT_NAMES_MAX)
			return err_set(err, LAB_ELIMIT, "apt-cache shows more than %d packages",
				       APT_NAMES_MAX);
		list.items = xreallocarray(list.items, list.count + 1, sizeof(*list.items));
		memset(&list.items[list.count], 0, sizeof(*list.items));
		rc = parse_stanza(&p, &list.items[list.count++], err);
		if (rc < 0)
			return rc;
	}
	*ret_packages = list;
	list = (struct apt_package_list){ .count = 0 };
	return 0;
}

/* Run apt-cache and collect what it prints. */
static int query(const struct job *job, const char *const *argv, struct buf *output,
		 struct err *err)
{
	struct proc_spec spec = {
		.argv = argv,
		.env = (const char *const[]){ "LC_ALL=C.UTF-8", NULL },
		.output = output,
		.timeout_ms = APT_QUERY_TIMEOUT_MS,
	};
	int rc = job_run(job, &spec, err);

	if (rc == -ENOENT)
		return err_set(err, LAB_ENOTFOUND, "'%s' is not installed", argv[0]);
	if (rc == 0 && output->overflow)
		return err_set(err, LAB_ELIMIT, "'%s' printed more than %zu bytes", argv[0],
			       output->max);
	return rc;
}

static int check_name(const char *package, struct err *err)
{
	return apt_is_package_name(package)
		       ? 0
		       : err_set(err, LAB_EINVALID, "'%.80s' is no name of a Debian package",
				 package);
}

int apt_versions(const struct job *job, const char *package, struct apt_list *ret_versions,
		 struct err *err)
{
	auto_cleanup(buf_release_p) struct buf output = BUF_INIT(APT_OUTPUT_BYTES);
	int rc = check_name(package, err);

	if (rc == 0)
		rc = query(job,
			   (const char *const[]){ "apt-cache", "madison", "--", package, NULL },
			   &output, err);
	if (rc == 0)
		rc = apt_parse_madison(output.data ? output.data : "", package, ret_versions, err);
	if (rc == 0 && ret_versions->count == 0)
		rc = err_set(err, LAB_ENOTFOUND,
			     "apt knows no package '%s'; `apt-get update` may be due", package);
	return rc;
}

int apt_list_add(struct apt_list *list, const char *text, struct err *err)
{
	if (contains(list->items, list->count, text))
		return 0;
	if (list->count == APT_NAMES_MAX)
		return err_set(err, LAB_ELIMIT, "more than %d packages", APT_NAMES_MAX);
	list->items = xreallocarray(list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count++] = xstrdup(text);
	return 0;
}

/* Split "name=version" and check both. `*ret_version` is NULL for "name" alone. */
static int split_name(const char *text, char **ret_name, char **ret_version, struct err *err)
{
	const char *equals = strchr(text, '=');
	auto_free char *name = xstrndup(text, strcspn(text, "="));
	int rc = check_name(name, err);

	if (rc < 0)
		return rc;
	if (equals && !apt_is_version(equals + 1))
		return err_set(err, LAB_EINVALID, "'%.80s' is no version of a Debian package",
			       equals + 1);
	*ret_version = equals ? xstrdup(equals + 1) : NULL;
	*ret_name = STEAL_PTR(name);
	return 0;
}

/* `fixed` (its last with NULL behind it) and then the names, NULL at the end; free the array only. */
static const char **make_argv(const char *const *fixed, const struct apt_list *names)
{
	const char **argv;
	size_t count = 0;

	while (fixed[count])
		count++;
	argv = xcalloc(count + names->count + 1, sizeof(*argv));
	memcpy(argv, fixed, count * sizeof(*argv));
	for (size_t i = 0; i < names->count; i++)
		argv[count + i] = names->items[i];
	return argv;
}

int apt_show(const struct job *job, const struct apt_list *names,
	     struct apt_package_list *ret_packages, struct err *err)
{
	static const char *const fixed[] = { "apt-cache", "show", "--no-all-versions", "--", NULL };
	auto_cleanup(buf_release_p) struct buf output = BUF_INIT(APT_OUTPUT_BYTES);
	auto_free const char **argv = make_argv(fixed, names);
	struct err why = ERR_INIT;
	int rc;

	for (size_t i = 0; i < names->count; i++) {
		auto_free char *name = NULL;
		auto_free char *version = NULL;

		rc = split_name(names->items[i], &name, &version, err);
		if (rc < 0)
			return rc;
	}
	/* Its status is 100 when it does not know one of them; it shows the others. */
	rc = query(job, argv, &output, &why);
	if (rc < 0 && rc != LAB_ECHILD)
		return err_set(err, rc, "%s", why.text);
	return apt_parse_show(output.data ? output.data : "", ret_packages, err);
}

int apt_show_one(const struct job *job, const char *package, const char *version,
		 struct apt_package_list *ret_packages, struct err *err)
{
	auto_cleanup(apt_list_release_p) struct apt_list names = { .count = 0 };
	auto_free char *wanted = version ? xasprintf("%s=%s", package, version) : xstrdup(package);
	int rc = apt_list_add(&names, wanted, err);

	if (rc == 0)
		rc = apt_show(job, &names, ret_packages, err);
	if (rc == 0 && ret_packages->count == 0)
		rc = err_set(err, LAB_ENOTFOUND,
			     "apt knows no package '%s'; `apt-get update` may be due", wanted);
	return rc;
}

/* Progress lines: "dlstatus:1:23.4567:Retrieving file 1 of 1 (4min 3s remaining)". */
struct download {
	struct job *job;
	const char *what;
};

static void on_apt_line(const char *line, void *user)
{
	struct download *download = user;
	double percent;

	if (sscanf(line, "dlstatus:%*[^:]:%lf", &percent) == 1 && percent >= 0 && percent <= 100)
		job_progress(download->job, "download", (int64_t)percent, 100, download->what);
	else if (strncmp(line, "dlstatus:", 9) != 0)
		fprintf(stderr, "apt-get: %s\n", line);
}

/* True if apt's name of a file, "libc6_1%3a2.36_amd64.deb", is that of this package and version. */
static bool is_deb_of(const char *file, const char *package, const char *version)
{
	auto_cleanup(buf_release_p) struct buf start = BUF_INIT(1024);
	size_t length = strlen(file);

	buf_printf(&start, "%s_", package);
	for (; *version; version++)
		buf_printf(&start, *version == ':' ? "%%3a" : "%c", *version);
	buf_append_char(&start, '_');
	return !start.overflow && strncmp(file, start.data, start.size) == 0 && length > 4 &&
	       strcmp(file + length - 4, ".deb") == 0;
}

/* The file of the package in `folder`, flushed to the disk, becomes `path`. */
static int adopt_download(const char *folder, const char *package, const char *version,
			  const char *path, struct err *err)
{
	DIR *dir = opendir(folder);
	auto_free char *found = NULL;
	auto_close int fd = -1;
	struct dirent *entry;

	if (!dir)
		return err_set(err, -errno, "open folder '%s': %s", folder, strerror(errno));
	while (!found && (entry = readdir(dir))) {
		if (is_deb_of(entry->d_name, package, version))
			found = path_join(folder, entry->d_name);
	}
	(void)closedir(dir); /* only read */
	if (!found)
		return err_set(err, LAB_EFAIL, "apt-get ended well but left no '%s' %s in '%s'",
			       package, version, folder);
	fd = open(found, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fsync(fd) < 0 || rename(found, path) < 0)
		return err_set(err, -errno, "keep '%s' as '%s': %s", found, path, strerror(errno));
	return 0;
}

static int run_download(struct job *job, const struct apt_list *packages, const char *folder,
			struct err *err)
{
	/* As root, apt would download as a user that cannot write to our folder, and say so. */
	static const char *const fixed[] = { "apt-get",
					     "download",
					     "-q",
					     "-o",
					     "APT::Status-Fd=1",
					     "-o",
					     "APT::Sandbox::User=root",
					     "--",
					     NULL };
	auto_free const char **argv = make_argv(fixed, packages);
	auto_free char *what =
		packages->count == 1
			? xstrdup(packages->items[0])
			: xasprintf("%s and %zu more", packages->items[0], packages->count - 1);
	struct download download = { .job = job, .what = what };
	struct proc_spec spec = {
		.argv = argv,
		.env = (const char *const[]){ "LC_ALL=C.UTF-8", NULL },
		.folder = folder,
		.on_line = on_apt_line,
		.user = &download,
		.timeout_ms = APT_DOWNLOAD_TIMEOUT_MS,
	};
	int rc;

	job_progress(job, "download", 0, 100, what);
	rc = job_run(job, &spec, err);
	if (rc == LAB_ECHILD)
		return err_set(err, LAB_ENET,
			       "apt-get cannot download %s; its reason is in the log", what);
	return rc;
}

char *apt_deb_path(const struct job *job, const char *package, const char *version)
{
	return xasprintf("%s/packages/%s_%s.deb", job->cache, package, version);
}

/* Those of the packages that the cache has not got. */
static int find_missing(const struct job *job, const struct apt_list *packages,
			struct apt_list *ret_missing, struct err *err)
{
	auto_cleanup(apt_list_release_p) struct apt_list missing = { .count = 0 };
	int rc = 0;

	for (size_t i = 0; i < packages->count && rc == 0; i++) {
		auto_free char *name = NULL;
		auto_free char *version = NULL;
		auto_free char *path = NULL;

		rc = split_name(packages->items[i], &name, &version, err);
		if (rc == 0 && !version)
			rc = err_set(err, LAB_EINVALID, "package '%s' without a version", name);
		if (rc < 0)
			return rc;
		path = apt_deb_path(job, name, version);
		if (!fs_exists(path))
			rc = apt_list_add(&missing, packages->items[i], err);
	}
	*ret_missing = missing;
	missing = (struct apt_list){ .count = 0 };
	return rc;
}

/* Download all of `missing` and give the files their names in the cache. */
static int bring(struct job *job, const char *folder, const struct apt_list *missing,
		 struct err *err)
{
	auto_free char *partial = path_join(folder, "partial");
	int rc = fs_remove_tree(partial, err);

	if (rc == 0)
		rc = fs_mkdir_parents(partial, 0755, err);
	if (rc == 0)
		rc = run_download(job, missing, partial, err);
	for (size_t i = 0; i < missing->count && rc == 0; i++) {
		auto_free char *name = NULL;
		auto_free char *version = NULL;
		auto_free char *path = NULL;

		rc = split_name(missing->items[i], &name, &version, err);
		if (rc < 0)
			break;
		path = apt_deb_path(job, name, version);
		rc = adopt_download(partial, name, version, path, err);
	}
	(void)fs_remove_tree(partial, NULL); /* the next download sweeps it otherwise */
	return rc;
}

int apt_fetch(struct job *job, const struct apt_list *packages, struct err *err)
{
	auto_cleanup(apt_list_release_p) struct apt_list missing = { .count = 0 };
	auto_free char *folder = NULL;
	auto_close int lock_fd = -1;
	int rc = job_cache_folder(job, "packages", &folder, err);

	if (rc == 0)
		rc = find_missing(job, packages, &missing, err);
	if (rc < 0 || missing.count == 0)
		return rc;
	rc = job_lock(job, folder, &lock_fd, err);
	if (rc < 0)
		return rc;
	/* Another job may have brought them while we waited. */
	apt_list_release_p(&missing);
	rc = find_missing(job, packages, &missing, err);
	return rc < 0 || missing.count == 0 ? rc : bring(job, folder, &missing, err);
}

int apt_fetch_one(struct job *job, const char *package, const char *version, char **ret_path,
		  struct err *err)
{
	auto_cleanup(apt_list_release_p) struct apt_list packages = { .count = 0 };
	auto_free char *wanted = xasprintf("%s=%s", package, version);
	int rc = apt_list_add(&packages, wanted, err);

	if (rc == 0)
		rc = apt_fetch(job, &packages, err);
	if (rc == 0)
		*ret_path = apt_deb_path(job, package, version);
	return rc;
}
