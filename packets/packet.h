/*
 * Packets as layers put together, sent and matched by the fields that are named.
 *
 * A packet is a list of layers (Ethernet, IPv6, extension headers, ICMPv6 and
 * ND messages with their options, UDP, TCP, raw bytes). Each layer has a type
 * with a table of fields (packets/layers.c is the one list). A field that is
 * not set has its default, or is computed when the bytes are made (lengths,
 * next headers, checksums); setting such a field makes the bytes wrong on
 * purpose. ND options and the options of Hop-by-Hop and Destination Options
 * headers are layers too, kept in their parent's option list.
 *
 * Parsing never fails: bytes that make no sense become a layer of type
 * "malformed" whose `reason` field says what was wrong, and the rest is kept
 * as raw bytes. Nothing here knows time, links or Lua.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct buf;
struct err;

enum field_kind {
	FIELD_UINT,  /* up to 64 bits, network order on the wire */
	FIELD_MAC,   /* 6 bytes */
	FIELD_IP6,   /* 16 bytes */
	FIELD_BYTES, /* the rest of the layer, or `bit_width / 8` bytes */
	FIELD_TEXT,  /* not on the wire: what the parser has to say */
};

struct field_type {
	const char *name;   /* "hop_limit" */
	enum field_kind kind;
	uint16_t bit_offset; /* from the start of the layer */
	uint16_t bit_width;  /* 0 for FIELD_BYTES: all that is left */
	bool computed;	     /* made from the other layers when not set */
	uint64_t otherwise;  /* default when not set and not computed (FIELD_UINT) */
	const char *about;   /* RFC and section */
};

enum option_kind { OPTIONS_NONE, OPTIONS_IP6, OPTIONS_ND };

struct layer_type {
	const char *name;  /* "ip6", "echo_request", "nd_prefix": the word in scripts and records */
	const char *title; /* "Internet Protocol version 6" */
	const struct field_type *fields;
	unsigned field_count;
	unsigned header_bytes; /* fixed part */
	enum option_kind options;
	bool is_option;
	const char *about; /* RFC and section */
};

/* All layer types, in the order of packets/layers.c. */
const struct layer_type *layer_type_find(const char *name); /* NULL if there is none */
const struct layer_type *layer_type_at(unsigned index);	    /* NULL past the end */
/* The index of a field in type->fields, or -1. */
int layer_type_field(const struct layer_type *type, const char *field);

struct value {
	enum field_kind kind;
	uint64_t uint;	   /* FIELD_UINT */
	uint8_t octets[16]; /* FIELD_MAC: first 6; FIELD_IP6: all */
	uint8_t *bytes;	   /* FIELD_BYTES and FIELD_TEXT (NUL-terminated); owned */
	size_t size;
};

struct packet;
struct layer;

struct packet *packet_new(void);
struct packet *packet_copy(const struct packet *packet);
void packet_free(struct packet *packet);
unsigned packet_layer_count(const struct packet *packet);
struct layer *packet_layer(const struct packet *packet, unsigned index);
/* The `nth` (0..) layer of that type, or NULL. */
struct layer *packet_find(const struct packet *packet, const char *type, unsigned nth);
/* Append an empty layer; LAB_ELIMIT past LIMIT_LAYERS. The packet owns it. */
int packet_append(struct packet *packet, const struct layer_type *type, struct layer **ret_layer,
		  struct err *err);
/* Append copies of all layers of `tail`. */
int packet_append_packet(struct packet *packet, const struct packet *tail, struct err *err);

const struct layer_type *layer_get_type(const struct layer *layer);
/* Where the layer lies in the bytes it was parsed from or last built to. */
size_t layer_get_offset(const struct layer *layer);
size_t layer_get_size(const struct layer *layer);
unsigned layer_option_count(const struct layer *layer);
struct layer *layer_option(const struct layer *layer, unsigned index);
struct layer *layer_find_option(const struct layer *layer, const char *type, unsigned nth);
int layer_append_option(struct layer *layer, const struct layer_type *type, struct layer **ret_option,
			struct err *err);
/* Set a field; the value is copied. LAB_EINVALID names layer, field and what was expected. */
int layer_set(struct layer *layer, const char *field, const struct value *value, struct err *err);
int layer_set_uint(struct layer *layer, const char *field, uint64_t value, struct err *err);
int layer_set_bytes(struct layer *layer, const char *field, const void *data, size_t size,
		    struct err *err);
int layer_set_ip6(struct layer *layer, const char *field, const uint8_t address[16], struct err *err);
int layer_set_mac(struct layer *layer, const char *field, const uint8_t address[6], struct err *err);
/* The field's value as parsed, set, or computed by the last packet_build; NULL if there is none. */
const struct value *layer_get(const struct layer *layer, const char *field);
uint64_t layer_get_uint(const struct layer *layer, const char *field, uint64_t otherwise);

/* Make the bytes; computed fields are filled in `packet` too. LAB_ELIMIT past LIMIT_FRAME_BYTES. */
int packet_build(struct packet *packet, struct buf *bytes, struct err *err);
/* Bytes that begin with an Ethernet header; never fails. */
struct packet *packet_parse_frame(const void *data, size_t size);
/* Bytes that begin with an IPv6 header (the packet inside an ICMPv6 error). */
struct packet *packet_parse_ip6(const void *data, size_t size);
/*
 * True when every checksum and length that the packet carries is right;
 * else writes which is not into `why`.
 */
bool packet_is_sound(const struct packet *packet, struct err *why);

/* "Echo Request fe80::1 > fe80::2 id 7 seq 1 hop limit 64": one line for logs and captures. On the heap. */
char *packet_summary(const struct packet *packet);
/* [{"layer":"ip6","title":...,"offset":14,"size":40,"fields":[{"name","value","text","offset","bits"}],"options":[...]}] */
json_t *packet_to_json(const struct packet *packet);
/* "fe80::1", "02:00:00:00:00:01", "0x3a" or "58", "00 01 02": as shown to people. On the heap. */
char *value_to_string(const struct value *value, const struct field_type *type);
void value_release(struct value *value);

/* --- addresses ------------------------------------------------------------ */

int ip6_from_string(const char *text, uint8_t ret_address[16], struct err *err);
int mac_from_string(const char *text, uint8_t ret_address[6], struct err *err);
#define IP6_TEXT_SIZE 46
#define MAC_TEXT_SIZE 18
char *ip6_to_string(const uint8_t address[16], char text[IP6_TEXT_SIZE]); /* RFC 5952 */
char *mac_to_string(const uint8_t address[6], char text[MAC_TEXT_SIZE]);
/* RFC 4291 2.7.1; RFC 2464 7; RFC 4291 appendix A (EUI-64 from a MAC). */
void ip6_solicited_node(const uint8_t address[16], uint8_t ret_group[16]);
void mac_of_multicast(const uint8_t group[16], uint8_t ret_mac[6]);
void ip6_from_eui64(const uint8_t prefix[16], const uint8_t mac[6], uint8_t ret_address[16]);
bool ip6_is_multicast(const uint8_t address[16]);
bool ip6_is_link_local(const uint8_t address[16]);
bool ip6_is_unspecified(const uint8_t address[16]);
