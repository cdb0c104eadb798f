/* Bits of packets, and the checksum over them. */
#include "packets/packet_int.h"

#include <string.h>

#include "base/assert.h"

uint64_t bits_get(const uint8_t *data, size_t bit_offset, unsigned width)
{
	uint64_t value = 0;

	for (size_t bit = bit_offset; bit < bit_offset + width; bit++)
		value = value << 1 | (data[bit / 8] >> (7 - bit % 8) & 1u);
	return value;
}

void bits_put(uint8_t *data, size_t bit_offset, unsigned width, uint64_t value)
{
	for (size_t bit = bit_offset + width; bit-- > bit_offset; value >>= 1) {
		uint8_t mask = (uint8_t)(0x80u >> bit % 8);

		data[bit / 8] = (uint8_t)(value & 1 ? data[bit / 8] | mask : data[bit / 8] & ~mask);
	}
}

/* One's complement sum (RFC 1071) of big-endian 16-bit words, an odd byte filled up with zero. */
static uint32_t sum_words(uint32_t sum, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i += 2) {
		sum += (uint32_t)data[i] << 8 | (i + 1 < size ? data[i + 1] : 0);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

size_t packet_content_end(const struct packet *packet, size_t size)
{
	for (unsigned i = 0; i < packet->layer_count; i++)
		if (packet->layers[i]->type == layer_trailer)
			return packet->layers[i]->offset;
	return size;
}

bool packet_is_in_ip6(const struct packet *packet, unsigned index)
{
	for (unsigned i = 0; i < index; i++)
		if (packet->layers[i]->type == layer_ip6)
			return true;
	return false;
}

/*
 * The destination of the pseudo-header: of the packet, or with a Routing header
 * that still has segments left its last address (RFC 8200 8.1). Known are the
 * types 0 and 2, whose addresses are in the order of the path.
 */
static const uint8_t *final_destination(const struct packet *packet, unsigned ip6, unsigned upper)
{
	const uint8_t *destination = layer_slot(packet->layers[ip6], "dst")->value.octets;

	for (unsigned i = ip6 + 1; i < upper; i++) {
		const struct layer *layer = packet->layers[i];
		const struct value *addresses;
		uint64_t type;

		if (layer->type != layer_routing)
			continue;
		addresses = layer_get(layer, "addresses");
		type = layer_get_uint(layer, "routing_type", 0);
		if ((type == 0 || type == 2) && layer_get_uint(layer, "segments_left", 0) > 0 &&
		    addresses && addresses->size >= 16)
			destination = addresses->bytes + addresses->size - 16;
	}
	return destination;
}

uint16_t packet_checksum(const struct packet *packet, unsigned index, const uint8_t *data,
			 size_t end)
{
	const struct layer *upper = packet->layers[index];
	uint8_t pseudo[40] = { 0 };
	unsigned ip6 = index;
	uint32_t sum;

	while (ip6 > 0 && packet->layers[ip6]->type != layer_ip6)
		ip6--;
	lab_assert(packet->layers[ip6]->type == layer_ip6 && end >= upper->offset);
	memcpy(pseudo, layer_slot(packet->layers[ip6], "src")->value.octets, 16);
	memcpy(pseudo + 16, final_destination(packet, ip6, index), 16);
	bits_put(pseudo, 256, 32, end - upper->offset);
	pseudo[39] = (uint8_t)layer_type_next_header(upper->type);
	sum = sum_words(0, pseudo, sizeof(pseudo));
	sum = sum_words(sum, data + upper->offset, end - upper->offset);
	return (uint16_t)~sum;
}
