/*
 * The catalogue: what the plan lists beside what exists. A test that is planned
 * and not written is counted as not implemented, never as passed.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "base/hash.h"
#include "suites/plan.h"
#include "suites/script.h"

struct suite {
	struct plan *plan;
	struct script_host *host;
};

/* One test of a set that exists. */
struct suite_test {
	const struct script_test *test;
	size_t position; /* of its row in the set, from 0 */
};

/* Read plan and scripts below `data_folder`/suites. Errors name file and line. */
int suite_open(const char *data_folder, struct suite **ret_suite, struct err *err);
void suite_close(struct suite *suite);
/* The test of a row of `set`, or NULL if nobody has written it. */
const struct script_test *suite_find(const struct suite *suite, const struct plan_set *set,
				     const struct plan_row *row);
/* The set's tests that exist, in its order; free() releases *ret_tests. */
size_t suite_tests(const struct suite *suite, const struct plan_set *set,
		   struct suite_test **ret_tests);
/* Hash over the versions of all the set's tests and its environment. */
void suite_version(const struct suite *suite, const struct plan_set *set,
		   char ret_version[HASH_HEX_SIZE]);
/* [{"name","title","role","planned","implemented","initialisation","skipped","environment","tests"}] */
json_t *suite_sets_to_json(const struct suite *suite);
