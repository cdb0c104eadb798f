/*
 * Packets over bytes: the expected bytes were written down field by field, with
 * checksums from an independent program; tests/integration/301-packets-tshark.sh
 * lets tshark read what is built.
 */
#include "packets/packet.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/limits.h"
#include "tests/unit/packet_bytes.h"
#include "tests/unit/packet_cases.h"

static void test_build(void **state)
{
	(void)state;
	for (unsigned i = 0; i < packet_case_count; i++) {
		auto_cleanup(packet_free_p) struct packet *packet = packet_new();
		auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);

		packet_cases[i].make(packet);
		build_or_fail(packet_cases[i].name, packet, &bytes);
		assert_bytes(packet_cases[i].name, &bytes, packet_cases[i].bytes,
			     packet_cases[i].size);
		/* A second time, with everything filled in by the first. */
		buf_reset(&bytes);
		build_or_fail(packet_cases[i].name, packet, &bytes);
		assert_bytes(packet_cases[i].name, &bytes, packet_cases[i].bytes,
			     packet_cases[i].size);
	}
}

static void test_parse(void **state)
{
	(void)state;
	for (unsigned i = 0; i < packet_case_count; i++) {
		auto_cleanup(packet_free_p) struct packet *packet =
			packet_parse_ip6(packet_cases[i].bytes, packet_cases[i].size);
		auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
		auto_free char *names = layer_names(packet);
		struct err why = ERR_INIT;

		assert_string_equal(names, packet_cases[i].layers);
		if (!packet_is_sound(packet, &why))
			fail_msg("%s: %s", packet_cases[i].name, why.text);
		build_or_fail(packet_cases[i].name, packet, &bytes);
		assert_bytes(packet_cases[i].name, &bytes, packet_cases[i].bytes,
			     packet_cases[i].size);
	}
}

/* Cut anywhere: no crash, no byte lost, and no longer sound. */
static void test_truncated(void **state)
{
	(void)state;
	for (unsigned i = 0; i < packet_case_count; i++) {
		for (size_t size = 0; size < packet_cases[i].size; size++) {
			auto_free uint8_t *copy =
				xmemdup(packet_cases[i].bytes, size); /* for the sanitizer */
			auto_cleanup(packet_free_p) struct packet *packet =
				packet_parse_ip6(copy, size);
			auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);

			build_or_fail(packet_cases[i].name, packet, &bytes);
			assert_bytes(packet_cases[i].name, &bytes, packet_cases[i].bytes, size);
			if (packet_is_sound(packet, NULL))
				fail_msg("%s is sound with %zu of %zu bytes", packet_cases[i].name,
					 size, packet_cases[i].size);
		}
	}
}

/* One bit wrong anywhere behind the addresses: seen by a length or a checksum. */
static void test_flipped_bits(void **state)
{
	struct packet *packet;

	(void)state;
	for (size_t bit = 40 * 8; bit < sizeof(ns_bytes) * 8; bit++) {
		uint8_t copy[sizeof(ns_bytes)];

		memcpy(copy, ns_bytes, sizeof(copy));
		copy[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		packet = packet_parse_ip6(copy, sizeof(copy));
		assert_false(packet_is_sound(packet, NULL));
		packet_free(packet);
	}
}

/* --- fields ----------------------------------------------------------------------------- */

static void test_read_fields(void **state)
{
	auto_cleanup(packet_free_p) struct packet *packet =
		packet_parse_ip6(ra_bytes, sizeof(ra_bytes));
	const struct layer *ra = packet_find(packet, "ra", 0);

	(void)state;
	assert_text(packet_find(packet, "ip6", 0), "dst", "ff02::1");
	assert_text(packet_find(packet, "ip6", 0), "flow_label", "0x00000");
	assert_int_equal(layer_get_uint(ra, "managed", 9), 1);
	assert_int_equal(layer_get_uint(ra, "preference", 9), 1);
	assert_int_equal(layer_get_uint(ra, "router_lifetime", 9), 1800);
	assert_text(layer_find_option(ra, "nd_prefix", 0), "prefix", "2001:db8::");
	assert_text(layer_find_option(ra, "nd_slla", 0), "mac", "02:00:00:00:00:b1");
	assert_text(layer_find_option(ra, "nd_route_info", 0), "prefix", "2001:db8:1::");
	assert_text(layer_find_option(ra, "nd_rdnss", 0), "addresses", "2001:db8::53");
	assert_text(layer_find_option(ra, "nd_dnssl", 0), "names", "test.uk");
	assert_text(layer_find_option(ra, "nd_dnssl", 0), "padding", "00 00 00 00 00 00 00");
	assert_null(layer_find_option(ra, "nd_prefix", 1));
	assert_null(layer_get(ra, "no_such_field"));
	assert_null(packet_find(packet, "ip6", 1));
	assert_int_equal(layer_get_offset(ra), 40);
	assert_int_equal(layer_get_offset(layer_find_option(ra, "nd_mtu", 0)), 40 + 16 + 32 + 8);
}

static void test_refusals(void **state)
{
	auto_cleanup(packet_free_p) struct packet *packet = packet_new();
	struct layer *ip6 = add(packet, "ip6");
	struct err err = ERR_INIT;
	struct layer *layer = NULL;
	int rc;

	(void)state;
	rc = layer_set_uint(ip6, "hop_limit", 256, &err);
	assert_refused(rc, LAB_EINVALID, &err,
		       "ip6.hop_limit: 256 does not fit into 8 bits (0..255)");
	rc = layer_set_uint(ip6, "hoplimit", 1, &err);
	assert_refused(rc, LAB_EINVALID, &err,
		       "'ip6' has no field 'hoplimit' (did you mean 'hop_limit'?)");
	rc = layer_set_uint(ip6, "src", 1, &err);
	assert_refused(rc, LAB_EINVALID, &err, "ip6.src: expected an IPv6 address, not a number");
	rc = layer_set_bytes(ip6, "hop_limit", "x", 1, &err);
	assert_refused(rc, LAB_EINVALID, &err, "ip6.hop_limit: expected a number, not bytes");
	rc = layer_append_option(ip6, layer_type_find("nd_mtu"), &layer, &err);
	assert_refused(rc, LAB_EINVALID, &err, "'ip6' has no options");
	rc = layer_append_option(add(packet, "rs"), layer_type_find("pad1"), &layer, &err);
	assert_refused(rc, LAB_EINVALID, &err, "'pad1' is no option of 'rs'");
	rc = packet_append(packet, layer_type_find("nd_mtu"), &layer, &err);
	assert_refused(rc, LAB_EINVALID, &err, "'nd_mtu' is an option");
	rc = layer_set_bytes(add(packet, "routing"), "addresses", "x", 1, &err);
	assert_refused(rc, LAB_EINVALID, &err, "1 bytes are no list");
}

static void refuse_build(struct packet *packet, int want, const char *text)
{
	auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
	struct err err = ERR_INIT;

	assert_refused(packet_build(packet, &bytes, &err), want, &err, text);
	packet_free(packet);
}

static void test_cannot_build(void **state)
{
	static uint8_t much[LIMIT_FRAME_BYTES];
	struct packet *packet = packet_new();

	(void)state;
	set_ip6(add(packet, "ip6"), "src", "::");
	refuse_build(packet, LAB_EINVALID, "ip6.dst is not set");

	packet = packet_new();
	add(packet, "echo_request");
	refuse_build(packet, LAB_EINVALID,
		     "echo_request.checksum: there is no 'ip6' layer before it");

	packet = packet_new();
	add_ip6(packet, "::1");
	add(packet, "raw");
	refuse_build(packet, LAB_EINVALID, "ip6.next_header: set it");

	packet = packet_new();
	add_ip6(packet, "::1");
	set_bytes(add(packet, "no_next_header"), "data", much, sizeof(much));
	refuse_build(packet, LAB_ELIMIT, "larger than 65536 bytes");

	packet = packet_new();
	add_ip6(packet, "::1");
	set_bytes(add(packet, "routing"), "addresses", much, 129 * 16);
	refuse_build(packet, LAB_ELIMIT, "routing.hdr_ext_len: 258 does not fit");

	packet = packet_new();
	add_ip6(packet, "::1");
	add(packet, "trailer");
	add(packet, "udp");
	refuse_build(packet, LAB_EINVALID, "no layer can come behind 'trailer'");
}

/* What is set stays as it is, however wrong. */
static void test_overrides(void **state)
{
	auto_cleanup(packet_free_p) struct packet *packet = packet_new();
	auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
	struct layer *ip6 = add_ip6(packet, "fe80::1");
	struct layer *ns = add(packet, "ns");
	struct layer *option = add_option(ns, "nd_slla");

	(void)state;
	set_uint(ip6, "version", 4);
	set_uint(ip6, "payload_length", 0xffff);
	set_uint(ip6, "next_header", 255);
	set_uint(ip6, "hop_limit", 254);
	set_uint(ns, "checksum", 0xabcd);
	set_ip6(ns, "target", "::");
	set_uint(option, "length", 0);
	set_mac(option, "mac", "01:02:03:04:05:06");
	build_or_fail("overrides", packet, &bytes);
	assert_memory_equal(bytes.data, "\x40\0\0\0\xff\xff\xff\xfe", 8);
	assert_memory_equal(bytes.data + 40, "\x87\0\xab\xcd", 4);
	assert_memory_equal(bytes.data + 64, "\1\0\1\2\3\4\5\6", 8);
	assert_int_equal(bytes.size, 72);
}

static void test_hop_limit_rule(void **state)
{
	static const struct {
		const char *layer;
		uint64_t want;
	} rules[] = { { "echo_request", 64 }, { "rs", 255 }, { "ra", 255 },
		      { "mld_query", 1 },     { "udp", 64 }, { "mld2_report", 1 } };

	(void)state;
	for (unsigned i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		auto_cleanup(packet_free_p) struct packet *packet = packet_new();
		auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
		const struct layer *ip6 = add_ip6(packet, "fe80::1");

		add(packet, rules[i].layer);
		build_or_fail(rules[i].layer, packet, &bytes);
		assert_int_equal(layer_get_uint(ip6, "hop_limit", 0), rules[i].want);
	}
}

/* The pseudo-header has the final destination: while segments are left, and of types that say it. */
static void test_final_destination(void **state)
{
	static const struct {
		uint64_t routing_type;
		uint64_t segments_left;
		bool is_last;
	} rows[] = { { 0, 2, true }, { 2, 1, true }, { 0, 0, false }, { 33, 2, false } };

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		auto_cleanup(packet_free_p) struct packet *packet = packet_new();
		auto_cleanup(packet_free_p) struct packet *direct = packet_new();
		auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
		static const uint8_t path[] = { 0x20, 0x01, [15] = 1, [16] = 0x20, 0x01, [31] = 2 };
		struct layer *routing;

		add_ip6(packet, "fe80::1");
		routing = add(packet, "routing");
		set_uint(routing, "routing_type", rows[i].routing_type);
		set_uint(routing, "segments_left", rows[i].segments_left);
		set_bytes(routing, "addresses", path, sizeof(path));
		add_ip6(direct, rows[i].is_last ? "2001::2" : "fe80::1");
		add(packet, "echo_request");
		add(direct, "echo_request");
		build_or_fail("routing", packet, &bytes);
		build_or_fail("direct", direct, &bytes);
		assert_int_equal(layer_get_uint(packet_layer(packet, 2), "checksum", 0),
				 layer_get_uint(packet_layer(direct, 1), "checksum", 1));
	}
}

/* A checksum of 0 goes out as 0xffff, and one that comes in as 0 is wrong (RFC 8200 8.1). */
static void test_udp_checksum_zero(void **state)
{
	auto_cleanup(packet_free_p) struct packet *packet = packet_new();
	auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
	auto_cleanup(packet_free_p) struct packet *parsed = NULL;
	struct err why = ERR_INIT;
	struct layer *udp;

	(void)state;
	add_ip6(packet, "fe80::1");
	udp = add(packet, "udp");
	set_uint(udp, "dst_port", 0);
	build_or_fail("udp", packet, &bytes);
	set_uint(udp, "dst_port", layer_get_uint(udp, "checksum", 0));
	buf_reset(&bytes);
	build_or_fail("udp", packet, &bytes);
	assert_int_equal(layer_get_uint(udp, "checksum", 0), 0xffff);
	bytes.data[46] = bytes.data[47] = 0;
	parsed = packet_parse_ip6(bytes.data, bytes.size);
	assert_false(packet_is_sound(parsed, &why));
	assert_non_null(strstr(why.text, "udp.checksum is 0"));
}

/* --- frames and limits -------------------------------------------------------------------- */

static void test_ethernet(void **state)
{
	static const uint8_t head[] = {
		0x02, 0x00, 0x00, 0x00, 0x01, 0xaa, /* destination */
		0x02, 0x00, 0x00, 0x00, 0x00, 0xb1, /* source */
		0x86, 0xdd,                         /* IPv6 */
	};
	auto_cleanup(packet_free_p) struct packet *packet = packet_new();
	auto_cleanup(packet_free_p) struct packet *parsed = NULL;
	auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
	auto_free char *names = NULL;
	struct layer *ether = add(packet, "ether");

	(void)state;
	set_mac(ether, "dst", "02:00:00:00:01:aa");
	set_mac(ether, "src", "02:00:00:00:00:b1");
	packet_case_find("no_next_header")->make(packet);
	set_bytes(add(packet, "trailer"), "data", "\0\0", 2);
	build_or_fail("ether", packet, &bytes);
	assert_memory_equal(bytes.data, head, sizeof(head));
	assert_memory_equal(bytes.data + 14, no_next_header_bytes, sizeof(no_next_header_bytes));
	assert_int_equal(bytes.size, 14 + sizeof(no_next_header_bytes) + 2);
	parsed = packet_parse_frame(bytes.data, bytes.size);
	names = layer_names(parsed);
	assert_string_equal(names, "ether ip6 no_next_header trailer");
	assert_true(packet_is_sound(parsed, NULL));
}

static void assert_layers(const void *data, size_t size, const char *want)
{
	auto_cleanup(packet_free_p) struct packet *packet = packet_parse_frame(data, size);
	auto_free char *names = layer_names(packet);

	assert_string_equal(names, want);
}

static void test_other_frames(void **state)
{
	static const uint8_t arp[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x00,
				       0x00, 0x00, 0x00, 0xb1, 0x08, 0x06, 0x00, 0x01 };

	(void)state;
	assert_layers(arp, sizeof(arp), "ether raw");
	assert_layers(arp, 14, "ether");
	assert_layers(arp, 13, "malformed");
	assert_layers(arp, 0, "malformed");
}

/* An endless chain of headers ends at the limit, and its bytes are kept. */
static void test_too_many_layers(void **state)
{
	uint8_t chain[40 + 8 * 200] = { 0x60, 0, 0, 0, 8 * 200 >> 8, 8 * 200 & 0xff, 60, 64 };
	auto_cleanup(packet_free_p) struct packet *packet = NULL;
	auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
	struct layer *layer = NULL;
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 40; i < sizeof(chain); i += 8) {
		chain[i] = 60;
		chain[i + 2] = 1;
		chain[i + 3] = 4;
	}
	packet = packet_parse_ip6(chain, sizeof(chain));
	assert_int_equal(packet_layer_count(packet), LIMIT_LAYERS - 1); /* a trailer would fit */
	assert_text(packet_layer(packet, packet_layer_count(packet) - 1), "reason",
		    "more than 64 layers");
	build_or_fail("chain", packet, &bytes);
	assert_bytes("chain", &bytes, chain, sizeof(chain));
	while (packet_layer_count(packet) < LIMIT_LAYERS)
		add(packet, "raw");
	assert_refused(packet_append(packet, layer_type_find("raw"), &layer, &err), LAB_ELIMIT,
		       &err, "more than 64 layers");
	assert_refused(packet_append_packet(packet, packet, &err), LAB_ELIMIT, &err,
		       "more than 64 layers");
}

static void test_too_many_options(void **state)
{
	uint8_t header[40 + 2048] = { 0x60, 0, 0, 0, 2048 >> 8, 0, 0, 64, [40] = 59, 255 };
	auto_cleanup(packet_free_p) struct packet *packet =
		packet_parse_ip6(header, sizeof(header));
	auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
	const struct layer *layer = packet_find(packet, "hop_by_hop", 0);

	(void)state;
	assert_int_equal(layer_option_count(layer), LIMIT_OPTIONS);
	assert_text(layer_option(layer, LIMIT_OPTIONS - 1), "reason", "too many options");
	build_or_fail("options", packet, &bytes);
	assert_bytes("options", &bytes, header, sizeof(header));
}

static void assert_reason(const uint8_t *data, size_t size, const char *want)
{
	auto_cleanup(packet_free_p) struct packet *packet = packet_parse_ip6(data, size);
	auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
	struct err why = ERR_INIT;

	assert_false(packet_is_sound(packet, &why));
	if (!strstr(why.text, want))
		fail_msg("'%s' does not say '%s'", why.text, want);
	build_or_fail(want, packet, &bytes);
	assert_bytes(want, &bytes, data, size);
}

/* What is wrong is named. */
static void test_malformed(void **state)
{
	uint8_t copy[sizeof(ns_bytes)];
	uint8_t options[sizeof(dst_options_bytes)];

	(void)state;
	memcpy(copy, ns_bytes, sizeof(copy));
	copy[65] = 0; /* length of the first option */
	assert_reason(copy, sizeof(copy), "the option has length 0");
	copy[65] = 200;
	assert_reason(copy, sizeof(copy), "the option reaches beyond the message");
	copy[64] = 3;
	copy[65] = 1;
	assert_reason(copy, sizeof(copy), "nd_prefix: 8 bytes, 32 expected");
	memcpy(options, dst_options_bytes, sizeof(options));
	options[43] = 13; /* length of the first option: an octet more than there is */
	assert_reason(options, sizeof(options), "the option reaches beyond the header");
	options[41] = 200; /* length of the header */
	assert_reason(options, sizeof(options), "dst_options: 24 bytes, at least 1608 expected");
	assert_reason(echo_request_bytes, 41, "icmp6: 1 bytes, at least 4 expected");
	assert_reason(echo_request_bytes, 45, "echo_request: 5 bytes, at least 8 expected");
	assert_reason(echo_request_bytes, 39, "ip6: 39 bytes, at least 40 expected");
}

static void test_unknown_next_header(void **state)
{
	uint8_t copy[sizeof(no_next_header_bytes)];
	auto_cleanup(packet_free_p) struct packet *packet = NULL;
	auto_free char *names = NULL;

	(void)state;
	memcpy(copy, no_next_header_bytes, sizeof(copy));
	copy[6] = 253;
	packet = packet_parse_ip6(copy, sizeof(copy));
	names = layer_names(packet);
	assert_string_equal(names, "ip6 raw");
	assert_true(packet_is_sound(packet, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_build),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_flipped_bits),
		cmocka_unit_test(test_read_fields),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_cannot_build),
		cmocka_unit_test(test_overrides),
		cmocka_unit_test(test_hop_limit_rule),
		cmocka_unit_test(test_final_destination),
		cmocka_unit_test(test_udp_checksum_zero),
		cmocka_unit_test(test_ethernet),
		cmocka_unit_test(test_other_frames),
		cmocka_unit_test(test_too_many_layers),
		cmocka_unit_test(test_too_many_options),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_unknown_next_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
