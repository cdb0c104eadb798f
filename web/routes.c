#include "web/routes.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"

#define MAX_ID INT64_MAX

#define ID(name, text)                                                                             \
	{                                                                                          \
		name, PARAM_INTEGER, text, NULL, 1, MAX_ID                                         \
	}
#define TEXT(name, text)                                                                           \
	{                                                                                          \
		name, PARAM_TEXT, text, NULL, 0, 0                                                 \
	}
#define WORD(name, words, text)                                                                    \
	{                                                                                          \
		name, PARAM_WORD, text, words, 0, 0                                                \
	}
#define PAGING                                                                                     \
	{ "limit", PARAM_INTEGER, "most items in the answer, 100 unless given", NULL, 1, 1000 },   \
	{                                                                                          \
		"cursor", PARAM_INTEGER, "'next' of the answer before: what follows it", NULL, 1,  \
			MAX_ID                                                                     \
	}
#define END                                                                                        \
	{                                                                                          \
		.name = NULL                                                                       \
	}
#define PARAMS(...) ((const struct param[]){ __VA_ARGS__, END })

#define RUN_STATES "queued|running|done|failed|cancelled"

/* clang-format off: a table is read by its columns */
const struct route routes[] = {
	/* --- API: reading --- */
	{ "/api/v1/status", api_status, NULL,
	  "Health of the lab, what is going on, and how much there is", "Status", NULL, false, true },
	{ "/api/v1/releases", api_releases,
	  PARAMS(TEXT("series", "only of this series"), TEXT("source", "only from this source"), PAGING),
	  "Releases that were found, newest first", "Releases", NULL, false, true },
	{ "/api/v1/kernels", api_kernels,
	  PARAMS(TEXT("series", "only of this series"),
		 WORD("state", "new|building|built|installed|failed", "only in this state"),
		 ID("release", "only of the release with this id"), PAGING),
	  "Kernels with their newest run of every set, newest first", "Kernels", NULL, false, true },
	{ "/api/v1/kernels/{kernel_id}", api_kernel, PARAMS(ID("kernel_id", "the kernel")),
	  "One kernel with runs, files, configuration changes and decisions", "Kernel", NULL, false, true },
	{ "/api/v1/runs", api_runs,
	  PARAMS(ID("kernel", "only of this kernel"), ID("cycle", "only of this cycle"),
		 TEXT("set", "only of this set"), WORD("state", RUN_STATES, "only in this state"), PAGING),
	  "Runs, newest first", "Runs", NULL, false, true },
	{ "/api/v1/runs/{run_id}", api_run, PARAMS(ID("run_id", "the run")),
	  "One run with its counts, diffs and files", "Run", NULL, false, true },
	{ "/api/v1/runs/{run_id}/verdicts", api_run_verdicts,
	  PARAMS(ID("run_id", "the run"),
		 WORD("verdict", "PASS|WARN|FAIL|SKIP|UNSUPPORTED|ERROR", "only this verdict"),
		 WORD("attempts", "final|all", "those that count, or all; final unless given"), PAGING),
	  "Verdicts of a run in the order of its set, without steps", "Verdicts", NULL, false, true },
	{ "/api/v1/verdicts/{verdict_id}", api_verdict, PARAMS(ID("verdict_id", "the verdict")),
	  "One verdict with every step, what was expected and what came", "Verdict", NULL, false, true },
	{ "/api/v1/diffs", api_diffs,
	  PARAMS(ID("run", "only with this run on either side"), TEXT("set", "only of this set"), PAGING),
	  "Comparisons that the lab made, newest first", "Diffs", NULL, false, true },
	{ "/api/v1/diffs/{diff_id}", api_diff, PARAMS(ID("diff_id", "the diff")),
	  "One comparison, test by test", "Diff", NULL, false, true },
	{ "/api/v1/diffs/of/{old_run_id}/{new_run_id}", api_diff_of,
	  PARAMS(ID("old_run_id", "the run to compare with"), ID("new_run_id", "the run to judge")),
	  "Any two runs of one set, compared now", "Diff", NULL, false, true },
	{ "/api/v1/tests/{test_id}", api_test,
	  PARAMS(TEXT("test_id", "the test; '/' in it is written %2F"),
		 TEXT("set", "only in runs of this set"), PAGING),
	  "What came of one test in every run, newest first", "Test", NULL, false, true },
	{ "/api/v1/sets", api_sets, NULL,
	  "The test sets, and how many of their tests exist", "Sets", NULL, false, true },
	{ "/api/v1/sources", api_sources, NULL,
	  "Where releases come from", "Sources", NULL, false, true },
	{ "/api/v1/cycles", api_cycles,
	  PARAMS(ID("kernel", "only of this kernel"), TEXT("state", "only in this state"),
		 WORD("active", "yes|no", "unfinished ones in the order of work, or finished ones"),
		 PAGING),
	  "Ways of kernels through the lab, newest first", "Cycles", NULL, false, true },
	{ "/api/v1/cycles/{cycle_id}", api_cycle, PARAMS(ID("cycle_id", "the cycle")),
	  "One cycle with its moves, jobs and runs", "Cycle", NULL, false, true },
	{ "/api/v1/jobs", api_jobs,
	  PARAMS(ID("cycle", "only of this cycle"),
		 WORD("state", "running|done|failed|interrupted|cancelled", "only in this state"), PAGING),
	  "Child processes at work and done, newest first", "Jobs", NULL, false, true },
	{ "/api/v1/decisions", api_decisions,
	  PARAMS(WORD("area", "source|build|test|compare|health|lab", "only of this area"),
		 ID("kernel", "only about this kernel"), ID("run", "only about this run"),
		 ID("diff", "only about this diff"), ID("source", "only about this source"), PAGING),
	  "What the lab decided and why, newest first", "Decisions", NULL, false, true },
	{ "/api/v1/artifacts/{sha256}", api_artifact,
	  PARAMS({ "sha256", PARAM_SHA256, "SHA-256 of the bytes", NULL, 0, 0 }),
	  "Stored bytes by their hash", NULL, NULL, false, true },
	{ "/api/v1/files/{file_id}", api_file, PARAMS(ID("file_id", "the file")),
	  "Stored bytes by the file that they are", NULL, NULL, false, true },
	{ "/api/v1/openapi.json", api_openapi, NULL,
	  "This description", "OpenAPI", NULL, false, true },

	/* --- API: changing --- */
	{ "/api/v1/cycles", api_post_cycle, NULL,
	  "Have a kernel built (if need be) and tested", "Accepted", "Trigger", true, true },
	{ "/api/v1/cycles/{cycle_id}/cancel", api_post_cancel, PARAMS(ID("cycle_id", "the cycle")),
	  "Give a cycle up", "Accepted", NULL, true, true },
	{ "/api/v1/sources/{name}/poll", api_post_poll, PARAMS(TEXT("name", "the source")),
	  "Look for new releases now", "Accepted", NULL, true, true },

	/* --- pages --- */
	{ "/", page_front,
	  PARAMS(TEXT("series", "only of this series"),
		 { "cursor", PARAM_INTEGER, "older kernels", NULL, 1, MAX_ID }),
	  "Kernels by test sets", NULL, NULL, false, false },
	{ "/kernels/{kernel_id}", page_kernel, PARAMS(ID("kernel_id", "the kernel")),
	  "One kernel", NULL, NULL, false, false },
	{ "/runs/{run_id}", page_run, PARAMS(ID("run_id", "the run")),
	  "One run", NULL, NULL, false, false },
	{ "/verdicts/{verdict_id}", page_verdict, PARAMS(ID("verdict_id", "the verdict")),
	  "One verdict with its evidence", NULL, NULL, false, false },
	{ "/diffs", page_diffs,
	  PARAMS(ID("old", "run to compare with"), ID("new", "run to judge"), TEXT("set", "only of this set"),
		 { "cursor", PARAM_INTEGER, "older diffs", NULL, 1, MAX_ID }),
	  "Comparisons", NULL, NULL, false, false },
	{ "/diffs/{diff_id}", page_diff, PARAMS(ID("diff_id", "the diff")),
	  "One comparison", NULL, NULL, false, false },
	{ "/diffs/of/{old_run_id}/{new_run_id}", page_diff_of,
	  PARAMS(ID("old_run_id", "the run to compare with"), ID("new_run_id", "the run to judge")),
	  "Two runs compared", NULL, NULL, false, false },
	{ "/tests/{test_id}", page_test,
	  PARAMS(TEXT("test_id", "the test"), TEXT("set", "only in runs of this set"),
		 { "cursor", PARAM_INTEGER, "older runs", NULL, 1, MAX_ID }),
	  "History of a test", NULL, NULL, false, false },
	{ "/releases", page_releases,
	  PARAMS(TEXT("series", "only of this series"), TEXT("source", "only from this source"),
		 { "cursor", PARAM_INTEGER, "older releases", NULL, 1, MAX_ID }),
	  "Releases and sources", NULL, NULL, false, false },
	{ "/sets", page_sets, NULL, "Test sets", NULL, NULL, false, false },
	{ "/queue", page_queue,
	  PARAMS({ "cursor", PARAM_INTEGER, "older cycles", NULL, 1, MAX_ID }),
	  "What is, will be and was done", NULL, NULL, false, false },
	{ "/cycles/{cycle_id}", page_cycle, PARAMS(ID("cycle_id", "the cycle")),
	  "One cycle", NULL, NULL, false, false },
	{ "/decisions", page_decisions,
	  PARAMS(WORD("area", "source|build|test|compare|health|lab", "only of this area"),
		 { "cursor", PARAM_INTEGER, "older decisions", NULL, 1, MAX_ID }),
	  "What was decided and why", NULL, NULL, false, false },
	{ "/api", page_api, NULL, "About the API", NULL, NULL, false, false },
	{ "/static/{name}", static_file, PARAMS(TEXT("name", "the file"), TEXT("v", "its version")),
	  "Style, script, icon", NULL, NULL, false, false },
	{ .path = NULL },
};
/* clang-format on */

/* --- paths ------------------------------------------------------------------------ */

/* The next segment of a pattern into [*ret_segment, length); false at the end. */
static bool next_segment(const char **pattern, const char **ret_segment, size_t *ret_length)
{
	if (!**pattern)
		return false;
	*ret_segment = *pattern + 1; /* after the '/' */
	*ret_length = strcspn(*ret_segment, "/");
	*pattern = *ret_segment + *ret_length;
	return *ret_length > 0;
}

static bool is_path_of(const char *pattern, const struct target *target)
{
	const char *segment;
	size_t length, i = 0;

	while (next_segment(&pattern, &segment, &length)) {
		const char *given;

		if (i == target->segment_count)
			return false;
		given = target->segments[i++];
		if (*segment == '{') {
			if (!*given)
				return false;
		} else if (strlen(given) != length || memcmp(given, segment, length) != 0) {
			return false;
		}
	}
	return i == target->segment_count;
}

/* The value of `{name}`, NULL if the path has none of that name. */
static const char *path_value(const char *pattern, const struct target *target, const char *name)
{
	size_t name_length = strlen(name);
	const char *segment;
	size_t length;

	for (size_t i = 0; next_segment(&pattern, &segment, &length); i++)
		if (*segment == '{' && length == name_length + 2 &&
		    memcmp(segment + 1, name, name_length) == 0)
			return target->segments[i];
	return NULL;
}

bool route_has_path_param(const struct route *route, const char *name)
{
	const char *pattern = route->path, *segment;
	size_t length;

	while (next_segment(&pattern, &segment, &length))
		if (*segment == '{' && length == strlen(name) + 2 &&
		    memcmp(segment + 1, name, strlen(name)) == 0)
			return true;
	return false;
}

const struct route *route_find(const struct target *target, enum method method,
			       const char **ret_allow)
{
	bool can_get = false, can_post = false;

	*ret_allow = NULL;
	for (const struct route *route = routes; route->path; route++) {
		if (!is_path_of(route->path, target))
			continue;
		if (route->is_post ? method == METHOD_POST
				   : method == METHOD_GET || method == METHOD_HEAD)
			return route;
		can_get |= !route->is_post;
		can_post |= route->is_post;
	}
	if (can_get)
		*ret_allow = can_post ? "GET, HEAD, POST" : "GET, HEAD";
	else if (can_post)
		*ret_allow = "POST";
	return NULL;
}

/* --- parameters --------------------------------------------------------------------- */

static const struct param *find_param(const struct route *route, const char *name)
{
	for (const struct param *param = route->params; param && param->name; param++)
		if (strcmp(param->name, name) == 0)
			return param;
	return NULL;
}

static bool is_word_of(const char *words, const char *text)
{
	size_t size = strlen(text);

	while (*words) {
		size_t length = strcspn(words, "|");

		if (length == size && memcmp(words, text, size) == 0)
			return true;
		words += length + (words[length] == '|');
	}
	return false;
}

static int check_value(const struct param *param, const char *value, struct err *err)
{
	int64_t unused;

	switch (param->type) {
	case PARAM_INTEGER:
		if (parse_integer(value, param->min, param->max, &unused, err) < 0)
			return err_prefix(err, "parameter '%s'", param->name);
		return 0;
	case PARAM_TEXT:
		if (!*value)
			return err_set(err, LAB_EINVALID, "parameter '%s': is empty", param->name);
		return 0;
	case PARAM_WORD:
		if (!is_word_of(param->words, value))
			return err_set(err, LAB_EINVALID, "parameter '%s': expected one of %s",
				       param->name, param->words);
		return 0;
	case PARAM_SHA256:
		if (strlen(value) != 64 || strspn(value, "0123456789abcdef") != 64)
			return err_set(err, LAB_EINVALID,
				       "parameter '%s': expected 64 hexadecimal digits in lower case",
				       param->name);
		return 0;
	}
	return 0;
}

int route_check_params(const struct route *route, const struct target *target, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < target->pair_count && rc >= 0; i++) {
		const struct target_pair *pair = &target->pairs[i];
		const struct param *param = find_param(route, pair->name);

		if (!param || route_has_path_param(route, pair->name))
			return err_set(err, LAB_EINVALID, "parameter '%s': is not known here",
				       pair->name);
		for (size_t j = 0; j < i; j++)
			if (strcmp(target->pairs[j].name, pair->name) == 0)
				return err_set(err, LAB_EINVALID, "parameter '%s': is given twice",
					       pair->name);
		rc = check_value(param, pair->value, err);
	}
	for (const struct param *param = route->params; param && param->name && rc >= 0; param++) {
		const char *value = path_value(route->path, target, param->name);

		if (value)
			rc = check_value(param, value, err);
	}
	return rc;
}

const char *exchange_text(const struct exchange *exchange, const char *name)
{
	const struct target *target = &exchange->request->target;
	const char *value = path_value(exchange->request->route->path, target, name);

	for (size_t i = 0; i < target->pair_count && !value; i++)
		if (strcmp(target->pairs[i].name, name) == 0)
			value = target->pairs[i].value;
	return value;
}

int64_t exchange_int(const struct exchange *exchange, const char *name, int64_t otherwise)
{
	const char *text = exchange_text(exchange, name);
	int64_t value = otherwise;

	if (text) /* was checked by route_check_params() */
		(void)parse_integer(text, 0, INT64_MAX, &value, NULL);
	return value;
}

int exchange_reply_json(struct exchange *exchange, json_t *value)
{
	auto_json json_t *owned = value;
	auto_free char *text = json_text(owned);

	exchange->response->content_type = "application/json";
	buf_append_string(&exchange->response->body, text);
	buf_append_char(&exchange->response->body, '\n');
	return 0;
}
