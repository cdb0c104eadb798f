#include "cli/results.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/time.h"
#include "cli/options.h"

void results_init(struct results *results, const json_t *ids)
{
	*results = (struct results){ .count = json_array_size(ids) };
	results->items = xcalloc(results->count, sizeof(*results->items));
	for (size_t i = 0; i < results->count; i++) {
		results->items[i].id = json_string_value(json_array_get(ids, i));
		results->items[i].attempts = json_array();
	}
}

void results_release(struct results *results)
{
	for (size_t i = 0; i < results->count; i++) {
		json_decref(results->items[i].final);
		json_decref(results->items[i].attempts);
	}
	free(results->items);
	free(results->uname);
	free(results->accelerator);
	free(results->clock);
	free(results->suite_version);
	*results = (struct results){ 0 };
}

static struct result *find_result(const struct results *results, const char *id)
{
	for (size_t i = 0; i < results->count; i++) {
		if (strcmp(results->items[i].id, id) == 0)
			return &results->items[i];
	}
	return NULL;
}

static double to_seconds(const json_t *report, const char *key)
{
	return (double)json_int_or(report, key, 0) / (double)NS_PER_SECOND;
}

static void keep_word(char **word, const json_t *report, const char *key)
{
	const char *text = json_string_or(report, key, NULL);

	if (!text)
		return;
	free(*word);
	*word = xstrdup(text);
}

static const struct result *take_test(struct results *results, json_t *report)
{
	struct result *result = find_result(results, json_string_or(report, "id", ""));
	enum verdict verdict;

	if (!result || result->final ||
	    verdict_from_string(json_string_or(report, "verdict", ""), &verdict) < 0)
		return NULL;
	(void)json_array_append_new(result->attempts,
				    json_pack("{s:I,s:s,s:s?,s:f}", "attempt",
					      (json_int_t)json_array_size(result->attempts) + 1,
					      "verdict", verdict_to_string(verdict), "reason",
					      json_string_or(report, "reason", NULL),
					      "wall_seconds", to_seconds(report, "wall_ns")));
	if (!json_bool_or(report, "final", true))
		return NULL;
	result->final = json_incref(report);
	/* The steps of what passed are in report.jsonl; nobody asks for them here. */
	if (verdict == VERDICT_PASS)
		(void)json_object_del(report, "steps");
	results->done++;
	return result;
}

const struct result *results_take(struct results *results, json_t *report)
{
	const char *event = json_string_or(report, "event", "");

	if (strcmp(event, "nut") == 0) {
		keep_word(&results->uname, report, "uname");
		keep_word(&results->accelerator, report, "accelerator");
		keep_word(&results->clock, report, "clock");
	} else if (strcmp(event, "plan") == 0) {
		keep_word(&results->suite_version, report, "suite_version");
	} else if (strcmp(event, "test") == 0) {
		return take_test(results, report);
	}
	return NULL;
}

const struct result *results_give_up(struct results *results, const char *id, const char *reason)
{
	auto_json json_t *reason_text = json_string_lossy(reason, strlen(reason));
	auto_json json_t *report = json_pack(
		"{s:s,s:s,s:s,s:s,s:O,s:b}", "event", "test", "id", id, "title", "", "verdict",
		verdict_to_string(VERDICT_ERROR), "reason", reason_text, "final", 1);

	return take_test(results, report);
}

bool results_is_final(const struct results *results, const char *id)
{
	const struct result *result = find_result(results, id);

	return result && result->final;
}

enum verdict result_verdict(const struct result *result)
{
	enum verdict verdict = VERDICT_ERROR;

	(void)verdict_from_string(json_string_or(result->final, "verdict", ""), &verdict);
	return verdict;
}

void results_count(const struct results *results, size_t ret_counts[VERDICT_COUNT_])
{
	memset(ret_counts, 0, VERDICT_COUNT_ * sizeof(*ret_counts));
	for (size_t i = 0; i < results->count; i++)
		ret_counts[result_verdict(&results->items[i])]++;
}

int results_status(const struct results *results)
{
	enum verdict gravest = VERDICT_SKIP;

	if (results->count == 0)
		return CLI_TROUBLE; /* nothing was tested: that is not "all passed" */
	for (size_t i = 0; i < results->count; i++) {
		enum verdict verdict = result_verdict(&results->items[i]);

		if (verdict_rank(verdict) > verdict_rank(gravest))
			gravest = verdict;
	}
	return verdict_exit_code(gravest);
}

static json_t *copy_or_null(const json_t *report, const char *key)
{
	json_t *value = json_object_get(report, key);

	return value ? json_incref(value) : json_null();
}

static json_t *result_to_json(const struct result *result, bool has_files)
{
	const json_t *final = result->final;
	const json_t *files = has_files ? final : NULL;

	return json_pack(
		"{s:s,s:s,s:s,s:f,s:f,s:s?,s:o,s:o,s:o,s:O,s:o,s:o}", "id", result->id, "title",
		json_string_or(final, "title", ""), "verdict",
		verdict_to_string(result_verdict(result)), "wall_seconds",
		to_seconds(final, "wall_ns"), "clock_seconds", to_seconds(final, "clock_ns"),
		"clock", json_string_or(final, "clock", NULL), "reason",
		copy_or_null(final, "reason"), "signature", copy_or_null(final, "signature"),
		"clauses", copy_or_null(final, "clauses"), "attempts", result->attempts, "capture",
		copy_or_null(files, "capture"), "console", copy_or_null(files, "console"));
}

double results_clock_seconds(const struct results *results)
{
	double sum = 0;

	for (size_t i = 0; i < results->count; i++)
		sum += to_seconds(results->items[i].final, "clock_ns");
	return sum;
}

json_t *results_to_json(const struct results *results, bool has_files)
{
	json_t *tests = json_array();

	for (size_t i = 0; i < results->count; i++)
		(void)json_array_append_new(tests, result_to_json(&results->items[i], has_files));
	return tests;
}
