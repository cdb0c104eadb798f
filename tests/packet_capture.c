/*
 * packet-capture SCRIPT.lua CAPTURE.pcapng: runs a Lua file with the packet
 * constructors and `capture(packet, comment)`, which puts a frame into the
 * capture. For tests/integration/301-packets-tshark.sh.
 */
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/limits.h"
#include "packets/packet.h"
#include "packets/pcapng.h"
#include "suites/lua_packet.h"

/* 2026-11-24 00:00:00.123456789 UTC, and a nanosecond more for each frame. */
#define FIRST_NS INT64_C(1795478400123456789)

static struct {
	struct pcapng *pcapng;
	int interface;
	int64_t time_ns;
} output = { .time_ns = FIRST_NS };

static int build_frame(const struct packet *packet, struct buf *bytes, struct err *err)
{
	static const uint8_t tester[6] = { 0x02, 0, 0, 0, 0, 0xb1 };
	static const uint8_t nut[6] = { 0x02, 0, 0, 0, 0x01, 0xaa };
	auto_cleanup(packet_free_p) struct packet *frame = packet_new();
	struct layer *ether = NULL;
	int rc = 0;

	if (!packet_find(packet, "ether", 0)) {
		rc = packet_append(frame, layer_type_find("ether"), &ether, err);
		rc = rc < 0 ? rc : layer_set_mac(ether, "src", tester, err);
		rc = rc < 0 ? rc : layer_set_mac(ether, "dst", nut, err);
	}
	rc = rc < 0 ? rc : packet_append_packet(frame, packet, err);
	return rc < 0 ? rc : packet_build(frame, bytes, err);
}

static int capture(lua_State *lua)
{
	const struct packet *packet = lua_packet_check(lua, 1);
	const char *comment = luaL_optstring(lua, 2, NULL);
	struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
	struct err err = ERR_INIT;
	int rc = build_frame(packet, &bytes, &err);

	rc = rc < 0 ? rc
		    : pcapng_write(output.pcapng, output.interface, output.time_ns++, PCAPNG_TO_NUT,
				   bytes.data, bytes.size, comment, &err);
	buf_clear(&bytes);
	return rc < 0 ? luaL_error(lua, "%s", err.text) : 0;
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	lua_State *lua;
	int status = 0;

	if (argc != 3) {
		(void)fprintf(stderr, "usage: packet-capture SCRIPT.lua CAPTURE.pcapng\n");
		return 2;
	}
	if (pcapng_open(argv[2], "packet-capture", "made for tshark", &output.pcapng, &err) < 0 ||
	    (output.interface = pcapng_add_interface(output.pcapng, "B", &err)) < 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	lua = luaL_newstate();
	luaL_openlibs(lua);
	lua_packet_open(lua);
	lua_register(lua, "capture", capture);
	if (luaL_dofile(lua, argv[1]) != LUA_OK) {
		(void)fprintf(stderr, "%s\n", lua_tostring(lua, -1));
		status = 1;
	}
	lua_close(lua);
	if (pcapng_close(output.pcapng, NULL, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		status = 1;
	}
	return status;
}
