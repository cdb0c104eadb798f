/*
 * From layers to bytes, in three passes: first every layer is laid out (what is
 * fixed as zeros, options, what varies in size, filling), so that all offsets
 * and sizes are known; then the fixed fields are written, computed ones among
 * them; then the checksums, the last one first.
 *
 * The layout does not depend on fields that were set to wrong values on
 * purpose: an option with `length = 0` still has its bytes.
 */
#include "packets/packet_int.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"

#define PREFERRED_LIFETIME_S 604800u /* AdvPreferredLifetime, RFC 4861 6.2.1 */

struct build {
	const struct packet *packet;
	struct buf bytes;
	size_t content_end; /* see packet_content_end() */
};

static void append_zeros(struct buf *buf, size_t count)
{
	static const uint8_t zeros[64];

	for (; count > sizeof(zeros); count -= sizeof(zeros))
		buf_append(buf, zeros, sizeof(zeros));
	buf_append(buf, zeros, count);
}

static size_t missing_bytes(size_t size, size_t align)
{
	return align > 1 ? (align - size % align) % align : 0;
}

/* --- first pass: the layout --------------------------------------------------------- */

/*
 * Octets of the prefix in a Route Information option (RFC 4191 2.3): what
 * `length` leaves room for, if it was set, else what the prefix length needs.
 */
static size_t route_prefix_size(const struct layer *layer)
{
	uint64_t length = layer_get_uint(layer, "length", 0);
	uint64_t bits = layer_is_set(layer, "prefix_length")
				? layer_get_uint(layer, "prefix_length", 0)
				: 64;

	if (layer_is_set(layer, "length") && length > 0)
		return length > 3 ? 16 : (size_t)(length - 1) * 8;
	return bits == 0 ? 0 : bits <= 64 ? 8 : 16;
}

static void lay_out_rest(struct layer *layer, unsigned index, struct buf *buf)
{
	const struct field_type *type = &layer->type->fields[index];
	struct slot *slot = &layer->slots[index];
	size_t start = buf->size;

	if (!slot_is_kept(slot)) {
		value_release(&slot->value);
		slot->value.kind = type->kind;
		slot->value.bytes = xcalloc(1, 1);
		slot->state = SLOT_FILLED;
	}
	if (type->kind == FIELD_IP6)
		buf_append(buf, slot->value.octets, route_prefix_size(layer));
	else
		buf_append(buf, slot->value.bytes, slot->value.size);
	slot->bit_offset = start * 8;
	slot->bits = (buf->size - start) * 8;
}

/* Fill options up with Pad1 or PadN (RFC 8200 4.2). */
static void append_option_padding(struct buf *buf, size_t count)
{
	if (count == 1) {
		buf_append_char(buf, 0);
	} else if (count > 1) {
		buf_append_char(buf, 1);
		buf_append_char(buf, (char)(count - 2));
		append_zeros(buf, count - 2);
	}
}

static void lay_out(struct layer *layer, struct buf *buf)
{
	const struct layer_type *type = layer->type;
	size_t missing;

	layer->offset = buf->size;
	append_zeros(buf, type->header_bytes);
	for (unsigned i = 0; i < layer->option_count; i++)
		lay_out(layer->options[i], buf);
	for (unsigned i = 0; i < type->field_count; i++)
		if (!type->fields[i].bit_width && type->fields[i].kind != FIELD_TEXT)
			lay_out_rest(layer, i, buf);
	missing = missing_bytes(buf->size - layer->offset, type->align_bytes);
	if (type->options == OPTIONS_IP6)
		append_option_padding(buf, missing);
	else
		append_zeros(buf, missing);
	layer->size = buf->size - layer->offset;
}

/* --- second pass: the fixed fields -------------------------------------------------- */

/* Next Header, or EtherType, for what comes behind layer `index`. */
static int next_number(const struct build *build, unsigned index, const struct field_type *field,
		       uint64_t *ret_value, struct err *err)
{
	const struct layer *layer = packet_layer(build->packet, index);
	const struct layer *next = packet_layer(build->packet, index + 1);
	int number = next ? layer_type_next_header(next->type) : NEXT_NONE;

	if (next && next->type == layer_trailer)
		number = NEXT_NONE;
	if (field->computed == RULE_ETHER_TYPE)
		number = !next || next->type == layer_ip6 ? (int)ETHER_TYPE_IP6 : LAYER_NO_NUMBER;
	if (number == LAYER_NO_NUMBER)
		return err_set(err, LAB_EINVALID,
			       "%s.%s: set it, because '%s' behind it does not tell what it is",
			       layer->type->name, field->name, next ? next->type->name : "nothing");
	*ret_value = (uint64_t)number;
	return 0;
}

/* RFC 4861 4.1 to 4.5; RFC 2710 3 and RFC 3810 5. */
static uint64_t hop_limit_for(const struct build *build, unsigned index)
{
	for (unsigned i = index + 1; i < build->packet->layer_count; i++) {
		const struct layer_type *type = build->packet->layers[i]->type;

		if (type == layer_ip6)
			break;
		if (type->family != FAMILY_ICMP6)
			continue;
		if (type->number >= 133 && type->number <= 137)
			return 255;
		if ((type->number >= 130 && type->number <= 132) || type->number == 143)
			return 1;
	}
	return 64;
}

static size_t list_count(const struct layer *layer)
{
	for (unsigned i = 0; i < layer->type->field_count; i++)
		if (layer->type->fields[i].kind == FIELD_IP6_LIST)
			return layer->slots[i].value.size / 16;
	return layer->option_count;
}

static int compute(const struct build *build, unsigned index, const struct layer *layer,
		   const struct field_type *field, uint64_t *ret_value, struct err *err)
{
	uint64_t lifetime;

	switch (field->computed) {
	case RULE_ETHER_TYPE:
	case RULE_NEXT_HEADER:
		return next_number(build, index, field, ret_value, err);
	case RULE_PAYLOAD_LENGTH:
		*ret_value = build->content_end - layer->offset - layer->size;
		return 0;
	case RULE_HOP_LIMIT:
		*ret_value = hop_limit_for(build, index);
		return 0;
	case RULE_HEADER_LENGTH:
		*ret_value = layer->size / 8 - 1;
		return 0;
	case RULE_UDP_LENGTH:
		*ret_value = build->content_end - layer->offset;
		return 0;
	case RULE_DATA_OFFSET:
		*ret_value = layer->size / 4;
		return 0;
	case RULE_OPTION_LENGTH:
		*ret_value = layer->size - 2;
		return 0;
	case RULE_ND_LENGTH:
		*ret_value = layer->size / 8;
		return 0;
	case RULE_SEGMENTS_LEFT:
	case RULE_COUNT:
		*ret_value = list_count(layer);
		return 0;
	case RULE_AUXILIARY_LENGTH:
		*ret_value = (layer->size - layer->type->header_bytes - list_count(layer) * 16) / 4;
		return 0;
	case RULE_PREFERRED:
		lifetime = layer_slot(layer, "valid_lifetime")->value.uint;
		*ret_value = lifetime < PREFERRED_LIFETIME_S ? lifetime : PREFERRED_LIFETIME_S;
		return 0;
	case RULE_CHECKSUM: /* in the third pass */
	case RULE_NONE:
		*ret_value = field->otherwise;
		return 0;
	}
	return 0;
}

static int fill_slot(const struct build *build, unsigned index, struct layer *layer,
		     unsigned field_index, struct err *err)
{
	const struct field_type *field = &layer->type->fields[field_index];
	struct slot *slot = &layer->slots[field_index];
	int rc;

	if (slot_is_kept(slot))
		return 0;
	if (field->required)
		return err_set(err, LAB_EINVALID, "%s.%s is not set", layer->type->name,
			       field->name);
	value_release(&slot->value);
	slot->value.kind = field->kind;
	slot->value.size = field->kind == FIELD_IP6 ? 16 : 0;
	slot->state = SLOT_FILLED;
	if (field->kind != FIELD_UINT)
		return 0;
	rc = compute(build, index, layer, field, &slot->value.uint, err);
	if (rc < 0)
		return rc;
	if (slot->value.uint > bits_max(field->bit_width))
		return err_set(err, LAB_ELIMIT,
			       "%s.%s: %" PRIu64
			       " does not fit into %u bits: the layer is too long",
			       layer->type->name, field->name, slot->value.uint,
			       (unsigned)field->bit_width);
	return 0;
}

static void write_slot(struct build *build, const struct layer *layer, unsigned field_index)
{
	const struct field_type *field = &layer->type->fields[field_index];
	struct slot *slot = &layer->slots[field_index];
	uint8_t *data = (uint8_t *)build->bytes.data;
	size_t bit = layer->offset * 8 + field->bit_offset;

	slot->bit_offset = bit;
	slot->bits = field->bit_width;
	if (field->kind == FIELD_UINT)
		bits_put(data, bit, field->bit_width, slot->value.uint);
	else
		memcpy(data + bit / 8, slot->value.octets, field->bit_width / 8u);
}

static int write_fields(struct build *build, unsigned index, struct layer *layer, struct err *err)
{
	int rc;

	for (unsigned i = 0; i < layer->type->field_count; i++) {
		if (!layer->type->fields[i].bit_width)
			continue;
		rc = fill_slot(build, index, layer, i, err);
		if (rc < 0)
			return rc;
		write_slot(build, layer, i);
	}
	for (unsigned i = 0; i < layer->option_count; i++) {
		rc = write_fields(build, index, layer->options[i], err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* --- third pass: checksums ---------------------------------------------------------- */

static int write_checksum(struct build *build, unsigned index, struct err *err)
{
	const struct layer *layer = build->packet->layers[index];
	int field = layer_type_field(layer->type, "checksum");
	struct slot *slot;
	uint16_t sum;

	if (field < 0 || slot_is_kept(&layer->slots[field]))
		return 0;
	slot = &layer->slots[field];
	if (!packet_is_in_ip6(build->packet, index))
		return err_set(err, LAB_EINVALID, "%s.checksum: there is no 'ip6' layer before it",
			       layer->type->name);
	sum = packet_checksum(build->packet, index, (const uint8_t *)build->bytes.data,
			      build->content_end);
	/* 0 would mean that there is none (RFC 8200 8.1). */
	if (!sum && layer_type_next_header(layer->type) == NEXT_UDP)
		sum = 0xffff;
	slot->value.uint = sum;
	write_slot(build, layer, (unsigned)field);
	return 0;
}

static int build_into(struct build *build, struct err *err)
{
	const struct packet *packet = build->packet;
	int rc;

	for (unsigned i = 0; i + 1 < packet->layer_count; i++)
		if (packet->layers[i]->type == layer_trailer)
			return err_set(err, LAB_EINVALID, "%s: no layer can come behind 'trailer'",
				       packet->layers[i + 1]->type->name);
	for (unsigned i = 0; i < packet->layer_count; i++)
		lay_out(packet->layers[i], &build->bytes);
	if (build->bytes.overflow)
		return err_set(err, LAB_ELIMIT, "the packet is larger than %u bytes",
			       LIMIT_FRAME_BYTES);
	build->content_end = packet_content_end(packet, build->bytes.size);
	for (unsigned i = 0; i < packet->layer_count; i++) {
		rc = write_fields(build, i, packet->layers[i], err);
		if (rc < 0)
			return rc;
	}
	for (unsigned i = packet->layer_count; i-- > 0;) {
		rc = write_checksum(build, i, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int packet_build(struct packet *packet, struct buf *bytes, struct err *err)
{
	struct build build = { .packet = packet, .bytes = BUF_INIT(LIMIT_FRAME_BYTES) };
	int rc = build_into(&build, err);

	if (!rc) {
		buf_append(bytes, build.bytes.data, build.bytes.size);
		if (bytes->overflow)
			rc = err_set(err, LAB_ELIMIT, "the packet of %zu bytes does not fit",
				     build.bytes.size);
	}
	buf_clear(&build.bytes);
	return rc;
}
