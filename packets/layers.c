/*
 * The one list of layer types and their fields: parser, builder, matcher,
 * scripts, records and docs/lua-packets.md go by it. Types that share a number
 * stand in the order in which the parser prefers them.
 */
#include "packets/packet_int.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/limits.h"

/* Rows of the field tables: name, first bit, bits, default, about. */
#define UINT(n, offset, width, value, text)                                                        \
	{                                                                                          \
		.name = n, .kind = FIELD_UINT, .bit_offset = offset, .bit_width = width,           \
		.otherwise = value, .about = text                                                  \
	}
#define HEX(n, offset, width, value, text)                                                         \
	{                                                                                          \
		.name = n, .kind = FIELD_UINT, .bit_offset = offset, .bit_width = width,           \
		.otherwise = value, .hex = true, .about = text                                     \
	}
/* A number with names for its values. */
#define NAMED(n, offset, width, value, list, text)                                                 \
	{                                                                                          \
		.name = n, .kind = FIELD_UINT, .bit_offset = offset, .bit_width = width,           \
		.otherwise = value, .names = list, .about = text                                   \
	}
/* Has to be said. */
#define GIVEN(n, k, offset, width, text)                                                           \
	{                                                                                          \
		.name = n, .kind = k, .bit_offset = offset, .bit_width = width, .required = true,  \
		.about = text                                                                      \
	}
/* Made from something else by a rule. */
#define MADE(n, offset, width, rule, text)                                                         \
	{                                                                                          \
		.name = n, .kind = FIELD_UINT, .bit_offset = offset, .bit_width = width,           \
		.computed = rule, .hex = rule == RULE_CHECKSUM || rule == RULE_ETHER_TYPE,         \
		.about = text                                                                      \
	}
#define MADE_NEXT(offset, text)                                                                    \
	{                                                                                          \
		.name = "next_header", .kind = FIELD_UINT, .bit_offset = offset, .bit_width = 8,   \
		.computed = RULE_NEXT_HEADER, .names = next_headers, .about = text                 \
	}
#define ADDRESS(n, offset, text)                                                                   \
	{                                                                                          \
		.name = n, .kind = FIELD_IP6, .bit_offset = offset, .bit_width = 128,              \
		.about = text                                                                      \
	}
/* Takes what is left of the layer, or what belongs to it of that. */
#define REST(n, k, offset, text)                                                                   \
	{                                                                                          \
		.name = n, .kind = k, .bit_offset = offset, .about = text                          \
	}

#define ICMP6_HEAD(number, section)                                                                \
	UINT("type", 0, 8, number, section), UINT("code", 8, 8, 0, section),                       \
		MADE("checksum", 16, 16, RULE_CHECKSUM, "RFC 4443 2.3")
#define ICMP6_ERROR_HEAD(number, codes, section)                                                   \
	UINT("type", 0, 8, number, section), NAMED("code", 8, 8, 0, codes, section),               \
		MADE("checksum", 16, 16, RULE_CHECKSUM, "RFC 4443 2.3")
#define EXTENSION_HEAD(section)                                                                    \
	MADE_NEXT(0, section), MADE("hdr_ext_len", 8, 8, RULE_HEADER_LENGTH,                       \
				    section ": 8-octet units, not counting the first")
#define ND_OPTION_HEAD(number, section)                                                            \
	UINT("type", 0, 8, number, section),                                                       \
		MADE("length", 8, 8, RULE_ND_LENGTH, "RFC 4861 4.6: 8-octet units")
#define PADDING(offset)                                                                            \
	REST("padding", FIELD_BYTES, offset, "what fills the layer up to its length")

/* --- names of numbers ------------------------------------------------------------ */

/* IANA "Assigned Internet Protocol Numbers": those that may follow an IPv6 header. */
static const struct value_name next_headers[] = {
	{ NEXT_HOP_BY_HOP, "Hop-by-Hop Options" },
	{ NEXT_TCP, "TCP" },
	{ NEXT_UDP, "UDP" },
	{ NEXT_IP6, "IPv6" },
	{ NEXT_ROUTING, "Routing" },
	{ NEXT_FRAGMENT, "Fragment" },
	{ 50, "ESP" },
	{ 51, "AH" },
	{ NEXT_ICMP6, "ICMPv6" },
	{ NEXT_NONE, "No Next Header" },
	{ NEXT_DST_OPTIONS, "Destination Options" },
	{ 135, "Mobility" },
	{ 0, NULL },
};

static const struct value_name unreachable_codes[] = {
	{ 0, "no route to destination" },
	{ 1, "administratively prohibited" },
	{ 2, "beyond scope of source address" },
	{ 3, "address unreachable" },
	{ 4, "port unreachable" },
	{ 5, "source address failed policy" },
	{ 6, "reject route to destination" },
	{ 0, NULL },
};

static const struct value_name exceeded_codes[] = {
	{ 0, "hop limit exceeded in transit" },
	{ 1, "fragment reassembly time exceeded" },
	{ 0, NULL },
};

static const struct value_name problem_codes[] = {
	{ 0, "erroneous header field" },
	{ 1, "unrecognized Next Header" },
	{ 2, "unrecognized option" },
	{ 3, "first fragment lacks headers" },
	{ 0, NULL },
};

static const struct value_name preferences[] = {
	{ 0, "medium" }, { 1, "high" }, { 2, "reserved" }, { 3, "low" }, { 0, NULL },
};

static const struct value_name alert_values[] = {
	{ 0, "MLD" },
	{ 1, "RSVP" },
	{ 2, "active networks" },
	{ 0, NULL },
};

static const struct value_name record_types[] = {
	{ 1, "MODE_IS_INCLUDE" },
	{ 2, "MODE_IS_EXCLUDE" },
	{ 3, "CHANGE_TO_INCLUDE_MODE" },
	{ 4, "CHANGE_TO_EXCLUDE_MODE" },
	{ 5, "ALLOW_NEW_SOURCES" },
	{ 6, "BLOCK_OLD_SOURCES" },
	{ 0, NULL },
};

/* --- link --------------------------------------------------------------------- */

static const struct field_type ether_fields[] = {
	GIVEN("dst", FIELD_MAC, 0, 48, "RFC 2464 3"),
	GIVEN("src", FIELD_MAC, 48, 48, "RFC 2464 3"),
	MADE("type", 96, 16, RULE_ETHER_TYPE, "RFC 2464 3: 0x86dd for IPv6"),
};

static const struct field_type data_fields[] = {
	REST("data", FIELD_BYTES, 0, "the bytes"),
};

static const struct field_type malformed_fields[] = {
	REST("reason", FIELD_TEXT, 0, "what was wrong; not on the wire"),
	REST("data", FIELD_BYTES, 0, "the bytes that made no sense"),
};

/* --- IPv6 and its extension headers --------------------------------------------- */

static const struct field_type ip6_fields[] = {
	UINT("version", 0, 4, 6, "RFC 8200 3"),
	HEX("traffic_class", 4, 8, 0, "RFC 8200 7; RFC 2474 3; RFC 3168 5"),
	HEX("flow_label", 12, 20, 0, "RFC 8200 6; RFC 6437"),
	MADE("payload_length", 32, 16, RULE_PAYLOAD_LENGTH, "RFC 8200 3"),
	MADE_NEXT(48, "RFC 8200 3"),
	MADE("hop_limit", 56, 8, RULE_HOP_LIMIT,
	     "RFC 8200 3; 255 below ND (RFC 4861 4.1), 1 below MLD (RFC 2710 3), else 64"),
	GIVEN("src", FIELD_IP6, 64, 128, "RFC 8200 3"),
	GIVEN("dst", FIELD_IP6, 192, 128, "RFC 8200 3"),
};

static const struct field_type hop_by_hop_fields[] = { EXTENSION_HEAD("RFC 8200 4.3") };
static const struct field_type dst_options_fields[] = { EXTENSION_HEAD("RFC 8200 4.6") };

static const struct field_type routing_fields[] = {
	EXTENSION_HEAD("RFC 8200 4.4"),
	UINT("routing_type", 16, 8, 0,
	     "RFC 8200 4.4; type 0: RFC 2460 4.4, deprecated by RFC 5095"),
	MADE("segments_left", 24, 8, RULE_SEGMENTS_LEFT, "RFC 8200 4.4"),
	HEX("reserved", 32, 32, 0, "RFC 2460 4.4"),
	REST("addresses", FIELD_IP6_LIST, 64, "RFC 2460 4.4; RFC 6275 6.4 for type 2"),
	PADDING(64),
};

static const struct field_type routing_unknown_fields[] = {
	EXTENSION_HEAD("RFC 8200 4.4"),
	GIVEN("routing_type", FIELD_UINT, 16, 8, "RFC 8200 4.4"),
	UINT("segments_left", 24, 8, 0, "RFC 8200 4.4"),
	REST("data", FIELD_BYTES, 32, "RFC 8200 4.4: type-specific data"),
};

static const struct field_type fragment_fields[] = {
	MADE_NEXT(0, "RFC 8200 4.5"),
	HEX("reserved", 8, 8, 0, "RFC 8200 4.5"),
	UINT("offset", 16, 13, 0, "RFC 8200 4.5: 8-octet units"),
	UINT("reserved2", 29, 2, 0, "RFC 8200 4.5"),
	UINT("more", 31, 1, 0, "RFC 8200 4.5: the M flag"),
	HEX("identification", 32, 32, 0, "RFC 8200 4.5"),
};

/* --- options of Hop-by-Hop and Destination Options ------------------------------ */

static const struct field_type pad1_fields[] = {
	UINT("type", 0, 8, 0, "RFC 8200 4.2"),
};

static const struct field_type padn_fields[] = {
	UINT("type", 0, 8, 1, "RFC 8200 4.2"),
	MADE("length", 8, 8, RULE_OPTION_LENGTH, "RFC 8200 4.2: octets behind the length"),
	REST("data", FIELD_BYTES, 16, "RFC 8200 4.2"),
};

static const struct field_type router_alert_fields[] = {
	UINT("type", 0, 8, 5, "RFC 2711 2.1"),
	MADE("length", 8, 8, RULE_OPTION_LENGTH, "RFC 2711 2.1: octets behind the length"),
	NAMED("value", 16, 16, 0, alert_values, "RFC 2711 2.1"),
};

static const struct field_type opt_unknown_fields[] = {
	GIVEN("type", FIELD_UINT, 0, 8,
	      "RFC 8200 4.2: the two highest bits say what to do with it when it is not known"),
	MADE("length", 8, 8, RULE_OPTION_LENGTH, "RFC 8200 4.2: octets behind the length"),
	REST("data", FIELD_BYTES, 16, "RFC 8200 4.2"),
};

/* --- upper layers ------------------------------------------------------------- */

static const struct field_type udp_fields[] = {
	UINT("src_port", 0, 16, 49152, "RFC 768"),
	UINT("dst_port", 16, 16, 9, "RFC 768"),
	MADE("length", 32, 16, RULE_UDP_LENGTH, "RFC 768: octets of header and data"),
	MADE("checksum", 48, 16, RULE_CHECKSUM, "RFC 8200 8.1"),
};

static const struct field_type tcp_fields[] = {
	UINT("src_port", 0, 16, 49152, "RFC 9293 3.1"),
	UINT("dst_port", 16, 16, 9, "RFC 9293 3.1"),
	UINT("sequence", 32, 32, 0, "RFC 9293 3.1"),
	UINT("acknowledgement", 64, 32, 0, "RFC 9293 3.1"),
	MADE("data_offset", 96, 4, RULE_DATA_OFFSET, "RFC 9293 3.1: 4-octet units"),
	UINT("reserved", 100, 4, 0, "RFC 9293 3.1"),
	UINT("cwr", 104, 1, 0, "RFC 3168 6.1"),
	UINT("ece", 105, 1, 0, "RFC 3168 6.1"),
	UINT("urg", 106, 1, 0, "RFC 9293 3.1"),
	UINT("ack", 107, 1, 0, "RFC 9293 3.1"),
	UINT("psh", 108, 1, 0, "RFC 9293 3.1"),
	UINT("rst", 109, 1, 0, "RFC 9293 3.1"),
	UINT("syn", 110, 1, 0, "RFC 9293 3.1"),
	UINT("fin", 111, 1, 0, "RFC 9293 3.1"),
	UINT("window", 112, 16, 65535, "RFC 9293 3.1"),
	MADE("checksum", 128, 16, RULE_CHECKSUM, "RFC 8200 8.1"),
	UINT("urgent_pointer", 144, 16, 0, "RFC 9293 3.1"),
	REST("option_bytes", FIELD_BYTES, 160, "RFC 9293 3.2: filled up with zeros"),
};

/* --- ICMPv6 -------------------------------------------------------------------- */

static const struct field_type dest_unreachable_fields[] = {
	ICMP6_ERROR_HEAD(1, unreachable_codes, "RFC 4443 3.1"),
	HEX("unused", 32, 32, 0, "RFC 4443 3.1"),
	REST("invoking", FIELD_BYTES, 64,
	     "RFC 4443 3.1: the quoted packet, from its IPv6 header on"),
};

static const struct field_type packet_too_big_fields[] = {
	ICMP6_HEAD(2, "RFC 4443 3.2"),
	UINT("mtu", 32, 32, 1280, "RFC 4443 3.2"),
	REST("invoking", FIELD_BYTES, 64,
	     "RFC 4443 3.2: the quoted packet, from its IPv6 header on"),
};

static const struct field_type time_exceeded_fields[] = {
	ICMP6_ERROR_HEAD(3, exceeded_codes, "RFC 4443 3.3"),
	HEX("unused", 32, 32, 0, "RFC 4443 3.3"),
	REST("invoking", FIELD_BYTES, 64,
	     "RFC 4443 3.3: the quoted packet, from its IPv6 header on"),
};

static const struct field_type param_problem_fields[] = {
	ICMP6_ERROR_HEAD(4, problem_codes, "RFC 4443 3.4; code 3: RFC 7112 5"),
	UINT("pointer", 32, 32, 0, "RFC 4443 3.4: offset in the quoted packet"),
	REST("invoking", FIELD_BYTES, 64,
	     "RFC 4443 3.4: the quoted packet, from its IPv6 header on"),
};

static const struct field_type echo_request_fields[] = {
	ICMP6_HEAD(128, "RFC 4443 4.1"),
	UINT("identifier", 32, 16, 0, "RFC 4443 4.1"),
	UINT("sequence", 48, 16, 0, "RFC 4443 4.1"),
	REST("data", FIELD_BYTES, 64, "RFC 4443 4.1"),
};

static const struct field_type echo_reply_fields[] = {
	ICMP6_HEAD(129, "RFC 4443 4.2"),
	UINT("identifier", 32, 16, 0, "RFC 4443 4.2"),
	UINT("sequence", 48, 16, 0, "RFC 4443 4.2"),
	REST("data", FIELD_BYTES, 64, "RFC 4443 4.2"),
};

static const struct field_type mld_query_fields[] = {
	ICMP6_HEAD(130, "RFC 2710 3"),
	UINT("max_response_delay", 32, 16, 10000, "RFC 2710 3.4: milliseconds"),
	HEX("reserved", 48, 16, 0, "RFC 2710 3.5"),
	ADDRESS("group", 64, "RFC 2710 3.6: :: asks for all groups"),
	REST("data", FIELD_BYTES, 192, "RFC 2710 3.7: beyond the fields"),
};

static const struct field_type mld2_query_fields[] = {
	ICMP6_HEAD(130, "RFC 3810 5.1"),
	UINT("max_response_code", 32, 16, 10000, "RFC 3810 5.1.3: milliseconds up to 32767"),
	HEX("reserved", 48, 16, 0, "RFC 3810 5.1.4"),
	ADDRESS("group", 64, "RFC 3810 5.1.5: :: asks for all groups"),
	HEX("reserved2", 192, 4, 0, "RFC 3810 5.1"),
	UINT("suppress", 196, 1, 0, "RFC 3810 5.1.7: the S flag"),
	UINT("robustness", 197, 3, 2, "RFC 3810 5.1.8: QRV"),
	UINT("interval_code", 200, 8, 125, "RFC 3810 5.1.9: QQIC, seconds up to 127"),
	MADE("source_count", 208, 16, RULE_COUNT, "RFC 3810 5.1.10"),
	REST("sources", FIELD_IP6_LIST, 224, "RFC 3810 5.1.11"),
	REST("additional", FIELD_BYTES, 224, "RFC 3810 5.1.12: beyond the fields"),
};

static const struct field_type mld_report_fields[] = {
	ICMP6_HEAD(131, "RFC 2710 3"),
	UINT("max_response_delay", 32, 16, 0, "RFC 2710 3.4: 0 in a report"),
	HEX("reserved", 48, 16, 0, "RFC 2710 3.5"),
	GIVEN("group", FIELD_IP6, 64, 128, "RFC 2710 3.6"),
	REST("data", FIELD_BYTES, 192, "RFC 2710 3.7: beyond the fields"),
};

static const struct field_type mld_done_fields[] = {
	ICMP6_HEAD(132, "RFC 2710 3"),
	UINT("max_response_delay", 32, 16, 0, "RFC 2710 3.4: 0 in a done"),
	HEX("reserved", 48, 16, 0, "RFC 2710 3.5"),
	GIVEN("group", FIELD_IP6, 64, 128, "RFC 2710 3.6"),
	REST("data", FIELD_BYTES, 192, "RFC 2710 3.7: beyond the fields"),
};

static const struct field_type mld2_report_fields[] = {
	ICMP6_HEAD(143, "RFC 3810 5.2"),
	HEX("reserved", 32, 16, 0, "RFC 3810 5.2.1"),
	MADE("record_count", 48, 16, RULE_COUNT, "RFC 3810 5.2.3"),
	REST("additional", FIELD_BYTES, 64, "RFC 3810 5.2.11: behind the last record"),
};

static const struct field_type mld2_record_fields[] = {
	NAMED("record_type", 0, 8, 4, record_types, "RFC 3810 5.2.12"),
	MADE("auxiliary_length", 8, 8, RULE_AUXILIARY_LENGTH, "RFC 3810 5.2.6: 4-octet units"),
	MADE("source_count", 16, 16, RULE_COUNT, "RFC 3810 5.2.7"),
	GIVEN("group", FIELD_IP6, 32, 128, "RFC 3810 5.2.8"),
	REST("sources", FIELD_IP6_LIST, 160, "RFC 3810 5.2.9"),
	REST("auxiliary", FIELD_BYTES, 160, "RFC 3810 5.2.10: filled up with zeros"),
};

static const struct field_type icmp6_fields[] = {
	GIVEN("type", FIELD_UINT, 0, 8, "RFC 4443 2.1"),
	UINT("code", 8, 8, 0, "RFC 4443 2.1"),
	MADE("checksum", 16, 16, RULE_CHECKSUM, "RFC 4443 2.3"),
	REST("data", FIELD_BYTES, 32, "RFC 4443 2.1: the message body"),
};

/* --- Neighbor Discovery ---------------------------------------------------------- */

static const struct field_type rs_fields[] = {
	ICMP6_HEAD(133, "RFC 4861 4.1"),
	HEX("reserved", 32, 32, 0, "RFC 4861 4.1"),
};

static const struct field_type ra_fields[] = {
	ICMP6_HEAD(134, "RFC 4861 4.2"),
	UINT("cur_hop_limit", 32, 8, 64, "RFC 4861 4.2"),
	UINT("managed", 40, 1, 0, "RFC 4861 4.2: the M flag"),
	UINT("other", 41, 1, 0, "RFC 4861 4.2: the O flag"),
	UINT("home_agent", 42, 1, 0, "RFC 6275 7.1: the H flag"),
	NAMED("preference", 43, 2, 0, preferences, "RFC 4191 2.2"),
	UINT("proxy", 45, 1, 0, "RFC 4389 4.1.3.3: the P flag"),
	UINT("reserved", 46, 2, 0, "RFC 4861 4.2"),
	UINT("router_lifetime", 48, 16, 1800, "RFC 4861 4.2: seconds"),
	UINT("reachable_time", 64, 32, 0, "RFC 4861 4.2: milliseconds"),
	UINT("retrans_timer", 96, 32, 0, "RFC 4861 4.2: milliseconds"),
};

static const struct field_type ns_fields[] = {
	ICMP6_HEAD(135, "RFC 4861 4.3"),
	HEX("reserved", 32, 32, 0, "RFC 4861 4.3"),
	GIVEN("target", FIELD_IP6, 64, 128, "RFC 4861 4.3"),
};

static const struct field_type na_fields[] = {
	ICMP6_HEAD(136, "RFC 4861 4.4"),
	UINT("router", 32, 1, 0, "RFC 4861 4.4: the R flag"),
	UINT("solicited", 33, 1, 0, "RFC 4861 4.4: the S flag"),
	UINT("override", 34, 1, 0, "RFC 4861 4.4: the O flag"),
	HEX("reserved", 35, 29, 0, "RFC 4861 4.4"),
	GIVEN("target", FIELD_IP6, 64, 128, "RFC 4861 4.4"),
};

static const struct field_type redirect_fields[] = {
	ICMP6_HEAD(137, "RFC 4861 4.5"),
	HEX("reserved", 32, 32, 0, "RFC 4861 4.5"),
	GIVEN("target", FIELD_IP6, 64, 128, "RFC 4861 4.5"),
	GIVEN("destination", FIELD_IP6, 192, 128, "RFC 4861 4.5"),
};

/* --- options of Neighbor Discovery ------------------------------------------------ */

static const struct field_type nd_slla_fields[] = {
	ND_OPTION_HEAD(1, "RFC 4861 4.6.1"),
	GIVEN("mac", FIELD_MAC, 16, 48, "RFC 4861 4.6.1; RFC 2464 6"),
	PADDING(64),
};

static const struct field_type nd_tlla_fields[] = {
	ND_OPTION_HEAD(2, "RFC 4861 4.6.1"),
	GIVEN("mac", FIELD_MAC, 16, 48, "RFC 4861 4.6.1; RFC 2464 6"),
	PADDING(64),
};

static const struct field_type nd_prefix_fields[] = {
	ND_OPTION_HEAD(3, "RFC 4861 4.6.2"),
	UINT("prefix_length", 16, 8, 64, "RFC 4861 4.6.2"),
	UINT("on_link", 24, 1, 1, "RFC 4861 4.6.2: the L flag; default of 6.2.1"),
	UINT("autonomous", 25, 1, 1, "RFC 4861 4.6.2: the A flag; default of 6.2.1"),
	UINT("router_address", 26, 1, 0, "RFC 6275 7.2: the R flag"),
	UINT("pd_preferred", 27, 1, 0, "RFC 9762 5: the P flag"),
	UINT("reserved1", 28, 4, 0, "RFC 4861 4.6.2"),
	UINT("valid_lifetime", 32, 32, 2592000, "RFC 4861 4.6.2: seconds; default of 6.2.1"),
	MADE("preferred_lifetime", 64, 32, RULE_PREFERRED,
	     "RFC 4861 4.6.2: seconds; default of 6.2.1 (604800), but not above valid_lifetime"),
	HEX("reserved2", 96, 32, 0, "RFC 4861 4.6.2"),
	GIVEN("prefix", FIELD_IP6, 128, 128, "RFC 4861 4.6.2"),
	PADDING(256),
};

static const struct field_type nd_redirected_fields[] = {
	ND_OPTION_HEAD(4, "RFC 4861 4.6.3"),
	HEX("reserved", 16, 48, 0, "RFC 4861 4.6.3"),
	REST("invoking", FIELD_BYTES, 64, "RFC 4861 4.6.3: the packet, from its IPv6 header on"),
};

static const struct field_type nd_mtu_fields[] = {
	ND_OPTION_HEAD(5, "RFC 4861 4.6.4"),
	HEX("reserved", 16, 16, 0, "RFC 4861 4.6.4"),
	UINT("mtu", 32, 32, 1500, "RFC 4861 4.6.4"),
	PADDING(64),
};

static const struct field_type nd_nonce_fields[] = {
	ND_OPTION_HEAD(14, "RFC 3971 5.3.2"),
	REST("nonce", FIELD_BYTES, 16, "RFC 3971 5.3.2; RFC 7527 4"),
};

static const struct field_type nd_route_info_fields[] = {
	ND_OPTION_HEAD(24, "RFC 4191 2.3"),
	UINT("prefix_length", 16, 8, 64, "RFC 4191 2.3"),
	UINT("reserved1", 24, 3, 0, "RFC 4191 2.3"),
	NAMED("preference", 27, 2, 0, preferences, "RFC 4191 2.3"),
	UINT("reserved2", 29, 3, 0, "RFC 4191 2.3"),
	UINT("lifetime", 32, 32, 1800, "RFC 4191 2.3: seconds"),
	REST("prefix", FIELD_IP6, 64, "RFC 4191 2.3: 0, 8 or 16 octets of it, by prefix_length"),
	PADDING(64),
};

static const struct field_type nd_rdnss_fields[] = {
	ND_OPTION_HEAD(25, "RFC 8106 5.1"),
	HEX("reserved", 16, 16, 0, "RFC 8106 5.1"),
	UINT("lifetime", 32, 32, 1800, "RFC 8106 5.1: seconds; 3 * MaxRtrAdvInterval"),
	REST("addresses", FIELD_IP6_LIST, 64, "RFC 8106 5.1"),
	PADDING(64),
};

static const struct field_type nd_dnssl_fields[] = {
	ND_OPTION_HEAD(31, "RFC 8106 5.2"),
	HEX("reserved", 16, 16, 0, "RFC 8106 5.2"),
	UINT("lifetime", 32, 32, 1800, "RFC 8106 5.2: seconds; 3 * MaxRtrAdvInterval"),
	REST("names", FIELD_NAMES, 64, "RFC 8106 5.2; RFC 1035 3.1"),
	PADDING(64),
};

static const struct field_type nd_unknown_fields[] = {
	GIVEN("type", FIELD_UINT, 0, 8, "RFC 4861 4.6"),
	MADE("length", 8, 8, RULE_ND_LENGTH, "RFC 4861 4.6: 8-octet units"),
	REST("data", FIELD_BYTES, 16, "RFC 4861 4.6: filled up with zeros"),
};

/* --- the types -------------------------------------------------------------------- */

#define FIELDS(list) .fields = list, .field_count = sizeof(list) / sizeof(*(list))
#define HEADER(n, list, bytes, head_number, says, section)                                         \
	.name = n, FIELDS(list), .header_bytes = bytes, .family = FAMILY_HEADER,                   \
	.number = head_number, .title = says, .about = section
#define ICMP6(n, list, bytes, type_number, says, section)                                          \
	.name = n, FIELDS(list), .header_bytes = bytes, .family = FAMILY_ICMP6,                    \
	.number = type_number, .title = says, .about = section
#define OPTION(n, kind, list, bytes, type_number, says, section)                                   \
	.name = n, .option_of = kind, FIELDS(list), .header_bytes = bytes,                         \
	.family = FAMILY_OPTION, .number = type_number, .title = says, .about = section

enum {
	INDEX_ETHER,
	INDEX_IP6,
	INDEX_HOP_BY_HOP,
	INDEX_DST_OPTIONS,
	INDEX_ROUTING,
	INDEX_ROUTING_UNKNOWN,
	INDEX_FRAGMENT,
	INDEX_NO_NEXT_HEADER,
	INDEX_UDP,
	INDEX_TCP,
	INDEX_DEST_UNREACHABLE,
	INDEX_PACKET_TOO_BIG,
	INDEX_TIME_EXCEEDED,
	INDEX_PARAM_PROBLEM,
	INDEX_ECHO_REQUEST,
	INDEX_ECHO_REPLY,
	INDEX_MLD_QUERY,
	INDEX_MLD2_QUERY,
	INDEX_MLD_REPORT,
	INDEX_MLD_DONE,
	INDEX_RS,
	INDEX_RA,
	INDEX_NS,
	INDEX_NA,
	INDEX_REDIRECT,
	INDEX_MLD2_REPORT,
	INDEX_ICMP6,
	INDEX_RAW,
	INDEX_TRAILER,
	INDEX_MALFORMED,
	INDEX_OPTIONS_, /* options follow, in any order */
};

static const struct layer_type types[] = {
	[INDEX_ETHER] = { .name = "ether",
			  .title = "Ethernet",
			  .family = FAMILY_LINK,
			  .number = LAYER_NO_NUMBER,
			  FIELDS(ether_fields),
			  .header_bytes = 14,
			  .about = "RFC 2464 3" },
	[INDEX_IP6] = { HEADER("ip6", ip6_fields, 40, NEXT_IP6, "Internet Protocol version 6",
			       "RFC 8200 3; inside another one: RFC 2473") },
	[INDEX_HOP_BY_HOP] = { HEADER("hop_by_hop", hop_by_hop_fields, 2, NEXT_HOP_BY_HOP,
				      "Hop-by-Hop Options", "RFC 8200 4.3"),
			       .options = OPTIONS_IP6, .align_bytes = 8 },
	[INDEX_DST_OPTIONS] = { HEADER("dst_options", dst_options_fields, 2, NEXT_DST_OPTIONS,
				       "Destination Options", "RFC 8200 4.6"),
				.options = OPTIONS_IP6, .align_bytes = 8 },
	[INDEX_ROUTING] = { HEADER("routing", routing_fields, 8, NEXT_ROUTING, "Routing Header",
				   "RFC 8200 4.4; the form of type 0 and type 2, a list of "
				   "addresses"),
			    .align_bytes = 8 },
	[INDEX_ROUTING_UNKNOWN] = { HEADER("routing_unknown", routing_unknown_fields, 4,
					   NEXT_ROUTING, "Routing Header of an unknown type",
					   "RFC 8200 4.4"),
				    .align_bytes = 8 },
	[INDEX_FRAGMENT] = { HEADER("fragment", fragment_fields, 8, NEXT_FRAGMENT,
				    "Fragment Header", "RFC 8200 4.5") },
	[INDEX_NO_NEXT_HEADER] = { HEADER("no_next_header", data_fields, 0, NEXT_NONE,
					  "No Next Header", "RFC 8200 4.7") },
	[INDEX_UDP] = { HEADER("udp", udp_fields, 8, NEXT_UDP, "User Datagram Protocol",
			       "RFC 768; RFC 8200 8.1") },
	[INDEX_TCP] = { HEADER("tcp", tcp_fields, 20, NEXT_TCP, "Transmission Control Protocol",
			       "RFC 9293 3.1"),
			.align_bytes = 4 },
	[INDEX_DEST_UNREACHABLE] = { ICMP6("dest_unreachable", dest_unreachable_fields, 8, 1,
					   "Destination Unreachable", "RFC 4443 3.1") },
	[INDEX_PACKET_TOO_BIG] = { ICMP6("packet_too_big", packet_too_big_fields, 8, 2,
					 "Packet Too Big", "RFC 4443 3.2") },
	[INDEX_TIME_EXCEEDED] = { ICMP6("time_exceeded", time_exceeded_fields, 8, 3,
					"Time Exceeded", "RFC 4443 3.3") },
	[INDEX_PARAM_PROBLEM] = { ICMP6("param_problem", param_problem_fields, 8, 4,
					"Parameter Problem", "RFC 4443 3.4") },
	[INDEX_ECHO_REQUEST] = { ICMP6("echo_request", echo_request_fields, 8, 128, "Echo Request",
				       "RFC 4443 4.1") },
	[INDEX_ECHO_REPLY] = { ICMP6("echo_reply", echo_reply_fields, 8, 129, "Echo Reply",
				     "RFC 4443 4.2") },
	[INDEX_MLD_QUERY] = { ICMP6("mld_query", mld_query_fields, 24, 130,
				    "Multicast Listener Query", "RFC 2710 3") },
	[INDEX_MLD2_QUERY] = { ICMP6("mld2_query", mld2_query_fields, 28, 130,
				     "Version 2 Multicast Listener Query", "RFC 3810 5.1") },
	[INDEX_MLD_REPORT] = { ICMP6("mld_report", mld_report_fields, 24, 131,
				     "Multicast Listener Report", "RFC 2710 3") },
	[INDEX_MLD_DONE] = { ICMP6("mld_done", mld_done_fields, 24, 132, "Multicast Listener Done",
				   "RFC 2710 3") },
	[INDEX_RS] = { ICMP6("rs", rs_fields, 8, 133, "Router Solicitation", "RFC 4861 4.1"),
		       .options = OPTIONS_ND },
	[INDEX_RA] = { ICMP6("ra", ra_fields, 16, 134, "Router Advertisement", "RFC 4861 4.2"),
		       .options = OPTIONS_ND },
	[INDEX_NS] = { ICMP6("ns", ns_fields, 24, 135, "Neighbor Solicitation", "RFC 4861 4.3"),
		       .options = OPTIONS_ND },
	[INDEX_NA] = { ICMP6("na", na_fields, 24, 136, "Neighbor Advertisement", "RFC 4861 4.4"),
		       .options = OPTIONS_ND },
	[INDEX_REDIRECT] = { ICMP6("redirect", redirect_fields, 40, 137, "Redirect",
				   "RFC 4861 4.5"),
			     .options = OPTIONS_ND },
	[INDEX_MLD2_REPORT] = { ICMP6("mld2_report", mld2_report_fields, 8, 143,
				      "Version 2 Multicast Listener Report", "RFC 3810 5.2"),
				.options = OPTIONS_MLD },
	[INDEX_ICMP6] = { ICMP6("icmp6", icmp6_fields, 4, LAYER_NO_NUMBER, "ICMPv6 of any type",
				"RFC 4443 2.1") },
	[INDEX_RAW] = { .name = "raw",
			.title = "Bytes",
			.family = FAMILY_DATA,
			.number = LAYER_NO_NUMBER,
			FIELDS(data_fields),
			.about = "payload of UDP and TCP, of a fragment, of an unknown Next "
				 "Header" },
	[INDEX_TRAILER] = { .name = "trailer",
			    .title = "Bytes behind the packet",
			    .family = FAMILY_LINK,
			    .number = LAYER_NO_NUMBER,
			    FIELDS(data_fields),
			    .about = "what the frame has beyond the IPv6 Payload Length" },
	[INDEX_MALFORMED] = { .name = "malformed",
			      .title = "Malformed",
			      .family = FAMILY_DATA,
			      .number = LAYER_NO_NUMBER,
			      FIELDS(malformed_fields),
			      .about = "bytes that make no sense as what they should be" },

	{ OPTION("pad1", OPTIONS_IP6, pad1_fields, 1, 0, "Pad1", "RFC 8200 4.2") },
	{ OPTION("padn", OPTIONS_IP6, padn_fields, 2, 1, "PadN", "RFC 8200 4.2") },
	{ OPTION("router_alert", OPTIONS_IP6, router_alert_fields, 4, 5, "Router Alert",
		 "RFC 2711 2.1") },
	{ OPTION("opt_unknown", OPTIONS_IP6, opt_unknown_fields, 2, LAYER_NO_NUMBER,
		 "Option of any type", "RFC 8200 4.2") },
	{ OPTION("nd_slla", OPTIONS_ND, nd_slla_fields, 8, 1, "Source Link-Layer Address",
		 "RFC 4861 4.6.1"),
	  .align_bytes = 8 },
	{ OPTION("nd_tlla", OPTIONS_ND, nd_tlla_fields, 8, 2, "Target Link-Layer Address",
		 "RFC 4861 4.6.1"),
	  .align_bytes = 8 },
	{ OPTION("nd_prefix", OPTIONS_ND, nd_prefix_fields, 32, 3, "Prefix Information",
		 "RFC 4861 4.6.2"),
	  .align_bytes = 8 },
	{ OPTION("nd_redirected", OPTIONS_ND, nd_redirected_fields, 8, 4, "Redirected Header",
		 "RFC 4861 4.6.3"),
	  .align_bytes = 8 },
	{ OPTION("nd_mtu", OPTIONS_ND, nd_mtu_fields, 8, 5, "MTU", "RFC 4861 4.6.4"),
	  .align_bytes = 8 },
	{ OPTION("nd_nonce", OPTIONS_ND, nd_nonce_fields, 2, 14, "Nonce",
		 "RFC 3971 5.3.2; RFC 7527 4"),
	  .align_bytes = 8 },
	{ OPTION("nd_route_info", OPTIONS_ND, nd_route_info_fields, 8, 24, "Route Information",
		 "RFC 4191 2.3"),
	  .align_bytes = 8 },
	{ OPTION("nd_rdnss", OPTIONS_ND, nd_rdnss_fields, 8, 25, "Recursive DNS Server",
		 "RFC 8106 5.1"),
	  .align_bytes = 8 },
	{ OPTION("nd_dnssl", OPTIONS_ND, nd_dnssl_fields, 8, 31, "DNS Search List", "RFC 8106 5.2"),
	  .align_bytes = 8 },
	{ OPTION("nd_unknown", OPTIONS_ND, nd_unknown_fields, 2, LAYER_NO_NUMBER,
		 "ND option of any type", "RFC 4861 4.6"),
	  .align_bytes = 8 },
	{ OPTION("mld2_record", OPTIONS_MLD, mld2_record_fields, 20, LAYER_NO_NUMBER,
		 "Multicast Address Record", "RFC 3810 5.2.4"),
	  .align_bytes = 4 },
};

#define TYPE_COUNT (sizeof(types) / sizeof(*types))

const struct layer_type *const layer_ether = &types[INDEX_ETHER];
const struct layer_type *const layer_trailer = &types[INDEX_TRAILER];
const struct layer_type *const layer_ip6 = &types[INDEX_IP6];
const struct layer_type *const layer_raw = &types[INDEX_RAW];
const struct layer_type *const layer_malformed = &types[INDEX_MALFORMED];
const struct layer_type *const layer_routing = &types[INDEX_ROUTING];
const struct layer_type *const layer_fragment = &types[INDEX_FRAGMENT];
const struct layer_type *const layer_icmp6 = &types[INDEX_ICMP6];

/* --- looking up ------------------------------------------------------------------- */

const struct layer_type *layer_type_at(unsigned index)
{
	return index < TYPE_COUNT ? &types[index] : NULL;
}

const struct layer_type *layer_type_find(const char *name)
{
	for (unsigned i = 0; i < TYPE_COUNT; i++)
		if (!strcmp(types[i].name, name))
			return &types[i];
	return NULL;
}

const struct layer_type *layer_type_by_number(enum layer_family family, enum option_kind option_of,
					      unsigned number)
{
	for (unsigned i = 0; i < TYPE_COUNT; i++)
		if (types[i].family == family && types[i].option_of == option_of &&
		    types[i].number >= 0 && (unsigned)types[i].number == number)
			return &types[i];
	return NULL;
}

int layer_type_field(const struct layer_type *type, const char *field)
{
	for (unsigned i = 0; i < type->field_count; i++)
		if (!strcmp(type->fields[i].name, field))
			return (int)i;
	return -1;
}

int layer_type_next_header(const struct layer_type *type)
{
	if (type->family == FAMILY_ICMP6)
		return NEXT_ICMP6;
	return type->family == FAMILY_HEADER ? type->number : LAYER_NO_NUMBER;
}

/* Edits (insert, remove, replace) that turn one name into the other; names of tables are short. */
static unsigned name_distance(const char *a, const char *b)
{
	size_t length = strlen(b);
	unsigned row[32];

	if (length + 1 > sizeof(row) / sizeof(*row) || strlen(a) > LIMIT_NAME)
		return (unsigned)LIMIT_NAME;
	for (size_t j = 0; j <= length; j++)
		row[j] = (unsigned)j;
	for (size_t i = 0; a[i]; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i + 1;
		for (size_t j = 0; j < length; j++) {
			unsigned change = diagonal + (a[i] != b[j]);
			unsigned other = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;

			diagonal = row[j + 1];
			row[j + 1] = change < other ? change : other;
		}
	}
	return row[length];
}

/* Near is: a third of the letters at most are wrong, or one name begins with the other. */
static bool is_nearer(const char *wanted, const char *known, unsigned *best)
{
	size_t least = strlen(wanted) < strlen(known) ? strlen(wanted) : strlen(known);
	unsigned distance = name_distance(wanted, known);

	if (least >= 3 && !strncmp(wanted, known, least) && distance > 1)
		distance = 1;
	if (distance >= *best || distance > (strlen(known) + 2) / 3)
		return false;
	*best = distance;
	return true;
}

const char *layer_type_nearest(const char *name)
{
	unsigned best = (unsigned)LIMIT_NAME;
	const char *nearest = NULL;

	for (unsigned i = 0; i < TYPE_COUNT; i++)
		if (is_nearer(name, types[i].name, &best))
			nearest = types[i].name;
	return nearest;
}

const char *layer_type_nearest_field(const struct layer_type *type, const char *name)
{
	unsigned best = (unsigned)LIMIT_NAME;
	const char *nearest = NULL;

	for (unsigned i = 0; i < type->field_count; i++)
		if (is_nearer(name, type->fields[i].name, &best))
			nearest = type->fields[i].name;
	return nearest;
}

char *layer_type_field_names(const struct layer_type *type)
{
	struct buf names = BUF_INIT(4096);

	for (unsigned i = 0; i < type->field_count; i++)
		buf_printf(&names, "%s%s", i ? ", " : "", type->fields[i].name);
	if (type->options)
		buf_append_string(&names, ", options");
	return buf_take_string(&names);
}
