/*
 * Requests in, responses out, without a word of HTTP's transport: httpd.c feeds
 * it, tests can too. A request is looked at twice: server_check() before its
 * body is read, server_answer() after.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "web/parse.h"

struct db;
struct err;
struct orchestrator;
struct route;
struct web_config;

enum method { METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_OTHER };

struct request {
	enum method method;
	const char *host; /* Host header, NULL if absent; so the next ones */
	const char *authorization;
	const char *content_type;
	const char *if_none_match;
	const char *range;
	const char *if_range;
	bool has_body;     /* the headers announce one */
	int64_t body_size; /* as announced, -1 if not known */
	struct target target;
	const struct route *route; /* set by server_check() */
	json_t *body;              /* a POST's object, or NULL */
};

enum response_cache {
	RESPONSE_NO_STORE,  /* it may be another the next moment */
	RESPONSE_IMMUTABLE, /* the address names the content */
};

struct response {
	int status;
	const char *content_type; /* a literal */
	struct buf body;          /* unless is_artifact */
	bool is_artifact;         /* the body is this part of an artifact */
	int64_t artifact_id;
	struct byte_range part;
	int64_t total_bytes; /* of the artifact; > part.size with status 206 */
	char etag[80];       /* with its quotes, "" = none */
	enum response_cache cache;
	char *download_name; /* ASCII; NULL = shown in the browser */
	const char *allow;   /* for 405: a literal */
	bool is_untrusted;   /* content is somebody else's: no script, no form, no frame */
};
void response_release(struct response *response);

/* The shared state of all threads; read-only after server_new(). */
struct server;
struct server *server_new(const struct web_config *config, struct orchestrator *orchestrator);
void server_free(struct server *server);
struct orchestrator *server_get_orchestrator(const struct server *server);

/*
 * Take the target apart, find the route, check host, method, token and the
 * announced body. True if the answer is ready (a refusal).
 */
bool server_check(const struct server *server, const char *target, struct request *request,
		  struct response *response);
/* Answer; `body` is the whole body (may be NULL), `db` belongs to the thread. */
void server_answer(const struct server *server, struct db *db, struct request *request,
		   const char *body, size_t body_size, struct response *response);
/* Answer with a failure, as JSON or as a page by the request's path. */
void server_fail(const struct request *request, struct response *response, int status,
		 const char *text);
void request_release(struct request *request);
