/* The kinds of builder jobs, one function each; builders/main.c has the table. */
#pragma once

#include <jansson.h>

struct err;
struct job;

/* Each adds its fields to `done`, the object of the `done` report. */
int watch_run(struct job *job, json_t *done, struct err *err);
int prebuilt_run(struct job *job, json_t *done, struct err *err);
int build_run(struct job *job, json_t *done, struct err *err);
int image_run(struct job *job, json_t *done, struct err *err);
