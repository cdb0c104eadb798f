/* UTF-8 (RFC 3629). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length of the character at `text` (1..4) and the character, or 0 if it is none. */
size_t utf8_decode(const char *text, size_t size, uint32_t *ret_character);
bool utf8_is_valid(const char *text, size_t size);
