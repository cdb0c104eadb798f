/*
 * The NUT's user space.
 *
 * cache/root/<key>/tree      bin/ (programs, busybox links), lib/ (libraries, loader)
 * cache/root/<key>/manifest.json   the packages and versions it was made from
 * cache/root/<programs>.json the key used last, for when apt has nothing to say
 *
 * The key is a hash over the programs' packages and the versions that apt would
 * install now, so a new version makes a new tree. A tree is made in
 * cache/root/partial and renamed, so what has its name is whole.
 *
 * Which libraries are needed is what the tree's own loader says; packages are
 * followed along Depends, a level at a time, only while a library is missing.
 */
#include "builders/root.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/proc.h"
#include "builders/apt.h"
#include "builders/archive.h"
#include "builders/job.h"

/* Changes when the tree is made differently from the same packages. */
#define ROOT_LAYOUT         "2"
#define LIBRARY_FOLDER      "lib/x86_64-linux-gnu"
#define LOADER              LIBRARY_FOLDER "/ld-linux-x86-64.so.2"
#define LEVELS_MAX          8
#define PACKAGE_BYTES_MAX   (512ll << 20)
#define PACKAGE_ENTRIES_MAX 100000
#define TOOL_TIMEOUT_MS     30000

enum role_group { ALL_ROLES, HOSTS, ROUTERS }; /* routers: the roles that forward */

static const struct program {
	const char *package;
	const char *path; /* in the package */
	const char *name; /* in bin/ */
	bool is_static;   /* needs no libraries */
	enum role_group roles;
} programs[] = {
	{ "busybox-static", "bin/busybox", "busybox", true, ALL_ROLES },
	{ "iproute2", "bin/ip", "ip", false, ALL_ROLES },
	{ "qemu-guest-agent", "usr/sbin/qemu-ga", "qemu-ga", false, ALL_ROLES },
	{ "radvd", "usr/sbin/radvd", "radvd", false, ROUTERS },
	/* Tests start it: docs/design/005-dns.md. */
	{ "rdnssd", "sbin/rdnssd", "rdnssd", false, HOSTS },
};
#define PROGRAM_COUNT (sizeof(programs) / sizeof(programs[0]))

/* The work of making one tree. */
struct root {
	struct job *job;
	bool is_router;   /* the role forwards */
	char *base;       /* cache/root */
	char *partial;    /* cache/root/partial */
	char *unpacked;   /* cache/root/partial/unpacked: whole packages */
	char *tree;       /* cache/root/partial/tree: what stays */
	json_t *packages; /* name to version of what was unpacked */
};

static bool is_needed(const struct root *root, const struct program *program)
{
	return program->roles == ALL_ROLES || (program->roles == ROUTERS) == root->is_router;
}

/* Fetch the packages ("name=version") together and unpack those that are not unpacked yet. */
static int unpack_packages(struct root *root, const struct apt_list *packages, struct err *err)
{
	struct unpack_spec spec = {
		.folder = root->unpacked,
		.inside = (const char *const[]){ "data.tar*", NULL },
		.links = ARCHIVE_LINKS_ROOTED,
		.max_bytes = PACKAGE_BYTES_MAX,
		.max_entries = PACKAGE_ENTRIES_MAX,
	};
	int rc = apt_fetch(root->job, packages, err);

	for (size_t i = 0; i < packages->count && rc == 0; i++) {
		const char *version = strchr(packages->items[i], '=') + 1;
		auto_free char *name =
			xstrndup(packages->items[i], strcspn(packages->items[i], "="));
		auto_free char *deb = apt_deb_path(root->job, name, version);

		spec.archive = deb;
		rc = job_check_cancelled(root->job, err);
		if (rc == 0)
			rc = archive_unpack(&spec, err);
		if (rc == 0)
			(void)json_object_set_new(root->packages, name, json_string(version));
	}
	return rc;
}

/* Add "name=version" of a manifest's entries. */
static int add_wanted(struct apt_list *list, const json_t *packages, struct err *err)
{
	const char *name;
	json_t *version;
	int rc = 0;

	json_object_foreach((json_t *)(uintptr_t)packages, name, version) {
		auto_free char *wanted = xasprintf("%s=%s", name, json_string_value(version));

		if (rc == 0)
			rc = apt_list_add(list, wanted, err);
	}
	return rc;
}

/* The path in the unpacked packages of a library, in /lib or /usr/lib; NULL if it is in neither. */
static char *find_library(const struct root *root, const char *name)
{
	static const char *const folders[] = { LIBRARY_FOLDER, "usr/" LIBRARY_FOLDER };

	for (size_t i = 0; i < 2; i++) {
		char *path = xasprintf("%s/%s/%s", root->unpacked, folders[i], name);

		if (fs_exists(path))
			return path;
		free(path);
	}
	return NULL;
}

static int copy_program(struct root *root, const char *from, const char *to_folder,
			const char *name, struct err *err)
{
	auto_free char *to = xasprintf("%s/%s/%s", root->tree, to_folder, name);

	return fs_copy_file(from, to, 0755, err);
}

/*
 * One line of the loader's list, "\tlibm.so.6 => /path (0x...)": copies the
 * library, or adds its name to `missing`. The kernel's vdso and the loader
 * itself have no "=>" that we need.
 */
static int take_library(struct root *root, const char *line, struct buf *missing, struct err *err)
{
	auto_free char *name = NULL;
	auto_free char *path = NULL;
	const char *arrow = strstr(line, " => ");
	const char *start = line + strspn(line, " \t");

	if (!arrow || start[0] == '/')
		return 0;
	name = xstrndup(start, (size_t)(arrow - start));
	if (!path_is_component(name))
		return err_set(err, LAB_EPARSE, "the loader lists a library '%.80s'", name);
	path = find_library(root, name);
	if (!path) {
		buf_printf(missing, " %s", name);
		return 0;
	}
	return copy_program(root, path, LIBRARY_FOLDER, name, err);
}

static int take_program(struct root *root, const struct program *program, struct buf *missing,
			struct err *err)
{
	auto_cleanup(buf_release_p) struct buf list = BUF_INIT(64u << 10);
	auto_free char *path = path_join(root->unpacked, program->path);
	auto_free char *loader = path_join(root->unpacked, LOADER);
	auto_free char *libraries = xasprintf("%s/" LIBRARY_FOLDER ":%s/usr/" LIBRARY_FOLDER,
					      root->unpacked, root->unpacked);
	/* As ldd(1) asks it: with --list it would give up at the first library that is missing. */
	struct proc_spec spec = {
		.argv = (const char *const[]){ loader, "--library-path", libraries, path, NULL },
		.env = (const char *const[]){ "LD_TRACE_LOADED_OBJECTS=1", NULL },
		.env_clear = true,
		.output = &list,
		.timeout_ms = TOOL_TIMEOUT_MS,
	};
	char *rest;
	int rc;

	if (!fs_exists(path))
		return err_set(err, LAB_ENOTFOUND, "package '%s' has no '%s'", program->package,
			       program->path);
	rc = copy_program(root, path, "bin", program->name, err);
	if (rc < 0 || program->is_static)
		return rc;
	rc = job_run(root->job, &spec, err);
	if (rc < 0)
		return err_prefix(err, "libraries of '%s'", program->name);
	for (char *line = strtok_r(list.data, "\n", &rest); line && rc == 0;
	     line = strtok_r(NULL, "\n", &rest))
		rc = take_library(root, line, missing, err);
	return rc;
}

/* The names that the packages so far depend on and that are not unpacked yet. */
static int list_depends(struct root *root, struct apt_list *names, struct err *err)
{
	auto_cleanup(apt_list_release_p) struct apt_list known = { .count = 0 };
	auto_cleanup(apt_package_list_release_p) struct apt_package_list shown = { .count = 0 };
	int rc = add_wanted(&known, root->packages, err);

	if (rc == 0)
		rc = apt_show(root->job, &known, &shown, err);
	for (size_t i = 0; i < shown.count && rc == 0; i++) {
		for (size_t j = 0; j < shown.items[i].depends_count && rc == 0; j++) {
			const char *name = shown.items[i].depends[j];

			if (!json_object_get(root->packages, name))
				rc = apt_list_add(names, name, err);
		}
	}
	return rc;
}

/*
 * Unpack the libraries that the packages so far depend on. 1 = some, 0 = there
 * are no more.
 */
static int follow_depends(struct root *root, struct err *err)
{
	auto_cleanup(apt_list_release_p) struct apt_list names = { .count = 0 };
	auto_cleanup(apt_list_release_p) struct apt_list wanted = { .count = 0 };
	auto_cleanup(apt_package_list_release_p) struct apt_package_list shown = { .count = 0 };
	int rc = list_depends(root, &names, err);

	if (rc < 0 || names.count == 0)
		return rc;
	/* Virtual packages and those of other architectures are not shown. */
	rc = apt_show(root->job, &names, &shown, err);
	for (size_t i = 0; i < shown.count && rc == 0; i++) {
		auto_free char *text =
			xasprintf("%s=%s", shown.items[i].name, shown.items[i].version);

		if (strcmp(shown.items[i].section, "libs") == 0)
			rc = apt_list_add(&wanted, text, err);
	}
	if (rc < 0 || wanted.count == 0)
		return rc;
	rc = unpack_packages(root, &wanted, err);
	return rc < 0 ? rc : 1;
}

static int take_programs(struct root *root, struct err *err)
{
	for (int level = 0; level < LEVELS_MAX; level++) {
		auto_cleanup(buf_release_p) struct buf missing = BUF_INIT(4096);
		int rc = 0;

		for (size_t i = 0; i < PROGRAM_COUNT && rc == 0; i++) {
			if (is_needed(root, &programs[i]))
				rc = take_program(root, &programs[i], &missing, err);
		}
		if (rc < 0 || missing.size == 0)
			return rc;
		rc = follow_depends(root, err);
		if (rc < 0)
			return rc;
		if (rc == 0)
			return err_set(err, LAB_ENOTFOUND, "no package brings the libraries%s",
				       missing.data);
	}
	return err_set(err, LAB_ELIMIT, "libraries need packages more than %d levels down",
		       LEVELS_MAX);
}

/* Folders and links that every path in the packages' programs relies on. */
static int make_layout(struct root *root, struct err *err)
{
	static const char *const folders[] = { "bin", LIBRARY_FOLDER, "lib64",      "usr",
					       "dev", "proc",         "sys",        "run",
					       "tmp", "root",         "etc/testlab" };
	static const char *const links[][2] = {
		{ "bin", "sbin" },
		{ "../bin", "usr/bin" },
		{ "../bin", "usr/sbin" },
		{ "../lib", "usr/lib" },
		{ "../" LOADER, "lib64/ld-linux-x86-64.so.2" },
		{ "/proc/mounts", "etc/mtab" },
	};
	/* Daemons look up the user that they become. */
	static const char users[] = "root:x:0:0:root:/root:/bin/sh\n";
	int rc = 0;

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]) && rc == 0; i++) {
		auto_free char *path = path_join(root->tree, folders[i]);

		rc = fs_mkdir_parents(path, 0755, err);
	}
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]) && rc == 0; i++) {
		auto_free char *path = path_join(root->tree, links[i][1]);

		if (symlink(links[i][0], path) < 0)
			rc = err_set(err, -errno, "link '%s': %s", path, strerror(errno));
	}
	if (rc == 0) {
		auto_free char *path = path_join(root->tree, "etc/passwd");

		rc = fs_write_file(path, users, strlen(users), 0644, err);
	}
	return rc;
}

/* A link to busybox for each of its applets that no real program has the name of. */
static int link_applets(struct root *root, struct err *err)
{
	auto_cleanup(buf_release_p) struct buf list = BUF_INIT(64u << 10);
	auto_free char *busybox = path_join(root->tree, "bin/busybox");
	struct proc_spec spec = {
		.argv = (const char *const[]){ busybox, "--list", NULL },
		.env_clear = true,
		.output = &list,
		.timeout_ms = TOOL_TIMEOUT_MS,
	};
	char *rest;
	int rc = job_run(root->job, &spec, err);

	if (rc < 0)
		return rc;
	for (char *name = strtok_r(list.data, "\n", &rest); name;
	     name = strtok_r(NULL, "\n", &rest)) {
		auto_free char *path = xasprintf("%s/bin/%s", root->tree, name);

		if (!path_is_component(name))
			return err_set(err, LAB_EPARSE, "busybox lists an applet '%.80s'", name);
		if (symlink("busybox", path) < 0 && errno != EEXIST)
			return err_set(err, -errno, "link '%s': %s", path, strerror(errno));
	}
	return 0;
}

/* Make the tree in cache/root/partial from the packages in root->packages. */
static int make_tree(struct root *root, struct err *err)
{
	auto_free char *loader = NULL;
	auto_free char *manifest = path_join(root->partial, "manifest.json");
	auto_cleanup(apt_list_release_p) struct apt_list wanted = { .count = 0 };
	int rc = fs_remove_tree(root->partial, err);

	if (rc == 0)
		rc = fs_mkdir_parents(root->unpacked, 0755, err);
	if (rc == 0)
		rc = make_layout(root, err);
	if (rc == 0)
		rc = add_wanted(&wanted, root->packages, err);
	if (rc == 0)
		rc = unpack_packages(root, &wanted, err);
	if (rc < 0)
		return rc;
	loader = find_library(root, "ld-linux-x86-64.so.2");
	if (!loader)
		return err_set(err, LAB_ENOTFOUND, "package 'libc6' has no '%s'", LOADER);
	rc = copy_program(root, loader, LIBRARY_FOLDER, "ld-linux-x86-64.so.2", err);
	if (rc == 0)
		rc = take_programs(root, err);
	if (rc == 0)
		rc = link_applets(root, err);
	if (rc == 0)
		rc = json_write_file(manifest, root->packages, err);
	return rc == 0 ? fs_remove_tree(root->unpacked, err) : rc;
}

/* Ask apt for the versions of the programs' packages, into root->packages. */
static int ask_versions(struct root *root, struct err *err)
{
	auto_cleanup(apt_list_release_p) struct apt_list names = { .count = 0 };
	auto_cleanup(apt_package_list_release_p) struct apt_package_list shown = { .count = 0 };
	/* It brings the loader, which works out everything else. */
	int rc = apt_list_add(&names, "libc6", err);

	for (size_t i = 0; i < PROGRAM_COUNT && rc == 0; i++) {
		if (is_needed(root, &programs[i]))
			rc = apt_list_add(&names, programs[i].package, err);
	}
	if (rc == 0)
		rc = apt_show(root->job, &names, &shown, err);
	for (size_t i = 0; i < shown.count && rc == 0; i++)
		(void)json_object_set_new(root->packages, shown.items[i].name,
					  json_string(shown.items[i].version));
	for (size_t i = 0; i < names.count && rc == 0; i++) {
		if (!json_object_get(root->packages, names.items[i]))
			rc = err_set(err, LAB_ENOTFOUND,
				     "apt knows no package '%s'; `apt-get update` may be due",
				     names.items[i]);
	}
	return rc;
}

/* "iproute2 6.1.0-3, ..." of a manifest, on the heap. */
static char *describe(const json_t *packages)
{
	struct buf text = BUF_INIT(16u << 10);

	for (size_t i = 0; i < PROGRAM_COUNT; i++) {
		const char *version =
			json_string_value(json_object_get(packages, programs[i].package));

		if (version)
			buf_printf(&text, "%s%s %s", text.size ? ", " : "", programs[i].package,
				   version);
	}
	return buf_take_string(&text);
}

/* Make cache/root/<key> if it is not there. */
static int ensure_tree(struct root *root, const char *key, struct err *err)
{
	auto_free char *final = path_join(root->base, key);
	auto_close int lock_fd = -1;
	int rc = 0;

	if (fs_exists(final))
		return 0;
	rc = job_lock(root->job, root->base, &lock_fd, err);
	if (rc < 0 || fs_exists(final))
		return rc;
	rc = make_tree(root, err);
	if (rc == 0 && rename(root->partial, final) < 0)
		rc = err_set(err, -errno, "rename '%s' to '%s': %s", root->partial, final,
			     strerror(errno));
	if (rc < 0)
		(void)fs_remove_tree(root->partial, NULL); /* the next job removes it, too */
	return rc;
}

/* The key for what apt offers, or the one used last when apt or the network fails. */
static int choose_key(struct root *root, char key[HASH_HEX_SIZE], struct err *err)
{
	auto_free char *last_path =
		path_join(root->base, root->is_router ? "last-router.json" : "last-host.json");
	auto_json json_t *last = NULL;
	struct err why = ERR_INIT;
	const char *last_key;
	int rc = ask_versions(root, &why);

	if (rc == 0) {
		auto_free char *text = json_text(root->packages);
		auto_free char *keyed = xasprintf("layout " ROOT_LAYOUT "\n%s", text);

		hash_bytes(keyed, strlen(keyed), key);
		rc = ensure_tree(root, key, &why);
	}
	if (rc == 0) {
		last = json_pack("{ss}", "key", key);
		return json_write_file(last_path, last, err);
	}
	if (rc == LAB_ECANCELLED || !fs_exists(last_path))
		return err_set(err, rc, "%s", why.text);
	rc = json_read_file(last_path, LIMIT_CONFIG_BYTES, &last, err);
	if (rc == 0)
		rc = json_get_string(last, "key", &last_key, err);
	if (rc < 0)
		return rc;
	if (strlen(last_key) != HASH_HEX_SIZE - 1 || !path_is_component(last_key))
		return err_set(err, LAB_EPARSE, "'%s' holds no key", last_path);
	memcpy(key, last_key, HASH_HEX_SIZE);
	job_decide(root->job, "build",
		   "took the NUT's programs from the cache as they were last: %s", why.text);
	return 0;
}

static void root_release(struct root *root)
{
	free(root->base);
	free(root->partial);
	free(root->unpacked);
	free(root->tree);
	json_decref(root->packages);
}

int root_prepare(struct job *job, const char *role, char **ret_folder, char **ret_version,
		 struct err *err)
{
	auto_cleanup(root_release) struct root root = {
		.job = job,
		.is_router = strcmp(role, "router") == 0 || strcmp(role, "security-gateway") == 0,
		.packages = json_object(),
	};
	auto_free char *manifest = NULL;
	auto_json json_t *packages = NULL;
	char key[HASH_HEX_SIZE];
	int rc;

	job_progress(job, "programs", 0, 0, "choosing the packages of the NUT's programs");
	rc = job_cache_folder(job, "root", &root.base, err);
	if (rc < 0)
		return rc;
	root.partial = path_join(root.base, "partial");
	root.unpacked = path_join(root.partial, "unpacked");
	root.tree = path_join(root.partial, "tree");
	rc = choose_key(&root, key, err);
	if (rc < 0)
		return err_prefix(err, "programs of the NUT");
	manifest = xasprintf("%s/%s/manifest.json", root.base, key);
	rc = json_read_file(manifest, LIMIT_CONFIG_BYTES, &packages, err);
	if (rc < 0)
		return rc;
	*ret_folder = xasprintf("%s/%s/tree", root.base, key);
	*ret_version = describe(packages);
	return 0;
}
