/*
 * A growing byte buffer with a stated maximum. Appending past the maximum sets
 * `overflow` and drops the excess; the writer checks once at the end. `data` is
 * NUL-terminated whenever it is not NULL, so text can be used as a string.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data;      /* NULL while empty, else NUL-terminated */
	size_t size;     /* bytes in use, without the NUL */
	size_t capacity; /* bytes allocated */
	size_t max;      /* most bytes it may hold */
	bool overflow;   /* something was dropped */
};

#define BUF_INIT(maximum) ((struct buf){ .max = (maximum) })

void buf_append(struct buf *buf, const void *data, size_t size);
void buf_append_string(struct buf *buf, const char *text);
void buf_append_char(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
/* Remove the first `size` bytes. */
void buf_consume(struct buf *buf, size_t size);
/* Empty it, keep the memory. */
void buf_reset(struct buf *buf);
/* Free the memory; ready for use again with the same maximum. */
void buf_clear(struct buf *buf);
/* The text (never NULL; "" when empty); the buffer is empty afterwards; free() releases it. */
char *buf_take_string(struct buf *buf);
/* For auto_cleanup(buf_release_p). */
void buf_release_p(struct buf *buf);
