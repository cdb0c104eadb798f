/*
 * The tests of a run shared out to runners side by side (shards), each with its own
 * NUT, link, clock and folder; this runner only starts them and passes on what they
 * report, so whoever asked for the run cannot tell. A runner that is lost (it crashed,
 * or was killed) is started anew; a test that loses its runner too often is ERROR,
 * never FAIL.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "base/verdict.h"

struct err;
struct suite_test;

struct shards_order {
	const json_t *job;   /* the run's job; `set`, `clock` and the like hold for all */
	const char *scratch; /* the run's folder */
	const struct suite_test *tests; /* that have no verdict yet */
	size_t test_count;
	size_t count; /* of NUTs */
	/* Takes the reference to a report: `nut`, `test-begin` (with "shard") and `test`. */
	int (*report)(void *user, json_t *report, struct err *err);
	void *user;
};

struct shards_result {
	unsigned counts[VERDICT_COUNT_]; /* final verdicts */
	long long peak_memory_kib;       /* of the largest runner */
	long long nut_peak_memory_kib;   /* of the largest NUT */
};

/* `jobs` NUTs, or for 0 as many as processors and memory carry; never more than tests. */
size_t shards_choose_count(unsigned jobs, unsigned memory_mib, size_t tests);
/*
 * Until every test has its verdict or no runner goes on: the reason of the last one then.
 * LAB_ECANCELLED after SIGINT, SIGTERM or SIGHUP, when all runners are gone.
 */
int shards_run(const struct shards_order *order, struct shards_result *ret_result, struct err *err);
