/*
 * What a child (builder, runner) tells its parent: one JSON object a line on
 * descriptor REPORT_FD, or on none when that is closed. Shapes: docs/design/001-shape.md.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

struct err;

#define REPORT_FD 3

/*
 * Make sure at the start of a program that REPORT_FD is ours and not inherited: started by
 * hand it is closed, and the next file that is opened would get its number and the reports.
 */
int report_claim(struct err *err);
/* Write `value` as one line to `fd` and drop the reference. Blocks; a broken pipe is a negative code. */
int report_send(int fd, json_t *value, struct err *err);

/* Turns a byte stream into JSON lines. A line longer than LIMIT_REPORT_LINE is an error. */
struct report_reader;
typedef int (*report_cb)(json_t *value, void *user, struct err *err);
struct report_reader *report_reader_new(report_cb on_value, void *user);
int report_reader_feed(struct report_reader *reader, const char *data, size_t size,
		       struct err *err);
void report_reader_free(struct report_reader *reader);
