/*
 * The plan: which test sets the lab means to have, and which tests each of them
 * lists. One file a set, suites/plan/<set>.tsv; the format is described in
 * suites/plan/README.md. The plan says nothing about which tests exist: that is
 * suites/suite.h.
 */
#pragma once

#include <stddef.h>

struct err;

enum plan_kind {
	PLAN_KIND_TEST, /* a test */
	PLAN_KIND_INIT, /* brings a node into its first state; judges nothing */
	PLAN_KIND_SKIP, /* the list itself leaves the test out */
	PLAN_KIND_COUNT_,
};

struct plan_row {
	char *id;            /* "v6LC.1.1.8" */
	char *title;         /* as in the list */
	char *reference;     /* as in the list */
	enum plan_kind kind; /* */
};

struct plan_set {
	char *name;         /* "phase2-host": the file's name */
	char *title;        /* */
	char *role;         /* "host", "router", "end-node", "security-gateway" */
	char **environment; /* "net.ipv6.conf.default.accept_dad=2": settings of the NUT */
	size_t environment_count;
	struct plan_row *rows; /* in the list's order */
	size_t row_count;
	char *of; /* name of the set that the ids are taken from, or NULL */
};

struct plan {
	struct plan_set *sets; /* by name */
	size_t set_count;
};

/* Read every *.tsv of `folder`. LAB_EPARSE names file and line. */
int plan_open(const char *folder, struct plan **ret_plan, struct err *err);
void plan_free(struct plan *plan);
const struct plan_set *plan_find(const struct plan *plan, const char *name);
/* The row with that id, or NULL. */
const struct plan_row *plan_set_find(const struct plan_set *set, const char *id);
size_t plan_set_count(const struct plan_set *set, enum plan_kind kind);
/* True if `text` is "name=value" of a sysctl: [a-z0-9_.]+ = [A-Za-z0-9_.: -]+. */
int plan_check_setting(const char *text, struct err *err);
