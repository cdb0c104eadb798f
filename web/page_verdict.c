/* One verdict: every step in order as a ladder between tester and NUT, with its evidence. */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/time.h"
#include "db/query.h"
#include "web/page.h"

#define HEX_BYTES_MAX 4096 /* of a packet shown; the capture has all of it */

/* --- what was expected beside what came --------------------------------------------- */

static void add_field_table(struct buf *html, const json_t *fields)
{
	const json_t *field;
	size_t i;

	if (json_array_size(fields) == 0)
		return;
	html_add(html,
		 "<div class=\"scroll\"><table class=\"fields\"><thead><tr><th>Field<th>Expected"
		 "<th>Received<th></tr></thead><tbody>\n");
	json_array_foreach((json_t *)(uintptr_t)fields, i, field) {
		bool ok = json_bool_or(field, "ok", false);

		html_add(
			html,
			"<tr class=\"%s\"><td><span class=\"faint\">%s.</span>%s<td><code>%s</code>"
			"<td><code>%s</code><td class=\"%s\">%s</tr>\n",
			ok ? "same" : "differs", page_str(field, "layer"), page_str(field, "field"),
			page_str(field, "want"), page_str(field, "got"), ok ? "n-PASS" : "n-FAIL",
			ok ? "✓" : "✗ differs");
	}
	html_add(html, "</tbody></table></div>\n");
}

static void add_layer(struct buf *html, const json_t *layer)
{
	const char *title = json_string_or(layer, "title", page_str(layer, "layer"));
	const json_t *field;
	size_t i;

	html_add(html,
		 "<details class=\"layer\"><summary>%s <span class=\"faint\">%" PRId64
		 " bytes</span>"
		 "</summary><dl>",
		 title, page_int(layer, "size"));
	json_array_foreach(json_object_get(layer, "fields"), i, field)
		html_add(html, "<dt>%s<dd><code>%s</code>", page_str(field, "name"),
			 page_str(field, "text"));
	html_add(html, "</dl>");
	json_array_foreach(json_object_get(layer, "options"), i, field)
		add_layer(html, field);
	html_add(html, "</details>");
}

/* "0010  60 00 ..": 16 bytes a line. */
static void add_hex(struct buf *html, const char *hex)
{
	size_t bytes = strspn(hex, "0123456789abcdefABCDEF") / 2;

	if (bytes == 0)
		return;
	html_add(
		html,
		"<details class=\"layer\"><summary>Bytes <span class=\"faint\">%zu</span></summary>"
		"<pre class=\"hex\">",
		bytes);
	for (size_t i = 0; i < bytes && i < HEX_BYTES_MAX; i++) {
		if (i % 16 == 0)
			buf_printf(html, "%s<span class=\"faint\">%04zx</span> ", i ? "\n" : "", i);
		buf_printf(html, " %c%c", hex[2 * i], hex[2 * i + 1]);
	}
	html_add(html, "</pre></details>");
}

static void add_packet(struct buf *html, const json_t *packet)
{
	const json_t *layer;
	size_t i;

	json_array_foreach(json_object_get(packet, "layers"), i, layer)
		add_layer(html, layer);
	add_hex(html, page_str(packet, "hex"));
}

static void add_expected(struct buf *html, const json_t *expected)
{
	if (*page_str(expected, "text"))
		html_add(html, "<p>Expected <code>%s</code></p>\n", page_str(expected, "text"));
}

static void add_near_misses(struct buf *html, const json_t *misses)
{
	const json_t *miss;
	size_t i;

	if (json_array_size(misses) == 0)
		return;
	html_add(html, "<h4>What came instead</h4>\n");
	json_array_foreach((json_t *)(uintptr_t)misses, i, miss) {
		html_add(html, "<div class=\"miss\"><p><code>%s</code></p>",
			 page_str(miss, "summary"));
		add_field_table(html, json_object_get(miss, "fields"));
		html_add(html, "</div>\n");
	}
}

/* --- the ladder ------------------------------------------------------------------------ */

/* Which way a step goes: a class of the style sheet. */
static const char *step_direction(const char *kind)
{
	static const struct {
		const char *kind;
		const char *class;
	} kinds[] = {
		{ "send", "right" },      { "expect", "left" }, { "expect-none", "silence" },
		{ "command", "command" }, { "wait", "wait" },   { "note", "note-step" },
		{ "check", "check" },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kind, kinds[i].kind) == 0)
			return kinds[i].class;
	return "note-step";
}

static const char *step_verb(const char *kind)
{
	static const struct {
		const char *kind;
		const char *verb;
	} kinds[] = {
		{ "send", "sent" },
		{ "expect", "expected" },
		{ "expect-none", "expected silence" },
		{ "command", "command" },
		{ "wait", "waited" },
		{ "check", "checked" },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kind, kinds[i].kind) == 0)
			return kinds[i].verb;
	return "";
}

static void add_clock(struct buf *html, int64_t ns)
{
	buf_printf(html, "%" PRId64 ".%03" PRId64, ns / NS_PER_SECOND,
		   (ns < 0 ? -ns : ns) % NS_PER_SECOND / NS_PER_MS);
}

static bool has_details(const json_t *step)
{
	return json_array_size(json_object_get(step, "fields")) ||
	       json_array_size(json_object_get(step, "near_misses")) ||
	       json_is_object(json_object_get(step, "packet")) ||
	       json_is_object(json_object_get(step, "expected"));
}

static void add_step_line(struct buf *html, const json_t *step, bool failed)
{
	const char *kind = page_str(step, "kind");
	const json_t *packet = json_object_get(step, "packet");
	const char *text = page_str(step, "text"), *summary = page_str(packet, "summary");
	bool is_judged = failed || strcmp(kind, "check") == 0 || strncmp(kind, "expect", 6) == 0;

	html_add(html, "<span class=\"at\" title=\"%" PRId64 " ns\">", page_int(step, "time_ns"));
	add_clock(html, page_int(step, "time_ns"));
	html_add(html,
		 "</span><span class=\"lane %s\"><span class=\"what\"><span "
		 "class=\"verb\">%s</span> %s",
		 step_direction(kind), step_verb(kind), *summary ? summary : text);
	if (*summary && *text && !strstr(text, summary)) /* the runner may repeat it */
		html_add(html, "<span class=\"sub\">%s</span>", text);
	if (*page_str(step, "clause"))
		html_add(html, "<span class=\"clause\">%s</span>", page_str(step, "clause"));
	html_add(html, "</span></span><span class=\"mark\">");
	if (is_judged && json_is_null(json_object_get(step, "ok")))
		html_add(html, "<span class=\"n-SKIP\">–<span class=\"sr\"> not met, which is "
			       "allowed</span></span>");
	else if (is_judged)
		html_add(html, "<span class=\"%s\">%s<span class=\"sr\"> %s</span></span>",
			 failed ? "n-FAIL" : "n-PASS", failed ? "✗" : "✓",
			 failed ? "not met" : "met");
	html_add(html, "</span>");
}

static void add_step(struct buf *html, const json_t *step)
{
	bool failed = !json_bool_or(step, "ok", true);
	int64_t frame = page_int(step, "frame");

	html_add(html, "<li id=\"step-%" PRId64 "\" class=\"step%s\">", page_int(step, "seq"),
		 failed ? " failed" : "");
	if (!has_details(step)) {
		html_add(html, "<div class=\"line-of-step\">");
		add_step_line(html, step, failed);
		html_add(html, "</div></li>\n");
		return;
	}
	html_add(html, "<details%s><summary class=\"line-of-step\">", failed ? " open" : "");
	add_step_line(html, step, failed);
	html_add(html, "</summary><div class=\"evidence\">");
	if (*page_str(step, "node") || *page_str(step, "link"))
		html_add(html, "<p class=\"faint\">%s%s%s", page_str(step, "node"),
			 *page_str(step, "link") ? " on link " : "", page_str(step, "link"));
	if (frame)
		html_add(html, ", frame %" PRId64 " of the capture", frame);
	add_expected(html, json_object_get(step, "expected"));
	add_field_table(html, json_object_get(step, "fields"));
	add_near_misses(html, json_object_get(step, "near_misses"));
	add_packet(html, json_object_get(step, "packet"));
	html_add(html, "</div></details></li>\n");
}

static void add_ladder(struct buf *html, const json_t *steps)
{
	const json_t *step;
	size_t i;

	if (json_array_size(steps) == 0) {
		html_add(html, "<p class=\"empty\">No step was recorded.</p>\n");
		return;
	}
	html_add(html, "<div class=\"ladder-head\" aria-hidden=\"true\"><span class=\"at\">s</span>"
		       "<span class=\"ends\"><span>tester</span><span>NUT</span></span><span "
		       "class=\"mark\">"
		       "</span></div>\n<ol class=\"ladder\">\n");
	json_array_foreach((json_t *)(uintptr_t)steps, i, step)
		add_step(html, step);
	html_add(html, "</ol>\n");
}

/* --- around it ------------------------------------------------------------------------- */

static void add_facts(struct buf *html, const json_t *verdict, const json_t *run)
{
	html_add(html, "<dl class=\"facts\"><div><dt>Kernel<dd>");
	page_kernel_link(html, run);
	html_add(html,
		 "</div><div><dt>Run<dd><a href=\"/runs/%" PRId64
		 "\">%s</a></div><div><dt>Begun<dd>",
		 page_int(verdict, "run_id"), page_str(run, "set"));
	page_time(html, page_int(verdict, "started_us"));
	html_add(html, "</div><div><dt>Test time<dd>");
	page_duration(html, page_int(verdict, "clock_ns"));
	html_add(html, " <span class=\"faint\">%s clock</span></div><div><dt>Real time<dd>",
		 page_str(verdict, "clock"));
	page_duration(html, page_int(verdict, "wall_ns"));
	html_add(html, " <span class=\"faint\">restore ");
	page_duration(html, page_int(verdict, "restore_ns"));
	html_add(html, ", teardown ");
	page_duration(html, page_int(verdict, "teardown_ns"));
	html_add(html, "</span></div>");
	if (*page_str(verdict, "since_release"))
		html_add(html, "<div><dt>Failing since<dd>%s</div>",
			 page_str(verdict, "since_release"));
	html_add(html, "<div><dt>Script<dd>");
	page_hash(html, page_str(verdict, "test_version"));
	html_add(html, "</div>");
	if (*page_str(verdict, "signature"))
		html_add(html,
			 "<div class=\"full\"><dt>Signature<dd><code class=\"id\">%s</code></div>",
			 page_str(verdict, "signature"));
	html_add(html, "</dl>\n");
}

static void add_attempts(struct buf *html, const json_t *verdict)
{
	const json_t *attempts = json_object_get(verdict, "attempts");
	const json_t *attempt;
	size_t i;

	if (json_array_size(attempts) < 2)
		return;
	html_add(html, "<p class=\"attempts\">Attempts: ");
	json_array_foreach((json_t *)(uintptr_t)attempts, i, attempt) {
		int64_t id = page_int(attempt, "verdict_id");

		html_add(html, "<a class=\"%s\" href=\"/verdicts/%" PRId64 "\">%" PRId64 " ",
			 id == page_int(verdict, "verdict_id") ? "here" : "", id,
			 page_int(attempt, "attempt"));
		page_verdict_badge(html, page_str(attempt, "verdict"));
		html_add(html, "</a> ");
	}
	html_add(html, "<span class=\"faint\">the last one counts</span></p>\n");
}

static void add_clauses(struct buf *html, const json_t *clauses)
{
	const json_t *clause;
	size_t i;

	if (json_array_size(clauses) == 0)
		return;
	html_add(html, "<ul class=\"clauses\">");
	json_array_foreach((json_t *)(uintptr_t)clauses, i, clause)
		html_add(html, "<li>%s</li>",
			 json_is_string(clause) ? json_string_value(clause) : "");
	html_add(html, "</ul>\n");
}

static void add_reproduce(struct buf *html, const json_t *verdict)
{
	const json_t *file;
	size_t i;

	html_add(html,
		 "<h2>Do it again</h2>\n<p>With the kernel's files in the working folder, as any "
		 "user:</p>"
		 "<pre class=\"command\">%s</pre>\n<ul class=\"files\">",
		 page_str(verdict, "reproduce"));
	json_array_foreach(json_object_get(verdict, "kernel_files"), i, file) {
		const char *role = page_str(file, "role");

		if (strcmp(role, "image") != 0 && strcmp(role, "modules") != 0)
			continue;
		html_add(html,
			 "<li><a href=\"/api/v1/files/%" PRId64
			 "\">%s</a> <span class=\"faint\">as %s, ",
			 page_int(file, "file_id"), role,
			 strcmp(role, "image") == 0 ? "bzImage" : "modules.tar.zst");
		page_bytes(html, page_int(file, "size_bytes"));
		html_add(html, "</span></li>");
	}
	html_add(html, "</ul>\n");
}

int page_verdict(struct exchange *exchange, struct err *err)
{
	auto_json json_t *verdict = NULL;
	auto_free char *title = NULL;
	const json_t *run;
	struct buf *html;
	int rc;

	rc = query_verdict(exchange->db, exchange_int(exchange, "verdict_id", 0), &verdict, err);
	if (rc < 0)
		return rc;
	run = json_object_get(verdict, "run");
	title = xasprintf("%s on %s", page_str(verdict, "test_id"), page_str(run, "release"));
	html = page_begin(exchange, title, NULL);
	html_add(html, "<p class=\"crumbs\"><a href=\"/\">Kernels</a> / ");
	page_kernel_link(html, run);
	html_add(html, " / <a href=\"/runs/%" PRId64 "\">%s</a></p>\n", page_int(verdict, "run_id"),
		 page_str(run, "set"));
	html_add(html, "<h1>");
	page_verdict_badge(html, page_str(verdict, "verdict"));
	html_add(html, " <span class=\"id\">%s</span> <span class=\"title\">%s</span></h1>\n",
		 page_str(verdict, "test_id"), page_str(verdict, "title"));
	if (*page_str(verdict, "reason"))
		html_add(html, "<p class=\"lead\">%s</p>\n", page_str(verdict, "reason"));
	add_clauses(html, json_object_get(verdict, "clauses"));
	add_attempts(html, verdict);
	add_facts(html, verdict, run);
	html_add(html, "<p><a href=\"/tests/%-s\">History of this test</a></p>\n",
		 page_str(verdict, "test_id"));
	page_files(html, json_object_get(verdict, "files"));
	html_add(html, "<h2>Steps</h2>\n");
	add_ladder(html, json_object_get(verdict, "steps"));
	add_reproduce(html, verdict);
	return page_end(exchange);
}
