/* The clauses of the RFCs beside the tests that check them. */
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "db/query.h"
#include "web/page.h"

/* So many tests of a clause stand in the table; more are folded. */
#define TESTS_SHOWN 6

static void add_requirements(struct buf *html, const json_t *clause)
{
	const json_t *requirement;
	size_t i;

	html_add(html, "<ul class=\"requirements\">");
	json_array_foreach(json_object_get(clause, "requirements"), i, requirement) {
		html_add(html, "<li>%s", page_str(requirement, "summary"));
		if (strcmp(page_str(requirement, "who"), "both") != 0)
			html_add(html, " <span class=\"tag\">%s</span>",
				 page_str(requirement, "who"));
		html_add(html, "</li>");
	}
	html_add(html, "</ul>");
}

/* A test that has never run has no page yet. */
static void add_tests(struct buf *html, const json_t *tests)
{
	bool is_folded = json_array_size(tests) > TESTS_SHOWN;
	const json_t *test;
	size_t i;

	if (json_array_size(tests) == 0)
		html_add(html, "<span class=\"state bad\">no test</span>");
	if (is_folded)
		html_add(html, "<details><summary>%zu tests</summary>", json_array_size(tests));
	json_array_foreach((json_t *)(uintptr_t)tests, i, test) {
		if (json_bool_or(test, "tested", false))
			html_add(html, "<a class=\"id\" href=\"/tests/%-s\">%s</a> ",
				 page_str(test, "test_id"), page_str(test, "test_id"));
		else
			html_add(html, "<span class=\"id faint\">%s</span> ",
				 page_str(test, "test_id"));
	}
	if (is_folded)
		html_add(html, "</details>");
}

/* The clauses of `items` from `first` that are of the same RFC; returns how many. */
static size_t add_rfc(struct buf *html, const json_t *items, size_t first)
{
	const json_t *head = json_array_get(items, first);
	int64_t rfc = page_int(head, "rfc");
	size_t count = 0, covered = 0;
	const json_t *clause;

	while ((clause = json_array_get(items, first + count)) && page_int(clause, "rfc") == rfc) {
		covered += json_array_size(json_object_get(clause, "tests")) > 0;
		count++;
	}
	html_add(html,
		 "<h2 id=\"rfc%" PRId64 "\">RFC %" PRId64
		 " <span class=\"title\">%s</span></h2>\n<p>%zu covered, %zu not covered</p>\n",
		 rfc, rfc, page_str(head, "rfc_title"), covered, count - covered);
	html_add(html,
		 "<div class=\"scroll\"><table><thead><tr><th>Clause<th>Requires<th>Tests</tr>"
		 "</thead><tbody>\n");
	for (size_t i = first; i < first + count; i++) {
		clause = json_array_get(items, i);
		html_add(html, "<tr><td>%s %s<td>", page_str(clause, "section"),
			 page_str(clause, "level"));
		add_requirements(html, clause);
		html_add(html, "<td>");
		add_tests(html, json_object_get(clause, "tests"));
		html_add(html, "</tr>\n");
	}
	html_add(html, "</tbody></table></div>\n");
	return count;
}

static void add_choice(struct buf *html, const char *covered)
{
	static const struct {
		const char *value; /* of 'covered', NULL = any */
		const char *href;
		const char *label;
	} choices[] = {
		{ NULL, "/clauses", "all" },
		{ "no", "/clauses?covered=no", "not covered" },
		{ "yes", "/clauses?covered=yes", "covered" },
	};

	html_add(html, "<p class=\"tags\">");
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		bool is_here = choices[i].value && covered ? strcmp(choices[i].value, covered) == 0
							   : !choices[i].value && !covered;

		html_add(html, "<a class=\"tag%s\" href=\"%s\">%s</a> ", is_here ? " here" : "",
			 choices[i].href, choices[i].label);
	}
	html_add(html, "</p>\n");
}

int page_clauses(struct exchange *exchange, struct err *err)
{
	const char *covered = exchange_text(exchange, "covered");
	const struct query_clause_filter filter = {
		.rfc = exchange_int(exchange, "rfc", 0),
		.covered = covered ? strcmp(covered, "yes") == 0 : -1,
	};
	auto_json json_t *clauses = NULL;
	const json_t *items;
	struct buf *html;
	int rc;

	rc = query_clauses(exchange->db, &filter, &clauses, err);
	if (rc < 0)
		return rc;
	items = json_object_get(clauses, "items");
	html = page_begin(exchange, "Clauses", "/clauses");
	html_add(html,
		 "<h1>Clauses</h1>\n<p class=\"lead\">What the RFCs require, and the tests that "
		 "check it: %" PRId64 " clauses are covered, %" PRId64 " are not. A clause is "
		 "covered when a test names it, which says that something of it is checked.</p>\n",
		 page_int(clauses, "covered"), page_int(clauses, "uncovered"));
	add_choice(html, covered);
	if (json_array_size(items) == 0)
		html_add(html, "<p class=\"empty\">There are none, or the lists have not been read "
			       "yet.</p>\n");
	for (size_t i = 0; i < json_array_size(items);)
		i += add_rfc(html, items, i);
	return page_end(exchange);
}
