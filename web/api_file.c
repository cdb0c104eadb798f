/* Bytes: artifacts and files of the lab, with ranges and entity tags, and our own static files. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "db/query.h"
#include "web/routes.h"
#include "web/static.h"

/* What a browser may show by itself, as plain text; everything else is saved. */
static bool is_text_role(const char *role)
{
	static const char *const roles[] = { "config", "build-log", "console", "run-log" };

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strcmp(roles[i], role) == 0)
			return true;
	return false;
}

/* The name as a quoted string can hold it (RFC 6266): anything odd becomes '_'. */
static char *safe_name(const char *name)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._-+~";
	char *safe = xstrdup(*name ? name : "file");

	for (char *c = safe; *c; c++)
		if (!strchr(plain, *c))
			*c = '_';
	if (*safe == '.')
		*safe = '_';
	return safe;
}

/* True if the client has it already. */
static bool is_fresh(struct exchange *exchange)
{
	const char *tags = exchange->request->if_none_match;

	if (!tags || !etag_list_has(tags, exchange->response->etag))
		return false;
	exchange->response->status = 304;
	return true;
}

static void apply_range(const struct request *request, struct response *response)
{
	struct byte_range range;
	int rc;

	if (!request->range)
		return;
	/* If-Range with another tag means: the whole, if it has changed (RFC 9110 section 13.1.5). */
	if (request->if_range && strcmp(request->if_range, response->etag) != 0)
		return;
	rc = range_parse(request->range, response->total_bytes, &range);
	if (rc > 0) {
		response->status = 206;
		response->part = range;
	} else if (rc < 0) {
		response->status = 416;
		response->is_artifact = false;
	}
}

/* Takes the reference of `file` (query_file() and query_artifact() make it). */
static int reply_bytes(struct exchange *exchange, json_t *file)
{
	auto_json json_t *owned = file;
	struct response *response = exchange->response;
	const char *role = json_string_or(owned, "role", "");

	response->content_type =
		is_text_role(role) ? "text/plain; charset=utf-8" : "application/octet-stream";
	if (!is_text_role(role))
		response->download_name = safe_name(json_string_or(owned, "name", "artifact"));
	response->is_untrusted = true;
	response->total_bytes = json_int_or(owned, "size_bytes", 0);
	(void)snprintf(response->etag, sizeof(response->etag), "\"%.64s\"",
		       json_string_or(owned, "sha256", ""));
	if (is_fresh(exchange))
		return 0;
	response->is_artifact = true;
	response->artifact_id = json_int_or(owned, "artifact_id", 0);
	response->part = (struct byte_range){ 0, response->total_bytes };
	apply_range(exchange->request, response);
	return 0;
}

int api_artifact(struct exchange *exchange, struct err *err)
{
	json_t *file = NULL;
	int rc;

	rc = query_artifact(exchange->db, exchange_text(exchange, "sha256"), &file, err);
	if (rc < 0)
		return rc;
	exchange->response->cache = RESPONSE_IMMUTABLE;
	return reply_bytes(exchange, file);
}

int api_file(struct exchange *exchange, struct err *err)
{
	json_t *file = NULL;
	int rc;

	rc = query_file(exchange->db, exchange_int(exchange, "file_id", 0), &file, err);
	return rc < 0 ? rc : reply_bytes(exchange, file);
}

int static_file(struct exchange *exchange, struct err *err)
{
	const struct static_asset *asset = static_find(exchange_text(exchange, "name"));
	const char *asked = exchange_text(exchange, "v");
	struct response *response = exchange->response;
	char version[STATIC_VERSION_SIZE];

	if (!asset || !asset->content_type)
		return err_set(err, LAB_ENOTFOUND, "there is nothing at this address");
	static_get_version(asset, version);
	(void)snprintf(response->etag, sizeof(response->etag), "\"%s\"", version);
	/* Under an address with an older version the answer must not be kept for ever. */
	if (asked && strcmp(asked, version) == 0)
		response->cache = RESPONSE_IMMUTABLE;
	response->content_type = asset->content_type;
	if (!is_fresh(exchange))
		buf_append(&response->body, asset->data, asset->size);
	return 0;
}
