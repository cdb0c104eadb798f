/*
 * From bytes to layers. Everything here is hostile: each read is inside
 * [offset, end), each length is compared with what is left before it is used,
 * layers and options are limited. What cannot be read becomes a "malformed"
 * layer or option that keeps its bytes; no byte is lost or invented.
 */
#include "packets/packet_int.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/cleanup.h"
#include "base/limits.h"

struct parse {
	struct packet *packet;
	const uint8_t *data; /* offsets count from here */
};

/* Layers that are kept free for what ends a packet: payload and trailer. */
#define LAYERS_KEPT 2u

/* --- values ------------------------------------------------------------------------- */

static void set_bytes(struct layer *layer, unsigned field, const uint8_t *data, size_t offset,
		      size_t size)
{
	struct slot *slot = &layer->slots[field];

	slot->value.kind = layer->type->fields[field].kind;
	slot->value.bytes = xcalloc(size + 1, 1); /* NUL-terminated for FIELD_TEXT */
	if (size)
		memcpy(slot->value.bytes, data + offset, size);
	slot->value.size = size;
	slot->state = SLOT_PARSED;
	slot->bit_offset = offset * 8;
	slot->bits = size * 8;
}

static void read_fixed(struct layer *layer, unsigned field_index, const uint8_t *data)
{
	const struct field_type *field = &layer->type->fields[field_index];
	struct slot *slot = &layer->slots[field_index];
	size_t bit = layer->offset * 8 + field->bit_offset;

	slot->value.kind = field->kind;
	if (field->kind == FIELD_UINT) {
		slot->value.uint = bits_get(data, bit, field->bit_width);
	} else {
		slot->value.size = field->bit_width / 8u;
		memcpy(slot->value.octets, data + bit / 8, slot->value.size);
	}
	slot->state = SLOT_PARSED;
	slot->bit_offset = bit;
	slot->bits = field->bit_width;
}

/* How many bytes of the `left` ones a field takes that has no fixed size. */
static size_t rest_size(const struct layer *layer, const struct field_type *field,
			const uint8_t *data, size_t left)
{
	size_t position = 0;
	size_t count = left / 16;

	switch (field->kind) {
	case FIELD_IP6:
		return left < 16 ? left : 16;
	case FIELD_IP6_LIST:
		if (layer_get(layer, "source_count") &&
		    layer_get_uint(layer, "source_count", 0) < count)
			count = (size_t)layer_get_uint(layer, "source_count", 0);
		return count * 16;
	case FIELD_NAMES:
		for (char *name; (name = name_from_wire(data, left, &position));)
			free(name);
		return position;
	case FIELD_UINT:
	case FIELD_MAC:
	case FIELD_BYTES:
	case FIELD_TEXT:
		break;
	}
	return left;
}

static void read_rest(struct layer *layer, const uint8_t *data, size_t offset, size_t end)
{
	for (unsigned i = 0; i < layer->type->field_count; i++) {
		const struct field_type *field = &layer->type->fields[i];
		struct slot *slot = &layer->slots[i];
		size_t size;

		if (field->bit_width || field->kind == FIELD_TEXT)
			continue;
		size = rest_size(layer, field, data + offset, end - offset);
		if (field->kind == FIELD_IP6) {
			slot->value = (struct value){ .kind = FIELD_IP6, .size = size };
			memcpy(slot->value.octets, data + offset, size);
			slot->state = SLOT_PARSED;
			slot->bit_offset = offset * 8;
			slot->bits = size * 8;
		} else {
			set_bytes(layer, i, data, offset, size);
		}
		offset += size;
	}
	lab_assert(offset == end);
}

/* Say why the bytes of [offset, end) were not understood. */
__attribute__((format(printf, 5, 6))) static void fill_malformed(struct layer *layer,
								 const uint8_t *data, size_t offset,
								 size_t end, const char *fmt, ...)
{
	auto_free char *reason = NULL;
	va_list ap;

	va_start(ap, fmt);
	reason = xvasprintf(fmt, ap);
	va_end(ap);
	layer->offset = offset;
	layer->size = end - offset;
	set_bytes(layer, (unsigned)layer_type_field(layer->type, "reason"), (uint8_t *)reason, 0,
		  strlen(reason));
	set_bytes(layer, (unsigned)layer_type_field(layer->type, "data"), data, offset,
		  end - offset);
}

/* --- options ------------------------------------------------------------------------ */

static struct layer *add_option(struct layer *parent, const struct layer_type *type)
{
	struct layer *option = NULL;
	int rc = layer_append_option(parent, type, &option, NULL);

	lab_assert(rc == 0);
	return option;
}

static void read_option(struct layer *parent, const struct layer_type *type, const uint8_t *data,
			size_t offset, size_t size)
{
	struct layer *option;

	if (size < type->header_bytes) {
		option = add_option(parent, layer_malformed);
		fill_malformed(option, data, offset, offset + size, "%s: %zu bytes, %u expected",
			       type->name, size, type->header_bytes);
		return;
	}
	option = add_option(parent, type);
	option->offset = offset;
	option->size = size;
	for (unsigned i = 0; i < type->field_count; i++)
		if (type->fields[i].bit_width)
			read_fixed(option, i, data);
	read_rest(option, data, offset + type->header_bytes, offset + size);
}

/* Size of the option at `offset` and its type; 0 if it cannot be read, with the reason. */
static size_t measure_ip6_option(const uint8_t *data, size_t left,
				 const struct layer_type **ret_type, const char **ret_reason)
{
	const struct layer_type *type = layer_type_by_number(FAMILY_OPTION, OPTIONS_IP6, data[0]);

	*ret_type = type ? type : layer_type_find("opt_unknown");
	if (data[0] == 0)
		return 1;
	*ret_reason = "the option has no length";
	if (left < 2)
		return 0;
	*ret_reason = "the option reaches beyond the header";
	if (data[1] > left - 2)
		return 0;
	/* A known option of another size is shown as what it is: bytes. */
	if (type && type->number > 1 && data[1] + 2u != type->header_bytes)
		*ret_type = layer_type_find("opt_unknown");
	return data[1] + 2u;
}

static size_t measure_nd_option(const uint8_t *data, size_t left,
				const struct layer_type **ret_type, const char **ret_reason)
{
	const struct layer_type *type = layer_type_by_number(FAMILY_OPTION, OPTIONS_ND, data[0]);

	*ret_type = type ? type : layer_type_find("nd_unknown");
	*ret_reason = "the option has no length";
	if (left < 2)
		return 0;
	*ret_reason = "the option has length 0";
	if (!data[1])
		return 0;
	*ret_reason = "the option reaches beyond the message";
	return data[1] * 8u <= left ? data[1] * 8u : 0;
}

static size_t measure_mld_record(const uint8_t *data, size_t left,
				 const struct layer_type **ret_type, const char **ret_reason)
{
	size_t size;

	*ret_type = layer_type_find("mld2_record");
	*ret_reason = "the record reaches beyond the message";
	if (left < (*ret_type)->header_bytes)
		return 0;
	size = (*ret_type)->header_bytes + (size_t)bits_get(data, 16, 16) * 16 + data[1] * 4u;
	return size <= left ? size : 0;
}

/* Read the option list at [offset, end); returns where it ends. */
static size_t read_options(struct layer *layer, const uint8_t *data, size_t offset, size_t end)
{
	uint64_t count = layer->type->options == OPTIONS_MLD
				 ? layer_get_uint(layer, "record_count", 0)
				 : UINT64_MAX;

	while (offset < end && count-- > 0) {
		const struct layer_type *type = NULL;
		const char *reason = "too many options";
		size_t size = 0;

		if (layer->option_count + 1 >= LIMIT_OPTIONS)
			size = 0;
		else if (layer->type->options == OPTIONS_IP6)
			size = measure_ip6_option(data + offset, end - offset, &type, &reason);
		else if (layer->type->options == OPTIONS_ND)
			size = measure_nd_option(data + offset, end - offset, &type, &reason);
		else
			size = measure_mld_record(data + offset, end - offset, &type, &reason);
		if (!size) {
			fill_malformed(add_option(layer, layer_malformed), data, offset, end, "%s",
				       reason);
			return end;
		}
		read_option(layer, type, data, offset, size);
		offset += size;
	}
	return offset;
}

/* --- layers ------------------------------------------------------------------------- */

static struct layer *add_layer(struct parse *parse, const struct layer_type *type)
{
	struct layer *layer = NULL;
	int rc = packet_append(parse->packet, type, &layer, NULL);

	lab_assert(rc == 0);
	return layer;
}

/* A layer of `type` takes [offset, end), which has at least its fixed part. */
static struct layer *read_layer(struct parse *parse, const struct layer_type *type, size_t offset,
				size_t end)
{
	struct layer *layer = add_layer(parse, type);

	layer->offset = offset;
	layer->size = end - offset;
	for (unsigned i = 0; i < type->field_count; i++)
		if (type->fields[i].bit_width)
			read_fixed(layer, i, parse->data);
	offset += type->header_bytes;
	if (type->options)
		offset = read_options(layer, parse->data, offset, end);
	read_rest(layer, parse->data, offset, end);
	return layer;
}

static void read_raw(struct parse *parse, size_t offset, size_t end)
{
	if (offset < end)
		(void)read_layer(parse, layer_raw, offset, end);
}

static void read_icmp6(struct parse *parse, size_t offset, size_t end)
{
	const struct layer_type *type = layer_icmp6;
	size_t size = end - offset;

	if (size >= type->header_bytes) {
		const struct layer_type *known =
			layer_type_by_number(FAMILY_ICMP6, OPTIONS_NONE, parse->data[offset]);

		/* RFC 3810 8.1: the version of a query is told by its length. */
		if (known && !strcmp(known->name, "mld_query") &&
		    size >= layer_type_find("mld2_query")->header_bytes)
			known = layer_type_find("mld2_query");
		type = known ? known : type;
	}
	if (size < type->header_bytes)
		fill_malformed(add_layer(parse, layer_malformed), parse->data, offset, end,
			       "%s: %zu bytes, at least %u expected", type->name, size,
			       type->header_bytes);
	else
		(void)read_layer(parse, type, offset, end);
}

/*
 * Bytes that the header of `type` at `offset` takes; 0 if they are not there.
 * Sizes the reader has to expect are written into *ret_want.
 */
static size_t measure_header(const struct parse *parse, const struct layer_type **type,
			     size_t offset, size_t end, size_t *ret_want)
{
	const uint8_t *data = parse->data + offset;
	size_t left = end - offset;
	bool is_extension = (*type)->align_bytes == 8;

	*ret_want = is_extension ? 8 : (*type)->header_bytes;
	if (left < *ret_want)
		return 0;
	if (is_extension)
		*ret_want = (data[1] + 1u) * 8u;
	else if ((*type)->number == NEXT_TCP)
		*ret_want = (data[12] >> 4) < 5 ? 20u : (data[12] >> 4) * 4u;
	else if ((*type)->number == NEXT_NONE)
		*ret_want = left;
	if (*type == layer_routing && data[2] != 0 && data[2] != 2)
		*type = layer_type_find("routing_unknown");
	if ((*type)->number == NEXT_TCP && (data[12] >> 4) < 5)
		return 0; /* a header shorter than its fixed part */
	return left >= *ret_want ? *ret_want : 0;
}

/* Where the content of the IPv6 header at `offset` ends, `end` at most. */
static size_t content_end(const struct parse *parse, size_t offset, size_t end)
{
	size_t payload = (size_t)bits_get(parse->data, offset * 8 + 32, 16);

	/* RFC 2675 3: with a Jumbo Payload option the length is 0. */
	if (!payload && parse->data[offset + 6] == NEXT_HOP_BY_HOP)
		return end;
	return payload < end - offset - IP6_HEADER_BYTES ? offset + IP6_HEADER_BYTES + payload
							 : end;
}

/*
 * One header of the chain. Returns where the next one begins and its number in
 * *next, or `end` with *next negative when the chain is over.
 */
static size_t read_header(struct parse *parse, size_t offset, size_t end, int *next)
{
	const struct layer_type *type =
		layer_type_by_number(FAMILY_HEADER, OPTIONS_NONE, (unsigned)*next);
	const struct layer *layer;
	size_t want = 0;
	size_t size;

	if (!type) {
		read_raw(parse, offset, end);
		*next = -1;
		return end;
	}
	size = measure_header(parse, &type, offset, end, &want);
	*next = -1;
	if (!size && type->header_bytes) {
		fill_malformed(add_layer(parse, layer_malformed), parse->data, offset, end,
			       "%s: %zu bytes, at least %zu expected", type->name, end - offset,
			       want);
		return end;
	}
	layer = read_layer(parse, type, offset, offset + size);
	if (type == layer_fragment &&
	    (layer_get_uint(layer, "offset", 0) || layer_get_uint(layer, "more", 0))) {
		read_raw(parse, offset + size, end); /* a piece: it makes no sense alone */
		return end;
	}
	if (layer_get(layer, "next_header")) {
		*next = (int)layer_get_uint(layer, "next_header", 0);
		return offset + size;
	}
	read_raw(parse, offset + size, end);
	return end;
}

/* The chain of headers that begins with an IPv6 header at `offset`. */
static void read_chain(struct parse *parse, size_t offset, size_t end)
{
	size_t frame_end = end;
	int next = NEXT_IP6;

	if (end - offset >= IP6_HEADER_BYTES)
		end = content_end(parse, offset, end);
	while (next >= 0) {
		if (parse->packet->layer_count + LAYERS_KEPT >= LIMIT_LAYERS) {
			fill_malformed(add_layer(parse, layer_malformed), parse->data, offset, end,
				       "more than %u layers", LIMIT_LAYERS);
			break;
		}
		if (next == NEXT_ICMP6) {
			read_icmp6(parse, offset, end);
			break;
		}
		offset = read_header(parse, offset, end, &next);
	}
	if (end < frame_end)
		(void)read_layer(parse, layer_trailer, end, frame_end);
}

struct packet *packet_parse_ip6(const void *data, size_t size)
{
	struct parse parse = { .packet = packet_new(), .data = data };

	read_chain(&parse, 0, size);
	return parse.packet;
}

struct packet *packet_parse_frame(const void *data, size_t size)
{
	struct parse parse = { .packet = packet_new(), .data = data };
	const struct layer *ether;

	if (size < layer_ether->header_bytes) {
		fill_malformed(add_layer(&parse, layer_malformed), parse.data, 0, size,
			       "ether: %zu bytes, at least %u expected", size,
			       layer_ether->header_bytes);
		return parse.packet;
	}
	ether = read_layer(&parse, layer_ether, 0, layer_ether->header_bytes);
	if (layer_get_uint(ether, "type", 0) == ETHER_TYPE_IP6)
		read_chain(&parse, layer_ether->header_bytes, size);
	else
		read_raw(&parse, layer_ether->header_bytes, size);
	return parse.packet;
}
