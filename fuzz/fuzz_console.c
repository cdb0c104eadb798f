/* The console scanner (runners/console.c), fed in pieces of a size that the first byte chooses. */
#include <string.h>

#include "base/assert.h"
#include "fuzz/fuzz.h"
#include "runners/console.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct console_scanner scanner;
	size_t piece = size ? data[0] + 1u : 1;
	enum console_event worst = CONSOLE_NOTHING;

	console_scanner_init(&scanner);
	for (size_t at = 0; at < size; at += piece) {
		size_t left = size - at;
		enum console_event event =
			console_scan(&scanner, data + at, left < piece ? left : piece);

		lab_assert(event >= worst); /* it never gets better */
		worst = event;
	}
	lab_assert((worst == CONSOLE_NOTHING) == (scanner.trouble[0] == '\0'));
	for (const char *c = scanner.trouble; *c; c++)
		lab_assert(*c >= 0x20 && *c < 0x7f);
	return 0;
}
