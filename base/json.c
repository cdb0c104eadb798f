#include "base/json.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"

static const char *type_name(const json_t *value)
{
	if (!value)
		return "nothing";
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "an integer";
	case JSON_REAL:
		return "a fraction";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	case JSON_NULL:
		return "null";
	}
	return "something else";
}

int json_parse(const char *text, size_t size, json_t **ret_value, struct err *err)
{
	json_error_t why;
	json_t *value = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);

	if (!value)
		return err_set(err, LAB_EPARSE, "JSON line %d column %d: %s", why.line, why.column,
			       why.text);
	*ret_value = value;
	return 0;
}

int json_read_file(const char *path, size_t max, json_t **ret_value, struct err *err)
{
	auto_free char *text = NULL;
	size_t size;
	int rc;

	rc = fs_read_file(path, max, &text, &size, err);
	if (rc < 0)
		return rc;
	rc = json_parse(text, size, ret_value, err);
	if (rc < 0)
		(void)err_prefix(err, "'%s'", path);
	return rc;
}

int json_write_file(const char *path, const json_t *value, struct err *err)
{
	auto_free char *text = json_dumps(value, JSON_INDENT(1) | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	auto_free char *whole = NULL;

	if (!text)
		return err_set(err, LAB_EINVALID, "'%s': the value cannot be written as JSON",
			       path);
	whole = xasprintf("%s\n", text);
	return fs_write_file(path, whole, strlen(whole), 0644, err);
}

char *json_text(const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

	return text ? text : xstrdup("null");
}

static int wrong_field(struct err *err, const char *key, const char *want, const json_t *got)
{
	return err_set(err, LAB_EINVALID, "field '%s': expected %s, got %s", key, want,
		       type_name(got));
}

int json_get_string(const json_t *object, const char *key, const char **ret_text, struct err *err)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_string(value))
		return wrong_field(err, key, "a string", value);
	if (strlen(json_string_value(value)) != json_string_length(value))
		return err_set(err, LAB_EINVALID, "field '%s': a NUL byte is not allowed", key);
	*ret_text = json_string_value(value);
	return 0;
}

int json_get_int(const json_t *object, const char *key, int64_t min, int64_t max,
		 int64_t *ret_value, struct err *err)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value))
		return wrong_field(err, key, "an integer", value);
	if (json_integer_value(value) < min || json_integer_value(value) > max)
		return err_set(err, LAB_EINVALID, "field '%s': expected %lld to %lld, got %lld",
			       key, (long long)min, (long long)max,
			       (long long)json_integer_value(value));
	*ret_value = json_integer_value(value);
	return 0;
}

int json_get_bool(const json_t *object, const char *key, bool *ret_value, struct err *err)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_boolean(value))
		return wrong_field(err, key, "true or false", value);
	*ret_value = json_is_true(value);
	return 0;
}

const char *json_string_or(const json_t *object, const char *key, const char *otherwise)
{
	const json_t *value = json_object_get(object, key);

	return json_is_string(value) ? json_string_value(value) : otherwise;
}

int64_t json_int_or(const json_t *object, const char *key, int64_t otherwise)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

bool json_bool_or(const json_t *object, const char *key, bool otherwise)
{
	const json_t *value = json_object_get(object, key);

	return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

static bool is_listed(const char *key, const char *const *keys)
{
	for (; *keys; keys++) {
		if (strcmp(key, *keys) == 0)
			return true;
	}
	return false;
}

int json_only_keys(const json_t *object, const char *const *keys, struct err *err)
{
	const char *key;
	json_t *value;

	if (!json_is_object(object))
		return err_set(err, LAB_EINVALID, "expected an object, got %s", type_name(object));
	/* Jansson's iterators are not const-correct; nothing is changed. */
	json_object_foreach((json_t *)(uintptr_t)object, key, value) {
		if (!is_listed(key, keys))
			return err_set(err, LAB_EINVALID, "field '%s': there is no such field",
				       key);
	}
	return 0;
}

/* Bytes of the well-formed UTF-8 sequence at `text`, or 0 (RFC 3629 section 4). */
static size_t utf8_length(const unsigned char *text, size_t size)
{
	static const unsigned least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned code;
	size_t length;

	if (text[0] < 0x80)
		return 1;
	length = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
	if (text[0] < 0xc2 || text[0] > 0xf4 || length > size)
		return 0;
	code = text[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3fu);
	}
	if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	return length;
}

json_t *json_string_lossy(const char *text, size_t size)
{
	auto_cleanup(buf_release_p) struct buf clean = BUF_INIT(SIZE_MAX - 1);
	size_t at = 0;

	while (at < size) {
		size_t length = utf8_length((const unsigned char *)text + at, size - at);

		if (length == 0 || text[at] == '\0') { /* readers use C strings: no NUL either */
			buf_append_string(&clean, "\xef\xbf\xbd");
			at++;
		} else {
			buf_append(&clean, text + at, length);
			at += length;
		}
	}
	return json_stringn(clean.data ? clean.data : "", clean.size);
}
