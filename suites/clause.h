/*
 * The clauses: what the RFCs require, beside the tests that check it. One file
 * an RFC, suites/clauses/rfc<number>.tsv; the format is described in
 * suites/clauses/README.md.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

struct err;
struct suite;

enum clause_who {
	CLAUSE_WHO_HOST,
	CLAUSE_WHO_ROUTER,
	CLAUSE_WHO_BOTH,
	CLAUSE_WHO_COUNT_,
};

struct clause_requirement {
	char *summary;       /* one line in our words */
	enum clause_who who; /* whom it binds */
};

/* Requirements of one section and level: tests cannot name less. */
struct clause {
	char *name;    /* "RFC 8200 4.5 should" */
	char *section; /* "4.5" */
	char *level;   /* "should", in the RFC's case */
	const struct clause_file *file;
	struct clause_requirement *requirements; /* in the RFC's order */
	size_t requirement_count;
};

struct clause_file {
	unsigned rfc; /* 8200 */
	char *title;  /* of the RFC */
};

struct clause_list {
	struct clause_file *files; /* by number */
	size_t file_count;
	struct clause *clauses; /* by RFC, then in its order */
	size_t count;
};

/* Read every rfc*.tsv of `folder`. LAB_EPARSE names file and line. */
int clause_list_open(const char *folder, struct clause_list **ret_list, struct err *err);
void clause_list_free(struct clause_list *list);
/* The clause of that name, or NULL. */
const struct clause *clause_list_find(const struct clause_list *list, const char *name);
/* LAB_EINVALID names the first test whose clause is in no file. */
int clause_list_check(const struct clause_list *list, const struct suite *suite, struct err *err);
/* [{"name","rfc","rfc_title","section","level","requirements":[{"summary","who"}],"tests":[id,...]}] */
json_t *clause_list_to_json(const struct clause_list *list, const struct suite *suite);
