/* The clauses' files: what is read, what is refused with file and line, and the real ones. */
#include "suites/clause.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "suites/suite.h"
#include "tests/unit/lab_cmocka.h"

#define HEAD "# title: A protocol\n"

static void write_file(const char *folder, const char *name, const char *text)
{
	auto_free char *path = path_join(folder, name);

	assert_int_equal(fs_write_file(path, text, strlen(text), 0644, NULL), 0);
}

static void test_files(void **state)
{
	char *folder = test_folder();
	struct clause_list *list = NULL;
	const struct clause *clause;

	(void)state;
	write_file(folder, "rfc10001.tsv", HEAD "1\tMUST\tlater\tboth\n");
	write_file(folder, "rfc8200.tsv",
		   HEAD "# a remark\n\n4.5\tmust not\tone\thost\n4\tshould\ttwo\trouter\n"
			"4.5\tmust not\tthree\tboth\n");
	write_file(folder, "notes.tsv", "not an RFC");
	assert_int_equal(clause_list_open(folder, &list, NULL), 0);
	assert_int_equal(list->count, 3);
	assert_string_equal(list->clauses[0].name, "RFC 8200 4.5 must not");
	assert_string_equal(list->clauses[2].name, "RFC 10001 1 MUST");
	clause = clause_list_find(list, "RFC 8200 4.5 must not");
	assert_non_null(clause);
	assert_int_equal(clause->requirement_count, 2);
	assert_string_equal(clause->requirements[1].summary, "three");
	assert_int_equal(clause->requirements[0].who, CLAUSE_WHO_HOST);
	assert_string_equal(clause->file->title, "A protocol");
	assert_null(clause_list_find(list, "RFC 8200 4.5 MUST NOT"));
	clause_list_free(list);
	(void)fs_remove_tree(folder, NULL);
	free(folder);
}

static void assert_refused(const char *text, const char *why)
{
	char *folder = test_folder();
	struct clause_list *list = NULL;
	struct err err = ERR_INIT;

	write_file(folder, "rfc8200.tsv", text);
	assert_true(clause_list_open(folder, &list, &err) < 0);
	if (!strstr(err.text, why))
		fail_msg("'%s' does not say '%s'", err.text, why);
	(void)fs_remove_tree(folder, NULL);
	free(folder);
}

static void test_refused(void **state)
{
	(void)state;
	assert_refused(HEAD "4\tmust\tone\n", "rfc8200.tsv:2: expected section, level, summary");
	assert_refused(HEAD "4\tmust\tone\thost\tmore\n", "rfc8200.tsv:2: expected section, level");
	assert_refused(HEAD "4\tmight\tone\thost\n", "rfc8200.tsv:2: expected section and level");
	assert_refused(HEAD "four\tmust\tone\thost\n", "rfc8200.tsv:2: expected section and level");
	assert_refused(HEAD "4\tmust\t\thost\n", "rfc8200.tsv:2: no summary");
	assert_refused(HEAD "\n4\tmust\tone\tall\n",
		       "rfc8200.tsv:3: expected host, router or both");
	assert_refused(HEAD "4\tmust\tone\thost\n4\tmust\tone\thost\n",
		       "rfc8200.tsv:3: listed twice");
	assert_refused(HEAD, "rows");
	assert_refused("4\tmust\tone\thost\n", "'# title:'");
}

/* Of the tests that exist, none names a clause that is in no list. */
static void test_real_lists(void **state)
{
	struct clause_list *list = NULL;
	struct suite *suite = NULL;
	struct err err = ERR_INIT;
	auto_free char *data = NULL;
	auto_json json_t *clauses = NULL;
	const json_t *clause;
	size_t i, covered = 0;

	(void)state;
	assert_int_equal(fs_find_data(&data, NULL), 0);
	assert_int_equal(suite_open(data, &suite, NULL), 0);
	auto_free char *folder = path_join(data, "suites/clauses");
	if (clause_list_open(folder, &list, &err) < 0 || clause_list_check(list, suite, &err) < 0)
		fail_msg("%s", err.text);
	clauses = clause_list_to_json(list, suite);
	json_array_foreach(clauses, i, clause)
		covered += json_array_size(json_object_get(clause, "tests")) > 0;
	assert_true(covered > 0 && covered < list->count);
	clause_list_free(list);
	suite_close(suite);
}

/* A test that names one is told. */
static void test_unlisted(void **state)
{
	char *folder = test_folder();
	struct clause_list *list = NULL;
	struct suite *suite = NULL;
	struct err err = ERR_INIT;
	auto_free char *data = NULL;

	(void)state;
	write_file(folder, "rfc1.tsv", HEAD "4\tmust\tone\thost\n");
	assert_int_equal(fs_find_data(&data, NULL), 0);
	assert_int_equal(suite_open(data, &suite, NULL), 0);
	assert_int_equal(clause_list_open(folder, &list, NULL), 0);
	assert_int_equal(clause_list_check(list, suite, &err), LAB_EINVALID);
	assert_non_null(strstr(err.text, "is in no file of suites/clauses"));
	clause_list_free(list);
	suite_close(suite);
	(void)fs_remove_tree(folder, NULL);
	free(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_real_lists),
		cmocka_unit_test(test_unlisted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
