/*
 * Errors: one code, one sentence.
 *
 * A function that can fail returns int: 0 (or a positive answer) on success, a
 * negative code on failure. Codes are -errno for failures of the operating
 * system and LAB_E... (base/errors.tbl.h) for our own. The deepest function
 * that knows the reason writes it into `err`; callers may prefix what only they
 * know and pass the code on unchanged. On success `err` is not touched, so
 * calls can be chained. Every function accepts err == NULL.
 *
 * Messages: one line, lower case start, no full stop, values in single quotes,
 * the reason of the operating system after a colon, and they name the culprit
 * and what was expected.
 */
#pragma once

#include <stdarg.h>

enum lab_error {
#define X(name, value, text) LAB_##name = (value),
#include "base/errors.tbl.h"
#undef X
};

struct err {
	int code;        /* the code that the failing function returned */
	char text[1024]; /* the sentence, NUL-terminated; longer ones are cut */
};

#define ERR_INIT ((struct err){ .code = 0, .text = "" })

/* Write `code` and the formatted sentence into `err` (if not NULL); returns `code`. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int err_vset(struct err *err, int code, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

/* Put "<formatted>: " before the sentence that is there; returns err->code (or LAB_EFAIL). */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The text of one of our codes or of a -errno, never NULL, static storage or strerror's. */
const char *err_name(int code);
/* "EINVALID", "ENOSPC": what programs branch on. "EFAIL" for a code that has no name. */
const char *err_symbol(int code);
