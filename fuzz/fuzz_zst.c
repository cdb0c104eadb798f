/* zstd frames out of the database and out of archives (base/zst.c). */
#include "base/cleanup.h"
#include "base/zst.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free void *plain = NULL;
	size_t plain_size = 0;

	(void)zst_decompress(data, size, 1u << 20, &plain, &plain_size, NULL);
	return 0;
}
