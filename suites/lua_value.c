/*
 * Values of fields between Lua and packets/, and the matchers that may stand in
 * their place. Conversions into fields do not raise (see lua_packet_int.h):
 * they look at values by raw access only.
 */
#include "suites/lua_packet_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/limits.h"

/* Most values of one_of{}. */
#define MANY_MAX 1024

/* A value on its way into a field; `bytes` may point into a Lua string, or to `own`. */
struct conversion {
	struct value value;
	struct buf own;
	unsigned prefix_bits;
};

static void conversion_release_p(struct conversion *conversion)
{
	buf_clear(&conversion->own);
}

#define CONVERSION_INIT ((struct conversion){ .own = BUF_INIT(LIMIT_FRAME_BYTES) })

/* --- from Lua ------------------------------------------------------------------------- */

static const char *type_name(lua_State *lua, int index)
{
	if (luaL_testudata(lua, index, LUA_TYPE_PACKET))
		return "a packet";
	if (luaL_testudata(lua, index, LUA_TYPE_OPTION))
		return "an option";
	if (luaL_testudata(lua, index, LUA_TYPE_LAYER))
		return "a layer";
	return lua_typename(lua, lua_type(lua, index));
}

static int refuse(lua_State *lua, int index, const char *expected, struct err *err)
{
	return err_set(err, LAB_EINVALID, "expected %s, not %s", expected, type_name(lua, index));
}

static int take_uint(lua_State *lua, int index, const struct field_type *field,
		     struct conversion *to, struct err *err)
{
	int is_integer = 0;
	lua_Integer number;

	if (lua_type(lua, index) == LUA_TBOOLEAN && field->bit_width == 1) {
		to->value.uint = (uint64_t)lua_toboolean(lua, index);
		return 0;
	}
	if (lua_type(lua, index) != LUA_TNUMBER)
		return refuse(lua, index,
			      field->bit_width == 1 ? "0, 1, true or false" : "a number", err);
	number = lua_tointegerx(lua, index, &is_integer);
	if (!is_integer || number < 0)
		return err_set(err, LAB_EINVALID, "expected a whole number that is not negative");
	to->value.uint = (uint64_t)number;
	return 0;
}

/* A string without NUL inside, or NULL. */
static const char *plain_string(lua_State *lua, int index)
{
	const char *text;
	size_t size;

	if (lua_type(lua, index) != LUA_TSTRING)
		return NULL;
	text = lua_tolstring(lua, index, &size);
	return strlen(text) == size ? text : NULL;
}

static int take_bytes(lua_State *lua, int index, struct conversion *to, struct err *err)
{
	const struct lua_packet *object = luaL_testudata(lua, index, LUA_TYPE_PACKET);
	int rc;

	if (lua_type(lua, index) == LUA_TSTRING) {
		/* Only read, and copied by whoever takes the value. */
		to->value.bytes = (uint8_t *)(uintptr_t)lua_tolstring(lua, index, &to->value.size);
		return 0;
	}
	if (!object || !object->packet)
		return refuse(lua, index, "a string of bytes or a packet", err);
	rc = packet_quote(object->packet, LIMIT_FRAME_BYTES, &to->own, err);
	if (rc < 0)
		return rc;
	to->value.bytes = (uint8_t *)to->own.data;
	to->value.size = to->own.size;
	return 0;
}

static int take_item(lua_State *lua, int index, enum field_kind kind, struct conversion *to,
		     struct err *err)
{
	const char *text = plain_string(lua, index);
	uint8_t address[16];
	int rc;

	if (!text)
		return refuse(lua, index, kind == FIELD_NAMES ? "a domain name" : "an IPv6 address",
			      err);
	if (kind == FIELD_NAMES)
		return name_to_wire(text, &to->own, err);
	rc = ip6_from_string(text, address, err);
	if (rc < 0)
		return rc;
	buf_append(&to->own, address, 16);
	return 0;
}

/* One address or name, or a table of them. */
static int take_list(lua_State *lua, int index, enum field_kind kind, struct conversion *to,
		     struct err *err)
{
	lua_Unsigned count = 1;
	int rc = 0;

	buf_append(&to->own, "", 0); /* so that no items are still a value */
	if (lua_type(lua, index) == LUA_TTABLE)
		count = lua_rawlen(lua, index);
	else
		rc = take_item(lua, index, kind, to, err);
	for (lua_Unsigned i = 1; lua_type(lua, index) == LUA_TTABLE && i <= count && !rc; i++) {
		lua_rawgeti(lua, index, (lua_Integer)i);
		rc = take_item(lua, -1, kind, to, err);
		lua_pop(lua, 1);
		if (!rc && to->own.overflow)
			rc = err_set(err, LAB_ELIMIT, "the list is longer than a packet");
	}
	to->value.bytes = (uint8_t *)to->own.data;
	to->value.size = to->own.size;
	return rc;
}

static int take_value(lua_State *lua, int index, const struct field_type *field,
		      struct conversion *to, struct err *err)
{
	const char *text = plain_string(lua, index);

	to->value.kind = field->kind;
	switch (field->kind) {
	case FIELD_UINT:
		return take_uint(lua, index, field, to, err);
	case FIELD_MAC:
		if (!text)
			return refuse(lua, index, "a MAC address", err);
		return mac_from_string(text, to->value.octets, err);
	case FIELD_IP6:
		if (!text)
			return refuse(lua, index, "an IPv6 address", err);
		to->value.size = 16;
		return ip6_from_string(text, to->value.octets, err);
	case FIELD_BYTES:
	case FIELD_TEXT:
		return take_bytes(lua, index, to, err);
	case FIELD_IP6_LIST:
	case FIELD_NAMES:
		return take_list(lua, index, field->kind, to, err);
	}
	return 0;
}

/* What prefix() was given: "2001:db8::/64" for an address, else the first bytes. */
static int take_prefix(lua_State *lua, int index, const struct field_type *field,
		       struct conversion *to, struct err *err)
{
	const char *text = plain_string(lua, index);

	if (field->kind != FIELD_IP6)
		return take_value(lua, index, field, to, err);
	to->value.kind = FIELD_IP6;
	if (!text)
		return refuse(lua, index, "a prefix such as '2001:db8::/64'", err);
	return ip6_prefix_from_string(text, to->value.octets, &to->prefix_bits, err);
}

/* --- matchers ------------------------------------------------------------------------- */

/* Values of one_of{}: the list is on top of the stack. */
static int set_one_of(lua_State *lua, struct pattern_layer *pattern, const struct field_type *field,
		      struct err *err)
{
	lua_Unsigned count = lua_rawlen(lua, -1);
	struct conversion *items;
	struct value *many;
	int rc = 0;

	if (count > MANY_MAX)
		return err_set(err, LAB_ELIMIT, "more than %d values", MANY_MAX);
	items = xcalloc(count, sizeof(*items));
	many = xcalloc(count, sizeof(*many));
	for (lua_Unsigned i = 0; i < count && !rc; i++) {
		items[i] = CONVERSION_INIT;
		lua_rawgeti(lua, -1, (lua_Integer)i + 1);
		/* A string stays in the list while its bytes are used. */
		rc = take_value(lua, lua_gettop(lua), field, &items[i], err);
		lua_pop(lua, 1);
		many[i] = items[i].value;
	}
	if (!rc)
		rc = pattern_layer_field(pattern, field->name, MATCH_ONE_OF, NULL, NULL, many,
					 (unsigned)count, 0, err);
	for (lua_Unsigned i = 0; i < count; i++)
		buf_clear(&items[i].own);
	free(items);
	free(many);
	return rc;
}

/* The matcher's values are the two on top of the stack. */
static int set_matcher(lua_State *lua, const struct lua_matcher *matcher,
		       struct pattern_layer *pattern, const struct field_type *field,
		       struct err *err)
{
	auto_cleanup(conversion_release_p) struct conversion low = CONVERSION_INIT;
	auto_cleanup(conversion_release_p) struct conversion high = CONVERSION_INIT;
	int top = lua_gettop(lua);
	int rc = 0;

	switch (matcher->kind) {
	case MATCH_ONE_OF:
		lua_pushvalue(lua, top - 1);
		rc = set_one_of(lua, pattern, field, err);
		lua_pop(lua, 1);
		return rc;
	case MATCH_PREFIX:
		rc = take_prefix(lua, top - 1, field, &low, err);
		break;
	case MATCH_RANGE:
	case MATCH_MASK:
		if (field->kind != FIELD_UINT)
			return err_set(err, LAB_EINVALID, "'%s' is for numbers only",
				       matcher->name);
		rc = take_value(lua, top, field, &high, err);
		rc = rc < 0 ? rc : take_value(lua, top - 1, field, &low, err);
		break;
	case MATCH_EQUAL:
	case MATCH_NOT_EQUAL:
		rc = take_value(lua, top - 1, field, &low, err);
		break;
	case MATCH_PRESENT:
		break;
	}
	if (rc < 0)
		return rc;
	return pattern_layer_field(pattern, field->name, matcher->kind, &low.value, &high.value,
				   NULL, 0, low.prefix_bits, err);
}

static int set_field(lua_State *lua, int index, struct lua_target *target,
		     const struct field_type *field, struct err *err)
{
	const struct lua_matcher *matcher = luaL_testudata(lua, index, LUA_TYPE_MATCHER);
	auto_cleanup(conversion_release_p) struct conversion conversion = CONVERSION_INIT;
	int rc;

	if (matcher && matcher->what == LUA_MATCHER_FIELD) {
		lua_getiuservalue(lua, index, 1);
		lua_getiuservalue(lua, index, 2);
		rc = set_matcher(lua, matcher, target->pattern, field, err);
		lua_pop(lua, 2);
		(void)snprintf(target->why_pattern, sizeof(target->why_pattern),
			       "field '%s' of '%s' is matched by %s()", field->name,
			       target->type->name, matcher->name);
		return rc;
	}
	rc = take_value(lua, index, field, &conversion, err);
	if (!rc && target->layer)
		rc = layer_set(target->layer, field->name, &conversion.value, err);
	if (!rc)
		rc = pattern_layer_field(target->pattern, field->name, MATCH_EQUAL,
					 &conversion.value, NULL, NULL, 0, 0, err);
	return rc;
}

int lua_value_set(lua_State *lua, int index, struct lua_target *target, const char *name,
		  struct err *err)
{
	const struct layer_type *type = target->type;
	int field = layer_type_need_field(type, name, err);
	char where[128];
	int rc;

	if (field < 0)
		return field;
	rc = set_field(lua, lua_absindex(lua, index), target, &type->fields[field], err);
	(void)snprintf(where, sizeof(where), "%s.%s", type->name, name);
	if (rc < 0 && strncmp(err->text, where, strlen(where)) != 0)
		(void)err_prefix(err, "%s", where);
	return rc;
}

/* --- to Lua --------------------------------------------------------------------------- */

static void push_addresses(lua_State *lua, const struct value *value)
{
	char text[IP6_TEXT_SIZE];

	lua_newtable(lua);
	for (size_t i = 0; i + 16 <= value->size; i += 16) {
		lua_pushstring(lua, ip6_to_string(value->bytes + i, text));
		lua_rawseti(lua, -2, (lua_Integer)(i / 16) + 1);
	}
}

/* Text of a name is at most four characters an octet of it (RFC 1035 2.3.4: 255). */
#define NAME_TEXT_MAX 1024

static void push_names(lua_State *lua, const struct value *value)
{
	size_t position = 0;
	lua_Integer count = 0;

	lua_newtable(lua);
	for (char *name; (name = name_from_wire(value->bytes, value->size, &position));) {
		char copy[NAME_TEXT_MAX];

		/* What Lua allocates may raise, so the heap is let go first. */
		(void)snprintf(copy, sizeof(copy), "%s", name);
		free(name);
		lua_pushstring(lua, copy);
		lua_rawseti(lua, -2, ++count);
	}
}

void lua_value_push(lua_State *lua, const struct value *value)
{
	char text[IP6_TEXT_SIZE];

	switch (value->kind) {
	case FIELD_UINT:
		lua_pushinteger(lua, (lua_Integer)value->uint);
		break;
	case FIELD_MAC:
		lua_pushstring(lua, mac_to_string(value->octets, text));
		break;
	case FIELD_IP6:
		lua_pushstring(lua, ip6_to_string(value->octets, text));
		break;
	case FIELD_BYTES:
	case FIELD_TEXT:
		lua_pushlstring(lua, (const char *)value->bytes, value->size);
		break;
	case FIELD_IP6_LIST:
		push_addresses(lua, value);
		break;
	case FIELD_NAMES:
		push_names(lua, value);
		break;
	}
}

/* --- making matchers ------------------------------------------------------------------ */

/* [-0, +1, e] with the values at stack indices 1 and 2, which may be nil. */
static int push_matcher(lua_State *lua, enum lua_matcher_kind what, enum matcher_kind kind,
			const char *name)
{
	struct lua_matcher *matcher;

	lua_settop(lua, 2);
	matcher = lua_newuserdatauv(lua, sizeof(*matcher), 2);
	*matcher = (struct lua_matcher){ .what = what, .kind = kind, .name = name };
	luaL_setmetatable(lua, LUA_TYPE_MATCHER);
	lua_pushvalue(lua, 1);
	lua_setiuservalue(lua, -2, 1);
	lua_pushvalue(lua, 2);
	lua_setiuservalue(lua, -2, 2);
	return 1;
}

static int make_any(lua_State *lua)
{
	luaL_argcheck(lua, lua_gettop(lua) == 0, 1, "any() takes nothing");
	return push_matcher(lua, LUA_MATCHER_FIELD, MATCH_PRESENT, "any");
}

static int make_range(lua_State *lua)
{
	(void)luaL_checkinteger(lua, 1);
	(void)luaL_checkinteger(lua, 2);
	return push_matcher(lua, LUA_MATCHER_FIELD, MATCH_RANGE, "range");
}

/* mask(m, v): x & m == v. */
static int make_mask(lua_State *lua)
{
	(void)luaL_checkinteger(lua, 1);
	(void)luaL_checkinteger(lua, 2);
	lua_settop(lua, 2);
	lua_rotate(lua, 1, 1); /* the value first, as packets/match.h has it */
	return push_matcher(lua, LUA_MATCHER_FIELD, MATCH_MASK, "mask");
}

/* A list is copied, so that it does not change afterwards. */
static void copy_list(lua_State *lua)
{
	lua_Unsigned count;

	luaL_checktype(lua, 1, LUA_TTABLE);
	lua_settop(lua, 1);
	count = lua_rawlen(lua, 1);
	lua_newtable(lua);
	for (lua_Unsigned i = 1; i <= count; i++) {
		lua_rawgeti(lua, 1, (lua_Integer)i);
		lua_rawseti(lua, 2, (lua_Integer)i);
	}
	lua_replace(lua, 1);
}

static int make_one_of(lua_State *lua)
{
	copy_list(lua);
	return push_matcher(lua, LUA_MATCHER_FIELD, MATCH_ONE_OF, "one_of");
}

static int make_not_equal(lua_State *lua)
{
	luaL_checkany(lua, 1);
	lua_settop(lua, 1);
	return push_matcher(lua, LUA_MATCHER_FIELD, MATCH_NOT_EQUAL, "not_equal");
}

static int make_prefix(lua_State *lua)
{
	luaL_checkany(lua, 1);
	lua_settop(lua, 1);
	return push_matcher(lua, LUA_MATCHER_FIELD, MATCH_PREFIX, "prefix");
}

static int make_only(lua_State *lua)
{
	copy_list(lua);
	return push_matcher(lua, LUA_MATCHER_ONLY, MATCH_PRESENT, "only");
}

static int matcher_to_text(lua_State *lua)
{
	const struct lua_matcher *matcher = luaL_checkudata(lua, 1, LUA_TYPE_MATCHER);

	lua_pushfstring(lua, "%s()", matcher->name);
	return 1;
}

void lua_value_open(lua_State *lua)
{
	static const luaL_Reg makers[] = {
		{ "any", make_any },
		{ "range", make_range },
		{ "mask", make_mask },
		{ "one_of", make_one_of },
		{ "not_equal", make_not_equal },
		{ "prefix", make_prefix },
		{ "only", make_only },
		{ NULL, NULL },
	};

	luaL_newmetatable(lua, LUA_TYPE_MATCHER);
	lua_pushcfunction(lua, matcher_to_text);
	lua_setfield(lua, -2, "__tostring");
	lua_pop(lua, 1);
	for (const luaL_Reg *maker = makers; maker->name; maker++) {
		lua_pushcfunction(lua, maker->func);
		lua_setglobal(lua, maker->name);
	}
}
