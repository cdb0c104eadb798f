/*
 * testlab-runner: what needs a NUT (docs/design/001-shape.md). Commands are in
 * the table below.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "runners/bench.h"
#include "runners/doctor.h"
#include "runners/run_main.h"

enum { STATUS_USAGE = 2 };

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv); /* argv[0] is the name; returns the exit status */
	const char *about;
} commands[] = {
	{ "doctor", doctor_main,
	  "[--kernel IMAGE --initramfs FILE]  check every part that a run needs" },
	{ "bench", bench_main, "IMAGE INITRAMFS FOLDER  measure with one NUT; for tools/bench" },
	{ "sets", sets_main, "  print the catalogue of test sets, one JSON object a line" },
	{ "clauses", clauses_main,
	  "  print the clauses and the tests of each, one JSON object a line" },
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void show_usage(FILE *file)
{
	fprintf(file, "usage:\n"
		      "  testlab-runner JOB.json  do one run; testlabd and testlab start it\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(file, "  testlab-runner %s %s\n", commands[i].name, commands[i].about);
}

int main(int argc, char **argv)
{
	(void)signal(SIGPIPE, SIG_IGN); /* a reader that is gone shows as an error of write */
	if (argc < 2) {
		show_usage(stderr);
		return STATUS_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("testlab-runner " LAB_VERSION "\n");
		return 0;
	}
	if (strcmp(argv[1], "--help") == 0) {
		show_usage(stdout);
		return 0;
	}
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (argc == 2 && strstr(argv[1], ".json"))
		return run_main(argv[1]);
	fprintf(stderr, "testlab-runner: '%s' is no command; try --help\n", argv[1]);
	return STATUS_USAGE;
}
