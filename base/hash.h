/* SHA-256 (libcrypto), as 64 lower-case hexadecimal digits and a NUL. */
#pragma once

#include <stddef.h>

struct err;

#define HASH_HEX_SIZE 65

struct hash;
struct hash *hash_new(void);
void hash_update(struct hash *hash, const void *data, size_t size);
/* Write the digest and free `hash`. */
void hash_finish(struct hash *hash, char ret_hex[HASH_HEX_SIZE]);
void hash_bytes(const void *data, size_t size, char ret_hex[HASH_HEX_SIZE]);
int hash_file(const char *path, char ret_hex[HASH_HEX_SIZE], struct err *err);
/* `size` random bytes from the kernel. */
void random_bytes(void *ret_data, size_t size);
