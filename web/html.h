/*
 * HTML that is escaped unless it is written in our own source: the format of
 * html_add() is a literal of ours (the compiler insists), every value in it is
 * escaped.
 *
 *	html_add(html, "<a href=\"/tests/%-s\">%s</a>", id, id);
 *
 * Conversions: %s text, safe in content and in quoted attributes; %-s text as
 * one component of a URL (percent-encoded); %d, %zu, %ld with PRId64; %%. A
 * NULL text is nothing. Bytes that are not UTF-8, control characters and those
 * that turn the direction of writing become U+FFFD, so that a hostile name
 * cannot rearrange what stands around it.
 */
#pragma once

#include <stdarg.h>

#include "base/buf.h"

void html_add(struct buf *html, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Text alone, escaped. */
void html_text(struct buf *html, const char *text);
/* Text as one component of a URL. */
void html_url(struct buf *html, const char *text);
