/* What making diffs (store_diff.c) and showing them (query_diff.c) share. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "db/compare.h"

struct db;
struct err;

/* The verdicts of a run that count, in the order of the set. */
struct verdict_list {
	struct compare_verdict *items; /* strings are ours */
	size_t count;
};
int verdict_list_load(struct db *db, int64_t run_id, struct verdict_list *list, struct err *err);
void verdict_list_release(struct verdict_list *list);

/* Where a release stands among those of its series; strings are borrowed. */
struct series_place {
	const char *set_name; /* runs of this set are looked at */
	const char *series;
	const char *sort_key;
};
/* The release since which the test fails, walking back through the series; 0 if it does not fail. */
int diff_find_failing_since(struct db *db, const struct series_place *place, const char *test_id,
			    int64_t *ret_release_id, struct err *err);
