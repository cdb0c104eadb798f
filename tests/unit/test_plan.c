/* The plan's files: what is read, and what is refused with file and line. */
#include "suites/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "tests/unit/lab_cmocka.h"

#define HEAD "# title: A set\n# role: host\n"

static void write_set(const char *folder, const char *name, const char *text)
{
	auto_free char *path = path_join(folder, name);

	assert_int_equal(fs_write_file(path, text, strlen(text), 0644, NULL), 0);
}

static void test_sets(void **state)
{
	char *folder = test_folder();
	struct plan *plan = NULL;
	const struct plan_set *set;

	(void)state;
	write_set(folder, "whole.tsv",
		  HEAD "# environment: net.ipv6.conf.default.accept_dad=2\n# a remark\n\n"
		       "a.1\ttest\tFirst\tRFC 1\na.2\tskip\tSecond\t-\na.0\tinit\tReboot\t-\n");
	write_set(folder, "part.tsv", HEAD "# of: whole\na.1\n");
	write_set(folder, "notes.txt", "not a set");
	assert_int_equal(plan_open(folder, &plan, NULL), 0);
	assert_int_equal(plan->set_count, 2);
	set = plan_find(plan, "whole");
	assert_non_null(set);
	assert_int_equal(plan_set_count(set, PLAN_KIND_TEST), 1);
	assert_int_equal(plan_set_count(set, PLAN_KIND_SKIP), 1);
	assert_int_equal(plan_set_count(set, PLAN_KIND_INIT), 1);
	assert_string_equal(set->environment[0], "net.ipv6.conf.default.accept_dad=2");
	assert_null(plan_set_find(set, "a.3"));
	assert_string_equal(plan_set_find(plan_find(plan, "part"), "a.1")->title, "First");
	plan_free(plan);
	(void)fs_remove_tree(folder, NULL);
	free(folder);
}

static void assert_refused(const char *text, const char *why)
{
	char *folder = test_folder();
	struct plan *plan = NULL;
	struct err err = ERR_INIT;

	write_set(folder, "bad.tsv", text);
	assert_true(plan_open(folder, &plan, &err) < 0);
	if (!strstr(err.text, why))
		fail_msg("'%s' does not say '%s'", err.text, why);
	(void)fs_remove_tree(folder, NULL);
	free(folder);
}

static void test_refused(void **state)
{
	(void)state;
	assert_refused(HEAD "a.1\ttest\tFirst\n", "bad.tsv:3: expected four columns");
	assert_refused(HEAD "a.1\ttest\tFirst\t-\tmore\n", "bad.tsv:3: expected four columns");
	assert_refused(HEAD "a.1\tnew\tFirst\t-\n", "bad.tsv:3: expected kind");
	assert_refused(HEAD "a.1\ttest\tA\t-\na.1\ttest\tB\t-\n", "bad.tsv:4: listed twice");
	assert_refused(HEAD "a 1\ttest\tA\t-\n", "bad.tsv:3: not a test id");
	assert_refused(HEAD "# environment: a=b;reboot\na.1\ttest\tA\t-\n", "bad.tsv:3: setting");
	assert_refused(HEAD, "rows");
	assert_refused("a.1\ttest\tA\t-\n", "'# title:'");
	assert_refused(HEAD "# of: nothing\na.1\n", "no complete set 'nothing'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
