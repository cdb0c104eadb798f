/* Small allocations that abort when memory is out; a restarted lab goes on from its database. */
#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void abort_out_of_memory(size_t count, size_t size)
{
	(void)fprintf(stderr, "out of memory: cannot allocate %zu x %zu bytes\n", count, size);
	abort();
}

void *xcalloc(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);

	if (!p)
		abort_out_of_memory(count, size);
	return p;
}

void *xreallocarray(void *ptr, size_t count, size_t size)
{
	void *p;

	if (count == 0 || size == 0) {
		count = 1;
		size = 1;
	}
	p = reallocarray(ptr, count, size);
	if (!p)
		abort_out_of_memory(count, size);
	return p;
}

char *xstrdup(const char *text)
{
	return text ? xmemdup(text, strlen(text) + 1) : NULL;
}

char *xstrndup(const char *text, size_t length)
{
	char *copy;

	length = strnlen(text, length);
	copy = xcalloc(length + 1, 1);
	memcpy(copy, text, length);
	return copy;
}

void *xmemdup(const void *data, size_t size)
{
	void *copy = xcalloc(size, 1);

	if (size)
		memcpy(copy, data, size);
	return copy;
}

char *xvasprintf(const char *fmt, va_list ap)
{
	char *text = NULL;

	if (vasprintf(&text, fmt, ap) < 0)
		abort_out_of_memory(1, strlen(fmt));
	return text;
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	return text;
}
