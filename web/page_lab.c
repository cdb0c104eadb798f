/* The lab itself: sources and releases, sets, queue, cycles, decisions, the API. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "db/query.h"
#include "web/page.h"

/* --- releases and sources -------------------------------------------------------------- */

static void add_sources(struct buf *html, const json_t *sources)
{
	const json_t *source;
	size_t i;

	html_add(html, "<div class=\"scroll\"><table><thead><tr><th>Source<th>Kind<th>Location<th "
		       "class=\"num\">Releases"
		       "<th>Newest<th>Looked at<th>Next</tr></thead><tbody>\n");
	json_array_foreach((json_t *)(uintptr_t)sources, i, source) {
		html_add(html, "<tr><td><a href=\"/releases?source=%-s\">%s</a>",
			 page_str(source, "name"), page_str(source, "name"));
		if (!json_bool_or(source, "enabled", true))
			html_add(html, " <span class=\"tag\">not configured any more</span>");
		html_add(html, "<td>%s<td class=\"wide\"><code>%s</code>", page_str(source, "kind"),
			 page_str(source, "location"));
		if (*page_str(source, "error"))
			html_add(html, "<div class=\"state bad\">%s</div>",
				 page_str(source, "error"));
		html_add(html, "<td class=\"num\">%" PRId64 "<td>%s<td>",
			 page_int(source, "releases"), page_str(source, "newest"));
		page_time(html, page_int(source, "polled_us"));
		html_add(html, "<td>");
		page_time(html, page_int(source, "next_poll_us"));
		html_add(html, "</tr>\n");
	}
	html_add(html, "</tbody></table></div>\n");
}

static void add_release(struct buf *html, const json_t *release)
{
	const json_t *kernel;
	size_t i;

	html_add(html,
		 "<tr><td>%s<div class=\"faint id\">%s</div><td><a "
		 "href=\"/releases?series=%-s\">%s</a><td>%s<td>",
		 page_str(release, "release"), page_str(release, "identity"),
		 page_str(release, "series"), page_str(release, "series"),
		 page_str(release, "type"));
	html_add(html, "%s<td>", page_str(release, "source"));
	page_time(html, page_int(release, "released_us"));
	html_add(html, "<td>");
	page_time(html, page_int(release, "found_us"));
	html_add(html, "<td>");
	json_array_foreach(json_object_get(release, "kernels"), i, kernel) {
		html_add(html, "%s<a href=\"/kernels/%" PRId64 "\">%s</a> ", i ? ", " : "",
			 page_int(kernel, "kernel_id"), page_str(kernel, "config_name"));
		page_kernel_state(html, kernel);
	}
	html_add(html, "</tr>\n");
}

int page_releases(struct exchange *exchange, struct err *err)
{
	const struct query_release_filter filter = {
		.series = exchange_text(exchange, "series"),
		.source = exchange_text(exchange, "source"),
	};
	const struct query_page page = { PAGE_ROWS, exchange_int(exchange, "cursor", 0) };
	auto_json json_t *releases = NULL, *sources = NULL;
	const json_t *release;
	struct buf *html;
	size_t i;
	int rc;

	rc = query_releases(exchange->db, &filter, page, &releases, err);
	if (rc >= 0)
		rc = query_sources(exchange->db, &sources, err);
	if (rc < 0)
		return rc;
	html = page_begin(exchange, "Releases", "/releases");
	html_add(html, "<h1>Releases%s%s%s%s</h1>\n", filter.series ? " of " : "", filter.series,
		 filter.source ? " from " : "", filter.source);
	if (json_array_size(json_object_get(releases, "items"))) {
		html_add(html, "<div class=\"scroll\"><table "
			       "data-filter><thead><tr><th>Release<th>Series<th>Type<th>Source"
			       "<th>Released<th>Found<th>Kernels</tr></thead><tbody>\n");
		json_array_foreach(json_object_get(releases, "items"), i, release)
			add_release(html, release);
		html_add(html, "</tbody></table></div>\n");
	} else {
		html_add(html, "<p class=\"empty\">No release has been found.</p>\n");
	}
	if (filter.source)
		page_more(html, releases, "/releases", "source", filter.source, "Older releases");
	else
		page_more(html, releases, "/releases", "series", filter.series, "Older releases");
	html_add(html, "<h2>Sources</h2>\n");
	if (json_array_size(json_object_get(sources, "items")))
		add_sources(html, json_object_get(sources, "items"));
	else
		html_add(html, "<p class=\"empty\">No source is configured.</p>\n");
	return page_end(exchange);
}

int page_sets(struct exchange *exchange, struct err *err)
{
	auto_json json_t *sets = NULL;
	const json_t *set;
	struct buf *html;
	size_t i;
	int rc;

	rc = query_sets(exchange->db, &sets, err);
	if (rc < 0)
		return rc;
	html = page_begin(exchange, "Test sets", "/sets");
	html_add(html, "<h1>Test sets</h1>\n<p class=\"lead\">The plan, and how much of it exists. "
		       "What does not exist "
		       "is not run and never counted as passed.</p>\n");
	if (json_array_size(json_object_get(sets, "items")) == 0)
		html_add(html, "<p class=\"empty\">The plan has not been read yet.</p>\n");
	html_add(html, "<div class=\"scroll\"><table><thead><tr><th>Set<th>Title<th>Role<th "
		       "class=\"num\">Exist"
		       "<th class=\"num\">Planned<th class=\"wide\"><th "
		       "class=\"num\">Runs<th>Newest</tr></thead><tbody>\n");
	json_array_foreach(json_object_get(sets, "items"), i, set) {
		int64_t planned = page_int(set, "planned"), exist = page_int(set, "implemented");

		html_add(html,
			 "<tr><td>%s<td class=\"wide\">%s<td>%s<td class=\"num\">%" PRId64
			 "<td class=\"num\">%" PRId64 "<td>",
			 page_str(set, "name"), page_str(set, "title"), page_str(set, "role"),
			 exist, planned);
		html_add(html,
			 "<meter max=\"%" PRId64 "\" value=\"%" PRId64
			 "\"></meter><td class=\"num\">%" PRId64 "<td>",
			 planned ? planned : 1, exist, page_int(set, "runs"));
		if (page_int(set, "last_run_id"))
			html_add(html, "<a href=\"/runs/%" PRId64 "\">run %" PRId64 "</a>",
				 page_int(set, "last_run_id"), page_int(set, "last_run_id"));
		html_add(html, "</tr>\n");
	}
	html_add(html, "</tbody></table></div>\n");
	return page_end(exchange);
}

/* --- queue ------------------------------------------------------------------------------- */

int page_queue(struct exchange *exchange, struct err *err)
{
	const struct query_cycle_filter finished = { .active = 0 };
	const struct query_page page = { PAGE_ROWS, exchange_int(exchange, "cursor", 0) };
	auto_json json_t *status = NULL, *cycles = NULL;
	const json_t *job, *waiting;
	struct buf *html;
	size_t i;
	int rc;

	rc = query_status(exchange->db, &status, err);
	if (rc >= 0)
		rc = query_cycles(exchange->db, &finished, page, &cycles, err);
	if (rc < 0)
		return rc;
	html = page_begin(exchange, "Queue", "/queue");
	html_add(html,
		 "<h1>Queue</h1>\n<section data-live=\"now\"><h2>Now</h2>\n<div class=\"jobs\">");
	json_array_foreach(json_object_get(status, "jobs"), i, job)
		page_job(html, job);
	html_add(html, "</div>\n");
	if (json_array_size(json_object_get(status, "jobs")) == 0)
		html_add(html, "<p class=\"empty\">Nothing is being done.</p>\n");
	waiting = json_object_get(status, "cycles");
	html_add(html, "<h2>In the order of work</h2>\n");
	if (json_array_size(waiting))
		page_cycle_table(html, waiting);
	else
		html_add(html, "<p class=\"empty\">Nothing waits.</p>\n");
	html_add(html, "</section>\n<section data-live=\"done\"><h2>Done</h2>\n");
	if (json_array_size(json_object_get(cycles, "items")))
		page_cycle_table(html, json_object_get(cycles, "items"));
	else
		html_add(html, "<p class=\"empty\">Nothing has been finished yet.</p>\n");
	page_more(html, cycles, "/queue", NULL, NULL, "Older ones");
	html_add(html, "</section>\n");
	return page_end(exchange);
}

static void add_jobs(struct buf *html, const json_t *jobs)
{
	const json_t *job;
	size_t i;

	html_add(html, "<div "
		       "class=\"scroll\"><table><thead><tr><th>Job<th>Kind<th>State<th>Begun<th>"
		       "Took<th>Text</tr></thead>"
		       "<tbody>\n");
	json_array_foreach((json_t *)(uintptr_t)jobs, i, job) {
		int64_t begun = page_int(job, "started_us"), ended = page_int(job, "finished_us");

		html_add(html, "<tr><td>%" PRId64 "<td>%s<td>", page_int(job, "job_id"),
			 page_str(job, "kind"));
		page_state(html, page_str(job, "state"));
		html_add(html, "<td>");
		page_time(html, begun);
		html_add(html, "<td>");
		if (ended)
			page_duration(html, (ended - begun) * 1000);
		html_add(html, "<td class=\"wide\">%s", page_str(job, "text"));
		if (*page_str(job, "log_tail"))
			html_add(html,
				 "<details><summary>Last lines of its "
				 "log</summary><pre>%s</pre></details>",
				 page_str(job, "log_tail"));
		html_add(html, "</tr>\n");
	}
	html_add(html, "</tbody></table></div>\n");
}

static void add_moves(struct buf *html, const json_t *moves)
{
	const json_t *move;
	size_t i;

	html_add(html, "<ol class=\"log\">\n");
	json_array_foreach((json_t *)(uintptr_t)moves, i, move) {
		html_add(html, "<li>");
		page_time(html, page_int(move, "at_us"));
		html_add(html,
			 " <span>%s → <b>%s</b> <span class=\"faint\">%s</span></span></li>\n",
			 page_str(move, "from_state"), page_str(move, "to_state"),
			 page_str(move, "note"));
	}
	html_add(html, "</ol>\n");
}

int page_cycle(struct exchange *exchange, struct err *err)
{
	auto_json json_t *cycle = NULL, *alone = json_array();
	const json_t *job, *run;
	struct buf *html;
	size_t i;
	int rc;

	rc = query_cycle(exchange->db, exchange_int(exchange, "cycle_id", 0), &cycle, err);
	if (rc < 0)
		return rc;
	json_array_append(alone, cycle);
	html = page_begin(exchange, "Cycle", "/queue");
	html_add(html,
		 "<p class=\"crumbs\"><a href=\"/queue\">Queue</a></p>\n<div "
		 "data-live=\"cycle\"><h1>Cycle %" PRId64 " <span class=\"title\">%s</span></h1>\n",
		 page_int(cycle, "cycle_id"), page_str(cycle, "release"));
	page_cycle_table(html, alone);
	html_add(html, "<div class=\"jobs\">");
	json_array_foreach(json_object_get(cycle, "jobs"), i, job)
		if (strcmp(page_str(job, "state"), "running") == 0)
			page_job(html, job);
	html_add(html, "</div><h2>Runs</h2>\n<ul class=\"files\">");
	json_array_foreach(json_object_get(cycle, "runs"), i, run) {
		html_add(html, "<li><a href=\"/runs/%" PRId64 "\">%s</a> ", page_int(run, "run_id"),
			 page_str(run, "set"));
		page_state(html, page_str(run, "state"));
		html_add(html, "</li>");
	}
	html_add(html, "</ul>\n<h2>Moves</h2>\n");
	add_moves(html, json_object_get(cycle, "moves"));
	html_add(html, "<h2>Jobs</h2>\n");
	add_jobs(html, json_object_get(cycle, "jobs"));
	html_add(html, "</div>\n");
	return page_end(exchange);
}

/* --- decisions ------------------------------------------------------------------------------- */

int page_decisions(struct exchange *exchange, struct err *err)
{
	static const char *const areas[] = {
		"source", "build", "test", "compare", "health", "lab"
	};
	const struct query_decision_filter filter = { .area = exchange_text(exchange, "area") };
	const struct query_page page = { PAGE_ROWS, exchange_int(exchange, "cursor", 0) };
	auto_json json_t *decisions = NULL;
	struct buf *html;
	int rc;

	rc = query_decisions(exchange->db, &filter, page, &decisions, err);
	if (rc < 0)
		return rc;
	html = page_begin(exchange, "Decisions", "/decisions");
	html_add(html,
		 "<h1>Decisions</h1>\n<p class=\"lead\">Why the lab did what it did.</p>\n<p "
		 "class=\"tags\">"
		 "<a class=\"tag%s\" href=\"/decisions\">all</a> ",
		 filter.area ? "" : " here");
	for (size_t i = 0; i < sizeof(areas) / sizeof(areas[0]); i++)
		html_add(html, "<a class=\"tag%s\" href=\"/decisions?area=%s\">%s</a> ",
			 filter.area && strcmp(filter.area, areas[i]) == 0 ? " here" : "", areas[i],
			 areas[i]);
	html_add(html, "</p>\n");
	page_decision_list(html, json_object_get(decisions, "items"));
	page_more(html, decisions, "/decisions", "area", filter.area, "Older decisions");
	return page_end(exchange);
}

/* --- the API ---------------------------------------------------------------------------------- */

int page_api(struct exchange *exchange, struct err *err)
{
	struct buf *html = page_begin(exchange, "API", "/api");

	(void)err;
	html_add(html,
		 "<h1>API</h1>\n<p class=\"lead\">Everything on these pages as JSON. The whole "
		 "description, with the "
		 "shape of every answer, is the OpenAPI document <a href=\"/api/v1/openapi.json\">"
		 "/api/v1/openapi.json</a>.</p>\n"
		 "<p>Reading is open. What changes something needs <code>Authorization: Bearer "
		 "TOKEN</code>. Lists come "
		 "in pages: <code>next</code> of an answer is <code>cursor</code> of the following "
		 "one.</p>\n"
		 "<div "
		 "class=\"scroll\"><table><thead><tr><th>Method<th>Path<th>What<th>Parameters</"
		 "tr></thead><tbody>\n");
	for (const struct route *route = routes; route->path; route++) {
		if (!route->is_api)
			continue;
		html_add(html,
			 "<tr><td><span class=\"tag\">%s</span><td><code>%s</code><td "
			 "class=\"wide\">%s<td class=\"wide\">",
			 route->is_post ? "POST" : "GET", route->path, route->summary);
		for (const struct param *param = route->params; param && param->name; param++)
			if (!route_has_path_param(route, param->name))
				html_add(html, "<code title=\"%s\">%s</code> ", param->text,
					 param->name);
		html_add(html, "</tr>\n");
	}
	html_add(html, "</tbody></table></div>\n");
	return page_end(exchange);
}
