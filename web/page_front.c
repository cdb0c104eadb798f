/* Kernels by test sets, the lab's health, and what is going on now. */
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/verdict.h"
#include "db/query.h"
#include "web/page.h"

/*
 * The sets that any of the kernels was tested with: a run of each by name, one
 * that knows how long the set's list is if there is any.
 */
static json_t *collect_sets(const json_t *kernels)
{
	json_t *sets = json_object();
	const json_t *kernel;
	json_t *run;
	size_t i, j;

	json_array_foreach((json_t *)(uintptr_t)kernels, i, kernel) {
		json_array_foreach(json_object_get(kernel, "runs"), j, run) {
			const char *set = page_str(run, "set");

			if (!page_int(json_object_get(sets, set), "planned"))
				json_object_set(sets, set, run);
		}
	}
	return sets;
}

static const json_t *find_run(const json_t *kernel, const char *set)
{
	const json_t *run;
	size_t i;

	json_array_foreach(json_object_get(kernel, "runs"), i, run)
		if (strcmp(page_str(run, "set"), set) == 0)
			return run;
	return NULL;
}

static void add_diff_chips(struct buf *html, const json_t *diff)
{
	int64_t id = page_int(diff, "diff_id");
	int64_t regressed = page_int(diff, "regressed"), fixed = page_int(diff, "fixed");

	if (regressed)
		html_add(html,
			 " <a class=\"chip bad\" href=\"/diffs/%" PRId64
			 "\" title=\"against %s\">%" PRId64 " regressed</a>",
			 id, page_str(diff, "old_release"), regressed);
	if (fixed)
		html_add(html,
			 " <a class=\"chip good\" href=\"/diffs/%" PRId64
			 "\" title=\"against %s\">%" PRId64 " fixed</a>",
			 id, page_str(diff, "old_release"), fixed);
	if (id && !regressed && !fixed)
		html_add(html,
			 " <a class=\"chip\" href=\"/diffs/%" PRId64
			 "\" title=\"against %s\">as before</a>",
			 id, page_str(diff, "old_release"));
}

static void add_cell(struct buf *html, const json_t *run)
{
	int64_t active, id;
	const char *state;

	if (!run) {
		html_add(html, "<td class=\"cell faint\">–");
		return;
	}
	id = page_int(run, "run_id");
	active = page_int(run, "active_run_id");
	state = page_str(run, "state");
	html_add(html, "<td class=\"cell\"><a class=\"result\" href=\"/runs/%" PRId64 "\">", id);
	if (strcmp(state, "done") == 0 || json_object_size(json_object_get(run, "counts")))
		page_counts(html, json_object_get(run, "counts"), page_int(run, "total"));
	else
		html_add(html, "run %" PRId64, id);
	html_add(html, "</a><span class=\"chips\">");
	if (strcmp(state, "done") == 0)
		add_diff_chips(html, json_object_get(run, "key_diff"));
	else if (strcmp(state, "failed") == 0)
		html_add(html,
			 "<span class=\"state lab\" title=\"%s\">the lab's own trouble</span>",
			 page_str(run, "note"));
	else
		page_state(html, state);
	if (active && active != id)
		html_add(html, " <a class=\"chip\" href=\"/runs/%" PRId64 "\">again</a>", active);
	html_add(html, "</span>");
}

static void add_kernel_cell(struct buf *html, const json_t *kernel)
{
	const char *state = page_str(kernel, "state");

	html_add(html, "<th scope=\"row\" class=\"kernel\">");
	page_kernel_link(html, kernel);
	if (json_bool_or(kernel, "known_good", false))
		html_add(html, " <span class=\"tag\">known good</span>");
	html_add(html, "<div class=\"faint\">%s", page_str(kernel, "series"));
	if (!json_bool_or(kernel, "prebuilt", false))
		html_add(html, ", %s", page_str(kernel, "config_name"));
	html_add(html, "</div>");
	if (*page_str(kernel, "cycle_state"))
		page_state(html, page_str(kernel, "cycle_state"));
	else if (strcmp(state, "failed") == 0)
		page_kernel_state(html, kernel);
}

static void add_table(struct buf *html, const json_t *kernels)
{
	auto_json json_t *sets = collect_sets(kernels);
	const json_t *kernel;
	const char *set;
	json_t *run;
	size_t i;

	html_add(html, "<div class=\"scroll\"><table class=\"matrix\"><thead><tr><th>Kernel");
	json_object_foreach(sets, set, run) {
		html_add(html, "<th>%s", set);
		if (page_int(run, "planned"))
			html_add(html,
				 "<div class=\"faint\">%" PRId64 " of %" PRId64
				 " planned tests exist</div>",
				 page_int(run, "total"), page_int(run, "planned"));
	}
	if (json_object_size(sets) == 0)
		html_add(html, "<th>Tests");
	html_add(html, "</tr></thead><tbody>\n");
	json_array_foreach((json_t *)(uintptr_t)kernels, i, kernel) {
		html_add(html, "<tr>");
		add_kernel_cell(html, kernel);
		if (json_object_size(sets) == 0)
			html_add(html, "<td class=\"faint\">not tested yet");
		json_object_foreach(sets, set, run)
			add_cell(html, find_run(kernel, set));
		html_add(html, "</tr>\n");
	}
	html_add(html, "</tbody></table></div>\n");
}

static void add_legend(struct buf *html)
{
	html_add(html, "<p class=\"legend\">");
	for (int verdict = 0; verdict < VERDICT_COUNT_; verdict++) {
		page_verdict_badge(html, verdict_to_string((enum verdict)verdict));
		html_add(html, " %s. ", verdict_meaning((enum verdict)verdict));
	}
	html_add(html, "</p>\n");
}

static void add_status(struct buf *html, const json_t *status)
{
	const json_t *jobs = json_object_get(status, "jobs");
	const json_t *counts = json_object_get(status, "counts");
	const json_t *job;
	size_t i;

	html_add(html,
		 "<section class=\"now\" data-live=\"now\"><div class=\"health\">The lab is ");
	page_state(html, page_str(status, "health"));
	if (page_int(status, "health_us")) {
		html_add(html, " <span class=\"faint\">as of ");
		page_time(html, page_int(status, "health_us"));
		html_add(html, "</span>");
	}
	if (*page_str(status, "health_note"))
		html_add(html, "<div class=\"faint\">%s</div>", page_str(status, "health_note"));
	html_add(html, "</div><div class=\"jobs\">");
	json_array_foreach(jobs, i, job)
		page_job(html, job);
	if (json_array_size(jobs) == 0)
		html_add(html, "<p class=\"faint\">Nothing is being built or tested.</p>");
	if (page_int(counts, "active_cycles"))
		html_add(html, "<p><a href=\"/queue\">%" PRId64 " in the queue</a></p>",
			 page_int(counts, "active_cycles"));
	html_add(html, "</div></section>\n");
}

int page_front(struct exchange *exchange, struct err *err)
{
	const struct query_kernel_filter filter = { .series = exchange_text(exchange, "series") };
	const struct query_page page = { PAGE_ROWS, exchange_int(exchange, "cursor", 0) };
	auto_json json_t *status = NULL, *kernels = NULL;
	const json_t *items;
	struct buf *html;
	int rc;

	rc = query_status(exchange->db, &status, err);
	if (rc >= 0)
		rc = query_kernels(exchange->db, &filter, page, &kernels, err);
	if (rc < 0)
		return rc;
	items = json_object_get(kernels, "items");
	html = page_begin(exchange, "Kernels", "/");
	add_status(html, status);
	html_add(html, "<section data-live=\"table\"><h1>Kernels%s%s</h1>\n",
		 filter.series ? " of " : "", filter.series);
	if (json_array_size(items))
		add_table(html, items);
	else
		html_add(html,
			 "<p class=\"empty\">No kernel yet: the lab looks at its "
			 "<a href=\"/releases\">sources</a> and shows here what it finds.</p>\n");
	add_legend(html);
	page_more(html, kernels, "/", "series", filter.series, "Older kernels");
	html_add(html, "</section>\n");
	return page_end(exchange);
}
