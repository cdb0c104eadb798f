/* Escaping (html.h). */
#include "web/html.h"

#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "web/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* Directional marks and overrides (UAX #9), and what has no place in a text. */
static bool is_unwanted(uint32_t c)
{
	return (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7f && c < 0xa0) || c == 0x061c ||
	       c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

static void add_character(struct buf *html, const char *text, size_t length, uint32_t c)
{
	switch (c) {
	case '&':
		buf_append_string(html, "&amp;");
		break;
	case '<':
		buf_append_string(html, "&lt;");
		break;
	case '>':
		buf_append_string(html, "&gt;");
		break;
	case '"':
		buf_append_string(html, "&quot;");
		break;
	case '\'':
		buf_append_string(html, "&#39;");
		break;
	default:
		if (is_unwanted(c))
			buf_append_string(html, REPLACEMENT);
		else
			buf_append(html, text, length);
	}
}

void html_text(struct buf *html, const char *text)
{
	size_t left = text ? strlen(text) : 0;

	while (left > 0) {
		uint32_t c;
		size_t length = utf8_decode(text, left, &c);

		if (length == 0) {
			buf_append_string(html, REPLACEMENT);
			length = 1;
		} else {
			add_character(html, text, length, c);
		}
		text += length;
		left -= length;
	}
}

void html_url(struct buf *html, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-._~"; /* unreserved, RFC 3986 section 2.3 */

	for (; text && *text; text++) {
		if (strchr(plain, *text))
			buf_append_char(html, *text);
		else
			buf_printf(html, "%%%02X", (unsigned char)*text);
	}
}

/* One conversion at `fmt`, after the '%'; returns what follows it. */
static const char *add_conversion(struct buf *html, const char *fmt, va_list *ap)
{
	static const char id64[] = PRId64;

	if (*fmt == '%') {
		buf_append_char(html, '%');
		return fmt + 1;
	}
	if (*fmt == 's') {
		html_text(html, va_arg(*ap, const char *));
		return fmt + 1;
	}
	if (strncmp(fmt, "-s", 2) == 0) {
		html_url(html, va_arg(*ap, const char *));
		return fmt + 2;
	}
	if (*fmt == 'd') {
		buf_printf(html, "%d", va_arg(*ap, int));
		return fmt + 1;
	}
	if (strncmp(fmt, "zu", 2) == 0) {
		buf_printf(html, "%zu", va_arg(*ap, size_t));
		return fmt + 2;
	}
	lab_assert(strncmp(fmt, id64, strlen(id64)) == 0);
	buf_printf(html, "%" PRId64, va_arg(*ap, int64_t));
	return fmt + strlen(id64);
}

void html_add(struct buf *html, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	while (*fmt) {
		const char *percent = strchrnul(fmt, '%');

		buf_append(html, fmt, (size_t)(percent - fmt));
		fmt = percent;
		if (*fmt == '%')
			fmt = add_conversion(html, fmt + 1, &ap);
	}
	va_end(ap);
}
