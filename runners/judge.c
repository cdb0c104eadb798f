/*
 * Expected against received. An expectation looks at the frames of the present
 * exchange that no earlier expectation has taken: those that came since the
 * first send after the last judgement. What else came in that time is kept as
 * near misses, best first.
 */
#include "runners/context.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/time.h"
#include "packets/match.h"
#include "packets/packet.h"
#include "runners/loop.h"

#define NEAR_MISSES_MAX 3
/* Characters of a value in the reason of a verdict; the step has all of them. */
#define SHOWN_MAX 100
/* Exchanges can have thousands of frames; only so many of them are candidates for near misses. */
#define CANDIDATES_MAX 256

/* How one frame compares with one expectation. */
struct evaluation {
	size_t frame; /* index in the trace */
	bool matched;
	unsigned layers_found;
	unsigned mismatch_count;
	json_t *fields; /* owned */
	char *field;    /* first mismatch as "layer.field", "" when a layer is missing; owned */
	char *text;     /* the same in words; owned, NULL when matched */
};

static void release_evaluation(struct evaluation *evaluation)
{
	json_decref(evaluation->fields);
	free(evaluation->field);
	free(evaluation->text);
	*evaluation = (struct evaluation){ 0 };
}

static void add_mismatch(struct evaluation *evaluation, const char *layer, const char *field,
			 const char *want, const char *got)
{
	evaluation->matched = false;
	evaluation->mismatch_count++;
	if (evaluation->text)
		return;
	if (*field) {
		evaluation->field = xasprintf("%s.%s", layer, field);
		evaluation->text = xasprintf("%s.%s is %.*s, expected %.*s", layer, field,
					     SHOWN_MAX, got, SHOWN_MAX, want);
	} else {
		evaluation->field = xstrdup("");
		evaluation->text = xasprintf("no %s in it", layer);
	}
}

/* `from` and `to` name nodes: compared by MAC, which shows the hop that was really taken. */
static void compare_mac(struct evaluation *evaluation, const struct context *context, int node,
			const char *field, const uint8_t *got)
{
	char want_text[MAC_TEXT_SIZE], got_text[MAC_TEXT_SIZE];
	bool ok;

	if (node < 0)
		return;
	ok = !memcmp(context->nodes[node].seen.mac, got, 6);
	(void)mac_to_string(context->nodes[node].seen.mac, want_text);
	(void)mac_to_string(got, got_text);
	if (!ok)
		add_mismatch(evaluation, "ether", field, want_text, got_text);
	(void)json_array_append_new(evaluation->fields,
				    json_pack("{s:s,s:s,s:s,s:s,s:b}", "layer", "ether", "field",
					      field, "want", want_text, "got", got_text, "ok", ok));
}

/* Whatever is expected must have the right checksum and lengths (RFC 4443 2.3, RFC 8200 8.1). */
static void check_soundness(struct evaluation *evaluation, const struct packet *packet)
{
	struct err why = ERR_INIT;

	if (!evaluation->matched || packet_is_sound(packet, &why))
		return;
	evaluation->matched = false;
	evaluation->mismatch_count++;
	evaluation->field = xstrdup("checksum");
	evaluation->text = xasprintf("broken: %s", why.text);
	(void)json_array_append_new(evaluation->fields,
				    json_pack("{s:s,s:s,s:s,s:s,s:b}", "layer", "packet", "field",
					      "checksum", "want", "right", "got", why.text, "ok",
					      0));
}

static void evaluate(const struct context *context, const struct script_expectation *expectation,
		     size_t index, struct evaluation *ret_evaluation)
{
	const struct frame *frame = &context->trace.frames[index];
	struct match_result result;

	*ret_evaluation = (struct evaluation){ .frame = index, .matched = true };
	pattern_match(expectation->pattern, frame->packet, &result);
	ret_evaluation->layers_found = result.layers_found;
	ret_evaluation->fields = result.fields ? json_incref(result.fields) : json_array();
	for (unsigned i = 0; i < result.mismatch_count; i++)
		add_mismatch(ret_evaluation, result.mismatches[i].layer, result.mismatches[i].field,
			     result.mismatches[i].want, result.mismatches[i].got);
	ret_evaluation->matched = result.matched;
	match_result_release(&result);
	if (!expectation->broken_counts)
		check_soundness(ret_evaluation, frame->packet);
	if (frame->size < 12)
		return;
	compare_mac(ret_evaluation, context, expectation->to, "dst", frame->data);
	compare_mac(ret_evaluation, context, expectation->from, "src", frame->data + 6);
}

/* A better near miss has more of the layers and then fewer wrong fields. */
static int compare_evaluations(const void *a, const void *b)
{
	const struct evaluation *left = a, *right = b;

	if (left->layers_found != right->layers_found)
		return left->layers_found > right->layers_found ? -1 : 1;
	if (left->mismatch_count != right->mismatch_count)
		return left->mismatch_count < right->mismatch_count ? -1 : 1;
	return left->frame < right->frame ? -1 : 1;
}

static json_t *near_miss_to_json(const struct context *context, const struct evaluation *evaluation)
{
	const struct frame *frame = &context->trace.frames[evaluation->frame];
	auto_free char *summary = packet_summary(frame->packet);

	return json_pack("{s:I,s:o,s:I,s:O}", "time_ns",
			 (json_int_t)(frame->time_ns - context->trace.start_ns), "summary",
			 json_string_lossy(summary, strlen(summary)), "frame",
			 (json_int_t)evaluation->frame + 1, "fields", evaluation->fields);
}

/*
 * What came instead, into the step. Returns the mismatch of the best near miss
 * if that is the message that was expected with a wrong field, else NULL.
 */
static char *add_near_misses(const struct context *context,
			     const struct script_expectation *expectation, json_t *step,
			     char **ret_text)
{
	struct evaluation *candidates = xcalloc(CANDIDATES_MAX, sizeof(*candidates));
	json_t *list = json_array();
	char *field = NULL;
	size_t count = 0;

	for (size_t i = context->exchange; i < context->trace.frame_count; i++) {
		const struct frame *frame = &context->trace.frames[i];

		if (frame->from_nut && !frame->taken && count < CANDIDATES_MAX)
			evaluate(context, expectation, i, &candidates[count++]);
	}
	qsort(candidates, count, sizeof(*candidates), compare_evaluations);
	for (size_t i = 0; i < count && i < NEAR_MISSES_MAX; i++)
		(void)json_array_append_new(list, near_miss_to_json(context, &candidates[i]));
	if (count && candidates[0].field && *candidates[0].field) {
		field = xstrdup(candidates[0].field);
		*ret_text = xstrdup(candidates[0].text);
	}
	for (size_t i = 0; i < count; i++)
		release_evaluation(&candidates[i]);
	free(candidates);
	(void)json_object_set_new(step, "near_misses", list);
	return field;
}

/*
 * What the step wanted was not met: a MUST ends the test, a SHOULD is remembered, and a MAY is
 * neither right nor wrong.
 */
static int unmet(struct context *context, json_t *step, enum script_level level, const char *kind,
		 const char *field, const char *reason)
{
	auto_free char *signature = context_signature(context, kind, field);

	switch (level) {
	case SCRIPT_LEVEL_MUST:
		context_decide(context, VERDICT_FAIL, reason, signature);
		return SCRIPT_STOP;
	case SCRIPT_LEVEL_SHOULD:
		context_decide(context, VERDICT_WARN, reason, signature);
		return 0;
	case SCRIPT_LEVEL_MAY:
		(void)json_object_set_new(step, "ok", json_null());
		return 0;
	}
	return 0;
}

static int add_judged_step(struct context *context, const char *kind, bool ok, const char *text,
			   const char *clause, json_t **ret_step, struct err *err)
{
	int rc;

	context->judged++;
	context->exchange_judged = true;
	rc = trace_add_step(&context->trace, kind, loop_now_ns(context->loop), ok, text, ret_step,
			    err);
	if (!rc)
		(void)json_object_set_new(*ret_step, "clause", json_string(clause));
	return rc;
}

static json_t *expected_to_json(const struct script_expectation *expectation)
{
	auto_free char *text = pattern_to_string(expectation->pattern);

	return json_pack("{s:o,s:o}", "text", json_string_lossy(text, strlen(text)), "layers",
			 pattern_to_json(expectation->pattern));
}

/* What the pattern is about: the title of its innermost layer. Static storage. */
static const char *title_of(const struct script_expectation *expectation)
{
	auto_json json_t *layers = pattern_to_json(expectation->pattern);
	const json_t *last = json_array_get(layers, json_array_size(layers) - 1);
	const struct layer_type *type = layer_type_find(json_string_or(last, "layer", ""));

	return type ? type->title : "a packet";
}

/* "Echo Reply from nut to tn1 within 2 s" */
static char *describe(const struct context *context, const struct script_expectation *expectation,
		      const char *window)
{
	const char *from =
		expectation->from < 0 ? NULL : context->nodes[expectation->from].seen.name;
	const char *to = expectation->to < 0 ? NULL : context->nodes[expectation->to].seen.name;

	return xasprintf("%s%s%s%s%s %s %g s", title_of(expectation), from ? " from " : "",
			 from ? from : "", to ? " to " : "", to ? to : "", window,
			 (double)expectation->window_ns / (double)NS_PER_SECOND);
}

/* The next frame of the exchange from *next on that matches; 1 and *ret_index, or 0. */
static int find_match(struct context *context, const struct script_expectation *expectation,
		      int64_t until_ns, size_t *next, struct evaluation *ret_evaluation)
{
	for (; *next < context->trace.frame_count; (*next)++) {
		const struct frame *frame = &context->trace.frames[*next];

		if (!frame->from_nut || frame->taken || frame->time_ns > until_ns)
			continue;
		evaluate(context, expectation, *next, ret_evaluation);
		if (ret_evaluation->matched)
			return 1;
		release_evaluation(ret_evaluation);
	}
	return 0;
}

/* Watch until a frame matches (1), the window is over (0), or as context_pass() says otherwise. */
static int watch(struct context *context, const struct script_expectation *expectation,
		 struct evaluation *ret_evaluation, bool *ret_stop, struct err *err)
{
	int64_t until_ns = loop_now_ns(context->loop) + expectation->window_ns;
	size_t next = context->exchange;

	*ret_stop = false;
	for (;;) {
		int rc;

		if (find_match(context, expectation, until_ns, &next, ret_evaluation))
			return 1;
		if (loop_now_ns(context->loop) >= until_ns)
			return 0;
		rc = context_pass(context, until_ns, err);
		if (rc < 0)
			return rc;
		if (rc == SCRIPT_STOP) {
			*ret_stop = true;
			return 0;
		}
	}
}

static void add_match(struct context *context, const struct evaluation *evaluation, json_t *step)
{
	const struct frame *frame = &context->trace.frames[evaluation->frame];

	(void)json_object_set_new(step, "packet", trace_frame_to_json(frame));
	(void)json_object_set(step, "fields", evaluation->fields);
	(void)json_object_set_new(step, "frame", json_integer((json_int_t)evaluation->frame + 1));
}

static int not_received(struct context *context, const struct script_expectation *expectation,
			const char *text, json_t *step)
{
	auto_free char *near_text = NULL;
	auto_free char *near = add_near_misses(context, expectation, step, &near_text);
	auto_free char *reason =
		near ? xasprintf("%s: %s (%s)", expectation->why ? expectation->why : text,
				 near_text, expectation->clause)
		     : xasprintf("%s: nothing of the kind came (%s)",
				 expectation->why ? expectation->why : text, expectation->clause);

	return unmet(context, step, expectation->level, near ? "mismatch" : "missing",
		     near ? near : "", reason);
}

int judge_expect(struct context *context, const struct script_expectation *expectation,
		 const struct packet **ret_packet, int64_t *ret_time_ns, struct err *err)
{
	auto_free char *text = describe(context, expectation, "within");
	struct evaluation evaluation = { 0 };
	struct frame *frame;
	json_t *step;
	bool stop;
	int found = watch(context, expectation, &evaluation, &stop, err);
	int rc;

	if (found < 0)
		return found;
	rc = add_judged_step(context, "expect", found, text, expectation->clause, &step, err);
	if (rc < 0) {
		release_evaluation(&evaluation);
		return rc;
	}
	(void)json_object_set_new(step, "expected", expected_to_json(expectation));
	if (!found)
		return stop ? SCRIPT_STOP : not_received(context, expectation, text, step);
	add_match(context, &evaluation, step);
	frame = &context->trace.frames[evaluation.frame];
	frame->taken = true;
	trace_comment(frame, "step %zu: expected %s (%s)", trace_step_count(&context->trace), text,
		      expectation->clause);
	*ret_packet = frame->packet;
	*ret_time_ns = frame->time_ns - context->trace.start_ns;
	release_evaluation(&evaluation);
	return 0;
}

int judge_expect_none(struct context *context, const struct script_expectation *expectation,
		      struct err *err)
{
	auto_free char *text = describe(context, expectation, "not during");
	auto_free char *summary = NULL;
	auto_free char *reason = NULL;
	int64_t until_ns = loop_now_ns(context->loop) + expectation->window_ns;
	struct evaluation evaluation = { 0 };
	struct frame *frame;
	json_t *step;
	bool stop;
	int found = watch(context, expectation, &evaluation, &stop, err);
	int rc;

	if (found < 0)
		return found;
	rc = add_judged_step(context, "expect-none", !found, text, expectation->clause, &step, err);
	if (rc < 0 || !found) {
		release_evaluation(&evaluation);
		return rc < 0 ? rc : stop ? SCRIPT_STOP : 0;
	}
	(void)json_object_set_new(step, "expected", expected_to_json(expectation));
	add_match(context, &evaluation, step);
	frame = &context->trace.frames[evaluation.frame];
	frame->taken = true;
	trace_comment(frame, "step %zu: must not come: %s (%s)", trace_step_count(&context->trace),
		      text, expectation->clause);
	summary = packet_summary(frame->packet);
	reason = xasprintf("%s: came %s (%s)", expectation->why ? expectation->why : text, summary,
			   expectation->clause);
	release_evaluation(&evaluation);
	rc = unmet(context, step, expectation->level, "unexpected", "", reason);
	/* A test that goes on does so at the same time as if nothing had come. */
	while (!rc && loop_now_ns(context->loop) < until_ns)
		rc = context_pass(context, until_ns, err);
	return rc;
}

int judge_check(struct context *context, bool ok, const char *text, const char *clause,
		enum script_level level, struct err *err)
{
	auto_free char *reason = xasprintf("%s (%s)", text, clause);
	json_t *step;
	int rc = add_judged_step(context, "check", ok, text, clause, &step, err);

	if (rc < 0 || ok)
		return rc;
	return unmet(context, step, level, "check", "", reason);
}
