/* A run's job file, checked. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "runners/target.h"

struct err;

struct run_job {
	const char *name;      /* names the domain; strings belong to the JSON value */
	const char *scratch;   /* folder for everything the run makes */
	const char *image;     /* bzImage */
	const char *initramfs; /* */
	const char *set;       /* or NULL: `tests` out of any set of the role */
	const char *role;      /* "host" */
	const json_t *tests;   /* array of ids, or NULL for the whole set */
	const json_t *skip;    /* array of ids that have their verdict already, or NULL */
	const char *claims;    /* folder shared with the runners of other shards, or NULL */
	bool set_environment;  /* the set's settings, not the kernel's own defaults */
	enum target_clock clock;
	enum accelerator accelerator;
	unsigned memory_mib;
	unsigned retries; /* of an ERROR */
	unsigned jobs;    /* NUTs side by side; 0: as many as fit */
};

/* LAB_EINVALID names the field. `json` must outlive *ret_job. */
int run_job_parse(const json_t *json, struct run_job *ret_job, struct err *err);
/* True if `list` is NULL or has the string `id`; `otherwise` is the answer for NULL. */
bool run_job_lists(const json_t *list, const char *id, bool otherwise);
