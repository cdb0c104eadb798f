/* Packets for people and for records: one line, JSON, values as text. */
#include "packets/packet_int.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/limits.h"

/* Text of a value: three characters a byte, and more for names that are written with \DDD. */
#define VALUE_TEXT_MAX   (5u * LIMIT_FRAME_BYTES)
#define SUMMARY_TEXT_MAX 2048u
/* Bytes that "text" of a record shows; "value" has them all. */
#define BYTES_SHOWN 64u

/* --- values ------------------------------------------------------------------------- */

static void append_hex(struct buf *text, const uint8_t *data, size_t size, const char *between)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < size; i++) {
		if (i)
			buf_append_string(text, between);
		buf_append_char(text, digits[data[i] >> 4]);
		buf_append_char(text, digits[data[i] & 15]);
	}
}

static void append_names(struct buf *text, const struct value *value)
{
	size_t position = 0;
	bool first = true;

	for (char *name; (name = name_from_wire(value->bytes, value->size, &position));) {
		buf_printf(text, "%s%s", first ? "" : ", ", name);
		first = false;
		free(name);
	}
	if (position < value->size) {
		buf_append_string(text, first ? "" : ", ");
		append_hex(text, value->bytes + position, value->size - position, " ");
	}
}

char *value_to_string(const struct value *value, const struct field_type *type)
{
	struct buf text = BUF_INIT(VALUE_TEXT_MAX);
	char address[IP6_TEXT_SIZE];

	switch (value->kind) {
	case FIELD_UINT:
		if (type && type->hex)
			buf_printf(&text, "0x%0*" PRIx64, (type->bit_width + 3) / 4, value->uint);
		else
			buf_printf(&text, "%" PRIu64, value->uint);
		for (const struct value_name *row = type ? type->names : NULL; row && row->name;
		     row++)
			if (row->value == value->uint)
				buf_printf(&text, " (%s)", row->name);
		break;
	case FIELD_MAC:
		buf_append_string(&text, mac_to_string(value->octets, address));
		break;
	case FIELD_IP6:
		buf_append_string(&text, ip6_to_string(value->octets, address));
		break;
	case FIELD_BYTES:
		append_hex(&text, value->bytes, value->size, " ");
		break;
	case FIELD_IP6_LIST:
		for (size_t i = 0; i + 16 <= value->size; i += 16)
			buf_printf(&text, "%s%s", i ? ", " : "",
				   ip6_to_string(value->bytes + i, address));
		break;
	case FIELD_NAMES:
		append_names(&text, value);
		break;
	case FIELD_TEXT:
		buf_append(&text, value->bytes, value->size);
		break;
	}
	return buf_take_string(&text);
}

char *value_to_short_string(const struct value *value, const struct field_type *type)
{
	struct buf text = BUF_INIT(VALUE_TEXT_MAX);

	if (value->kind != FIELD_BYTES || value->size <= BYTES_SHOWN)
		return value_to_string(value, type);
	append_hex(&text, value->bytes, BYTES_SHOWN, " ");
	buf_printf(&text, " ... (%zu bytes)", value->size);
	return buf_take_string(&text);
}

/* --- JSON --------------------------------------------------------------------------- */

static json_t *value_to_json(const struct value *value, const struct field_type *type)
{
	struct buf hex = BUF_INIT(VALUE_TEXT_MAX);
	auto_free char *text = NULL;

	if (value->kind == FIELD_UINT)
		return json_integer((json_int_t)value->uint);
	if (value->kind == FIELD_BYTES) {
		append_hex(&hex, value->bytes, value->size, "");
		text = buf_take_string(&hex);
	} else {
		text = value_to_string(value, type);
	}
	return json_string_lossy(text, strlen(text));
}

static json_t *slot_to_json(const struct layer *layer, unsigned index)
{
	const struct field_type *field = &layer->type->fields[index];
	const struct slot *slot = &layer->slots[index];
	auto_free char *text = value_to_short_string(&slot->value, field);
	json_t *row = json_object();

	(void)json_object_set_new(row, "name", json_string(field->name));
	(void)json_object_set_new(row, "value", value_to_json(&slot->value, field));
	(void)json_object_set_new(row, "text", json_string_lossy(text, strlen(text)));
	(void)json_object_set_new(row, "about", json_string(field->about));
	if (field->kind != FIELD_TEXT) {
		(void)json_object_set_new(row, "offset",
					  json_integer((json_int_t)(slot->bit_offset / 8)));
		(void)json_object_set_new(row, "bit",
					  json_integer((json_int_t)(slot->bit_offset % 8)));
		(void)json_object_set_new(row, "bits", json_integer((json_int_t)slot->bits));
	}
	return row;
}

static json_t *layer_to_json(const struct layer *layer)
{
	json_t *object = json_object();
	json_t *fields = json_array();
	json_t *options = NULL;

	for (unsigned i = 0; i < layer->type->field_count; i++)
		if (layer->slots[i].state != SLOT_EMPTY)
			(void)json_array_append_new(fields, slot_to_json(layer, i));
	(void)json_object_set_new(object, "layer", json_string(layer->type->name));
	(void)json_object_set_new(object, "title", json_string(layer->type->title));
	(void)json_object_set_new(object, "offset", json_integer((json_int_t)layer->offset));
	(void)json_object_set_new(object, "size", json_integer((json_int_t)layer->size));
	(void)json_object_set_new(object, "fields", fields);
	if (layer->type->options) {
		options = json_array();
		for (unsigned i = 0; i < layer->option_count; i++)
			(void)json_array_append_new(options, layer_to_json(layer->options[i]));
		(void)json_object_set_new(object, "options", options);
	}
	return object;
}

json_t *packet_to_json(const struct packet *packet)
{
	json_t *layers = json_array();

	for (unsigned i = 0; i < packet->layer_count; i++)
		(void)json_array_append_new(layers, layer_to_json(packet->layers[i]));
	return layers;
}

/* --- one line ------------------------------------------------------------------------- */

/* What the line says about a layer beyond its title: fields, and the words before them. */
static const struct {
	const char *layer;
	const char *field;
	const char *word;
} said[] = {
	{ "fragment", "offset", " offset" },
	{ "fragment", "more", " more" },
	{ "fragment", "identification", " id" },
	{ "routing", "routing_type", " type" },
	{ "routing", "segments_left", " segments left" },
	{ "routing_unknown", "routing_type", " type" },
	{ "routing_unknown", "segments_left", " segments left" },
	{ "udp", "src_port", " port" },
	{ "udp", "dst_port", " >" },
	{ "tcp", "src_port", " port" },
	{ "tcp", "dst_port", " >" },
	{ "dest_unreachable", "code", " code" },
	{ "packet_too_big", "mtu", " mtu" },
	{ "time_exceeded", "code", " code" },
	{ "param_problem", "code", " code" },
	{ "param_problem", "pointer", " pointer" },
	{ "echo_request", "identifier", " id" },
	{ "echo_request", "sequence", " seq" },
	{ "echo_reply", "identifier", " id" },
	{ "echo_reply", "sequence", " seq" },
	{ "mld_query", "group", " group" },
	{ "mld2_query", "group", " group" },
	{ "mld_report", "group", " group" },
	{ "mld_done", "group", " group" },
	{ "mld2_record", "group", " group" },
	{ "ra", "router_lifetime", " lifetime" },
	{ "nd_prefix", "prefix", " prefix" },
	{ "nd_prefix", "prefix_length", "/" },
	{ "ns", "target", " for" },
	{ "na", "target", " of" },
	{ "na", "router", " R" },
	{ "na", "solicited", " S" },
	{ "na", "override", " O" },
	{ "nd_slla", "mac", " source" },
	{ "nd_tlla", "mac", " target" },
	{ "redirect", "destination", " of" },
	{ "redirect", "target", " to" },
	{ "icmp6", "type", " type" },
	{ "malformed", "reason", " -" },
};

static void append_field(struct buf *line, const struct layer *layer, const char *field,
			 const char *word)
{
	const struct value *value = layer_get(layer, field);
	int index = layer_type_field(layer->type, field);
	auto_free char *text = NULL;

	if (!value || index < 0)
		return;
	text = value_to_string(value, &layer->type->fields[index]);
	buf_printf(line, "%s %s", word, text);
}

static void append_said(struct buf *line, const struct layer *layer)
{
	for (size_t i = 0; i < sizeof(said) / sizeof(*said); i++)
		if (!strcmp(said[i].layer, layer->type->name))
			append_field(line, layer, said[i].field, said[i].word);
	for (unsigned i = 0; i < layer->option_count; i++)
		append_said(line, layer->options[i]);
}

/* The layer that names the packet: the last one that is more than bytes. */
static unsigned main_layer(const struct packet *packet)
{
	unsigned best = 0;

	for (unsigned i = 0; i < packet->layer_count; i++) {
		const struct layer_type *type = packet->layers[i]->type;

		if (type != layer_raw && type != layer_trailer)
			best = i;
	}
	return best;
}

static const char *ends_of(const struct packet *packet, const struct layer **ret_layer)
{
	for (unsigned i = 0; i < packet->layer_count; i++) {
		const struct layer *layer = packet->layers[i];

		if (layer->type != layer_ip6 && layer->type != layer_ether)
			continue;
		*ret_layer = layer;
		if (layer->type == layer_ip6)
			return "hop_limit";
	}
	return *ret_layer ? "type" : NULL;
}

char *packet_summary(const struct packet *packet)
{
	struct buf line = BUF_INIT(SUMMARY_TEXT_MAX);
	const struct layer *ends = NULL;
	const char *last = ends_of(packet, &ends);
	unsigned best = main_layer(packet);

	if (!packet->layer_count)
		return xstrdup("empty packet");
	buf_append_string(&line, packet->layers[best]->type->title);
	if (ends) {
		append_field(&line, ends, "src", "");
		append_field(&line, ends, "dst", " >");
	}
	append_said(&line, packet->layers[best]);
	for (unsigned i = 0; i < best; i++) {
		const struct layer *layer = packet->layers[i];

		if (layer->type == layer_ether || layer == ends)
			continue;
		buf_printf(&line, ", in %s", layer->type->title);
		append_said(&line, layer);
	}
	if (last && ends)
		append_field(&line, ends, last, !strcmp(last, "type") ? " type" : " hop limit");
	return buf_take_string(&line);
}
