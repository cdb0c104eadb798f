/* The test sets of the lab's plan, as `testlab-runner sets` prints them. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct err;

/* An array of {"name","title","role","planned","implemented","tests":[id,...],...}. */
int sets_load(json_t **ret_sets, struct err *err);
/* The set of that name (borrowed), or NULL. */
const json_t *sets_find(const json_t *sets, const char *name);
/* The names of all sets in one line, on the heap: for messages. */
char *sets_names(const json_t *sets);
/* True if the test `id` exists in `set`. */
bool sets_has_test(const json_t *set, const char *id);
