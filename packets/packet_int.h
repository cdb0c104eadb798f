/* Insides of packets, for the files of this folder. */
#pragma once

#include "packets/packet.h"

#define ETHER_TYPE_IP6   0x86ddu
#define IP6_HEADER_BYTES 40u

/* Next Header values: IANA "Assigned Internet Protocol Numbers". */
enum {
	NEXT_HOP_BY_HOP = 0,
	NEXT_TCP = 6,
	NEXT_UDP = 17,
	NEXT_IP6 = 41,
	NEXT_ROUTING = 43,
	NEXT_FRAGMENT = 44,
	NEXT_ICMP6 = 58,
	NEXT_NONE = 59,
	NEXT_DST_OPTIONS = 60,
};

enum slot_state {
	SLOT_EMPTY,  /* no value */
	SLOT_SET,    /* by its user: kept by packet_build */
	SLOT_PARSED, /* from bytes: kept, too */
	SLOT_FILLED, /* by packet_build, which makes it anew each time */
};

/* A field of a layer. */
struct slot {
	enum slot_state state;
	struct value value;
	size_t bit_offset; /* in the packet, as parsed or last built */
	size_t bits;       /* on the wire */
};

static inline bool slot_is_kept(const struct slot *slot)
{
	return slot->state == SLOT_SET || slot->state == SLOT_PARSED;
}

struct layer {
	const struct layer_type *type;
	struct slot *slots; /* type->field_count of them; owned */
	struct layer **options;
	unsigned option_count;
	size_t offset; /* in the packet, as parsed or last built */
	size_t size;
};

struct packet {
	struct layer **layers;
	unsigned layer_count;
};

/* packets/layers.c: types that the code itself names. */
extern const struct layer_type *const layer_ether;
extern const struct layer_type *const layer_trailer;
extern const struct layer_type *const layer_ip6;
extern const struct layer_type *const layer_raw;
extern const struct layer_type *const layer_malformed;
extern const struct layer_type *const layer_routing;
extern const struct layer_type *const layer_fragment;
extern const struct layer_type *const layer_icmp6;
/* The type of that family and number, or NULL; for options also of that list. */
const struct layer_type *layer_type_by_number(enum layer_family family, enum option_kind option_of,
					      unsigned number);
/* A field that the code itself names: it must be there. */
struct slot *layer_slot(const struct layer *layer, const char *field);
const struct field_type *slot_type(const struct layer *layer, const struct slot *slot);

/* Bits of a buffer, most significant first; width 1..64. */
uint64_t bits_get(const uint8_t *data, size_t bit_offset, unsigned width);
void bits_put(uint8_t *data, size_t bit_offset, unsigned width, uint64_t value);
uint64_t bits_max(unsigned width);

/*
 * The Internet checksum of layer `index` (RFC 8200 8.1, RFC 1071), which has an
 * IPv6 layer below it, over the bytes that the packet was built to or parsed
 * from, up to `end`. The checksum field is taken as it is: 0 is the answer when
 * the one that is there is right.
 */
uint16_t packet_checksum(const struct packet *packet, unsigned index, const uint8_t *data,
			 size_t end);
/* Where the bytes of the IPv6 packet end: before a trailer. `size` is that of all bytes. */
size_t packet_content_end(const struct packet *packet, size_t size);
/* There is an IPv6 layer below layer `index`. */
bool packet_is_in_ip6(const struct packet *packet, unsigned index);
/* As value_to_string, but of many bytes only the first. */
char *value_to_short_string(const struct value *value, const struct field_type *type);
