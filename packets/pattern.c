/* Patterns: life and making. Comparing: match.c; showing: match_show.c. */
#include "packets/match_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/limits.h"
#include "packets/packet_int.h"

/* --- life --------------------------------------------------------------------------- */

static void field_release(struct pattern_field *field)
{
	value_release(&field->low);
	value_release(&field->high);
	for (unsigned i = 0; i < field->many_count; i++)
		value_release(&field->many[i]);
	free(field->many);
}

static void field_copy(struct pattern_field *target, const struct pattern_field *source)
{
	*target = (struct pattern_field){
		.type = source->type,
		.kind = source->kind,
		.many_count = source->many_count,
		.prefix_bits = source->prefix_bits,
	};
	value_copy(&target->low, &source->low);
	value_copy(&target->high, &source->high);
	target->many = xcalloc(source->many_count, sizeof(*target->many));
	for (unsigned i = 0; i < source->many_count; i++)
		value_copy(&target->many[i], &source->many[i]);
}

void pattern_layer_free(struct pattern_layer *layer)
{
	if (!layer)
		return;
	for (unsigned i = 0; i < layer->field_count; i++)
		field_release(&layer->fields[i]);
	for (unsigned i = 0; i < layer->option_count; i++)
		pattern_layer_free(layer->options[i]);
	free(layer->fields);
	free(layer->options);
	free(layer);
}

/* Options have no options: this goes one level down at most. */
struct pattern_layer *pattern_layer_copy(const struct pattern_layer *layer)
{
	struct pattern_layer *copy = xcalloc(1, sizeof(*copy));

	*copy = *layer;
	copy->fields = xcalloc(layer->field_count, sizeof(*copy->fields));
	copy->options = xcalloc(layer->option_count, sizeof(struct pattern_layer *));
	for (unsigned i = 0; i < layer->field_count; i++)
		field_copy(&copy->fields[i], &layer->fields[i]);
	for (unsigned i = 0; i < layer->option_count; i++)
		copy->options[i] = pattern_layer_copy(layer->options[i]);
	return copy;
}

struct pattern_layer *pattern_layer_new(const struct layer_type *type)
{
	struct pattern_layer *layer = xcalloc(1, sizeof(*layer));

	layer->type = type;
	return layer;
}

struct pattern *pattern_new(bool strict)
{
	struct pattern *pattern = xcalloc(1, sizeof(*pattern));

	pattern->strict = strict;
	return pattern;
}

void pattern_free(struct pattern *pattern)
{
	if (!pattern)
		return;
	for (unsigned i = 0; i < pattern->layer_count; i++)
		pattern_layer_free(pattern->layers[i]);
	free(pattern->layers);
	free(pattern);
}

void pattern_free_p(struct pattern **pattern)
{
	pattern_free(*pattern);
	*pattern = NULL;
}

struct pattern *pattern_copy(const struct pattern *pattern)
{
	struct pattern *copy = pattern_new(pattern->strict);

	(void)pattern_append_pattern(copy, pattern, NULL); /* it fits, as it did in `pattern` */
	return copy;
}

unsigned pattern_layer_count(const struct pattern *pattern)
{
	return pattern->layer_count;
}

struct pattern_layer *pattern_layer(const struct pattern *pattern, unsigned index)
{
	return index < pattern->layer_count ? pattern->layers[index] : NULL;
}

struct pattern_layer *pattern_find(const struct pattern *pattern, const char *type, unsigned nth)
{
	for (unsigned i = 0; i < pattern->layer_count; i++)
		if (!strcmp(pattern->layers[i]->type->name, type) && !nth--)
			return pattern->layers[i];
	return NULL;
}

unsigned pattern_remove(struct pattern *pattern, const char *type)
{
	unsigned kept = 0;
	unsigned removed;

	for (unsigned i = 0; i < pattern->layer_count; i++) {
		if (strcmp(pattern->layers[i]->type->name, type) != 0)
			pattern->layers[kept++] = pattern->layers[i];
		else
			pattern_layer_free(pattern->layers[i]);
	}
	removed = pattern->layer_count - kept;
	pattern->layer_count = kept;
	return removed;
}

void pattern_set_strict(struct pattern *pattern)
{
	pattern->strict = true;
}

/* --- making ------------------------------------------------------------------------- */

static int check_room(const struct pattern *pattern, unsigned more, struct err *err)
{
	if (pattern->layer_count + more <= LIMIT_LAYERS)
		return 0;
	return err_set(err, LAB_ELIMIT, "more than %u layers", LIMIT_LAYERS);
}

static void append(struct pattern *pattern, struct pattern_layer *layer)
{
	pattern->layers = xreallocarray(pattern->layers, pattern->layer_count + 1,
					sizeof(struct pattern_layer *));
	pattern->layers[pattern->layer_count++] = layer;
}

int pattern_append(struct pattern *pattern, const struct layer_type *type, bool absent,
		   struct pattern_layer **ret_layer, struct err *err)
{
	struct pattern_layer *layer;
	int rc = check_room(pattern, 1, err);

	if (rc < 0)
		return rc;
	if (type->family == FAMILY_OPTION)
		return err_set(err, LAB_EINVALID,
			       "'%s' is an option: it belongs into the options of a layer",
			       type->name);
	layer = pattern_layer_new(type);
	layer->absent = absent;
	append(pattern, layer);
	*ret_layer = layer;
	return 0;
}

int pattern_append_pattern(struct pattern *pattern, const struct pattern *tail, struct err *err)
{
	unsigned count = tail->layer_count; /* `tail` may be `pattern` */
	int rc = check_room(pattern, count, err);

	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < count; i++)
		append(pattern, pattern_layer_copy(tail->layers[i]));
	pattern->strict = pattern->strict || tail->strict;
	return 0;
}

int pattern_layer_take_option(struct pattern_layer *layer, struct pattern_layer *option,
			      struct err *err)
{
	if (!layer->type->options)
		return err_set(err, LAB_EINVALID, "layer '%s' has no options", layer->type->name);
	if (option->type->option_of != layer->type->options && option->type != layer_malformed)
		return err_set(err, LAB_EINVALID, "'%s' is no option of '%s'", option->type->name,
			       layer->type->name);
	if (layer->option_count >= LIMIT_OPTIONS)
		return err_set(err, LAB_ELIMIT, "layer '%s' has more than %u options",
			       layer->type->name, LIMIT_OPTIONS);
	layer->options = xreallocarray(layer->options, layer->option_count + 1,
				       sizeof(struct pattern_layer *));
	layer->options[layer->option_count++] = option;
	return 0;
}

int pattern_layer_option(struct pattern_layer *layer, const struct layer_type *type, bool absent,
			 struct pattern_layer **ret_option, struct err *err)
{
	struct pattern_layer *option = pattern_layer_new(type);
	int rc = pattern_layer_take_option(layer, option, err);

	if (rc < 0) {
		pattern_layer_free(option);
		return rc;
	}
	option->absent = absent;
	*ret_option = option;
	return 0;
}

void pattern_layer_set_absent(struct pattern_layer *layer)
{
	layer->absent = true;
}

void pattern_layer_only(struct pattern_layer *layer)
{
	layer->only = true;
}

static int check_values(const struct layer_type *layer, const struct pattern_field *field,
			struct err *err)
{
	const struct field_type *type = field->type;
	int rc = 0;

	switch (field->kind) {
	case MATCH_EQUAL:
	case MATCH_NOT_EQUAL:
		return field_check(layer, type, &field->low, err);
	case MATCH_RANGE:
	case MATCH_MASK:
		if (type->kind != FIELD_UINT)
			return err_set(err, LAB_EINVALID, "%s.%s: '%s' is for numbers only",
				       layer->name, type->name,
				       field->kind == MATCH_RANGE ? "range" : "mask");
		rc = field_check(layer, type, &field->low, err);
		rc = rc < 0 ? rc : field_check(layer, type, &field->high, err);
		if (!rc && field->kind == MATCH_RANGE && field->low.uint > field->high.uint)
			rc = err_set(err, LAB_EINVALID, "%s.%s: the range is empty", layer->name,
				     type->name);
		if (!rc && field->kind == MATCH_MASK && (field->low.uint & ~field->high.uint))
			rc = err_set(err, LAB_EINVALID,
				     "%s.%s: the value has bits that the mask has not", layer->name,
				     type->name);
		return rc;
	case MATCH_ONE_OF:
		for (unsigned i = 0; i < field->many_count && !rc; i++)
			rc = field_check(layer, type, &field->many[i], err);
		if (!rc && !field->many_count)
			rc = err_set(err, LAB_EINVALID, "%s.%s: one of nothing cannot be",
				     layer->name, type->name);
		return rc;
	case MATCH_PREFIX:
		if (type->kind != FIELD_IP6 && type->kind != FIELD_BYTES)
			return err_set(err, LAB_EINVALID,
				       "%s.%s: 'prefix' is for addresses and bytes only",
				       layer->name, type->name);
		return field_check(layer, type, &field->low, err);
	case MATCH_PRESENT:
		return 0;
	}
	return 0;
}

int pattern_layer_field(struct pattern_layer *layer, const char *field, enum matcher_kind kind,
			const struct value *low, const struct value *high, const struct value *many,
			unsigned many_count, unsigned prefix_bits, struct err *err)
{
	struct pattern_field made;
	struct pattern_field given = { .kind = kind, .many_count = many_count };
	int index = layer_type_field(layer->type, field);
	unsigned at = 0;
	int rc;

	if (index < 0)
		return err_set(err, LAB_EINVALID, "layer '%s' has no field '%s'", layer->type->name,
			       field);
	given.type = &layer->type->fields[index];
	given.prefix_bits = prefix_bits;
	if (low)
		given.low = *low;
	if (high)
		given.high = *high;
	/* Only read through: field_copy makes our own. */
	given.many = (struct value *)(uintptr_t)many;
	rc = check_values(layer->type, &given, err);
	if (rc < 0)
		return rc;
	field_copy(&made, &given);
	/*
	 * In the order of the type's table, whatever order they were named in: what differs first
	 * is what a verdict's signature says, and a Lua table has no order.
	 */
	while (at < layer->field_count && layer->fields[at].type < given.type)
		at++;
	if (at < layer->field_count && layer->fields[at].type == given.type) {
		field_release(&layer->fields[at]);
		layer->fields[at] = made;
		return 0;
	}
	layer->fields = xreallocarray(layer->fields, layer->field_count + 1, sizeof(made));
	memmove(&layer->fields[at + 1], &layer->fields[at],
		(layer->field_count - at) * sizeof(made));
	layer->fields[at] = made;
	layer->field_count++;
	return 0;
}

static int copy_set_fields(struct pattern_layer *target, const struct layer *layer, struct err *err)
{
	for (unsigned i = 0; i < layer->type->field_count; i++) {
		const struct field_type *field = &layer->type->fields[i];
		int rc;

		if (!slot_is_kept(&layer->slots[i]) || field->kind == FIELD_TEXT)
			continue;
		rc = pattern_layer_field(target, field->name, MATCH_EQUAL, &layer->slots[i].value,
					 NULL, NULL, 0, 0, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void layer_free_p(struct pattern_layer **layer)
{
	pattern_layer_free(*layer);
}

int pattern_layer_from_layer(const struct layer *layer, struct pattern_layer **ret_layer,
			     struct err *err)
{
	auto_cleanup(layer_free_p) struct pattern_layer *made = pattern_layer_new(layer->type);
	int rc = copy_set_fields(made, layer, err);

	for (unsigned i = 0; i < layer->option_count && !rc; i++) {
		struct pattern_layer *option = NULL;

		rc = pattern_layer_from_layer(layer->options[i], &option, err);
		rc = rc < 0 ? rc : pattern_layer_take_option(made, option, err);
		if (rc < 0)
			pattern_layer_free(option);
	}
	if (rc < 0)
		return rc;
	*ret_layer = STEAL_PTR(made);
	return 0;
}

int pattern_from_packet(const struct packet *packet, struct pattern **ret_pattern, struct err *err)
{
	auto_cleanup(pattern_free_p) struct pattern *pattern = pattern_new(false);
	int rc = check_room(pattern, packet->layer_count, err);

	for (unsigned i = 0; i < packet->layer_count && !rc; i++) {
		struct pattern_layer *layer = NULL;

		rc = pattern_layer_from_layer(packet->layers[i], &layer, err);
		if (!rc)
			append(pattern, layer);
	}
	if (rc < 0)
		return rc;
	*ret_pattern = STEAL_PTR(pattern);
	return 0;
}
