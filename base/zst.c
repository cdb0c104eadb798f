#include "base/zst.h"

#include <stdlib.h>

#include <zstd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"

int zst_compress(const void *data, size_t size, int level, void **ret_data, size_t *ret_size,
		 struct err *err)
{
	size_t bound = ZSTD_compressBound(size);
	auto_free void *out = NULL;
	size_t got;

	if (ZSTD_isError(bound))
		return err_set(err, LAB_ELIMIT, "compress %zu bytes: too many for one frame", size);
	out = malloc(bound);
	if (!out)
		return err_set(err, LAB_EFAIL, "compress %zu bytes: out of memory", size);
	got = ZSTD_compress(out, bound, data, size, level);
	if (ZSTD_isError(got))
		return err_set(err, LAB_EFAIL, "compress %zu bytes: %s", size,
			       ZSTD_getErrorName(got));
	*ret_data = xreallocarray(STEAL_PTR(out), got, 1);
	*ret_size = got;
	return 0;
}

/* The frame header says how large the plain data is; frames of ours always do. */
static int find_plain_size(const void *data, size_t size, size_t max, size_t *ret_plain,
			   struct err *err)
{
	unsigned long long plain = ZSTD_getFrameContentSize(data, size);

	if (plain == ZSTD_CONTENTSIZE_ERROR)
		return err_set(err, LAB_EPARSE, "decompress: these %zu bytes are no zstd frame",
			       size);
	if (plain == ZSTD_CONTENTSIZE_UNKNOWN)
		return err_set(err, LAB_EPARSE,
			       "decompress: the zstd frame does not tell its size");
	if (plain > max)
		return err_set(err, LAB_ELIMIT, "decompress: %llu plain bytes, at most %zu allowed",
			       plain, max);
	*ret_plain = (size_t)plain;
	return 0;
}

int zst_decompress(const void *data, size_t size, size_t max, void **ret_data, size_t *ret_size,
		   struct err *err)
{
	auto_free void *out = NULL;
	size_t plain = 0;
	size_t got;
	int rc;

	rc = find_plain_size(data, size, max, &plain, err);
	if (rc < 0)
		return rc;
	out = malloc(plain + 1);
	if (!out)
		return err_set(err, LAB_EFAIL, "decompress %zu bytes: out of memory", plain);
	got = ZSTD_decompress(out, plain, data, size);
	if (ZSTD_isError(got))
		return err_set(err, LAB_EPARSE, "decompress: %s", ZSTD_getErrorName(got));
	if (got != plain)
		return err_set(err, LAB_EPARSE, "decompress: got %zu bytes, expected %zu", got,
			       plain);
	*ret_data = STEAL_PTR(out);
	*ret_size = plain;
	return 0;
}
