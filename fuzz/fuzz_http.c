/*
 * What a client may send: the first line of the input is a request target, the
 * second a Range, the third If-None-Match, the fourth Host; the rest is a body.
 * Whatever route the target leads to gets its parameters checked.
 */
#include "web/parse.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "fuzz/fuzz.h"
#include "web/html.h"
#include "web/routes.h"
#include "web/utf8.h"

/* Every kind of parameter; the handlers are never called. */
static const struct param params[] = {
	{ .name = "id", .type = PARAM_INTEGER, .min = 1, .max = INT64_MAX },
	{ .name = "set", .type = PARAM_TEXT },
	{ .name = "verdict", .type = PARAM_WORD, .words = "PASS|FAIL" },
	{ .name = "sha256", .type = PARAM_SHA256 },
	{ .name = "limit", .type = PARAM_INTEGER, .min = 1, .max = 1000 },
	{ .name = NULL },
};
static const struct route table[] = {
	{ .path = "/api/v1/runs/{id}/verdicts", .params = params },
	{ .path = "/api/v1/runs/{id}/cancel", .params = params, .is_post = true },
	{ .path = "/api/v1/artifacts/{sha256}", .params = params },
	{ .path = "/tests/{set}", .params = params },
	{ .path = "/", .params = params },
	{ .path = NULL },
};

/* What html_text() makes of anything is UTF-8 without markup. */
static void check_escaping(const char *text)
{
	auto_cleanup(buf_release_p) struct buf html = BUF_INIT(1u << 20);

	html_text(&html, text);
	lab_assert(html.size == 0 || utf8_is_valid(html.data, html.size));
	lab_assert(html.size == 0 || !strpbrk(html.data, "<>\"'"));
}

static void check_target(const char *text)
{
	auto_cleanup(target_release) struct target target = { 0 };
	const struct route *route;
	const char *allow;

	if (target_parse(text, &target, NULL) < 0)
		return;
	for (size_t i = 0; i < target.segment_count; i++)
		lab_assert(utf8_is_valid(target.segments[i], strlen(target.segments[i])));
	for (int method = METHOD_GET; method <= METHOD_OTHER; method++) {
		route = route_find(table, &target, (enum method)method, &allow);
		if (route && route_check_params(route, &target, NULL) >= 0)
			lab_assert(target.segment_count <= TARGET_SEGMENTS_MAX);
	}
}

static void check_range(const char *text)
{
	struct byte_range range;

	for (int64_t total = 0; total < 3000; total += 999)
		if (range_parse(text, total, &range) > 0)
			lab_assert(range.offset >= 0 && range.size > 0 &&
				   range.offset + range.size <= total);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *input = xstrndup((const char *)data, size);
	auto_json json_t *body = NULL;
	char *rest = input, *lines[4] = { input, input, input, input };

	for (size_t i = 0; i < 4 && rest; i++)
		lines[i] = strsep(&rest, "\n");
	check_target(lines[0]);
	check_range(lines[1]);
	(void)etag_list_has(lines[2], "\"abc\"");
	(void)host_is_local(lines[3], "127.0.0.1");
	check_escaping(input);
	if (rest)
		(void)json_parse(rest, strlen(rest), &body, NULL);
	return 0;
}
