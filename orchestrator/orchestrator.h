/*
 * What the web side may ask of the orchestrator. Thread-safe; the request is
 * carried out in the orchestrator's loop, the only place that writes the
 * database. Blocks the calling web thread until answered, at most 5 s.
 */
#pragma once

#include <jansson.h>

struct err;
struct orchestrator;

/*
 * `request` is {"do": "trigger" | "cancel" | "poll", ...} as docs/design/001-shape.md
 * lists (borrowed). *ret_answer is an object the caller releases. LAB_EINVALID for
 * a bad request (err names the field), LAB_ENOTFOUND for an unknown kernel, run or
 * source, LAB_EBUSY when stopping.
 */
int orchestrator_ask(struct orchestrator *orchestrator, const json_t *request, json_t **ret_answer,
		     struct err *err);
