/* testlab status and testlab trigger: talk to a daemon over its API. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/http.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/time.h"
#include "cli/commands.h"
#include "cli/show.h"

#define URL_DEFAULT      "http://127.0.0.1:8080"
#define ANSWER_BYTES_MAX (16u << 20)
#define TIMEOUT_MS       20000
#define TOKEN_BYTES_MAX  4096

enum {
	OPTION_URL = 1,
	OPTION_STATE,
	OPTION_TOKEN_FILE,
	OPTION_FORMAT,
	OPTION_KERNEL,
	OPTION_MODULES,
	OPTION_NAME,
	OPTION_RELEASE,
	OPTION_KERNEL_ID,
	OPTION_SET,
};

#define COMMON_OPTIONS                                                                             \
	{ OPTION_URL, "url", "URL",                                                                \
	  "address of the daemon (default: that of the one running on STATE, "                     \
	  "else " URL_DEFAULT ")" },                                                               \
		{ OPTION_STATE, "state", "STATE",                                                  \
		  "state folder of the daemon, if it is not the default one" },                    \
		{ OPTION_TOKEN_FILE, "token-file", "FILE",                                         \
		  "file with the API token (default: TESTLAB_TOKEN in "                            \
		  "the environment, else STATE/token)" },                                          \
	{                                                                                          \
		OPTION_FORMAT, "format", "FORMAT",                                                 \
			"text (default) or json: the daemon's answer as it is"                     \
	}

static const struct option_row status_options[] = { COMMON_OPTIONS, { 0 } };

static const struct option_row trigger_options[] = {
	{ OPTION_RELEASE, "release", "NAME",
	  "test this release, which a source of the lab offers" },
	{ OPTION_KERNEL_ID, "kernel-id", "ID", "test this kernel of the lab again" },
	{ OPTION_KERNEL, "kernel", "IMAGE", "test this kernel image, on the daemon's machine" },
	{ OPTION_MODULES, "modules", "DIR", "lib/modules/VERSION folder of --kernel" },
	{ OPTION_NAME, "name", "NAME", "what to call --kernel (default: its file name)" },
	{ OPTION_SET, "set", "SET",
	  "with this test set; may be repeated (default: the lab's sets)" },
	COMMON_OPTIONS,
	{ 0 },
};

struct settings {
	const char *url, *state, *token_file;
	bool is_json;
	const char *release, *kernel, *modules, *name;
	long kernel_id;
	json_t *sets;
};

static int take_option(int id, const char *value, void *user, struct err *err)
{
	struct settings *settings = user;

	switch (id) {
	case OPTION_URL:
		settings->url = value;
		return 0;
	case OPTION_STATE:
		settings->state = value;
		return 0;
	case OPTION_TOKEN_FILE:
		settings->token_file = value;
		return 0;
	case OPTION_FORMAT:
		settings->is_json = strcmp(value, "json") == 0;
		return parse_word("format", value, format_words, err);
	case OPTION_RELEASE:
		settings->release = value;
		return 0;
	case OPTION_KERNEL:
		settings->kernel = value;
		return 0;
	case OPTION_MODULES:
		settings->modules = value;
		return 0;
	case OPTION_NAME:
		settings->name = value;
		return 0;
	case OPTION_KERNEL_ID:
		return parse_number("kernel-id", value, 1, LONG_MAX, &settings->kernel_id, err);
	case OPTION_SET:
		if (json_array_append_new(settings->sets, json_string(value)) < 0)
			return err_set(err, LAB_EINVALID, "set: its name is no UTF-8");
		return 0;
	}
	return err_set(err, LAB_EINVALID, "option %d: not handled", id);
}

/* --- where the daemon is -------------------------------------------------------------- */

static char *state_folder(const struct settings *settings)
{
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");

	if (settings->state)
		return xstrdup(settings->state);
	if (state && *state == '/')
		return path_join(state, "testlab");
	if (geteuid() == 0)
		return xstrdup("/var/lib/testlab");
	return path_join(home ? home : "/", ".local/state/testlab");
}

/* The daemon's own note of where it listens, NULL if none runs there. */
static json_t *read_note(const char *state)
{
	auto_free char *path = path_join(state, "testlabd.json");
	json_t *note = NULL;

	return json_read_file(path, LIMIT_CONFIG_BYTES, &note, NULL) < 0 ? NULL : note;
}

static int read_token(const struct settings *settings, const char *state, const json_t *note,
		      char **ret_token, struct err *err)
{
	auto_free char *in_state = path_join(state, "token");
	const char *path = settings->token_file;
	auto_free char *token = NULL;
	size_t size;
	int rc;

	if (!path && getenv("TESTLAB_TOKEN")) {
		*ret_token = xstrdup(getenv("TESTLAB_TOKEN"));
		return 0;
	}
	if (!path)
		path = json_string_or(note, "token_file", in_state);
	rc = fs_read_file(path, TOKEN_BYTES_MAX, &token, &size, err);
	if (rc < 0)
		return err_prefix(err, "token of the API");
	while (size && isspace((unsigned char)token[size - 1]))
		token[--size] = '\0';
	*ret_token = STEAL_PTR(token);
	return 0;
}

/* One exchange; LAB_EFAIL with the daemon's own sentence when it refuses. */
static int call(const struct settings *settings, const char *method, const char *path,
		const json_t *body, json_t **ret_value, struct err *err)
{
	auto_free char *state = state_folder(settings);
	auto_json json_t *note = read_note(state);
	auto_free char *base =
		xstrdup(settings->url ? settings->url : json_string_or(note, "url", URL_DEFAULT));
	auto_cleanup(http_answer_release) struct http_answer answer = { 0 };
	auto_free char *token = NULL;
	auto_free char *text = body ? json_text(body) : NULL;
	auto_free char *url = NULL;
	int rc;

	while (*base && base[strlen(base) - 1] == '/')
		base[strlen(base) - 1] = '\0';
	url = xasprintf("%s%s", base, path);
	rc = read_token(settings, state, note, &token, body ? err : NULL);
	if (rc < 0 && body)
		return rc; /* reading needs no token */
	rc = http_perform(&(struct http_request){ .method = method,
						  .url = url,
						  .bearer_token = token,
						  .content_type = body ? "application/json" : NULL,
						  .body = text,
						  .body_size = text ? strlen(text) : 0,
						  .max_answer_bytes = ANSWER_BYTES_MAX,
						  .timeout_ms = TIMEOUT_MS },
			  &answer, err);
	if (rc < 0)
		return err_prefix(err, "no answer from the daemon (is testlabd running?)");
	rc = json_parse(answer.body, answer.body_size, ret_value, err);
	if (rc < 0)
		return err_prefix(err, "'%s' answers with status %ld and no JSON", url,
				  answer.status);
	if (answer.status >= 400) {
		const json_t *error = json_object_get(*ret_value, "error");

		rc = err_set(err, LAB_EFAIL, "the daemon refuses (status %ld): %s", answer.status,
			     json_string_or(error, "text", "it does not say why"));
		json_decref_p(ret_value);
	}
	return rc;
}

/* --- status ------------------------------------------------------------------------------ */

static void print_job(const json_t *job)
{
	printf("  %s", json_string_or(job, "kind", "?"));
	if (json_string_or(job, "release", NULL)) {
		printf(" of ");
		show_text(stdout, json_string_or(job, "release", ""));
	}
	if (json_string_or(job, "set", NULL)) {
		printf(", set ");
		show_text(stdout, json_string_or(job, "set", ""));
	}
	if (json_int_or(job, "total", 0) > 0)
		printf(": %lld of %lld", (long long)json_int_or(job, "done", 0),
		       (long long)json_int_or(job, "total", 0));
	if (json_string_or(job, "text", NULL)) {
		printf(", ");
		show_text(stdout, json_string_or(job, "text", ""));
	}
	printf("\n");
}

static void print_cycle(const json_t *cycle)
{
	printf("  %-4lld %-32s %-14s ", (long long)json_int_or(cycle, "cycle_id", 0),
	       json_string_or(cycle, "release", "?"), json_string_or(cycle, "state", "?"));
	show_text(stdout, json_string_or(cycle, "note", json_string_or(cycle, "reason", "")));
	printf("\n");
}

static void print_status(const json_t *status)
{
	const json_t *counts = json_object_get(status, "counts");
	const json_t *item;
	size_t i;

	printf("testlabd %s, health: %s", json_string_or(status, "version", "?"),
	       json_string_or(status, "health", "unknown"));
	if (json_string_or(status, "health_note", NULL)) {
		printf(" (");
		show_text(stdout, json_string_or(status, "health_note", ""));
		printf(")");
	}
	printf("\n%lld releases, %lld kernels, %lld runs\n",
	       (long long)json_int_or(counts, "releases", 0),
	       (long long)json_int_or(counts, "kernels", 0),
	       (long long)json_int_or(counts, "runs", 0));
	printf("at work: %zu\n", json_array_size(json_object_get(status, "jobs")));
	json_array_foreach(json_object_get(status, "jobs"), i, item)
		print_job(item);
	printf("queue: %zu\n", json_array_size(json_object_get(status, "cycles")));
	json_array_foreach(json_object_get(status, "cycles"), i, item)
		print_cycle(item);
}

static int status_main(const struct command *command, int argc, char **argv)
{
	auto_json json_t *sets = json_array();
	auto_json json_t *answer = NULL;
	struct settings settings = { .sets = sets };
	struct err err = ERR_INIT;
	int status;

	if (!options_parse(command, argc, argv, &settings, &status))
		return status;
	if (call(&settings, "GET", "/api/v1/status", NULL, &answer, &err) < 0)
		return show_trouble(command, &err);
	if (settings.is_json)
		show_json(answer);
	else
		print_status(answer);
	return CLI_OK;
}

/* --- trigger ------------------------------------------------------------------------------ */

/* The body of the request, or NULL with `err` set. */
static json_t *make_order(const struct settings *settings, struct err *err)
{
	auto_free char *image = settings->kernel ? realpath(settings->kernel, NULL) : NULL;
	auto_free char *modules = settings->modules ? realpath(settings->modules, NULL) : NULL;
	json_t *order;

	if (settings->kernel && !image) {
		(void)err_set(err, LAB_EINVALID, "kernel '%s': %s", settings->kernel,
			      strerror(errno));
		return NULL;
	}
	if (settings->modules && !modules) {
		(void)err_set(err, LAB_EINVALID, "modules '%s': %s", settings->modules,
			      strerror(errno));
		return NULL;
	}
	order = json_object();
	if (image) {
		const char *slash = strrchr(image, '/');

		(void)json_object_set_new(order, "image", json_string(image));
		(void)json_object_set_new(order, "name",
					  json_string(settings->name ? settings->name : slash + 1));
	}
	if (modules)
		(void)json_object_set_new(order, "modules", json_string(modules));
	if (settings->release)
		(void)json_object_set_new(order, "release", json_string(settings->release));
	if (settings->kernel_id)
		(void)json_object_set_new(order, "kernel_id", json_integer(settings->kernel_id));
	if (json_array_size(settings->sets))
		(void)json_object_set(order, "sets", settings->sets);
	return order;
}

static int trigger_main(const struct command *command, int argc, char **argv)
{
	auto_json json_t *sets = json_array();
	auto_json json_t *order = NULL;
	auto_json json_t *answer = NULL;
	struct settings settings = { .sets = sets };
	struct err err = ERR_INIT;
	int status;

	if (!options_parse(command, argc, argv, &settings, &status))
		return status;
	if (!!settings.release + !!settings.kernel + !!settings.kernel_id != 1)
		return usage_error(command, "expected one of --release, --kernel and --kernel-id");
	if ((settings.modules || settings.name) && !settings.kernel)
		return usage_error(command, "--modules and --name go with --kernel");
	order = make_order(&settings, &err);
	if (!order)
		return usage_error(command, "%s", err.text);
	if (call(&settings, "POST", "/api/v1/cycles", order, &answer, &err) < 0)
		return show_trouble(command, &err);
	if (settings.is_json)
		show_json(answer);
	else
		printf("cycle %lld of kernel %lld; `testlab status` follows it\n",
		       (long long)json_int_or(answer, "cycle_id", 0),
		       (long long)json_int_or(answer, "kernel_id", 0));
	return CLI_OK;
}

const struct command command_status = {
	.name = "status",
	.usage = "[OPTION]...",
	.summary = "Say what a daemon is doing",
	.options = status_options,
	.on_option = take_option,
	.main = status_main,
};

const struct command command_trigger = {
	.name = "trigger",
	.usage = "--release NAME | --kernel IMAGE [--modules DIR] | --kernel-id ID [--set SET]...",
	.summary = "Have a daemon test a release, a kernel of its own, or an image",
	.options = trigger_options,
	.on_option = take_option,
	.main = trigger_main,
};
