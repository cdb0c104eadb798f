#include "web/parse.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/limits.h"
#include "web/utf8.h"

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Decode a NUL-terminated piece in its place; '+' is a space in a query only. */
static int decode(char *text, bool is_query, struct err *err)
{
	const char *from = text;
	char *to = text;

	for (; *from; from++) {
		int high, low;
		char c = *from;

		if (c == '%') {
			high = hex_value(from[1]);
			low = high < 0 ? -1 : hex_value(from[2]);
			if (low < 0)
				return err_set(err, LAB_EPARSE,
					       "request target: '%%' is not followed by two "
					       "hexadecimal digits");
			c = (char)(high << 4 | low);
			from += 2;
		} else if (c == '+' && is_query) {
			c = ' ';
		}
		if (c == '\0')
			return err_set(err, LAB_EPARSE, "request target: holds a NUL");
		*to++ = c;
	}
	*to = '\0';
	if (!utf8_is_valid(text, (size_t)(to - text)))
		return err_set(err, LAB_EPARSE, "request target: is not UTF-8 when decoded");
	return 0;
}

static int parse_path(char *path, struct target *target, struct err *err)
{
	char *rest = path + 1, *segment;
	int rc = 0;

	if (path[0] != '/')
		return err_set(err, LAB_EPARSE,
			       "request target: expected a path that begins with '/'");
	if (!*rest)
		return 0;
	/* "/runs/" is another address than "/runs": the empty segment stays. */
	while (rc >= 0 && (segment = strsep(&rest, "/"))) {
		if (target->segment_count == TARGET_SEGMENTS_MAX)
			return err_set(err, LAB_EPARSE,
				       "request target: more than %d path segments",
				       TARGET_SEGMENTS_MAX);
		rc = decode(segment, false, err);
		target->segments[target->segment_count++] = segment;
	}
	return rc;
}

static int parse_query(char *query, struct target *target, struct err *err)
{
	char *rest = query, *pair;
	int rc = 0;

	while (rc >= 0 && (pair = strsep(&rest, "&"))) {
		char *value = strchr(pair, '=');

		if (!*pair)
			continue;
		if (target->pair_count == TARGET_PAIRS_MAX)
			return err_set(err, LAB_EPARSE, "request target: more than %d parameters",
				       TARGET_PAIRS_MAX);
		if (value)
			*value++ = '\0';
		rc = decode(pair, true, err);
		if (rc >= 0 && value)
			rc = decode(value, true, err);
		target->pairs[target->pair_count++] =
			(struct target_pair){ pair, value ? value : "" };
	}
	return rc;
}

int target_parse(const char *text, struct target *ret_target, struct err *err)
{
	auto_cleanup(target_release) struct target target = { 0 };
	char *query;
	int rc;

	if (strlen(text) > LIMIT_HTTP_TARGET)
		return err_set(err, LAB_ELIMIT, "request target: longer than %u bytes",
			       LIMIT_HTTP_TARGET);
	target.bytes = xstrdup(text);
	query = strchr(target.bytes, '?');
	if (query)
		*query++ = '\0';
	rc = parse_path(target.bytes, &target, err);
	if (rc >= 0 && query)
		rc = parse_query(query, &target, err);
	if (rc < 0)
		return rc;
	*ret_target = target;
	target.bytes = NULL;
	return 0;
}

void target_release(struct target *target)
{
	free(target->bytes);
	target->bytes = NULL;
}

/* Digits only; false when there are none, or too many for an int64_t. */
static bool take_digits(const char **text, int64_t *ret_value)
{
	int64_t value = 0;

	if (**text < '0' || **text > '9')
		return false;
	for (; **text >= '0' && **text <= '9'; (*text)++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, **text - '0', &value))
			return false;
	*ret_value = value;
	return true;
}

int parse_integer(const char *text, int64_t min, int64_t max, int64_t *ret_value, struct err *err)
{
	const char *end = text;
	int64_t value;

	if ((text[0] == '0' && text[1]) || !take_digits(&end, &value) || *end || value < min ||
	    value > max)
		return err_set(err, LAB_EINVALID, "expected a number from %" PRId64 " to %" PRId64,
			       min, max);
	*ret_value = value;
	return 0;
}

int range_parse(const char *text, int64_t total, struct byte_range *ret_range)
{
	int64_t first, last;

	if (strncasecmp(text, "bytes=", 6) != 0)
		return 0;
	text += 6;
	if (*text == '-') { /* the last n bytes */
		text++;
		if (!take_digits(&text, &last) || *text)
			return 0;
		if (last == 0 || total == 0)
			return LAB_EINVALID;
		first = last < total ? total - last : 0;
		*ret_range = (struct byte_range){ first, total - first };
		return 1;
	}
	if (!take_digits(&text, &first) || *text++ != '-')
		return 0;
	last = INT64_MAX;
	if (*text && (!take_digits(&text, &last) || *text || last < first))
		return 0;
	if (first >= total)
		return LAB_EINVALID;
	if (last > total - 1)
		last = total - 1;
	*ret_range = (struct byte_range){ first, last - first + 1 };
	return 1;
}

bool etag_list_has(const char *list, const char *etag)
{
	size_t length = strlen(etag);

	for (;;) {
		list += strspn(list, " \t,");
		if (*list == '*')
			return true;
		if (strncmp(list, "W/", 2) == 0) /* the weak comparison ignores it */
			list += 2;
		if (*list != '"')
			return false;
		if (strncmp(list, etag, length) == 0)
			return true;
		list = strchr(list + 1, '"');
		if (!list)
			return false;
		list++;
	}
}

bool host_is_local(const char *host, const char *address)
{
	const char *const names[] = { "localhost", "127.0.0.1", "::1", address };
	size_t length = strcspn(host, ":");

	if (*host == '[') { /* an IPv6 address, RFC 3986 section 3.2.2 */
		host++;
		length = strcspn(host, "]");
		if (host[length] != ']')
			return false;
		if (host[length + 1] != '\0' && host[length + 1] != ':')
			return false;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == length && strncasecmp(host, names[i], length) == 0)
			return true;
	return false;
}
