/* Captures, read back block by block; tests/integration/301-packets-tshark.sh lets tshark read one. */
#include "packets/pcapng.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "tests/unit/lab_cmocka.h"

#define FILE_MAX (1u << 20)

static uint32_t word(const char *data, size_t offset)
{
	uint32_t value;

	memcpy(&value, data + offset, sizeof(value));
	return value;
}

/* The block at `offset` has that type, and its two lengths agree; returns the next one's offset. */
static size_t check_block(const char *data, size_t size, size_t offset, uint32_t type)
{
	uint32_t length;

	assert_true(offset + 12 <= size);
	assert_int_equal(word(data, offset), type);
	length = word(data, offset + 4);
	assert_int_equal(length % 4, 0);
	assert_true(offset + length <= size);
	assert_int_equal(word(data, offset + length - 4), length);
	return offset + length;
}

/* `text` is a literal, which may have NULs inside. */
#define CONTAINS(data, size, text) (memmem(data, size, text, sizeof(text) - 1) != NULL)

static void test_blocks(void **state)
{
	auto_free char *folder = test_folder();
	auto_free char *path = path_join(folder, "x.pcapng");
	auto_free char *data = NULL;
	int64_t time_ns = INT64_C(1795485600123456789);
	struct pcapng *pcapng = NULL;
	size_t size, interface, first, second, end;
	uint64_t count = 0;
	int index;

	(void)state;
	assert_int_equal(pcapng_open(path, "Testlab", "a run", &pcapng, NULL), 0);
	index = pcapng_add_interface(pcapng, "B", NULL);
	assert_int_equal(index, 0);
	assert_int_equal(
		pcapng_write(pcapng, index, time_ns, PCAPNG_TO_NUT, "12345", 5, "step 1", NULL), 0);
	assert_int_equal(
		pcapng_write(pcapng, index, time_ns + 1, PCAPNG_UNKNOWN, "1234", 4, NULL, NULL), 0);
	assert_int_equal(pcapng_close(pcapng, &count, NULL), 0);
	assert_int_equal(count, 2);

	assert_int_equal(fs_read_file(path, FILE_MAX, &data, &size, NULL), 0);
	interface = check_block(data, size, 0, 0x0a0d0d0a);
	assert_int_equal(word(data, 8), 0x1a2b3c4d);
	assert_true(CONTAINS(data, interface, "a run"));
	first = check_block(data, size, interface, 1);
	assert_int_equal(word(data, interface + 8), 1);
	assert_true(CONTAINS(data + interface, first - interface, "\x09\x00\x01\x00\x09"));
	second = check_block(data, size, first, 6);
	assert_int_equal((int64_t)((uint64_t)word(data, first + 12) << 32 | word(data, first + 16)),
			 time_ns);
	assert_int_equal(word(data, first + 20), 5);
	assert_memory_equal(data + first + 28, "12345\0\0\0", 8);
	assert_true(CONTAINS(data + first, second - first, "step 1"));
	assert_true(CONTAINS(data + first, second - first, "\x02\x00\x04\x00\x02"));
	end = check_block(data, size, second, 6);
	assert_int_equal(end, size);
	assert_int_equal(fs_remove_tree(folder, NULL), 0);
}

static void test_long_comment(void **state)
{
	auto_free char *folder = test_folder();
	auto_free char *path = path_join(folder, "x.pcapng");
	auto_free char *data = NULL;
	auto_free char *comment = malloc(100001);
	struct pcapng *pcapng = NULL;
	size_t size, offset;

	(void)state;
	assert_non_null(comment);
	memset(comment, 'x', 100000);
	comment[100000] = '\0';
	memcpy(comment + 65531, "\xc3\xa9", 2); /* would be cut in the middle */
	assert_int_equal(pcapng_open(path, "Testlab", NULL, &pcapng, NULL), 0);
	assert_int_equal(pcapng_add_interface(pcapng, "B", NULL), 0);
	assert_int_equal(pcapng_write(pcapng, 0, 0, PCAPNG_TO_TESTER, "1", 1, comment, NULL), 0);
	pcapng_free(pcapng);
	assert_int_equal(fs_read_file(path, FILE_MAX, &data, &size, NULL), 0);
	offset = check_block(data, size, 0, 0x0a0d0d0a);
	offset = check_block(data, size, offset, 1);
	assert_int_equal(word(data, offset + 32) >> 16, 65531);
	assert_int_equal(check_block(data, size, offset, 6), size);
	assert_int_equal(fs_remove_tree(folder, NULL), 0);
}

static void test_refused(void **state)
{
	auto_free char *folder = test_folder();
	auto_free char *path = path_join(folder, "x.pcapng");
	struct pcapng *pcapng = NULL;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(pcapng_open("/nowhere/x", "Testlab", NULL, &pcapng, &err), -ENOENT);
	assert_non_null(strstr(err.text, "create capture '/nowhere/x': "));
	assert_int_equal(pcapng_open(path, "Testlab", NULL, &pcapng, NULL), 0);
	assert_int_equal(pcapng_write(pcapng, 0, 0, PCAPNG_UNKNOWN, "", 0, NULL, &err),
			 LAB_EINVALID);
	assert_non_null(strstr(err.text, "there is no interface 0"));
	assert_int_equal(pcapng_close(pcapng, NULL, NULL), 0);
	pcapng_free(NULL);
	assert_int_equal(pcapng_open("/dev/full", "Testlab", NULL, &pcapng, &err), -ENOSPC);
	assert_int_equal(fs_remove_tree(folder, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_long_comment),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
