/* What scripts do with packets and bytes beyond naming fields: pieces, variants, addresses. */
#include "suites/lua_packet.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/limits.h"
#include "suites/lua_packet_int.h"

/* What an ICMPv6 error has room for: 1280 octets less its IPv6 and ICMPv6 headers (RFC 4443 2.4 c). */
#define QUOTE_MAX     (PACKET_MINIMUM_MTU - 40u - 8u)
#define FRAGMENTS_MAX 8192

/* --- bytes ------------------------------------------------------------------------------ */

/* zeros(n) */
static int make_zeros(lua_State *lua)
{
	lua_Integer size = luaL_checkinteger(lua, 1);
	luaL_Buffer buffer;

	luaL_argcheck(lua, size >= 0 && size <= (lua_Integer)LIMIT_FRAME_BYTES, 1,
		      "expected a number of bytes, 65536 at most");
	memset(luaL_buffinitsize(lua, &buffer, (size_t)size), 0, (size_t)size);
	luaL_pushresultsize(&buffer, (size_t)size);
	return 1;
}

/* hex("01 04 00"): blanks may stand between bytes. */
static int make_hex(lua_State *lua)
{
	size_t size;
	const char *text = luaL_checklstring(lua, 1, &size);
	luaL_Buffer buffer;

	luaL_buffinit(lua, &buffer);
	for (size_t i = 0; i < size;) {
		char digits[3] = { 0 };

		if (isspace((unsigned char)text[i])) {
			i++;
			continue;
		}
		digits[0] = text[i];
		digits[1] = i + 1 < size ? text[i + 1] : '\0';
		if (!isxdigit((unsigned char)digits[0]) || !isxdigit((unsigned char)digits[1]))
			return luaL_error(lua,
					  "hex: expected two hexadecimal digits a byte at '%s'",
					  text + i);
		luaL_addchar(&buffer, (char)strtoul(digits, NULL, 16));
		i += 2;
	}
	luaL_pushresult(&buffer);
	return 1;
}

/* bytes(1, 4, "abc"): numbers are single bytes. */
static int make_bytes(lua_State *lua)
{
	int count = lua_gettop(lua);
	luaL_Buffer buffer;

	for (int i = 1; i <= count; i++) {
		if (lua_type(lua, i) == LUA_TNUMBER) {
			lua_Integer byte = luaL_checkinteger(lua, i);

			luaL_argcheck(lua, byte >= 0 && byte <= 255, i,
				      "expected a byte, 0 to 255");
		} else if (lua_type(lua, i) != LUA_TSTRING) {
			luaL_argerror(lua, i, "expected a byte (0 to 255) or a string");
		}
	}
	luaL_buffinit(lua, &buffer);
	for (int i = 1; i <= count; i++) {
		size_t size;

		if (lua_type(lua, i) == LUA_TNUMBER) {
			luaL_addchar(&buffer, (char)lua_tointeger(lua, i));
		} else {
			const char *text = lua_tolstring(lua, i, &size);

			luaL_addlstring(&buffer, text, size);
		}
	}
	luaL_pushresult(&buffer);
	return 1;
}

/* --- addresses -------------------------------------------------------------------------- */

static void check_ip6(lua_State *lua, int index, uint8_t ret_address[16])
{
	struct err err = ERR_INIT;

	if (ip6_from_string(luaL_checkstring(lua, index), ret_address, &err) < 0)
		luaL_error(lua, "%s", err.text);
}

static void check_mac(lua_State *lua, int index, uint8_t ret_address[6])
{
	struct err err = ERR_INIT;

	if (mac_from_string(luaL_checkstring(lua, index), ret_address, &err) < 0)
		luaL_error(lua, "%s", err.text);
}

static int push_ip6(lua_State *lua, const uint8_t address[16])
{
	char text[IP6_TEXT_SIZE];

	lua_pushstring(lua, ip6_to_string(address, text));
	return 1;
}

/* solicited_node("fe80::1") */
static int make_solicited_node(lua_State *lua)
{
	uint8_t address[16];

	check_ip6(lua, 1, address);
	ip6_solicited_node(address, address);
	return push_ip6(lua, address);
}

/* eui64("2001:db8::", "02:00:00:00:00:01") */
static int make_eui64(lua_State *lua)
{
	uint8_t address[16], mac[6];

	check_ip6(lua, 1, address);
	check_mac(lua, 2, mac);
	ip6_from_eui64(address, mac, address);
	return push_ip6(lua, address);
}

/* multicast_mac("ff02::1") */
static int make_multicast_mac(lua_State *lua)
{
	char text[MAC_TEXT_SIZE];
	uint8_t address[16], mac[6];

	check_ip6(lua, 1, address);
	luaL_argcheck(lua, ip6_is_multicast(address), 1, "expected a multicast address");
	mac_of_multicast(address, mac);
	lua_pushstring(lua, mac_to_string(mac, text));
	return 1;
}

/* in_prefix("2001:db8::1", "2001:db8::/64") */
static int is_in_prefix(lua_State *lua)
{
	uint8_t address[16], prefix[16];
	struct err err = ERR_INIT;
	unsigned bits = 0;

	check_ip6(lua, 1, address);
	if (ip6_prefix_from_string(luaL_checkstring(lua, 2), prefix, &bits, &err) < 0)
		return luaL_error(lua, "%s", err.text);
	lua_pushboolean(lua, ip6_is_in_prefix(address, prefix, bits));
	return 1;
}

/* --- bytes of packets ------------------------------------------------------------------- */

/* [-0, +1, e] takes what `bytes` has, or raises. */
static int push_bytes(lua_State *lua, struct buf *bytes, int rc, const struct err *err)
{
	if (rc < 0) {
		buf_clear(bytes);
		return luaL_error(lua, "%s", err->text);
	}
	lua_pushlstring(lua, bytes->data ? bytes->data : "", bytes->size);
	buf_clear(bytes);
	return 1;
}

static int quote(lua_State *lua, size_t max)
{
	const struct packet *packet = lua_packet_check(lua, 1);
	struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
	struct err err = ERR_INIT;
	int rc = packet_quote(packet, max, &bytes, &err);

	return push_bytes(lua, &bytes, rc, &err);
}

/* packet:bytes(): from the IPv6 header on. */
static int packet_bytes(lua_State *lua)
{
	return quote(lua, LIMIT_FRAME_BYTES);
}

/* invoking(packet [, max]): as much of it as an ICMPv6 error quotes. */
static int packet_invoking(lua_State *lua)
{
	lua_Integer max = luaL_optinteger(lua, 2, QUOTE_MAX);

	luaL_argcheck(lua, max >= 0, 2, "expected a number of bytes");
	return quote(lua, (size_t)max);
}

/* parse(bytes): a packet from bytes that begin with an IPv6 header, such as those an error quotes. */
static int make_parsed(lua_State *lua)
{
	size_t size;
	const char *data = luaL_checklstring(lua, 1, &size);

	luaL_argcheck(lua, size <= LIMIT_FRAME_BYTES, 1, "65536 bytes at most");
	lua_packet_adopt(lua, packet_parse_ip6(data, size), true);
	return 1;
}

/* packet:frame(): all bytes. */
static int packet_frame(lua_State *lua)
{
	struct packet *copy = packet_copy(lua_packet_check(lua, 1));
	struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
	struct err err = ERR_INIT;
	int rc = packet_build(copy, &bytes, &err);

	packet_free(copy);
	return push_bytes(lua, &bytes, rc, &err);
}

/* --- pieces ----------------------------------------------------------------------------- */

struct cutting {
	const struct packet *packet;
	uint32_t identification;
	size_t size;       /* of the fragmentable part */
	size_t next;       /* where the next piece begins that does not say it */
	lua_Integer count; /* pieces in the table at the top of the stack */
};

/* [-0, +0, e] add a piece to the table at the top of the stack. */
static void add_fragment(lua_State *lua, struct cutting *cutting, const struct fragment_cut *cut)
{
	struct lua_packet *object;
	struct err err = ERR_INIT;

	if (cutting->count >= FRAGMENTS_MAX)
		luaL_error(lua, "fragments: more than %d", FRAGMENTS_MAX);
	object = lua_packet_new(lua);
	if (packet_fragment(cutting->packet, cut, cutting->identification, &object->packet, &err) <
	    0)
		luaL_error(lua, "%s", err.text);
	lua_packet_account(lua, object, 0);
	lua_rawseti(lua, -2, ++cutting->count);
	cutting->next = cut->offset + cut->size;
}

/* A number of the table at `index`, or `otherwise`; raises when it is no size. */
static size_t optional_size(lua_State *lua, int index, const char *key, size_t otherwise)
{
	size_t value = otherwise;

	lua_pushstring(lua, key);
	if (lua_rawget(lua, index) != LUA_TNIL) {
		if (!lua_isinteger(lua, -1) || lua_tointeger(lua, -1) < 0 ||
		    lua_tointeger(lua, -1) > UINT32_MAX)
			luaL_error(lua, "fragments: '%s': expected a number that is not negative",
				   key);
		value = (size_t)lua_tointeger(lua, -1);
	}
	lua_pop(lua, 1);
	return value;
}

static void check_keys(lua_State *lua, int index, const char *const *keys)
{
	lua_pushnil(lua);
	for (; lua_next(lua, index); lua_pop(lua, 1)) {
		bool known = lua_isinteger(lua, -2);

		for (unsigned i = 0; keys[i] && !known; i++)
			known = lua_type(lua, -2) == LUA_TSTRING &&
				!strcmp(lua_tostring(lua, -2), keys[i]);
		if (!known)
			luaL_error(lua, "fragments: unknown key '%s'",
				   luaL_tolstring(lua, -2, NULL));
	}
}

/* A piece as it is asked for: a size, or a table of offset, size and more. */
static struct fragment_cut check_cut(lua_State *lua, int index, const struct cutting *cutting)
{
	static const char *const keys[] = { "offset", "size", "more", NULL };
	struct fragment_cut cut = { .offset = cutting->next };

	if (lua_isinteger(lua, index) && lua_tointeger(lua, index) > 0) {
		cut.size = (size_t)lua_tointeger(lua, index);
		cut.more = cut.offset + cut.size < cutting->size;
		return cut;
	}
	if (!lua_istable(lua, index))
		luaL_error(lua, "fragments: expected a size or { offset, size, more }, not %s",
			   luaL_tolstring(lua, index, NULL));
	check_keys(lua, index, keys);
	cut.offset = optional_size(lua, index, "offset", cutting->next);
	if (cut.offset > cutting->size)
		luaL_error(lua, "fragments: offset %d, but the packet has %d bytes to fragment",
			   (int)cut.offset, (int)cutting->size);
	cut.size = optional_size(lua, index, "size", cutting->size - cut.offset);
	cut.more = cut.offset + cut.size < cutting->size;
	lua_pushliteral(lua, "more");
	if (lua_rawget(lua, index) != LUA_TNIL)
		cut.more = lua_isinteger(lua, -1) ? lua_tointeger(lua, -1) != 0
						  : lua_toboolean(lua, -1);
	lua_pop(lua, 1);
	return cut;
}

/* Octets of a piece with which no fragment is longer than `mtu`. */
static size_t piece_for_mtu(lua_State *lua, const struct packet *packet, size_t mtu)
{
	struct fragment_cut first = { .offset = 0, .size = 0, .more = true };
	struct packet *fragment = NULL;
	struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
	struct err err = ERR_INIT;
	int rc = packet_fragment(packet, &first, 0, &fragment, &err);
	size_t size;

	rc = rc < 0 ? rc : packet_quote(fragment, LIMIT_FRAME_BYTES, &bytes, &err);
	size = bytes.size;
	packet_free(fragment);
	buf_clear(&bytes);
	if (rc < 0)
		luaL_error(lua, "%s", err.text);
	if (mtu < size + 8)
		luaL_error(lua, "fragments: mtu %d leaves no room for a fragment", (int)mtu);
	return (mtu - size) / 8 * 8;
}

/* fragments(packet, { 1232, ..., { offset = 8, size = 16, more = true }, identification =, mtu = }) */
static int make_fragments(lua_State *lua)
{
	static const char *const keys[] = { "identification", "mtu", NULL };
	struct cutting cutting = { .packet = lua_packet_check(lua, 1) };
	bool only_sizes = true;
	struct err err = ERR_INIT;
	size_t piece;
	lua_Integer count;

	luaL_checktype(lua, 2, LUA_TTABLE);
	lua_settop(lua, 2);
	check_keys(lua, 2, keys);
	cutting.identification = (uint32_t)optional_size(lua, 2, "identification", 1);
	if (packet_fragmentable_size(cutting.packet, &cutting.size, &err) < 0)
		return luaL_error(lua, "%s", err.text);
	piece = optional_size(lua, 2, "mtu", 0);
	if (piece)
		piece = piece_for_mtu(lua, cutting.packet, piece);
	count = (lua_Integer)lua_rawlen(lua, 2);
	lua_newtable(lua);
	for (lua_Integer i = 1; i <= count; i++) {
		struct fragment_cut cut;

		lua_rawgeti(lua, 2, i);
		only_sizes = only_sizes && lua_isinteger(lua, -1);
		cut = check_cut(lua, lua_gettop(lua), &cutting);
		lua_pop(lua, 1);
		add_fragment(lua, &cutting, &cut);
	}
	/* What is left when only sizes were given: one piece, or as many as the MTU needs. */
	while (only_sizes && cutting.next < cutting.size) {
		size_t left = cutting.size - cutting.next;
		size_t size = piece && piece < left ? piece : left;

		add_fragment(lua, &cutting,
			     &(struct fragment_cut){ cutting.next, size, size < left });
	}
	return 1;
}

/* reassemble{ fragment, ... } */
static int make_reassembled(lua_State *lua)
{
	const struct packet **fragments;
	struct packet *packet = NULL;
	struct err err = ERR_INIT;
	lua_Unsigned count;
	int rc;

	luaL_checktype(lua, 1, LUA_TTABLE);
	lua_settop(lua, 1);
	count = lua_rawlen(lua, 1);
	luaL_argcheck(lua, count >= 1 && count <= FRAGMENTS_MAX, 1,
		      "expected a table of fragments");
	fragments = lua_newuserdatauv(lua, (size_t)count * sizeof(*fragments), 0);
	for (lua_Unsigned i = 0; i < count; i++) {
		lua_rawgeti(lua, 1, (lua_Integer)i + 1);
		fragments[i] = lua_packet_check(lua, -1); /* the table keeps it alive */
		lua_pop(lua, 1);
	}
	rc = packet_reassemble(fragments, (unsigned)count, &packet, &err);
	if (rc < 0)
		return luaL_error(lua, "reassemble: %s", err.text);
	lua_packet_adopt(lua, packet, true);
	return 1;
}

/* packet:truncate(n): its first n bytes, as they would be sent. */
static int packet_cut(lua_State *lua)
{
	const struct packet *packet = lua_packet_check(lua, 1);
	lua_Integer size = luaL_checkinteger(lua, 2);
	struct packet *cut = NULL;
	struct err err = ERR_INIT;

	luaL_argcheck(lua, size >= 0, 2, "expected a number of bytes");
	if (packet_truncate(packet, (size_t)size, &cut, &err) < 0)
		return luaL_error(lua, "truncate: %s", err.text);
	lua_packet_adopt(lua, cut, true);
	return 1;
}

/* --- variants --------------------------------------------------------------------------- */

/* [-0, +1, e] a copy of the object at `index`, which can be changed before anybody sees it. */
static struct lua_packet *push_copy(lua_State *lua, int index)
{
	struct lua_packet *source = lua_packet_object(lua, index);
	struct lua_packet *object;

	(void)lua_packet_pattern(lua, source);
	object = lua_packet_new(lua);
	object->pattern = pattern_copy(source->pattern);
	if (source->packet)
		object->packet = packet_copy(source->packet);
	else
		object->why_pattern = xstrdup(source->why_pattern);
	lua_packet_account(lua, object, source->bytes);
	return object;
}

/* packet:with("ip6", { hop_limit = 254 }): a copy in which these fields are others. */
static int packet_with(lua_State *lua)
{
	const char *name = luaL_checkstring(lua, 2);
	struct lua_target target = { .type = layer_type_find(name) };
	struct lua_packet *object;
	struct err err = ERR_INIT;

	luaL_checktype(lua, 3, LUA_TTABLE);
	lua_settop(lua, 3);
	object = push_copy(lua, 1);
	if (object->packet) {
		/* What is computed is made anew, and not compared with what it was. */
		packet_forget_computed(object->packet);
		pattern_free(STEAL_PTR(object->pattern));
		(void)lua_packet_pattern(lua, object);
		target.layer = packet_find(object->packet, name, 0);
	}
	target.pattern = pattern_find(object->pattern, name, 0);
	if (!target.pattern)
		return luaL_error(lua, "with: the packet has no '%s' layer", name);
	lua_pushnil(lua);
	for (; lua_next(lua, 3); lua_pop(lua, 1)) {
		if (lua_type(lua, -2) != LUA_TSTRING)
			return luaL_error(lua, "with: expected fields by name");
		if (lua_value_set(lua, -1, &target, lua_tostring(lua, -2), &err) < 0)
			return luaL_error(lua, "with: %s", err.text);
	}
	/* The new values are no more than a frame has room for. */
	lua_packet_account(lua, object, object->bytes + (object->packet ? 0 : LIMIT_FRAME_BYTES));
	if (*target.why_pattern && object->packet) {
		packet_free(STEAL_PTR(object->packet));
		object->why_pattern = xstrdup(target.why_pattern);
	}
	return 1;
}

/* packet:without("ether"): a copy that lacks the layers of that type. */
static int packet_without(lua_State *lua)
{
	const char *name = luaL_checkstring(lua, 2);
	struct lua_packet *object = push_copy(lua, 1);

	if (!pattern_remove(object->pattern, name))
		return luaL_error(lua, "without: the packet has no '%s' layer", name);
	if (object->packet)
		(void)packet_remove(object->packet, name);
	return 1;
}

/* packet:matches(pattern) */
static int packet_matches(lua_State *lua)
{
	const struct pattern *pattern = lua_pattern_check(lua, 2);
	const struct packet *packet = lua_packet_check(lua, 1);

	lua_pushboolean(lua, pattern_matches(pattern, packet));
	return 1;
}

/* absent(layer) or absent(option) */
static int make_absent(lua_State *lua)
{
	const struct lua_option *option = luaL_testudata(lua, 1, LUA_TYPE_OPTION);

	if (option) {
		struct lua_option *object = lua_option_new(lua);

		object->pattern = pattern_layer_copy(option->pattern);
		object->why_pattern = xstrdup("an option is matched by absent()");
		pattern_layer_set_absent(object->pattern);
		lua_option_account(lua, object, option->bytes);
	} else {
		struct lua_packet *object = push_copy(lua, 1);

		luaL_argcheck(lua, pattern_layer_count(object->pattern) == 1, 1,
			      "expected one layer or option");
		packet_free(STEAL_PTR(object->packet));
		free(object->why_pattern);
		object->why_pattern = xstrdup("a layer is matched by absent()");
		pattern_layer_set_absent(pattern_layer(object->pattern, 0));
	}
	return 1;
}

/* strict(pattern): no other layers between those it names. */
static int make_strict(lua_State *lua)
{
	struct lua_packet *object = push_copy(lua, 1);

	packet_free(STEAL_PTR(object->packet));
	free(object->why_pattern);
	object->why_pattern = xstrdup("it is matched by strict()");
	pattern_set_strict(object->pattern);
	return 1;
}

/* --- opening ------------------------------------------------------------------------------ */

void lua_packet_helper_methods(lua_State *lua)
{
	static const luaL_Reg methods[] = {
		{ "bytes", packet_bytes },     { "frame", packet_frame },
		{ "quote", packet_invoking },  { "truncate", packet_cut },
		{ "with", packet_with },       { "without", packet_without },
		{ "matches", packet_matches }, { NULL, NULL },
	};

	luaL_setfuncs(lua, methods, 0);
}

void lua_packet_helper_open(lua_State *lua)
{
	static const luaL_Reg helpers[] = {
		{ "zeros", make_zeros },
		{ "hex", make_hex },
		{ "bytes", make_bytes },
		{ "solicited_node", make_solicited_node },
		{ "eui64", make_eui64 },
		{ "multicast_mac", make_multicast_mac },
		{ "in_prefix", is_in_prefix },
		{ "invoking", packet_invoking },
		{ "parse", make_parsed },
		{ "fragments", make_fragments },
		{ "reassemble", make_reassembled },
		{ "absent", make_absent },
		{ "strict", make_strict },
		{ NULL, NULL },
	};

	for (const luaL_Reg *helper = helpers; helper->name; helper++) {
		lua_pushcfunction(lua, helper->func);
		lua_setglobal(lua, helper->name);
	}
}
