#include "web/page.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/time.h"
#include "base/verdict.h"
#include "web/static.h"

/* --- the frame --------------------------------------------------------------------- */

static const struct {
	const char *path;
	const char *label;
} entries[] = {
	{ "/", "Kernels" },
	{ "/diffs", "Diffs" },
	{ "/releases", "Releases" },
	{ "/sets", "Sets" },
	{ "/clauses", "Clauses" },
	{ "/queue", "Queue" },
	{ "/decisions", "Decisions" },
	{ "/api", "API" },
};

static void add_asset(struct buf *html, const char *fmt_before, const char *name,
		      const char *fmt_after)
{
	char version[STATIC_VERSION_SIZE];

	static_get_version(static_find(name), version);
	buf_append_string(html, fmt_before);
	html_add(html, "/static/%-s?v=%-s", name, version);
	buf_append_string(html, fmt_after);
}

static void add_head(struct buf *html, const char *title, const char *current)
{
	html_add(html,
		 "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		 "<meta name=\"color-scheme\" content=\"light dark\">\n<title>%s - "
		 "Testlab</title>\n",
		 title);
	add_asset(html, "<link rel=\"stylesheet\" href=\"", "lab.css", "\">\n");
	add_asset(html, "<link rel=\"icon\" type=\"image/svg+xml\" href=\"", "icon.svg", "\">\n");
	add_asset(html, "<script src=\"", "lab.js", "\" defer></script>\n");
	html_add(html,
		 "</head>\n<body>\n<header class=\"top\"><a class=\"brand\" href=\"/\">Testlab"
		 "</a><nav aria-label=\"Main\">");
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		bool is_current = current && strcmp(current, entries[i].path) == 0;

		html_add(html, "<a href=\"%s\"", entries[i].path);
		if (is_current)
			html_add(html, " aria-current=\"page\"");
		html_add(html, ">%s</a>", entries[i].label);
	}
	html_add(html, "</nav></header>\n<main>\n");
}

static void add_foot(struct buf *html)
{
	html_add(html,
		 "</main>\n<footer>Testlab %s · times are UTC · "
		 "<a href=\"/api\">everything here is also in the "
		 "API</a></footer>\n</body>\n</html>\n",
		 LAB_VERSION);
}

struct buf *page_begin(struct exchange *exchange, const char *title, const char *current)
{
	struct buf *html = &exchange->response->body;

	exchange->response->content_type = "text/html; charset=utf-8";
	add_head(html, title, current);
	return html;
}

int page_end(struct exchange *exchange)
{
	add_foot(&exchange->response->body);
	return 0;
}

void page_failure(struct response *response, int status, const char *text)
{
	struct buf *html = &response->body;

	response->content_type = "text/html; charset=utf-8";
	add_head(html, status == 404 ? "Not found" : "Sorry", NULL);
	html_add(
		html,
		"<h1>%s</h1>\n<p class=\"lead\">%s.</p>\n<p><a href=\"/\">To the kernels</a></p>\n",
		status == 404 ? "Not found" : "That did not work", text);
	add_foot(html);
}

/* --- small pieces -------------------------------------------------------------------- */

const char *page_str(const json_t *row, const char *key)
{
	return json_string_or(row, key, "");
}

int64_t page_int(const json_t *row, const char *key)
{
	return json_int_or(row, key, 0);
}

/* A sign beside the colour, for those who do not see the difference. */
static const char *verdict_sign(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_PASS:
		return "✓";
	case VERDICT_WARN:
		return "!";
	case VERDICT_FAIL:
		return "✗";
	case VERDICT_SKIP:
		return "–";
	case VERDICT_UNSUPPORTED:
		return "○";
	case VERDICT_ERROR:
		return "?";
	case VERDICT_COUNT_:
		break;
	}
	return "";
}

void page_verdict_badge(struct buf *html, const char *text)
{
	enum verdict verdict;

	if (verdict_from_string(text, &verdict) < 0) {
		html_add(html, "<span class=\"v\">%s</span>", text);
		return;
	}
	html_add(html,
		 "<span class=\"v v-%s\" title=\"%s\"><span aria-hidden=\"true\">%s</span> "
		 "%s</span>",
		 text, verdict_meaning(verdict), verdict_sign(verdict), text);
}

/* The order of the bar and of the figures: best to worst, then what says nothing of the kernel. */
static const enum verdict shown_order[] = { VERDICT_PASS, VERDICT_WARN,        VERDICT_FAIL,
					    VERDICT_SKIP, VERDICT_UNSUPPORTED, VERDICT_ERROR };

void page_counts(struct buf *html, const json_t *counts, int64_t total)
{
	int64_t sum = 0, x = 0;
	json_t *value;
	const char *key;

	json_object_foreach((json_t *)(uintptr_t)counts, key, value)
		sum += json_integer_value(value);
	if (total < sum)
		total = sum;
	if (total == 0) {
		html_add(html, "<span class=\"faint\">no tests</span>");
		return;
	}
	html_add(html, "<svg class=\"bar\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" "
		       "aria-hidden=\"true\">");
	for (size_t i = 0; i < VERDICT_COUNT_; i++) {
		const char *name = verdict_to_string(shown_order[i]);
		int64_t width = page_int(counts, name) * 1000 / total;

		if (width > 0)
			html_add(html,
				 "<rect class=\"b-%s\" x=\"%" PRId64 "\" width=\"%" PRId64
				 "\" height=\"10\"/>",
				 name, x, width);
		x += width;
	}
	html_add(html, "</svg><span class=\"counts\">");
	for (size_t i = 0; i < VERDICT_COUNT_; i++) {
		const char *name = verdict_to_string(shown_order[i]);
		int64_t count = page_int(counts, name);

		if (count > 0)
			html_add(html,
				 "<span class=\"n n-%s\" title=\"%s\">%" PRId64
				 "&#8239;<span aria-hidden=\"true\">%s</span></span> ",
				 name, name, count, verdict_sign(shown_order[i]));
	}
	html_add(html, "</span>");
}

void page_hash(struct buf *html, const char *hash)
{
	auto_free char *begin = xstrndup(hash, 12);

	html_add(html, "<code class=\"id\" title=\"%s\">%s</code>", hash, begin);
}

void page_time(struct buf *html, int64_t wall_us)
{
	char iso[TIME_ISO_SIZE];

	if (wall_us <= 0) {
		html_add(html, "<span class=\"faint\">–</span>");
		return;
	}
	(void)time_iso(wall_us, iso);
	html_add(html, "<time datetime=\"%s\">", iso);
	iso[10] = ' ';
	iso[16] = '\0';
	html_add(html, "%s</time>", iso);
}

void page_duration(struct buf *html, int64_t ns)
{
	int64_t seconds = ns / NS_PER_SECOND;

	if (ns < NS_PER_SECOND)
		buf_printf(html, "%" PRId64 "&#8239;ms", ns / NS_PER_MS);
	else if (seconds < 60)
		buf_printf(html, "%" PRId64 ".%02" PRId64 "&#8239;s", seconds,
			   ns % NS_PER_SECOND / (NS_PER_SECOND / 100));
	else if (seconds < 3600)
		buf_printf(html, "%" PRId64 "&#8239;min %" PRId64 "&#8239;s", seconds / 60,
			   seconds % 60);
	else
		buf_printf(html, "%" PRId64 "&#8239;h %" PRId64 "&#8239;min", seconds / 3600,
			   seconds / 60 % 60);
}

void page_bytes(struct buf *html, int64_t size)
{
	if (size < 1024)
		buf_printf(html, "%" PRId64 "&#8239;B", size);
	else if (size < 1024 * 1024)
		buf_printf(html, "%" PRId64 "&#8239;KiB", size / 1024);
	else
		buf_printf(html, "%.1f&#8239;MiB", (double)size / (1024 * 1024));
}

void page_state(struct buf *html, const char *state)
{
	static const char *const good[] = { "done", "installed", "healthy", "built" };
	/* Of a cycle, a job or a run: the lab's trouble, never in the colour of the kernel's. */
	static const char *const lab[] = { "failed", "unhealthy", "interrupted" };
	static const char *const busy[] = { "running", "build",   "building", "install",
					    "test",    "compare", "prove" };
	const char *class = "";

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (strcmp(state, good[i]) == 0)
			class = " good";
	for (size_t i = 0; i < sizeof(lab) / sizeof(lab[0]); i++)
		if (strcmp(state, lab[i]) == 0)
			class = " lab";
	for (size_t i = 0; i < sizeof(busy) / sizeof(busy[0]); i++)
		if (strcmp(state, busy[i]) == 0)
			class = " busy";
	html_add(html, "<span class=\"state%s\">%s</span>", class, state);
}

void page_kernel_state(struct buf *html, const json_t *kernel)
{
	if (strcmp(page_str(kernel, "state"), "failed") == 0)
		html_add(html, "<span class=\"state bad\">does not build</span>");
	else
		page_state(html, page_str(kernel, "state"));
}

void page_kernel_link(struct buf *html, const json_t *row)
{
	html_add(html, "<a href=\"/kernels/%" PRId64 "\">%s</a>", page_int(row, "kernel_id"),
		 page_str(row, "release"));
}

void page_more(struct buf *html, const json_t *list, const char *path, const char *name,
	       const char *value, const char *label)
{
	const json_t *next = json_object_get(list, "next");

	if (!json_is_integer(next))
		return;
	html_add(html, "<p class=\"more\"><a href=\"%s?cursor=%" PRId64, path,
		 (int64_t)json_integer_value(next));
	if (name && value)
		html_add(html, "&amp;%-s=%-s", name, value);
	html_add(html, "\">%s</a></p>\n", label);
}

/* --- larger pieces ---------------------------------------------------------------------- */

static void add_job_title(struct buf *html, const json_t *job)
{
	const char *kind = page_str(job, "kind");

	if (*page_str(job, "release")) {
		page_kernel_link(html, job);
		html_add(html, ": ");
	} else if (*page_str(job, "source")) {
		html_add(html, "%s: ", page_str(job, "source"));
	}
	if (page_int(job, "run_id"))
		html_add(html, "<a href=\"/runs/%" PRId64 "\">run of %s</a>",
			 page_int(job, "run_id"), page_str(job, "set"));
	else
		html_add(html, "%s", kind);
}

void page_job(struct buf *html, const json_t *job)
{
	int64_t done = page_int(job, "done"), total = page_int(job, "total");
	int64_t id = page_int(job, "job_id");

	html_add(html, "<div class=\"job\" data-job=\"%" PRId64 "\"><div class=\"what\">", id);
	add_job_title(html, job);
	html_add(html, " <span class=\"faint\" data-phase>%s</span></div>", page_str(job, "phase"));
	if (total > 0)
		html_add(html,
			 "<progress max=\"%" PRId64 "\" value=\"%" PRId64 "\"></progress>"
			 "<span class=\"figures\" data-figures>%" PRId64 " of %" PRId64 "</span>",
			 total, done < total ? done : total, done, total);
	else
		html_add(html, "<progress></progress><span class=\"figures\" data-figures></span>");
	html_add(html, "<div class=\"faint line\" data-text>%s</div></div>\n",
		 page_str(job, "text"));
}

void page_files(struct buf *html, const json_t *files)
{
	const json_t *file;
	size_t i;

	if (json_array_size(files) == 0)
		return;
	html_add(html, "<ul class=\"files\">");
	json_array_foreach((json_t *)(uintptr_t)files, i, file) {
		html_add(html,
			 "<li><a href=\"/api/v1/files/%" PRId64
			 "\">%s</a> <span class=\"faint\">%s, ",
			 page_int(file, "file_id"), page_str(file, "role"), page_str(file, "name"));
		page_bytes(html, page_int(file, "size_bytes"));
		html_add(html, "</span></li>");
	}
	html_add(html, "</ul>\n");
}

void page_decision_list(struct buf *html, const json_t *decisions)
{
	const json_t *decision;
	size_t i;

	if (json_array_size(decisions) == 0) {
		html_add(html, "<p class=\"empty\">No decisions yet.</p>\n");
		return;
	}
	html_add(html, "<ol class=\"log\">\n");
	json_array_foreach((json_t *)(uintptr_t)decisions, i, decision) {
		html_add(html, "<li>");
		page_time(html, page_int(decision, "at_us"));
		html_add(html, " <span class=\"tag\">%s</span> <span>%s",
			 page_str(decision, "area"), page_str(decision, "text"));
		if (page_int(decision, "kernel_id"))
			html_add(html, " <a class=\"to\" href=\"/kernels/%" PRId64 "\">kernel</a>",
				 page_int(decision, "kernel_id"));
		if (page_int(decision, "run_id"))
			html_add(html, " <a class=\"to\" href=\"/runs/%" PRId64 "\">run</a>",
				 page_int(decision, "run_id"));
		if (page_int(decision, "diff_id"))
			html_add(html, " <a class=\"to\" href=\"/diffs/%" PRId64 "\">diff</a>",
				 page_int(decision, "diff_id"));
		html_add(html, "</span></li>\n");
	}
	html_add(html, "</ol>\n");
}

static void add_sets(struct buf *html, const json_t *sets)
{
	const json_t *set;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)sets, i, set)
		html_add(html, "%s%s", i ? ", " : "",
			 json_is_string(set) ? json_string_value(set) : "");
}

void page_cycle_table(struct buf *html, const json_t *cycles)
{
	const json_t *cycle;
	size_t i;

	html_add(html,
		 "<div class=\"scroll\"><table><thead><tr><th>Cycle<th>Kernel<th>State<th>Sets"
		 "<th>Why<th>Since</tr></thead><tbody>\n");
	json_array_foreach((json_t *)(uintptr_t)cycles, i, cycle) {
		int64_t id = page_int(cycle, "cycle_id");

		html_add(html, "<tr><td><a href=\"/cycles/%" PRId64 "\">%" PRId64 "</a><td>", id,
			 id);
		page_kernel_link(html, cycle);
		html_add(html, "<td>");
		page_state(html, page_str(cycle, "state"));
		html_add(html, "<td>");
		add_sets(html, json_object_get(cycle, "sets"));
		html_add(html, "<td class=\"wide\">%s", page_str(cycle, "reason"));
		if (*page_str(cycle, "note"))
			html_add(html, "<div class=\"faint\">%s</div>", page_str(cycle, "note"));
		html_add(html, "<td>");
		page_time(html, page_int(cycle, "changed_us"));
		html_add(html, "</tr>\n");
	}
	html_add(html, "</tbody></table></div>\n");
}

void page_diff_table(struct buf *html, const json_t *diffs)
{
	static const struct {
		const char *key;
		const char *class;
	} columns[] = {
		{ "regressed", "n-FAIL" }, { "fixed", "n-PASS" }, { "still_failing", "n-FAIL" },
		{ "changed", "" },         { "new", "" },         { "gone", "" },
		{ "unchanged", "faint" }
	};
	const json_t *diff;
	size_t i;

	html_add(html,
		 "<div class=\"scroll\"><table><thead><tr><th>Set<th>Compared<th>With"
		 "<th class=\"num\">Regressed<th class=\"num\">Fixed<th class=\"num\">Still failing"
		 "<th class=\"num\">Changed<th class=\"num\">New<th class=\"num\">Gone"
		 "<th class=\"num\">Unchanged</tr></thead><tbody>\n");
	json_array_foreach((json_t *)(uintptr_t)diffs, i, diff) {
		html_add(html,
			 "<tr><td>%s<td><a href=\"/diffs/%" PRId64 "\">%s</a><td class=\"wide\">%s"
			 "<div class=\"faint\">%s</div>",
			 page_str(diff, "set"), page_int(diff, "diff_id"),
			 page_str(diff, "new_release"), page_str(diff, "old_release"),
			 page_str(diff, "why"));
		for (size_t c = 0; c < sizeof(columns) / sizeof(columns[0]); c++) {
			int64_t n = page_int(diff, columns[c].key);

			html_add(html, "<td class=\"num %s\">%" PRId64,
				 n ? columns[c].class : "faint", n);
		}
		html_add(html, "</tr>\n");
	}
	html_add(html, "</tbody></table></div>\n");
}
