/* Packets in pieces and as text; addresses and names; the tables of layers. */
#include "packets/packet.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/limits.h"
#include "tests/unit/packet_bytes.h"
#include "tests/unit/packet_cases.h"

/* --- pieces --------------------------------------------------------------------------- */

static struct packet *fragment_or_fail(const struct packet *packet, size_t offset, size_t size,
				       bool more)
{
	struct fragment_cut cut = { .offset = offset, .size = size, .more = more };
	struct packet *fragment = NULL;
	struct err err = ERR_INIT;

	if (packet_fragment(packet, &cut, 0x1234, &fragment, &err) < 0)
		fail_msg("%s", err.text);
	return fragment;
}

static void test_fragments(void **state)
{
	auto_cleanup(packet_free_p) struct packet *packet =
		packet_parse_ip6(dst_options_bytes, sizeof(dst_options_bytes));
	auto_cleanup(packet_free_p) struct packet *whole = NULL;
	auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
	struct packet *fragments[3];
	size_t size = 0;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(packet_fragmentable_size(packet, &size, NULL), 0);
	assert_int_equal(size, 24);
	fragments[0] = fragment_or_fail(packet, 16, 8, false);
	fragments[1] = fragment_or_fail(packet, 0, 16, true); /* overlaps with the next */
	fragments[2] = fragment_or_fail(packet, 8, 8, true);
	for (unsigned i = 0; i < 3; i++) {
		buf_reset(&bytes);
		build_or_fail("fragment", fragments[i], &bytes);
		assert_int_equal(bytes.data[6], 44);
		assert_int_equal(bytes.data[5], 8 + (i == 1 ? 16 : 8));
		assert_int_equal(bytes.data[40], 60);
	}
	assert_int_equal(
		packet_reassemble((const struct packet *const *)fragments, 3, &whole, &err), 0);
	buf_reset(&bytes);
	build_or_fail("whole", whole, &bytes);
	assert_bytes("whole", &bytes, dst_options_bytes, sizeof(dst_options_bytes));
	packet_free(whole);
	whole = NULL;
	assert_refused(packet_reassemble((const struct packet *const *)fragments, 1, &whole, &err),
		       LAB_EINVALID, &err, "the first fragment is missing");
	assert_refused(
		packet_reassemble((const struct packet *const *)fragments + 1, 2, &whole, &err),
		LAB_EINVALID, &err, "the last fragment is missing");
	fragments[1] = (packet_free(fragments[1]), fragment_or_fail(packet, 0, 8, true));
	fragments[2] = (packet_free(fragments[2]), fragment_or_fail(packet, 0, 8, true));
	assert_refused(packet_reassemble((const struct packet *const *)fragments, 3, &whole, &err),
		       LAB_EINVALID, &err, "byte 8 of the packet is missing");
	for (unsigned i = 0; i < 3; i++)
		packet_free(fragments[i]);
}

/* Hop-by-Hop and Routing headers are in each fragment, ND keeps its hop limit. */
static void test_fragments_keep_headers(void **state)
{
	auto_cleanup(packet_free_p) struct packet *packet = packet_new();
	auto_cleanup(packet_free_p) struct packet *fragment = NULL;
	auto_cleanup(packet_free_p) struct packet *parsed = NULL;
	auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
	auto_free char *names = NULL;
	struct fragment_cut beyond = { .offset = 0, .size = 1000 };
	struct fragment_cut odd = { .offset = 4, .size = 1 };
	struct err err = ERR_INIT;

	(void)state;
	add_ip6(packet, "fe80::1");
	add_option(add(packet, "hop_by_hop"), "router_alert");
	add(packet, "routing");
	add(packet, "rs");
	fragment = fragment_or_fail(packet, 0, 8, true);
	build_or_fail("fragment", fragment, &bytes);
	parsed = packet_parse_ip6(bytes.data, bytes.size);
	names = layer_names(parsed);
	assert_string_equal(names, "ip6 hop_by_hop(router_alert padn) routing fragment raw");
	assert_int_equal(layer_get_uint(packet_layer(parsed, 0), "hop_limit", 0), 255);
	assert_int_equal(layer_get_uint(packet_layer(parsed, 2), "next_header", 0), 44);
	assert_int_equal(layer_get_uint(packet_layer(parsed, 3), "next_header", 0), 58);
	assert_refused(packet_fragment(packet, &beyond, 1, &parsed, &err), LAB_EINVALID, &err,
		       "the packet has 8 to fragment");
	assert_refused(packet_fragment(packet, &odd, 1, &parsed, &err), LAB_EINVALID, &err,
		       "offset 4 is no multiple of 8");
	assert_refused(packet_fragment(parsed, &odd, 1, &fragment, &err), LAB_EINVALID, &err,
		       "has a 'fragment' layer already");
}

static void test_truncate_and_quote(void **state)
{
	auto_cleanup(packet_free_p) struct packet *packet = packet_new();
	auto_cleanup(packet_free_p) struct packet *cut = NULL;
	auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
	struct err err = ERR_INIT;
	struct layer *ether = add(packet, "ether");

	(void)state;
	set_mac(ether, "dst", "02:00:00:00:01:aa");
	set_mac(ether, "src", "02:00:00:00:00:b1");
	packet_case_find("echo_request")->make(packet);
	assert_int_equal(packet_truncate(packet, 14 + 44, &cut, &err), 0);
	build_or_fail("cut", cut, &bytes);
	assert_int_equal(bytes.size, 58);
	assert_memory_equal(bytes.data + 14, echo_request_bytes, 44);
	assert_refused(packet_truncate(packet, 100, &cut, &err), LAB_EINVALID, &err,
		       "the packet has 65 bytes, less than 100");
	buf_reset(&bytes);
	assert_int_equal(packet_quote(packet, 1232, &bytes, &err), 0);
	assert_bytes("quote", &bytes, echo_request_bytes, sizeof(echo_request_bytes));
	buf_reset(&bytes);
	assert_int_equal(packet_quote(packet, 41, &bytes, &err), 0);
	assert_bytes("quote", &bytes, echo_request_bytes, 41);
}

/* --- text ---------------------------------------------------------------------------------- */

static void test_summary(void **state)
{
	static const struct {
		const char *name;
		const char *want;
	} lines[] = {
		{ "echo_request", "Echo Request fe80::b1 > fe80::1 id 7 seq 1 hop limit 64" },
		{ "na", "Neighbor Advertisement fe80::b1 > fe80::1 of fe80::1 R 0 S 1 O 1 "
			"target 02:00:00:00:01:aa hop limit 255" },
		{ "fragment", "Fragment Header fe80::b1 > fe80::1 offset 1 more 1 id 0x12345678 "
			      "hop limit 64" },
		{ "routing", "Echo Request fe80::b1 > fe80::1 id 0 seq 0, in Routing Header type 0 "
			     "segments left 2 hop limit 64" },
		{ "param_problem",
		  "Parameter Problem fe80::b1 > fe80::1 code 1 (unrecognized Next Header) pointer 40 hop limit 64" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		const struct packet_case *row = packet_case_find(lines[i].name);
		auto_cleanup(packet_free_p) struct packet *packet =
			packet_parse_ip6(row->bytes, row->size);
		auto_free char *line = packet_summary(packet);

		assert_string_equal(line, lines[i].want);
	}
}

static void test_json(void **state)
{
	auto_cleanup(packet_free_p) struct packet *packet =
		packet_parse_ip6(ns_bytes, sizeof(ns_bytes));
	auto_json json_t *layers = packet_to_json(packet);
	const json_t *ns = json_array_get(layers, 1);
	const json_t *target = json_array_get(json_object_get(ns, "fields"), 4);
	const json_t *nonce = json_array_get(json_object_get(ns, "options"), 1);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(ns, "layer")), "ns");
	assert_string_equal(json_string_value(json_object_get(ns, "title")),
			    "Neighbor Solicitation");
	assert_int_equal(json_integer_value(json_object_get(ns, "offset")), 40);
	assert_int_equal(json_integer_value(json_object_get(ns, "size")), sizeof(ns_bytes) - 40);
	assert_string_equal(json_string_value(json_object_get(target, "name")), "target");
	assert_string_equal(json_string_value(json_object_get(target, "value")), "fe80::1");
	assert_int_equal(json_integer_value(json_object_get(target, "offset")), 48);
	assert_int_equal(json_integer_value(json_object_get(target, "bits")), 128);
	assert_string_equal(json_string_value(json_object_get(nonce, "layer")), "nd_nonce");
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(json_object_get(nonce, "fields"), 2), "value")),
			    "010203040506");
}

static void test_addresses(void **state)
{
	static const struct {
		const char *text;
		const char *want; /* RFC 5952, or NULL when it is no address */
	} rows[] = {
		{ "::", "::" },
		{ "::1", "::1" },
		{ "1::", "1::" },
		{ "2001:0DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
		{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
		{ "2001:db8:0:0:0:0:2:1", "2001:db8::2:1" },
		{ "0:0:1:0:0:0:1:0", "0:0:1::1:0" },
		{ "ff02::1:ff00:1", "ff02::1:ff00:1" },
		{ "fe80::1%eth0", NULL },
		{ "1.2.3.4", NULL },
		{ "", NULL },
	};
	char text[IP6_TEXT_SIZE], mac_text[MAC_TEXT_SIZE];
	uint8_t address[16], group[16], mac[6];
	unsigned bits = 0;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int rc = ip6_from_string(rows[i].text, address, NULL);

		assert_int_equal(rc, rows[i].want ? 0 : LAB_EINVALID);
		if (rows[i].want)
			assert_string_equal(ip6_to_string(address, text), rows[i].want);
	}
	assert_int_equal(mac_from_string("02:00:00:00:01:aA", mac, NULL), 0);
	assert_string_equal(mac_to_string(mac, mac_text), "02:00:00:00:01:aa");
	assert_int_equal(mac_from_string("02:00:00:00:01", mac, NULL), LAB_EINVALID);
	assert_int_equal(mac_from_string("02:00:00:00:01:aa:", mac, NULL), LAB_EINVALID);
	assert_int_equal(mac_from_string("02-00-00-00-01-aa", mac, NULL), LAB_EINVALID);
	assert_int_equal(ip6_from_string("2001:db8::", address, NULL), 0);
	ip6_from_eui64(address, mac, address);
	assert_string_equal(ip6_to_string(address, text), "2001:db8::ff:fe00:1aa");
	ip6_solicited_node(address, group);
	assert_string_equal(ip6_to_string(group, text), "ff02::1:ff00:1aa");
	mac_of_multicast(group, mac);
	assert_string_equal(mac_to_string(mac, mac_text), "33:33:ff:00:01:aa");
	assert_int_equal(ip6_prefix_from_string("2001:db8::/33", address, &bits, NULL), 0);
	assert_int_equal(bits, 33);
	assert_int_equal(ip6_from_string("2001:db8:7fff::", group, NULL), 0);
	assert_true(ip6_is_in_prefix(group, address, 33));
	assert_false(ip6_is_in_prefix(group, address, 34));
	assert_true(ip6_is_in_prefix(group, address, 0));
	assert_int_equal(ip6_prefix_from_string("2001:db8::/129", address, &bits, NULL),
			 LAB_EINVALID);
	assert_int_equal(ip6_prefix_from_string("2001:db8::/", address, &bits, NULL), LAB_EINVALID);
	assert_int_equal(ip6_prefix_from_string("2001:db8::/6x", address, &bits, NULL),
			 LAB_EINVALID);
}

static void test_names(void **state)
{
	static const uint8_t wire[] = {
		4, 't', 'e', 's', 't', 2, 'u', 'k', 0, 2, '.', 1, 0, 0xc0, 0
	};
	auto_cleanup(buf_release_p) struct buf made = BUF_INIT(1024);
	size_t position = 0;
	char *name;

	(void)state;
	assert_int_equal(name_to_wire("test.uk", &made, NULL), 0);
	assert_bytes("name", &made, wire, 9);
	assert_int_equal(name_to_wire("test..uk", &made, NULL), LAB_EINVALID);
	assert_int_equal(name_to_wire("", &made, NULL), LAB_EINVALID);
	name = name_from_wire(wire, sizeof(wire), &position);
	assert_string_equal(name, "test.uk");
	free(name);
	name = name_from_wire(wire, sizeof(wire), &position);
	assert_string_equal(name, "\\046\\001"); /* a dot and a control byte are no dot and none */
	free(name);
	assert_null(name_from_wire(wire, sizeof(wire), &position)); /* a pointer (RFC 1035 4.1.4) */
	assert_int_equal(position, 13);
}

static void test_nearest_names(void **state)
{
	auto_free char *names = layer_type_field_names(layer_type_find("rs"));

	(void)state;
	assert_string_equal(layer_type_nearest("echo_reqest"), "echo_request");
	assert_string_equal(layer_type_nearest("echo"), "echo_request");
	assert_string_equal(layer_type_nearest("hopbyhop"), "hop_by_hop");
	assert_null(layer_type_nearest("arp_request_of_old"));
	assert_string_equal(names, "type, code, checksum, reserved, options");
}

/* The table itself: fixed parts without gaps and overlaps, what varies behind them. */
static void test_tables(void **state)
{
	const struct layer_type *type;

	(void)state;
	for (unsigned i = 0; (type = layer_type_at(i)); i++) {
		uint8_t seen[64] = { 0 };
		unsigned bits = 0;

		assert_ptr_equal(layer_type_find(type->name), type);
		for (unsigned j = 0; j < type->field_count; j++) {
			const struct field_type *field = &type->fields[j];

			assert_non_null(field->about);
			assert_int_equal(layer_type_field(type, field->name), (int)j);
			for (unsigned bit = field->bit_offset;
			     bit < field->bit_offset + field->bit_width; bit++) {
				assert_false(seen[bit / 8] & 1u << bit % 8);
				seen[bit / 8] |= (uint8_t)(1u << bit % 8);
				bits++;
			}
			if (!field->bit_width && field->kind != FIELD_TEXT)
				assert_int_equal(field->bit_offset, type->header_bytes * 8);
		}
		if (bits != type->header_bytes * 8)
			fail_msg("%s: %u bits of %u", type->name, bits, type->header_bytes * 8);
	}
}
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_fragments_keep_headers),
		cmocka_unit_test(test_truncate_and_quote),
		cmocka_unit_test(test_summary),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_nearest_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
