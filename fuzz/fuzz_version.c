/* Names of releases, as feeds, repositories and users give them (base/version.c). */
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/cleanup.h"
#include "base/version.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *name = xstrndup((const char *)data, size);
	struct version version;

	if (version_parse(name, &version, NULL) < 0)
		return 0;
	lab_assert(strlen(version.sort_key) < sizeof(version.sort_key));
	lab_assert(version.series[0]);
	lab_assert(version_compare(name, name) == 0);
	for (const char *c = version.sort_key; *c; c++)
		lab_assert(*c > ' ' && *c < 0x7f);
	return 0;
}
