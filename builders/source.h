/*
 * Sources of releases behind one interface. builders/sources.c has the table of
 * them. A source keeps what it fetched in the cache, under a lock, so that two
 * jobs may use the same one; what is half fetched never looks whole.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct err;
struct job;

/* One release that a source offers; everything is owned by the source during the callback. */
struct source_release {
	const char *name;     /* "v6.12.3", "6.12.117-1~deb12u1" */
	const char *series;   /* "mainline", "stable 6.12", "debian 6.12" */
	const char *type;     /* as in the database: "mainline", "rc", "stable", ... */
	const char *identity; /* commit or package version */
	const char *sort_key; /* orders the releases of a series, bytewise */
	int64_t released_us;  /* when upstream says it was made, 0 if it does not */
	bool is_prebuilt;     /* comes as an image, nothing to build */
	json_t *detail;       /* what source_ops.unpack needs to find it again (borrowed) */
};
typedef int (*source_release_cb)(const struct source_release *release, void *user, struct err *err);

/*
 * Responsibilities of a source: read its own fields of the section of the
 * configuration (`config`; unknown ones are LAB_EINVALID), refuse names that could
 * mean something to a program or a path, stop when the job is cancelled, report
 * progress, and leave the cache sound whatever happens.
 */
struct source_ops {
	const char *kind; /* "git", "debian" */
	/* Tell all releases on offer. The order does not matter. */
	int (*list)(struct job *job, const json_t *config, source_release_cb cb, void *user,
		    struct err *err);
	/*
	 * Put the source tree of the release with this `detail` into `folder`, which
	 * is empty. NULL if this kind never has a source.
	 */
	int (*unpack)(struct job *job, const json_t *config, const json_t *detail,
		      const char *folder, struct err *err);
};

extern const struct source_ops source_git;
extern const struct source_ops source_debian;

/* The source of `config` by its "kind"; LAB_EINVALID names the known kinds. */
int source_find(const json_t *config, const struct source_ops **ret_ops, struct err *err);
