/*
 * Packets over bytes: the expected bytes were written down field by field, with
 * checksums from an independent program, and what is built is compared with
 * tshark's reading in tests/integration/301-packets-tshark.sh.
 */
#include "packets/packet.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/limits.h"
#include "tests/unit/lab_cmocka.h"
#include "tests/unit/packet_bytes.h"

/* --- making packets in C ------------------------------------------------------------- */

static struct layer *add(struct packet *packet, const char *type)
{
	struct err err = ERR_INIT;
	struct layer *layer = NULL;

	if (packet_append(packet, layer_type_find(type), &layer, &err) < 0)
		fail_msg("%s", err.text);
	return layer;
}

static struct layer *add_option(struct layer *parent, const char *type)
{
	struct err err = ERR_INIT;
	struct layer *option = NULL;

	if (layer_append_option(parent, layer_type_find(type), &option, &err) < 0)
		fail_msg("%s", err.text);
	return option;
}

static void set_uint(struct layer *layer, const char *field, uint64_t value)
{
	struct err err = ERR_INIT;

	if (layer_set_uint(layer, field, value, &err) < 0)
		fail_msg("%s", err.text);
}

static void set_bytes(struct layer *layer, const char *field, const void *data, size_t size)
{
	struct err err = ERR_INIT;

	if (layer_set_bytes(layer, field, data, size, &err) < 0)
		fail_msg("%s", err.text);
}

static void set_ip6(struct layer *layer, const char *field, const char *text)
{
	struct err err = ERR_INIT;
	uint8_t address[16];

	if (ip6_from_string(text, address, &err) < 0 ||
	    layer_set_ip6(layer, field, address, &err) < 0)
		fail_msg("%s", err.text);
}

static void set_mac(struct layer *layer, const char *field, const char *text)
{
	struct err err = ERR_INIT;
	uint8_t address[6];

	if (mac_from_string(text, address, &err) < 0 ||
	    layer_set_mac(layer, field, address, &err) < 0)
		fail_msg("%s", err.text);
}

static struct layer *add_ip6(struct packet *packet, const char *dst)
{
	struct layer *ip6 = add(packet, "ip6");

	set_ip6(ip6, "src", "fe80::b1");
	set_ip6(ip6, "dst", dst);
	return ip6;
}

/* --- one function a layer type --------------------------------------------------------- */

static void make_echo_request(struct packet *packet)
{
	struct layer *echo;

	add_ip6(packet, "fe80::1");
	echo = add(packet, "echo_request");
	set_uint(echo, "identifier", 7);
	set_uint(echo, "sequence", 1);
	set_bytes(echo, "data", "abc", 3);
}

static void make_echo_reply(struct packet *packet)
{
	struct layer *echo;

	add_ip6(packet, "fe80::1");
	echo = add(packet, "echo_reply");
	set_uint(echo, "identifier", 7);
	set_uint(echo, "sequence", 1);
	set_bytes(echo, "data", "abcd", 4);
}

static void make_dest_unreachable(struct packet *packet)
{
	static const uint8_t quoted[] = { 0x60, 0, 0, 0, 0, 0, 59, 64 };
	struct layer *error;

	add_ip6(packet, "fe80::1");
	error = add(packet, "dest_unreachable");
	set_uint(error, "code", 4);
	set_bytes(error, "invoking", quoted, sizeof(quoted));
}

static void make_packet_too_big(struct packet *packet)
{
	add_ip6(packet, "fe80::1");
	set_bytes(add(packet, "packet_too_big"), "invoking", "\x60\0\0", 4);
}

static void make_time_exceeded(struct packet *packet)
{
	struct layer *error;

	add_ip6(packet, "fe80::1");
	error = add(packet, "time_exceeded");
	set_uint(error, "code", 1);
	set_bytes(error, "invoking", "\x60\0\0", 4);
}

static void make_param_problem(struct packet *packet)
{
	struct layer *error;

	add_ip6(packet, "fe80::1");
	error = add(packet, "param_problem");
	set_uint(error, "code", 1);
	set_uint(error, "pointer", 40);
	set_bytes(error, "invoking", "\x60\0\0", 4);
}

static void make_icmp6(struct packet *packet)
{
	struct layer *icmp6;

	add_ip6(packet, "fe80::1");
	icmp6 = add(packet, "icmp6");
	set_uint(icmp6, "type", 254);
	set_bytes(icmp6, "data", "\xde\xad\xbe", 3);
}

static void make_rs(struct packet *packet)
{
	add_ip6(packet, "ff02::2");
	set_mac(add_option(add(packet, "rs"), "nd_slla"), "mac", "02:00:00:00:00:b1");
}

static void make_ra(struct packet *packet)
{
	static const uint8_t server[] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 0x53 };
	struct layer *ra, *option;

	add_ip6(packet, "ff02::1");
	ra = add(packet, "ra");
	set_uint(ra, "managed", 1);
	set_uint(ra, "other", 1);
	set_uint(ra, "preference", 1);
	set_uint(ra, "reachable_time", 30000);
	set_uint(ra, "retrans_timer", 1000);
	option = add_option(ra, "nd_prefix");
	set_uint(option, "valid_lifetime", 3600);
	set_ip6(option, "prefix", "2001:db8::");
	set_mac(add_option(ra, "nd_slla"), "mac", "02:00:00:00:00:b1");
	add_option(ra, "nd_mtu");
	option = add_option(ra, "nd_route_info");
	set_uint(option, "preference", 1);
	set_uint(option, "lifetime", 600);
	set_ip6(option, "prefix", "2001:db8:1::");
	set_bytes(add_option(ra, "nd_rdnss"), "addresses", server, sizeof(server));
	set_bytes(add_option(ra, "nd_dnssl"), "names", "\4test\2uk", 9);
}

static void make_ns(struct packet *packet)
{
	struct layer *ns, *option;

	add_ip6(packet, "ff02::1:ff00:1");
	ns = add(packet, "ns");
	set_ip6(ns, "target", "fe80::1");
	set_mac(add_option(ns, "nd_slla"), "mac", "02:00:00:00:00:b1");
	set_bytes(add_option(ns, "nd_nonce"), "nonce", "\1\2\3\4\5\6", 6);
	option = add_option(ns, "nd_unknown");
	set_uint(option, "type", 253);
	set_bytes(option, "data", "\xaa", 1);
}

static void make_na(struct packet *packet)
{
	struct layer *na;

	add_ip6(packet, "fe80::1");
	na = add(packet, "na");
	set_uint(na, "solicited", 1);
	set_uint(na, "override", 1);
	set_ip6(na, "target", "fe80::1");
	set_mac(add_option(na, "nd_tlla"), "mac", "02:00:00:00:01:aa");
}

static void make_redirect(struct packet *packet)
{
	struct layer *redirect;

	add_ip6(packet, "fe80::1");
	redirect = add(packet, "redirect");
	set_ip6(redirect, "target", "fe80::1");
	set_ip6(redirect, "destination", "2001:db8::5");
	set_bytes(add_option(redirect, "nd_redirected"), "invoking", "\x60\0\0\0", 5);
}

static void make_mld_query(struct packet *packet)
{
	add_ip6(packet, "ff02::1");
	add(packet, "mld_query");
}

static void make_mld2_query(struct packet *packet)
{
	static const uint8_t source[] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 7 };
	struct layer *query;

	add_ip6(packet, "ff02::1");
	query = add(packet, "mld2_query");
	set_ip6(query, "group", "ff02::5");
	set_uint(query, "suppress", 1);
	set_bytes(query, "sources", source, sizeof(source));
}

static void make_mld_report(struct packet *packet)
{
	add_ip6(packet, "ff02::5");
	add_option(add(packet, "hop_by_hop"), "router_alert");
	set_ip6(add(packet, "mld_report"), "group", "ff02::5");
}

static void make_mld_done(struct packet *packet)
{
	add_ip6(packet, "ff02::2");
	add_option(add(packet, "hop_by_hop"), "router_alert");
	set_ip6(add(packet, "mld_done"), "group", "ff02::5");
}

static void make_mld2_report(struct packet *packet)
{
	static const uint8_t source[] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 7 };
	struct layer *report, *item;

	add_ip6(packet, "ff02::16");
	add_option(add(packet, "hop_by_hop"), "router_alert");
	report = add(packet, "mld2_report");
	set_ip6(add_option(report, "mld2_record"), "group", "ff02::5");
	item = add_option(report, "mld2_record");
	set_uint(item, "record_type", 1);
	set_ip6(item, "group", "ff02::6");
	set_bytes(item, "sources", source, sizeof(source));
	set_bytes(item, "auxiliary", "\x0a\x0b", 2);
}

static void make_udp(struct packet *packet)
{
	add_ip6(packet, "fe80::1");
	add(packet, "udp");
	set_bytes(add(packet, "raw"), "data", "abc", 3);
}

static void make_tcp(struct packet *packet)
{
	struct layer *tcp;

	add_ip6(packet, "fe80::1");
	tcp = add(packet, "tcp");
	set_uint(tcp, "dst_port", 80);
	set_uint(tcp, "sequence", 1);
	set_uint(tcp, "syn", 1);
	set_bytes(tcp, "option_bytes", "\2\4\5\xa0", 4);
}

static void make_dst_options(struct packet *packet)
{
	struct layer *header, *option;

	add_ip6(packet, "fe80::1");
	header = add(packet, "dst_options");
	option = add_option(header, "opt_unknown");
	set_uint(option, "type", 17);
	set_bytes(option, "data", "\0\0\0", 4);
	add_option(header, "pad1");
	option = add_option(header, "opt_unknown");
	set_uint(option, "type", 199);
	set_bytes(option, "data", "\1\2\3", 3);
	add(packet, "echo_request");
}

static void make_routing(struct packet *packet)
{
	static const uint8_t path[] = {
		0x20, 0x01, 0x0d, 0xb8, [15] = 1, [16] = 0x20, 0x01, 0x0d, 0xb8, [31] = 2
	};

	add_ip6(packet, "fe80::1");
	set_bytes(add(packet, "routing"), "addresses", path, sizeof(path));
	add(packet, "echo_request");
}

static void make_routing_unknown(struct packet *packet)
{
	struct layer *routing;

	add_ip6(packet, "fe80::1");
	routing = add(packet, "routing_unknown");
	set_uint(routing, "routing_type", 33);
	set_uint(routing, "segments_left", 1);
	set_bytes(routing, "data", "\1\2\3\4", 4);
	add(packet, "echo_request");
}

static void make_fragment(struct packet *packet)
{
	struct layer *fragment;

	add_ip6(packet, "fe80::1");
	fragment = add(packet, "fragment");
	set_uint(fragment, "next_header", 58);
	set_uint(fragment, "offset", 1);
	set_uint(fragment, "more", 1);
	set_uint(fragment, "identification", 0x12345678);
	set_bytes(add(packet, "raw"), "data", "\1\2\3\4\5\6\7\10", 8);
}

static void make_no_next_header(struct packet *packet)
{
	add_ip6(packet, "fe80::1");
	set_bytes(add(packet, "no_next_header"), "data", "\x80\0\0", 4);
}

static void make_tunnel(struct packet *packet)
{
	struct layer *inner;

	add_ip6(packet, "fe80::1");
	inner = add(packet, "ip6");
	set_uint(inner, "traffic_class", 255);
	set_uint(inner, "flow_label", 0xfffff);
	set_uint(inner, "hop_limit", 1);
	set_ip6(inner, "src", "2001:db8::1");
	set_ip6(inner, "dst", "2001:db8::2");
}

/* The layers in the names' order, "ip6 echo_request"; options in parentheses. */
static const struct {
	const char *name;
	const uint8_t *bytes;
	size_t size;
	void (*make)(struct packet *packet);
	const char *layers;
} cases[] = {
#define CASE(name, layers)                                                                         \
	{                                                                                          \
#name, name##_bytes, sizeof(name##_bytes), make_##name, layers                     \
	}
	CASE(echo_request, "ip6 echo_request"),
	CASE(echo_reply, "ip6 echo_reply"),
	CASE(dest_unreachable, "ip6 dest_unreachable"),
	CASE(packet_too_big, "ip6 packet_too_big"),
	CASE(time_exceeded, "ip6 time_exceeded"),
	CASE(param_problem, "ip6 param_problem"),
	CASE(icmp6, "ip6 icmp6"),
	CASE(rs, "ip6 rs(nd_slla)"),
	CASE(ra, "ip6 ra(nd_prefix nd_slla nd_mtu nd_route_info nd_rdnss nd_dnssl)"),
	CASE(ns, "ip6 ns(nd_slla nd_nonce nd_unknown)"),
	CASE(na, "ip6 na(nd_tlla)"),
	CASE(redirect, "ip6 redirect(nd_redirected)"),
	CASE(mld_query, "ip6 mld_query"),
	CASE(mld2_query, "ip6 mld2_query"),
	CASE(mld_report, "ip6 hop_by_hop(router_alert padn) mld_report"),
	CASE(mld_done, "ip6 hop_by_hop(router_alert padn) mld_done"),
	CASE(mld2_report, "ip6 hop_by_hop(router_alert padn) mld2_report(mld2_record mld2_record)"),
	CASE(udp, "ip6 udp raw"),
	CASE(tcp, "ip6 tcp"),
	CASE(dst_options, "ip6 dst_options(opt_unknown pad1 opt_unknown padn) echo_request"),
	CASE(routing, "ip6 routing echo_request"),
	CASE(routing_unknown, "ip6 routing_unknown echo_request"),
	CASE(fragment, "ip6 fragment raw"),
	CASE(no_next_header, "ip6 no_next_header"),
	CASE(tunnel, "ip6 ip6 no_next_header"),
#undef CASE
};

#define CASE_COUNT (sizeof(cases) / sizeof(*cases))

static char *layer_names(const struct packet *packet)
{
	struct buf names = BUF_INIT(4096);

	for (unsigned i = 0; i < packet_layer_count(packet); i++) {
		const struct layer *layer = packet_layer(packet, i);

		buf_printf(&names, "%s%s", i ? " " : "", layer_get_type(layer)->name);
		for (unsigned j = 0; j < layer_option_count(layer); j++)
			buf_printf(&names, "%s%s", j ? " " : "(",
				   layer_get_type(layer_option(layer, j))->name);
		buf_append_string(&names, layer_option_count(layer) ? ")" : "");
	}
	return buf_take_string(&names);
}

static void assert_bytes(const char *what, const struct buf *got, const uint8_t *want, size_t size)
{
	for (size_t i = 0; i < size && i < got->size; i++)
		if ((uint8_t)got->data[i] != want[i])
			fail_msg("%s: byte %zu is 0x%02x, not 0x%02x", what, i,
				 (unsigned)(uint8_t)got->data[i], (unsigned)want[i]);
	if (got->size != size)
		fail_msg("%s: %zu bytes, not %zu", what, got->size, size);
}

static void build_or_fail(const char *what, struct packet *packet, struct buf *bytes)
{
	struct err err = ERR_INIT;

	if (packet_build(packet, bytes, &err) < 0)
		fail_msg("%s: %s", what, err.text);
}

static void test_build(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CASE_COUNT; i++) {
		auto_cleanup(packet_free_p) struct packet *packet = packet_new();
		auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);

		cases[i].make(packet);
		build_or_fail(cases[i].name, packet, &bytes);
		assert_bytes(cases[i].name, &bytes, cases[i].bytes, cases[i].size);
		/* A second time, with everything filled in by the first. */
		buf_reset(&bytes);
		build_or_fail(cases[i].name, packet, &bytes);
		assert_bytes(cases[i].name, &bytes, cases[i].bytes, cases[i].size);
	}
}

static void test_parse(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CASE_COUNT; i++) {
		auto_cleanup(packet_free_p) struct packet *packet =
			packet_parse_ip6(cases[i].bytes, cases[i].size);
		auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
		auto_free char *names = layer_names(packet);
		struct err why = ERR_INIT;

		assert_string_equal(names, cases[i].layers);
		if (!packet_is_sound(packet, &why))
			fail_msg("%s: %s", cases[i].name, why.text);
		build_or_fail(cases[i].name, packet, &bytes);
		assert_bytes(cases[i].name, &bytes, cases[i].bytes, cases[i].size);
	}
}

/* Cut anywhere: no crash, no byte lost, and no longer sound. */
static void test_truncated(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CASE_COUNT; i++) {
		for (size_t size = 0; size < cases[i].size; size++) {
			auto_free uint8_t *copy =
				xmemdup(cases[i].bytes, size); /* for the sanitizer */
			auto_cleanup(packet_free_p) struct packet *packet =
				packet_parse_ip6(copy, size);
			auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);

			build_or_fail(cases[i].name, packet, &bytes);
			assert_bytes(cases[i].name, &bytes, cases[i].bytes, size);
			if (packet_is_sound(packet, NULL))
				fail_msg("%s is sound with %zu of %zu bytes", cases[i].name, size,
					 cases[i].size);
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

static void assert_text(const struct layer *layer, const char *field, const char *want)
{
	const struct value *value = layer_get(layer, field);
	auto_free char *text = NULL;

	assert_non_null(value);
	text = value_to_string(
		value,
		&layer_get_type(layer)->fields[layer_type_field(layer_get_type(layer), field)]);
	assert_string_equal(text, want);
}

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

static void assert_refused(int rc, int want, const struct err *err, const char *text)
{
	assert_int_equal(rc, want);
	if (!strstr(err->text, text))
		fail_msg("'%s' does not say '%s'", err->text, text);
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
		       "'ip6' has no field 'hoplimit', did you mean 'hop_limit'?");
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
	make_no_next_header(packet);
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
	assert_true(packet_layer_count(packet) <= LIMIT_LAYERS);
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
	options[43] = 200; /* length of the first option */
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
	make_echo_request(packet);
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
		  "Parameter Problem fe80::b1 > fe80::1 code 1 pointer 40 hop limit 64" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		for (unsigned j = 0; j < CASE_COUNT; j++) {
			struct packet *packet;
			char *line;

			if (strcmp(lines[i].name, cases[j].name) != 0)
				continue;
			packet = packet_parse_ip6(cases[j].bytes, cases[j].size);
			line = packet_summary(packet);
			assert_string_equal(line, lines[i].want);
			packet_free(packet);
			free(line);
		}
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
		cmocka_unit_test(test_build),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_flipped_bits),
		cmocka_unit_test(test_read_fields),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_cannot_build),
		cmocka_unit_test(test_overrides),
		cmocka_unit_test(test_hop_limit_rule),
		cmocka_unit_test(test_udp_checksum_zero),
		cmocka_unit_test(test_ethernet),
		cmocka_unit_test(test_other_frames),
		cmocka_unit_test(test_too_many_layers),
		cmocka_unit_test(test_too_many_options),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_unknown_next_header),
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
