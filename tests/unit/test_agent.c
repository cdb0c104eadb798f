/* What is said to the guest agent, and what it may answer. */
#include "runners/agent.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "tests/unit/lab_cmocka.h"

static void commands_are_json(void **state)
{
	static const char *const argv[] = { "/bin/ec\"ho", "a b", "\xff", NULL };
	char *text = agent_exec_command(7, argv);
	auto_json json_t *value = NULL;
	const json_t *arguments;

	(void)state;
	assert_int_equal(json_parse(text, strlen(text), &value, NULL), 0);
	assert_null(strchr(text, '\n')); /* one line is one command */
	assert_int_equal(json_int_or(value, "id", 0), 7);
	assert_string_equal(json_string_or(value, "execute", ""), "guest-exec");
	arguments = json_object_get(value, "arguments");
	assert_string_equal(json_string_or(arguments, "path", ""), "/bin/ec\"ho");
	assert_true(json_bool_or(arguments, "capture-output", false));
	assert_int_equal(json_array_size(json_object_get(arguments, "arg")), 2);
	free(text);
	text = agent_status_command(8, 4711);
	assert_non_null(strstr(text, "4711"));
	free(text);
	text = agent_ping_command(9);
	assert_string_equal(text, "{\"execute\":\"guest-ping\",\"id\":9}");
	free(text);
}

static int parse(const char *line, json_t **ret_value, struct err *err)
{
	return agent_parse(line, strlen(line), 5, ret_value, err);
}

static void only_the_answer_counts(void **state)
{
	static const char *const others[] = {
		"",
		"{",
		"null",
		"[]",
		"{\"return\":{}}",
		"{\"return\":{},\"id\":4}",
		"{\"return\":{},\"id\":\"5\"}",
		"{\"id\":5}",
		"{\"event\":\"x\",\"id\":5}",
		"\xff\xff",
	};
	struct err err = ERR_INIT;
	json_t *value = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (parse(others[i], &value, &err) != 0)
			fail_msg("taken for an answer: %s", others[i]);
	assert_null(value);
	assert_int_equal(parse("{\"return\":{\"pid\":3},\"id\":5}\r", &value, &err), 1);
	assert_int_equal(json_int_or(value, "pid", 0), 3);
	json_decref(value);
	assert_int_equal(
		parse("{\"error\":{\"class\":\"GenericError\",\"desc\":\"no\\nsuch\"},\"id\":5}",
		      &value, &err),
		LAB_EVIRT);
	assert_string_equal(err.text, "guest agent: no?such");
}

static int read_status(const char *text, struct agent_status *ret_status, struct err *err)
{
	auto_json json_t *value = NULL;

	assert_int_equal(json_parse(text, strlen(text), &value, NULL), 0);
	return agent_read_status(value, ret_status, err);
}

static void status_is_read(void **state)
{
	struct agent_status status;

	(void)state;
	assert_int_equal(read_status("{\"exited\":false}", &status, NULL), 0);
	assert_false(status.exited);
	agent_status_release(&status);
	assert_int_equal(read_status("{\"exited\":true,\"exitcode\":3,\"out-data\":\"aGVsbG8K\","
				     "\"err-data\":\"YQBi\"}",
				     &status, NULL),
			 0);
	assert_int_equal(status.exit_status, 3);
	assert_string_equal(status.output, "hello\n");
	assert_string_equal(status.error_output, "a?b");
	agent_status_release(&status);
	assert_int_equal(read_status("{\"exited\":true,\"signal\":9}", &status, NULL), 0);
	assert_int_equal(status.exit_status, -9);
	assert_string_equal(status.output, "");
	agent_status_release(&status);
}

/* RFC 4648 section 10. */
static void base64_is_decoded(void **state)
{
	static const char *const pairs[][2] = {
		{ "", "" },
		{ "Zg==", "f" },
		{ "Zm8=", "fo" },
		{ "Zm9v", "foo" },
		{ "Zm9vYg==", "foob" },
		{ "Zm9vYmE=", "fooba" },
		{ "Zm9vYmFy", "foobar" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		auto_json json_t *value = json_pack("{s:b, s:i, s:s}", "exited", 1, "exitcode", 0,
						    "out-data", pairs[i][0]);
		struct agent_status status;

		assert_int_equal(agent_read_status(value, &status, NULL), 0);
		assert_string_equal(status.output, pairs[i][1]);
		agent_status_release(&status);
	}
}

static void nonsense_is_refused(void **state)
{
	static const char *const texts[] = {
		"{}",
		"{\"exited\":1}",
		"{\"exited\":true}",
		"{\"exited\":true,\"exitcode\":\"0\"}",
		"{\"exited\":true,\"exitcode\":256}",
		"{\"exited\":true,\"signal\":0}",
		"{\"exited\":true,\"exitcode\":0,\"out-data\":\"!!!!\"}",
		"{\"exited\":true,\"exitcode\":0,\"err-data\":\"a\\u0001bc\"}",
		"[]",
	};
	struct agent_status status;
	struct err err = ERR_INIT;
	auto_json json_t *value = json_pack("{s:i}", "pid", -1);
	int64_t pid;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (read_status(texts[i], &status, &err) != LAB_EPARSE)
			fail_msg("taken: %s", texts[i]);
	assert_int_equal(agent_read_exec(value, &pid, &err), LAB_EPARSE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_json),   cmocka_unit_test(only_the_answer_counts),
		cmocka_unit_test(status_is_read),      cmocka_unit_test(base64_is_decoded),
		cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
