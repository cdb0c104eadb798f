/*
 * What people ask for: test this kernel, this release, this image of mine; stop
 * that; look at that source now. Every request is checked field by field.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
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
#include "db/db.h"
#include "db/store.h"
#include "orchestrator/config.h"
#include "orchestrator/cycle.h"
#include "orchestrator/job.h"
#include "orchestrator/lab.h"

#define PRIORITY        50 /* somebody waits for it; only the lab's own proof goes before */
#define SETS_MAX        64
#define IMAGE_BYTES_MAX (INT64_C(256) << 20) /* hashed in the loop: 0.2 s at most */

/* --- local images ------------------------------------------------------------------ */

static int check_modules(const char *modules, struct err *err)
{
	struct stat st;

	if (!modules)
		return 0;
	if (*modules != '/')
		return err_set(err, LAB_EINVALID,
			       "field 'modules': '%s': expected an absolute path", modules);
	if (stat(modules, &st) < 0)
		return err_set(err, LAB_EINVALID, "field 'modules': '%s': %s", modules,
			       strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return err_set(err, LAB_EINVALID, "field 'modules': '%s': expected a folder",
			       modules);
	return 0;
}

static int hash_image(const char *image, char ret_hash[HASH_HEX_SIZE], struct err *err)
{
	int64_t size;

	if (*image != '/')
		return err_set(err, LAB_EINVALID, "field 'image': '%s': expected an absolute path",
			       image);
	size = fs_file_size(image, err);
	if (size < 0) {
		(void)err_prefix(err, "field 'image'");
		return LAB_EINVALID;
	}
	if (size == 0 || size > IMAGE_BYTES_MAX)
		return err_set(err, LAB_EINVALID,
			       "field 'image': '%s' has %" PRId64
			       " bytes, expected a kernel image of 1 to %" PRId64,
			       image, size, IMAGE_BYTES_MAX);
	return hash_file(image, ret_hash, err);
}

int trigger_add_local(struct orchestrator *lab, const char *name, const char *image,
		      const char *modules, bool known_good, int64_t *ret_kernel_id, struct err *err)
{
	auto_cleanup(release_row_release) struct release_row row = {
		.name = xstrdup(name),
		.series = xstrdup(known_good ? "known-good" : "local"),
		.type = xstrdup("local"),
		.released_us = time_wall_us(),
		.prebuilt = true,
	};
	auto_json json_t *detail = NULL;
	char hash[HASH_HEX_SIZE];
	int rc;

	rc = check_modules(modules, err);
	if (rc >= 0)
		rc = hash_image(image, hash, err);
	if (rc < 0)
		return rc;
	/* The same image with other modules is another kernel. */
	row.identity = xasprintf("%s%s%s", hash, modules ? " with " : "", modules ? modules : "");
	row.sort_key = xasprintf("%020" PRId64, row.released_us); /* in the order they came */
	detail = json_pack("{ss ss*}", "image", image, "modules", modules);
	row.detail_json = json_text(detail);
	rc = db_begin(lab->db, err);
	if (rc < 0)
		return rc;
	rc = release_add(lab->db, &row, err);
	if (rc >= 0)
		rc = kernel_add(lab->db, row.release_id, "prebuilt", known_good, ret_kernel_id,
				err);
	return db_end(lab->db, rc, err);
}

/* --- trigger ------------------------------------------------------------------------ */

/* The sets asked for, or the configured ones; the caller frees *ret_json. */
static int read_sets(struct orchestrator *lab, const json_t *request, char **ret_json,
		     struct err *err)
{
	const json_t *sets = json_object_get(request, "sets"), *set;
	size_t i;

	if (!sets || json_is_null(sets)) {
		*ret_json = xstrdup(lab->config->sets_json);
		return 0;
	}
	if (!json_is_array(sets) || json_array_size(sets) == 0 || json_array_size(sets) > SETS_MAX)
		return err_set(err, LAB_EINVALID, "field 'sets': expected a list of 1 to %d names",
			       SETS_MAX);
	json_array_foreach((json_t *)(uintptr_t)sets, i, set) {
		const char *name = json_string_value(set);

		if (!name || !path_is_component(name) || strlen(name) > LIMIT_NAME)
			return err_set(err, LAB_EINVALID, "field 'sets': element %zu is no name",
				       i);
	}
	if (catalogue_check_sets(lab, sets, err) < 0)
		return err_prefix(err, "field 'sets'");
	*ret_json = json_text(sets);
	return 0;
}

static int find_by_release(struct orchestrator *lab, const char *name, int64_t *ret_kernel_id,
			   struct err *err)
{
	auto_cleanup(release_row_release) struct release_row release = { 0 };
	const char *config_name = "tiny";
	auto_free char *source = NULL;
	int64_t release_id;
	int rc;

	rc = release_find(lab->db, name, &release_id, err);
	if (rc >= 0)
		rc = release_load(lab->db, release_id, &release, err);
	if (rc >= 0)
		rc = db_get_text(lab->db, &source, err,
				 "SELECT name FROM source WHERE source_id = ?",
				 DB_INT(release.source_id));
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < lab->config->source_count; i++)
		if (source && strcmp(lab->config->sources[i].name, source) == 0)
			config_name = lab->config->sources[i].config_name;
	rc = kernel_add(lab->db, release_id, release.prebuilt ? "prebuilt" : config_name, false,
			ret_kernel_id, err);
	return rc < 0 ? rc : 0;
}

/* Exactly one of kernel_id, release and image says what. */
static int find_kernel(struct orchestrator *lab, const json_t *request, int64_t *ret_kernel_id,
		       struct err *err)
{
	const char *release = json_string_or(request, "release", NULL);
	const char *image = json_string_or(request, "image", NULL);
	auto_cleanup(kernel_row_release) struct kernel_row kernel = { 0 };
	int named = !!json_object_get(request, "kernel_id") + !!release + !!image;
	const char *name;
	int rc;

	if (named != 1)
		return err_set(
			err, LAB_EINVALID,
			"expected exactly one of the fields 'kernel_id', 'release', 'image'");
	if (release)
		return find_by_release(lab, release, ret_kernel_id, err);
	if (image) {
		name = json_string_or(request, "name",
				      strrchr(image, '/') ? strrchr(image, '/') + 1 : image);
		if (!*name || strlen(name) > LIMIT_NAME)
			return err_set(err, LAB_EINVALID, "field 'name': expected 1 to %u bytes",
				       LIMIT_NAME);
		return trigger_add_local(lab, name, image, json_string_or(request, "modules", NULL),
					 false, ret_kernel_id, err);
	}
	rc = json_get_int(request, "kernel_id", 1, INT64_MAX, ret_kernel_id, err);
	return rc < 0 ? rc : kernel_load(lab->db, *ret_kernel_id, &kernel, err);
}

static int add_triggered(struct orchestrator *lab, const json_t *request, json_t **ret_answer,
			 struct err *err)
{
	auto_free char *sets = NULL;
	struct cycle_new cycle = {
		.reason = "trigger",
		.priority = PRIORITY,
		.requested_by = json_string_or(request, "by", "unknown"),
	};
	int64_t cycle_id = 0;
	int rc;

	rc = read_sets(lab, request, &sets, err);
	if (rc >= 0)
		rc = find_kernel(lab, request, &cycle.kernel_id, err);
	if (rc < 0)
		return rc;
	cycle.sets_json = sets;
	rc = cycle_add(lab->db, &cycle, &cycle_id, err);
	if (rc >= 0)
		rc = decision_add(lab->db, "test",
				  (struct decision_about){ .kernel_id = cycle.kernel_id }, err,
				  "tested because %s asked for it", cycle.requested_by);
	if (rc < 0)
		return rc;
	*ret_answer = json_pack("{sI sI}", "cycle_id", (json_int_t)cycle_id, "kernel_id",
				(json_int_t)cycle.kernel_id);
	return 0;
}

static int trigger(struct orchestrator *lab, const json_t *request, json_t **ret_answer,
		   struct err *err)
{
	static const char *const keys[] = { "do",      "by",   "kernel_id", "release", "image",
					    "modules", "name", "sets",      NULL };
	auto_json json_t *answer = NULL;
	int rc;

	rc = json_only_keys(request, keys, err);
	if (rc >= 0)
		rc = db_begin(lab->db, err);
	if (rc < 0)
		return rc;
	rc = db_end(lab->db, add_triggered(lab, request, &answer, err), err);
	if (rc >= 0)
		*ret_answer = STEAL_PTR(answer);
	return rc;
}

/* --- cancel and poll ------------------------------------------------------------------ */

static int cancel(struct orchestrator *lab, const json_t *request, json_t **ret_answer,
		  struct err *err)
{
	static const char *const keys[] = { "do", "by", "cycle_id", NULL };
	auto_cleanup(cycle_row_release) struct cycle_row cycle = { 0 };
	auto_free char *why =
		xasprintf("cancelled by %s", json_string_or(request, "by", "unknown"));
	enum cycle_state state;
	int64_t cycle_id;
	int rc;

	rc = json_only_keys(request, keys, err);
	if (rc >= 0)
		rc = json_get_int(request, "cycle_id", 1, INT64_MAX, &cycle_id, err);
	if (rc >= 0)
		rc = cycle_load(lab->db, cycle_id, &cycle, err);
	if (rc >= 0)
		rc = cycle_state_from_string(cycle.state, &state);
	if (rc < 0)
		return rc;
	if (cycle_state_is_end(state))
		return err_set(err, LAB_EINVALID, "cycle %" PRId64 " has ended already (%s)",
			       cycle_id, cycle.state);
	if (job_is_running(lab, cycle_id, 0))
		job_stop(lab, cycle_id, JOB_CANCELLED); /* the end of the job ends the cycle */
	else
		rc = schedule_cancel(lab, cycle_id, why, err);
	if (rc >= 0)
		*ret_answer = json_pack("{sI}", "cycle_id", (json_int_t)cycle_id);
	return rc;
}

static int poll_source(struct orchestrator *lab, const json_t *request, json_t **ret_answer,
		       struct err *err)
{
	static const char *const keys[] = { "do", "by", "source", NULL };
	const char *name;
	int64_t source_id;
	int rc;

	rc = json_only_keys(request, keys, err);
	if (rc >= 0)
		rc = json_get_string(request, "source", &name, err);
	if (rc >= 0)
		rc = source_poll_now(lab->db, name, &source_id, err);
	if (rc >= 0)
		*ret_answer = json_pack("{sI}", "source_id", (json_int_t)source_id);
	return rc;
}

int trigger_handle(struct orchestrator *lab, const json_t *request, json_t **ret_answer,
		   struct err *err)
{
	const char *what;
	int rc;

	rc = json_get_string(request, "do", &what, err);
	if (rc < 0)
		return rc;
	if (strcmp(what, "trigger") == 0)
		rc = trigger(lab, request, ret_answer, err);
	else if (strcmp(what, "cancel") == 0)
		rc = cancel(lab, request, ret_answer, err);
	else if (strcmp(what, "poll") == 0)
		rc = poll_source(lab, request, ret_answer, err);
	else
		rc = err_set(err, LAB_EINVALID,
			     "field 'do': '%.40s' is none of trigger, cancel, poll", what);
	lab_wake(lab);
	return rc < 0 ? rc : 0;
}
