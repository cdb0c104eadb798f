/* Errors: writing, prefixing and naming them. */
#include "base/err.h"

#include <stdio.h>
#include <string.h>

int err_vset(struct err *err, int code, const char *fmt, va_list ap)
{
	if (!err)
		return code;
	err->code = code;
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap); /* cut on purpose */
	return code;
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)err_vset(err, code, fmt, ap);
	va_end(ap);
	return code;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
	struct err whole;
	size_t used, rest;
	va_list ap;

	if (!err)
		return LAB_EFAIL;
	va_start(ap, fmt);
	(void)err_vset(&whole, err->code ? err->code : LAB_EFAIL, fmt, ap);
	va_end(ap);
	used = strlen(whole.text);
	if (used + 3 < sizeof(whole.text)) {
		rest = strnlen(err->text, sizeof(whole.text) - used - 3);
		memcpy(whole.text + used, ": ", 2);
		memcpy(whole.text + used + 2, err->text, rest);
		whole.text[used + 2 + rest] = '\0';
	}
	*err = whole;
	return err->code;
}

const char *err_name(int code)
{
	switch (code) {
#define X(name, value, text)                                                                       \
	case value:                                                                                \
		return text;
#include "base/errors.tbl.h"
#undef X
	case 0:
		return "success";
	}
	if (code < 0 && code > LAB_EFAIL)
		return strerrordesc_np(-code) ? strerrordesc_np(-code) : "unknown error";
	return "unknown error";
}

const char *err_symbol(int code)
{
	const char *name;

	switch (code) {
#define X(name, value, text)                                                                       \
	case value:                                                                                \
		return #name;
#include "base/errors.tbl.h"
#undef X
	}
	name = strerrorname_np(-code);
	return name ? name : "EFAIL";
}
