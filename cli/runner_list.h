/* What testlab-runner lists: sets, clauses. */
#pragma once

#include <jansson.h>

struct err;

/*
 * An array of what `testlab-runner COMMAND` prints as event `event`, each with the
 * string `key` (else the answer is refused).
 */
int runner_list(const char *command, const char *event, const char *key, json_t **ret_list,
		struct err *err);
