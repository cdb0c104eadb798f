/* Bad configuration files, each with the line and the words of its refusal. */
#include "orchestrator/config.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "tests/unit/lab_cmocka.h"

static const struct {
	const char *text;
	const char *want; /* follows the path of the file */
} bad[] = {
	{ "state = \"x\"\nlisten = {", ":2: syntax error" },
	{ "\nstaet = \"x\";", ":2: setting 'staet': unknown, expected one of: state, listen" },
	{ "listen: {\n  address = \"127.0.0.1\";\n  prot = 1;\n};",
	  ":3: setting 'prot': unknown here, expected one of: address, port" },
	{ "listen: {\n port = 65536; };",
	  ":2: setting 'port': 65536 is out of range, expected 0 to 65535" },
	{ "listen: { port = -1; };", ":1: setting 'port': -1 is out of range" },
	{ "listen: { port = \"80\"; };",
	  ":1: setting 'port': expected a whole number from 0 to 65535" },
	{ "listen: { port = 1.5; };", ":1: setting 'port': expected a whole number" },
	{ "listen = 8080;", ":1: setting 'listen': expected a group" },
	{ "state = 5;", ":1: setting 'state': expected a string in double quotes" },
	{ "sets = \"smoke\";", ":1: setting 'sets': expected a list of strings" },
	{ "sets = [];", ":1: setting 'sets': expected at least one element" },
	{ "sets = [ \"a/b\" ];", ":1: setting 'sets': element 1: 'a/b' is no name" },
	{ "sets = [ 1 ];", ":1: setting 'sets': element 1: expected a string" },
	{ "test: {\n\n clock = \"sundial\"; };",
	  ":3: setting 'clock': 'sundial' is not known, expected one of \"auto\", \"virtual\", "
	  "\"real\"" },
	{ "test: { memory_mib = 1; };", ":1: setting 'memory_mib': 1 is out of range" },
	{ "known_good: { image = \"bzImage\"; };",
	  ":1: setting 'image': 'bzImage': expected an absolute path" },
	{ "known_good: {\n image = \"/no/such/bzImage\"; };",
	  ":2: setting 'image': '/no/such/bzImage': No such file or directory" },
	{ "sources = {};", ":1: setting 'sources': expected a list of sections" },
	{ "sources = ( 5 );", ":1: setting 'sources': expected a group" },
	{ "sources = ( {\n name = \"a\"; } );", ": a source needs 'name', 'kind' and 'location'" },
	{ "sources = (\n {\n name = \"a\"; kind = \"svn\"; location = \"x\"; } );",
	  ":3: setting 'kind': 'svn' is not known, expected one of \"debian\", \"git\"" },
	{ "sources = ( { name = \"a/b\"; kind = \"git\"; location = \"x\"; } );",
	  ":1: setting 'name': 'a/b' is no name" },
	{ "sources = ( { name = \"a\"; kind = \"git\"; location = \"/no/such/tree\"; } );",
	  ": source 'a', location '/no/such/tree': No such file or directory" },
	{ "sources = ( { name = \"a\"; kind = \"git\"; location = \"--upload-pack=x\"; } );",
	  ": source 'a', location '--upload-pack=x': must not begin with '-'" },
	{ "sources = ( { name = \"a\"; kind = \"debian\"; location = \"x\"; },\n"
	  " { name = \"a\"; kind = \"debian\"; location = \"y\"; } );",
	  ": a source 'a' is there already" },
	{ "sources = ( { name = \"known-good\"; kind = \"debian\"; location = \"x\"; } );",
	  ": the name 'known-good' is the lab's own" },
	{ "sources = ( { name = \"a\"; backlog = 1001; } );",
	  ":1: setting 'backlog': 1001 is out of range, expected 0 to 1000" },
	{ "state = \"\xff\";", ":1: setting 'state': expected UTF-8" },
};

static char *folder, *path;

static int load(struct config *config, const char *text, struct err *err)
{
	assert_int_equal(fs_write_file(path, text, strlen(text), 0600, err), 0);
	return config_load(config, path, folder, NULL, err);
}

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct config config;
		struct err err = ERR_INIT;
		int rc = load(&config, bad[i].text, &err);

		config_release(&config);
		if (rc >= 0)
			fail_msg("taken: %s", bad[i].text);
		if (strncmp(err.text, path, strlen(path)) != 0 || !strstr(err.text, bad[i].want))
			fail_msg("case %zu: want '%s', got '%s'", i, bad[i].want, err.text);
	}
}

static void test_defaults(void **state)
{
	struct config config;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(config_load(&config, NULL, folder, NULL, &err), 0);
	assert_string_equal(config.listen_address, "127.0.0.1");
	assert_int_equal(config.listen_port, 8080);
	assert_string_equal(config.known_good.package, "linux-image-cloud-amd64");
	assert_int_equal(config.source_count, 1);
	assert_string_equal(config.sources[0].sets_json, "[\"smoke\"]");
	assert_int_equal(config.known_good.prove_us, INT64_C(3600000000));
	config_release(&config);
}

static void test_laid_over(void **state)
{
	struct config config;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(
		load(&config,
		     "sets = [ \"a\", \"b\" ]; sources = ( { name = \"n\"; kind = \"debian\";"
		     " location = \"l\"; tags = [ \"v6.*\" ]; } ); build: { jobs = 3; };",
		     &err),
		0);
	assert_int_equal(config.source_count, 1);
	assert_string_equal(config.sources[0].name, "n");
	assert_string_equal(config.sources[0].sets_json, "[\"a\",\"b\"]");
	assert_non_null(strstr(config.sources[0].json, "\"tags\":[\"v6.*\"]"));
	assert_int_equal(config.build.jobs, 3);
	assert_int_equal(config.build.parallel, 1); /* from the defaults */
	config_release(&config);
}

static void test_listen(void **state)
{
	static const struct {
		const char *text, *address; /* NULL = refused */
		int port;
	} cases[] = {
		{ "127.0.0.1:0", "127.0.0.1", 0 },
		{ "[::1]:8080", "::1", 8080 },
		{ "::1:80", "::1", 80 },
		{ "localhost:80", NULL, 0 },
		{ "127.0.0.1", NULL, 0 },
		{ "127.0.0.1:", NULL, 0 },
		{ "127.0.0.1:65536", NULL, 0 },
		{ "127.0.0.1:80x", NULL, 0 },
		{ ":80", NULL, 0 },
		{ "", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config config;
		struct err err = ERR_INIT;
		int rc = config_load(&config, NULL, folder, cases[i].text, &err);

		if ((rc < 0) != !cases[i].address)
			fail_msg("'%s': %d %s", cases[i].text, rc, err.text);
		if (rc >= 0) {
			assert_string_equal(config.listen_address, cases[i].address);
			assert_int_equal(config.listen_port, cases[i].port);
		}
		config_release(&config);
	}
}

static void test_token_file(void **state)
{
	auto_free char *token = path_join(folder, "mytoken");
	auto_free char *text = xasprintf("token_file = \"%s\";", token);
	struct config config;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(load(&config, text, &err), -ENOENT);
	config_release(&config);
	assert_int_equal(fs_write_file(token, "0123456789abcdef\n", 17, 0644, &err), 0);
	assert_int_equal(chmod(token, 0644), 0);
	assert_int_equal(load(&config, text, &err), -EACCES);
	assert_non_null(strstr(err.text, "mode is 0644, expected 0600"));
	config_release(&config);
	assert_int_equal(chmod(token, 0600), 0);
	assert_int_equal(load(&config, text, &err), 0);
	config_release(&config);
}

static void test_missing_file(void **state)
{
	struct config config;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(config_load(&config, "/no/such/file", folder, NULL, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/no/such/file"));
	config_release(&config);
}

static int setup(void **state)
{
	(void)state;
	folder = test_folder();
	path = path_join(folder, "testlabd.conf");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(fs_remove_tree(folder, NULL), 0);
	free(path);
	free(folder);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),   cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_laid_over),  cmocka_unit_test(test_listen),
		cmocka_unit_test(test_token_file), cmocka_unit_test(test_missing_file),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
