/* Growing byte buffer. Invariant: capacity > size whenever data is set, and data[size] is NUL. */
#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define BUF_FIRST_CAPACITY 64u

/* Room for `more` bytes, or for as many as the maximum allows; returns how many. */
static size_t reserve(struct buf *buf, size_t more)
{
	size_t room = buf->max - buf->size;
	size_t want;

	if (more > room) {
		buf->overflow = true;
		more = room;
	}
	want = buf->size + more + 1;
	if (want > buf->capacity) {
		size_t capacity = buf->capacity ? buf->capacity : BUF_FIRST_CAPACITY;

		while (capacity < want)
			capacity = capacity > SIZE_MAX / 2 ? want : capacity * 2;
		buf->data = xreallocarray(buf->data, capacity, 1);
		buf->capacity = capacity;
	}
	return more;
}

void buf_append(struct buf *buf, const void *data, size_t size)
{
	size = reserve(buf, size);
	if (size)
		memcpy(buf->data + buf->size, data, size);
	buf->size += size;
	buf->data[buf->size] = '\0';
}

void buf_append_string(struct buf *buf, const char *text)
{
	buf_append(buf, text, strlen(text));
}

void buf_append_char(struct buf *buf, char c)
{
	buf_append(buf, &c, 1);
}

void buf_vprintf(struct buf *buf, const char *fmt, va_list ap)
{
	char small[256];
	va_list again;
	char *text;
	int length;

	va_copy(again, ap);
	length = vsnprintf(small, sizeof(small), fmt, ap);
	if (length >= 0 && (size_t)length < sizeof(small)) {
		buf_append(buf, small, (size_t)length);
	} else {
		text = xvasprintf(fmt, again);
		buf_append_string(buf, text);
		free(text);
	}
	va_end(again);
}

void buf_printf(struct buf *buf, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(buf, fmt, ap);
	va_end(ap);
}

void buf_consume(struct buf *buf, size_t size)
{
	if (size > buf->size)
		size = buf->size;
	if (!size)
		return;
	memmove(buf->data, buf->data + size, buf->size - size + 1);
	buf->size -= size;
}

void buf_reset(struct buf *buf)
{
	buf->size = 0;
	buf->overflow = false;
	if (buf->data)
		buf->data[0] = '\0';
}

void buf_clear(struct buf *buf)
{
	free(buf->data);
	*buf = BUF_INIT(buf->max);
}

char *buf_take_string(struct buf *buf)
{
	char *text = buf->data ? buf->data : xstrdup("");

	*buf = BUF_INIT(buf->max);
	return text;
}

void buf_release_p(struct buf *buf)
{
	buf_clear(buf);
}
