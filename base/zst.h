/* zstd blocks: the only user of zstd.h. */
#pragma once

#include <stddef.h>

struct err;

/* The caller frees *ret_data. `level` is 1..19. */
int zst_compress(const void *data, size_t size, int level, void **ret_data, size_t *ret_size,
		 struct err *err);
/* LAB_ELIMIT if the plain data would be larger than `max`, LAB_EPARSE if it is no zstd frame. */
int zst_decompress(const void *data, size_t size, size_t max, void **ret_data, size_t *ret_size,
		   struct err *err);
