/* One run: its tests, what exists of the plan, and what it was compared with. */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "db/query.h"
#include "web/page.h"

/* The longest set of the plan has some hundred tests; this is all of any. */
#define ALL_VERDICTS 20000

/* What the set asks the NUT to be set to, or that it keeps the kernel's own settings. */
static void add_settings(struct buf *html, const json_t *run)
{
	const json_t *settings = json_object_get(run, "settings");
	const json_t *setting;
	size_t i;

	if (strcmp(page_str(run, "environment"), "set") != 0) {
		html_add(html, "the kernel&#8217;s own");
		return;
	}
	if (json_array_size(settings) == 0)
		html_add(html, "as the set asks");
	json_array_foreach(settings, i, setting) {
		if (i)
			html_add(html, "<br>");
		html_add(html, "<code>%s</code>", json_string_value(setting));
	}
}

static void add_facts(struct buf *html, const json_t *run)
{
	int64_t planned = page_int(run, "planned"), total = page_int(run, "total");
	int64_t started = page_int(run, "started_us"), finished = page_int(run, "finished_us");

	html_add(html, "<dl class=\"facts\"><div><dt>Kernel<dd>");
	page_kernel_link(html, run);
	html_add(html, " <span class=\"faint\">%s</span></div><div><dt>State<dd>",
		 page_str(run, "series"));
	page_state(html, page_str(run, "state"));
	html_add(html,
		 "</div><div><dt>Tests<dd>%" PRId64 " of %" PRId64 " planned tests exist</div>",
		 total, planned);
	html_add(html, "<div><dt>Role<dd>%s</div><div><dt>Clock<dd>%s</div>", page_str(run, "role"),
		 page_str(run, "clock"));
	if (*page_str(run, "accelerator"))
		html_add(html, "<div><dt>Accelerator<dd>%s</div>", page_str(run, "accelerator"));
	html_add(html, "<div><dt>Environment<dd>");
	add_settings(html, run);
	html_add(html, "</div><div><dt>Begun<dd>");
	page_time(html, started);
	html_add(html, "</div>");
	if (started && finished) {
		html_add(html, "<div><dt>Took<dd>");
		page_duration(html, (finished - started) * 1000);
		html_add(html, " for ");
		page_duration(html, page_int(run, "protocol_ns"));
		html_add(html, " of protocol time</div>");
	}
	if (*page_str(run, "suite_version")) {
		html_add(html, "<div><dt>Suite<dd>");
		page_hash(html, page_str(run, "suite_version"));
		html_add(html, "</div>");
	}
	html_add(html, "</dl>\n");
}

static void add_change(struct buf *html, const json_t *verdict)
{
	const char *change = page_str(verdict, "change");

	if (strcmp(change, "regressed") == 0)
		html_add(html, "<span class=\"state bad\">new in this kernel</span>");
	else if (strcmp(change, "still-failing") == 0)
		html_add(html, "since <a href=\"/tests/%-s\">%s</a>", page_str(verdict, "test_id"),
			 page_str(verdict, "since_release"));
	else if (strcmp(change, "fixed") == 0)
		html_add(html, "<span class=\"state good\">fixed</span>");
	else
		html_add(html, "%s", change);
}

static void add_verdict_row(struct buf *html, const json_t *verdict)
{
	html_add(html, "<tr><td><a class=\"id\" href=\"/verdicts/%" PRId64 "\">%s</a><td>",
		 page_int(verdict, "verdict_id"), page_str(verdict, "test_id"));
	page_verdict_badge(html, page_str(verdict, "verdict"));
	if (page_int(verdict, "attempt") > 1)
		html_add(html, " <span class=\"faint\">attempt %" PRId64 "</span>",
			 page_int(verdict, "attempt"));
	html_add(html, "<td class=\"wide\">%s", page_str(verdict, "title"));
	if (*page_str(verdict, "reason"))
		html_add(html, "<div class=\"faint\">%s</div>", page_str(verdict, "reason"));
	html_add(html, "<td>");
	add_change(html, verdict);
	html_add(html, "<td class=\"num\">");
	page_duration(html, page_int(verdict, "clock_ns"));
	html_add(html, "<td class=\"num faint\">");
	page_duration(html, page_int(verdict, "wall_ns"));
	html_add(html, "</tr>\n");
}

static void add_verdicts(struct buf *html, const json_t *run, const json_t *verdicts)
{
	const json_t *items = json_object_get(verdicts, "items");
	int64_t missing = page_int(run, "planned") - page_int(run, "total");
	const json_t *verdict;
	size_t i;

	if (json_array_size(items) == 0) {
		html_add(html, "<p class=\"empty\">No verdict yet.</p>\n");
	} else {
		html_add(html,
			 "<div class=\"scroll\"><table data-filter><thead><tr><th>Test<th>Verdict"
			 "<th>Title<th>Against the key release<th class=\"num\">Test time"
			 "<th class=\"num\">Real time</tr></thead><tbody>\n");
		json_array_foreach((json_t *)(uintptr_t)items, i, verdict)
			add_verdict_row(html, verdict);
		html_add(html, "</tbody></table></div>\n");
	}
	if (missing > 0)
		html_add(html,
			 "<p class=\"missing\">%" PRId64 " more tests are planned for this set and "
			 "were not run: they do not exist yet or were not asked for.</p>\n",
			 missing);
}

int page_run(struct exchange *exchange, struct err *err)
{
	const struct query_verdict_filter filter = { .all_attempts = false };
	int64_t run_id = exchange_int(exchange, "run_id", 0);
	auto_json json_t *run = NULL, *verdicts = NULL;
	auto_free char *title = NULL;
	struct buf *html;
	int rc;

	rc = query_run(exchange->db, run_id, &run, err);
	if (rc >= 0)
		rc = query_verdicts(exchange->db, run_id, &filter,
				    (struct query_page){ .limit = ALL_VERDICTS }, &verdicts, err);
	if (rc < 0)
		return rc;
	title = xasprintf("%s on %s", page_str(run, "set"), page_str(run, "release"));
	html = page_begin(exchange, title, NULL);
	html_add(html, "<p class=\"crumbs\"><a href=\"/\">Kernels</a> / ");
	page_kernel_link(html, run);
	html_add(html,
		 "</p><div data-live=\"run\"><h1>%s <span class=\"faint\">run %" PRId64
		 "</span></h1>\n<div class=\"summary\">",
		 title, run_id);
	page_counts(html, json_object_get(run, "counts"), page_int(run, "total"));
	html_add(html, "</div>\n");
	if (json_is_object(json_object_get(run, "job"))) {
		json_object_set(json_object_get(run, "job"), "run_id",
				json_object_get(run, "run_id"));
		json_object_set(json_object_get(run, "job"), "set", json_object_get(run, "set"));
		page_job(html, json_object_get(run, "job"));
	}
	if (*page_str(run, "note"))
		html_add(html, "<p class=\"note\">%s</p>\n", page_str(run, "note"));
	add_facts(html, run);
	page_files(html, json_object_get(run, "files"));
	add_verdicts(html, run, verdicts);
	if (json_array_size(json_object_get(run, "diffs"))) {
		html_add(html, "<h2>Compared</h2>\n");
		page_diff_table(html, json_object_get(run, "diffs"));
	}
	html_add(html,
		 "</div>\n<form class=\"compare\" action=\"/diffs\"><input type=\"hidden\" "
		 "name=\"new\" "
		 "value=\"%" PRId64
		 "\"><label>Compare with run <input name=\"old\" inputmode=\"numeric\" "
		 "pattern=\"[1-9][0-9]*\" required size=\"6\"></label> "
		 "<button>Compare</button></form>\n",
		 run_id);
	return page_end(exchange);
}
