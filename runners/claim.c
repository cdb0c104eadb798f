#include "runners/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "suites/suite.h"

static int compare_tests(const void *a, const void *b)
{
	const struct suite_test *left = a, *right = b;

	if (left->test->boots != right->test->boots)
		return left->test->boots ? -1 : 1;
	if (left->test->timeout_s > right->test->timeout_s)
		return -1;
	if (left->test->timeout_s < right->test->timeout_s)
		return 1;
	return left->position < right->position ? -1 : left->position > right->position;
}

void claim_sort(struct suite_test *tests, size_t count)
{
	qsort(tests, count, sizeof(*tests), compare_tests);
}

int claim_take(const char *folder, const char *id, struct err *err)
{
	auto_free char *path = path_join(folder, id);
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0)
		return 1;
	if (errno == EEXIST)
		return 0;
	return err_set(err, -errno, "claim test '%s' in '%s': %s", id, folder, strerror(errno));
}
