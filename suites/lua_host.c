/*
 * The Lua state: what scripts may use, loading, limits, calls. A script cannot
 * catch an error (no pcall, no coroutines), so the sentinel that ends a test
 * and every limit reach lua_host_call() for certain.
 */
#include "suites/lua_host.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <lualib.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/time.h"
#include "packets/packet.h"
#include "suites/lua_packet.h"

/* How many instructions between two looks at the host's clock: about a millisecond. */
#define HOOK_INSTRUCTIONS 100000

/* Its address is the error value that ends a test whose verdict is known. */
static const char stop_sentinel;

struct script_host *lua_host_of(lua_State *lua)
{
	return *(struct script_host **)lua_getextraspace(lua);
}

/* --- limits ---------------------------------------------------------------- */

static void *allocate(void *user, void *ptr, size_t old_size, size_t new_size)
{
	struct script_host *host = user;
	size_t old = ptr ? old_size : 0; /* without a block Lua passes a type there */
	void *result;

	if (!new_size) {
		free(ptr);
		host->memory_bytes -= old;
		return NULL;
	}
	if (new_size > old && host->memory_bytes + (new_size - old) > LIMIT_LUA_BYTES)
		return NULL;
	result = realloc(ptr, new_size);
	if (result)
		host->memory_bytes += new_size - old;
	return result;
}

static void check_busy(lua_State *lua, lua_Debug *event)
{
	struct script_host *host = lua_host_of(lua);

	if (time_monotonic_ns() - host->busy_since_ns < SCRIPT_BUSY_MS * NS_PER_MS)
		return;
	lua_getinfo(lua, "Sl", event);
	luaL_error(lua, "%s:%d: the script computed for more than %d ms without an operation",
		   event->short_src, event->currentline, SCRIPT_BUSY_MS);
}

/* --- calls ----------------------------------------------------------------- */

static int add_traceback(lua_State *lua)
{
	if (lua_touserdata(lua, 1) == &stop_sentinel)
		return 1;
	luaL_traceback(lua, lua, luaL_tolstring(lua, 1, NULL), 1);
	return 1;
}

_Noreturn void lua_host_stop(lua_State *lua)
{
	/* The address is only compared, never written through. */
	lua_pushlightuserdata(lua, (void *)(uintptr_t)&stop_sentinel);
	lua_error(lua);
	abort(); /* lua_error does not return */
}

/* Messages are one line: the traceback's lines are put behind each other. */
static int take_error(lua_State *lua, struct err *err)
{
	const char *message = lua_tostring(lua, -1);
	auto_free char *line = xstrdup(message ? message : "no error message");

	for (char *p = line; *p; p++)
		if (*p == '\n' || *p == '\t')
			*p = *p == '\n' ? ';' : ' ';
	lua_settop(lua, 0);
	return err_set(err, LAB_EFAIL, "%s", line);
}

int lua_host_call(struct script_host *host, int arguments, int results, struct err *err)
{
	lua_State *lua = host->lua;
	int handler = lua_gettop(lua) - arguments;

	lua_pushcfunction(lua, add_traceback);
	lua_insert(lua, handler);
	host->busy_since_ns = time_monotonic_ns();
	if (lua_pcall(lua, arguments, results, handler) == LUA_OK) {
		lua_remove(lua, handler);
		return 0;
	}
	if (lua_touserdata(lua, -1) == &stop_sentinel) {
		lua_settop(lua, 0);
		return SCRIPT_STOP;
	}
	return take_error(lua, err);
}

/* --- environment of scripts ------------------------------------------------ */

void lua_host_only_keys(lua_State *lua, int index, const char *what, const char *const *keys,
			bool array)
{
	index = lua_absindex(lua, index);
	lua_pushnil(lua);
	while (lua_next(lua, index)) {
		bool known = array && lua_isinteger(lua, -2);

		lua_pop(lua, 1);
		for (unsigned i = 0; !known && keys[i]; i++)
			known = lua_type(lua, -1) == LUA_TSTRING &&
				!strcmp(lua_tostring(lua, -1), keys[i]);
		if (!known)
			luaL_error(lua, "%s: unknown field '%s'", what,
				   luaL_tolstring(lua, -1, NULL));
	}
}

static int index_strictly(lua_State *lua)
{
	const char *name, *nearest;

	lua_pushvalue(lua, 2);
	if (lua_rawget(lua, lua_upvalueindex(1)) != LUA_TNIL)
		return 1;
	name = luaL_tolstring(lua, 2, NULL);
	nearest = layer_type_nearest(name);
	return luaL_error(lua, "undeclared name '%s'%s%s%s", name,
			  nearest ? ", did you mean '" : "", nearest ? nearest : "",
			  nearest ? "'?" : "");
}

static int refuse_write(lua_State *lua)
{
	return luaL_error(lua, "'%s' cannot be set here: declare it with 'local'",
			  luaL_tolstring(lua, 2, NULL));
}

/* [-1, +1, e] a table through which the one at the top can be read, strictly, and not written. */
static void push_view(lua_State *lua)
{
	lua_newtable(lua);
	lua_createtable(lua, 0, 3);
	lua_rotate(lua, -3, -1);
	lua_pushcclosure(lua, index_strictly, 1);
	lua_setfield(lua, -2, "__index");
	lua_pushcfunction(lua, refuse_write);
	lua_setfield(lua, -2, "__newindex");
	lua_pushboolean(lua, 0);
	lua_setfield(lua, -2, "__metatable");
	lua_setmetatable(lua, -2);
}

/* [-0, +0, e] leave only these names of the global table. */
static void keep_globals(lua_State *lua)
{
	static const char *const kept[] = { "assert", "error", "ipairs",   "next",     "pairs",
					    "select", "type",  "tonumber", "tostring", NULL };

	lua_newtable(lua);
	for (unsigned i = 0; kept[i]; i++) {
		lua_getglobal(lua, kept[i]);
		lua_setfield(lua, -2, kept[i]);
	}
	lua_rawseti(lua, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
}

/* [-0, +0, e] a library as a read-only view, without some of its functions. */
static void open_library(lua_State *lua, const char *name, lua_CFunction open,
			 const char *const *without)
{
	luaL_requiref(lua, name, open, 0);
	for (; *without; without++) {
		lua_pushnil(lua);
		lua_setfield(lua, -2, *without);
	}
	push_view(lua);
	lua_setglobal(lua, name);
}

static int use(lua_State *lua);

static int open_environment(lua_State *lua)
{
	static const char *const nothing[] = { NULL };
	static const char *const not_string[] = { "dump", NULL };
	static const char *const not_math[] = { "randomseed", NULL };

	luaL_requiref(lua, "_G", luaopen_base, 1);
	luaL_requiref(lua, LUA_MATHLIBNAME, luaopen_math, 0);
	lua_getfield(lua, -1, "randomseed");
	lua_host_of(lua)->randomseed_ref = luaL_ref(lua, LUA_REGISTRYINDEX);
	lua_settop(lua, 0);
	keep_globals(lua);
	open_library(lua, LUA_STRLIBNAME, luaopen_string, not_string);
	open_library(lua, LUA_TABLIBNAME, luaopen_table, nothing);
	open_library(lua, LUA_MATHLIBNAME, luaopen_math, not_math);
	open_library(lua, LUA_UTF8LIBNAME, luaopen_utf8, nothing);
	lua_packet_open(lua);
	lua_settop(lua, 0);
	lua_test_open(lua);
	lua_context_open(lua);
	lua_pushcfunction(lua, use);
	lua_setglobal(lua, "use");
	return 0;
}

/* --- loading --------------------------------------------------------------- */

struct load_args {
	struct lua_chunk *chunk;
	const char *text;
	size_t size;
	int results; /* that the file must return */
};

static int load_protected(lua_State *lua)
{
	const struct load_args *args = lua_touserdata(lua, 1);

	lua_settop(lua, 0);
	lua_pushfstring(lua, "@%s", args->chunk->file);
	if (luaL_loadbufferx(lua, args->text, args->size, lua_tostring(lua, 1), "t") != LUA_OK)
		return lua_error(lua);
	lua_pushglobaltable(lua);
	push_view(lua);
	lua_setupvalue(lua, -2, 1); /* _ENV */
	lua_call(lua, 0, args->results);
	if (args->results && !lua_istable(lua, -1))
		return luaL_error(lua, "%s: a library file must return a table", args->chunk->file);
	if (args->results) {
		push_view(lua);
		args->chunk->result_ref = luaL_ref(lua, LUA_REGISTRYINDEX);
	}
	return 0;
}

static struct lua_chunk *find_chunk(const struct script_host *host, const char *file)
{
	for (size_t i = 0; i < host->chunk_count; i++)
		if (!strcmp(host->chunks[i]->file, file))
			return host->chunks[i];
	return NULL;
}

/* Run a file's top level; `results` is 1 for a library. Tests it declared get its version. */
static int load_chunk(struct script_host *host, const char *file, int results, struct err *err)
{
	auto_free char *path = path_join(host->folder, file);
	auto_free char *text = NULL;
	struct lua_chunk *outer = host->loading;
	size_t first_test = host->test_count;
	struct lua_chunk *chunk;
	size_t size;
	int rc;

	rc = fs_read_file(path, LIMIT_SCRIPT_BYTES, &text, &size, err);
	if (rc < 0)
		return rc;
	chunk = xcalloc(1, sizeof(*chunk));
	chunk->file = xstrdup(file);
	chunk->result_ref = LUA_NOREF;
	chunk->hash = hash_new();
	hash_update(chunk->hash, text, size);
	host->chunks = xreallocarray(host->chunks, host->chunk_count + 1, sizeof(*host->chunks));
	host->chunks[host->chunk_count++] = chunk;

	host->loading = chunk;
	lua_pushcfunction(host->lua, load_protected);
	lua_pushlightuserdata(host->lua, &(struct load_args){ chunk, text, size, results });
	rc = lua_host_call(host, 1, 0, err);
	host->loading = outer;
	hash_finish(STEAL_PTR(chunk->hash), chunk->version);
	for (size_t i = first_test; i < host->test_count; i++)
		memcpy(host->tests[i]->test.version, chunk->version, HASH_HEX_SIZE);
	return rc;
}

/* use "name": the table that suites/lib/name.lua returns. */
static int use(lua_State *lua)
{
	struct script_host *host = lua_host_of(lua);
	const char *name = luaL_checkstring(lua, 1);
	struct lua_chunk *user = host->loading;
	struct lua_chunk *chunk;
	char file[LIMIT_NAME + 16];

	if (!user)
		return luaL_error(lua, "use \"%s\": only at the top of a file", name);
	if (!*name || strlen(name) > LIMIT_NAME ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(name))
		return luaL_error(lua, "use \"%s\": expected a name of a-z, 0-9 and _", name);
	(void)snprintf(file, sizeof(file), "lib/%s.lua", name);
	chunk = find_chunk(host, file);
	if (!chunk) {
		struct err err = ERR_INIT;

		if (load_chunk(host, file, 1, &err) < 0)
			return luaL_error(lua, "use \"%s\": %s", name, err.text);
		chunk = find_chunk(host, file);
	}
	if (chunk->hash)
		return luaL_error(lua, "use \"%s\": %s and %s use each other", name, user->file,
				  file);
	hash_update(user->hash, chunk->version, strlen(chunk->version));
	lua_rawgeti(lua, LUA_REGISTRYINDEX, chunk->result_ref);
	return 1;
}

int script_host_load(struct script_host *host, const char *file, struct err *err)
{
	return load_chunk(host, file, 0, err);
}

static int is_plain_entry(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && path_is_component(entry->d_name);
}

static bool is_lua_file(const char *name)
{
	size_t size = strlen(name);

	return size > 4 && !strcmp(name + size - 4, ".lua");
}

static int load_area(struct script_host *host, const char *area, struct err *err)
{
	auto_free char *path = path_join(host->folder, area);
	struct dirent **entries = NULL;
	int rc = 0;
	int count = scandir(path, &entries, is_plain_entry, alphasort);

	if (count < 0)
		return errno == ENOTDIR ? 0
					: err_set(err, -errno, "read folder '%s': %s", path,
						  strerror(errno));
	for (int i = 0; i < count; i++) {
		if (!rc && is_lua_file(entries[i]->d_name)) {
			auto_free char *file = path_join(area, entries[i]->d_name);

			rc = script_host_load(host, file, err);
		}
		free(entries[i]);
	}
	free(entries);
	return rc;
}

int script_host_load_all(struct script_host *host, struct err *err)
{
	struct dirent **entries = NULL;
	int rc = 0;
	int count = scandir(host->folder, &entries, is_plain_entry, alphasort);

	if (count < 0)
		return err_set(err, -errno, "read folder '%s': %s", host->folder, strerror(errno));
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;

		if (!rc && strcmp(name, "lib") && strcmp(name, "plan"))
			rc = load_area(host, name, err);
		free(entries[i]);
	}
	free(entries);
	return rc;
}

/* --- life ------------------------------------------------------------------ */

int script_host_new(const char *folder, const struct plan *plan, struct script_host **ret_host,
		    struct err *err)
{
	struct script_host *host = xcalloc(1, sizeof(*host));
	int rc;

	host->folder = xstrdup(folder);
	host->plan = plan;
	host->lua = lua_newstate(allocate, host);
	if (!host->lua) {
		script_host_free(host);
		return err_set(err, LAB_EFAIL, "no memory for a Lua state");
	}
	*(struct script_host **)lua_getextraspace(host->lua) = host;
	lua_sethook(host->lua, check_busy, LUA_MASKCOUNT, HOOK_INSTRUCTIONS);
	lua_pushcfunction(host->lua, open_environment);
	rc = lua_host_call(host, 0, 0, err);
	if (rc < 0) {
		script_host_free(host);
		return rc;
	}
	*ret_host = host;
	return 0;
}

void script_host_free(struct script_host *host)
{
	if (!host)
		return;
	if (host->lua)
		lua_close(host->lua);
	for (size_t i = 0; i < host->test_count; i++)
		lua_test_free(host->tests[i]);
	for (size_t i = 0; i < host->chunk_count; i++) {
		free(host->chunks[i]->file);
		free(host->chunks[i]);
	}
	free(host->tests);
	free(host->chunks);
	free(host->folder);
	free(host);
}

size_t script_host_count(const struct script_host *host)
{
	return host->test_count;
}

const struct script_test *script_host_test(const struct script_host *host, size_t index)
{
	return index < host->test_count ? &host->tests[index]->test : NULL;
}

const struct script_test *script_host_find(const struct script_host *host, const char *id)
{
	for (size_t i = 0; i < host->test_count; i++)
		if (!strcmp(host->tests[i]->test.id, id))
			return &host->tests[i]->test;
	return NULL;
}

/* --- running --------------------------------------------------------------- */

static int run_protected(lua_State *lua)
{
	const struct script_host *host = lua_host_of(lua);
	const struct lua_test *test = lua_touserdata(lua, 1);
	lua_Unsigned seed = 0;

	/* Random numbers are the test's own and the same in every run. */
	for (const char *p = test->test.id; *p; p++)
		seed = seed * 31 + (unsigned char)*p;
	lua_rawgeti(lua, LUA_REGISTRYINDEX, host->randomseed_ref);
	lua_pushinteger(lua, (lua_Integer)seed);
	lua_call(lua, 1, 0);

	lua_context_push(lua);
	if (test->setup_ref != LUA_NOREF) {
		lua_rawgeti(lua, LUA_REGISTRYINDEX, test->setup_ref);
		lua_pushvalue(lua, 2);
		lua_call(lua, 1, 0);
	}
	lua_rawgeti(lua, LUA_REGISTRYINDEX, test->run_ref);
	lua_pushvalue(lua, 2);
	lua_call(lua, 1, 0);
	return 0;
}

int script_run(struct script_host *host, const struct script_test *test,
	       const struct script_ops *ops, void *run, struct err *err)
{
	struct lua_test *found = NULL;
	int rc;

	for (size_t i = 0; i < host->test_count; i++)
		if (&host->tests[i]->test == test)
			found = host->tests[i];
	lab_assert(found);
	host->ops = ops;
	host->run = run;
	host->test = test;
	host->operation_error = 0;
	lua_pushcfunction(host->lua, run_protected);
	lua_pushlightuserdata(host->lua, found);
	rc = lua_host_call(host, 1, 0, err);
	host->ops = NULL;
	host->run = NULL;
	host->test = NULL;
	if (rc < 0 && host->operation_error)
		rc = host->operation_error;
	lua_gc(host->lua, LUA_GCCOLLECT); /* what this test left is not on the next one's account */
	return rc;
}

bool script_test_has_role(const struct script_test *test, const char *role)
{
	for (unsigned i = 0; test->roles[i]; i++)
		if (!strcmp(test->roles[i], role))
			return true;
	return false;
}
