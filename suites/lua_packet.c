/* Constructors, '/', and reading of packets: see lua_packet.h. */
#include "suites/lua_packet.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/limits.h"
#include "suites/lua_packet_int.h"

/* Registry key of the bytes that all packets of a state take; its address counts. */
static const char account_key;

/* --- memory --------------------------------------------------------------------------- */

/* What Lua does not see of an object: roughly its layers, and the bytes in them. */
static size_t layer_bytes(const struct layer *layer)
{
	const struct layer_type *type = layer_get_type(layer);
	size_t bytes = sizeof(void *) * 8 + type->field_count * sizeof(struct value) * 3;

	for (unsigned i = 0; i < type->field_count; i++) {
		const struct value *value = layer_get(layer, type->fields[i].name);

		bytes += value ? 2 * value->size : 0;
	}
	for (unsigned i = 0; i < layer_option_count(layer); i++)
		bytes += layer_bytes(layer_option(layer, i));
	return bytes;
}

static size_t packet_bytes(const struct packet *packet)
{
	size_t bytes = 0;

	for (unsigned i = 0; packet && i < packet_layer_count(packet); i++)
		bytes += layer_bytes(packet_layer(packet, i));
	return bytes;
}

static size_t *account_of(lua_State *lua)
{
	size_t *account;

	lua_rawgetp(lua, LUA_REGISTRYINDEX, &account_key);
	account = lua_touserdata(lua, -1);
	lua_pop(lua, 1);
	return account;
}

/* [-0, +0, e] A pattern keeps about what its packet does, so the packet counts for both. */
static void charge(lua_State *lua, size_t *bytes, size_t now)
{
	size_t *account = account_of(lua);

	*account += now - *bytes;
	*bytes = now;
	if (*account > LIMIT_LUA_BYTES)
		lua_gc(lua, LUA_GCCOLLECT);
	if (*account > LIMIT_LUA_BYTES)
		luaL_error(lua, "not enough memory for packets (%d MiB)",
			   (int)(LIMIT_LUA_BYTES >> 20));
}

void lua_packet_account(lua_State *lua, struct lua_packet *object, size_t least)
{
	size_t bytes = 1024 + packet_bytes(object->packet);

	charge(lua, &object->bytes, bytes > least ? bytes : least);
}

void lua_option_account(lua_State *lua, struct lua_option *object, size_t least)
{
	size_t bytes = 1024 + (object->option ? layer_bytes(object->option) : 0);

	charge(lua, &object->bytes, bytes > least ? bytes : least);
}

/* --- objects -------------------------------------------------------------------------- */

struct lua_packet *lua_packet_new(lua_State *lua)
{
	struct lua_packet *object = lua_newuserdatauv(lua, sizeof(*object), 0);

	*object = (struct lua_packet){ 0 };
	luaL_setmetatable(lua, LUA_TYPE_PACKET);
	return object;
}

struct lua_option *lua_option_new(lua_State *lua)
{
	struct lua_option *object = lua_newuserdatauv(lua, sizeof(*object), 0);

	*object = (struct lua_option){ 0 };
	luaL_setmetatable(lua, LUA_TYPE_OPTION);
	return object;
}

static int collect_packet(lua_State *lua)
{
	struct lua_packet *object = luaL_checkudata(lua, 1, LUA_TYPE_PACKET);

	packet_free(STEAL_PTR(object->packet));
	pattern_free(STEAL_PTR(object->pattern));
	free(STEAL_PTR(object->why_pattern));
	*account_of(lua) -= object->bytes;
	object->bytes = 0;
	return 0;
}

static int collect_option(lua_State *lua)
{
	struct lua_option *object = luaL_checkudata(lua, 1, LUA_TYPE_OPTION);

	layer_free(STEAL_PTR(object->option));
	pattern_layer_free(STEAL_PTR(object->pattern));
	free(STEAL_PTR(object->why_pattern));
	*account_of(lua) -= object->bytes;
	object->bytes = 0;
	return 0;
}

struct lua_packet *lua_packet_object(lua_State *lua, int index)
{
	struct lua_packet *object = luaL_testudata(lua, index, LUA_TYPE_PACKET);

	if (object)
		return object;
	if (luaL_testudata(lua, index, LUA_TYPE_OPTION))
		luaL_error(lua, "this is an option: it belongs into the options of a layer");
	if (lua_iscfunction(lua, index))
		luaL_error(lua, "expected a packet, not a function: write {} behind its name");
	luaL_error(lua, "expected a packet, not %s", luaL_typename(lua, index));
	return NULL;
}

struct packet *lua_packet_need(lua_State *lua, const struct lua_packet *object)
{
	if (!object->packet)
		luaL_error(lua, "this is a pattern, a packet is needed: %s",
			   object->why_pattern ? object->why_pattern : "it is empty");
	return object->packet;
}

struct pattern *lua_packet_pattern(lua_State *lua, struct lua_packet *object)
{
	struct err err = ERR_INIT;

	if (!object->pattern &&
	    pattern_from_packet(lua_packet_need(lua, object), &object->pattern, &err) < 0)
		luaL_error(lua, "%s", err.text);
	return object->pattern;
}

void lua_packet_adopt(lua_State *lua, struct packet *packet, bool received)
{
	struct lua_packet *object = lua_packet_new(lua);

	object->packet = packet;
	object->received = received;
	lua_packet_account(lua, object, 0);
}

const struct packet *lua_packet_check(lua_State *lua, int index)
{
	return lua_packet_need(lua, lua_packet_object(lua, index));
}

const struct pattern *lua_pattern_check(lua_State *lua, int index)
{
	return lua_packet_pattern(lua, lua_packet_object(lua, index));
}

void lua_packet_push(lua_State *lua, const struct packet *packet)
{
	struct lua_packet *object = lua_packet_new(lua);

	object->packet = packet_copy(packet);
	object->received = true;
	lua_packet_account(lua, object, 0);
}

void lua_packet_set_time(lua_State *lua, int index, double seconds)
{
	struct lua_packet *object = lua_packet_object(lua, index);

	object->has_time = true;
	object->time_s = seconds;
}

/* --- constructors ----------------------------------------------------------------------- */

/* Copies of an option object into the layer. */
static int add_option_object(struct lua_target *target, const struct lua_option *object,
			     struct err *err)
{
	struct pattern_layer *pattern = pattern_layer_copy(object->pattern);
	int rc = pattern_layer_take_option(target->pattern, pattern, err);

	if (rc < 0) {
		pattern_layer_free(pattern);
		return rc;
	}
	if (!object->option && !*target->why_pattern)
		(void)snprintf(target->why_pattern, sizeof(target->why_pattern), "%s",
			       object->why_pattern);
	if (object->option && target->layer) {
		struct layer *option = layer_copy(object->option);

		rc = layer_take_option(target->layer, option, err);
		if (rc < 0)
			layer_free(option);
	}
	return rc;
}

/* An option of a received packet is given on. */
static int add_received_option(struct lua_target *target, const struct layer *layer,
			       struct err *err)
{
	struct lua_option object = { .option = layer_copy(layer) };
	int rc = pattern_layer_from_layer(layer, &object.pattern, err);

	rc = rc < 0 ? rc : add_option_object(target, &object, err);
	layer_free(object.option);
	pattern_layer_free(object.pattern);
	return rc;
}

/* [-0, +0, e] the option at the top of the stack. */
static void add_option(lua_State *lua, struct lua_target *target, int number)
{
	const struct lua_option *object = luaL_testudata(lua, -1, LUA_TYPE_OPTION);
	const struct lua_layer *received = luaL_testudata(lua, -1, LUA_TYPE_LAYER);
	struct err err = ERR_INIT;
	int rc;

	if (!target->type->options)
		luaL_error(lua, "%s: it has no options, so value %d has no name",
			   target->type->name, number);
	if (!object && !received)
		luaL_error(lua, "%s: option %d: expected an option such as %s, not %s",
			   target->type->name, number,
			   target->type->options == OPTIONS_ND    ? "nd_mtu{}"
			   : target->type->options == OPTIONS_IP6 ? "padn{}"
								  : "mld2_record{}",
			   luaL_typename(lua, -1));
	rc = object ? add_option_object(target, object, &err)
		    : add_received_option(target, received->layer, &err);
	if (rc < 0)
		luaL_error(lua, "%s", err.text);
}

/* [-0, +0, e] the list at the top of the stack, or only() around it. */
static void add_options(lua_State *lua, struct lua_target *target)
{
	const struct lua_matcher *only = luaL_testudata(lua, -1, LUA_TYPE_MATCHER);
	lua_Unsigned count;

	lua_pushvalue(lua, -1);
	if (only && only->what == LUA_MATCHER_ONLY) {
		lua_getiuservalue(lua, -1, 1);
		lua_replace(lua, -2);
		pattern_layer_only(target->pattern);
		(void)snprintf(target->why_pattern, sizeof(target->why_pattern),
			       "the options of '%s' are matched by only{}", target->type->name);
	}
	if (!lua_istable(lua, -1))
		luaL_error(lua, "%s.options: expected a table of options, not %s",
			   target->type->name, luaL_typename(lua, -1));
	count = lua_rawlen(lua, -1);
	for (lua_Unsigned i = 1; i <= count; i++) {
		lua_rawgeti(lua, -1, (lua_Integer)i);
		add_option(lua, target, (int)i);
		lua_pop(lua, 1);
	}
	lua_pop(lua, 1);
}

/* [-0, +0, e] the fields that have names in the table at `index`. */
static void set_named_fields(lua_State *lua, int index, struct lua_target *target)
{
	lua_Integer count = (lua_Integer)lua_rawlen(lua, index);
	struct err err = ERR_INIT;

	lua_pushnil(lua);
	for (; lua_next(lua, index); lua_pop(lua, 1)) {
		bool is_place = lua_isinteger(lua, -2);

		if (is_place && lua_tointeger(lua, -2) >= 1 && lua_tointeger(lua, -2) <= count)
			continue;
		if (is_place)
			luaL_error(lua, "%s: there is a nil among its options", target->type->name);
		if (lua_type(lua, -2) != LUA_TSTRING)
			luaL_error(lua, "%s: a %s is no name of a field", target->type->name,
				   luaL_typename(lua, -2));
		if (target->type->options && !strcmp(lua_tostring(lua, -2), "options"))
			continue;
		if (lua_value_set(lua, -1, target, lua_tostring(lua, -2), &err) < 0)
			luaL_error(lua, "%s", err.text);
	}
}

/* [-0, +0, e] everything of the table at `index`. */
static void fill(lua_State *lua, int index, struct lua_target *target)
{
	lua_Integer count = (lua_Integer)lua_rawlen(lua, index);

	set_named_fields(lua, index, target);
	for (lua_Integer i = 1; i <= count; i++) {
		lua_rawgeti(lua, index, i);
		add_option(lua, target, (int)i);
		lua_pop(lua, 1);
	}
	if (!target->type->options)
		return;
	lua_pushliteral(lua, "options");
	if (lua_rawget(lua, index) != LUA_TNIL)
		add_options(lua, target);
	lua_pop(lua, 1);
}

static int construct_option(lua_State *lua, const struct layer_type *type)
{
	struct lua_option *object = lua_option_new(lua);
	struct lua_target target = { .type = type };

	object->option = target.layer = layer_new(type);
	object->pattern = target.pattern = pattern_layer_new(type);
	fill(lua, 1, &target);
	lua_option_account(lua, object, 0);
	if (*target.why_pattern) {
		layer_free(STEAL_PTR(object->option));
		object->why_pattern = xstrdup(target.why_pattern);
	}
	return 1;
}

/* type{ field = value, ..., option, ... } */
static int construct(lua_State *lua)
{
	const struct layer_type *type = lua_touserdata(lua, lua_upvalueindex(1));
	struct lua_target target = { .type = type };
	struct lua_packet *object;
	struct err err = ERR_INIT;
	int rc;

	if (lua_isnoneornil(lua, 1)) {
		lua_settop(lua, 0);
		lua_newtable(lua);
	}
	if (!lua_istable(lua, 1) || lua_gettop(lua) != 1)
		return luaL_error(lua, "%s: expected a table of fields, not %s", type->name,
				  luaL_typename(lua, lua_gettop(lua)));
	if (type->family == FAMILY_OPTION)
		return construct_option(lua, type);
	object = lua_packet_new(lua);
	object->packet = packet_new();
	object->pattern = pattern_new(false);
	rc = packet_append(object->packet, type, &target.layer, &err);
	rc = rc < 0 ? rc : pattern_append(object->pattern, type, false, &target.pattern, &err);
	if (rc < 0)
		return luaL_error(lua, "%s", err.text);
	fill(lua, 1, &target);
	lua_packet_account(lua, object, 0);
	if (*target.why_pattern) {
		packet_free(STEAL_PTR(object->packet));
		object->why_pattern = xstrdup(target.why_pattern);
	}
	return 1;
}

/* [-0, +1, e] raw bytes as a layer. */
static struct lua_packet *push_raw(lua_State *lua, int index)
{
	const struct layer_type *raw = layer_type_find("raw");
	struct lua_packet *object = lua_packet_new(lua);
	struct lua_target target = { .type = raw };
	struct err err = ERR_INIT;
	int rc;

	object->packet = packet_new();
	object->pattern = pattern_new(false);
	rc = packet_append(object->packet, raw, &target.layer, &err);
	rc = rc < 0 ? rc : pattern_append(object->pattern, raw, false, &target.pattern, &err);
	rc = rc < 0 ? rc : lua_value_set(lua, index, &target, "data", &err);
	if (rc < 0)
		luaL_error(lua, "%s", err.text);
	return object;
}

/* a / b: b inside a; a string is raw bytes. */
static int divide(lua_State *lua)
{
	struct lua_packet *left, *right, *object;
	const struct lua_packet *only;
	struct err err = ERR_INIT;
	int rc;

	lua_settop(lua, 2);
	left = lua_packet_object(lua, 1);
	right = lua_type(lua, 2) == LUA_TSTRING ? push_raw(lua, 2) : lua_packet_object(lua, 2);
	only = !left->packet ? left : right;
	(void)lua_packet_pattern(lua, left);
	(void)lua_packet_pattern(lua, right);
	object = lua_packet_new(lua);
	object->pattern = pattern_copy(left->pattern);
	rc = pattern_append_pattern(object->pattern, right->pattern, &err);
	if (!only->packet) {
		object->why_pattern = xstrdup(only->why_pattern);
	} else if (!rc) {
		object->packet = packet_copy(left->packet);
		rc = packet_append_packet(object->packet, right->packet, &err);
	}
	if (rc < 0)
		return luaL_error(lua, "%s", err.text);
	lua_packet_account(lua, object, left->bytes + right->bytes);
	return 1;
}

/* --- reading ---------------------------------------------------------------------------- */

/* [-0, +1, e] the packet object is at `owner`. */
static void push_layer(lua_State *lua, const struct layer *layer, int owner)
{
	struct lua_layer *view;

	owner = lua_absindex(lua, owner);
	if (!layer) {
		lua_pushnil(lua);
		return;
	}
	view = lua_newuserdatauv(lua, sizeof(*view), 1);
	view->layer = layer;
	luaL_setmetatable(lua, LUA_TYPE_LAYER);
	lua_pushvalue(lua, owner);
	lua_setiuservalue(lua, -2, 1);
}

/* [-0, +1, e] */
static void push_options(lua_State *lua, const struct layer *layer, int owner)
{
	owner = lua_absindex(lua, owner);
	lua_newtable(lua);
	for (unsigned i = 0; i < layer_option_count(layer); i++) {
		push_layer(lua, layer_option(layer, i), owner);
		lua_rawseti(lua, -2, (lua_Integer)i + 1);
	}
}

/* layer.field, layer.options, layer.nd_prefix (the first of that type), layer.name */
static int read_layer(lua_State *lua, const struct layer *layer, int owner)
{
	const struct layer_type *type = layer_get_type(layer);
	const char *key = luaL_checkstring(lua, 2);
	const struct layer_type *option = layer_type_find(key);
	struct err err = ERR_INIT;

	if (!strcmp(key, "name")) {
		lua_pushstring(lua, type->name);
	} else if (type->options && !strcmp(key, "options")) {
		push_options(lua, layer, owner);
	} else if (type->options && option && option->option_of == type->options) {
		push_layer(lua, layer_find_option(layer, key, 0), owner);
	} else {
		if (layer_type_need_field(type, key, &err) < 0)
			return luaL_error(lua, "%s", err.text);
		if (layer_get(layer, key))
			lua_value_push(lua, layer_get(layer, key));
		else
			lua_pushnil(lua);
	}
	return 1;
}

static int index_layer(lua_State *lua)
{
	const struct lua_layer *view = luaL_checkudata(lua, 1, LUA_TYPE_LAYER);

	lua_settop(lua, 2);
	lua_getiuservalue(lua, 1, 1);
	return read_layer(lua, view->layer, 3);
}

static int index_option(lua_State *lua)
{
	const struct lua_option *object = luaL_checkudata(lua, 1, LUA_TYPE_OPTION);

	if (!object->option)
		return luaL_error(lua, "a pattern cannot be read: %s", object->why_pattern);
	return read_layer(lua, object->option, 1);
}

static const struct layer_type *check_type(lua_State *lua, int index)
{
	const char *name = luaL_checkstring(lua, index);
	const struct layer_type *type = layer_type_find(name);
	const char *nearest = layer_type_nearest(name);

	if (!type)
		luaL_error(lua, "there is no layer '%s'%s%s%s", name,
			   nearest ? ", did you mean '" : "", nearest ? nearest : "",
			   nearest ? "'?" : "");
	return type;
}

/* packet.ip6, packet.time, packet:method */
static int index_packet(lua_State *lua)
{
	const struct lua_packet *object = luaL_checkudata(lua, 1, LUA_TYPE_PACKET);
	const struct layer_type *type;

	lua_settop(lua, 2);
	lua_pushvalue(lua, 2);
	if (lua_rawget(lua, lua_upvalueindex(1)) != LUA_TNIL)
		return 1;
	if (!strcmp(luaL_checkstring(lua, 2), "time")) {
		if (object->has_time)
			lua_pushnumber(lua, object->time_s);
		return 1;
	}
	type = check_type(lua, 2);
	if (type->family == FAMILY_OPTION)
		return luaL_error(lua, "'%s' is an option: read it from its layer", type->name);
	push_layer(lua, packet_find(lua_packet_need(lua, object), type->name, 0), 1);
	return 1;
}

/* packet:has("fragment"): the layer, or an option of any layer, is there. */
static int packet_has(lua_State *lua)
{
	const struct packet *packet = lua_packet_check(lua, 1);
	const struct layer_type *type = check_type(lua, 2);
	bool found = packet_find(packet, type->name, 0);

	for (unsigned i = 0; i < packet_layer_count(packet) && !found; i++)
		found = layer_find_option(packet_layer(packet, i), type->name, 0);
	lua_pushboolean(lua, found);
	return 1;
}

/* packet:layer("ip6", 2): the second one, or nil. */
static int packet_get_layer(lua_State *lua)
{
	const struct packet *packet = lua_packet_check(lua, 1);
	const struct layer_type *type = check_type(lua, 2);
	lua_Integer number = luaL_optinteger(lua, 3, 1);

	luaL_argcheck(lua, number >= 1 && number <= (lua_Integer)LIMIT_LAYERS, 3,
		      "expected a number from 1");
	push_layer(lua, packet_find(packet, type->name, (unsigned)number - 1), 1);
	return 1;
}

/* packet:layers(): their names in order. */
static int packet_layer_names(lua_State *lua)
{
	const struct packet *packet = lua_packet_check(lua, 1);

	lua_newtable(lua);
	for (unsigned i = 0; i < packet_layer_count(packet); i++) {
		lua_pushstring(lua, layer_get_type(packet_layer(packet, i))->name);
		lua_rawseti(lua, -2, (lua_Integer)i + 1);
	}
	return 1;
}

/* --- text and comparing ------------------------------------------------------------------- */

/* [-0, +1, e] takes `text`. */
static void push_text(lua_State *lua, char *text)
{
	lua_pushstring(lua, text);
	free(text);
}

static int packet_to_text(lua_State *lua)
{
	struct lua_packet *object = luaL_checkudata(lua, 1, LUA_TYPE_PACKET);

	if (object->received && object->packet)
		push_text(lua, packet_summary(object->packet));
	else
		push_text(lua, pattern_to_string(lua_packet_pattern(lua, object)));
	return 1;
}

static int layer_to_text(lua_State *lua)
{
	const struct lua_layer *view = luaL_checkudata(lua, 1, LUA_TYPE_LAYER);

	lua_pushstring(lua, layer_get_type(view->layer)->name);
	return 1;
}

static int option_to_text(lua_State *lua)
{
	const struct lua_option *object = luaL_checkudata(lua, 1, LUA_TYPE_OPTION);

	push_text(lua, pattern_layer_to_string(object->pattern));
	return 1;
}

/* Equal are packets that say the same. */
static int packet_equals(lua_State *lua)
{
	struct lua_packet *left = luaL_testudata(lua, 1, LUA_TYPE_PACKET);
	struct lua_packet *right = luaL_testudata(lua, 2, LUA_TYPE_PACKET);
	char *left_text, *right_text;

	if (!left || !right || !left->packet != !right->packet) {
		lua_pushboolean(lua, 0);
		return 1;
	}
	(void)lua_packet_pattern(lua, left);
	(void)lua_packet_pattern(lua, right);
	left_text = pattern_to_string(left->pattern);
	right_text = pattern_to_string(right->pattern);
	lua_pushboolean(lua, !strcmp(left_text, right_text));
	free(left_text);
	free(right_text);
	return 1;
}

/* --- opening ------------------------------------------------------------------------------ */

static void open_types(lua_State *lua)
{
	static const luaL_Reg packet_meta[] = {
		{ "__gc", collect_packet }, { "__div", divide }, { "__tostring", packet_to_text },
		{ "__eq", packet_equals },  { NULL, NULL },
	};
	static const luaL_Reg packet_methods[] = {
		{ "has", packet_has },
		{ "layer", packet_get_layer },
		{ "layers", packet_layer_names },
		{ NULL, NULL },
	};
	static const luaL_Reg option_meta[] = {
		{ "__gc", collect_option },
		{ "__index", index_option },
		{ "__div", divide }, /* says what an option is for */
		{ "__tostring", option_to_text },
		{ NULL, NULL },
	};
	static const luaL_Reg layer_meta[] = {
		{ "__index", index_layer },
		{ "__tostring", layer_to_text },
		{ NULL, NULL },
	};

	luaL_newmetatable(lua, LUA_TYPE_PACKET);
	luaL_setfuncs(lua, packet_meta, 0);
	lua_newtable(lua);
	luaL_setfuncs(lua, packet_methods, 0);
	lua_packet_helper_methods(lua);
	lua_pushcclosure(lua, index_packet, 1);
	lua_setfield(lua, -2, "__index");
	luaL_newmetatable(lua, LUA_TYPE_OPTION);
	luaL_setfuncs(lua, option_meta, 0);
	luaL_newmetatable(lua, LUA_TYPE_LAYER);
	luaL_setfuncs(lua, layer_meta, 0);
	lua_pop(lua, 3);
}

void lua_packet_open(lua_State *lua)
{
	const struct layer_type *type;

	*(size_t *)lua_newuserdatauv(lua, sizeof(size_t), 0) = 0;
	lua_rawsetp(lua, LUA_REGISTRYINDEX, &account_key);
	open_types(lua);
	lua_value_open(lua);
	lua_packet_helper_open(lua);
	for (unsigned i = 0; (type = layer_type_at(i)); i++) {
		lua_pushlightuserdata(lua, (void *)(uintptr_t)type); /* only read */
		lua_pushcclosure(lua, construct, 1);
		lua_setglobal(lua, type->name);
	}
}
