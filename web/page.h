/*
 * What the pages share: the frame, and small pieces that look the same
 * everywhere. Pages are made of the same JSON that the API answers with. No
 * style attribute and no inline script: the content security policy forbids both.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "web/html.h"
#include "web/routes.h"

/* How many rows a page shows before it asks for the next one. */
#define PAGE_ROWS 50

/* Head and navigation; `current` is the path of the entry to mark, NULL for none. */
struct buf *page_begin(struct exchange *exchange, const char *title, const char *current);
int page_end(struct exchange *exchange);
/* A page that says what went wrong. */
void page_failure(struct response *response, int status, const char *text);

/* Fields of a row: never NULL. */
const char *page_str(const json_t *row, const char *key);
int64_t page_int(const json_t *row, const char *key);

void page_verdict_badge(struct buf *html, const char *verdict);
/* "13 ✓ 1 ✗" with a bar; `total` is the number of tests asked for. */
void page_counts(struct buf *html, const json_t *counts, int64_t total);
/* The beginning of a hash, with all of it as a title. */
void page_hash(struct buf *html, const char *hash);
void page_time(struct buf *html, int64_t wall_us);
void page_duration(struct buf *html, int64_t ns);
void page_bytes(struct buf *html, int64_t size);
/* A word of state ('done', 'building', ...) in its colour. */
void page_state(struct buf *html, const char *state);
/* The same of a kernel, where 'failed' is a result: it does not build. */
void page_kernel_state(struct buf *html, const json_t *kernel);
/* Link to a kernel with the name of its release. */
void page_kernel_link(struct buf *html, const json_t *row);
/* A running job with its progress. */
void page_job(struct buf *html, const json_t *job);
void page_files(struct buf *html, const json_t *files);
void page_decision_list(struct buf *html, const json_t *decisions);
void page_cycle_table(struct buf *html, const json_t *cycles);
void page_diff_table(struct buf *html, const json_t *diffs);
/*
 * Link to what follows in a list, if there is more; `name` and `value` are a
 * parameter to keep (NULL for none).
 */
void page_more(struct buf *html, const json_t *list, const char *path, const char *name,
	       const char *value, const char *label);
