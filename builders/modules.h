/*
 * Kernel modules that a NUT needs, found in an unpacked tree. What depends on
 * what is read from the modules themselves (".modinfo"), because Debian's
 * packages come without modules.dep, which depmod makes at installation.
 */
#pragma once

#include <stddef.h>

struct err;

struct module {
	char *name; /* as in the file name, with '-' as '_' */
	char *path; /* of the file, possibly compressed */
	char *data; /* plain content, NULL until it is needed */
	size_t size;
};

struct module_list {
	struct module *items; /* in the order in which they have to be loaded */
	size_t count;
};

/*
 * Those of the NULL-terminated `wanted` names that are below `folder`, each
 * behind what it depends on. One that is not there is taken to be built in.
 */
int module_list_load(const char *folder, const char *const *wanted, struct module_list *ret_list,
		     struct err *err);
void module_list_release_p(struct module_list *list);

/* The names after "depends=" in a module's bytes ("" when there are none), on the heap. */
char *module_depends(const char *data, size_t size);
