#include "base/version.h"

#include <string.h>

#include "base/err.h"
#include "tests/unit/lab_cmocka.h"

static void check(const char *name, enum release_type type, const char *series)
{
	struct version version;
	struct err err = ERR_INIT;

	assert_int_equal(version_parse(name, &version, &err), 0);
	assert_string_equal(release_type_to_string(version.type), release_type_to_string(type));
	assert_string_equal(version.series, series);
}

static void test_types_and_series(void **state)
{
	(void)state;
	check("v6.17", RELEASE_TYPE_MAINLINE, "mainline");
	check("6.17-rc3", RELEASE_TYPE_RC, "mainline");
	check("v6.17.12", RELEASE_TYPE_STABLE, "stable 6.17");
	check("2.6.32", RELEASE_TYPE_MAINLINE, "mainline");
	check("2.6.32.71", RELEASE_TYPE_STABLE, "stable 2.6");
	check("next-20261120", RELEASE_TYPE_NEXT, "next");
	check("v6.17-rc3-45-gabc12345", RELEASE_TYPE_BRANCH, "branch");
	check("v6.17.1-2-g0123456789ab", RELEASE_TYPE_BRANCH, "branch");
	check("next-20261120-7-gdeadbeef", RELEASE_TYPE_BRANCH, "branch");
	check("6.12.117-1~deb12u1", RELEASE_TYPE_STABLE, "debian 6.12");
	check("1:6.12.9-1", RELEASE_TYPE_STABLE, "debian 6.12");
	check("6.17~rc3-1~exp1", RELEASE_TYPE_RC, "debian 6.17");
	check("my-fix", RELEASE_TYPE_LOCAL, "local");
	check("v6.17-rcx", RELEASE_TYPE_LOCAL, "local");
	check("next-2026", RELEASE_TYPE_LOCAL, "local");
	check("v6", RELEASE_TYPE_LOCAL, "local");
	check("6.17/../etc", RELEASE_TYPE_LOCAL, "local");
}

static void test_parts(void **state)
{
	struct version version;

	(void)state;
	assert_int_equal(version_parse("v6.17-rc3-45-gabc1", &version, NULL), 0);
	assert_int_equal(version.major, 6);
	assert_int_equal(version.minor, 17);
	assert_int_equal(version.rc, 3);
	assert_int_equal(version.commits, 45);
	assert_string_equal(version.tag, "v6.17-rc3");
}

/* Each list is in rising order; every pair is compared. */
static void check_rising(const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(version_compare(names[i], names[i]), 0);
		for (size_t j = i + 1; j < count; j++) {
			if (version_compare(names[i], names[j]) >= 0 ||
			    version_compare(names[j], names[i]) <= 0)
				fail_msg("expected '%s' < '%s'", names[i], names[j]);
		}
	}
}

static void test_order_of_kernels(void **state)
{
	static const char *const names[] = {
		"v2.6.9",
		"2.6.10",
		"2.6.32",
		"2.6.32.9",
		"2.6.32.71",
		"2.6.33",
		"v3.0",
		"v5.19.17",
		"6.9",
		"6.10-rc1",
		"6.17-rc3",
		"v6.17-rc3-45-gabc1",
		"v6.17-rc3-1045-gabc2",
		"v6.17-rc9",
		"v6.17-rc10",
		"6.17",
		"v6.17-3-gabcd",
		"6.17.1",
		"v6.17.1-9-gabcd",
		"6.17.9",
		"6.17.10",
		"6.18-rc1",
		"10.0",
	};

	(void)state;
	check_rising(names, sizeof(names) / sizeof(names[0]));
}

static void test_order_of_dailies(void **state)
{
	static const char *const names[] = { "next-20251231", "next-20261119",
					     "next-20261119-4-gabcd", "next-20261120" };

	(void)state;
	check_rising(names, sizeof(names) / sizeof(names[0]));
}

/* As `dpkg --compare-versions` orders them. */
static void test_order_of_debian_versions(void **state)
{
	static const char *const names[] = {
		"6.1.9-1",
		"6.1.10-1",
		"6.12~rc1-1~exp1",
		"6.12~rc1-1",
		"6.12~rc10-1",
		"6.12.0-1",
		"6.12.9-1",
		"6.12.117-1~bpo11+1",
		"6.12.117-1~deb12u1",
		"6.12.117-1~deb12u2",
		"6.12.117-1~deb12u10",
		"6.12.117-1",
		"6.12.117-1a",
		"6.12.117-1+b1",
		"6.12.117-1.1",
		"6.12.117-2",
		"6.12.118-1~deb12u1",
		"1:6.1.1-1",
	};

	(void)state;
	check_rising(names, sizeof(names) / sizeof(names[0]));
}

static void test_order_of_local_names(void **state)
{
	static const char *const names[] = { "fix2", "fix9", "fix10", "fix10-b" };

	(void)state;
	check_rising(names, sizeof(names) / sizeof(names[0]));
}

static void test_bad_names(void **state)
{
	struct version version;
	struct err err = ERR_INIT;
	char name[LIMIT_NAME + 2];

	(void)state;
	assert_int_equal(version_parse("", &version, &err), LAB_EINVALID);
	assert_int_equal(version_parse("6.1\n7", &version, &err), LAB_EINVALID);
	assert_non_null(strstr(err.text, "0x0a"));
	assert_int_equal(version_parse("123456789012345678901234567890123456", &version, &err),
			 LAB_EINVALID);
	memset(name, 'x', sizeof(name));
	name[LIMIT_NAME + 1] = '\0';
	assert_int_equal(version_parse(name, &version, &err), LAB_EINVALID);
}

/* The longest names make the longest keys; they must fit. */
static void test_longest_keys_fit(void **state)
{
	struct version version;
	char name[LIMIT_NAME + 1];

	(void)state;
	for (size_t i = 0; i < LIMIT_NAME; i++)
		name[i] = i % 2 ? '1' : 'x';
	name[LIMIT_NAME] = '\0';
	assert_int_equal(version_parse(name, &version, NULL), 0);
	memcpy(name, "6.1-", 4);
	assert_int_equal(version_parse(name, &version, NULL), 0);
	assert_string_equal(version.series, "debian 6.1");
	memset(name, '~', LIMIT_NAME);
	assert_int_equal(version_parse(name, &version, NULL), 0);
}

static void test_type_names(void **state)
{
	enum release_type type;

	(void)state;
	for (int i = 0; i < RELEASE_TYPE_COUNT_; i++) {
		assert_int_equal(release_type_from_string(
					 release_type_to_string((enum release_type)i), &type),
				 0);
		assert_int_equal(type, i);
	}
	assert_int_equal(release_type_from_string("final", &type), LAB_EINVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types_and_series),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_order_of_kernels),
		cmocka_unit_test(test_order_of_dailies),
		cmocka_unit_test(test_order_of_debian_versions),
		cmocka_unit_test(test_order_of_local_names),
		cmocka_unit_test(test_bad_names),
		cmocka_unit_test(test_longest_keys_fit),
		cmocka_unit_test(test_type_names),
	};

	return cmocka_run_group_tests_name("version", tests, NULL, NULL);
}
