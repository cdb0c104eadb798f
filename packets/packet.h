/*
 * Packets as layers put together, sent and matched by the fields that are named.
 *
 * A packet is a list of layers (Ethernet, IPv6, extension headers, ICMPv6 and
 * ND messages with their options, UDP, TCP, raw bytes). Each layer has a type
 * with a table of fields (packets/layers.c is the one list). A field that is
 * not set has its default, or is computed when the bytes are made (lengths,
 * next headers, checksums); setting such a field makes the bytes wrong on
 * purpose. ND options, the options of Hop-by-Hop and Destination Options
 * headers and the records of MLDv2 reports are layers too, kept in their
 * parent's option list.
 *
 * Parsing never fails: bytes that make no sense become a layer of type
 * "malformed" whose `reason` field says what was wrong and whose `data` keeps
 * them. Parsing loses nothing: what was parsed is built to the same bytes
 * again. Nothing here knows time, links or Lua.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct buf;
struct err;

enum field_kind {
	FIELD_UINT,     /* up to 64 bits, network order on the wire */
	FIELD_MAC,      /* 6 bytes */
	FIELD_IP6,      /* 16 bytes; with bit_width 0 as many of them as the option has room for */
	FIELD_BYTES,    /* the rest of the layer */
	FIELD_IP6_LIST, /* as many addresses of 16 bytes as there are */
	FIELD_NAMES,    /* domain names as RFC 1035 3.1 writes them, without compression */
	FIELD_TEXT,     /* not on the wire: what the parser has to say */
};

/* What a field that is not set is made from when the bytes are made. */
enum field_rule {
	RULE_NONE,             /* its default */
	RULE_ETHER_TYPE,       /* what follows */
	RULE_NEXT_HEADER,      /* what follows */
	RULE_PAYLOAD_LENGTH,   /* bytes behind the IPv6 header */
	RULE_HOP_LIMIT,        /* 255 below ND, 1 below MLD, else 64 */
	RULE_HEADER_LENGTH,    /* of an extension header: 8-octet units, not counting the first */
	RULE_SEGMENTS_LEFT,    /* number of addresses */
	RULE_CHECKSUM,         /* RFC 8200 8.1 */
	RULE_UDP_LENGTH,       /* bytes of header and data */
	RULE_DATA_OFFSET,      /* of TCP: 4-octet units */
	RULE_OPTION_LENGTH,    /* of an IPv6 option: bytes behind the length */
	RULE_ND_LENGTH,        /* of an ND option: 8-octet units, the header counted */
	RULE_COUNT,            /* number of addresses, or of records */
	RULE_AUXILIARY_LENGTH, /* of an MLDv2 record: 4-octet units of `auxiliary` */
	RULE_PREFERRED,        /* the RFC's default, but not above the valid lifetime */
};

/* What a number means. Lists of them end with a NULL name. */
struct value_name {
	uint64_t value;
	const char *name;
};

struct field_type {
	const char *name;     /* "hop_limit" */
	enum field_kind kind; /* what its values are */
	uint16_t bit_offset;  /* from the start of the layer; of what varies in size: the least */
	uint16_t bit_width;   /* 0: takes what is left of the layer, in the order of the table */
	enum field_rule computed; /* how it is made when not set; RULE_NONE: `otherwise` */
	uint64_t otherwise;       /* default when not set and not computed (FIELD_UINT) */
	bool required;            /* has no sensible default: building without it is an error */
	bool hex;                 /* shown in base 16 */
	const struct value_name *names; /* what its numbers mean, or NULL */
	const char *about; /* RFC and section, and what it means where the name does not say */
};

/* How the parser comes to a type, and what `number` is. */
enum layer_family {
	FAMILY_LINK,   /* starts and ends a frame; no number */
	FAMILY_HEADER, /* number: the Next Header value that announces it */
	FAMILY_ICMP6,  /* number: the ICMPv6 type; announced by Next Header 58 */
	FAMILY_OPTION, /* number: the option type */
	FAMILY_DATA,   /* bytes without structure; no number */
};

enum option_kind {
	OPTIONS_NONE,
	OPTIONS_IP6, /* RFC 8200 4.2 */
	OPTIONS_ND,  /* RFC 4861 4.6 */
	OPTIONS_MLD, /* multicast address records, RFC 3810 5.2.4 */
};

#define LAYER_NO_NUMBER (-1)

struct layer_type {
	const char *name;  /* "ip6", "echo_request", "nd_prefix": the word in scripts and records */
	const char *title; /* "Internet Protocol version 6" */
	enum layer_family family; /* how the parser comes to it */
	int number;               /* see enum layer_family; LAYER_NO_NUMBER for what is left over */
	const struct field_type *fields; /* in the order of the wire */
	unsigned field_count;
	unsigned header_bytes;      /* fixed part */
	unsigned align_bytes;       /* its size is filled up to a multiple of this */
	enum option_kind options;   /* what its option list holds */
	enum option_kind option_of; /* for FAMILY_OPTION: the lists it may be in */
	const char *about;          /* RFC and section */
};

/* All layer types, in the order of packets/layers.c. */
const struct layer_type *layer_type_find(const char *name); /* NULL if there is none */
const struct layer_type *layer_type_at(unsigned index);     /* NULL past the end */
/* The index of a field in type->fields, or -1. */
int layer_type_field(const struct layer_type *type, const char *field);
/* As layer_type_field, or LAB_EINVALID with what there is instead. */
int layer_type_need_field(const struct layer_type *type, const char *field, struct err *err);
/* The Next Header value that announces the layer, or LAYER_NO_NUMBER. */
int layer_type_next_header(const struct layer_type *type);
/* The known name that is most like `name`, or NULL when none is near. */
const char *layer_type_nearest(const char *name);
const char *layer_type_nearest_field(const struct layer_type *type, const char *name);
/* "version, traffic_class, ...": all fields of a type. On the heap. */
char *layer_type_field_names(const struct layer_type *type);

struct value {
	enum field_kind kind;
	uint64_t uint;      /* FIELD_UINT */
	uint8_t octets[16]; /* FIELD_MAC: first 6; FIELD_IP6: all */
	uint8_t *bytes;     /* other kinds (FIELD_TEXT is NUL-terminated); owned */
	size_t size;        /* of `bytes`; of FIELD_IP6 with bit_width 0: octets on the wire */
};

struct packet;
struct layer;

struct packet *packet_new(void);
struct packet *packet_copy(const struct packet *packet);
void packet_free(struct packet *packet);
void packet_free_p(struct packet **packet); /* for auto_cleanup */
unsigned packet_layer_count(const struct packet *packet);
struct layer *packet_layer(const struct packet *packet, unsigned index);
/* The `nth` (0..) layer of that type, or NULL. */
struct layer *packet_find(const struct packet *packet, const char *type, unsigned nth);
/* Append an empty layer; LAB_ELIMIT past LIMIT_LAYERS. The packet owns it. */
int packet_append(struct packet *packet, const struct layer_type *type, struct layer **ret_layer,
		  struct err *err);
/* Append copies of all layers of `tail`. */
int packet_append_packet(struct packet *packet, const struct packet *tail, struct err *err);
/* Remove the layers of that type; returns how many there were. */
unsigned packet_remove(struct packet *packet, const char *type);
/*
 * Forget the lengths, counts and checksums that were parsed (not those that
 * were set), so that the packet can be changed and built to a right one.
 */
void packet_forget_computed(struct packet *packet);

/* A layer or option by itself, to be given to a layer by layer_take_option. */
struct layer *layer_new(const struct layer_type *type);
struct layer *layer_copy(const struct layer *layer);
void layer_free(struct layer *layer);

const struct layer_type *layer_get_type(const struct layer *layer);
/* Where the layer lies in the bytes it was parsed from or last built to. */
size_t layer_get_offset(const struct layer *layer);
size_t layer_get_size(const struct layer *layer);
unsigned layer_option_count(const struct layer *layer);
struct layer *layer_option(const struct layer *layer, unsigned index);
struct layer *layer_find_option(const struct layer *layer, const char *type, unsigned nth);
int layer_append_option(struct layer *layer, const struct layer_type *type,
			struct layer **ret_option, struct err *err);
/* The layer owns `option` when it succeeds. */
int layer_take_option(struct layer *layer, struct layer *option, struct err *err);
/* Set a field; the value is copied. LAB_EINVALID names layer, field and what was expected. */
int layer_set(struct layer *layer, const char *field, const struct value *value, struct err *err);
int layer_set_uint(struct layer *layer, const char *field, uint64_t value, struct err *err);
int layer_set_bytes(struct layer *layer, const char *field, const void *data, size_t size,
		    struct err *err);
int layer_set_ip6(struct layer *layer, const char *field, const uint8_t address[16],
		  struct err *err);
int layer_set_mac(struct layer *layer, const char *field, const uint8_t address[6],
		  struct err *err);
/*
 * Whether `value` can be that field's: kind, range, size. Also for what is to
 * be matched, so that a pattern cannot wait for a value that does not exist.
 */
int field_check(const struct layer_type *type, const struct field_type *field,
		const struct value *value, struct err *err);
/* The field's value as parsed, set, or filled in by the last packet_build; NULL if there is none. */
const struct value *layer_get(const struct layer *layer, const char *field);
uint64_t layer_get_uint(const struct layer *layer, const char *field, uint64_t otherwise);
/* The field was set (or parsed), not filled in by packet_build. */
bool layer_is_set(const struct layer *layer, const char *field);

/*
 * Make the bytes and append them to `bytes`; what was not set is filled in
 * `packet` too, and made anew by each call. LAB_ELIMIT past LIMIT_FRAME_BYTES;
 * LAB_EINVALID for a required field that is not set.
 */
int packet_build(struct packet *packet, struct buf *bytes, struct err *err);
/* Bytes that begin with an Ethernet header; never fails. */
struct packet *packet_parse_frame(const void *data, size_t size);
/* Bytes that begin with an IPv6 header (the packet inside an ICMPv6 error); never fails. */
struct packet *packet_parse_ip6(const void *data, size_t size);
/*
 * True when every checksum and length that the packet carries is right;
 * else writes which is not into `why`.
 */
bool packet_is_sound(const struct packet *packet, struct err *why);

/* --- fragments (RFC 8200 4.5) --------------------------------------------- */

struct fragment_cut {
	size_t offset; /* first byte of the fragmentable part; a multiple of 8 */
	size_t size;   /* bytes; past the end of the packet is an error */
	bool more;     /* the M flag */
};

/* Bytes of the packet that fragments carry: all behind the headers that stay in each of them. */
int packet_fragmentable_size(const struct packet *packet, size_t *ret_size, struct err *err);
/*
 * One fragment of `packet`; called for each cut, in any order and overlapping,
 * it makes any set of fragments. Headers below the fragmentable part are copied.
 */
int packet_fragment(const struct packet *packet, const struct fragment_cut *cut,
		    uint32_t identification, struct packet **ret_fragment, struct err *err);
/* Put the fragments of one packet together; LAB_EINVALID says what is missing. */
int packet_reassemble(const struct packet *const *fragments, unsigned count,
		      struct packet **ret_packet, struct err *err);
/* The first `size` bytes of the packet as it would be sent. */
int packet_truncate(const struct packet *packet, size_t size, struct packet **ret_packet,
		    struct err *err);
/* Octets of an IPv6 packet that every link carries (RFC 8200 5). */
#define PACKET_MINIMUM_MTU 1280u
/*
 * The bytes from the (first) IPv6 header on, `max` at most; appended to
 * `bytes`. What an ICMPv6 error quotes: max = PACKET_MINIMUM_MTU - 40 - 8.
 */
int packet_quote(const struct packet *packet, size_t max, struct buf *bytes, struct err *err);

/* --- showing ---------------------------------------------------------------- */

/* "Echo Request fe80::1 > fe80::2 id 7 seq 1 hop limit 64": one line for logs and captures. On the heap. */
char *packet_summary(const struct packet *packet);
/*
 * [{"layer":"ip6","title":...,"offset":14,"size":40,"options":[...],
 *   "fields":[{"name","value","text","about","offset":14,"bit":0,"bits":4}]}]
 * "offset" counts bytes from the start of the packet, "bit" bits from the most
 * significant one of that byte; fields without a value are left out.
 */
json_t *packet_to_json(const struct packet *packet);
/* "fe80::1", "02:00:00:00:00:01", "0x3a" or "58 (ICMPv6)", "00 01 02": as shown to people. On the heap. */
char *value_to_string(const struct value *value, const struct field_type *type);
void value_release(struct value *value);
void value_copy(struct value *target, const struct value *source);
bool value_is_equal(const struct value *a, const struct value *b);

/* --- addresses and names ---------------------------------------------------- */

int ip6_from_string(const char *text, uint8_t ret_address[16], struct err *err);
int mac_from_string(const char *text, uint8_t ret_address[6], struct err *err);
/* "2001:db8::/32": the address part is kept as it is. */
int ip6_prefix_from_string(const char *text, uint8_t ret_address[16], unsigned *ret_bits,
			   struct err *err);
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
bool ip6_is_in_prefix(const uint8_t address[16], const uint8_t prefix[16], unsigned bits);
/* Append "a.example" as labels (RFC 1035 3.1); LAB_EINVALID for a label that is empty or too long. */
int name_to_wire(const char *name, struct buf *wire, struct err *err);
/*
 * The next name of `wire` at *position as text, which moves on; NULL when there is
 * none or it is broken. Bytes that are no printable ASCII are written as \DDD. On the heap.
 */
char *name_from_wire(const uint8_t *wire, size_t size, size_t *position);
