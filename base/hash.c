/* SHA-256 by libcrypto, random bytes by the kernel. */
#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/cleanup.h"
#include "base/err.h"

#define DIGEST_BYTES 32

struct hash {
	EVP_MD_CTX *context;
};

struct hash *hash_new(void)
{
	struct hash *hash = xcalloc(1, sizeof(*hash));

	hash->context = EVP_MD_CTX_new();
	lab_assert(hash->context);
	lab_assert(EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL) == 1);
	return hash;
}

void hash_update(struct hash *hash, const void *data, size_t size)
{
	lab_assert(EVP_DigestUpdate(hash->context, data, size) == 1);
}

void hash_finish(struct hash *hash, char ret_hex[HASH_HEX_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;

	lab_assert(EVP_DigestFinal_ex(hash->context, digest, &size) == 1);
	lab_assert(size == DIGEST_BYTES);
	for (unsigned i = 0; i < size; i++) {
		ret_hex[2 * i] = digits[digest[i] >> 4];
		ret_hex[2 * i + 1] = digits[digest[i] & 15];
	}
	ret_hex[HASH_HEX_SIZE - 1] = '\0';
	EVP_MD_CTX_free(hash->context);
	free(hash);
}

void hash_bytes(const void *data, size_t size, char ret_hex[HASH_HEX_SIZE])
{
	struct hash *hash = hash_new();

	hash_update(hash, data, size);
	hash_finish(hash, ret_hex);
}

int hash_file(const char *path, char ret_hex[HASH_HEX_SIZE], struct err *err)
{
	char scrap[HASH_HEX_SIZE];
	char block[65536];
	struct hash *hash;
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;
	int saved;

	if (fd < 0)
		return err_set(err, -errno, "open '%s': %s", path, strerror(errno));
	hash = hash_new();
	for (;;) {
		got = read(fd, block, sizeof(block));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		hash_update(hash, block, (size_t)got);
	}
	saved = errno;
	hash_finish(hash, got < 0 ? scrap : ret_hex);
	if (got < 0)
		return err_set(err, -saved, "read '%s': %s", path, strerror(saved));
	return 0;
}

void random_bytes(void *ret_data, size_t size)
{
	char *at = ret_data;

	while (size) {
		ssize_t got = getrandom(at, size, 0);

		if (got < 0 && errno == EINTR)
			continue;
		lab_assert(got > 0);
		at += got;
		size -= (size_t)got;
	}
}
