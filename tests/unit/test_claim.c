/* How runners side by side share out their tests. */
#include "runners/claim.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fs.h"
#include "suites/suite.h"
#include "tests/unit/lab_cmocka.h"

static void longest_come_first(void **state)
{
	const struct script_test quick = { .id = "quick", .timeout_s = 30 },
				 other = { .id = "other", .timeout_s = 30 },
				 slow = { .id = "slow", .timeout_s = 7200 },
				 boots = { .id = "boots", .timeout_s = 60, .boots = true };
	struct suite_test tests[] = { { &other, 3 }, { &quick, 0 }, { &slow, 2 }, { &boots, 1 } };
	static const char *const want[] = { "boots", "slow", "quick", "other" };

	(void)state;
	claim_sort(tests, 4);
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(tests[i].test->id, want[i]);
}

static void one_takes_a_test(void **state)
{
	char folder[] = "/tmp/testlab-claim-XXXXXX";
	struct err err = ERR_INIT;

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(claim_take(folder, "v6LC.5.1.6#1", &err), 1);
	assert_int_equal(claim_take(folder, "v6LC.5.1.6#1", &err), 0);
	assert_int_equal(claim_take(folder, "v6LC.5.1.7", &err), 1);
	assert_int_equal(fs_remove_tree(folder, &err), 0);

	assert_true(claim_take(folder, "v6LC.5.1.7", &err) < 0);
	assert_non_null(strstr(err.text, "'v6LC.5.1.7'"));
	assert_non_null(strstr(err.text, folder));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(longest_come_first),
		cmocka_unit_test(one_takes_a_test),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
