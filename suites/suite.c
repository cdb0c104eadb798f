#include "suites/suite.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/fs.h"

int suite_open(const char *data_folder, struct suite **ret_suite, struct err *err)
{
	auto_free char *folder = path_join(data_folder, "suites");
	auto_free char *plan_folder = path_join(folder, "plan");
	struct suite *suite = xcalloc(1, sizeof(*suite));
	int rc;

	rc = plan_open(plan_folder, &suite->plan, err);
	if (!rc)
		rc = script_host_new(folder, suite->plan, &suite->host, err);
	if (!rc)
		rc = script_host_load_all(suite->host, err);
	if (rc < 0) {
		suite_close(suite);
		return rc;
	}
	*ret_suite = suite;
	return 0;
}

void suite_close(struct suite *suite)
{
	if (!suite)
		return;
	script_host_free(suite->host);
	plan_free(suite->plan);
	free(suite);
}

const struct script_test *suite_find(const struct suite *suite, const struct plan_set *set,
				     const struct plan_row *row)
{
	const struct script_test *test;

	if (row->kind != PLAN_KIND_TEST)
		return NULL;
	test = script_host_find(suite->host, row->id);
	return test && script_test_has_role(test, set->role) ? test : NULL;
}

size_t suite_tests(const struct suite *suite, const struct plan_set *set,
		   struct suite_test **ret_tests)
{
	struct suite_test *tests = xcalloc(set->row_count, sizeof(*tests));
	size_t count = 0;

	for (size_t i = 0; i < set->row_count; i++) {
		const struct script_test *test = suite_find(suite, set, &set->rows[i]);

		if (test)
			tests[count++] = (struct suite_test){ .test = test, .position = i };
	}
	*ret_tests = tests;
	return count;
}

void suite_version(const struct suite *suite, const struct plan_set *set,
		   char ret_version[HASH_HEX_SIZE])
{
	struct hash *hash = hash_new();

	for (size_t i = 0; i < set->environment_count; i++)
		hash_update(hash, set->environment[i], strlen(set->environment[i]) + 1);
	for (size_t i = 0; i < set->row_count; i++) {
		const struct script_test *test = suite_find(suite, set, &set->rows[i]);

		hash_update(hash, set->rows[i].id, strlen(set->rows[i].id) + 1);
		if (test)
			hash_update(hash, test->version, HASH_HEX_SIZE);
	}
	hash_finish(hash, ret_version);
}

static json_t *set_to_json(const struct suite *suite, const struct plan_set *set)
{
	auto_free struct suite_test *tests = NULL;
	size_t implemented = suite_tests(suite, set, &tests);
	json_t *environment = json_array();
	json_t *ids = json_array();

	for (size_t i = 0; i < implemented; i++)
		(void)json_array_append_new(ids, json_string(tests[i].test->id));
	for (size_t i = 0; i < set->environment_count; i++)
		(void)json_array_append_new(environment, json_string(set->environment[i]));
	return json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:o,s:o}", "name", set->name, "title",
			 set->title, "role", set->role, "planned",
			 (json_int_t)plan_set_count(set, PLAN_KIND_TEST), "implemented",
			 (json_int_t)implemented, "initialisation",
			 (json_int_t)plan_set_count(set, PLAN_KIND_INIT), "skipped",
			 (json_int_t)plan_set_count(set, PLAN_KIND_SKIP), "environment",
			 environment, "tests", ids);
}

json_t *suite_sets_to_json(const struct suite *suite)
{
	json_t *sets = json_array();

	for (size_t i = 0; i < suite->plan->set_count; i++)
		(void)json_array_append_new(sets, set_to_json(suite, &suite->plan->sets[i]));
	return sets;
}
