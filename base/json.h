/*
 * JSON helpers over Jansson, whose header this one includes: json_t values are
 * passed about freely; reading fields goes through these, so that each error
 * names the field and what was expected.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct err;

static inline void json_decref_p(json_t **value)
{
	json_decref(*value);
	*value = NULL;
}
#define auto_json auto_cleanup(json_decref_p)

int json_read_file(const char *path, size_t max, json_t **ret_value, struct err *err);
int json_parse(const char *text, size_t size, json_t **ret_value, struct err *err);
int json_write_file(const char *path, const json_t *value, struct err *err);
/* Sorted keys, one line; the caller frees it. */
char *json_text(const json_t *value);

/* Fields of an object: LAB_EINVALID with "field 'x': expected a string" when absent or wrong. */
int json_get_string(const json_t *object, const char *key, const char **ret_text, struct err *err);
int json_get_int(const json_t *object, const char *key, int64_t min, int64_t max,
		 int64_t *ret_value, struct err *err);
int json_get_bool(const json_t *object, const char *key, bool *ret_value, struct err *err);
/* As above, but absent or null gives the default. */
const char *json_string_or(const json_t *object, const char *key, const char *otherwise);
int64_t json_int_or(const json_t *object, const char *key, int64_t otherwise);
bool json_bool_or(const json_t *object, const char *key, bool otherwise);
/* LAB_EINVALID naming the first key of `object` that is not in the NULL-terminated list. */
int json_only_keys(const json_t *object, const char *const *keys, struct err *err);
/* A JSON string from bytes that may not be UTF-8: bad bytes become U+FFFD. */
json_t *json_string_lossy(const char *text, size_t size);
