#include "web/utf8.h"

size_t utf8_decode(const char *text, size_t size, uint32_t *ret_character)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = (unsigned char)text[0];
	size_t length;
	uint32_t c;

	if (first < 0x80) {
		*ret_character = first;
		return 1;
	}
	if (first >= 0xc2 && first <= 0xdf)
		length = 2;
	else if (first >= 0xe0 && first <= 0xef)
		length = 3;
	else if (first >= 0xf0 && first <= 0xf4)
		length = 4;
	else
		return 0;
	if (size < length)
		return 0;
	c = first & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		unsigned char next = (unsigned char)text[i];

		if ((next & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (next & 0x3f);
	}
	/* overlong forms, surrogates, past the end (section 3) */
	if (c < smallest[length] || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
		return 0;
	*ret_character = c;
	return length;
}

bool utf8_is_valid(const char *text, size_t size)
{
	while (size > 0) {
		uint32_t c;
		size_t length = utf8_decode(text, size, &c);

		if (length == 0)
			return false;
		text += length;
		size -= length;
	}
	return true;
}
