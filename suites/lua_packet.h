/*
 * Packets and patterns in Lua. Every layer type of packets/layers.c is a global
 * constructor, the same for what is sent and for what is expected:
 *
 *   ip6{ dst = "fe80::1", hop_limit = 0 } / echo_request{ identifier = 7 }
 *
 * An object holds both a packet and a pattern; with a matcher in it (any(),
 * range(), ...) it is a pattern only. Objects do not change once they are made.
 * Described for authors in docs/lua-packets.md.
 *
 * Every error is a Lua error that names layer, field or value, and says what
 * there is instead. Stack effects in the manual's notation [-pop, +push, e = raises].
 */
#pragma once

#include <lua.h>

struct packet;
struct pattern;

/* [-0, +0, e] the types, and the constructors and helpers as globals. */
void lua_packet_open(lua_State *lua);
/* [-0, +0, e] the packet at `index`; raises for a pattern. It lives as long as the object. */
const struct packet *lua_packet_check(lua_State *lua, int index);
/* [-0, +0, e] the pattern at `index`, also of a packet that was received. Lives as the object. */
const struct pattern *lua_pattern_check(lua_State *lua, int index);
/* [-0, +1, e] a copy of a packet that was sent or received. */
void lua_packet_push(lua_State *lua, const struct packet *packet);
/* [-0, +0, e] what `time` of the packet at `index` is, in seconds of the run's clock. */
void lua_packet_set_time(lua_State *lua, int index, double seconds);
