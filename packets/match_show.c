/* Patterns and differences as text and JSON. */
#include "packets/match_int.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "packets/packet_int.h"

#define PATTERN_TEXT_MAX (1u << 20)

static void append_value(struct buf *text, const struct pattern_field *field,
			 const struct value *value)
{
	auto_free char *shown = value_to_short_string(value, field->type);

	buf_append_string(text, shown);
}

char *matcher_to_string(const struct pattern_field *field)
{
	struct buf text = BUF_INIT(PATTERN_TEXT_MAX);

	switch (field->kind) {
	case MATCH_EQUAL:
		append_value(&text, field, &field->low);
		break;
	case MATCH_NOT_EQUAL:
		buf_append_string(&text, "not ");
		append_value(&text, field, &field->low);
		break;
	case MATCH_RANGE:
		append_value(&text, field, &field->low);
		buf_append_string(&text, "..");
		append_value(&text, field, &field->high);
		break;
	case MATCH_MASK:
		buf_printf(&text, "0x%" PRIx64 " under mask 0x%" PRIx64, field->low.uint,
			   field->high.uint);
		break;
	case MATCH_ONE_OF:
		for (unsigned i = 0; i < field->many_count; i++) {
			buf_append_string(&text, i ? " or " : "");
			append_value(&text, field, &field->many[i]);
		}
		break;
	case MATCH_PREFIX:
		if (field->type->kind == FIELD_BYTES)
			buf_append_string(&text, "begins with ");
		append_value(&text, field, &field->low);
		if (field->type->kind == FIELD_IP6)
			buf_printf(&text, "/%u", field->prefix_bits);
		break;
	case MATCH_PRESENT:
		buf_append_string(&text, "any");
		break;
	}
	return buf_take_string(&text);
}

/* Long bytes that differ look alike: say where they part. */
static void append_difference(struct buf *text, const struct value *want, const struct value *got)
{
	size_t least = want->size < got->size ? want->size : got->size;
	size_t i = 0;

	while (i < least && want->bytes[i] == got->bytes[i])
		i++;
	buf_printf(text, "; %zu bytes instead of %zu", got->size, want->size);
	if (i < least)
		buf_printf(text, ", at %zu 0x%02x instead of 0x%02x", i, got->bytes[i],
			   want->bytes[i]);
	else if (least)
		buf_printf(text, ", equal up to %zu", least);
}

char *mismatch_to_string(const struct pattern_field *field, const struct value *got)
{
	struct buf text = BUF_INIT(PATTERN_TEXT_MAX);

	if (!got)
		return xstrdup("absent");
	append_value(&text, field, got);
	if (field->kind == MATCH_EQUAL && field->type->kind == FIELD_BYTES &&
	    got->kind == FIELD_BYTES && !value_is_equal(&field->low, got))
		append_difference(&text, &field->low, got);
	return buf_take_string(&text);
}

static void append_layer_text(struct buf *text, const struct pattern_layer *layer)
{
	bool first = true;

	buf_printf(text, "%s%s{", layer->absent ? "absent(" : "", layer->type->name);
	for (unsigned i = 0; i < layer->field_count; i++) {
		auto_free char *want = matcher_to_string(&layer->fields[i]);

		buf_printf(text, "%s%s=%s", first ? "" : ", ", layer->fields[i].type->name, want);
		first = false;
	}
	if (layer->option_count || layer->only) {
		buf_printf(text, "%soptions=%s{", first ? "" : ", ", layer->only ? "only" : "");
		for (unsigned i = 0; i < layer->option_count; i++) {
			buf_append_string(text, i ? ", " : "");
			append_layer_text(text, layer->options[i]);
		}
		buf_append_char(text, '}');
	}
	buf_printf(text, "}%s", layer->absent ? ")" : "");
}

char *pattern_layer_to_string(const struct pattern_layer *layer)
{
	struct buf text = BUF_INIT(PATTERN_TEXT_MAX);

	append_layer_text(&text, layer);
	return buf_take_string(&text);
}

char *pattern_to_string(const struct pattern *pattern)
{
	struct buf text = BUF_INIT(PATTERN_TEXT_MAX);

	buf_append_string(&text, pattern->strict ? "strict(" : "");
	for (unsigned i = 0; i < pattern->layer_count; i++) {
		buf_append_string(&text, i ? " / " : "");
		append_layer_text(&text, pattern->layers[i]);
	}
	buf_append_string(&text, pattern->strict ? ")" : "");
	return buf_take_string(&text);
}

static json_t *layer_to_json(const struct pattern_layer *layer)
{
	json_t *object = json_object();
	json_t *fields = json_array();
	json_t *options = json_array();

	for (unsigned i = 0; i < layer->field_count; i++) {
		auto_free char *want = matcher_to_string(&layer->fields[i]);
		json_t *row = json_object();

		(void)json_object_set_new(row, "name", json_string(layer->fields[i].type->name));
		(void)json_object_set_new(row, "want", json_string_lossy(want, strlen(want)));
		(void)json_array_append_new(fields, row);
	}
	for (unsigned i = 0; i < layer->option_count; i++)
		(void)json_array_append_new(options, layer_to_json(layer->options[i]));
	(void)json_object_set_new(object, "layer", json_string(layer->type->name));
	(void)json_object_set_new(object, "absent", json_boolean(layer->absent));
	(void)json_object_set_new(object, "fields", fields);
	(void)json_object_set_new(object, "options", options);
	return object;
}

json_t *pattern_to_json(const struct pattern *pattern)
{
	json_t *layers = json_array();

	for (unsigned i = 0; i < pattern->layer_count; i++)
		(void)json_array_append_new(layers, layer_to_json(pattern->layers[i]));
	return layers;
}
