/*
 * Comparing two runs of one set, and choosing what a run is compared with.
 * Pure functions: no database, no clock; the lab and the pages use the same.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/verdict.h"

enum compare_change {
	COMPARE_UNCHANGED,
	COMPARE_REGRESSED,     /* worse than before */
	COMPARE_FIXED,         /* a PASS now, a FAIL or WARN before */
	COMPARE_NEW,           /* not in the old run */
	COMPARE_GONE,          /* not in the new run */
	COMPARE_CHANGED,       /* another verdict, or failing in another way */
	COMPARE_STILL_FAILING, /* FAIL then and now, in the same way */
	COMPARE_TEST_CHANGED,  /* another verdict, but of another test script */
	COMPARE_CHANGE_COUNT_
};
/* As in diff_entry.change: "regressed", "still-failing", ... */
const char *compare_change_to_string(enum compare_change change);

/* The final verdict of one test; strings are borrowed. */
struct compare_verdict {
	int64_t verdict_id;
	const char *test_id;
	const char *signature; /* NULL for none */
	const char *test_version;
	enum verdict verdict;
};

struct compare_entry {
	const char *test_id; /* borrowed from the input */
	enum compare_change change;
	int64_t old_verdict_id; /* 0 for none */
	int64_t new_verdict_id; /* 0 for none */
};

enum compare_change compare_verdicts(const struct compare_verdict *then,
				     const struct compare_verdict *now);

/*
 * Compare test by test. One entry a test in the order of the new list, those
 * that are gone after it; the caller frees *ret_entries. Returns how many;
 * counts[change] says how many of each kind.
 */
size_t compare_runs(const struct compare_verdict *then, size_t then_count,
		    const struct compare_verdict *now, size_t now_count,
		    struct compare_entry **ret_entries, size_t counts[COMPARE_CHANGE_COUNT_]);

/* A release that may be compared with; strings are borrowed. */
struct key_candidate {
	int64_t release_id;
	int64_t run_id; /* its newest finished run of the set, 0 if it was not tested */
	const char *name;
	const char *series;
	const char *type; /* as in release.type */
	const char *sort_key;
	bool known_good;
};

#define KEY_CHOICES_MAX 2

struct key_choice {
	int64_t run_id;
	char why[160]; /* 'the stable before in its series (6.12.116-1)' */
};

/*
 * The key releases of `target` by its type: an rc has the rc before and the last
 * final; a final the last rc and the final before; a stable the stable before in
 * its series and the series' .0; a daily the daily before and the tag it is
 * based on (`based_on`, or NULL); a local image the known-good kernel. One that
 * was not tested is stood in for by the nearest tested one before. Returns how
 * many were chosen, no run twice.
 */
size_t key_releases(const struct key_candidate *target, const char *based_on,
		    const struct key_candidate *candidates, size_t count,
		    struct key_choice ret_choices[KEY_CHOICES_MAX]);
