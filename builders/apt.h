/*
 * Debian packages, by apt: it knows the archives, verifies signatures and
 * keeps to the machine's proxy settings. Works as any user. Downloads are kept
 * in the cache for ever; what is there needs no apt.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;
struct job;

#define APT_VERSIONS_MAX 256
#define APT_NAMES_MAX    256

struct apt_package {
	char *name;     /* "libc6" */
	char *version;  /* "2.36-9+deb12u10" */
	char *section;  /* "libs"; "" when apt does not say */
	char **depends; /* names of Pre-Depends and Depends, alternatives too; NULL at the end */
	size_t depends_count;
};

struct apt_package_list {
	struct apt_package *items;
	size_t count;
};
void apt_package_list_release_p(struct apt_package_list *list);

/* A list of strings on the heap. */
struct apt_list {
	char **items;
	size_t count;
};
void apt_list_release_p(struct apt_list *list);

bool apt_is_package_name(const char *text);
bool apt_is_version(const char *text);

/* Versions in the output of `apt-cache madison`, in its order, each once. */
int apt_parse_madison(const char *text, const char *package, struct apt_list *ret_versions,
		      struct err *err);
/* All stanzas of the output of `apt-cache show`. */
int apt_parse_show(const char *text, struct apt_package_list *ret_packages, struct err *err);

/* Versions that apt offers, newest first; LAB_ENOTFOUND when it knows no such package. */
int apt_versions(const struct job *job, const char *package, struct apt_list *ret_versions,
		 struct err *err);
/*
 * What apt knows of each of the packages, "name" (the version it would install)
 * or "name=version". Those it does not know are left out, without an error.
 */
int apt_show(const struct job *job, const struct apt_list *names,
	     struct apt_package_list *ret_packages, struct err *err);
/* The same for one, of `version` or NULL; LAB_ENOTFOUND when apt does not know it. */
int apt_show_one(const struct job *job, const char *package, const char *version,
		 struct apt_package_list *ret_packages, struct err *err);

/* Add a copy of `text` unless it is there. LAB_ELIMIT past APT_NAMES_MAX. */
int apt_list_add(struct apt_list *list, const char *text, struct err *err);

/*
 * See that the .deb files of the packages ("name=version") are in the cache:
 * those that are not are downloaded together. An interrupted download leaves
 * nothing that looks whole.
 */
int apt_fetch(struct job *job, const struct apt_list *packages, struct err *err);
/* As above for one; *ret_path of its .deb is on the heap. */
int apt_fetch_one(struct job *job, const char *package, const char *version, char **ret_path,
		  struct err *err);
/* Where the cache has the .deb, or would have it; on the heap. */
char *apt_deb_path(const struct job *job, const char *package, const char *version);
