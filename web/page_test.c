/* History of a test over kernels. */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "db/query.h"
#include "web/page.h"

static void add_result(struct buf *html, const json_t *result, const json_t *older)
{
	bool changed_test = older && strcmp(page_str(older, "test_version"),
					    page_str(result, "test_version")) != 0;

	html_add(html, "<tr><td>");
	page_kernel_link(html, result);
	html_add(html, "<div class=\"faint\">%s</div><td><a href=\"/runs/%" PRId64 "\">%s</a><td>",
		 page_str(result, "series"), page_int(result, "run_id"), page_str(result, "set"));
	html_add(html, "<a class=\"plain\" href=\"/verdicts/%" PRId64 "\">",
		 page_int(result, "verdict_id"));
	page_verdict_badge(html, page_str(result, "verdict"));
	html_add(html, "</a><td class=\"wide\">%s", page_str(result, "reason"));
	if (changed_test)
		html_add(html, " <span class=\"tag\">the test changed here</span>");
	html_add(html, "<td>");
	page_time(html, page_int(result, "started_us"));
	html_add(html, "<td class=\"num\">");
	page_duration(html, page_int(result, "clock_ns"));
	html_add(html, "</tr>\n");
}

/* Oldest to newest, a mark each: the eye finds the place where it turned. */
static void add_strip(struct buf *html, const json_t *items)
{
	html_add(html, "<p class=\"strip\"><span class=\"faint\">older</span> ");
	for (size_t i = json_array_size(items); i > 0; i--) {
		const json_t *result = json_array_get(items, i - 1);

		html_add(html,
			 "<a class=\"dot v-%s\" href=\"/verdicts/%" PRId64 "\" title=\"%s: %s\">"
			 "<span class=\"sr\">%s</span></a>",
			 page_str(result, "verdict"), page_int(result, "verdict_id"),
			 page_str(result, "release"), page_str(result, "verdict"),
			 page_str(result, "verdict"));
	}
	html_add(html, " <span class=\"faint\">newer</span></p>\n");
}

int page_test(struct exchange *exchange, struct err *err)
{
	const char *test_id = exchange_text(exchange, "test_id");
	const char *set = exchange_text(exchange, "set");
	const struct query_page page = { PAGE_ROWS, exchange_int(exchange, "cursor", 0) };
	auto_json json_t *test = NULL;
	auto_free char *path = NULL;
	auto_cleanup(buf_release_p) struct buf encoded = BUF_INIT(16384);
	const json_t *items, *clause;
	struct buf *html;
	size_t i;
	int rc;

	rc = query_test(exchange->db, test_id, set, page, &test, err);
	if (rc < 0)
		return rc;
	items = json_object_get(test, "items");
	html = page_begin(exchange, page_str(test, "test_id"), NULL);
	html_add(html,
		 "<h1><span class=\"id\">%s</span> <span class=\"title\">%s</span></h1>\n<ul "
		 "class=\"clauses\">",
		 page_str(test, "test_id"), page_str(test, "title"));
	json_array_foreach(json_object_get(test, "clauses"), i, clause)
		html_add(html, "<li>%s</li>",
			 json_is_string(clause) ? json_string_value(clause) : "");
	html_add(html, "</ul>\n");
	add_strip(html, items);
	html_add(html, "<div class=\"scroll\"><table "
		       "data-filter><thead><tr><th>Kernel<th>Run<th>Verdict<th>Reason"
		       "<th>When<th class=\"num\">Test time</tr></thead><tbody>\n");
	for (i = 0; i < json_array_size(items); i++)
		add_result(html, json_array_get(items, i), json_array_get(items, i + 1));
	html_add(html, "</tbody></table></div>\n");
	html_url(&encoded, test_id);
	path = xasprintf("/tests/%s", encoded.data);
	page_more(html, test, path, "set", set, "Older runs");
	return page_end(exchange);
}
