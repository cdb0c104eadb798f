/*
 * One attempt at one test on a NUT that is in its snapshot's state: run the
 * script, then ask whether the verdict can be trusted, write the evidence, and
 * make the report.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/verdict.h"

struct context;
struct err;
struct link;
struct loop;
struct script_host;
struct script_test;
struct target;

struct attempt {
	struct loop *loop;
	struct link *link;
	struct target *target;
	struct script_host *scripts;
	const struct script_test *test;
	const uint8_t *nut_link_local; /* 16 octets */
	const char *folder;            /* for capture and console */
	struct context **current;      /* set while the test runs: receives frames and trouble */
	size_t position;               /* in the set */
	unsigned number;               /* from 1 */
	bool set_environment;          /* apply the test's own settings */
	bool hung_before;              /* an earlier attempt at this test ended with a hung NUT */

	/* Result. */
	enum verdict verdict;
	bool hung;
};

/*
 * 0 with *ret_report (the `test` event without "final"), also when the verdict
 * is ERROR; negative only for LAB_ECANCELLED.
 */
int attempt_run(struct attempt *attempt, json_t **ret_report, struct err *err);
/*
 * The report of an attempt that could not begin because no NUT could be had. Without a loop
 * nothing knows the clock: it is the real one then.
 */
json_t *attempt_report_failed(const struct attempt *attempt, const char *reason);
