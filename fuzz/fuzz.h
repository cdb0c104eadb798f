/* The entry of every fuzz target, as libFuzzer calls it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Returns 0. A crash, a sanitizer's report or a failed lab_assert is the finding. */
__attribute__((visibility("default"))) int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
