/* Packets, layers and their fields: life, reading, setting. Bytes: build.c, parse.c. */
#include "packets/packet_int.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/limits.h"

/* --- values ----------------------------------------------------------------------- */

void value_release(struct value *value)
{
	free(value->bytes);
	*value = (struct value){ 0 };
}

void value_copy(struct value *target, const struct value *source)
{
	uint8_t *bytes = NULL;

	if (source->bytes) {
		bytes = xcalloc(source->size + 1, 1); /* NUL-terminated for FIELD_TEXT */
		memcpy(bytes, source->bytes, source->size);
	}
	free(target->bytes);
	*target = *source;
	target->bytes = bytes;
}

bool value_is_equal(const struct value *a, const struct value *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case FIELD_UINT:
		return a->uint == b->uint;
	case FIELD_MAC:
		return !memcmp(a->octets, b->octets, 6);
	case FIELD_IP6:
		return !memcmp(a->octets, b->octets, 16);
	case FIELD_BYTES:
	case FIELD_IP6_LIST:
	case FIELD_NAMES:
	case FIELD_TEXT:
		return a->size == b->size && (!a->size || !memcmp(a->bytes, b->bytes, a->size));
	}
	return false;
}

/* --- layers ----------------------------------------------------------------------- */

struct layer *layer_new(const struct layer_type *type)
{
	struct layer *layer = xcalloc(1, sizeof(*layer));

	layer->type = type;
	layer->slots = xcalloc(type->field_count, sizeof(*layer->slots));
	return layer;
}

void layer_free(struct layer *layer)
{
	if (!layer)
		return;
	for (unsigned i = 0; i < layer->type->field_count; i++)
		value_release(&layer->slots[i].value);
	for (unsigned i = 0; i < layer->option_count; i++)
		layer_free(layer->options[i]);
	free(layer->slots);
	free(layer->options);
	free(layer);
}

/* Options hold no options: this goes one level down at most. */
struct layer *layer_copy(const struct layer *layer)
{
	struct layer *copy = layer_new(layer->type);

	copy->offset = layer->offset;
	copy->size = layer->size;
	for (unsigned i = 0; i < layer->type->field_count; i++) {
		copy->slots[i] = layer->slots[i];
		copy->slots[i].value = (struct value){ 0 };
		value_copy(&copy->slots[i].value, &layer->slots[i].value);
	}
	if (layer->option_count)
		copy->options = xcalloc(layer->option_count, sizeof(*copy->options));
	for (unsigned i = 0; i < layer->option_count; i++)
		copy->options[i] = layer_copy(layer->options[i]);
	copy->option_count = layer->option_count;
	return copy;
}

const struct layer_type *layer_get_type(const struct layer *layer)
{
	return layer->type;
}

size_t layer_get_offset(const struct layer *layer)
{
	return layer->offset;
}

size_t layer_get_size(const struct layer *layer)
{
	return layer->size;
}

unsigned layer_option_count(const struct layer *layer)
{
	return layer->option_count;
}

struct layer *layer_option(const struct layer *layer, unsigned index)
{
	return index < layer->option_count ? layer->options[index] : NULL;
}

struct layer *layer_find_option(const struct layer *layer, const char *type, unsigned nth)
{
	for (unsigned i = 0; i < layer->option_count; i++)
		if (!strcmp(layer->options[i]->type->name, type) && !nth--)
			return layer->options[i];
	return NULL;
}

int layer_take_option(struct layer *layer, struct layer *option, struct err *err)
{
	const struct layer_type *type = option->type;

	if (!layer->type->options)
		return err_set(err, LAB_EINVALID, "layer '%s' has no options", layer->type->name);
	if (type->option_of != layer->type->options && type != layer_malformed)
		return err_set(err, LAB_EINVALID, "'%s' is no option of '%s'", type->name,
			       layer->type->name);
	if (layer->option_count >= LIMIT_OPTIONS)
		return err_set(err, LAB_ELIMIT, "layer '%s' has more than %u options",
			       layer->type->name, LIMIT_OPTIONS);
	layer->options =
		xreallocarray(layer->options, layer->option_count + 1, sizeof(*layer->options));
	layer->options[layer->option_count++] = option;
	return 0;
}

int layer_append_option(struct layer *layer, const struct layer_type *type,
			struct layer **ret_option, struct err *err)
{
	struct layer *option = layer_new(type);
	int rc = layer_take_option(layer, option, err);

	if (rc < 0) {
		layer_free(option);
		return rc;
	}
	*ret_option = option;
	return 0;
}

/* --- fields ----------------------------------------------------------------------- */

uint64_t bits_max(unsigned width)
{
	return width >= 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
}

struct slot *layer_slot(const struct layer *layer, const char *field)
{
	int index = layer_type_field(layer->type, field);

	lab_assert(index >= 0);
	return &layer->slots[index];
}

const struct field_type *slot_type(const struct layer *layer, const struct slot *slot)
{
	return &layer->type->fields[slot - layer->slots];
}

int layer_type_need_field(const struct layer_type *type, const char *field, struct err *err)
{
	int index = layer_type_field(type, field);
	auto_free char *names = NULL;
	const char *nearest;

	if (index >= 0)
		return index;
	names = layer_type_field_names(type);
	nearest = layer_type_nearest_field(type, field);
	return err_set(err, LAB_EINVALID, "layer '%s' has no field '%s'%s%s%s: it has %s",
		       type->name, field, nearest ? " (did you mean '" : "", nearest ? nearest : "",
		       nearest ? "'?)" : "", names);
}

static const char *kind_name(enum field_kind kind)
{
	static const char *const names[] = {
		[FIELD_UINT] = "a number",
		[FIELD_MAC] = "a MAC address",
		[FIELD_IP6] = "an IPv6 address",
		[FIELD_BYTES] = "bytes",
		[FIELD_IP6_LIST] = "a list of IPv6 addresses",
		[FIELD_NAMES] = "a list of domain names",
		[FIELD_TEXT] = "text",
	};

	return names[kind];
}

int field_check(const struct layer_type *type, const struct field_type *field,
		const struct value *value, struct err *err)
{
	if (value->kind != field->kind)
		return err_set(err, LAB_EINVALID, "%s.%s: expected %s, not %s", type->name,
			       field->name, kind_name(field->kind), kind_name(value->kind));
	if (field->kind == FIELD_UINT && value->uint > bits_max(field->bit_width))
		return err_set(err, LAB_EINVALID,
			       "%s.%s: %" PRIu64 " does not fit into %u bits (0..%" PRIu64 ")",
			       type->name, field->name, value->uint, (unsigned)field->bit_width,
			       bits_max(field->bit_width));
	if (field->kind == FIELD_IP6_LIST && value->size % 16)
		return err_set(err, LAB_EINVALID, "%s.%s: %zu bytes are no list of IPv6 addresses",
			       type->name, field->name, value->size);
	if (value->bytes && value->size > LIMIT_FRAME_BYTES)
		return err_set(err, LAB_ELIMIT, "%s.%s: %zu bytes, %u at most", type->name,
			       field->name, value->size, LIMIT_FRAME_BYTES);
	return 0;
}

int layer_set(struct layer *layer, const char *field, const struct value *value, struct err *err)
{
	int index = layer_type_need_field(layer->type, field, err);
	struct slot *slot;
	int rc;

	if (index < 0)
		return index;
	rc = field_check(layer->type, &layer->type->fields[index], value, err);
	if (rc < 0)
		return rc;
	slot = &layer->slots[index];
	value_copy(&slot->value, value);
	slot->state = SLOT_SET;
	return 0;
}

int layer_set_uint(struct layer *layer, const char *field, uint64_t value, struct err *err)
{
	return layer_set(layer, field, &(struct value){ .kind = FIELD_UINT, .uint = value }, err);
}

int layer_set_bytes(struct layer *layer, const char *field, const void *data, size_t size,
		    struct err *err)
{
	int index = layer_type_need_field(layer->type, field, err);
	struct value value = { .size = size };
	static uint8_t none[1];
	int rc;

	if (index < 0)
		return index;
	value.kind = layer->type->fields[index].kind;
	if (value.kind == FIELD_UINT || value.kind == FIELD_MAC || value.kind == FIELD_IP6)
		value.kind = FIELD_BYTES; /* refused below, by name */
	value.bytes = size ? xmemdup(data, size) : none;
	rc = layer_set(layer, field, &value, err);
	if (size)
		free(value.bytes);
	return rc;
}

int layer_set_ip6(struct layer *layer, const char *field, const uint8_t address[16],
		  struct err *err)
{
	struct value value = { .kind = FIELD_IP6, .size = 16 };

	memcpy(value.octets, address, 16);
	return layer_set(layer, field, &value, err);
}

int layer_set_mac(struct layer *layer, const char *field, const uint8_t address[6], struct err *err)
{
	struct value value = { .kind = FIELD_MAC };

	memcpy(value.octets, address, 6);
	return layer_set(layer, field, &value, err);
}

const struct value *layer_get(const struct layer *layer, const char *field)
{
	int index = layer_type_field(layer->type, field);

	if (index < 0 || layer->slots[index].state == SLOT_EMPTY)
		return NULL;
	return &layer->slots[index].value;
}

uint64_t layer_get_uint(const struct layer *layer, const char *field, uint64_t otherwise)
{
	const struct value *value = layer_get(layer, field);

	return value && value->kind == FIELD_UINT ? value->uint : otherwise;
}

bool layer_is_set(const struct layer *layer, const char *field)
{
	int index = layer_type_field(layer->type, field);

	return index >= 0 && slot_is_kept(&layer->slots[index]);
}

/* --- packets ---------------------------------------------------------------------- */

struct packet *packet_new(void)
{
	return xcalloc(1, sizeof(struct packet));
}

void packet_free(struct packet *packet)
{
	if (!packet)
		return;
	for (unsigned i = 0; i < packet->layer_count; i++)
		layer_free(packet->layers[i]);
	free(packet->layers);
	free(packet);
}

void packet_free_p(struct packet **packet)
{
	packet_free(*packet);
	*packet = NULL;
}

static void append_layer(struct packet *packet, struct layer *layer)
{
	packet->layers =
		xreallocarray(packet->layers, packet->layer_count + 1, sizeof(*packet->layers));
	packet->layers[packet->layer_count++] = layer;
}

struct packet *packet_copy(const struct packet *packet)
{
	struct packet *copy = packet_new();

	for (unsigned i = 0; i < packet->layer_count; i++)
		append_layer(copy, layer_copy(packet->layers[i]));
	return copy;
}

unsigned packet_layer_count(const struct packet *packet)
{
	return packet->layer_count;
}

struct layer *packet_layer(const struct packet *packet, unsigned index)
{
	return index < packet->layer_count ? packet->layers[index] : NULL;
}

struct layer *packet_find(const struct packet *packet, const char *type, unsigned nth)
{
	for (unsigned i = 0; i < packet->layer_count; i++)
		if (!strcmp(packet->layers[i]->type->name, type) && !nth--)
			return packet->layers[i];
	return NULL;
}

int packet_append(struct packet *packet, const struct layer_type *type, struct layer **ret_layer,
		  struct err *err)
{
	struct layer *layer;

	if (type->family == FAMILY_OPTION)
		return err_set(err, LAB_EINVALID,
			       "'%s' is an option: it belongs into the options of a layer",
			       type->name);
	if (packet->layer_count >= LIMIT_LAYERS)
		return err_set(err, LAB_ELIMIT, "more than %u layers", LIMIT_LAYERS);
	layer = layer_new(type);
	append_layer(packet, layer);
	*ret_layer = layer;
	return 0;
}

unsigned packet_remove(struct packet *packet, const char *type)
{
	unsigned kept = 0;
	unsigned removed;

	for (unsigned i = 0; i < packet->layer_count; i++) {
		if (strcmp(packet->layers[i]->type->name, type) != 0)
			packet->layers[kept++] = packet->layers[i];
		else
			layer_free(packet->layers[i]);
	}
	removed = packet->layer_count - kept;
	packet->layer_count = kept;
	return removed;
}

static void forget_computed(struct layer *layer)
{
	for (unsigned i = 0; i < layer->type->field_count; i++) {
		struct slot *slot = &layer->slots[i];

		if (slot->state != SLOT_PARSED)
			continue;
		switch (layer->type->fields[i].computed) {
		case RULE_PAYLOAD_LENGTH:
		case RULE_HEADER_LENGTH:
		case RULE_CHECKSUM:
		case RULE_UDP_LENGTH:
		case RULE_DATA_OFFSET:
		case RULE_OPTION_LENGTH:
		case RULE_ND_LENGTH:
		case RULE_COUNT:
		case RULE_AUXILIARY_LENGTH:
			value_release(&slot->value);
			slot->state = SLOT_EMPTY;
			break;
		/* These say something of their own: what follows may be unknown. */
		case RULE_NONE:
		case RULE_ETHER_TYPE:
		case RULE_NEXT_HEADER:
		case RULE_HOP_LIMIT:
		case RULE_SEGMENTS_LEFT:
		case RULE_PREFERRED:
			break;
		}
	}
	for (unsigned i = 0; i < layer->option_count; i++)
		forget_computed(layer->options[i]);
}

void packet_forget_computed(struct packet *packet)
{
	for (unsigned i = 0; i < packet->layer_count; i++)
		forget_computed(packet->layers[i]);
}

int packet_append_packet(struct packet *packet, const struct packet *tail, struct err *err)
{
	unsigned count = tail->layer_count; /* `tail` may be `packet` */

	if (packet->layer_count + count > LIMIT_LAYERS)
		return err_set(err, LAB_ELIMIT, "more than %u layers", LIMIT_LAYERS);
	for (unsigned i = 0; i < count; i++)
		append_layer(packet, layer_copy(tail->layers[i]));
	return 0;
}
