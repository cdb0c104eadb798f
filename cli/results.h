/* The outcomes of a run, collected from the reports of its runners. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/verdict.h"

struct result {
	const char *id;   /* belongs to the list of tests */
	json_t *final;    /* the report that counts, NULL while there is none */
	json_t *attempts; /* [{"attempt","verdict","reason","wall_seconds"}] */
};

struct results {
	struct result *items; /* in the order asked for */
	size_t count;
	size_t done; /* items with a final report */
	/* What runners said about the NUT and the suite, the last word; NULL if nothing was said. */
	char *uname, *accelerator, *clock, *suite_version;
};

/* `ids` is an array of strings that outlives the results. */
void results_init(struct results *results, const json_t *ids);
void results_release(struct results *results);
/*
 * Take any report. Returns the result that it made final, or NULL. Reports about
 * tests that were not asked for, and second final ones, are dropped.
 */
const struct result *results_take(struct results *results, json_t *report);
/* The test `id` has no outcome and will get none: ERROR with `reason`. */
const struct result *results_give_up(struct results *results, const char *id, const char *reason);
bool results_is_final(const struct results *results, const char *id);
enum verdict result_verdict(const struct result *result);
/* How many tests have each verdict. */
void results_count(const struct results *results, size_t ret_counts[VERDICT_COUNT_]);
/* Seconds of the run's clock in all final attempts: what a tester in real time would have waited. */
double results_clock_seconds(const struct results *results);
/* The exit status: that of the gravest verdict. */
int results_status(const struct results *results);
/* The array "tests" of the JSON output; captures and consoles are named only if they were kept. */
json_t *results_to_json(const struct results *results, bool has_files);
