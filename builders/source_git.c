/*
 * A git repository as a source: its tags that are names of kernels. `location`
 * is a URL or an absolute path, `tags` a list of shell patterns (none = all).
 *
 * cache/git/<hash of the location>/ is a bare repository with the remote's tags.
 * A tree is unpacked by walking the commit's tree object, not by a checkout: no
 * index, no filters, no attributes, no hooks, and two jobs do not meet.
 *
 * This file is the only user of git2.h.
 */
#include "builders/source.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <git2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/time.h"
#include "base/version.h"
#include "builders/archive.h"
#include "builders/job.h"

#define TREE_DEPTH_MAX    64
#define TREE_FILES_MAX    1000000
#define TREE_BYTES_MAX    (8ll << 30)
#define CACHE_NAME_DIGITS 16
#define TAG_PREFIX        "refs/tags/"

static void repository_free_p(git_repository **repository)
{
	git_repository_free(*repository);
}

static void remote_free_p(git_remote **remote)
{
	git_remote_free(*remote);
}

static void object_free_p(git_object **object)
{
	git_object_free(*object);
}

static void tree_free_p(git_tree **tree)
{
	git_tree_free(*tree);
}

static void blob_free_p(git_blob **blob)
{
	git_blob_free(*blob);
}

/* libgit2's last error in our form. */
static int git_failed(int code, const char *what, struct err *err)
{
	const git_error *last = git_error_last();
	int ours = LAB_EFAIL;

	if (code == GIT_ENOTFOUND)
		ours = LAB_ENOTFOUND;
	else if (last && last->klass == GIT_ERROR_NET)
		ours = LAB_ENET;
	else if (last && last->klass == GIT_ERROR_OS && errno == ENOSPC)
		ours = -ENOSPC;
	return err_set(err, ours, "%s: %s", what, last ? last->message : "git gave no reason");
}

static int start_library(struct err *err)
{
	static bool is_started;
	int rc;

	if (is_started)
		return 0;
	rc = git_libgit2_init();
	if (rc < 0)
		return git_failed(rc, "start libgit2", err);
	/* An upstream on this machine may belong to somebody else; objects are only read. */
	(void)git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
	is_started = true;
	return 0;
}

/* Schemes that need no program and no key; "ext::" and friends do not exist in libgit2. */
static int check_location(const char *location, struct err *err)
{
	static const char *const schemes[] = { "/", "file:///", "https://", "http://", "git://" };

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (strncmp(location, schemes[i], strlen(schemes[i])) != 0)
			continue;
		/* libgit2 would take it for a URL of an unknown kind and say that. */
		if (location[0] == '/' && !fs_exists(location))
			return err_set(err, LAB_ENOTFOUND, "git location '%s': no such folder",
				       location);
		return 0;
	}
	return err_set(
		err, LAB_EINVALID,
		"git location '%s': expected an absolute path or a https, http, git or file URL",
		location);
}

static int on_fetch_progress(const git_indexer_progress *progress, void *user)
{
	struct job *job = user;
	char text[96];

	snprintf(text, sizeof(text), "%u of %u objects, %zu KiB", progress->received_objects,
		 progress->total_objects, progress->received_bytes >> 10);
	job_progress(job, "fetch", progress->received_objects, progress->total_objects, text);
	return job_check_cancelled(job, NULL) < 0 ? GIT_EUSER : 0;
}

/* The remote's own words, such as "Counting objects"; also a place to stop. */
static int on_fetch_text(const char *text, int length, void *user)
{
	struct job *job = user;

	(void)text;
	(void)length;
	return job_check_cancelled(job, NULL) < 0 ? GIT_EUSER : 0;
}

/*
 * Forget tags that name no commit (v2.6.11-tree of the kernel names a tree):
 * libgit2 1.5 takes all refs that are here for commits when it negotiates, and a
 * second fetch would fail.
 */
static int forget_odd_tags(git_repository *repository, struct err *err)
{
	git_strarray names;
	int rc = git_reference_list(&names, repository);

	if (rc < 0)
		return git_failed(rc, "list refs", err);
	for (size_t i = 0; i < names.count; i++) {
		auto_cleanup(object_free_p) git_object *target = NULL;
		auto_cleanup(object_free_p) git_object *commit = NULL;

		if (git_revparse_single(&target, repository, names.strings[i]) == 0 &&
		    git_object_peel(&commit, target, GIT_OBJECT_COMMIT) == 0)
			continue;
		rc = git_reference_remove(repository, names.strings[i]);
		if (rc < 0) {
			rc = git_failed(rc, names.strings[i], err);
			break;
		}
	}
	git_strarray_dispose(&names);
	return rc;
}

static int fetch_tags(struct job *job, git_repository *repository, const char *location,
		      struct err *err)
{
	auto_cleanup(remote_free_p) git_remote *remote = NULL;
	git_fetch_options options;
	char refspec[] = "+refs/tags/*:refs/tags/*";
	char *refspecs[] = { refspec };
	const git_strarray wanted = { .strings = refspecs, .count = 1 };
	int rc = git_remote_create_anonymous(&remote, repository, location);

	if (rc < 0)
		return git_failed(rc, location, err);
	rc = git_fetch_options_init(&options, GIT_FETCH_OPTIONS_VERSION);
	if (rc < 0)
		return git_failed(rc, location, err);
	rc = forget_odd_tags(repository, err);
	if (rc < 0)
		return rc;
	options.callbacks.transfer_progress = on_fetch_progress;
	options.callbacks.sideband_progress = on_fetch_text;
	options.callbacks.payload = job;
	options.prune = GIT_FETCH_PRUNE;
	options.update_fetchhead = 0;
	options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE; /* the refspec names them all */
	options.proxy_opts.type = GIT_PROXY_AUTO;
	job_progress(job, "fetch", 0, 0, location);
	rc = git_remote_fetch(remote, &wanted, &options, NULL);
	if (rc < 0 && job_check_cancelled(job, err) < 0)
		return LAB_ECANCELLED;
	return rc < 0 ? git_failed(rc, location, err) : 0;
}

/* Open the bare repository at `path`, or make it beside and rename it. */
static int open_bare(const char *path, git_repository **ret_repository, struct err *err)
{
	auto_free char *partial = xasprintf("%s.partial", path);
	auto_cleanup(repository_free_p) git_repository *made = NULL;
	int rc;

	if (!fs_exists(path)) {
		rc = fs_remove_tree(partial, err);
		if (rc < 0)
			return rc;
		rc = git_repository_init(&made, partial, 1);
		if (rc < 0)
			return git_failed(rc, partial, err);
		if (rename(partial, path) < 0)
			return err_set(err, -errno, "rename '%s': %s", partial, strerror(errno));
	}
	rc = git_repository_open_bare(ret_repository, path);
	return rc < 0 ? git_failed(rc, path, err) : 0;
}

/* The cached repository of the source, locked; the lock is *ret_lock_fd. */
static int open_cached(struct job *job, const json_t *config, git_repository **ret_repository,
		       const char **ret_location, int *ret_lock_fd, struct err *err)
{
	auto_free char *folder = NULL;
	auto_free char *path = NULL;
	char hex[HASH_HEX_SIZE];
	const char *location;
	int rc = json_get_string(config, "location", &location, err);

	if (rc == 0)
		rc = check_location(location, err);
	if (rc == 0)
		rc = start_library(err);
	if (rc == 0)
		rc = job_cache_folder(job, "git", &folder, err);
	if (rc == 0)
		rc = job_lock(job, folder, ret_lock_fd, err);
	if (rc < 0)
		return rc;
	hash_bytes(location, strlen(location), hex);
	hex[CACHE_NAME_DIGITS] = '\0';
	path = path_join(folder, hex);
	rc = open_bare(path, ret_repository, err);
	if (rc == 0)
		*ret_location = location;
	return rc;
}

/* True if `tag` matches one of the patterns of the source, or there are none. */
static bool is_wanted(const json_t *config, const char *tag)
{
	const json_t *patterns = json_object_get(config, "tags");
	const json_t *pattern;
	size_t i;

	if (json_array_size(patterns) == 0)
		return true;
	json_array_foreach(patterns, i, pattern) {
		const char *text = json_string_value(pattern);

		if (text && fnmatch(text, tag, 0) == 0)
			return true;
	}
	return false;
}

/* The commit that a tag stands for and when the tag, or else the commit, was made. 1, or 0 if none. */
static int resolve_tag(git_repository *repository, const char *reference, git_object **ret_commit,
		       int64_t *ret_us, struct err *err)
{
	auto_cleanup(object_free_p) git_object *target = NULL;
	const git_signature *tagger = NULL;
	int rc = git_revparse_single(&target, repository, reference);

	if (rc < 0)
		return git_failed(rc, reference, err);
	if (git_object_type(target) == GIT_OBJECT_TAG)
		tagger = git_tag_tagger((git_tag *)target);
	/* A tag may name a tree or a blob, as v2.6.11-tree does: no release. */
	rc = git_object_peel(ret_commit, target, GIT_OBJECT_COMMIT);
	if (rc < 0)
		return 0;
	*ret_us = (tagger ? tagger->when.time : git_commit_time((git_commit *)*ret_commit)) *
		  US_PER_SECOND;
	return 1;
}

static int tell_tag(git_repository *repository, const char *reference, source_release_cb cb,
		    void *user, struct err *err)
{
	const char *tag = reference + strlen(TAG_PREFIX);
	auto_cleanup(object_free_p) git_object *commit = NULL;
	auto_json json_t *detail = NULL;
	struct version version;
	char hex[GIT_OID_HEXSZ + 1];
	struct source_release release = { .name = tag, .identity = hex };
	int rc;

	if (version_parse(tag, &version, NULL) < 0 || version.type == RELEASE_TYPE_LOCAL)
		return 0;
	rc = resolve_tag(repository, reference, &commit, &release.released_us, err);
	if (rc <= 0)
		return rc;
	git_oid_tostr(hex, sizeof(hex), git_object_id(commit));
	detail = json_pack("{ss ss}", "commit", hex, "tag", tag);
	release.detail = detail;
	release.series = version.series;
	release.type = release_type_to_string(version.type);
	release.sort_key = version.sort_key;
	return cb(&release, user, err);
}

static int tell_tags(struct job *job, git_repository *repository, const json_t *config,
		     source_release_cb cb, void *user, struct err *err)
{
	git_reference_iterator *iterator = NULL;
	const char *reference;
	int64_t passed_over = 0;
	int rc = git_reference_iterator_glob_new(&iterator, repository, TAG_PREFIX "*");

	if (rc < 0)
		return git_failed(rc, "list tags", err);
	while (rc == 0 && (rc = git_reference_next_name(&reference, iterator)) == 0) {
		const char *tag = reference + strlen(TAG_PREFIX);

		/* Git allows "a/b" and much else that is no name of a kernel. */
		if (path_is_component(tag) && strlen(tag) <= LIMIT_NAME && is_wanted(config, tag))
			rc = tell_tag(repository, reference, cb, user, err);
		else
			passed_over++;
	}
	git_reference_iterator_free(iterator);
	if (passed_over > 0)
		job_decide(job, "source", "passed over %lld tags that the patterns do not name",
			   (long long)passed_over);
	return rc == GIT_ITEROVER ? 0 : rc;
}

static int list_git(struct job *job, const json_t *config, source_release_cb cb, void *user,
		    struct err *err)
{
	auto_cleanup(repository_free_p) git_repository *repository = NULL;
	auto_close int lock_fd = -1;
	const char *location;
	int rc = open_cached(job, config, &repository, &location, &lock_fd, err);

	if (rc == 0)
		rc = fetch_tags(job, repository, location, err);
	if (rc == 0)
		rc = tell_tags(job, repository, config, cb, user, err);
	return rc;
}

/* --- unpacking ------------------------------------------------------------ */

/* A tree on its way to a folder. */
struct unpacking {
	struct job *job;
	git_repository *repository;
	int64_t files;
	int64_t bytes;
};

static int write_file(int folder_fd, const char *name, mode_t mode, const git_blob *blob,
		      struct err *err)
{
	const char *data = git_blob_rawcontent(blob);
	size_t left = (size_t)git_blob_rawsize(blob);
	auto_close int fd =
		openat(folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

	if (fd < 0)
		return err_set(err, -errno, "create '%s': %s", name, strerror(errno));
	while (left > 0) {
		ssize_t written = write(fd, data, left);

		if (written < 0 && errno != EINTR)
			return err_set(err, -errno, "write '%s': %s", name, strerror(errno));
		if (written > 0) {
			data += written;
			left -= (size_t)written;
		}
	}
	return 0;
}

/* `path` is the entry's path in the tree, for links and messages. */
static int write_blob(struct unpacking *unpacking, int folder_fd, const git_tree_entry *entry,
		      const char *path, struct err *err)
{
	const char *name = git_tree_entry_name(entry);
	git_filemode_t mode = git_tree_entry_filemode(entry);
	auto_cleanup(blob_free_p) git_blob *blob = NULL;
	auto_free char *text = NULL;
	auto_free char *target = NULL;
	int rc = git_blob_lookup(&blob, unpacking->repository, git_tree_entry_id(entry));

	if (rc < 0)
		return git_failed(rc, path, err);
	unpacking->bytes += (int64_t)git_blob_rawsize(blob);
	if (++unpacking->files > TREE_FILES_MAX || unpacking->bytes > TREE_BYTES_MAX)
		return err_set(err, LAB_ELIMIT, "more than %d files or %lld bytes", TREE_FILES_MAX,
			       (long long)TREE_BYTES_MAX);
	job_progress(unpacking->job, "unpack", unpacking->files, 0, path);
	if (mode != GIT_FILEMODE_LINK)
		return write_file(folder_fd, name,
				  mode == GIT_FILEMODE_BLOB_EXECUTABLE ? 0755 : 0644, blob, err);
	text = xstrndup(git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob));
	rc = archive_check_link(path, text, ARCHIVE_LINKS_STRICT, &target, err);
	if (rc < 0)
		return rc;
	return symlinkat(target, folder_fd, name) < 0
		       ? err_set(err, -errno, "link '%s': %s", path, strerror(errno))
		       : 0;
}

static int write_tree(struct unpacking *unpacking, const git_oid *id, int folder_fd,
		      const char *prefix, int depth, struct err *err);

static int write_entry(struct unpacking *unpacking, int folder_fd, const git_tree_entry *entry,
		       const char *prefix, int depth, struct err *err)
{
	const char *name = git_tree_entry_name(entry);
	auto_free char *path = prefix[0] ? path_join(prefix, name) : xstrdup(name);
	auto_close int sub_fd = -1;

	if (!path_is_component(name))
		return err_set(err, LAB_EINVALID, "the tree has an entry '%.80s'", path);
	if (git_tree_entry_type(entry) == GIT_OBJECT_BLOB)
		return write_blob(unpacking, folder_fd, entry, path, err);
	if (mkdirat(folder_fd, name, 0755) < 0)
		return err_set(err, -errno, "make folder '%s': %s", path, strerror(errno));
	if (git_tree_entry_type(entry) != GIT_OBJECT_TREE)
		return 0; /* a submodule is an empty folder */
	sub_fd = openat(folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub_fd < 0)
		return err_set(err, -errno, "open folder '%s': %s", path, strerror(errno));
	return write_tree(unpacking, git_tree_entry_id(entry), sub_fd, path, depth + 1, err);
}

static int write_tree(struct unpacking *unpacking, const git_oid *id, int folder_fd,
		      const char *prefix, int depth, struct err *err)
{
	auto_cleanup(tree_free_p) git_tree *tree = NULL;
	int rc = git_tree_lookup(&tree, unpacking->repository, id);

	if (rc < 0)
		return git_failed(rc, prefix, err);
	if (depth > TREE_DEPTH_MAX)
		return err_set(err, LAB_ELIMIT, "'%s' is deeper than %d folders", prefix,
			       TREE_DEPTH_MAX);
	rc = job_check_cancelled(unpacking->job, err);
	for (size_t i = 0; i < git_tree_entrycount(tree) && rc == 0; i++)
		rc = write_entry(unpacking, folder_fd, git_tree_entry_byindex(tree, i), prefix,
				 depth, err);
	return rc;
}

/* The commit's object, fetched first when the cache has not got it. */
static int find_commit(struct job *job, git_repository *repository, const char *location,
		       const char *hex, git_object **ret_commit, struct err *err)
{
	git_oid id;
	int rc;

	if (strlen(hex) != GIT_OID_HEXSZ || git_oid_fromstr(&id, hex) < 0)
		return err_set(err, LAB_EINVALID, "'%.80s' is no name of a commit", hex);
	if (git_object_lookup(ret_commit, repository, &id, GIT_OBJECT_COMMIT) == 0)
		return 0;
	rc = fetch_tags(job, repository, location, err);
	if (rc < 0)
		return rc;
	rc = git_object_lookup(ret_commit, repository, &id, GIT_OBJECT_COMMIT);
	return rc < 0 ? git_failed(rc, location, err) : 0;
}

static int unpack_git(struct job *job, const json_t *config, const json_t *detail,
		      const char *folder, struct err *err)
{
	auto_cleanup(repository_free_p) git_repository *repository = NULL;
	auto_cleanup(object_free_p) git_object *commit = NULL;
	struct unpacking unpacking = { .job = job };
	auto_close int lock_fd = -1;
	auto_close int folder_fd = -1;
	const char *location, *hex;
	int rc = json_get_string(detail, "commit", &hex, err);

	if (rc < 0)
		return err_prefix(err, "release");
	rc = open_cached(job, config, &repository, &location, &lock_fd, err);
	if (rc == 0)
		rc = find_commit(job, repository, location, hex, &commit, err);
	if (rc < 0)
		return rc;
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder_fd < 0)
		return err_set(err, -errno, "open folder '%s': %s", folder, strerror(errno));
	unpacking.repository = repository;
	rc = write_tree(&unpacking, git_commit_tree_id((git_commit *)commit), folder_fd, "", 0,
			err);
	return rc < 0 ? err_prefix(err, "commit %s", hex) : 0;
}

const struct source_ops source_git = {
	.kind = "git",
	.list = list_git,
	.unpack = unpack_git,
};
