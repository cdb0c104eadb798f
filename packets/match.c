/*
 * Comparing a pattern with a packet. Which layer of the pattern belongs to which
 * layer of the packet is chosen so that as few as possible are missing, and
 * among those ways so that as few fields as possible differ: what is reported
 * then is the nearest explanation.
 */
#include "packets/match_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/limits.h"
#include "packets/packet_int.h"

/* More than all fields of a packet: one missing layer weighs more than any mismatch. */
#define COST_MISSING 1000000u
/* Stands for "this layer of the packet is none of the pattern's". */
#define NO_LAYER (-1)

/* --- fields ------------------------------------------------------------------------- */

static bool is_prefix_of(const struct pattern_field *field, const struct value *got)
{
	if (field->type->kind == FIELD_IP6)
		return ip6_is_in_prefix(got->octets, field->low.octets, field->prefix_bits);
	return got->size >= field->low.size &&
	       (!field->low.size || !memcmp(got->bytes, field->low.bytes, field->low.size));
}

static bool is_field_matched(const struct pattern_field *field, const struct value *got)
{
	if (!got || got->kind != field->type->kind)
		return false;
	switch (field->kind) {
	case MATCH_EQUAL:
		return value_is_equal(&field->low, got);
	case MATCH_NOT_EQUAL:
		return !value_is_equal(&field->low, got);
	case MATCH_RANGE:
		return got->uint >= field->low.uint && got->uint <= field->high.uint;
	case MATCH_MASK:
		return (got->uint & field->high.uint) == field->low.uint;
	case MATCH_ONE_OF:
		for (unsigned i = 0; i < field->many_count; i++)
			if (value_is_equal(&field->many[i], got))
				return true;
		return false;
	case MATCH_PREFIX:
		return is_prefix_of(field, got);
	case MATCH_PRESENT:
		return true;
	}
	return false;
}

/* --- what is found out ---------------------------------------------------------------- */

/* Takes `want` and `got`. */
static void record(struct match_result *result, const char *layer, const char *field, char *want,
		   char *got, bool ok)
{
	json_t *row = json_object();

	(void)json_object_set_new(row, "layer", json_string(layer));
	(void)json_object_set_new(row, "field", json_string(field));
	(void)json_object_set_new(row, "want", json_string_lossy(want, strlen(want)));
	(void)json_object_set_new(row, "got", json_string_lossy(got, strlen(got)));
	(void)json_object_set_new(row, "ok", json_boolean(ok));
	(void)json_array_append_new(result->fields, row);
	if (ok) {
		free(want);
		free(got);
		return;
	}
	result->mismatches = xreallocarray(result->mismatches, result->mismatch_count + 1,
					   sizeof(*result->mismatches));
	result->mismatches[result->mismatch_count++] = (struct mismatch){
		.layer = xstrdup(layer),
		.field = xstrdup(field),
		.want = want,
		.got = got,
	};
}

static void record_missing(struct match_result *result, const struct pattern_layer *layer)
{
	record(result, layer->type->name, "", pattern_layer_to_string(layer), xstrdup("absent"),
	       false);
}

/* --- layers ------------------------------------------------------------------------- */

static unsigned compare_layer(const struct pattern_layer *want, const struct layer *got,
			      struct match_result *result);

/* The option of `got` that fits `want` best among those not `used`, or NO_LAYER. */
static int find_option(const struct pattern_layer *want, const struct layer *got, const bool *used,
		       unsigned *ret_cost)
{
	int best = NO_LAYER;

	*ret_cost = COST_MISSING;
	for (unsigned i = 0; i < got->option_count && *ret_cost; i++) {
		unsigned cost;

		if (used[i] || got->options[i]->type != want->type)
			continue;
		cost = compare_layer(want, got->options[i], NULL);
		if (cost < *ret_cost) {
			*ret_cost = cost;
			best = (int)i;
		}
	}
	return best;
}

/* Options that must not be there; the number of those that are. */
static unsigned compare_absent_options(const struct pattern_layer *want, const struct layer *got,
				       const bool *used, struct match_result *result)
{
	unsigned mismatches = 0;

	for (unsigned i = 0; i < want->option_count; i++) {
		const struct pattern_layer *option = want->options[i];
		unsigned cost = COST_MISSING;

		if (!option->absent)
			continue;
		(void)find_option(option, got, used, &cost);
		mismatches += cost == 0;
		if (result)
			record(result, option->type->name, "", xstrdup("absent"),
			       xstrdup(cost ? "absent" : "present"), cost != 0);
	}
	for (unsigned i = 0; want->only && i < got->option_count; i++) {
		if (used[i])
			continue;
		mismatches++;
		if (result)
			record(result, got->options[i]->type->name, "", xstrdup("absent"),
			       xstrdup("present"), false);
	}
	return mismatches;
}

static unsigned compare_options(const struct pattern_layer *want, const struct layer *got,
				struct match_result *result)
{
	bool used[LIMIT_OPTIONS] = { false };
	unsigned mismatches = 0;

	for (unsigned i = 0; i < want->option_count; i++) {
		const struct pattern_layer *option = want->options[i];
		unsigned cost = 0;
		int best;

		if (option->absent)
			continue;
		best = find_option(option, got, used, &cost);
		mismatches += best == NO_LAYER ? 1 : cost;
		if (best != NO_LAYER)
			used[best] = true;
		if (result && best == NO_LAYER)
			record_missing(result, option);
		else if (result)
			(void)compare_layer(option, got->options[best], result);
	}
	return mismatches + compare_absent_options(want, got, used, result);
}

/* The number of mismatches; with `result` they are said, too. */
static unsigned compare_layer(const struct pattern_layer *want, const struct layer *got,
			      struct match_result *result)
{
	unsigned mismatches = 0;

	for (unsigned i = 0; i < want->field_count; i++) {
		const struct pattern_field *field = &want->fields[i];
		const struct value *value = layer_get(got, field->type->name);
		bool ok = is_field_matched(field, value);

		mismatches += !ok;
		if (result)
			record(result, want->type->name, field->type->name,
			       matcher_to_string(field), mismatch_to_string(field, value), ok);
	}
	if (want->option_count || want->only)
		mismatches += compare_options(want, got, result);
	return mismatches;
}

/* --- which layer is which ----------------------------------------------------------- */

struct alignment {
	const struct pattern_layer *want[LIMIT_LAYERS]; /* those that must be there */
	unsigned want_count;
	int chosen[LIMIT_LAYERS]; /* index in the packet for each, or NO_LAYER */
};

static unsigned pair_cost(const struct pattern_layer *want, const struct layer *got)
{
	return want->type == got->type ? compare_layer(want, got, NULL) : COST_MISSING;
}

/* Layers may lie between: the best way for want[i..] in packet[j..] from the end forward. */
static void align_loosely(struct alignment *alignment, const struct packet *packet)
{
	unsigned width = packet->layer_count + 1;
	auto_free unsigned *best =
		xcalloc((size_t)(alignment->want_count + 1) * width, sizeof(*best));
	auto_free unsigned *pair =
		xcalloc((size_t)(alignment->want_count + 1) * width, sizeof(*pair));
	unsigned j = 0;

	for (unsigned i = alignment->want_count; i-- > 0;) {
		for (unsigned k = width; k-- > 0;) {
			unsigned cost = COST_MISSING + best[(i + 1) * width + k];

			if (k < packet->layer_count) {
				unsigned there = pair_cost(alignment->want[i], packet->layers[k]);

				pair[i * width + k] = there;
				there += best[(i + 1) * width + k + 1];
				cost = there < cost ? there : cost;
				if (best[i * width + k + 1] < cost)
					cost = best[i * width + k + 1];
			}
			best[i * width + k] = cost;
		}
	}
	for (unsigned i = 0; i < alignment->want_count; i++) {
		unsigned cost = best[i * width + j];

		alignment->chosen[i] = NO_LAYER;
		if (cost == COST_MISSING + best[(i + 1) * width + j])
			continue;
		while (cost == best[i * width + j + 1] &&
		       cost != pair[i * width + j] + best[(i + 1) * width + j + 1])
			j++;
		alignment->chosen[i] = (int)j++;
	}
}

/* The layers must lie side by side: try each place where the first one may be. */
static void align_strictly(struct alignment *alignment, const struct packet *packet)
{
	unsigned best_cost = UINT32_MAX;

	for (unsigned start = 0; start < packet->layer_count; start++) {
		unsigned cost = 0;

		for (unsigned i = 0; i < alignment->want_count; i++)
			cost += start + i < packet->layer_count
					? pair_cost(alignment->want[i], packet->layers[start + i])
					: COST_MISSING;
		if (cost >= best_cost)
			continue;
		best_cost = cost;
		for (unsigned i = 0; i < alignment->want_count; i++) {
			bool there = start + i < packet->layer_count &&
				     packet->layers[start + i]->type == alignment->want[i]->type;

			alignment->chosen[i] = there ? (int)(start + i) : NO_LAYER;
		}
	}
	for (unsigned i = 0; best_cost == UINT32_MAX && i < alignment->want_count; i++)
		alignment->chosen[i] = NO_LAYER;
}

static void align(struct alignment *alignment, const struct pattern *pattern,
		  const struct packet *packet)
{
	alignment->want_count = 0;
	for (unsigned i = 0; i < pattern->layer_count; i++)
		if (!pattern->layers[i]->absent)
			alignment->want[alignment->want_count++] = pattern->layers[i];
	if (pattern->strict)
		align_strictly(alignment, packet);
	else
		align_loosely(alignment, packet);
}

static bool is_layer_there(const struct pattern_layer *want, const struct packet *packet)
{
	for (unsigned i = 0; i < packet->layer_count; i++)
		if (pair_cost(want, packet->layers[i]) == 0)
			return true;
	return false;
}

void pattern_match(const struct pattern *pattern, const struct packet *packet,
		   struct match_result *ret_result)
{
	struct alignment alignment = { .want_count = 0 };

	*ret_result = (struct match_result){ .fields = json_array() };
	align(&alignment, pattern, packet);
	for (unsigned i = 0; i < alignment.want_count; i++) {
		if (alignment.chosen[i] == NO_LAYER) {
			record_missing(ret_result, alignment.want[i]);
			continue;
		}
		ret_result->layers_found++;
		(void)compare_layer(alignment.want[i], packet->layers[alignment.chosen[i]],
				    ret_result);
	}
	for (unsigned i = 0; i < pattern->layer_count; i++) {
		bool there;

		if (!pattern->layers[i]->absent)
			continue;
		there = is_layer_there(pattern->layers[i], packet);
		record(ret_result, pattern->layers[i]->type->name, "", xstrdup("absent"),
		       xstrdup(there ? "present" : "absent"), !there);
	}
	ret_result->matched = ret_result->mismatch_count == 0;
}

bool pattern_matches(const struct pattern *pattern, const struct packet *packet)
{
	struct alignment alignment = { .want_count = 0 };

	align(&alignment, pattern, packet);
	for (unsigned i = 0; i < alignment.want_count; i++)
		if (alignment.chosen[i] == NO_LAYER ||
		    pair_cost(alignment.want[i], packet->layers[alignment.chosen[i]]) != 0)
			return false;
	for (unsigned i = 0; i < pattern->layer_count; i++)
		if (pattern->layers[i]->absent && is_layer_there(pattern->layers[i], packet))
			return false;
	return true;
}

void match_result_release(struct match_result *result)
{
	for (unsigned i = 0; i < result->mismatch_count; i++) {
		free(result->mismatches[i].layer);
		free(result->mismatches[i].field);
		free(result->mismatches[i].want);
		free(result->mismatches[i].got);
	}
	free(result->mismatches);
	json_decref(result->fields);
	*result = (struct match_result){ 0 };
}

int match_result_compare(const struct match_result *a, const struct match_result *b)
{
	if (a->layers_found != b->layers_found)
		return a->layers_found > b->layers_found ? -1 : 1;
	if (a->mismatch_count != b->mismatch_count)
		return a->mismatch_count < b->mismatch_count ? -1 : 1;
	return 0;
}
