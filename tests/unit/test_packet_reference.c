/*
 * docs/lua-packets.md against what there is: the reference of layers and fields
 * is made from the tables (--update writes it anew), and the names in the tables
 * above it are those of the scripts' environment, no more and no fewer.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "packets/packet.h"
#include "suites/lua_packet.h"
#include "tests/unit/lab_cmocka.h"

#define DOCUMENT     "docs/lua-packets.md"
#define DOCUMENT_MAX (1u << 20)
#define MARK         "test_packet_reference --update -->\n"

/* --- the reference --------------------------------------------------------------------------- */

static void append_kind(struct buf *text, const struct field_type *field)
{
	static const char *const kinds[] = {
		[FIELD_MAC] = "MAC",     [FIELD_IP6] = "address",
		[FIELD_BYTES] = "bytes", [FIELD_IP6_LIST] = "addresses",
		[FIELD_NAMES] = "names", [FIELD_TEXT] = "text",
	};

	if (field->kind == FIELD_UINT)
		buf_printf(text, "%u bit%s", (unsigned)field->bit_width,
			   field->bit_width == 1 ? "" : "s");
	else
		buf_append_string(text, kinds[field->kind]);
}

static void append_default(struct buf *text, const struct field_type *field)
{
	if (field->required)
		buf_append_string(text, "must be set");
	else if (field->computed)
		buf_append_string(text, "computed");
	else if (field->kind == FIELD_UINT)
		buf_printf(text, field->hex && field->otherwise ? "0x%" PRIx64 : "%" PRIu64,
			   field->otherwise);
	else
		buf_append_string(text, field->kind == FIELD_IP6 ? "`::`" : "empty");
}

static void append_names(struct buf *text, const struct value_name *names)
{
	for (const struct value_name *row = names; row && row->name; row++)
		buf_printf(text, "%s%" PRIu64 " %s", row == names ? ". " : ", ", row->value,
			   row->name);
}

static void append_layer(struct buf *text, const struct layer_type *type)
{
	buf_printf(text, "### `%s`: %s\n\n%s.", type->name, type->title, type->about);
	if (type->family == FAMILY_HEADER)
		buf_printf(text, " Next Header %d.", type->number);
	else if (type->number != LAYER_NO_NUMBER)
		buf_printf(text, " Type %d.", type->number);
	buf_append_string(text, "\n\n| field | kind | not set | |\n| --- | --- | --- | --- |\n");
	for (unsigned i = 0; i < type->field_count; i++) {
		buf_printf(text, "| `%s` | ", type->fields[i].name);
		append_kind(text, &type->fields[i]);
		buf_append_string(text, " | ");
		append_default(text, &type->fields[i]);
		buf_printf(text, " | %s", type->fields[i].about);
		append_names(text, type->fields[i].names);
		buf_append_string(text, " |\n");
	}
	buf_append_char(text, '\n');
}

/* One heading for layers, then one for each kind of option. */
static void append_group(struct buf *text, const char *title, enum option_kind option_of)
{
	const struct layer_type *type;

	buf_printf(text, "## %s\n\n", title);
	for (unsigned i = 0; (type = layer_type_at(i)); i++)
		if (type->option_of == option_of)
			append_layer(text, type);
}

static char *make_reference(void)
{
	struct buf text = BUF_INIT(DOCUMENT_MAX);

	buf_append_char(&text, '\n');
	append_group(&text, "Layers", OPTIONS_NONE);
	append_group(&text, "Options of `hop_by_hop` and `dst_options`", OPTIONS_IP6);
	append_group(&text, "Options of `rs`, `ra`, `ns`, `na` and `redirect`", OPTIONS_ND);
	append_group(&text, "Records of `mld2_report`", OPTIONS_MLD);
	text.data[--text.size] = '\0'; /* no blank line at the end */
	return buf_take_string(&text);
}

/* The document; *ret_reference points behind the mark in it. */
static char *read_document(char **ret_reference)
{
	struct err err = ERR_INIT;
	char *document = NULL;
	size_t size;
	char *mark;

	if (fs_read_file(DOCUMENT, DOCUMENT_MAX, &document, &size, &err) < 0)
		fail_msg("%s", err.text);
	mark = strstr(document, MARK);
	if (!mark)
		fail_msg(DOCUMENT " has lost the line that ends in: " MARK);
	*ret_reference = mark + strlen(MARK);
	return document;
}

static int update(void)
{
	char *mark = NULL;
	auto_free char *document = read_document(&mark);
	auto_free char *reference = make_reference();
	struct buf text = BUF_INIT(DOCUMENT_MAX);
	struct err err = ERR_INIT;
	int rc;

	buf_append(&text, document, (size_t)(mark - document));
	buf_append_string(&text, reference);
	rc = fs_write_file(DOCUMENT, text.data, text.size, 0644, &err);
	buf_clear(&text);
	if (rc < 0)
		(void)fprintf(stderr, "%s\n", err.text);
	return rc < 0;
}

static void test_reference(void **state)
{
	char *written = NULL;
	auto_free char *document = read_document(&written);
	auto_free char *reference = make_reference();

	(void)state;
	assert_non_null(document); /* `written` points into it */
	if (strcmp(written, reference) != 0)
		fail_msg(DOCUMENT
			 " is not what the tables are: build/tests/test_packet_reference --update");
}

/* --- names ------------------------------------------------------------------------------------ */

/* Every global that is no layer, and every method, is in a table: "| `name(" or "| `p:name(". */
static void assert_documented(const char *document, const char *prefix, const char *name)
{
	char round[64], curly[64];

	(void)snprintf(round, sizeof(round), "\n| `%s%s(", prefix, name);
	(void)snprintf(curly, sizeof(curly), "\n| `%s%s{", prefix, name);
	if (!strstr(document, round) && !strstr(document, curly))
		fail_msg(DOCUMENT " does not have '%s%s'", prefix, name);
}

/* [-1, +0] the functions of the table at the top. */
static void check_names(lua_State *lua, const char *document, const char *prefix)
{
	unsigned count = 0;

	lua_pushnil(lua);
	for (; lua_next(lua, -2); lua_pop(lua, 1)) {
		const char *name = lua_tostring(lua, -2);

		if (!lua_isfunction(lua, -1) || (!*prefix && layer_type_find(name)))
			continue;
		assert_documented(document, prefix, name);
		count++;
	}
	assert_true(count > 5);
	lua_pop(lua, 1);
}

/* Push the table of methods: it is an upvalue of __index. */
static void push_methods(lua_State *lua)
{
	luaL_getmetatable(lua, "testlab.packet");
	lua_getfield(lua, -1, "__index");
	assert_non_null(lua_getupvalue(lua, -1, 1));
	lua_replace(lua, -3);
	lua_pop(lua, 1);
}

/* What a row of a table begins with exists: "name(", "name{" or "p:name(". */
static void check_row(lua_State *lua, const char *row)
{
	bool is_method = !strncmp(row, "p:", 2);
	const char *name = is_method ? row + 2 : row;
	size_t length = strcspn(name, "({.`= ");

	if (name[length] != '(' && name[length] != '{')
		return;
	if (is_method)
		push_methods(lua);
	else
		lua_pushglobaltable(lua);
	lua_pushlstring(lua, name, length);
	if (lua_rawget(lua, -2) != LUA_TFUNCTION)
		fail_msg(DOCUMENT " has '%.*s', which does not exist", (int)length, name);
	lua_pop(lua, 2);
}

static void test_names(void **state)
{
	char *reference = NULL;
	auto_free char *document = read_document(&reference);
	lua_State *lua = luaL_newstate();

	(void)state;
	*reference = '\0';
	lua_packet_open(lua);
	lua_pushglobaltable(lua);
	check_names(lua, document, "");
	push_methods(lua);
	check_names(lua, document, "p:");
	for (const char *row = document; (row = strstr(row, "\n| `")); row += 4)
		check_row(lua, row + 4);
	lua_close(lua);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reference),
		cmocka_unit_test(test_names),
	};

	if (argc == 2 && !strcmp(argv[1], "--update"))
		return update();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
