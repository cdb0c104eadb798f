/* Leading a request to its route, and checking its parameters. */
#include "web/routes.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"

/* --- paths ------------------------------------------------------------------------ */

/* The next segment of a pattern into [*ret_segment, length); false at the end. */
static bool next_segment(const char **pattern, const char **ret_segment, size_t *ret_length)
{
	if (!**pattern)
		return false;
	*ret_segment = *pattern + 1; /* after the '/' */
	*ret_length = strcspn(*ret_segment, "/");
	*pattern = *ret_segment + *ret_length;
	return *ret_length > 0;
}

static bool is_path_of(const char *pattern, const struct target *target)
{
	const char *segment;
	size_t length, i = 0;

	while (next_segment(&pattern, &segment, &length)) {
		const char *given;

		if (i == target->segment_count)
			return false;
		given = target->segments[i++];
		if (*segment == '{') {
			if (!*given)
				return false;
		} else if (strlen(given) != length || memcmp(given, segment, length) != 0) {
			return false;
		}
	}
	return i == target->segment_count;
}

/* The value of `{name}`, NULL if the path has none of that name. */
static const char *path_value(const char *pattern, const struct target *target, const char *name)
{
	size_t name_length = strlen(name);
	const char *segment;
	size_t length;

	for (size_t i = 0; next_segment(&pattern, &segment, &length); i++)
		if (*segment == '{' && length == name_length + 2 &&
		    memcmp(segment + 1, name, name_length) == 0)
			return target->segments[i];
	return NULL;
}

bool route_has_path_param(const struct route *route, const char *name)
{
	const char *pattern = route->path, *segment;
	size_t length;

	while (next_segment(&pattern, &segment, &length))
		if (*segment == '{' && length == strlen(name) + 2 &&
		    memcmp(segment + 1, name, strlen(name)) == 0)
			return true;
	return false;
}

const struct route *route_find(const struct route *table, const struct target *target,
			       enum method method, const char **ret_allow)
{
	bool can_get = false, can_post = false;

	*ret_allow = NULL;
	for (const struct route *route = table; route->path; route++) {
		if (!is_path_of(route->path, target))
			continue;
		if (route->is_post ? method == METHOD_POST
				   : method == METHOD_GET || method == METHOD_HEAD)
			return route;
		can_get |= !route->is_post;
		can_post |= route->is_post;
	}
	if (can_get)
		*ret_allow = can_post ? "GET, HEAD, POST" : "GET, HEAD";
	else if (can_post)
		*ret_allow = "POST";
	return NULL;
}

/* --- parameters --------------------------------------------------------------------- */

static const struct param *find_param(const struct route *route, const char *name)
{
	for (const struct param *param = route->params; param && param->name; param++)
		if (strcmp(param->name, name) == 0)
			return param;
	return NULL;
}

static bool is_word_of(const char *words, const char *text)
{
	size_t size = strlen(text);

	while (*words) {
		size_t length = strcspn(words, "|");

		if (length == size && memcmp(words, text, size) == 0)
			return true;
		words += length + (words[length] == '|');
	}
	return false;
}

static int check_value(const struct param *param, const char *value, struct err *err)
{
	int64_t unused;

	switch (param->type) {
	case PARAM_INTEGER:
		if (parse_integer(value, param->min, param->max, &unused, err) < 0)
			return err_prefix(err, "parameter '%s'", param->name);
		return 0;
	case PARAM_TEXT:
		if (!*value)
			return err_set(err, LAB_EINVALID, "parameter '%s': is empty", param->name);
		return 0;
	case PARAM_WORD:
		if (!is_word_of(param->words, value))
			return err_set(err, LAB_EINVALID, "parameter '%s': expected one of %s",
				       param->name, param->words);
		return 0;
	case PARAM_SHA256:
		if (strlen(value) != 64 || strspn(value, "0123456789abcdef") != 64)
			return err_set(
				err, LAB_EINVALID,
				"parameter '%s': expected 64 hexadecimal digits in lower case",
				param->name);
		return 0;
	}
	return 0;
}

int route_check_params(const struct route *route, const struct target *target, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < target->pair_count && rc >= 0; i++) {
		const struct target_pair *pair = &target->pairs[i];
		const struct param *param = find_param(route, pair->name);

		if (!param || route_has_path_param(route, pair->name))
			return err_set(err, LAB_EINVALID, "parameter '%s': is not known here",
				       pair->name);
		for (size_t j = 0; j < i; j++)
			if (strcmp(target->pairs[j].name, pair->name) == 0)
				return err_set(err, LAB_EINVALID, "parameter '%s': is given twice",
					       pair->name);
		rc = check_value(param, pair->value, err);
	}
	for (const struct param *param = route->params; param && param->name && rc >= 0; param++) {
		const char *value = path_value(route->path, target, param->name);

		if (value)
			rc = check_value(param, value, err);
	}
	return rc;
}

const char *exchange_text(const struct exchange *exchange, const char *name)
{
	const struct target *target = &exchange->request->target;
	const char *value = path_value(exchange->request->route->path, target, name);

	for (size_t i = 0; i < target->pair_count && !value; i++)
		if (strcmp(target->pairs[i].name, name) == 0)
			value = target->pairs[i].value;
	return value;
}

int64_t exchange_int(const struct exchange *exchange, const char *name, int64_t otherwise)
{
	const char *text = exchange_text(exchange, name);
	int64_t value = otherwise;

	if (text) /* was checked by route_check_params() */
		(void)parse_integer(text, 0, INT64_MAX, &value, NULL);
	return value;
}

int exchange_reply_json(struct exchange *exchange, json_t *value)
{
	auto_json json_t *owned = value;
	auto_free char *text = json_text(owned);

	exchange->response->content_type = "application/json";
	buf_append_string(&exchange->response->body, text);
	buf_append_char(&exchange->response->body, '\n');
	return 0;
}
