/* What apt prints. */
#include "builders/apt.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "tests/unit/lab_cmocka.h"

static void test_madison(void **state)
{
	static const char text[] =
		" linux-source-6.12 | 6.12.117-1~deb12u1 | http://deb.debian.org/debian-security "
		"bookworm-security/main amd64 Packages\n"
		" linux-source-6.12 | 6.12.115-2~deb12u1 | http://x bookworm/main amd64 Packages\n"
		" linux-source-6.12 | 6.12.117-1~deb12u1 | http://y Sources\n"
		"     linux-6.12 | 6.12.117-1~deb12u1 | http://y Sources\n"
		"no bars here\n";
	auto_cleanup(apt_list_release_p) struct apt_list versions = { .count = 0 };

	(void)state;
	assert_int_equal(apt_parse_madison(text, "linux-source-6.12", &versions, NULL), 0);
	assert_int_equal(versions.count, 2);
	assert_string_equal(versions.items[0], "6.12.117-1~deb12u1");
	assert_string_equal(versions.items[1], "6.12.115-2~deb12u1");
}

static void test_madison_refuses_odd_versions(void **state)
{
	auto_cleanup(apt_list_release_p) struct apt_list versions = { .count = 0 };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(apt_parse_madison(" p1 | ../../etc | x\n", "p1", &versions, &err),
			 LAB_EPARSE);
	assert_non_null(strstr(err.text, "'../../etc'"));
	assert_int_equal(apt_parse_madison(" p1 | -o=x | y\n", "p1", &versions, &err), LAB_EPARSE);
	assert_int_equal(apt_parse_madison("", "p1", &versions, &err), 0);
	assert_int_equal(versions.count, 0);
}

static void test_show(void **state)
{
	static const char text[] =
		"Package: iproute2\nVersion: 6.1.0-3\nSection: net\n"
		"Depends: debconf (>= 0.5) | debconf-2.0, libbpf1 (>= 1:1.0),libc6:any (>= 2.34)\n"
		"Pre-Depends: libc6\nDescription: tools\n Depends: not-this-one\n\n\n"
		"Package: zlib1g\nVersion: 1:1.2.13.dfsg-1\n";
	auto_cleanup(apt_package_list_release_p) struct apt_package_list list = { .count = 0 };

	(void)state;
	assert_int_equal(apt_parse_show(text, &list, NULL), 0);
	assert_int_equal(list.count, 2);
	assert_string_equal(list.items[0].section, "net");
	assert_int_equal(list.items[0].depends_count, 4);
	assert_string_equal(list.items[0].depends[0], "debconf");
	assert_string_equal(list.items[0].depends[1], "debconf-2.0");
	assert_string_equal(list.items[0].depends[2], "libbpf1");
	assert_string_equal(list.items[0].depends[3], "libc6");
	assert_string_equal(list.items[1].version, "1:1.2.13.dfsg-1");
	assert_string_equal(list.items[1].section, "");
}

static void test_show_refuses_a_stanza_without_name(void **state)
{
	auto_cleanup(apt_package_list_release_p) struct apt_package_list list = { .count = 0 };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(apt_parse_show("Version: 1\n", &list, &err), LAB_EPARSE);
	assert_int_equal(apt_parse_show("Package: A/../b\nVersion: 1\n", &list, &err), LAB_EPARSE);
	assert_int_equal(apt_parse_show("\n\n", &list, &err), 0);
	assert_int_equal(list.count, 0);
}

static void test_names(void **state)
{
	(void)state;
	assert_true(apt_is_package_name("libstdc++6"));
	assert_false(apt_is_package_name("-o"));
	assert_false(apt_is_package_name("a"));
	assert_false(apt_is_package_name("a b"));
	assert_false(apt_is_package_name("../x"));
	assert_true(apt_is_version("1:2.0~rc1-3+b1"));
	assert_false(apt_is_version("1/2"));
	assert_false(apt_is_version("v1"));
	assert_false(apt_is_version(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_madison),
		cmocka_unit_test(test_madison_refuses_odd_versions),
		cmocka_unit_test(test_show),
		cmocka_unit_test(test_show_refuses_a_stanza_without_name),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
