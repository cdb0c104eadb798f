/*
 * Runs a fuzz target over every file of the folders named on the command line,
 * without libFuzzer: part of `make check`. Prints TAP; the input under way is on
 * stderr, so that a crash names it.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "fuzz/fuzz.h"

#define INPUT_BYTES_MAX (16u << 20)

static void closedir_p(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

static int replay_file(const char *path, struct err *err)
{
	auto_free char *data = NULL;
	size_t size;
	int rc;

	(void)fprintf(stderr, "%s\n", path);
	rc = fs_read_file(path, INPUT_BYTES_MAX, &data, &size, err);
	if (rc < 0)
		return rc;
	(void)LLVMFuzzerTestOneInput((const uint8_t *)data, size);
	return 0;
}

/* The number of inputs, or a negative code. */
static int replay_folder(const char *folder, struct err *err)
{
	auto_cleanup(closedir_p) DIR *dir = opendir(folder);
	const struct dirent *entry;
	int count = 0;

	if (!dir)
		return err_set(err, -errno, "open '%s': %s", folder, strerror(errno));
	while ((entry = readdir(dir))) {
		auto_free char *path = path_join(folder, entry->d_name);
		int rc;

		if (entry->d_name[0] == '.')
			continue;
		rc = replay_file(path, err);
		if (rc < 0)
			return rc;
		count++;
	}
	return count;
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	int status = 0;

	(void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	printf("1..%d\n", argc - 1);
	for (int i = 1; i < argc; i++) {
		int count = replay_folder(argv[i], &err);

		if (count > 0) {
			printf("ok %d - %d inputs of %s\n", i, count, argv[i]);
			continue;
		}
		printf("not ok %d - %s: %s\n", i, argv[i], count < 0 ? err.text : "no inputs");
		status = 1;
	}
	return status;
}
