/* The OpenAPI 3.1 document, made from the table of routes and schemas.json. */
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/json.h"
#include "web/routes.h"
#include "web/static.h"

static json_t *schema_ref(const char *name)
{
	return json_pack("{s:o}", "$ref", json_sprintf("#/components/schemas/%s", name));
}

static json_t *param_schema(const struct param *param)
{
	json_t *words = json_array();
	const char *word = param->words;

	switch (param->type) {
	case PARAM_INTEGER:
		json_decref(words);
		return json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum",
				 (json_int_t)param->min, "maximum", (json_int_t)param->max);
	case PARAM_SHA256:
		json_decref(words);
		return json_pack("{s:s, s:s}", "type", "string", "pattern", "^[0-9a-f]{64}$");
	case PARAM_WORD:
		while (*word) {
			size_t length = strcspn(word, "|");

			json_array_append_new(words, json_stringn(word, length));
			word += length + (word[length] == '|');
		}
		return json_pack("{s:s, s:o}", "type", "string", "enum", words);
	case PARAM_TEXT:
		break;
	}
	json_decref(words);
	return json_pack("{s:s, s:i}", "type", "string", "minLength", 1);
}

static json_t *params_to_json(const struct route *route)
{
	json_t *list = json_array();

	for (const struct param *param = route->params; param && param->name; param++) {
		bool in_path = route_has_path_param(route, param->name);

		json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:s, s:o}", "name",
						      param->name, "in", in_path ? "path" : "query",
						      "required", in_path, "description",
						      param->text, "schema", param_schema(param)));
	}
	return list;
}

static json_t *content(const char *schema)
{
	if (!schema)
		return json_pack("{s:{}, s:{}}", "application/octet-stream", "text/plain");
	return json_pack("{s:{s:o}}", "application/json", "schema", schema_ref(schema));
}

static void add_failure(json_t *responses, const char *status, const char *text)
{
	json_object_set_new(
		responses, status,
		json_pack("{s:s, s:o}", "description", text, "content", content("Error")));
}

static json_t *responses_to_json(const struct route *route)
{
	json_t *responses = json_object();

	json_object_set_new(responses, route->is_post ? "202" : "200",
			    json_pack("{s:s, s:o}", "description", route->summary, "content",
				      content(route->schema)));
	if (!route->schema) {
		json_object_set_new(responses, "206",
				    json_pack("{s:s, s:o}", "description", "the bytes of the Range",
					      "content", content(NULL)));
		json_object_set_new(responses, "304",
				    json_pack("{s:s}", "description", "the client has it already"));
		json_object_set_new(responses, "416",
				    json_pack("{s:s}", "description", "the Range is past the end"));
	}
	add_failure(responses, "400", "a parameter or the body is wrong; the text names it");
	add_failure(responses, "404", "there is no such thing");
	if (route->is_post) {
		add_failure(responses, "401", "no token was given");
		add_failure(responses, "403", "the token is wrong, or none is configured");
		add_failure(responses, "503", "the lab is stopping");
	}
	if (route->body_schema) {
		add_failure(responses, "413", "the body is too large");
		add_failure(responses, "415", "the body is not application/json");
	}
	return responses;
}

static json_t *operation_to_json(const struct route *route)
{
	json_t *operation = json_pack("{s:s, s:o, s:o}", "summary", route->summary, "parameters",
				      params_to_json(route), "responses", responses_to_json(route));

	if (route->body_schema)
		json_object_set_new(operation, "requestBody",
				    json_pack("{s:b, s:o}", "required", 1, "content",
					      content(route->body_schema)));
	if (route->is_post)
		json_object_set_new(operation, "security", json_pack("[{s:[]}]", "token"));
	return operation;
}

static json_t *paths_to_json(void)
{
	json_t *paths = json_object();

	for (const struct route *route = routes; route->path; route++) {
		json_t *path;

		if (!route->is_api)
			continue;
		path = json_object_get(paths, route->path);
		if (!path) {
			path = json_object();
			json_object_set_new(paths, route->path, path);
		}
		json_object_set_new(path, route->is_post ? "post" : "get",
				    operation_to_json(route));
	}
	return paths;
}

int api_openapi(struct exchange *exchange, struct err *err)
{
	const struct static_asset *asset = static_find("schemas.json");
	json_t *schemas = NULL, *document;
	int rc;

	rc = json_parse((const char *)asset->data, asset->size, &schemas, err);
	if (rc < 0)
		return rc;
	document = json_pack(
		"{s:s, s:{s:s, s:s, s:s}, s:o, s:{s:o, s:{s:{s:s, s:s}}}}", "openapi", "3.1.0",
		"info", "title", "Testlab", "version", LAB_VERSION, "description",
		"IPv6 conformance of Linux kernels. Times ending in _us are microseconds"
		" since 1970 (UTC); those in _ns are durations.",
		"paths", paths_to_json(), "components", "schemas", schemas, "securitySchemes",
		"token", "type", "http", "scheme", "bearer");
	lab_assert(document);
	return exchange_reply_json(exchange, document);
}
