/*
 * What a running test acts with: `t` and the nodes t.nut, t.tn1, ... Each method
 * checks its arguments, calls one operation of struct script_ops, and turns the
 * answer into values, the end of the test, or an error. Nothing here holds a
 * resource across a call that can raise. Described for authors in
 * docs/writing-tests.md.
 */
#include "suites/lua_host.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/time.h"
#include "packets/packet.h"
#include "suites/lua_packet.h"

#define TYPE_RUN  "testlab.t"
#define TYPE_NODE "testlab.node"
#define NODES     "testlab.nodes" /* in the registry: the nodes by number, from 1 */

#define NUT           0
#define ARGUMENTS_MAX 32

static struct script_host *running(lua_State *lua)
{
	struct script_host *host = lua_host_of(lua);

	if (!host->ops)
		luaL_error(lua, "no test is running: only inside 'setup' and 'run'");
	return host;
}

/* What every operation's answer goes through. */
static void finish(lua_State *lua, struct script_host *host, int rc, const struct err *err)
{
	host->busy_since_ns = time_monotonic_ns();
	if (rc == SCRIPT_STOP)
		lua_host_stop(lua);
	if (rc < 0) {
		host->operation_error = rc;
		luaL_error(lua, "%s", err->text);
	}
}

static int64_t check_seconds(lua_State *lua, int index, const char *what)
{
	double seconds = lua_tonumber(lua, index);

	if (!lua_isnumber(lua, index) || !(seconds >= 0 && seconds <= 86400))
		luaL_error(lua, "%s: expected seconds from 0 to 86400, not %s", what,
			   luaL_tolstring(lua, index, NULL));
	return (int64_t)(seconds * (double)NS_PER_SECOND + 0.5);
}

/* --- nodes ----------------------------------------------------------------- */

static unsigned check_node(lua_State *lua, int index)
{
	return *(unsigned *)luaL_checkudata(lua, index, TYPE_NODE);
}

/* Always the same object for a node: scripts compare nodes and keep things by them. */
static void push_node(lua_State *lua, unsigned index)
{
	luaL_getsubtable(lua, LUA_REGISTRYINDEX, NODES);
	if (lua_rawgeti(lua, -1, (lua_Integer)index + 1) == LUA_TNIL) {
		lua_pop(lua, 1);
		*(unsigned *)lua_newuserdatauv(lua, sizeof(unsigned), 0) = index;
		luaL_setmetatable(lua, TYPE_NODE);
		lua_pushvalue(lua, -1);
		lua_rawseti(lua, -3, (lua_Integer)index + 1);
	}
	lua_remove(lua, -2);
}

static bool is_zero(const uint8_t address[16])
{
	static const uint8_t zero[16];

	return !memcmp(address, zero, sizeof(zero));
}

static int node_index(lua_State *lua)
{
	struct script_host *host = running(lua);
	const struct script_node *node = host->ops->node(host->run, check_node(lua, 1));
	const char *key = luaL_checkstring(lua, 2);
	char text[IP6_TEXT_SIZE];

	if (luaL_getmetafield(lua, 1, "methods") == LUA_TTABLE &&
	    lua_getfield(lua, -1, key) != LUA_TNIL)
		return 1;
	if (!strcmp(key, "name"))
		lua_pushstring(lua, node->name);
	else if (!strcmp(key, "mac"))
		lua_pushstring(lua, mac_to_string(node->mac, text));
	else if (!strcmp(key, "link_local"))
		lua_pushstring(lua, ip6_to_string(node->link_local, text));
	else if (!strcmp(key, "global") && !is_zero(node->global))
		lua_pushstring(lua, ip6_to_string(node->global, text));
	else
		return luaL_error(lua, "node '%s' has no '%s'", node->name, key);
	return 1;
}

static int node_to_string(lua_State *lua)
{
	struct script_host *host = running(lua);

	lua_pushstring(lua, host->ops->node(host->run, check_node(lua, 1))->name);
	return 1;
}

static int node_send(lua_State *lua)
{
	struct script_host *host = running(lua);
	unsigned node = check_node(lua, 1);
	const struct packet *packet = lua_packet_check(lua, 2);
	const struct packet *sent = NULL;
	struct err err = ERR_INIT;

	if (node == NUT)
		return luaL_error(lua, "the NUT cannot be told to send: use t:command");
	finish(lua, host, host->ops->send(host->run, node, packet, &sent, &err), &err);
	lua_packet_push(lua, sent);
	return 1;
}

static int set_answering(lua_State *lua, bool on)
{
	struct script_host *host = running(lua);
	unsigned node = check_node(lua, 1);
	struct err err = ERR_INIT;

	finish(lua, host, host->ops->answer(host->run, node, on, &err), &err);
	return 0;
}

static int node_stop_answering(lua_State *lua)
{
	return set_answering(lua, false);
}

static int node_start_answering(lua_State *lua)
{
	return set_answering(lua, true);
}

/* nut:address_in("2001:db8:0:b::/64") */
static int node_address_in(lua_State *lua)
{
	struct script_host *host = running(lua);
	const char *text = luaL_checkstring(lua, 2);
	char address_text[IP6_TEXT_SIZE];
	uint8_t prefix[16], address[16];
	struct err err = ERR_INIT;
	unsigned bits;

	if (check_node(lua, 1) != NUT)
		return luaL_error(lua, "address_in is for the NUT: other nodes have 'global'");
	if (ip6_prefix_from_string(text, prefix, &bits, &err) < 0)
		return luaL_error(lua, "%s", err.text);
	finish(lua, host, host->ops->nut_address(host->run, prefix, bits, address, &err), &err);
	lua_pushstring(lua, ip6_to_string(address, address_text));
	return 1;
}

static int node_reboot(lua_State *lua)
{
	struct script_host *host = running(lua);
	struct err err = ERR_INIT;

	if (check_node(lua, 1) != NUT)
		return luaL_error(lua, "only the NUT can be rebooted");
	if (!host->test->boots)
		return luaL_error(lua, "test '%s' reboots the NUT but does not say boots = true",
				  host->test->id);
	finish(lua, host, host->ops->reboot(host->run, &err), &err);
	return 0;
}

/* --- clauses and options of a step ----------------------------------------- */

static enum script_level check_level(lua_State *lua, int index)
{
	static const char *const words[] = { "MUST", "SHOULD", "MAY", NULL };

	return (enum script_level)luaL_checkoption(lua, index, NULL, words);
}

/* The clause at `index` must be one that the test requires; nil means the first of them. */
static const char *check_clause(lua_State *lua, const struct script_host *host, int index,
				enum script_level *ret_level)
{
	const char **clauses = host->test->clauses;
	const char *clause = lua_isnil(lua, index) ? clauses[0] : luaL_checkstring(lua, index);

	for (unsigned i = 0; clauses[i]; i++) {
		if (strcmp(clauses[i], clause))
			continue;
		(void)script_parse_clause(clause, ret_level, NULL); /* checked when it was loaded */
		return clauses[i];
	}
	luaL_error(lua, "clause '%s' is not among those that test '%s' requires", clause,
		   host->test->id);
	return NULL;
}

static int optional_node(lua_State *lua, int table, const char *field)
{
	int node = -1;

	if (lua_getfield(lua, table, field) != LUA_TNIL)
		node = (int)check_node(lua, -1);
	lua_pop(lua, 1);
	return node;
}

/* t:expect(pattern, { from, to, within, clause, level, why }) and expect_none with `during`. */
static void check_expectation(lua_State *lua, const char *window,
			      struct script_expectation *expectation)
{
	const char *const fields[] = { "from", "to", window, "clause", "level", "why", NULL };
	struct script_host *host = running(lua);

	lua_settop(lua, 3);
	luaL_checktype(lua, 3, LUA_TTABLE);
	lua_host_only_keys(lua, 3, "options", fields, false);
	*expectation = (struct script_expectation){ .pattern = lua_pattern_check(lua, 2) };
	expectation->from = optional_node(lua, 3, "from");
	expectation->to = optional_node(lua, 3, "to");
	lua_getfield(lua, 3, window);
	expectation->window_ns = check_seconds(lua, -1, window);
	lua_getfield(lua, 3, "clause");
	expectation->clause = check_clause(lua, host, -1, &expectation->level);
	if (lua_getfield(lua, 3, "level") != LUA_TNIL)
		expectation->level = check_level(lua, -1);
	lua_getfield(lua, 3, "why");
	expectation->why = luaL_optstring(lua, -1, NULL); /* lives as long as the table at 3 */
}

/* --- t --------------------------------------------------------------------- */

static int run_expect(lua_State *lua)
{
	struct script_host *host = running(lua);
	struct script_expectation expectation;
	const struct packet *packet = NULL;
	struct err err = ERR_INIT;
	int64_t time_ns = 0;
	int rc;

	check_expectation(lua, "within", &expectation);
	rc = host->ops->expect(host->run, &expectation, &packet, &time_ns, &err);
	finish(lua, host, rc, &err);
	if (!packet)
		return 0;
	lua_packet_push(lua, packet);
	lua_packet_set_time(lua, -1, (double)time_ns / (double)NS_PER_SECOND);
	lua_pushnumber(lua, (double)time_ns / (double)NS_PER_SECOND);
	return 2;
}

static int run_expect_none(lua_State *lua)
{
	struct script_host *host = running(lua);
	struct script_expectation expectation;
	struct err err = ERR_INIT;

	check_expectation(lua, "during", &expectation);
	expectation.broken_counts = true;
	finish(lua, host, host->ops->expect_none(host->run, &expectation, &err), &err);
	return 0;
}

static int run_wait(lua_State *lua)
{
	struct script_host *host = running(lua);
	int64_t duration_ns = check_seconds(lua, 2, "wait");
	struct err err = ERR_INIT;

	finish(lua, host, host->ops->wait(host->run, duration_ns, &err), &err);
	return 0;
}

static int run_now(lua_State *lua)
{
	struct script_host *host = running(lua);

	lua_pushnumber(lua, (double)host->ops->now_ns(host->run) / (double)NS_PER_SECOND);
	return 1;
}

/* t:command{ "ip", "link", "set", "eth0", "down" }: what it printed, and its exit status. */
static int run_command(lua_State *lua)
{
	static const char *const fields[] = { "may_fail", NULL };
	struct script_host *host = running(lua);
	const char *argv[ARGUMENTS_MAX + 1] = { NULL };
	struct err err = ERR_INIT;
	const char *output = NULL;
	bool may_fail;
	int status = 0;
	lua_Integer count;

	luaL_checktype(lua, 2, LUA_TTABLE);
	lua_settop(lua, 2);
	lua_host_only_keys(lua, 2, "command", fields, true);
	count = luaL_len(lua, 2);
	luaL_argcheck(lua, count >= 1 && count <= ARGUMENTS_MAX, 2, "expected 1 to 32 words");
	lua_getfield(lua, 2, "may_fail");
	may_fail = lua_toboolean(lua, -1);
	luaL_checkstack(lua, (int)count, NULL);
	for (lua_Integer i = 1; i <= count; i++) {
		lua_rawgeti(lua, 2, i); /* stays on the stack while argv points to it */
		argv[i - 1] = luaL_checkstring(lua, -1);
	}
	finish(lua, host, host->ops->command(host->run, argv, may_fail, &status, &output, &err),
	       &err);
	lua_pushstring(lua, output ? output : "");
	lua_pushinteger(lua, status);
	return 2;
}

/* t:check(condition, text, { clause, level }): the condition itself is returned. */
static int run_check(lua_State *lua)
{
	static const char *const fields[] = { "clause", "level", NULL };
	struct script_host *host = running(lua);
	const char *text = luaL_checkstring(lua, 3);
	bool ok = lua_toboolean(lua, 2);
	enum script_level level = SCRIPT_LEVEL_MUST;
	struct err err = ERR_INIT;
	const char *clause;

	lua_settop(lua, 4);
	if (lua_isnil(lua, 4)) {
		lua_newtable(lua);
		lua_replace(lua, 4);
	}
	luaL_checktype(lua, 4, LUA_TTABLE);
	lua_host_only_keys(lua, 4, "options", fields, false);
	lua_getfield(lua, 4, "clause");
	clause = check_clause(lua, host, -1, &level);
	if (lua_getfield(lua, 4, "level") != LUA_TNIL)
		level = check_level(lua, -1);
	finish(lua, host, host->ops->check(host->run, ok, text, clause, level, &err), &err);
	lua_pushboolean(lua, ok);
	return 1;
}

static int run_note(lua_State *lua)
{
	struct script_host *host = running(lua);
	const char *text = luaL_checkstring(lua, 2);
	struct err err = ERR_INIT;

	finish(lua, host, host->ops->note(host->run, text, &err), &err);
	return 0;
}

static int decide(lua_State *lua, enum verdict verdict)
{
	struct script_host *host = running(lua);
	const char *reason = luaL_checkstring(lua, 2);
	struct err err = ERR_INIT;

	finish(lua, host, host->ops->decide(host->run, verdict, reason, &err), &err);
	return 0;
}

static int run_skip(lua_State *lua)
{
	return decide(lua, VERDICT_SKIP);
}

static int run_unsupported(lua_State *lua)
{
	return decide(lua, VERDICT_UNSUPPORTED);
}

static int run_index(lua_State *lua)
{
	struct script_host *host = running(lua);
	const char *key = luaL_checkstring(lua, 2);

	if (luaL_getmetafield(lua, 1, "methods") == LUA_TTABLE &&
	    lua_getfield(lua, -1, key) != LUA_TNIL)
		return 1;
	for (unsigned i = 0; i < host->ops->node_count(host->run); i++) {
		if (strcmp(host->ops->node(host->run, i)->name, key))
			continue;
		push_node(lua, i);
		return 1;
	}
	return luaL_error(lua, "t has no '%s'", key);
}

void lua_context_push(lua_State *lua)
{
	(void)lua_newuserdatauv(lua, 1, 0); /* only its type counts: the run is the host's */
	luaL_setmetatable(lua, TYPE_RUN);
}

/* [-0, +0, e] */
static void open_type(lua_State *lua, const char *name, const luaL_Reg *meta,
		      const luaL_Reg *methods)
{
	luaL_newmetatable(lua, name);
	luaL_setfuncs(lua, meta, 0);
	lua_newtable(lua);
	luaL_setfuncs(lua, methods, 0);
	lua_setfield(lua, -2, "methods");
	lua_pop(lua, 1);
}

void lua_context_open(lua_State *lua)
{
	static const luaL_Reg node_meta[] = {
		{ "__index", node_index },
		{ "__tostring", node_to_string },
		{ NULL, NULL },
	};
	static const luaL_Reg node_methods[] = {
		{ "send", node_send },
		{ "stop_answering", node_stop_answering },
		{ "start_answering", node_start_answering },
		{ "address_in", node_address_in },
		{ "reboot", node_reboot },
		{ NULL, NULL },
	};
	static const luaL_Reg run_meta[] = {
		{ "__index", run_index },
		{ NULL, NULL },
	};
	static const luaL_Reg run_methods[] = {
		{ "expect", run_expect },
		{ "expect_none", run_expect_none },
		{ "wait", run_wait },
		{ "now", run_now },
		{ "command", run_command },
		{ "check", run_check },
		{ "note", run_note },
		{ "skip", run_skip },
		{ "unsupported", run_unsupported },
		{ NULL, NULL },
	};

	open_type(lua, TYPE_NODE, node_meta, node_methods);
	open_type(lua, TYPE_RUN, run_meta, run_methods);
}
