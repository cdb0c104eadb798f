/*
 * `test { ... }`: a declaration is checked completely when its file is loaded,
 * so that a run starts with tests that are known to be well-formed. The line in
 * front of each message is that of the declaration.
 */
#include "suites/lua_host.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/limits.h"
#include "suites/plan.h"

#define ROLES "host, router, end-node or security-gateway"

static bool is_role(const char *text)
{
	static const char *const roles[] = { "host", "router", "end-node", "security-gateway" };

	for (unsigned i = 0; i < sizeof(roles) / sizeof(*roles); i++)
		if (!strcmp(text, roles[i]))
			return true;
	return false;
}

static const struct {
	const char *word;
	enum script_level level;
} levels[] = {
	/* RFC 2119, and the lower case of RFC 8200, 8201 and 4291, which have no key words. */
	{ "MUST", SCRIPT_LEVEL_MUST },
	{ "MUST NOT", SCRIPT_LEVEL_MUST },
	{ "must", SCRIPT_LEVEL_MUST },
	{ "must not", SCRIPT_LEVEL_MUST },
	{ "SHOULD", SCRIPT_LEVEL_SHOULD },
	{ "SHOULD NOT", SCRIPT_LEVEL_SHOULD },
	{ "should", SCRIPT_LEVEL_SHOULD },
	{ "should not", SCRIPT_LEVEL_SHOULD },
	{ "RECOMMENDED", SCRIPT_LEVEL_SHOULD },
	{ "recommended", SCRIPT_LEVEL_SHOULD },
	{ "MAY", SCRIPT_LEVEL_MAY },
	{ "may", SCRIPT_LEVEL_MAY },
	{ "OPTIONAL", SCRIPT_LEVEL_MAY },
};

int script_parse_clause(const char *clause, enum script_level *ret_level, struct err *err)
{
	static const char digits[] = "0123456789";
	const char *p = clause;
	size_t size;

	if (!strncmp(p, "RFC ", 4)) {
		p += 4;
		size = strspn(p, digits);
		p += size;
		if (size && *p == ' ') {
			p++;
			size = strspn(p, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ.");
			p += size;
			for (unsigned i = 0;
			     size && *p == ' ' && i < sizeof(levels) / sizeof(*levels); i++) {
				if (!strcmp(p + 1, levels[i].word)) {
					*ret_level = levels[i].level;
					return 0;
				}
			}
		}
	}
	return err_set(err, LAB_EINVALID,
		       "clause '%s': expected RFC, number, section and level, such as "
		       "'RFC 4443 4.2 MUST'",
		       clause);
}

/* [-0, +0, e] a copy of a string field, which must be there. */
static char *take_string(lua_State *lua, const char *field)
{
	if (lua_getfield(lua, 1, field) != LUA_TSTRING)
		luaL_error(lua, "test: field '%s': expected a string, not %s", field,
			   luaL_typename(lua, -1));
	return xstrdup(lua_tostring(lua, -1)); /* the string stays on the stack: harmless */
}

/* [-0, +0, e] a field that is a list of strings; NULL-terminated into *ret_list at once. */
static void take_list(lua_State *lua, const char *field, const char ***ret_list)
{
	lua_Integer count;

	if (lua_getfield(lua, 1, field) != LUA_TTABLE)
		luaL_error(lua, "test: field '%s': expected a list of strings, not %s", field,
			   luaL_typename(lua, -1));
	count = luaL_len(lua, -1);
	if (count > (lua_Integer)LIMIT_NAME)
		luaL_error(lua, "test: field '%s': more than %d entries", field, (int)LIMIT_NAME);
	lua_host_only_keys(lua, -1, field, (const char *const[]){ NULL }, true);
	*ret_list = xcalloc((size_t)count + 1, sizeof(**ret_list));
	for (lua_Integer i = 1; i <= count; i++) {
		if (lua_rawgeti(lua, -1, i) != LUA_TSTRING)
			luaL_error(lua, "test: field '%s': expected a list of strings", field);
		(*ret_list)[i - 1] = xstrdup(lua_tostring(lua, -1));
		lua_pop(lua, 1);
	}
	lua_pop(lua, 1);
}

/* `role` is one word or a list of them. */
static void take_roles(lua_State *lua, struct script_test *test)
{
	if (lua_getfield(lua, 1, "role") == LUA_TSTRING) {
		test->roles = xcalloc(2, sizeof(*test->roles));
		test->roles[0] = xstrdup(lua_tostring(lua, -1));
		lua_pop(lua, 1);
	} else {
		take_list(lua, "role", &test->roles);
	}
	if (!test->roles[0])
		luaL_error(lua, "test: field 'role': expected " ROLES);
	for (unsigned i = 0; test->roles[i]; i++)
		if (!is_role(test->roles[i]))
			luaL_error(lua, "test: role '%s': expected " ROLES, test->roles[i]);
}

/* `environment` maps a sysctl's name to its value; kept sorted, so that its order is no chance. */
static int compare_settings(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void take_environment(lua_State *lua, struct script_test *test)
{
	struct err err = ERR_INIT;
	unsigned count = 0;
	int type = lua_getfield(lua, 1, "environment");

	test->environment = xcalloc(LIMIT_NAME + 1, sizeof(*test->environment));
	if (type != LUA_TNIL && type != LUA_TTABLE)
		luaL_error(lua, "test: field 'environment': expected a table, not %s",
			   luaL_typename(lua, -1));
	for (lua_pushnil(lua); type == LUA_TTABLE && lua_next(lua, -2); lua_pop(lua, 1)) {
		if (lua_type(lua, -2) != LUA_TSTRING || !lua_isstring(lua, -1) ||
		    count == LIMIT_NAME)
			luaL_error(lua, "test: field 'environment': expected [\"name\"] = value");
		(void)luaL_tolstring(lua, -1, NULL);
		test->environment[count++] =
			xasprintf("%s=%s", lua_tostring(lua, -3), lua_tostring(lua, -1));
		lua_pop(lua, 1);
		if (plan_check_setting(test->environment[count - 1], &err) < 0)
			luaL_error(lua, "test: field 'environment': %s", err.text);
	}
	qsort(test->environment, count, sizeof(*test->environment), compare_settings);
}

/* What a test requires is put together from the lists of libraries: a clause counts once. */
static void drop_repeated(const char **list)
{
	size_t kept = 0;

	for (size_t i = 0; list[i]; i++) {
		size_t j = 0;

		while (j < kept && strcmp(list[j], list[i]) != 0)
			j++;
		if (j == kept)
			list[kept++] = list[i];
		else
			free((char *)(uintptr_t)list[i]);
	}
	list[kept] = NULL;
}

static void check_clauses(lua_State *lua, const struct script_test *test)
{
	struct err err = ERR_INIT;
	enum script_level level;

	if (!test->clauses[0])
		luaL_error(lua, "test '%s': field 'requires': expected at least one clause",
			   test->id);
	for (unsigned i = 0; test->clauses[i]; i++)
		if (script_parse_clause(test->clauses[i], &level, &err) < 0)
			luaL_error(lua, "test '%s': %s", test->id, err.text);
}

/* The plan must have the test in a set of each role it claims, under that title. */
static void check_plan(lua_State *lua, const struct script_host *host,
		       const struct script_test *test)
{
	const char *title = NULL;

	for (unsigned i = 0; test->roles[i]; i++) {
		bool listed = false;

		for (size_t j = 0; j < host->plan->set_count; j++) {
			const struct plan_set *set = &host->plan->sets[j];
			const struct plan_row *row = !strcmp(set->role, test->roles[i])
							     ? plan_set_find(set, test->id)
							     : NULL;

			if (!row || row->kind == PLAN_KIND_INIT)
				continue;
			listed = true;
			if (!title || strcmp(title, test->title))
				title = row->title;
		}
		if (!listed)
			luaL_error(lua, "test '%s': no set of role '%s' in the plan has it",
				   test->id, test->roles[i]);
	}
	if (strcmp(title, test->title))
		luaL_error(lua, "test '%s': title '%s' is '%s' in the plan", test->id, test->title,
			   title);
}

static int take_function(lua_State *lua, const char *field, bool optional)
{
	int type = lua_getfield(lua, 1, field);

	if (type == LUA_TNIL && optional) {
		lua_pop(lua, 1);
		return LUA_NOREF;
	}
	if (type != LUA_TFUNCTION)
		luaL_error(lua, "test: field '%s': expected a function, not %s", field,
			   luaL_typename(lua, -1));
	return luaL_ref(lua, LUA_REGISTRYINDEX);
}

static void take_rest(lua_State *lua, struct lua_test *test)
{
	test->test.timeout_s = SCRIPT_TIMEOUT_S;
	if (lua_getfield(lua, 1, "timeout") != LUA_TNIL) {
		test->test.timeout_s = lua_tonumber(lua, -1);
		if (!(test->test.timeout_s > 0 && test->test.timeout_s <= 86400))
			luaL_error(lua, "test: field 'timeout': expected seconds, 86400 at most");
	}
	if (lua_getfield(lua, 1, "boots") != LUA_TNIL) {
		luaL_checktype(lua, -1, LUA_TBOOLEAN);
		test->test.boots = lua_toboolean(lua, -1);
	}
	lua_pop(lua, 2);
	test->setup_ref = take_function(lua, "setup", true);
	test->run_ref = take_function(lua, "run", false);
}

static int declare_test(lua_State *lua)
{
	static const char *const fields[] = { "id",  "title", "role",        "requires", "setup",
					      "run", "boots", "environment", "timeout",  NULL };
	struct script_host *host = lua_host_of(lua);
	struct lua_test *test;
	lua_Debug where;

	luaL_checktype(lua, 1, LUA_TTABLE);
	lua_settop(lua, 1);
	if (!host->loading)
		return luaL_error(lua, "test: only at the top of a file");
	lua_host_only_keys(lua, 1, "test", fields, false);

	/* Owned by the host from the start: an error below leaves nothing behind. */
	test = xcalloc(1, sizeof(*test));
	host->tests = xreallocarray(host->tests, host->test_count + 1, sizeof(*host->tests));
	host->tests[host->test_count++] = test;
	test->test.id = take_string(lua, "id");
	for (size_t i = 0; i + 1 < host->test_count; i++)
		if (host->tests[i]->test.id && !strcmp(host->tests[i]->test.id, test->test.id))
			return luaL_error(lua, "test '%s' is declared twice, first at %s:%d",
					  test->test.id, host->tests[i]->test.file,
					  (int)host->tests[i]->test.line);
	test->test.title = take_string(lua, "title");
	lua_settop(lua, 1);
	take_roles(lua, &test->test);
	take_list(lua, "requires", &test->test.clauses);
	drop_repeated(test->test.clauses);
	take_environment(lua, &test->test);
	lua_settop(lua, 1);
	check_clauses(lua, &test->test);
	check_plan(lua, host, &test->test);
	take_rest(lua, test);
	test->test.file = host->loading->file;
	if (lua_getstack(lua, 1, &where) && lua_getinfo(lua, "l", &where) && where.currentline > 0)
		test->test.line = (unsigned)where.currentline;
	return 0;
}

static void free_list(const char **list)
{
	for (const char **p = list; p && *p; p++)
		free((char *)(uintptr_t)*p);
	free(list);
}

void lua_test_free(struct lua_test *test)
{
	free((char *)(uintptr_t)test->test.id);
	free((char *)(uintptr_t)test->test.title);
	free_list(test->test.roles);
	free_list(test->test.clauses);
	free_list(test->test.environment);
	free(test);
}

void lua_test_open(lua_State *lua)
{
	lua_pushcfunction(lua, declare_test);
	lua_setglobal(lua, "test");
}
