#include "tests/unit/packet_cases.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "tests/unit/packet_bytes.h"

/* --- making packets in C ------------------------------------------------------------- */

struct layer *add(struct packet *packet, const char *type)
{
	struct err err = ERR_INIT;
	struct layer *layer = NULL;

	if (packet_append(packet, layer_type_find(type), &layer, &err) < 0)
		fail_msg("%s", err.text);
	return layer;
}

struct layer *add_option(struct layer *parent, const char *type)
{
	struct err err = ERR_INIT;
	struct layer *option = NULL;

	if (layer_append_option(parent, layer_type_find(type), &option, &err) < 0)
		fail_msg("%s", err.text);
	return option;
}

void set_uint(struct layer *layer, const char *field, uint64_t value)
{
	struct err err = ERR_INIT;

	if (layer_set_uint(layer, field, value, &err) < 0)
		fail_msg("%s", err.text);
}

void set_bytes(struct layer *layer, const char *field, const void *data, size_t size)
{
	struct err err = ERR_INIT;

	if (layer_set_bytes(layer, field, data, size, &err) < 0)
		fail_msg("%s", err.text);
}

void set_ip6(struct layer *layer, const char *field, const char *text)
{
	struct err err = ERR_INIT;
	uint8_t address[16];

	if (ip6_from_string(text, address, &err) < 0 ||
	    layer_set_ip6(layer, field, address, &err) < 0)
		fail_msg("%s", err.text);
}

void set_mac(struct layer *layer, const char *field, const char *text)
{
	struct err err = ERR_INIT;
	uint8_t address[6];

	if (mac_from_string(text, address, &err) < 0 ||
	    layer_set_mac(layer, field, address, &err) < 0)
		fail_msg("%s", err.text);
}

struct layer *add_ip6(struct packet *packet, const char *dst)
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
/* The layers in the names' order, "ip6 echo_request"; options in parentheses. */
const struct packet_case packet_cases[] = {
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

const unsigned packet_case_count = sizeof(packet_cases) / sizeof(*packet_cases);

const struct packet_case *packet_case_find(const char *name)
{
	for (unsigned i = 0; i < packet_case_count; i++)
		if (!strcmp(packet_cases[i].name, name))
			return &packet_cases[i];
	fail_msg("there is no case '%s'", name);
	return NULL;
}

/* --- checking ------------------------------------------------------------------------ */

char *layer_names(const struct packet *packet)
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

void assert_bytes(const char *what, const struct buf *got, const uint8_t *want, size_t size)
{
	for (size_t i = 0; i < size && i < got->size; i++)
		if ((uint8_t)got->data[i] != want[i])
			fail_msg("%s: byte %zu is 0x%02x, not 0x%02x", what, i,
				 (unsigned)(uint8_t)got->data[i], (unsigned)want[i]);
	if (got->size != size)
		fail_msg("%s: %zu bytes, not %zu", what, got->size, size);
}

void build_or_fail(const char *what, struct packet *packet, struct buf *bytes)
{
	struct err err = ERR_INIT;

	if (packet_build(packet, bytes, &err) < 0)
		fail_msg("%s: %s", what, err.text);
}

void assert_text(const struct layer *layer, const char *field, const char *want)
{
	const struct value *value = layer_get(layer, field);
	auto_free char *text = NULL;

	assert_non_null(value);
	text = value_to_string(
		value,
		&layer_get_type(layer)->fields[layer_type_field(layer_get_type(layer), field)]);
	assert_string_equal(text, want);
}

void assert_refused(int rc, int want, const struct err *err, const char *text)
{
	assert_int_equal(rc, want);
	if (!strstr(err->text, text))
		fail_msg("'%s' does not say '%s'", err->text, text);
}
