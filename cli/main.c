/*
 * testlab: the command line. `run`, `sets`, `clauses` and `doctor` need no daemon and no
 * database; they use the same helper programs as the daemon. `status` and
 * `trigger` talk to a daemon over HTTP.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"

const char *const format_words[] = { "text", "json", NULL };

static const struct command *const commands[] = {
	&command_run,    &command_sets,   &command_clauses,
	&command_doctor, &command_status, &command_trigger,
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *file)
{
	(void)fprintf(file, "Usage: testlab COMMAND [OPTION]...\n\n"
			    "Automated IPv6 conformance lab for Linux kernels.\n\nCommands:\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		(void)fprintf(file, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	(void)fprintf(file, "  %-10s %s\n\nOptions:\n  %-10s %s\n  %-10s %s\n", "help",
		      "Print the help of a command", "--version", "print the version and end",
		      "--help", "print this and end");
	(void)fprintf(file,
		      "\nExit status: 0 done and nothing failed, 1 a test failed, 2 wrong usage,\n"
		      "3 the lab's own trouble; 128 and the signal's number when stopped by one.\n"
		      "`testlab COMMAND --help` has more; so has testlab(1).\n");
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	}
	return NULL;
}

static int help_main(const char *name)
{
	const struct command *command = name ? find_command(name) : NULL;

	if (!name) {
		print_help(stdout);
		return CLI_OK;
	}
	if (!command) {
		(void)fprintf(stderr, "testlab help: '%s': there is no such command\n", name);
		return CLI_USAGE;
	}
	options_print_help(command);
	return CLI_OK;
}

int main(int argc, char **argv)
{
	const struct command *command;

	(void)signal(SIGPIPE,
		     SIG_IGN); /* `testlab ... | head`: writing fails, children are still ended */
	if (argc < 2) {
		print_help(stderr);
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
		return help_main(argc > 2 ? argv[2] : NULL);
	if (strcmp(argv[1], "--version") == 0) {
		printf("testlab %s\n", LAB_VERSION);
		return CLI_OK;
	}
	command = find_command(argv[1]);
	if (!command) {
		(void)fprintf(stderr,
			      "testlab: '%s': there is no such command; see `testlab --help`\n",
			      argv[1]);
		return CLI_USAGE;
	}
	return command->main(command, argc - 1, argv + 1);
}
