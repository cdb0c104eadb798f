/* The clauses of the RFCs and their tests, as the runner lists them. */
#include "db/query_int.h"

#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "db/store.h"

/* The ids with "tested": whether there is a verdict of it, so that it has a history. */
static int load_tests(struct db *db, const json_t *ids, json_t **ret_tests, struct err *err)
{
	auto_free char *text = ids ? json_text(ids) : xstrdup("[]");
	auto_json json_t *tests = json_array();
	int rc;

	rc = query_rows(db, tests, err,
			"SELECT value AS test_id, EXISTS (SELECT 1 FROM verdict WHERE test_id ="
			" value) AS \"tested:bool\" FROM json_each(?) WHERE type = 'text'",
			DB_TEXT(text));
	if (rc < 0)
		return rc;
	*ret_tests = STEAL_PTR(tests);
	return 0;
}

static json_t *requirements_of(const json_t *entry)
{
	json_t *requirements = json_array();
	const json_t *requirement;
	size_t i;

	json_array_foreach(json_object_get(entry, "requirements"), i, requirement)
		(void)json_array_append_new(
			requirements, json_pack("{s:s, s:s}", "summary",
						json_string_or(requirement, "summary", ""), "who",
						json_string_or(requirement, "who", "both")));
	return requirements;
}

static int add_clause(struct db *db, const json_t *entry, json_t *items, struct err *err)
{
	json_t *tests;
	int rc;

	rc = load_tests(db, json_object_get(entry, "tests"), &tests, err);
	if (rc < 0)
		return rc;
	(void)json_array_append_new(items,
				    json_pack("{s:s, s:I, s:s, s:s, s:s, s:o, s:o}", "name",
					      json_string_or(entry, "name", ""), "rfc",
					      (json_int_t)json_int_or(entry, "rfc", 0), "rfc_title",
					      json_string_or(entry, "rfc_title", ""), "section",
					      json_string_or(entry, "section", ""), "level",
					      json_string_or(entry, "level", ""), "requirements",
					      requirements_of(entry), "tests", tests));
	return 0;
}

int query_clauses(struct db *db, const struct query_clause_filter *filter, json_t **ret_value,
		  struct err *err)
{
	auto_json json_t *list = NULL, *items = json_array();
	auto_free char *text = NULL;
	int64_t covered = 0, uncovered = 0;
	const json_t *entry;
	size_t i;
	int rc;

	rc = lab_get(db, "clauses", &text, err);
	if (rc < 0)
		return rc;
	list = text ? json_loads(text, 0, NULL) : NULL;
	json_array_foreach(list, i, entry) {
		bool is_covered = json_array_size(json_object_get(entry, "tests")) > 0;

		if (filter->rfc && json_int_or(entry, "rfc", 0) != filter->rfc)
			continue;
		if (is_covered)
			covered++;
		else
			uncovered++;
		if (filter->covered >= 0 && is_covered != filter->covered)
			continue;
		rc = add_clause(db, entry, items, err);
		if (rc < 0)
			return rc;
	}
	*ret_value = json_pack("{s:O, s:n, s:I, s:I}", "items", items, "next", "covered",
			       (json_int_t)covered, "uncovered", (json_int_t)uncovered);
	return 0;
}
