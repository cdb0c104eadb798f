#include "builders/modules.h"

#include <errno.h>
#include <fts.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "builders/archive.h"

#define MODULES_MAX  20000
#define MODULE_BYTES (64u << 20)
#define DEPENDS_MAX  4096
#define DEPTH_MAX    32

static void release_module(struct module *module)
{
	free(module->name);
	free(module->path);
	free(module->data);
}

void module_list_release_p(struct module_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		release_module(&list->items[i]);
	free(list->items);
	list->items = NULL;
	list->count = 0;
}

/* "virtio-net.ko.xz" to "virtio_net" on the heap; NULL if it is no module's name. */
static char *module_name(const char *file)
{
	static const char *const ends[] = { ".ko", ".ko.xz", ".ko.zst", ".ko.gz" };
	size_t length = strlen(file);

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t end = strlen(ends[i]);

		if (length > end && strcmp(file + length - end, ends[i]) == 0) {
			char *name = xstrndup(file, length - end);

			for (char *p = name; *p; p++) {
				if (*p == '-')
					*p = '_';
			}
			return name;
		}
	}
	return NULL;
}

static void fts_close_p(FTS **fts)
{
	if (*fts)
		(void)fts_close(*fts); /* only read */
}

/* Every module below `folder`, in no particular order. */
static int find_modules(const char *folder, struct module_list *ret_all, struct err *err)
{
	auto_cleanup(module_list_release_p) struct module_list all = { .count = 0 };
	auto_free char *top = xstrdup(folder);
	char *paths[] = { top, NULL };
	auto_cleanup(fts_close_p) FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *entry;

	if (!fts)
		return err_set(err, -errno, "read folder '%s': %s", folder, strerror(errno));
	while ((entry = fts_read(fts))) {
		char *name;

		if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR ||
		    entry->fts_info == FTS_NS)
			return err_set(err, -entry->fts_errno, "read '%s': %s", entry->fts_path,
				       strerror(entry->fts_errno));
		if (entry->fts_info != FTS_F)
			continue;
		name = module_name(entry->fts_name);
		if (!name)
			continue;
		if (all.count == MODULES_MAX) {
			free(name);
			return err_set(err, LAB_ELIMIT, "more than %d modules in '%s'", MODULES_MAX,
				       folder);
		}
		all.items = xreallocarray(all.items, all.count + 1, sizeof(*all.items));
		all.items[all.count++] =
			(struct module){ .name = name, .path = xstrdup(entry->fts_path) };
	}
	*ret_all = all;
	all = (struct module_list){ .count = 0 };
	return 0;
}

char *module_depends(const char *data, size_t size)
{
	static const char key[] = "depends=";
	const char *p = data;
	const char *end = data + size;

	/* .modinfo is a row of NUL-terminated "key=value"; the key follows a NUL. */
	while ((p = memmem(p, (size_t)(end - p), key, sizeof(key) - 1))) {
		const char *value = p + sizeof(key) - 1;

		if (p > data && p[-1] == '\0') {
			size_t length = strnlen(value, (size_t)(end - value));

			if (length <= DEPENDS_MAX && value + length < end)
				return xstrndup(value, length);
		}
		p = value;
	}
	return xstrdup("");
}

static struct module *find_by_name(const struct module_list *list, const char *name, size_t length)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i].name && strlen(list->items[i].name) == length &&
		    strncmp(list->items[i].name, name, length) == 0)
			return &list->items[i];
	}
	return NULL;
}

/* Moves a module behind its dependencies from `all` to `chosen`. Moved ones have no name in `all`. */
static int choose(struct module_list *all, const char *name, size_t length, int depth,
		  struct module_list *chosen, struct err *err)
{
	struct module *found = find_by_name(all, name, length);
	struct module module;
	auto_free char *depends = NULL;
	int rc;

	if (!found)
		return 0; /* built in, or chosen already */
	if (depth > DEPTH_MAX)
		return err_set(err, LAB_ELIMIT, "module dependencies deeper than %d at '%s'",
			       DEPTH_MAX, found->path);
	module = *found;
	memset(found, 0, sizeof(*found));
	rc = archive_inflate_file(module.path, MODULE_BYTES, &module.data, &module.size, err);
	if (rc == 0)
		depends = module_depends(module.data, module.size);
	for (const char *p = depends; rc == 0 && p && *p; p += strcspn(p, ","), p += *p == ',') {
		auto_free char *on = xstrndup(p, strcspn(p, ","));

		for (char *c = on; *c; c++) {
			if (*c == '-')
				*c = '_';
		}
		rc = choose(all, on, strlen(on), depth + 1, chosen, err);
	}
	if (rc < 0) {
		release_module(&module);
		return rc;
	}
	chosen->items = xreallocarray(chosen->items, chosen->count + 1, sizeof(*chosen->items));
	chosen->items[chosen->count++] = module;
	return 0;
}

int module_list_load(const char *folder, const char *const *wanted, struct module_list *ret_list,
		     struct err *err)
{
	auto_cleanup(module_list_release_p) struct module_list all = { .count = 0 };
	auto_cleanup(module_list_release_p) struct module_list chosen = { .count = 0 };
	int rc = find_modules(folder, &all, err);

	for (; rc == 0 && *wanted; wanted++)
		rc = choose(&all, *wanted, strlen(*wanted), 0, &chosen, err);
	if (rc < 0)
		return rc;
	*ret_list = chosen;
	chosen = (struct module_list){ .count = 0 };
	return 0;
}
