/* The log of a kernel build, line by line. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "builders/build_log.h"
#include "builders/kconfig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xstrndup((const char *)data, size);
	struct build_log log = { .objects = 0 };
	struct kconfig *config = NULL;
	char *rest;

	/* A configuration comes out of the same hostile tree. */
	if (kconfig_parse(text, &config, NULL) == 0)
		(void)kconfig_get(config, "CONFIG_IPV6");
	kconfig_free_p(&config);
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		build_log_add(&log, line);
	free(text);
	return 0;
}
