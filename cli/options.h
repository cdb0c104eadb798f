/*
 * Subcommands and their options as tables: the source of the parsing, of
 * --help and of the test that compares --help with the man page.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;

/* Exit statuses of every subcommand. */
enum cli_status {
	CLI_OK = 0,      /* all passed; what was asked for was done */
	CLI_FAILED = 1,  /* a test failed */
	CLI_USAGE = 2,   /* wrong options or arguments */
	CLI_TROUBLE = 3, /* the lab's own trouble */
			 /* Ended by a signal: 128 + its number, as a shell says it. */
};

struct option_row {
	int id;               /* of the command's own enum, 1.. */
	const char *name;     /* "kernel"; NULL ends a list */
	const char *argument; /* "IMAGE", or NULL if it takes none */
	const char *help;     /* one sentence, no full stop */
};

struct command {
	const char *name;    /* "run" */
	const char *usage;   /* what follows the name in the usage line */
	const char *summary; /* one line for the list of commands */
	const char *about;   /* paragraphs for --help, NULL if the summary says all */
	const struct option_row *options;
	/* Take one option; LAB_EINVALID says what is wrong with its value. */
	int (*on_option)(int id, const char *value, void *settings, struct err *err);
	/* Take one further argument, or NULL if the command takes none. */
	int (*on_argument)(const char *value, void *settings, struct err *err);
	/* Do it; returns the exit status. `argc` and `argv` begin with the command's name. */
	int (*main)(const struct command *command, int argc, char **argv);
};

/*
 * Parse into `settings`. False when there is nothing more to do: help was
 * printed, or wrong usage explained on stderr; *ret_status is then the exit status.
 */
bool options_parse(const struct command *command, int argc, char **argv, void *settings,
		   int *ret_status);

void options_print_help(const struct command *command);

/* Say what is wrong with the usage on stderr; returns CLI_USAGE. */
int usage_error(const struct command *command, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* A whole number from `min` to `max`, or LAB_EINVALID naming `what`. */
int parse_number(const char *what, const char *text, long min, long max, long *ret_number,
		 struct err *err);
/* LAB_EINVALID naming `what` unless `text` is one of the NULL-terminated words. */
int parse_word(const char *what, const char *text, const char *const *words, struct err *err);
