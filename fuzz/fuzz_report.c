/* Report lines of children (base/report.c), fed in pieces of a size that the first byte chooses. */
#include "base/assert.h"
#include "base/json.h"
#include "base/report.h"
#include "fuzz/fuzz.h"

static int on_value(json_t *value, void *user, struct err *err)
{
	auto_free char *text = json_text(value);

	(void)user;
	(void)err;
	lab_assert(text[0] == '{');
	(void)json_string_or(value, "event", "");
	(void)json_int_or(value, "position", 0);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct report_reader *reader = report_reader_new(on_value, NULL);
	size_t piece = size ? data[0] + 1u : 1;
	int rc = 0;

	for (size_t at = 0; at < size && rc == 0; at += piece) {
		size_t left = size - at;

		rc = report_reader_feed(reader, (const char *)data + at,
					left < piece ? left : piece, NULL);
	}
	report_reader_free(reader);
	return 0;
}
