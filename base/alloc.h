/*
 * Small allocations: they abort with a message when memory is out. Sizes that
 * come from outside are first checked against a maximum of base/limits.h.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

/* Zeroed memory for `count` objects of `size` bytes; never NULL; free() releases it. */
void *xcalloc(size_t count, size_t size) __attribute__((malloc, alloc_size(1, 2)));
/* As reallocarray(3), but never NULL (a size of 0 is made 1). */
void *xreallocarray(void *ptr, size_t count, size_t size) __attribute__((alloc_size(2, 3)));
/* A copy of a NUL-terminated string; xstrdup(NULL) is NULL. */
char *xstrdup(const char *text);
/* A copy of at most `length` bytes of `text`, NUL-terminated. */
char *xstrndup(const char *text, size_t length);
/* A copy of `size` bytes; never NULL. */
void *xmemdup(const void *data, size_t size);
/* A formatted string; never NULL. */
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));
