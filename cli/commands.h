/* The subcommands of testlab; main.c has the table. */
#pragma once

#include "cli/options.h"

extern const struct command command_run;
extern const struct command command_sets;
extern const struct command command_clauses;
extern const struct command command_doctor;
extern const struct command command_status;
extern const struct command command_trigger;

/* "text", "json": for --format. */
extern const char *const format_words[];
