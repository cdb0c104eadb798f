/*
 * One run: a kernel against a test set, as docs/design/001-shape.md describes
 * the job and its reports. Boots the NUT, waits until duplicate address
 * detection of its link-local address is over, keeps that state as a snapshot,
 * and gives every test the NUT in that state. An ERROR (trouble of ours) is
 * tried again on a NUT booted anew; every attempt is reported.
 */
#pragma once

#include <jansson.h>

struct err;
struct loop;
struct target;
struct target_spec;

/* Where the run gets its node under test from and whom it tells. */
struct run_host {
	/* Fill in *ret_target for `spec`; nothing runs yet. May give the loop another clock. */
	int (*make_target)(void *user, struct loop *loop, const struct target_spec *spec,
			   struct target *ret_target, struct err *err);
	/* Takes the reference to `report`. */
	int (*report)(void *user, json_t *report, struct err *err);
	void *user;
};

/* A virtual machine, and JSON lines on REPORT_FD. */
extern const struct run_host run_host_nut;

/*
 * Do the whole job and report `done`; a negative code means that the caller has
 * to report `failed` (LAB_EINVALID: the job is at fault, LAB_ECANCELLED: SIGTERM).
 */
int run_job(const json_t *job, const struct run_host *host, struct err *err);
