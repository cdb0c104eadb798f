/* Kernel modules: what depends on what, and in which order they load. */
#include "builders/modules.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "tests/unit/lab_cmocka.h"

static void put_module(const char *folder, const char *file, const char *depends)
{
	char data[200] = "\x7f"
			 "ELF...";
	size_t used = 8;
	auto_free char *path = path_join(folder, file);

	/* As in .modinfo: NUL-terminated "key=value", one behind the other. */
	used += (size_t)snprintf(data + used, sizeof(data) - used, "license=GPL") + 1;
	used += (size_t)snprintf(data + used, sizeof(data) - used, "depends=%s", depends) + 1;
	assert_int_equal(fs_write_file(path, data, used, 0644, NULL), 0);
}

static void test_depends(void **state)
{
	static const char data[] = "xdepends=not\0depends=a,b-c\0depends=late";
	static const char cut[] = { '\0', 'd', 'e', 'p', 'e', 'n', 'd', 's', '=', 'a' };
	auto_free char *found = module_depends(data, sizeof(data));
	auto_free char *none = module_depends("", 0);
	auto_free char *unterminated = module_depends(cut, sizeof(cut));

	(void)state;
	assert_string_equal(found, "a,b-c");
	assert_string_equal(none, "");
	assert_string_equal(unterminated, "");
}

static void test_order(void **state)
{
	static const char *const wanted[] = { "virtio_net", "built_in", "virtio_blk", NULL };
	static const char *const order[] = { "virtio", "failover", "net_failover", "virtio_net",
					     "virtio_blk" };
	auto_cleanup(module_list_release_p) struct module_list list = { .count = 0 };
	char *folder = test_folder();

	(void)state;
	put_module(folder, "virtio-net.ko", "virtio,net-failover");
	put_module(folder, "net_failover.ko", "failover");
	put_module(folder, "failover.ko", "");
	put_module(folder, "virtio.ko", "");
	put_module(folder, "virtio_blk.ko", "virtio");
	put_module(folder, "unneeded.ko", "");
	put_module(folder, "notes.txt", "");
	assert_int_equal(module_list_load(folder, wanted, &list, NULL), 0);
	assert_int_equal(list.count, 5);
	for (size_t i = 0; i < list.count; i++)
		assert_string_equal(list.items[i].name, order[i]);
	assert_int_equal(fs_remove_tree(folder, NULL), 0);
	free(folder);
}

static void test_circle_ends(void **state)
{
	static const char *const wanted[] = { "a_a", NULL };
	auto_cleanup(module_list_release_p) struct module_list list = { .count = 0 };
	char *folder = test_folder();

	(void)state;
	put_module(folder, "a_a.ko", "b_b");
	put_module(folder, "b_b.ko", "a_a");
	assert_int_equal(module_list_load(folder, wanted, &list, NULL), 0);
	assert_int_equal(list.count, 2);
	assert_int_equal(fs_remove_tree(folder, NULL), 0);
	free(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_depends),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_circle_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
