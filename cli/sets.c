#include "cli/sets.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/limits.h"
#include "cli/commands.h"
#include "cli/runner_list.h"
#include "cli/show.h"

int sets_load(json_t **ret_sets, struct err *err)
{
	return runner_list("sets", "set", "name", ret_sets, err);
}

const json_t *sets_find(const json_t *sets, const char *name)
{
	const json_t *set;
	size_t i;

	json_array_foreach(sets, i, set) {
		if (strcmp(json_string_or(set, "name", ""), name) == 0)
			return set;
	}
	return NULL;
}

char *sets_names(const json_t *sets)
{
	struct buf text = BUF_INIT(LIMIT_FRAME_BYTES);
	const json_t *set;
	size_t i;

	json_array_foreach(sets, i, set)
		buf_printf(&text, "%s%s", i ? ", " : "", json_string_or(set, "name", "?"));
	return buf_take_string(&text);
}

bool sets_has_test(const json_t *set, const char *id)
{
	const json_t *test;
	size_t i;

	json_array_foreach(json_object_get(set, "tests"), i, test) {
		if (json_is_string(test) && strcmp(json_string_value(test), id) == 0)
			return true;
	}
	return false;
}

/* --- testlab sets --------------------------------------------------------------- */

enum { OPTION_FORMAT = 1 };

static const struct option_row options[] = {
	{ OPTION_FORMAT, "format", "FORMAT", "text (default) or json" },
	{ 0 },
};

static int take_option(int id, const char *value, void *settings, struct err *err)
{
	bool *is_json = settings;
	int rc = 0;

	if (id == OPTION_FORMAT) {
		rc = parse_word("format", value, format_words, err);
		*is_json = strcmp(value, "json") == 0;
	}
	return rc;
}

static void print_sets(const json_t *sets)
{
	const json_t *set;
	size_t i;

	printf("%-24s %-18s %7s %7s  %s\n", "set", "role", "exist", "planned", "title");
	json_array_foreach(sets, i, set) {
		printf("%-24s %-18s %7lld %7lld  ", json_string_or(set, "name", ""),
		       json_string_or(set, "role", ""),
		       (long long)json_int_or(set, "implemented", 0),
		       (long long)json_int_or(set, "planned", 0));
		show_text(stdout, json_string_or(set, "title", ""));
		printf("\n");
	}
}

static int sets_main(const struct command *command, int argc, char **argv)
{
	auto_json json_t *sets = NULL;
	struct err err = ERR_INIT;
	bool is_json = false;
	int status;

	if (!options_parse(command, argc, argv, &is_json, &status))
		return status;
	if (sets_load(&sets, &err) < 0)
		return show_trouble(command, &err);
	if (is_json)
		show_json(sets);
	else
		print_sets(sets);
	return CLI_OK;
}

const struct command command_sets = {
	.name = "sets",
	.usage = "[--format text|json]",
	.summary = "List the test sets of the plan and how many of their tests exist",
	.options = options,
	.on_option = take_option,
	.main = sets_main,
};
