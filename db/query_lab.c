/* The lab as a whole: status, sources, sets, decisions. */
#include "db/query_int.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "db/store.h"

static int put_counts(struct db *db, json_t *status, struct err *err)
{
	json_t *counts = NULL;
	int rc;

	rc = query_row(db, &counts, err,
		       "SELECT (SELECT count(*) FROM release) AS releases,"
		       " (SELECT count(*) FROM kernel) AS kernels,"
		       " (SELECT count(*) FROM run) AS runs,"
		       " (SELECT count(*) FROM cycle WHERE finished_us IS NULL) AS active_cycles,"
		       " (SELECT count(*) FROM job WHERE state = 'running') AS running_jobs");
	if (rc > 0)
		json_object_set_new(status, "counts", counts);
	return rc;
}

static int put_lab_text(struct db *db, json_t *status, const char *key, const char *otherwise,
			struct err *err)
{
	auto_free char *value = NULL;
	const char *text;
	int rc;

	rc = lab_get(db, key, &value, err);
	if (rc < 0)
		return rc;
	text = value ? value : otherwise;
	json_object_set_new(status, key,
			    text ? json_string_lossy(text, strlen(text)) : json_null());
	return 0;
}

static void put_lab_time(struct db *db, json_t *status, const char *key)
{
	int64_t value = lab_get_int(db, key, 0);

	json_object_set_new(status, key, value ? json_integer(value) : json_null());
}

/* Put the items of `list` (its reference is taken) as `key`. */
static void put_items(json_t *object, const char *key, json_t *list)
{
	json_object_set(object, key, json_object_get(list, "items"));
	json_decref(list);
}

int query_status(struct db *db, json_t **ret_value, struct err *err)
{
	const struct query_cycle_filter active = { .active = 1 };
	const struct query_job_filter running = { .state = "running" };
	const struct query_page page = { .limit = 20 };
	auto_json json_t *status = json_object();
	json_t *list = NULL;
	int rc;

	rc = put_lab_text(db, status, "health", "unknown", err);
	if (rc >= 0)
		rc = put_lab_text(db, status, "health_note", NULL, err);
	if (rc < 0)
		return rc;
	put_lab_time(db, status, "health_us");
	put_lab_time(db, status, "started_us");
	rc = put_counts(db, status, err);
	if (rc >= 0)
		rc = query_cycles(db, &active, page, &list, err);
	if (rc < 0)
		return rc;
	put_items(status, "cycles", list);
	rc = query_jobs(db, &running, page, &list, err);
	if (rc < 0)
		return rc;
	put_items(status, "jobs", list);
	*ret_value = STEAL_PTR(status);
	return 0;
}

int query_sources(struct db *db, json_t **ret_value, struct err *err)
{
	auto_json json_t *list = json_object();
	int rc;

	rc = query_put(db, list, "items", err,
		       "SELECT s.source_id, s.name, s.kind, s.location,"
		       " s.enabled AS \"enabled:bool\", s.polled_us, s.next_poll_us, s.error,"
		       " count(r.release_id) AS releases,"
		       " (SELECT name FROM release WHERE source_id = s.source_id"
		       "  ORDER BY release_id DESC LIMIT 1) AS newest"
		       " FROM source s LEFT JOIN release r USING (source_id)"
		       " GROUP BY s.source_id ORDER BY s.enabled DESC, s.name");
	if (rc < 0)
		return rc;
	json_object_set_new(list, "next", json_null());
	*ret_value = STEAL_PTR(list);
	return 0;
}

/* One entry of the plan, as the runner lists it, in our shape; NULL if it is none. */
static json_t *planned_set(const json_t *entry)
{
	const char *name = json_string_or(entry, "name", NULL);

	if (!name)
		return NULL;
	return json_pack("{s:s, s:s?, s:s?, s:I, s:I}", "name", name, "title",
			 json_string_or(entry, "title", NULL), "role",
			 json_string_or(entry, "role", NULL), "planned",
			 (json_int_t)json_int_or(entry, "planned", 0), "implemented",
			 (json_int_t)json_int_or(entry, "implemented", 0));
}

/* What runs know of their sets, by name. */
static int load_tested_sets(struct db *db, json_t *sets, struct err *err)
{
	return query_rows(db, sets, err,
			  "SELECT n.set_name AS name, NULL AS title, n.role, n.planned,"
			  " n.total AS implemented, t.runs, t.last_run_id FROM run n JOIN"
			  " (SELECT set_name, count(*) AS runs, max(run_id) AS last_run_id FROM run"
			  "  GROUP BY set_name) t ON t.last_run_id = n.run_id ORDER BY n.set_name");
}

static json_t *find_set(const json_t *sets, const char *name)
{
	json_t *set;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)sets, i, set)
		if (strcmp(json_string_or(set, "name", ""), name) == 0)
			return set;
	return NULL;
}

int query_sets(struct db *db, json_t **ret_value, struct err *err)
{
	auto_json json_t *plan = NULL, *tested = json_array(), *items = json_array();
	auto_free char *text = NULL;
	json_t *entry;
	size_t i;
	int rc;

	rc = lab_get(db, "sets", &text, err);
	if (rc >= 0)
		rc = load_tested_sets(db, tested, err);
	if (rc < 0)
		return rc;
	plan = text ? json_loads(text, 0, NULL) : NULL;
	json_array_foreach(plan, i, entry) {
		json_t *set = planned_set(entry);
		json_t *seen = set ? find_set(tested, json_string_or(set, "name", "")) : NULL;

		if (!set)
			continue;
		json_object_set_new(set, "runs", json_integer(json_int_or(seen, "runs", 0)));
		json_object_set(set, "last_run_id",
				seen ? json_object_get(seen, "last_run_id") : json_null());
		json_array_append_new(items, set);
	}
	json_array_foreach(tested, i, entry)
		if (!find_set(items, json_string_or(entry, "name", "")))
			json_array_append(items, entry);
	*ret_value = json_pack("{s:O, s:n}", "items", items, "next");
	return 0;
}

int query_decisions(struct db *db, const struct query_decision_filter *filter,
		    struct query_page page, json_t **ret_value, struct err *err)
{
	auto_json json_t *items = json_array();
	int rc;

	rc = query_rows(
		db, items, err,
		"SELECT d.decision_id, d.at_us, d.area, d.text, d.source_id, s.name AS source,"
		" d.kernel_id, r.name AS release, d.run_id, n.set_name AS \"set\", d.diff_id"
		" FROM decision d LEFT JOIN source s USING (source_id)"
		" LEFT JOIN kernel k ON k.kernel_id = d.kernel_id"
		" LEFT JOIN release r ON r.release_id = k.release_id"
		" LEFT JOIN run n ON n.run_id = d.run_id"
		" WHERE (?1 IS NULL OR d.area = ?1) AND (?2 IS NULL OR d.kernel_id = ?2)"
		" AND (?3 IS NULL OR d.run_id = ?3) AND (?4 IS NULL OR d.diff_id = ?4)"
		" AND (?5 IS NULL OR d.source_id = ?5) AND (?6 IS NULL OR d.decision_id < ?6)"
		" ORDER BY d.decision_id DESC LIMIT ?7",
		DB_TEXT(filter->area), DB_ID(filter->kernel_id), DB_ID(filter->run_id),
		DB_ID(filter->diff_id), DB_ID(filter->source_id), DB_ID(page.cursor),
		DB_INT(page.limit + 1));
	if (rc < 0)
		return rc;
	*ret_value = query_list_new(STEAL_PTR(items), "decision_id", page.limit);
	return 0;
}
