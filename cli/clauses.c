/* testlab clauses: what the RFCs require, and the tests that check it. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/runner_list.h"
#include "cli/show.h"

#define RFC_MAX 99999

enum { OPTION_RFC = 1, OPTION_UNCOVERED, OPTION_FORMAT };

static const struct option_row options[] = {
	{ OPTION_RFC, "rfc", "N", "only clauses of this RFC" },
	{ OPTION_UNCOVERED, "uncovered", NULL, "only clauses that no test names" },
	{ OPTION_FORMAT, "format", "FORMAT", "text (default) or json" },
	{ 0 },
};

struct settings {
	long rfc; /* 0 = all */
	bool only_uncovered;
	bool is_json;
};

struct counts {
	size_t covered;
	size_t uncovered;
};

static int take_option(int id, const char *value, void *user, struct err *err)
{
	struct settings *settings = user;
	int rc = 0;

	switch (id) {
	case OPTION_RFC:
		rc = parse_number("rfc", value, 1, RFC_MAX, &settings->rfc, err);
		break;
	case OPTION_UNCOVERED:
		settings->only_uncovered = true;
		break;
	case OPTION_FORMAT:
		rc = parse_word("format", value, format_words, err);
		settings->is_json = strcmp(value, "json") == 0;
		break;
	}
	return rc;
}

static bool is_covered(const json_t *clause)
{
	return json_array_size(json_object_get(clause, "tests")) > 0;
}

/* Those of `all` that were asked for. The counts are of the RFC, whatever is shown of it. */
static json_t *select_clauses(const json_t *all, const struct settings *settings,
			      struct counts *ret_counts)
{
	json_t *selected = json_array(), *clause;
	size_t i;

	*ret_counts = (struct counts){ 0 };
	json_array_foreach((json_t *)(uintptr_t)all, i, clause) {
		if (settings->rfc && json_int_or(clause, "rfc", 0) != settings->rfc)
			continue;
		if (is_covered(clause))
			ret_counts->covered++;
		else
			ret_counts->uncovered++;
		if (!settings->only_uncovered || !is_covered(clause))
			(void)json_array_append(selected, clause);
	}
	return selected;
}

static void print_clause(const json_t *clause)
{
	const json_t *requirement, *test;
	size_t i;

	show_text(stdout, json_string_or(clause, "name", "?"));
	printf("\n");
	json_array_foreach(json_object_get(clause, "requirements"), i, requirement) {
		printf("    ");
		show_text(stdout, json_string_or(requirement, "summary", ""));
		if (strcmp(json_string_or(requirement, "who", "both"), "both") != 0)
			printf(" (%s)", json_string_or(requirement, "who", ""));
		printf("\n");
	}
	printf(is_covered(clause) ? "  tests:" : "  no test");
	json_array_foreach(json_object_get(clause, "tests"), i, test) {
		printf(" ");
		show_text(stdout, json_is_string(test) ? json_string_value(test) : "?");
	}
	printf("\n");
}

static void print_clauses(const json_t *clauses, const struct counts *counts)
{
	const json_t *clause;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)clauses, i, clause)
		print_clause(clause);
	printf("\n%zu clauses: %zu covered, %zu not covered\n", counts->covered + counts->uncovered,
	       counts->covered, counts->uncovered);
}

static int clauses_main(const struct command *command, int argc, char **argv)
{
	auto_json json_t *all = NULL, *clauses = NULL;
	struct settings settings = { 0 };
	struct err err = ERR_INIT;
	struct counts counts;
	int status;

	if (!options_parse(command, argc, argv, &settings, &status))
		return status;
	if (runner_list("clauses", "clause", "name", &all, &err) < 0)
		return show_trouble(command, &err);
	clauses = select_clauses(all, &settings, &counts);
	if (settings.rfc && counts.covered + counts.uncovered == 0)
		return usage_error(command, "rfc '%ld': there is no list of its clauses",
				   settings.rfc);
	if (settings.is_json) {
		auto_json json_t *value = json_pack("{s:O,s:I,s:I}", "clauses", clauses, "covered",
						    (json_int_t)counts.covered, "uncovered",
						    (json_int_t)counts.uncovered);

		show_json(value);
	} else {
		print_clauses(clauses, &counts);
	}
	return CLI_OK;
}

const struct command command_clauses = {
	.name = "clauses",
	.usage = "[--rfc N] [--uncovered] [--format text|json]",
	.summary = "List what the RFCs require and the tests that check it",
	.about = "A clause is an RFC, a section and a level, as tests name them; its\n"
		 "requirements follow it. It is covered when a test names it.",
	.options = options,
	.on_option = take_option,
	.main = clauses_main,
};
