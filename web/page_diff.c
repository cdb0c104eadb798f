/* Comparisons: the list, and one of them test by test. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "db/query.h"
#include "web/page.h"

static const struct {
	const char *change; /* as in diff_entry.change */
	const char *title;
	const char *text;
} groups[] = {
	{ "regressed", "Regressed", "worse than before" },
	{ "still-failing", "Still failing", "in the same way as before" },
	{ "changed", "Changed otherwise", "another verdict, or failing in another way" },
	{ "test-changed", "Test changed",
	  "the test itself is another one now: says nothing of the kernel" },
	{ "fixed", "Fixed", "passes now" },
	{ "new", "New", "not in the older run" },
	{ "gone", "Gone", "not in the newer run" },
};

static void add_side(struct buf *html, const json_t *entry, const char *id_key,
		     const char *verdict_key)
{
	int64_t id = page_int(entry, id_key);

	if (!id) {
		html_add(html, "<td class=\"faint\">–");
		return;
	}
	html_add(html, "<td><a class=\"plain\" href=\"/verdicts/%" PRId64 "\">", id);
	page_verdict_badge(html, page_str(entry, verdict_key));
	html_add(html, "</a>");
}

static void add_entry(struct buf *html, const json_t *entry)
{
	const char *reason = page_str(entry, "new_reason");

	html_add(html, "<tr><td><a class=\"id\" href=\"/tests/%-s\">%s</a>",
		 page_str(entry, "test_id"), page_str(entry, "test_id"));
	add_side(html, entry, "old_verdict_id", "old_verdict");
	add_side(html, entry, "new_verdict_id", "new_verdict");
	html_add(html, "<td class=\"wide\">%s", page_str(entry, "title"));
	if (*reason)
		html_add(html, "<div class=\"faint\">%s</div>", reason);
	if (*page_str(entry, "since_release"))
		html_add(html, "<div>since %s</div>", page_str(entry, "since_release"));
	html_add(html, "</tr>\n");
}

static void add_group(struct buf *html, const json_t *diff, size_t group)
{
	const json_t *entry;
	size_t i, count = 0;

	json_array_foreach(json_object_get(diff, "entries"), i, entry) {
		if (strcmp(page_str(entry, "change"), groups[group].change) != 0)
			continue;
		if (count++ == 0)
			html_add(html,
				 "<section><h2>%s</h2><p class=\"faint\">%s</p><div "
				 "class=\"scroll\">"
				 "<table "
				 "class=\"entries\"><thead><tr><th>Test<th>%s<th>%s<th>Title</tr></"
				 "thead><tbody>\n",
				 groups[group].title, groups[group].text,
				 page_str(diff, "old_release"), page_str(diff, "new_release"));
		add_entry(html, entry);
	}
	if (count)
		html_add(html, "</tbody></table></div></section>\n");
}

static void add_totals(struct buf *html, const json_t *diff)
{
	static const struct {
		const char *key;
		const char *label;
		const char *class; /* when it is not 0 */
	} totals[] = {
		{ "regressed", "regressed", "bad" },
		{ "fixed", "fixed", "good" },
		{ "still_failing", "still failing", "bad" },
		{ "changed", "changed", "" },
		{ "new", "new", "" },
		{ "gone", "gone", "" },
		{ "unchanged", "unchanged", "" },
	};

	html_add(html, "<ul class=\"totals\">");
	for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
		int64_t n = page_int(diff, totals[i].key);

		html_add(html, "<li class=\"%s\"><b>%" PRId64 "</b> %s</li>",
			 n ? totals[i].class : "none", n, totals[i].label);
	}
	html_add(html, "</ul>\n");
}

static int show(struct exchange *exchange, const json_t *diff)
{
	auto_free char *title = xasprintf("%s against %s", page_str(diff, "new_release"),
					  page_str(diff, "old_release"));
	struct buf *html = page_begin(exchange, title, "/diffs");

	html_add(html, "<p class=\"crumbs\"><a href=\"/diffs\">Diffs</a> / %s</p>\n<h1>%s</h1>\n",
		 page_str(diff, "set"), title);
	html_add(html,
		 "<p class=\"lead\"><a href=\"/runs/%" PRId64 "\">%s, run %" PRId64
		 "</a> compared with "
		 "<a href=\"/runs/%" PRId64 "\">%s, run %" PRId64
		 "</a> <span class=\"faint\">%s</span></p>\n",
		 page_int(diff, "new_run_id"), page_str(diff, "new_release"),
		 page_int(diff, "new_run_id"), page_int(diff, "old_run_id"),
		 page_str(diff, "old_release"), page_int(diff, "old_run_id"),
		 page_str(diff, "why"));
	add_totals(html, diff);
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		add_group(html, diff, i);
	if (json_array_size(json_object_get(diff, "entries")) == 0)
		html_add(html, "<p class=\"empty\">Every test has the verdict that it had.</p>\n");
	return page_end(exchange);
}

int page_diff(struct exchange *exchange, struct err *err)
{
	auto_json json_t *diff = NULL;
	int rc;

	rc = query_diff(exchange->db, exchange_int(exchange, "diff_id", 0), &diff, err);
	return rc < 0 ? rc : show(exchange, diff);
}

int page_diff_of(struct exchange *exchange, struct err *err)
{
	auto_json json_t *diff = NULL;
	int rc;

	rc = query_diff_of(exchange->db, exchange_int(exchange, "old_run_id", 0),
			   exchange_int(exchange, "new_run_id", 0), &diff, err);
	return rc < 0 ? rc : show(exchange, diff);
}

int page_diffs(struct exchange *exchange, struct err *err)
{
	const struct query_diff_filter filter = { .set_name = exchange_text(exchange, "set") };
	const struct query_page page = { PAGE_ROWS, exchange_int(exchange, "cursor", 0) };
	int64_t old_id = exchange_int(exchange, "old", 0),
		new_id = exchange_int(exchange, "new", 0);
	auto_json json_t *diffs = NULL;
	struct buf *html;
	int rc;

	if (old_id && new_id) { /* from the form of a run */
		auto_json json_t *diff = NULL;

		rc = query_diff_of(exchange->db, old_id, new_id, &diff, err);
		return rc < 0 ? rc : show(exchange, diff);
	}
	rc = query_diffs(exchange->db, &filter, page, &diffs, err);
	if (rc < 0)
		return rc;
	html = page_begin(exchange, "Diffs", "/diffs");
	html_add(html,
		 "<h1>Diffs</h1>\n<p class=\"lead\">Runs compared with those of their key "
		 "releases.</p>\n"
		 "<form class=\"compare\" action=\"/diffs\"><label>Compare run <input name=\"new\" "
		 "inputmode=\"numeric\" pattern=\"[1-9][0-9]*\" required size=\"6\"></label> "
		 "<label>with run "
		 "<input name=\"old\" inputmode=\"numeric\" pattern=\"[1-9][0-9]*\" required "
		 "size=\"6\"></label> "
		 "<button>Compare</button></form>\n");
	if (json_array_size(json_object_get(diffs, "items")))
		page_diff_table(html, json_object_get(diffs, "items"));
	else
		html_add(html, "<p class=\"empty\">Nothing has been compared yet.</p>\n");
	page_more(html, diffs, "/diffs", "set", filter.set_name, "Older diffs");
	return page_end(exchange);
}
