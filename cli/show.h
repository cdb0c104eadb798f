/* What goes to the terminal: text from outside is made harmless here. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/verdict.h"

struct command;
struct err;

/* Text from outside (packets, consoles, kernels): control characters become '?'. */
void show_text(FILE *file, const char *text);
/* The same line by line, each after `indent`. */
void show_lines(FILE *file, const char *indent, const char *text);
/* A JSON value on stdout, indented, with a line end. */
void show_json(const json_t *value);
/* "testlab run: <sentence>" on stderr; returns CLI_TROUBLE. */
int show_trouble(const struct command *command, const struct err *err);

/*
 * Progress of a run. On a terminal the last line is live; else there is one
 * plain line for each thing that ended. Goes to stdout, or to stderr when
 * stdout carries JSON (then only if stderr is a terminal).
 */
struct progress {
	FILE *file; /* NULL: show nothing */
	bool is_terminal;
	bool has_colour;
	bool has_live_line; /* the live line is on the screen */
	int64_t started_ns;
};

void progress_init(struct progress *progress, bool is_json);
/* A line that stays. */
void progress_line(struct progress *progress, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The live line; `text` is cut to the width of the terminal. Nothing when it is no terminal. */
void progress_live(struct progress *progress, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Take the live line away. */
void progress_clear(struct progress *progress);
/* "PASS v6LC.1.1.8 Hop Limit Zero (0.8 s)" */
void progress_verdict(struct progress *progress, const json_t *test, size_t done, size_t total);

/*
 * A test that did not pass, as a bug report: reason, clauses, what was sent,
 * what was expected, what came instead.
 */
void show_failure(FILE *file, const json_t *test, bool has_colour);
