/* The output of apt-cache, and the dependencies inside a kernel module. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "builders/apt.h"
#include "builders/modules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xstrndup((const char *)data, size);
	struct apt_list versions = { .count = 0 };
	struct apt_package_list packages = { .count = 0 };

	(void)apt_parse_madison(text, "linux-source-6.12", &versions, NULL);
	(void)apt_parse_show(text, &packages, NULL);
	apt_list_release_p(&versions);
	apt_package_list_release_p(&packages);
	free(text);
	free(module_depends((const char *)data, size));
	return 0;
}
