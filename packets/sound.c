/* Whether a packet is what it says it is: lengths, checksums, nothing malformed. */
#include "packets/packet_int.h"

#include <inttypes.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/limits.h"

static bool is_malformed(const struct layer *layer, struct err *why)
{
	if (layer->type == layer_malformed) {
		const struct value *reason = layer_get(layer, "reason");

		(void)err_set(why, LAB_EPARSE, "malformed: %s",
			      reason && reason->bytes ? (const char *)reason->bytes : "no reason");
		return true;
	}
	for (unsigned i = 0; i < layer->option_count; i++)
		if (is_malformed(layer->options[i], why))
			return true;
	return false;
}

static bool is_length_right(const struct layer *layer, const char *field, size_t got,
			    struct err *why)
{
	uint64_t said = layer_get_uint(layer, field, got);

	if (said == got)
		return true;
	(void)err_set(why, LAB_EPARSE, "%s.%s is %" PRIu64 ", but there are %zu bytes",
		      layer->type->name, field, said, got);
	return false;
}

static bool is_layer_sound(const struct packet *packet, unsigned index, const uint8_t *data,
			   size_t end, struct err *why)
{
	const struct layer *layer = packet->layers[index];

	if (layer->type == layer_ip6 && layer_get_uint(layer, "version", 6) != 6) {
		(void)err_set(why, LAB_EPARSE, "ip6.version is %" PRIu64,
			      layer_get_uint(layer, "version", 6));
		return false;
	}
	if (layer->type == layer_ip6 &&
	    !is_length_right(layer, "payload_length", end - layer->offset - layer->size, why))
		return false;
	if (layer_type_next_header(layer->type) == NEXT_UDP) {
		if (!is_length_right(layer, "length", end - layer->offset, why))
			return false;
		if (!layer_get_uint(layer, "checksum", 0)) {
			(void)err_set(why, LAB_EPARSE, "udp.checksum is 0 (RFC 8200 8.1)");
			return false;
		}
	}
	if (layer_type_field(layer->type, "checksum") >= 0 && packet_is_in_ip6(packet, index) &&
	    packet_checksum(packet, index, data, end) != 0) {
		(void)err_set(why, LAB_EPARSE, "%s.checksum 0x%04" PRIx64 " is wrong",
			      layer->type->name, layer_get_uint(layer, "checksum", 0));
		return false;
	}
	return true;
}

bool packet_is_sound(const struct packet *packet, struct err *why)
{
	auto_cleanup(packet_free_p) struct packet *copy = packet_copy(packet);
	auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
	size_t end;

	for (unsigned i = 0; i < copy->layer_count; i++)
		if (is_malformed(copy->layers[i], why))
			return false;
	if (packet_build(copy, &bytes, why) < 0)
		return false;
	end = packet_content_end(copy, bytes.size);
	for (unsigned i = 0; i < copy->layer_count; i++)
		if (!is_layer_sound(copy, i, (const uint8_t *)bytes.data, end, why))
			return false;
	return true;
}
