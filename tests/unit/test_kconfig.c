/* Kernel configurations: parsing, difference, what did not survive. */
#include "builders/kconfig.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "tests/unit/lab_cmocka.h"

static struct kconfig *parse(const char *text)
{
	struct kconfig *config = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(kconfig_parse(text, &config, &err), 0);
	return config;
}

static void test_values(void **state)
{
	auto_cleanup(kconfig_free_p) struct kconfig *config =
		parse("# a comment\nCONFIG_HZ=250\n# CONFIG_SLIP is not set\nCONFIG_IPV6=m\n"
		      "CONFIG_NAME=\"a=b\"\nCONFIG_IPV6=y\nCONFIG_OFF=n\ngarbage\nCONFIG_\n");

	(void)state;
	assert_string_equal(kconfig_get(config, "CONFIG_HZ"), "250");
	assert_string_equal(kconfig_get(config, "CONFIG_IPV6"), "y"); /* the later one */
	assert_string_equal(kconfig_get(config, "CONFIG_NAME"), "\"a=b\"");
	assert_null(kconfig_get(config, "CONFIG_SLIP"));
	assert_null(kconfig_get(config, "CONFIG_OFF"));
	assert_null(kconfig_get(config, "CONFIG_UNKNOWN"));
}

static void test_diff_is_sorted_and_small(void **state)
{
	auto_cleanup(kconfig_free_p) struct kconfig *old_config =
		parse("CONFIG_B=y\nCONFIG_A=m\nCONFIG_SAME=y\nCONFIG_GONE=y\n");
	auto_cleanup(kconfig_free_p) struct kconfig *new_config =
		parse("CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_NEW=3\nCONFIG_SAME=y\n"
		      "# CONFIG_NEVER is not set\n");
	auto_cleanup(buf_release_p) struct buf text = BUF_INIT(4096);

	(void)state;
	kconfig_diff(old_config, new_config, &text);
	assert_string_equal(text.data, "-CONFIG_A=m\n+CONFIG_A=y\n-CONFIG_B=y\n-CONFIG_GONE=y\n"
				       "+CONFIG_NEW=3\n");
	buf_reset(&text);
	kconfig_diff(new_config, new_config, &text);
	assert_int_equal(text.size, 0);
}

static void test_missing_options_are_named(void **state)
{
	auto_cleanup(kconfig_free_p) struct kconfig *requested =
		parse("CONFIG_A=y\nCONFIG_B=y\n# CONFIG_C is not set\nCONFIG_D=y\n");
	auto_cleanup(kconfig_free_p) struct kconfig *config =
		parse("CONFIG_A=y\nCONFIG_B=m\nCONFIG_C=y\n");
	auto_cleanup(buf_release_p) struct buf text = BUF_INIT(4096);

	(void)state;
	kconfig_missing(requested, config, &text);
	assert_string_equal(text.data, "CONFIG_B=y (is m), CONFIG_C=n (is y), CONFIG_D=y (is n)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_diff_is_sorted_and_small),
		cmocka_unit_test(test_missing_options_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
