/*
 * Polls of the sources, and which of the releases found are tested. A source that
 * is new gives its newest few (`backlog`); later every release that is newer than
 * all that were known of its series. The rest is listed and can be triggered.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/time.h"
#include "db/db.h"
#include "db/store.h"
#include "orchestrator/config.h"
#include "orchestrator/job.h"
#include "orchestrator/lab.h"

/* The first clone of a kernel tree takes long on a slow line. */
#define DEADLINE_US   (INT64_C(4) * 3600 * US_PER_SECOND)
#define RETRY_US      (INT64_C(300) * US_PER_SECOND)
#define KNOWN_GOOD_US (INT64_C(24) * 3600 * US_PER_SECOND)
#define RELEASES_MAX  100000

/* What one poll has found so far, oldest first. */
struct watch_state {
	json_t *releases;
};

static void watch_state_free(void *user)
{
	struct watch_state *state = user;

	json_decref(state->releases);
	free(state);
}

static const struct config_source *find_config(const struct orchestrator *lab, const char *name)
{
	for (size_t i = 0; i < lab->config->source_count; i++)
		if (strcmp(lab->config->sources[i].name, name) == 0)
			return &lab->config->sources[i];
	return NULL;
}

/* --- the releases of a poll -------------------------------------------------------- */

static int on_watch_event(struct job *job, const char *event, const json_t *value, struct err *err)
{
	static const char *const needed[] = { "name", "series", "type", "identity", "sort_key" };
	struct watch_state *state = job_get_state(job);
	const char *text;

	if (strcmp(event, "release") != 0)
		return 0;
	if (json_array_size(state->releases) >= RELEASES_MAX)
		return err_set(err, LAB_ELIMIT, "more than %d releases", RELEASES_MAX);
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		int rc = json_get_string(value, needed[i], &text, err);

		if (rc < 0)
			return rc;
	}
	(void)json_array_append_new(state->releases, json_deep_copy(value));
	return 0;
}

/* Add one; 1 = new. `ret_release_id` is set either way. */
static int add_release(struct db *db, int64_t source_id, const json_t *value,
		       int64_t *ret_release_id, struct err *err)
{
	auto_cleanup(release_row_release) struct release_row row = {
		.source_id = source_id,
		.name = xstrdup(json_string_or(value, "name", "")),
		.series = xstrdup(json_string_or(value, "series", "")),
		.type = xstrdup(json_string_or(value, "type", "")),
		.identity = xstrdup(json_string_or(value, "identity", "")),
		.sort_key = xstrdup(json_string_or(value, "sort_key", "")),
		.released_us = json_int_or(value, "released_us", 0),
		.prebuilt = json_bool_or(value, "prebuilt", false),
	};
	const json_t *detail = json_object_get(value, "detail");
	int rc;

	row.detail_json = json_is_object(detail) ? json_text(detail) : xstrdup("{}");
	rc = release_add(db, &row, err);
	*ret_release_id = row.release_id;
	return rc;
}

/* Was a release of this series known that is not older? 1 or 0. */
static int is_overtaken(struct db *db, int64_t source_id, const json_t *value, int64_t before_id,
			struct err *err)
{
	int64_t found = 0;

	return db_get_int(db, &found, err,
			  "SELECT max(release_id) FROM release WHERE source_id = ? AND series = ?"
			  " AND sort_key >= ? AND release_id <= ?",
			  DB_INT(source_id), DB_TEXT(json_string_or(value, "series", "")),
			  DB_TEXT(json_string_or(value, "sort_key", "")), DB_INT(before_id));
}

static int add_cycle(struct orchestrator *lab, const struct config_source *config,
		     int64_t source_id, int64_t release_id, const json_t *value, const char *why,
		     struct err *err)
{
	bool prebuilt = json_bool_or(value, "prebuilt", false);
	struct cycle_new cycle = { .reason = "new release", .sets_json = config->sets_json };
	int64_t cycle_id;
	int rc;

	rc = kernel_add(lab->db, release_id, prebuilt ? "prebuilt" : config->config_name, false,
			&cycle.kernel_id, err);
	if (rc >= 0)
		rc = cycle_add(lab->db, &cycle, &cycle_id, err);
	if (rc >= 0)
		rc = decision_add(lab->db, "source",
				  (struct decision_about){ .source_id = source_id,
							   .kernel_id = cycle.kernel_id },
				  err, "%s of source %s is %s and tested: %s",
				  json_string_or(value, "name", ""), config->name,
				  prebuilt ? "fetched" : "built", why);
	return rc;
}

/* Store all, decide about the new ones. */
static int take_releases(struct orchestrator *lab, const struct source_row *source,
			 const struct config_source *config, const json_t *releases,
			 struct err *err)
{
	size_t count = json_array_size(releases), i, fresh = 0, chosen = 0;
	size_t first = count > (size_t)config->backlog ? count - (size_t)config->backlog : 0;
	int64_t before_id = 0;
	const json_t *value;
	int rc;

	rc = db_get_int(lab->db, &before_id, err, "SELECT max(release_id) FROM release");
	json_array_foreach((json_t *)(uintptr_t)releases, i, value) {
		int64_t release_id = 0;
		bool take;

		if (rc >= 0)
			rc = add_release(lab->db, source->source_id, value, &release_id, err);
		if (rc < 0)
			return rc;
		if (rc == 0)
			continue;
		fresh++;
		take = i >= first;
		if (source->was_polled) {
			rc = is_overtaken(lab->db, source->source_id, value, before_id, err);
			take = rc == 0;
		}
		if (rc < 0 || !take)
			continue;
		chosen++;
		rc = add_cycle(lab, config, source->source_id, release_id, value,
			       source->was_polled ? "newer than all known of its series"
						  : "among the newest of a new source",
			       err);
	}
	if (rc >= 0 && fresh > chosen)
		rc = decision_add(lab->db, "source",
				  (struct decision_about){ .source_id = source->source_id }, err,
				  "%zu older release%s of source %s: listed but not tested",
				  fresh - chosen, fresh - chosen == 1 ? "" : "s", source->name);
	return rc;
}

static int take_known_good(struct orchestrator *lab, const struct source_row *source,
			   const json_t *releases, struct err *err)
{
	const json_t *newest = json_array_get(releases, json_array_size(releases) - 1);
	int64_t release_id;
	int rc;

	if (!newest)
		return health_fail(lab, "no known-good kernel is offered", err);
	rc = add_release(lab->db, source->source_id, newest, &release_id, err);
	return rc < 0 ? rc : health_take_release(lab, release_id, err);
}

/* --- the job ------------------------------------------------------------------------ */

static int end_well(struct orchestrator *lab, const struct source_row *source,
		    const json_t *releases, struct err *err)
{
	const struct config_source *config = find_config(lab, source->name);
	int rc = 0;

	if (strcmp(source->name, HEALTH_SOURCE) == 0)
		rc = take_known_good(lab, source, releases, err);
	else if (config)
		rc = take_releases(lab, source, config, releases, err);
	if (rc < 0)
		return rc;
	return source_set_polled(lab->db, source->source_id,
				 time_wall_us() + (config ? config->poll_us : KNOWN_GOOD_US), NULL,
				 err);
}

static int on_watch_end(struct job *job, enum job_outcome outcome, const json_t *final,
			const char *text, struct err *err)
{
	auto_cleanup(source_row_release) struct source_row source = { 0 };
	struct orchestrator *lab = job_get_lab(job);
	struct watch_state *state = job_get_state(job);
	int rc;

	(void) final;
	if (outcome == JOB_INTERRUPTED)
		return 0; /* still due at the next start */
	rc = source_load(lab->db, job_get_source(job), &source, err);
	if (rc < 0)
		return rc;
	if (outcome == JOB_DONE)
		return end_well(lab, &source, state->releases, err);
	log_warn("orch", "source=%s: not polled: %s", source.name, text);
	rc = source_set_polled(lab->db, source.source_id, time_wall_us() + RETRY_US, text, err);
	if (rc >= 0 && strcmp(source.name, HEALTH_SOURCE) == 0 && !health_allows_tests(lab))
		rc = health_fail(lab, text, err);
	return rc;
}

static const struct job_ops watch_ops = {
	.kind = "watch",
	.slot = JOB_SLOT_FETCH,
	.on_event = on_watch_event,
	.on_end = on_watch_end,
	.free_state = watch_state_free,
};

static int start(struct orchestrator *lab, const struct source_row *source, struct err *err)
{
	struct watch_state *state = xcalloc(1, sizeof(*state));
	struct job_spec spec = {
		.ops = &watch_ops,
		.source_id = source->source_id,
		.deadline_us = DEADLINE_US,
		.fields = json_pack("{so}", "source", json_loads(source->config_json, 0, NULL)),
		.state = state,
	};

	state->releases = json_array();
	return job_start(lab, &spec, err);
}

int watch_round(struct orchestrator *lab, struct err *err)
{
	int rc = 1;

	while (rc > 0 && job_count(lab, JOB_SLOT_FETCH) < 2) {
		auto_cleanup(source_row_release) struct source_row source = { 0 };
		struct err trouble = ERR_INIT;

		rc = source_find_due(lab->db, time_wall_us(), &source, err);
		if (rc > 0 && start(lab, &source, &trouble) < 0)
			rc = source_set_polled(lab->db, source.source_id, time_wall_us() + RETRY_US,
					       trouble.text, err);
	}
	return rc;
}

int watch_start(struct orchestrator *lab, struct err *err)
{
	int rc;

	rc = source_disable_all(lab->db, err);
	for (size_t i = 0; i < lab->config->source_count && rc >= 0; i++) {
		const struct config_source *source = &lab->config->sources[i];
		int64_t source_id;

		rc = source_put(lab->db, source->name, source->kind, source->location, source->json,
				&source_id, err);
	}
	return rc;
}
