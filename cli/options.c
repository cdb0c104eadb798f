#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"

#define HELP_ID     1000 /* every command has --help */
#define HELP_COLUMN 28

static size_t count_rows(const struct option_row *rows)
{
	size_t count = 0;

	while (rows && rows[count].name)
		count++;
	return count;
}

static void print_row(const char *name, const char *argument, const char *help)
{
	auto_free char *left =
		xasprintf("  --%s%s%s", name, argument ? "=" : "", argument ? argument : "");

	printf("%-*s%s%s\n", HELP_COLUMN, left, strlen(left) >= HELP_COLUMN ? "  " : "", help);
}

void options_print_help(const struct command *command)
{
	printf("Usage: testlab %s %s\n\n%s.\n", command->name, command->usage, command->summary);
	if (command->about)
		printf("\n%s\n", command->about);
	printf("\nOptions:\n");
	for (const struct option_row *row = command->options; row && row->name; row++)
		print_row(row->name, row->argument, row->help);
	print_row("help", NULL, "print this and end");
}

int usage_error(const struct command *command, const char *fmt, ...)
{
	va_list ap;

	(void)fprintf(stderr, "testlab %s: ", command->name);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, "\nSee `testlab %s --help`.\n", command->name);
	return CLI_USAGE;
}

static struct option *make_table(const struct command *command)
{
	size_t count = count_rows(command->options);
	struct option *table = xcalloc(count + 2, sizeof(*table));

	for (size_t i = 0; i < count; i++)
		table[i] = (struct option){
			.name = command->options[i].name,
			.has_arg = command->options[i].argument ? required_argument : no_argument,
			.val = command->options[i].id,
		};
	table[count] = (struct option){ .name = "help", .val = HELP_ID };
	return table;
}

static bool take_arguments(const struct command *command, int argc, char **argv, void *settings,
			   int *ret_status)
{
	struct err err = ERR_INIT;

	for (int i = optind; i < argc; i++) {
		if (!command->on_argument) {
			*ret_status =
				usage_error(command, "argument '%s': none is expected", argv[i]);
			return false;
		}
		if (command->on_argument(argv[i], settings, &err) < 0) {
			*ret_status = usage_error(command, "%s", err.text);
			return false;
		}
	}
	return true;
}

bool options_parse(const struct command *command, int argc, char **argv, void *settings,
		   int *ret_status)
{
	auto_free struct option *table = make_table(command);
	auto_free char *full_name = xasprintf("testlab %s", command->name);
	struct err err = ERR_INIT;
	int id;

	argv[0] = full_name; /* getopt's messages begin with it */
	optind = 1;
	while ((id = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (id == HELP_ID) {
			options_print_help(command);
			*ret_status = CLI_OK;
			return false;
		}
		if (id == '?') { /* getopt has named the option */
			(void)fprintf(stderr, "See `testlab %s --help`.\n", command->name);
			*ret_status = CLI_USAGE;
			return false;
		}
		if (command->on_option(id, optarg, settings, &err) < 0) {
			*ret_status = usage_error(command, "%s", err.text);
			return false;
		}
	}
	return take_arguments(command, argc, argv, settings, ret_status);
}

int parse_number(const char *what, const char *text, long min, long max, long *ret_number,
		 struct err *err)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(text, &end, 10);
	if (errno || end == text || *end || number < min || number > max)
		return err_set(err, LAB_EINVALID, "%s '%s': expected a number from %ld to %ld",
			       what, text, min, max);
	*ret_number = number;
	return 0;
}

int parse_word(const char *what, const char *text, const char *const *words, struct err *err)
{
	char list[128] = "";

	for (const char *const *word = words; *word; word++) {
		size_t used = strlen(list);

		if (strcmp(text, *word) == 0)
			return 0;
		(void)snprintf(list + used, sizeof(list) - used, "%s%s",
			       !used     ? ""
			       : word[1] ? ", "
					 : " or ",
			       *word);
	}
	return err_set(err, LAB_EINVALID, "%s '%s': expected %s", what, text, list);
}
