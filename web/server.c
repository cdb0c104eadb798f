#include "web/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "db/db.h"
#include "web/page.h"
#include "web/routes.h"
#include "web/web.h"

struct server {
	char *address;
	char *token; /* NULL = nobody may change anything */
	bool is_loopback;
	struct orchestrator *orchestrator;
};

struct server *server_new(const struct web_config *config, struct orchestrator *orchestrator)
{
	struct server *server = xcalloc(1, sizeof(*server));

	server->address = xstrdup(config->address);
	server->token = config->token && *config->token ? xstrdup(config->token) : NULL;
	server->is_loopback =
		strncmp(config->address, "127.", 4) == 0 || strcmp(config->address, "::1") == 0;
	server->orchestrator = orchestrator;
	return server;
}

void server_free(struct server *server)
{
	if (!server)
		return;
	free(server->address);
	free(server->token);
	free(server);
}

struct orchestrator *server_get_orchestrator(const struct server *server)
{
	return server->orchestrator;
}

void request_release(struct request *request)
{
	target_release(&request->target);
	json_decref(request->body);
	request->body = NULL;
}

void response_release(struct response *response)
{
	buf_clear(&response->body);
	free(response->download_name);
	response->download_name = NULL;
}

/* --- failures ------------------------------------------------------------------ */

static const char *status_word(int status)
{
	switch (status) {
	case 400:
		return "bad-request";
	case 401:
		return "token-needed";
	case 403:
		return "forbidden";
	case 404:
		return "not-found";
	case 405:
		return "method-not-allowed";
	case 409:
		return "conflict";
	case 413:
		return "too-large";
	case 414:
		return "target-too-long";
	case 415:
		return "unsupported-type";
	case 416:
		return "range-not-satisfiable";
	case 503:
		return "unavailable";
	case 504:
		return "timeout";
	default:
		return "internal";
	}
}

void server_fail(const struct request *request, struct response *response, int status,
		 const char *text)
{
	const struct target *target = &request->target;
	bool is_api = target->segment_count > 0 && strcmp(target->segments[0], "api") == 0;

	response->status = status;
	response->cache = RESPONSE_NO_STORE;
	response->is_artifact = false;
	response->etag[0] = '\0';
	buf_reset(&response->body);
	if (is_api || request->method == METHOD_POST) {
		auto_json json_t *value =
			json_pack("{s:{s:s, s:o}}", "error", "code", status_word(status), "text",
				  json_string_lossy(text, strlen(text)));
		auto_free char *line = json_text(value);

		response->content_type = "application/json";
		buf_printf(&response->body, "%s\n", line);
		return;
	}
	page_failure(response, status, text);
}

static int status_of_error(int code)
{
	switch (code) {
	case LAB_EINVALID:
	case LAB_EPARSE:
		return 400;
	case LAB_EAUTH:
		return 403;
	case LAB_ENOTFOUND:
		return 404;
	case LAB_EEXISTS:
		return 409;
	case LAB_ELIMIT:
		return 413;
	case LAB_EBUSY:
	case LAB_ECANCELLED:
		return 503;
	case LAB_ETIMEOUT:
		return 504;
	default:
		return 500;
	}
}

/* What a client did wrong is said to it; what went wrong with us is said to the log. */
static void fail_with_error(const struct request *request, struct response *response, int code,
			    const struct err *err)
{
	int status = status_of_error(code);

	if (status == 500)
		log_error("web", "%s: %s", request->route->path, err->text);
	server_fail(request, response, status,
		    status == 500 ? "the lab could not answer; its log says why" : err->text);
}

/* --- before the body ------------------------------------------------------------- */

/* Equal in a time that does not tell how much of it is right: digests are compared, in full. */
static bool is_same_secret(const char *a, const char *b)
{
	char hash_a[HASH_HEX_SIZE], hash_b[HASH_HEX_SIZE];
	unsigned char difference = 0;

	hash_bytes(a, strlen(a), hash_a);
	hash_bytes(b, strlen(b), hash_b);
	for (size_t i = 0; i < sizeof(hash_a); i++)
		difference |= (unsigned char)(hash_a[i] ^ hash_b[i]);
	return difference == 0;
}

/* 0, or the status to refuse with. */
static int check_token(const struct server *server, const struct request *request,
		       const char **ret_text)
{
	const char *given = request->authorization;

	if (!server->token) {
		*ret_text = "no token is configured, so nothing can be changed over HTTP";
		return 403;
	}
	if (!given || strncasecmp(given, "Bearer ", 7) != 0) {
		*ret_text = "expected a header 'Authorization: Bearer TOKEN'";
		return 401;
	}
	given += 7;
	given += strspn(given, " ");
	*ret_text = "the token is not the lab's";
	return is_same_secret(given, server->token) ? 0 : 403;
}

static bool is_json_type(const char *type)
{
	static const char json[] = "application/json";

	return strncasecmp(type, json, strlen(json)) == 0 && strchr("; \t", type[strlen(json)]);
}

static int check_body(const struct request *request, const char **ret_text)
{
	if (!request->has_body)
		return 0;
	if (!request->route->body_schema) {
		*ret_text = "this request takes no body";
		return 400;
	}
	if (request->body_size > (int64_t)LIMIT_HTTP_DRAIN) {
		*ret_text = "the body is larger than 1048576 bytes";
		return 413;
	}
	if (!request->content_type || !is_json_type(request->content_type)) {
		*ret_text = "expected a body with 'Content-Type: application/json'";
		return 415;
	}
	return 0;
}

/* 0, or the status to refuse with. */
static int check_request(const struct server *server, const char *target, struct request *request,
			 struct response *response, struct err *err, const char **ret_text)
{
	int rc;

	rc = target_parse(target, &request->target, err);
	if (rc < 0)
		return rc == LAB_ELIMIT ? 414 : 400;
	if (server->is_loopback &&
	    !(request->host && host_is_local(request->host, server->address))) {
		*ret_text =
			"the Host header does not name this lab: expected localhost or its address";
		return 403;
	}
	request->route = route_find(routes, &request->target, request->method, &response->allow);
	if (!request->route) {
		*ret_text = response->allow ? "the method is not allowed here"
					    : "there is nothing at this address";
		return response->allow ? 405 : 404;
	}
	if (request->route->is_post) {
		rc = check_token(server, request, ret_text);
		if (rc)
			return rc;
	}
	if (route_check_params(request->route, &request->target, err) < 0)
		return 400;
	return check_body(request, ret_text);
}

bool server_check(const struct server *server, const char *target, struct request *request,
		  struct response *response)
{
	struct err err = ERR_INIT;
	const char *text = err.text;
	int status;

	status = check_request(server, target, request, response, &err, &text);
	if (status)
		server_fail(request, response, status, text);
	return status != 0;
}

/* --- after the body ---------------------------------------------------------------- */

static int parse_body(struct request *request, const char *body, size_t size, struct err *err)
{
	int rc;

	if (!request->route->body_schema)
		return 0;
	if (size == 0)
		return err_set(err, LAB_EINVALID, "expected a JSON object as body");
	rc = json_parse(body, size, &request->body, err);
	if (rc < 0)
		return err_prefix(err, "body");
	if (!json_is_object(request->body))
		return err_set(err, LAB_EINVALID, "body: expected a JSON object");
	return 0;
}

void server_answer(const struct server *server, struct db *db, struct request *request,
		   const char *body, size_t body_size, struct response *response)
{
	struct exchange exchange = {
		.server = server, .request = request, .db = db, .response = response
	};
	struct err err = ERR_INIT;
	int rc;

	response->status = 200;
	rc = parse_body(request, body, body_size, &err);
	if (rc >= 0)
		rc = db_begin(db, &err);
	if (rc >= 0) {
		rc = request->route->handle(&exchange, &err);
		rc = db_end(db, rc, &err);
	}
	if (rc >= 0 && response->body.overflow)
		rc = err_set(&err, LAB_EFAIL, "the answer is larger than %u bytes",
			     LIMIT_HTTP_PAGE);
	if (rc < 0)
		fail_with_error(request, response, rc, &err);
}
