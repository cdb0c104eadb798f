/*
 * What the Lua files of the suites share: the insides of struct script_host.
 * Stack effects are given in the manual's notation [-pop, +push, e = raises].
 */
#pragma once

#include <lauxlib.h>
#include <lua.h>

#include "suites/script.h"

/* A loaded Lua file: a script, or a library file. */
struct lua_chunk {
	char *file;                  /* "core/spec.lua", "lib/echo.lua" */
	char version[HASH_HEX_SIZE]; /* of the text and of the versions of what it uses */
	struct hash *hash;           /* while it is being loaded, else NULL */
	int result_ref;              /* of a library: what it returned */
};

/* A declared test and what it owns. */
struct lua_test {
	struct script_test test;
	int run_ref;   /* registry reference of `run` */
	int setup_ref; /* of `setup`, or LUA_NOREF */
};

struct script_host {
	lua_State *lua;
	char *folder;                   /* holds the areas and lib/ */
	const struct plan *plan;        /* not owned */
	size_t memory_bytes;            /* in use by Lua */
	struct lua_test **tests;        /* owned, each on the heap so that pointers stay valid */
	size_t test_count;              /* */
	struct lua_chunk **chunks;      /* owned */
	size_t chunk_count;             /* */
	int randomseed_ref;             /* math.randomseed, which scripts do not have */
	struct lua_chunk *loading;      /* the file whose top level runs, or NULL */
	const struct script_ops *ops;   /* while a test runs, else NULL */
	void *run;                      /* first argument of ops */
	const struct script_test *test; /* the one that runs */
	int operation_error;            /* code of the operation that failed, or 0 */
	int64_t busy_since_ns;          /* host time of the last operation */
};

/* [-0, +0, -] the host of a state. */
struct script_host *lua_host_of(lua_State *lua);
/* [-(n+1), +results, -] as lua_pcall, with traceback and busy limit; 0, SCRIPT_STOP or LAB_EFAIL. */
int lua_host_call(struct script_host *host, int arguments, int results, struct err *err);
/* [-0, +0, e] end the running test without a script error. */
_Noreturn void lua_host_stop(lua_State *lua);
/* [-0, +0, e] raise unless every key of the table at `index` is a string of the NULL-terminated
 * list (or, if `array`, a positive integer). */
void lua_host_only_keys(lua_State *lua, int index, const char *what, const char *const *keys,
			bool array);

/* suites/lua_test.c: [-0, +0, e] registers `test`. */
void lua_test_open(lua_State *lua);
void lua_test_free(struct lua_test *test);
/* suites/lua_context.c: [-0, +0, e] registers the types of `t` and of nodes. */
void lua_context_open(lua_State *lua);
/* [-0, +1, e] the `t` of the running test. */
void lua_context_push(lua_State *lua);
