/*
 * What the files of the Lua binding of packets share.
 *
 * Lua errors are long jumps, so nothing is held on the C side across a call that
 * can raise (for more than want of memory, which ends the run): an object belongs
 * to its userdata from the moment it is made, and conversions return a code and
 * an error text instead of raising.
 */
#pragma once

#include <stdbool.h>

#include <lauxlib.h>
#include <lua.h>

#include "packets/match.h"
#include "packets/packet.h"

struct buf;
struct err;

#define LUA_TYPE_PACKET  "testlab.packet"
#define LUA_TYPE_OPTION  "testlab.option"
#define LUA_TYPE_LAYER   "testlab.layer"
#define LUA_TYPE_MATCHER "testlab.matcher"

/* A packet, a pattern, or both. */
struct lua_packet {
	struct packet *packet;   /* NULL for what is only a pattern */
	struct pattern *pattern; /* NULL until it is asked for, of what was received */
	char *why_pattern;       /* what makes it only a pattern, when packet is NULL */
	bool received;           /* it has all its fields: shown as one line */
	bool has_time;
	double time_s; /* of the run's clock */
	size_t bytes;  /* on the account of the state */
};

/* An option by itself, before it is in a layer. */
struct lua_option {
	struct layer *option;          /* NULL for what is only a pattern */
	struct pattern_layer *pattern; /* what an option must be to be this one */
	char *why_pattern;             /* as above */
	size_t bytes;
};

/* A layer or option of a packet, to be read; its user value keeps the packet alive. */
struct lua_layer {
	const struct layer *layer;
};

enum lua_matcher_kind {
	LUA_MATCHER_FIELD, /* of a field: `kind`, values in the user values */
	LUA_MATCHER_ONLY,  /* a complete option list: user value 1 is the table */
};

/* User value 1: low, value, prefix or list; user value 2: high or mask. */
struct lua_matcher {
	enum lua_matcher_kind what;
	enum matcher_kind kind;
	const char *name; /* "range": as in scripts */
};

/* Where a field goes that a script names. */
struct lua_target {
	const struct layer_type *type;
	struct layer *layer;           /* NULL if there is only a pattern already */
	struct pattern_layer *pattern; /* gets every value and matcher */
	char why_pattern[160];         /* what makes it only a pattern; "" if nothing does */
};

/* [-0, +1, e] a new, empty object. */
struct lua_packet *lua_packet_new(lua_State *lua);
struct lua_option *lua_option_new(lua_State *lua);
/*
 * [-0, +0, e] put the memory of an object on the account: that of its packet, and
 * not less than `least`, because a pattern keeps values too. Raises when it is too much.
 */
void lua_packet_account(lua_State *lua, struct lua_packet *object, size_t least);
void lua_option_account(lua_State *lua, struct lua_option *object, size_t least);
/* [-0, +0, e] the object at `index`; raises for anything else. */
struct lua_packet *lua_packet_object(lua_State *lua, int index);
/* [-0, +0, e] the packet of an object; raises for a pattern. */
struct packet *lua_packet_need(lua_State *lua, const struct lua_packet *object);
/* [-0, +0, e] the pattern of an object, made now if it has none. */
struct pattern *lua_packet_pattern(lua_State *lua, struct lua_packet *object);
/* [-0, +1, e] an object around `packet`, which it takes. */
void lua_packet_adopt(lua_State *lua, struct packet *packet, bool received);

/* suites/lua_value.c */

/* [-0, +0, -] set the field `name` of `target` to the value or matcher at `index`. */
int lua_value_set(lua_State *lua, int index, struct lua_target *target, const char *name,
		  struct err *err);
/* [-0, +1, e] a field's value. */
void lua_value_push(lua_State *lua, const struct value *value);
/* [-0, +0, e] any(), range(), ... as globals. */
void lua_value_open(lua_State *lua);

/* suites/lua_packet_helper.c: [-0, +0, e] zeros(), fragments(), ... as globals. */
void lua_packet_helper_open(lua_State *lua);
/* [-0, +0, e] put bytes(), with(), ... into the table of methods at the top. */
void lua_packet_helper_methods(lua_State *lua);
