/*
 * What the web side answers: one table (routes.c) of methods, paths, parameters
 * and what they mean. It leads requests to their handlers, refuses parameters it
 * does not list, and is what the OpenAPI document and the page about the API
 * are made of.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "web/server.h"

struct db;
struct err;

enum param_type {
	PARAM_INTEGER, /* a number from `min` to `max` */
	PARAM_TEXT,    /* any text */
	PARAM_WORD,    /* one of `words` */
	PARAM_SHA256,  /* 64 hexadecimal digits */
};

struct param {
	const char *name; /* NULL ends a list */
	enum param_type type;
	const char *text;  /* what it means */
	const char *words; /* for PARAM_WORD: "a|b|c" */
	int64_t min, max;  /* for PARAM_INTEGER */
};

/* One request at work. */
struct exchange {
	const struct server *server;
	const struct request *request;
	struct db *db;             /* in a read transaction */
	struct response *response; /* 200 and empty at first */
};

/* Fill the response; a negative code becomes an error answer. */
typedef int (*route_handler)(struct exchange *exchange, struct err *err);

struct route {
	const char *path; /* "/api/v1/runs/{run_id}"; NULL ends a table */
	route_handler handle;
	const struct param *params; /* of path and query, NULL for none */
	const char *summary;        /* one sentence */
	const char *schema;         /* API: of the answer, in schemas.json; NULL = bytes */
	const char *body_schema;    /* API: of a POST's body, NULL = none */
	bool is_post;               /* needs the token; else GET and HEAD */
	bool is_api;                /* described in the OpenAPI document */
};

/* All routes, ended by path == NULL. */
extern const struct route routes[];

/* The route of a path and method in `table`; NULL with *ret_allow the methods of the path (NULL: no such path). */
const struct route *route_find(const struct route *table, const struct target *target,
			       enum method method, const char **ret_allow);
/* Every parameter is known, given once and as its type wants it; LAB_EINVALID names the wrong one. */
int route_check_params(const struct route *route, const struct target *target, struct err *err);
/* True if `{name}` is part of the path. */
bool route_has_path_param(const struct route *route, const char *name);

/* A checked parameter: NULL or `otherwise` if it was not given. */
const char *exchange_text(const struct exchange *exchange, const char *name);
int64_t exchange_int(const struct exchange *exchange, const char *name, int64_t otherwise);

/* Answer with JSON; takes the reference. */
int exchange_reply_json(struct exchange *exchange, json_t *value);

/* api.c */
int api_status(struct exchange *exchange, struct err *err);
int api_releases(struct exchange *exchange, struct err *err);
int api_kernels(struct exchange *exchange, struct err *err);
int api_kernel(struct exchange *exchange, struct err *err);
int api_runs(struct exchange *exchange, struct err *err);
int api_run(struct exchange *exchange, struct err *err);
int api_run_verdicts(struct exchange *exchange, struct err *err);
int api_verdict(struct exchange *exchange, struct err *err);
int api_diffs(struct exchange *exchange, struct err *err);
int api_diff(struct exchange *exchange, struct err *err);
int api_diff_of(struct exchange *exchange, struct err *err);
int api_test(struct exchange *exchange, struct err *err);
int api_sets(struct exchange *exchange, struct err *err);
int api_clauses(struct exchange *exchange, struct err *err);
int api_sources(struct exchange *exchange, struct err *err);
int api_cycles(struct exchange *exchange, struct err *err);
int api_cycle(struct exchange *exchange, struct err *err);
int api_jobs(struct exchange *exchange, struct err *err);
int api_decisions(struct exchange *exchange, struct err *err);
int api_post_cycle(struct exchange *exchange, struct err *err);
int api_post_cancel(struct exchange *exchange, struct err *err);
int api_post_poll(struct exchange *exchange, struct err *err);
/* api_file.c */
int api_artifact(struct exchange *exchange, struct err *err);
int api_file(struct exchange *exchange, struct err *err);
int static_file(struct exchange *exchange, struct err *err);
/* openapi.c */
int api_openapi(struct exchange *exchange, struct err *err);
/* page_*.c */
int page_front(struct exchange *exchange, struct err *err);
int page_kernel(struct exchange *exchange, struct err *err);
int page_run(struct exchange *exchange, struct err *err);
int page_verdict(struct exchange *exchange, struct err *err);
int page_diffs(struct exchange *exchange, struct err *err);
int page_diff(struct exchange *exchange, struct err *err);
int page_diff_of(struct exchange *exchange, struct err *err);
int page_test(struct exchange *exchange, struct err *err);
int page_releases(struct exchange *exchange, struct err *err);
int page_queue(struct exchange *exchange, struct err *err);
int page_cycle(struct exchange *exchange, struct err *err);
int page_decisions(struct exchange *exchange, struct err *err);
int page_sets(struct exchange *exchange, struct err *err);
int page_clauses(struct exchange *exchange, struct err *err);
int page_api(struct exchange *exchange, struct err *err);
