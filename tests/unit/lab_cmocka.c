#include "tests/unit/lab_cmocka.h"

#include <stdlib.h>

#include "base/alloc.h"

char *test_folder(void)
{
	const char *base = getenv("TMPDIR");
	char *path = xasprintf("%s/testlab-unit.XXXXXX", base ? base : "/tmp");

	assert_non_null(mkdtemp(path));
	return path;
}
