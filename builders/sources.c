/* The table of sources. */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "builders/source.h"

static const struct source_ops *const sources[] = {
	&source_git,
	&source_debian,
};

int source_find(const json_t *config, const struct source_ops **ret_ops, struct err *err)
{
	const char *kind;
	int rc = json_get_string(config, "kind", &kind, err);

	if (rc < 0)
		return err_prefix(err, "field 'source'");
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		if (strcmp(sources[i]->kind, kind) == 0) {
			*ret_ops = sources[i];
			return 0;
		}
	}
	return err_set(err, LAB_EINVALID, "source kind '%s': expected 'git' or 'debian'", kind);
}
