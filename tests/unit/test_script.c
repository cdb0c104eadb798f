/* The Lua host: declarations that are refused, what a script cannot do, how calls end. */
#include "suites/script.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "suites/plan.h"
#include "tests/unit/lab_cmocka.h"

#define PLAN "# title: A set\n# role: host\na.1\ttest\tFirst\t-\na.2\ttest\tSecond\t-\n"
/* A test with that body. */
#define TEST(body)                                                                                 \
	"test { id = \"a.1\", title = \"First\", role = \"host\",\n"                               \
	"requires = { \"RFC 8200 3 MUST\", \"RFC 8200 4 should\" },\n"                             \
	"run = function(t)\n" body "\nend }\n"

struct fixture {
	char *folder;
	struct plan *plan;
	struct script_host *host;
	struct err err;
	int rc; /* of loading */
};

/* What the operations below were asked for, as text. */
struct log {
	char text[1024];
	int answer; /* of the next operation */
};

static void write_file(const char *folder, const char *name, const char *text)
{
	auto_free char *path = path_join(folder, name);

	assert_int_equal(fs_write_file(path, text, strlen(text), 0644, NULL), 0);
}

/* Suites with one script and one library file. */
static void load(struct fixture *fixture, const char *script, const char *library)
{
	static const char *const folders[] = { "plan", "lib", "area" };

	*fixture = (struct fixture){ .folder = test_folder() };
	for (unsigned i = 0; i < 3; i++) {
		auto_free char *path = path_join(fixture->folder, folders[i]);

		assert_int_equal(fs_mkdir_parents(path, 0755, NULL), 0);
	}
	write_file(fixture->folder, "plan/set.tsv", PLAN);
	write_file(fixture->folder, "lib/help.lua", library ? library : "return {}\n");
	write_file(fixture->folder, "area/script.lua", script);
	{
		auto_free char *plan_folder = path_join(fixture->folder, "plan");

		assert_int_equal(plan_open(plan_folder, &fixture->plan, NULL), 0);
	}
	assert_int_equal(script_host_new(fixture->folder, fixture->plan, &fixture->host, NULL), 0);
	fixture->rc = script_host_load_all(fixture->host, &fixture->err);
}

static void release(struct fixture *fixture)
{
	script_host_free(fixture->host);
	plan_free(fixture->plan);
	(void)fs_remove_tree(fixture->folder, NULL);
	free(fixture->folder);
}

static void assert_says(const struct err *err, const char *why)
{
	if (!strstr(err->text, why))
		fail_msg("'%s' does not say '%s'", err->text, why);
}

static void assert_refused(const char *script, const char *why)
{
	struct fixture fixture;

	load(&fixture, script, NULL);
	assert_true(fixture.rc < 0);
	assert_says(&fixture.err, why);
	release(&fixture);
}

/* --- operations ---------------------------------------------------------------- */

static int log_check(void *run, bool ok, const char *text, const char *clause,
		     enum script_level level, struct err *err)
{
	struct log *log = run;
	size_t at = strlen(log->text);

	(void)snprintf(log->text + at, sizeof(log->text) - at, "[%d %s %s %d]", ok, text, clause,
		       level);
	if (log->answer < 0)
		return err_set(err, log->answer, "the lab is at fault");
	return log->answer;
}

static int log_note(void *run, const char *text, struct err *err)
{
	return log_check(run, true, text, "note", SCRIPT_LEVEL_MAY, err);
}

static unsigned count_nodes(void *run)
{
	(void)run;
	return 2;
}

static const struct script_node *get_node(void *run, unsigned index)
{
	static const struct script_node nodes[] = { { .name = "nut" }, { .name = "tn1" } };

	(void)run;
	return &nodes[index];
}

static const struct script_ops ops = {
	.check = log_check,
	.note = log_note,
	.node_count = count_nodes,
	.node = get_node,
};

/* Run the one test of a script whose operations answer `answer`. */
static int run(const char *body, int answer, struct log *log, struct err *err)
{
	struct fixture fixture;
	int rc;

	load(&fixture, body, "return { text = 'from the library' }\n");
	if (fixture.rc < 0)
		fail_msg("%s", fixture.err.text);
	*log = (struct log){ .answer = answer };
	rc = script_run(fixture.host, script_host_find(fixture.host, "a.1"), &ops, log, err);
	release(&fixture);
	return rc;
}

static void assert_error(const char *body, const char *why)
{
	struct log log;
	struct err err = ERR_INIT;

	assert_int_equal(run(body, 0, &log, &err), LAB_EFAIL);
	assert_says(&err, why);
}

/* --- tests --------------------------------------------------------------------- */

static void test_declaration(void **state)
{
	struct fixture fixture;
	const struct script_test *test;

	(void)state;
	load(&fixture,
	     "local help = use \"help\"\n"
	     "test { id = \"a.1\", title = \"First\", role = { \"host\" }, boots = true, timeout = "
	     "2.5,\n"
	     "requires = { \"RFC 8200 4.2 MUST NOT\", \"RFC 8200 3 must\", \"RFC 8200 4.2 MUST NOT\" },\n"
	     "setup = function() end,\n"
	     "environment = { [\"net.b\"] = 1, [\"net.a\"] = \"x\" }, run = function() end }\n",
	     NULL);
	assert_int_equal(fixture.rc, 0);
	assert_int_equal(script_host_count(fixture.host), 1);
	test = script_host_find(fixture.host, "a.1");
	assert_non_null(test);
	assert_string_equal(test->file, "area/script.lua");
	assert_int_equal(test->line, 2);
	assert_string_equal(test->clauses[0], "RFC 8200 4.2 MUST NOT");
	assert_string_equal(test->clauses[1], "RFC 8200 3 must");
	assert_null(test->clauses[2]);
	assert_string_equal(test->environment[0], "net.a=x");
	assert_string_equal(test->environment[1], "net.b=1");
	assert_true(test->boots && test->timeout_s > 2.4 && test->timeout_s < 2.6);
	assert_true(script_test_has_role(test, "host") && !script_test_has_role(test, "router"));
	release(&fixture);
}

/* The version of a test is that of its file and of every library file below it. */
static void test_version(void **state)
{
	static const char script[] = "local help = use \"help\"\n" TEST("t:note(help.text)");
	char before[HASH_HEX_SIZE];
	struct fixture fixture;

	(void)state;
	load(&fixture, script, "return { text = 'a' }\n");
	assert_int_equal(fixture.rc, 0);
	memcpy(before, script_host_test(fixture.host, 0)->version, sizeof(before));
	release(&fixture);
	load(&fixture, script, "return { text = 'a' }\n");
	assert_string_equal(script_host_test(fixture.host, 0)->version, before);
	release(&fixture);
	load(&fixture, script, "return { text = 'b' }\n");
	assert_string_not_equal(script_host_test(fixture.host, 0)->version, before);
	release(&fixture);
}

static void test_refused_declarations(void **state)
{
	(void)state;
	assert_refused("test { id = \"a.1\", titel = \"First\" }\n",
		       "area/script.lua:1: test: unknown field 'titel'");
	assert_refused("\n\ntest { title = \"First\" }\n",
		       "area/script.lua:3: test: field 'id': expected a string");
	assert_refused("test { id = \"a.1\", title = \"First\", role = \"hots\" }\n",
		       "role 'hots'");
	assert_refused("test { id = \"a.1\", title = \"First\", role = \"host\", requires = {} }\n",
		       "at least one clause");
	assert_refused("test { id = \"a.1\", title = \"First\", role = \"host\",\n"
		       "requires = { \"RFC 8200 MUST\" } }\n",
		       "clause 'RFC 8200 MUST'");
	assert_refused("test { id = \"a.1\", title = \"First\", role = \"router\",\n"
		       "requires = { \"RFC 8200 3 MUST\" } }\n",
		       "no set of role 'router'");
	assert_refused("test { id = \"a.9\", title = \"First\", role = \"host\",\n"
		       "requires = { \"RFC 8200 3 MUST\" } }\n",
		       "no set of role 'host' in the plan has it");
	assert_refused("test { id = \"a.1\", title = \"Frist\", role = \"host\",\n"
		       "requires = { \"RFC 8200 3 MUST\" } }\n",
		       "title 'Frist' is 'First' in the plan");
	assert_refused("test { id = \"a.1\", title = \"First\", role = \"host\",\n"
		       "requires = { \"RFC 8200 3 MUST\" } }\n",
		       "field 'run': expected a function");
	assert_refused(TEST("") TEST(""), "declared twice, first at area/script.lua:1");
	assert_refused("test { id = ", "area/script.lua:1:");
}

static void test_sandbox(void **state)
{
	(void)state;
	assert_refused("x = 1\n", "'x' cannot be set here");
	assert_refused("local y = x\n", "undeclared name 'x'");
	assert_refused("local y = echo_reqest{}\n",
		       "undeclared name 'echo_reqest', did you mean 'echo_request'?");
	assert_refused("io.open(\"/etc/passwd\")\n", "undeclared name 'io'");
	assert_refused("os.exit(0)\n", "undeclared name 'os'");
	assert_refused("load(\"return 1\")()\n", "undeclared name 'load'");
	assert_refused("pcall(error)\n", "undeclared name 'pcall'");
	assert_refused("debug.getregistry()\n", "undeclared name 'debug'");
	assert_refused("string.format = nil\n", "'format' cannot be set here");
	assert_refused("string.dump(function() end)\n", "undeclared name 'dump'");
	assert_refused("use \"../plan/set\"\n", "expected a name");
	assert_refused("use \"nothing\"\n", "nothing.lua");
	assert_refused("use(\"help\").x = 1\n", "'x' cannot be set here");
	assert_refused("local t = {} while true do t[#t + 1] = string.rep(\"x\", 1 << 20) end\n",
		       "not enough memory");
}

static void test_run(void **state)
{
	struct log log;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(
		run("local help = use \"help\"\n" TEST(
			    "t:note(help.text) t:check(1 == 1, \"one\")\n"
			    "t:check(1 == 2, \"two\", { clause = \"RFC 8200 4 should\" })"),
		    0, &log, &err),
		0);
	assert_string_equal(
		log.text,
		"[1 from the library note 2][1 one RFC 8200 3 MUST 0][0 two RFC 8200 4 should 1]");
	/* An operation that ends the test ends it there. */
	assert_int_equal(run(TEST("t:note(\"a\") t:note(\"b\")"), SCRIPT_STOP, &log, &err),
			 SCRIPT_STOP);
	assert_string_equal(log.text, "[1 a note 2]");
	/* One that fails is no fault of the script. */
	assert_int_equal(run(TEST("t:note(\"a\")"), LAB_ECANCELLED, &log, &err), LAB_ECANCELLED);
	assert_says(&err, "the lab is at fault");
}

/* A node is one object, so that scripts can compare nodes and keep things by them. */
static void test_nodes(void **state)
{
	struct log log;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(
		run(TEST("local seen = { [t.tn1] = t.tn1.name, [t.nut] = t.nut.name }\n"
			 "t:check(t.tn1 == t.tn1 and t.tn1 ~= t.nut, seen[t.tn1] .. seen[t.nut])"),
		    0, &log, &err),
		0);
	assert_string_equal(log.text, "[1 tn1nut RFC 8200 3 MUST 0]");
}

static void test_run_errors(void **state)
{
	(void)state;
	assert_error(TEST("local x = nil; x.y = 1"), "area/script.lua:4:");
	assert_error(TEST("t:check(true, \"x\", { clause = \"RFC 8200 9 MUST\" })"),
		     "'RFC 8200 9 MUST' is not among those");
	assert_error(TEST("t:check(true, \"x\", { clauses = 1 })"), "unknown field 'clauses'");
	assert_error(TEST("t:wait(-1)"), "expected seconds");
	assert_error(TEST("test {}"), "only at the top of a file");
	assert_error(TEST("use \"help\""), "only at the top of a file");
	assert_error(TEST("error({})"), "table");
}

/* Random numbers are the same in every run. */
static void test_random(void **state)
{
	struct log first, second;

	(void)state;
	assert_int_equal(run(TEST("t:note(\"\" .. math.random(1 << 30))"), 0, &first, NULL), 0);
	assert_int_equal(run(TEST("t:note(\"\" .. math.random(1 << 30))"), 0, &second, NULL), 0);
	assert_string_equal(first.text, second.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_declaration),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_refused_declarations),
		cmocka_unit_test(test_sandbox),
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_run_errors),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
