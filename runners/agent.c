/* Guest agent commands and answers. */
#include "runners/agent.h"

#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/limits.h"

/* Takes over `arguments` (may be NULL). */
static char *command_text(int64_t id, const char *name, json_t *arguments)
{
	auto_json json_t *command = json_pack("{s:I, s:s}", "id", (json_int_t)id, "execute", name);

	if (arguments)
		json_object_set_new(command, "arguments", arguments);
	return json_text(command);
}

char *agent_ping_command(int64_t id)
{
	return command_text(id, "guest-ping", NULL);
}

char *agent_exec_command(int64_t id, const char *const *argv)
{
	json_t *words = json_array();

	for (size_t i = 1; argv[i]; i++)
		json_array_append_new(words, json_string_lossy(argv[i], strlen(argv[i])));
	return command_text(id, "guest-exec",
			    json_pack("{s:o, s:o, s:b}", "path",
				      json_string_lossy(argv[0], strlen(argv[0])), "arg", words,
				      "capture-output", 1));
}

char *agent_status_command(int64_t id, int64_t pid)
{
	return command_text(id, "guest-exec-status", json_pack("{s:I}", "pid", (json_int_t)pid));
}

/* The agent's words for a refusal, on one line. */
static int refusal(const json_t *error, struct err *err)
{
	auto_free char *words = xstrdup(json_string_or(error, "desc", "no reason given"));

	for (char *c = words; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	return err_set(err, LAB_EVIRT, "guest agent: %s", words);
}

int agent_parse(const char *line, size_t size, int64_t id, json_t **ret_value, struct err *err)
{
	auto_json json_t *root = NULL;
	json_t *value, *error;

	if (json_parse(line, size, &root, NULL) < 0 || json_int_or(root, "id", -1) != id)
		return 0;
	error = json_object_get(root, "error");
	if (error)
		return refusal(error, err);
	value = json_object_get(root, "return");
	if (!value)
		return 0;
	*ret_value = json_incref(value);
	return 1;
}

int agent_read_exec(const json_t *value, int64_t *ret_pid, struct err *err)
{
	if (json_get_int(value, "pid", 0, INT64_MAX, ret_pid, NULL) < 0)
		return err_set(err, LAB_EPARSE, "guest agent: expected a number 'pid'");
	return 0;
}

/* The value of one base64 digit, or -1. RFC 4648 section 4. */
static int digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	if (c == '/')
		return 63;
	return -1;
}

/* Base64 to text; NULL if it is not base64. */
static char *decode(const char *base64)
{
	size_t length = strlen(base64);
	char *text = xcalloc(length / 4 * 3 + 4, 1);
	size_t size = 0, i = 0;
	unsigned bits = 0;

	for (; i < length && base64[i] != '='; i++) {
		int value = digit_value(base64[i]);

		if (value < 0) {
			free(text);
			return NULL;
		}
		bits = bits << 6 | (unsigned)value;
		if (i % 4 != 0) {
			char c = (char)(bits >> (6 - 2 * (i % 4)) & 0xff);

			text[size++] = c ? c : '?';
		}
	}
	return text;
}

static int parse_output(const json_t *value, const char *key, char **ret_text, struct err *err)
{
	const char *base64 = json_string_or(value, key, "");

	if (strlen(base64) / 4 * 3 > LIMIT_AGENT_REPLY)
		return err_set(err, LAB_EPARSE, "guest agent: '%s' is larger than %u bytes", key,
			       LIMIT_AGENT_REPLY);
	*ret_text = decode(base64);
	if (!*ret_text)
		return err_set(err, LAB_EPARSE, "guest agent: '%s' is no base64", key);
	return 0;
}

int agent_read_status(const json_t *value, struct agent_status *ret_status, struct err *err)
{
	struct agent_status status = { 0 };
	int64_t number = 0;
	int rc;

	if (json_get_bool(value, "exited", &status.exited, NULL) < 0)
		return err_set(err, LAB_EPARSE, "guest agent: expected a truth value 'exited'");
	if (status.exited) {
		if (json_get_int(value, "exitcode", 0, 255, &number, NULL) == 0)
			status.exit_status = (int)number;
		else if (json_get_int(value, "signal", 1, 127, &number, NULL) == 0)
			status.exit_status = -(int)number;
		else
			return err_set(err, LAB_EPARSE,
				       "guest agent: expected 'exitcode' or 'signal'");
		rc = parse_output(value, "out-data", &status.output, err);
		if (rc == 0)
			rc = parse_output(value, "err-data", &status.error_output, err);
		if (rc < 0) {
			agent_status_release(&status);
			return rc;
		}
	}
	*ret_status = status;
	return 0;
}

void agent_status_release(struct agent_status *status)
{
	free(status->output);
	free(status->error_output);
	*status = (struct agent_status){ 0 };
}
