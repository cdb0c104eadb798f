/* Pieces of packets: fragments in any order and overlap, putting them together, quoting, cutting. */
#include "packets/packet_int.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/limits.h"

/*
 * Index of the first layer of the fragmentable part (RFC 8200 4.5): the Per-Fragment
 * headers are the IPv6 header, Hop-by-Hop Options, and everything up to and
 * including a Routing header.
 */
static int first_fragmentable(const struct packet *packet, unsigned *ret_index, struct err *err)
{
	unsigned first = 0;
	unsigned i = 0;

	while (i < packet->layer_count && packet->layers[i]->type != layer_ip6)
		i++;
	if (i == packet->layer_count)
		return err_set(err, LAB_EINVALID, "fragments: the packet has no 'ip6' layer");
	first = ++i;
	for (; i < packet->layer_count; i++) {
		const struct layer_type *type = packet->layers[i]->type;

		if (type == layer_fragment)
			return err_set(err, LAB_EINVALID,
				       "fragments: the packet has a 'fragment' layer already");
		if (type->number == NEXT_HOP_BY_HOP && type->family == FAMILY_HEADER)
			first = i + 1;
		else if (layer_type_next_header(type) == NEXT_ROUTING)
			first = i + 1;
		else if (layer_type_next_header(type) != NEXT_DST_OPTIONS)
			break;
	}
	*ret_index = first;
	return 0;
}

/* The fragmentable part as bytes; headers before it are the first `*ret_index` layers of *ret_built. */
static int take_fragmentable(const struct packet *packet, struct packet **ret_built,
			     unsigned *ret_index, struct buf *part, struct err *err)
{
	auto_cleanup(packet_free_p) struct packet *built = packet_copy(packet);
	auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
	unsigned index = 0;
	const struct layer *before;
	size_t start, end;
	int rc = first_fragmentable(built, &index, err);

	if (rc < 0)
		return rc;
	rc = packet_build(built, &bytes, err);
	if (rc < 0)
		return rc;
	before = built->layers[index - 1];
	start = before->offset + before->size;
	end = packet_content_end(built, bytes.size);
	buf_append(part, bytes.data + start, end - start);
	*ret_index = index;
	*ret_built = STEAL_PTR(built);
	return 0;
}

int packet_fragmentable_size(const struct packet *packet, size_t *ret_size, struct err *err)
{
	auto_cleanup(packet_free_p) struct packet *built = NULL;
	auto_cleanup(buf_release_p) struct buf part = BUF_INIT(LIMIT_FRAME_BYTES);
	unsigned index = 0;
	int rc = take_fragmentable(packet, &built, &index, &part, err);

	if (rc < 0)
		return rc;
	*ret_size = part.size;
	return 0;
}

/* A copy of a header that stays in each fragment; what was computed is computed anew. */
static int copy_header(struct packet *fragment, const struct layer *header, struct err *err)
{
	struct packet one = { .layers = (struct layer *[]){ layer_copy(header) },
			      .layer_count = 1 };
	int rc;

	for (unsigned i = 0; i < header->type->field_count; i++) {
		struct slot *slot = &one.layers[0]->slots[i];

		/* 255 below ND and the like is decided by the whole packet, not by the piece. */
		if (header->type->fields[i].computed == RULE_HOP_LIMIT)
			slot->state = SLOT_SET;
		/* A packet that was received has one: that of the whole. */
		if (header->type->fields[i].computed == RULE_PAYLOAD_LENGTH)
			slot->state = SLOT_EMPTY;
	}
	rc = packet_append_packet(fragment, &one, err);
	layer_free(one.layers[0]);
	return rc;
}

static int add_piece(struct packet *fragment, const struct packet *built, unsigned index,
		     const struct fragment_cut *cut, uint32_t identification, const uint8_t *piece,
		     struct err *err)
{
	const struct layer *before = built->layers[index - 1];
	struct layer *header = NULL;
	struct layer *payload = NULL;
	int rc = packet_append(fragment, layer_fragment, &header, err);

	rc = rc < 0 ? rc : packet_append(fragment, layer_raw, &payload, err);
	if (rc < 0)
		return rc;
	rc = layer_set_uint(header, "next_header", layer_get_uint(before, "next_header", 0), err);
	rc = rc < 0 ? rc : layer_set_uint(header, "offset", cut->offset / 8, err);
	rc = rc < 0 ? rc : layer_set_uint(header, "more", cut->more, err);
	rc = rc < 0 ? rc : layer_set_uint(header, "identification", identification, err);
	return rc < 0 ? rc : layer_set_bytes(payload, "data", piece, cut->size, err);
}

int packet_fragment(const struct packet *packet, const struct fragment_cut *cut,
		    uint32_t identification, struct packet **ret_fragment, struct err *err)
{
	auto_cleanup(packet_free_p) struct packet *built = NULL;
	auto_cleanup(packet_free_p) struct packet *fragment = packet_new();
	auto_cleanup(buf_release_p) struct buf part = BUF_INIT(LIMIT_FRAME_BYTES);
	unsigned index = 0;
	int rc = take_fragmentable(packet, &built, &index, &part, err);

	if (rc < 0)
		return rc;
	if (cut->offset % 8)
		return err_set(err, LAB_EINVALID,
			       "fragments: offset %zu is no multiple of 8 (RFC 8200 4.5)",
			       cut->offset);
	if (cut->offset > part.size || cut->size > part.size - cut->offset)
		return err_set(err, LAB_EINVALID,
			       "fragments: bytes %zu to %zu, but the packet has %zu to fragment",
			       cut->offset, cut->offset + cut->size, part.size);
	for (unsigned i = 0; i < index; i++) {
		rc = copy_header(fragment, built->layers[i], err);
		if (rc < 0)
			return rc;
	}
	/* The header before announces the Fragment header now. */
	layer_slot(fragment->layers[index - 1], "next_header")->state = SLOT_EMPTY;
	rc = add_piece(fragment, built, index, cut, identification,
		       (const uint8_t *)part.data + cut->offset, err);
	if (rc < 0)
		return rc;
	*ret_fragment = STEAL_PTR(fragment);
	return 0;
}

/* --- putting together ----------------------------------------------------------------- */

struct assembly {
	uint8_t bytes[LIMIT_FRAME_BYTES]; /* of the fragmentable part */
	bool known[LIMIT_FRAME_BYTES];    /* which of them came */
	size_t size;                      /* of the whole part, once the last fragment is known */
	bool has_last;
};

static int take_piece(struct assembly *assembly, const struct packet *packet, unsigned number,
		      struct err *err)
{
	const struct layer *header = packet_find(packet, "fragment", 0);
	const struct value *data;
	size_t offset;

	for (unsigned i = 0; header && i + 1 < packet->layer_count; i++) {
		if (packet->layers[i] != header)
			continue;
		data = layer_get(packet->layers[i + 1], "data");
		offset = (size_t)layer_get_uint(header, "offset", 0) * 8;
		if (!data || data->kind != FIELD_BYTES)
			break;
		if (offset + data->size > LIMIT_FRAME_BYTES)
			return err_set(err, LAB_ELIMIT,
				       "packet %u of the fragments reaches beyond %u bytes",
				       number + 1, LIMIT_FRAME_BYTES);
		memcpy(assembly->bytes + offset, data->bytes, data->size);
		memset(assembly->known + offset, true, data->size);
		if (!layer_get_uint(header, "more", 0)) {
			assembly->has_last = true;
			assembly->size = offset + data->size;
		}
		return 0;
	}
	return err_set(err, LAB_EINVALID, "packet %u of the fragments is none", number + 1);
}

/* Headers of the first fragment, the part behind them; the first one's next header and length. */
static int join(const struct packet *first, const struct assembly *assembly, struct buf *bytes,
		struct err *err)
{
	auto_cleanup(packet_free_p) struct packet *head = packet_copy(first);
	const struct layer *header = packet_find(head, "fragment", 0);
	const struct layer *ip6;
	unsigned index = 0;
	struct slot *slot;
	uint64_t next;
	int rc;

	/* Fills in what was not set, when it was made here and not received. */
	rc = packet_build(head, bytes, err);
	if (rc < 0)
		return rc;
	buf_reset(bytes);
	next = layer_get_uint(header, "next_header", NEXT_NONE);
	while (head->layers[index] != header)
		index++;
	if (!index || !layer_get(head->layers[index - 1], "next_header") ||
	    !packet_is_in_ip6(head, index))
		return err_set(err, LAB_EINVALID, "no header comes before the fragment header");
	while (head->layer_count > index)
		layer_free(head->layers[--head->layer_count]);
	slot = layer_slot(head->layers[index - 1], "next_header");
	slot->value = (struct value){ .kind = FIELD_UINT, .uint = next };
	slot->state = SLOT_SET;
	ip6 = packet_find(head, "ip6", 0);
	slot = layer_slot(ip6, "payload_length");
	slot->state = SLOT_EMPTY;
	rc = packet_build(head, bytes, err);
	if (rc < 0)
		return rc;
	buf_append(bytes, assembly->bytes, assembly->size);
	if (bytes->overflow || bytes->size - ip6->offset - IP6_HEADER_BYTES > UINT16_MAX)
		return err_set(err, LAB_ELIMIT, "the fragments make more than %u bytes",
			       LIMIT_FRAME_BYTES);
	bits_put((uint8_t *)bytes->data, ip6->offset * 8 + 32, 16,
		 bytes->size - ip6->offset - IP6_HEADER_BYTES);
	return 0;
}

static struct packet *parse_like(const struct packet *model, const struct buf *bytes)
{
	if (model->layer_count && model->layers[0]->type == layer_ip6)
		return packet_parse_ip6(bytes->data, bytes->size);
	return packet_parse_frame(bytes->data, bytes->size);
}

int packet_reassemble(const struct packet *const *fragments, unsigned count,
		      struct packet **ret_packet, struct err *err)
{
	auto_free struct assembly *assembly = xcalloc(1, sizeof(*assembly));
	auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
	const struct packet *first = NULL;
	int rc;

	for (unsigned i = 0; i < count; i++) {
		rc = take_piece(assembly, fragments[i], i, err);
		if (rc < 0)
			return rc;
		if (!layer_get_uint(packet_find(fragments[i], "fragment", 0), "offset", 0))
			first = fragments[i];
	}
	if (!first || !assembly->has_last)
		return err_set(err, LAB_EINVALID, "the %s fragment is missing",
			       first ? "last" : "first");
	for (size_t i = 0; i < assembly->size; i++)
		if (!assembly->known[i])
			return err_set(err, LAB_EINVALID,
				       "the fragment with byte %zu of the packet is missing", i);
	rc = join(first, assembly, &bytes, err);
	if (rc < 0)
		return rc;
	*ret_packet = parse_like(first, &bytes);
	return 0;
}

/* --- cutting and quoting -------------------------------------------------------------- */

int packet_truncate(const struct packet *packet, size_t size, struct packet **ret_packet,
		    struct err *err)
{
	auto_cleanup(packet_free_p) struct packet *built = packet_copy(packet);
	auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
	int rc = packet_build(built, &bytes, err);

	if (rc < 0)
		return rc;
	if (size > bytes.size)
		return err_set(err, LAB_EINVALID, "the packet has %zu bytes, less than %zu",
			       bytes.size, size);
	bytes.size = size;
	*ret_packet = parse_like(packet, &bytes);
	return 0;
}

int packet_quote(const struct packet *packet, size_t max, struct buf *bytes, struct err *err)
{
	auto_cleanup(packet_free_p) struct packet *built = packet_copy(packet);
	auto_cleanup(buf_release_p) struct buf all = BUF_INIT(LIMIT_FRAME_BYTES);
	const struct layer *ip6 = packet_find(built, "ip6", 0);
	size_t size;
	int rc;

	if (!ip6)
		return err_set(err, LAB_EINVALID, "the packet has no 'ip6' layer");
	rc = packet_build(built, &all, err);
	if (rc < 0)
		return rc;
	size = packet_content_end(built, all.size) - ip6->offset;
	buf_append(bytes, all.data + ip6->offset, size < max ? size : max);
	return bytes->overflow ? err_set(err, LAB_ELIMIT, "the quoted packet does not fit") : 0;
}
