/*
 * The Lua binding of packets, driven as scripts drive it: each row is a script
 * that must run, or one that must be refused with a text.
 */
#include "suites/lua_packet.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/limits.h"
#include "packets/match.h"
#include "packets/packet.h"
#include "tests/unit/lab_cmocka.h"
#include "tests/unit/packet_bytes.h"

static int open_lua(void **state)
{
	lua_State *lua = luaL_newstate();

	luaL_openlibs(lua);
	lua_packet_open(lua);
	lua_getglobal(lua, "assert");
	lua_setglobal(lua, "check");
	assert_int_equal(lua_gettop(lua), 0);
	*state = lua;
	return 0;
}

static int close_lua(void **state)
{
	lua_close(*state);
	return 0;
}

static void run(lua_State *lua, const char *script)
{
	if (luaL_dostring(lua, script) != LUA_OK)
		fail_msg("%s\n%s", script, lua_tostring(lua, -1));
}

static void refuse(lua_State *lua, const char *script, const char *why)
{
	if (luaL_dostring(lua, script) == LUA_OK)
		fail_msg("was not refused: %s", script);
	if (!strstr(lua_tostring(lua, -1), why))
		fail_msg("'%s' does not say '%s'", lua_tostring(lua, -1), why);
	lua_settop(lua, 0);
}

/* The script returns an object; its bytes must be these. */
static void assert_built(lua_State *lua, const char *script, const uint8_t *want, size_t size)
{
	auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
	struct packet *copy;
	struct err err = ERR_INIT;

	run(lua, script);
	copy = packet_copy(lua_packet_check(lua, -1));
	if (packet_build(copy, &bytes, &err) < 0)
		fail_msg("%s: %s", script, err.text);
	packet_free(copy);
	assert_int_equal(bytes.size, size);
	assert_memory_equal(bytes.data, want, size);
	lua_settop(lua, 0);
}

#define ASSERT_BUILT(lua, script, bytes) assert_built(lua, "return " script, bytes, sizeof(bytes))

#define BASE   "ip6{ src = 'fe80::b1', dst = 'fe80::1' } / "
#define TO(to) "ip6{ src = 'fe80::b1', dst = '" to "' } / "

/* --- building ---------------------------------------------------------------------------- */

static void test_constructors(void **state)
{
	lua_State *lua = *state;

	ASSERT_BUILT(lua, BASE "echo_request{ identifier = 7, sequence = 1, data = 'abc' }",
		     echo_request_bytes);
	ASSERT_BUILT(lua,
		     BASE "param_problem{ code = 1, pointer = 40, invoking = hex('60 000000') }",
		     param_problem_bytes);
	ASSERT_BUILT(lua, BASE "udp{} / 'abc'", udp_bytes);
	ASSERT_BUILT(lua, BASE "udp{} / raw{ data = bytes(0x61, 'bc') }", udp_bytes);
	ASSERT_BUILT(lua,
		     BASE
		     "tcp{ dst_port = 80, sequence = 1, syn = true, option_bytes = hex'020405a0' }",
		     tcp_bytes);
	ASSERT_BUILT(lua,
		     BASE "dst_options{ opt_unknown{ type = 17, data = zeros(4) }, pad1{}, "
			  "opt_unknown{ type = 199, data = '\\1\\2\\3' } } / echo_request{}",
		     dst_options_bytes);
	ASSERT_BUILT(lua,
		     BASE
		     "routing{ addresses = { '2001:db8::1', '2001:db8::2' } } / echo_request{}",
		     routing_bytes);
	ASSERT_BUILT(lua,
		     TO("ff02::1") "ra{ managed = 1, other = true, preference = 1, reachable_time "
				   "= 30000, "
				   "retrans_timer = 1000, options = { "
				   "nd_prefix{ prefix = '2001:db8::', valid_lifetime = 3600 }, "
				   "nd_slla{ mac = '02:00:00:00:00:b1' }, nd_mtu{}, "
				   "nd_route_info{ preference = 1, lifetime = 600, prefix = "
				   "'2001:db8:1::' }, "
				   "nd_rdnss{ addresses = '2001:db8::53' }, nd_dnssl{ names = { "
				   "'test.uk' } } } }",
		     ra_bytes);
	ASSERT_BUILT(
		lua,
		TO("ff02::16") "hop_by_hop{ router_alert{} } / mld2_report{ "
			       "mld2_record{ group = 'ff02::5' }, mld2_record{ record_type = 1, "
			       "group = 'ff02::6', sources = { '2001:db8::7' }, auxiliary = "
			       "'\\10\\11' } }",
		mld2_report_bytes);
}

/* A packet in the place of bytes stands for what it is from its IPv6 header on. */
static void test_packet_as_bytes(void **state)
{
	run(*state,
	    "local sent = ether{ src = '02:00:00:00:00:01', dst = '02:00:00:00:00:02' } / " BASE
	    "echo_request{ data = zeros(2000) }\n"
	    "local error = time_exceeded{ invoking = sent }\n"
	    "check(error.time_exceeded.invoking == sent:bytes())\n"
	    "check(#sent:bytes() == 2048 and #sent:frame() == 2062)\n"
	    "check(invoking(sent) == sent:bytes():sub(1, 1232))\n"
	    "check(sent:quote(100) == sent:bytes():sub(1, 100))");
}

static void test_refused_fields(void **state)
{
	lua_State *lua = *state;

	refuse(lua, "return ip6{ hoplimit = 1 }",
	       "layer 'ip6' has no field 'hoplimit' (did you mean 'hop_limit'?): it has version, ");
	refuse(lua, "\n\nreturn ip6{ hop_limit = 256 }",
	       ":3: ip6.hop_limit: 256 does not fit into 8 bits");
	refuse(lua, "return ip6{ hop_limit = -1 }", "ip6.hop_limit: expected a whole number");
	refuse(lua, "return ip6{ hop_limit = 1.5 }", "ip6.hop_limit: expected a whole number");
	refuse(lua, "return ip6{ hop_limit = '1' }",
	       "ip6.hop_limit: expected a number, not string");
	refuse(lua, "return ip6{ hop_limit = true }",
	       "ip6.hop_limit: expected a number, not boolean");
	refuse(lua, "return na{ router = 'yes' }",
	       "na.router: expected 0, 1, true or false, not string");
	refuse(lua, "return ip6{ src = 'fe80::g' }",
	       "ip6.src: 'fe80::g': expected an IPv6 address");
	refuse(lua, "return ip6{ src = 'fe80::1\\0' }",
	       "ip6.src: expected an IPv6 address, not string");
	refuse(lua, "return ip6{ src = ip6{} }", "ip6.src: expected an IPv6 address, not a packet");
	refuse(lua, "return nd_slla{ mac = 'x' }", "nd_slla.mac: 'x': expected a MAC address");
	refuse(lua, "return raw{ data = 5 }",
	       "raw.data: expected a string of bytes or a packet, not number");
	refuse(lua, "return raw{ data = ip6{ src = any() } }",
	       "raw.data: expected a string of bytes or a packet");
	refuse(lua, "return raw{ data = ip6{} }", "raw.data: ip6.src is not set");
	refuse(lua, "return nd_dnssl{ names = { 'a..b' } }",
	       "nd_dnssl.names: 'a..b': expected a domain name");
	refuse(lua, "return routing{ addresses = { 1 } }",
	       "routing.addresses: expected an IPv6 address, not number");
	refuse(lua, "return raw{ data = zeros(65536) .. 'x' }", "65537 bytes, 65536 at most");
	refuse(lua, "return ip6 'fe80::1'", "ip6: expected a table of fields, not string");
	refuse(lua, "return ip6({}, 2)", "ip6: expected a table of fields, not number");
	refuse(lua, "return ip6{ [true] = 1 }", "ip6: a boolean is no name of a field");
}

static void test_refused_layers(void **state)
{
	lua_State *lua = *state;

	refuse(lua, "return ip6{ nd_mtu{} }", "ip6: it has no options, so value 1 has no name");
	refuse(lua, "return ra{ pad1{} }", "'pad1' is no option of 'ra'");
	refuse(lua, "return ra{ nd_mtu }",
	       "ra: option 1: expected an option such as nd_mtu{}, not function");
	refuse(lua, "return ra{ nd_mtu{}, nil, nd_mtu{} }", "nil");
	refuse(lua, "return ra{ options = nd_mtu{} }", "ra.options: expected a table of options");
	refuse(lua, "return ip6{} / nd_mtu{}",
	       "this is an option: it belongs into the options of a layer");
	refuse(lua, "return nd_mtu{} / ip6{}",
	       "this is an option: it belongs into the options of a layer");
	refuse(lua, "return ip6{} / echo_request",
	       "expected a packet, not a function: write {} behind its name");
	refuse(lua, "return ip6{} / 5", "expected a packet, not number");
	refuse(lua, "return 'x' / ip6{}", "expected a packet, not string");
	refuse(lua, "local p = ip6{} for i = 1, 7 do p = p / p end", "more than 64 layers");
	refuse(lua, "local t = {} for i = 1, 300 do t[i] = pad1{} end return hop_by_hop(t)",
	       "'hop_by_hop' has more than 256 options");
	refuse(lua, "return (echo_request{}):bytes()", "the packet has no 'ip6' layer");
	refuse(lua, "return (ip6{ dst = '::' } / rs{}):bytes()", "ip6.src is not set");
}

/* --- patterns ----------------------------------------------------------------------------- */

/* Push `bytes` as a received packet and give it to the script as the global `p`. */
static void receive(lua_State *lua, const uint8_t *bytes, size_t size)
{
	struct packet *packet = packet_parse_ip6(bytes, size);

	lua_packet_push(lua, packet);
	lua_setglobal(lua, "p");
	packet_free(packet);
}

#define RECEIVE(lua, bytes) receive(lua, bytes, sizeof(bytes))

static void test_matchers(void **state)
{
	lua_State *lua = *state;

	RECEIVE(lua, ra_bytes);
	run(lua, "check(p:matches(ra{}))\n"
		 "check(not p:matches(rs{}))\n"
		 "check(p:matches(ip6{ src = any(), hop_limit = 255 } / ra{ managed = true }))\n"
		 "check(p:matches(ra{ router_lifetime = range(1, 9000) }))\n"
		 "check(not p:matches(ra{ router_lifetime = range(1, 1799) }))\n"
		 "check(p:matches(ra{ preference = one_of{ 0, 1 } }))\n"
		 "check(not p:matches(ra{ preference = one_of{ 0, 3 } }))\n"
		 "check(p:matches(ra{ preference = not_equal(0) }))\n"
		 "check(not p:matches(ra{ preference = not_equal(1) }))\n"
		 "check(p:matches(ra{ router_lifetime = mask(0xff00, 0x0700) }))\n"
		 "check(not p:matches(ra{ router_lifetime = mask(0xff00, 0x0600) }))\n"
		 "check(p:matches(ip6{ src = prefix('fe80::/10') }))\n"
		 "check(not p:matches(ip6{ src = prefix('fec0::/10') }))\n"
		 "check(p:matches(ip6{ dst = one_of{ 'ff02::1', 'fe80::1' } }))\n"
		 "check(p:matches(ra{ nd_prefix{ prefix = prefix('2001:db8::/32') } }))\n"
		 "check(not p:matches(ra{ nd_prefix{ prefix_length = 63 } }))\n"
		 "check(p:matches(ra{ nd_rdnss{ addresses = '2001:db8::53' } }))\n"
		 "check(p:matches(ra{ nd_dnssl{ names = 'test.uk' } }))\n"
		 "check(p:matches(ra{ absent(nd_tlla{}) }))\n"
		 "check(not p:matches(ra{ absent(nd_slla{}) }))\n"
		 "check(not p:matches(ra{ options = only{ nd_slla{} } }))\n"
		 "check(p:matches(ip6{} / absent(fragment{})))\n"
		 "check(not p:matches(absent(ip6{ hop_limit = 255 }) / ra{}))\n"
		 "check(p:matches(absent(ip6{ hop_limit = 64 }) / ra{}))\n");
	RECEIVE(lua, rs_bytes);
	run(lua, "check(p:matches(rs{ options = only{ nd_slla{} } }))\n"
		 "check(not p:matches(rs{ options = only{} }))");
	RECEIVE(lua, dst_options_bytes);
	run(lua, "check(p:matches(ip6{} / echo_request{}))\n"
		 "check(not p:matches(strict(ip6{} / echo_request{})))\n"
		 "check(p:matches(strict(dst_options{} / echo_request{})))");
	RECEIVE(lua, param_problem_bytes);
	run(lua, "check(p:matches(param_problem{ invoking = prefix('\\x60\\0') }))\n"
		 "check(not p:matches(param_problem{ invoking = prefix('\\x60\\1') }))");
}

static void test_refused_matchers(void **state)
{
	lua_State *lua = *state;

	refuse(lua, "return ip6{ src = range(1, 2) }", "ip6.src: 'range' is for numbers only");
	refuse(lua, "return ip6{ hop_limit = range(5, 4) }", "ip6.hop_limit: the range is empty");
	refuse(lua, "return ip6{ hop_limit = range(5, 300) }", "ip6.hop_limit: 300 does not fit");
	refuse(lua, "return ip6{ hop_limit = mask(1, 2) }",
	       "ip6.hop_limit: the value has bits that the mask has not");
	refuse(lua, "return ip6{ hop_limit = one_of{} }",
	       "ip6.hop_limit: one of nothing cannot be");
	refuse(lua, "return ip6{ hop_limit = one_of{ 1, 'x' } }",
	       "ip6.hop_limit: expected a number, not string");
	refuse(lua, "return ip6{ hop_limit = prefix(1) }",
	       "ip6.hop_limit: 'prefix' is for addresses and bytes only");
	refuse(lua, "return ip6{ src = prefix('fe80::1') }",
	       "ip6.src: 'fe80::1': expected a prefix");
	refuse(lua, "return ip6{ hop_limit = only{} }", "ip6.hop_limit: expected a number");
	refuse(lua, "return range(1)", "bad argument #2 to 'range'");
	refuse(lua, "return range('a', 2)", "bad argument #1 to 'range'");
	refuse(lua, "return any(1)", "any() takes nothing");
	refuse(lua, "return absent(ip6{} / rs{})", "expected one layer or option");
	refuse(lua, "return absent()", "expected a packet, not no value");
}

/* What has a matcher in it cannot be sent, and says which. */
static void test_patterns_are_no_packets(void **state)
{
	static const struct {
		const char *script;
		const char *why;
	} rows[] = {
		{ "ip6{ hop_limit = range(1, 2) } / rs{}",
		  "field 'hop_limit' of 'ip6' is matched by range()" },
		{ "ip6{} / rs{ nd_slla{ mac = any() } }",
		  "field 'mac' of 'nd_slla' is matched by any()" },
		{ "ip6{} / absent(fragment{})", "a layer is matched by absent()" },
		{ "rs{ absent(nd_slla{}) }", "an option is matched by absent()" },
		{ "rs{ options = only{} }", "the options of 'rs' are matched by only{}" },
		{ "strict(ip6{})", "it is matched by strict()" },
	};
	lua_State *lua = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		auto_cleanup(buf_release_p) struct buf script = BUF_INIT(1024);

		buf_printf(&script, "return (%s):bytes()", rows[i].script);
		refuse(lua, script.data, rows[i].why);
	}
}

/* --- reading ------------------------------------------------------------------------------ */

static void test_reading(void **state)
{
	lua_State *lua = *state;

	RECEIVE(lua, ra_bytes);
	run(lua, "check(p.ip6.src == 'fe80::b1' and p.ip6.hop_limit == 255)\n"
		 "check(p.ra.managed == 1 and p.ra.name == 'ra')\n"
		 "check(#p.ra.options == 6 and p.ra.options[2].mac == '02:00:00:00:00:b1')\n"
		 "check(p.ra.nd_prefix.prefix == '2001:db8::' and p.ra.nd_tlla == nil)\n"
		 "check(p.ra.nd_rdnss.addresses[1] == '2001:db8::53')\n"
		 "check(p.ra.nd_dnssl.names[1] == 'test.uk' and #p.ra.nd_dnssl.names == 1)\n"
		 "check(p.fragment == nil and not p:has('fragment'))\n"
		 "check(p:has('ra') and p:has('nd_mtu') and not p:has('nd_tlla'))\n"
		 "check(table.concat(p:layers(), ' ') == 'ip6 ra')\n"
		 "check(tostring(p):find('^Router Advertisement fe80::b1 > ff02::1'))\n"
		 "check(tostring(p.ra) == 'ra')\n"
		 "check(p.time == nil)");
	refuse(lua, "return p.ipv6", "there is no layer 'ipv6', did you mean 'ip6'?");
	refuse(lua, "return p:has('frag')", "there is no layer 'frag', did you mean 'fragment'?");
	refuse(lua, "return p.nd_prefix", "'nd_prefix' is an option: read it from its layer");
	refuse(lua, "return p.ra.lifetime", "layer 'ra' has no field 'lifetime'");
	refuse(lua, "return p.ra.pad1", "layer 'ra' has no field 'pad1'");
	refuse(lua, "return p.fragment.offset", "attempt to index a nil value (field 'fragment')");
	refuse(lua, "return (ip6{ src = any() }).ip6", "this is a pattern");
	refuse(lua, "p.ip6 = 1", "attempt to index a");
	RECEIVE(lua, tunnel_bytes);
	run(lua, "check(p:layer('ip6', 2).src == '2001:db8::1' and p:layer('ip6', 3) == nil)");
	refuse(lua, "return p:layer('ip6', 0)", "expected a number from 1");
}

/* A layer that was read keeps its packet alive. */
static void test_views_outlive(void **state)
{
	lua_State *lua = *state;

	RECEIVE(lua, ra_bytes);
	run(lua, "view = p.ra.nd_prefix\np = nil\ncollectgarbage()\ncollectgarbage()\n"
		 "check(view.prefix == '2001:db8::')\n"
		 "local again = " TO("ff02::1") "ra{ view }\n"
						"check(again.ra.nd_prefix.valid_lifetime == 3600)");
}

static void test_time(void **state)
{
	lua_State *lua = *state;
	struct packet *packet = packet_parse_ip6(rs_bytes, sizeof(rs_bytes));

	lua_packet_push(lua, packet);
	lua_packet_set_time(lua, -1, 1.5);
	lua_setglobal(lua, "p");
	packet_free(packet);
	run(lua, "check(p.time == 1.5)");
}

static void test_equality_and_text(void **state)
{
	run(*state, "check(ip6{ hop_limit = 1 } / rs{} == ip6{ hop_limit = 1 } / rs{})\n"
		    "check(ip6{ hop_limit = 1 } ~= ip6{ hop_limit = 2 })\n"
		    "check(ip6{ hop_limit = 1 } ~= ip6{ hop_limit = any() })\n"
		    "check(tostring(ip6{ hop_limit = range(1, 2) } / rs{ absent(nd_slla{}) }) ==\n"
		    "  'ip6{hop_limit=1..2} / rs{options={absent(nd_slla{})}}')\n"
		    "check(tostring(nd_mtu{ mtu = 1280 }) == 'nd_mtu{mtu=1280}')\n"
		    "check(tostring(any()) == 'any()')");
}

/* --- helpers ------------------------------------------------------------------------------ */

static void test_bytes_and_addresses(void **state)
{
	lua_State *lua = *state;

	run(lua, "check(zeros(3) == '\\0\\0\\0' and zeros(0) == '')\n"
		 "check(hex('01 04 00\\n fF') == '\\1\\4\\0\\255' and hex('') == '')\n"
		 "check(bytes(1, 'ab', 255) == '\\1ab\\255' and bytes() == '')\n"
		 "check(solicited_node('2001:db8::1:2') == 'ff02::1:ff01:2')\n"
		 "check(eui64('2001:db8::', '02:00:00:00:01:aa') == '2001:db8::ff:fe00:1aa')\n"
		 "check(multicast_mac('ff02::1:ff01:2') == '33:33:ff:01:00:02')\n"
		 "check(in_prefix('2001:db8::1', '2001:db8::/64'))\n"
		 "check(not in_prefix('2001:db9::1', '2001:db8::/32'))");
	refuse(lua, "return zeros(-1)", "expected a number of bytes");
	refuse(lua, "return zeros(65537)", "65536 at most");
	refuse(lua, "return hex('0')", "expected two hexadecimal digits");
	refuse(lua, "return hex('0g')", "expected two hexadecimal digits");
	refuse(lua, "return bytes(256)", "expected a byte, 0 to 255");
	refuse(lua, "return bytes({})", "expected a byte (0 to 255) or a string");
	refuse(lua, "return multicast_mac('fe80::1')", "expected a multicast address");
	refuse(lua, "return in_prefix('fe80::1', 'fe80::')", "expected a prefix");
}

#define ECHO "local sent = " BASE "echo_request{ identifier = 7, data = zeros(2992) }\n"

static void test_fragments(void **state)
{
	lua_State *lua = *state;

	run(lua, ECHO "local f = fragments(sent, { 1448, 1000 })\n"
		      "check(#f == 3)\n"
		      "check(f[1].fragment.offset == 0 and f[1].fragment.more == 1)\n"
		      "check(f[2].fragment.offset == 181 and f[2].fragment.more == 1)\n"
		      "check(f[3].fragment.offset == 306 and f[3].fragment.more == 0)\n"
		      "check(#f[3].raw.data == 552)\n"
		      "check(reassemble{ f[3], f[1], f[2] }:bytes() == sent:bytes())");
	run(lua, ECHO "local f = fragments(sent, { mtu = 1280, identification = 9 })\n"
		      "check(#f == 3 and #f[1]:bytes() == 1280)\n"
		      "check(f[2].fragment.identification == 9)\n"
		      "check(reassemble(f):bytes() == sent:bytes())");
	/* Anything, in any order: overlapping, too short, last one first. */
	run(lua, ECHO "local f = fragments(sent, { { offset = 8 }, { offset = 0, size = 16 },\n"
		      "  { offset = 0, size = 5, more = false } })\n"
		      "check(#f == 3 and f[1].fragment.more == 0 and f[2].fragment.more == 1)\n"
		      "check(f[3].fragment.more == 0 and #f[3].raw.data == 5)");
	refuse(lua, ECHO "fragments(sent, { 5 })", "offset 5 is no multiple of 8");
	refuse(lua, ECHO "fragments(sent, { 5000 })", "but the packet has 3000 to fragment");
	refuse(lua, ECHO "fragments(sent, { { offset = 4000 } })",
	       "offset 4000, but the packet has 3000");
	refuse(lua, ECHO "fragments(sent, { { ofset = 0 } })", "fragments: unknown key 'ofset'");
	refuse(lua, ECHO "fragments(sent, { 'x' })",
	       "fragments: expected a size or { offset, size, more }");
	refuse(lua, ECHO "fragments(sent, { mtu = 50 })", "mtu 50 leaves no room");
	refuse(lua, ECHO "fragments(sent, { identification = -1 })",
	       "expected a number that is not negative");
	refuse(lua, ECHO "fragments(ip6{ src = any() }, {})", "this is a pattern");
	refuse(lua, ECHO "local f = fragments(sent, { 1448 })\nreassemble{ f[2] }",
	       "the first fragment is missing");
	refuse(lua, ECHO "reassemble{ sent }", "packet 1 of the fragments is none");
	refuse(lua, "reassemble{}", "expected a table of fragments");
}

static void test_variants(void **state)
{
	lua_State *lua = *state;

	run(lua, "local ask = ip6{ src = 'fe80::b1', dst = 'ff02::1:ff00:1' } / ns{ target = "
		 "'fe80::1' }\n"
		 "local wrong = ask:with('ip6', { hop_limit = 254 })\n"
		 "check(wrong.ip6.hop_limit == 254 and ask.ip6.hop_limit == nil)\n"
		 "local loose = ask:with('ns', { target = any() })\n"
		 "check(tostring(loose):find('target=any'))\n"
		 "check(table.concat((ask:without('ip6')):layers()) == 'ns')\n"
		 "check(#ask:truncate(50):bytes() == 50)");
	RECEIVE(lua, ns_bytes);
	/* A checksum that was received is made anew, one that was set stays. */
	run(lua, "local other = p:with('ns', { target = 'fe80::2' })\n"
		 "local sum = string.unpack('>I2', other:bytes(), 43)\n"
		 "check(sum ~= p.ns.checksum and sum ~= 0)\n"
		 "local set = p:with('ns', { checksum = 1 }):with('ns', { reserved = 1 })\n"
		 "check(string.unpack('>I2', set:bytes(), 43) == 1)\n"
		 "check(p:matches(p:with('ip6', { hop_limit = 255 })))\n"
		 "check(not p:matches(p:with('ip6', { hop_limit = 254 })))");
	refuse(lua, "p:with('fragment', {})", "with: the packet has no 'fragment' layer");
	refuse(lua, "p:with('ip6', { hop = 1 })", "with: layer 'ip6' has no field 'hop'");
	refuse(lua, "p:with('ip6', { 1 })", "with: expected fields by name");
	refuse(lua, "p:without('fragment')", "without: the packet has no 'fragment' layer");
	refuse(lua, "p:truncate(5000)", "truncate: the packet has");
	refuse(lua, "p:truncate(-1)", "expected a number of bytes");
}

/* What an error quotes, cut as it may be, is a packet again. */
static void test_parse(void **state)
{
	lua_State *lua = *state;

	run(lua, "local sent = " BASE "echo_request{ identifier = 7, data = zeros(2000) }\n"
		 "local quoted = parse(invoking(sent))\n"
		 "check(quoted.echo_request.identifier == 7 and #quoted:bytes() == 1232)\n"
		 "check(quoted.ip6.payload_length == 2008)\n"
		 "check(parse('').malformed.reason == 'ip6: 0 bytes, at least 40 expected')");
	refuse(lua, "parse(zeros(65536) .. 'x')", "65536 bytes at most");
	refuse(lua, "parse(ip6{})", "string expected");
}

/* A script cannot fill the memory of the host with packets. */
static void test_memory(void **state)
{
	lua_State *lua = *state;

	run(lua, "for i = 1, 20000 do local p = raw{ data = zeros(65536) } end");
	refuse(lua, "local keep = {}\nfor i = 1, 20000 do keep[i] = raw{ data = zeros(65536) } end",
	       "not enough memory for packets");
	refuse(lua,
	       "local keep = {}\nlocal p = ip6{ src = any() } / raw{ data = zeros(65536) }\n"
	       "for i = 1, 20000 do keep[i] = p:with('ip6', { hop_limit = 1 }) end",
	       "not enough memory for packets");
	run(lua, "collectgarbage() return raw{ data = zeros(65536) }");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_lua, close_lua)
	const struct CMUnitTest tests[] = {
		TEST(test_constructors),
		TEST(test_packet_as_bytes),
		TEST(test_refused_fields),
		TEST(test_refused_layers),
		TEST(test_matchers),
		TEST(test_refused_matchers),
		TEST(test_patterns_are_no_packets),
		TEST(test_reading),
		TEST(test_views_outlive),
		TEST(test_time),
		TEST(test_equality_and_text),
		TEST(test_bytes_and_addresses),
		TEST(test_fragments),
		TEST(test_variants),
		TEST(test_parse),
		TEST(test_memory),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
