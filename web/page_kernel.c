/* One kernel: how it was made, what was found out about it, and its files. */
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "db/query.h"
#include "web/page.h"

static void add_facts(struct buf *html, const json_t *kernel)
{
	html_add(html,
		 "<dl "
		 "class=\"facts\"><div><dt>Series<dd>%s</div><div><dt>Type<dd>%s</"
		 "div><div><dt>State<dd>",
		 page_str(kernel, "series"), page_str(kernel, "type"));
	page_kernel_state(html, kernel);
	html_add(html, "</div><div><dt>Configuration<dd>%s</div>", page_str(kernel, "config_name"));
	if (*page_str(kernel, "uname"))
		html_add(html, "<div><dt>uname -r<dd><code>%s</code></div>",
			 page_str(kernel, "uname"));
	if (page_int(kernel, "released_us")) {
		html_add(html, "<div><dt>Released<dd>");
		page_time(html, page_int(kernel, "released_us"));
		html_add(html, "</div>");
	}
	html_add(html, "<div><dt>Found<dd>");
	page_time(html, page_int(kernel, "created_us"));
	html_add(html, "</div>");
	if (page_int(kernel, "build_us")) {
		html_add(html, "<div><dt>Built in<dd>");
		page_duration(html, page_int(kernel, "build_us") * 1000);
		html_add(html, " <span class=\"faint\">%" PRId64 " objects</span></div>",
			 page_int(kernel, "objects"));
	}
	if (*page_str(kernel, "compiler"))
		html_add(html, "<div><dt>Compiler<dd>%s</div>", page_str(kernel, "compiler"));
	html_add(html,
		 "<div class=\"full\"><dt>Identity<dd><code class=\"id\">%s</code></div></dl>\n",
		 page_str(kernel, "identity"));
}

static void add_runs(struct buf *html, const json_t *runs)
{
	const json_t *run;
	size_t i;

	if (json_array_size(runs) == 0) {
		html_add(html, "<p class=\"empty\">Not tested yet.</p>\n");
		return;
	}
	html_add(html,
		 "<div class=\"scroll\"><table><thead><tr><th>Set<th>State<th>Result<th>Against "
		 "the key release"
		 "<th>When</tr></thead><tbody>\n");
	json_array_foreach((json_t *)(uintptr_t)runs, i, run) {
		const json_t *diff = json_object_get(run, "key_diff");

		html_add(html,
			 "<tr><td><a href=\"/runs/%" PRId64 "\">%s</a><div class=\"faint\">%" PRId64
			 " of %" PRId64 " planned</div><td>",
			 page_int(run, "run_id"), page_str(run, "set"), page_int(run, "total"),
			 page_int(run, "planned"));
		page_state(html, page_str(run, "state"));
		html_add(html, "<td class=\"cell\">");
		page_counts(html, json_object_get(run, "counts"), page_int(run, "total"));
		html_add(html, "<td class=\"wide\">");
		if (page_int(diff, "diff_id"))
			html_add(html,
				 "<a href=\"/diffs/%" PRId64 "\">%" PRId64 " regressed, %" PRId64
				 " fixed</a>"
				 "<div class=\"faint\">%s</div>",
				 page_int(diff, "diff_id"), page_int(diff, "regressed"),
				 page_int(diff, "fixed"), page_str(diff, "why"));
		html_add(html, "<td>");
		page_time(html, page_int(run, "finished_us"));
		html_add(html, "</tr>\n");
	}
	html_add(html, "</tbody></table></div>\n");
}

static void add_config_diff(struct buf *html, const json_t *diff)
{
	const char *line = page_str(diff, "text");

	if (!json_is_object(diff))
		return;
	html_add(html,
		 "<h2>Configuration</h2>\n<p>Changed against <a href=\"/kernels/%" PRId64
		 "\">%s</a>:</p>\n",
		 page_int(diff, "kernel_id"), page_str(diff, "release"));
	if (!*line) {
		html_add(html, "<p class=\"empty\">Nothing.</p>\n");
		return;
	}
	html_add(html, "<details%s><summary>Lines</summary><pre class=\"diff\">",
		 strlen(line) < 4000 ? " open" : "");
	while (*line) {
		size_t length = strcspn(line, "\n");
		auto_free char *one = strndup(line, length);

		html_add(html, "<span class=\"%s\">%s</span>\n",
			 *line == '+'   ? "plus"
			 : *line == '-' ? "minus"
					: "",
			 one);
		line += length + (line[length] == '\n');
	}
	html_add(html, "</pre></details>\n");
}

int page_kernel(struct exchange *exchange, struct err *err)
{
	auto_json json_t *kernel = NULL;
	struct buf *html;
	int rc;

	rc = query_kernel(exchange->db, exchange_int(exchange, "kernel_id", 0), &kernel, err);
	if (rc < 0)
		return rc;
	html = page_begin(exchange, page_str(kernel, "release"), NULL);
	html_add(
		html,
		"<p class=\"crumbs\"><a href=\"/\">Kernels</a></p><div data-live=\"kernel\"><h1>%s",
		page_str(kernel, "release"));
	if (json_bool_or(kernel, "known_good", false))
		html_add(html, " <span class=\"tag\">known good</span>");
	html_add(html, "</h1>\n");
	if (strcmp(page_str(kernel, "state"), "failed") == 0)
		html_add(html,
			 "<div class=\"note bad\"><p>This kernel does not build. The first "
			 "error:</p>"
			 "<pre>%s</pre></div>\n",
			 page_str(kernel, "first_error"));
	add_facts(html, kernel);
	page_files(html, json_object_get(kernel, "files"));
	html_add(html, "<h2>Results</h2>\n");
	add_runs(html, json_object_get(kernel, "runs"));
	add_config_diff(html, json_object_get(kernel, "config_diff"));
	if (json_array_size(json_object_get(kernel, "cycles"))) {
		html_add(html, "<h2>Ways through the lab</h2>\n");
		page_cycle_table(html, json_object_get(kernel, "cycles"));
	}
	html_add(html, "<h2>Decisions</h2>\n");
	page_decision_list(html, json_object_get(kernel, "decisions"));
	html_add(html, "</div>\n");
	return page_end(exchange);
}
