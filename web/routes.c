/* The table. */
#include "web/routes.h"

#include <stddef.h>

#define MAX_ID INT64_MAX

#define ID(name, text)                                                                             \
	{                                                                                          \
		name, PARAM_INTEGER, text, NULL, 1, MAX_ID                                         \
	}
#define TEXT(name, text)                                                                           \
	{                                                                                          \
		name, PARAM_TEXT, text, NULL, 0, 0                                                 \
	}
#define WORD(name, words, text)                                                                    \
	{                                                                                          \
		name, PARAM_WORD, text, words, 0, 0                                                \
	}
#define PAGING                                                                                     \
	{ "limit", PARAM_INTEGER, "most items in the answer, 100 unless given", NULL, 1, 1000 },   \
	{                                                                                          \
		"cursor", PARAM_INTEGER, "'next' of the answer before: what follows it", NULL, 1,  \
			MAX_ID                                                                     \
	}
#define END                                                                                        \
	{                                                                                          \
		.name = NULL                                                                       \
	}
#define PARAMS(...) ((const struct param[]){ __VA_ARGS__, END })

#define RUN_STATES "queued|running|done|failed|cancelled"

/* clang-format off: a table is read by its columns */
const struct route routes[] = {
	/* --- API: reading --- */
	{ "/api/v1/status", api_status, NULL,
	  "Health of the lab, what is going on, and how much there is", "Status", NULL, false,
	  true },
	{ "/api/v1/releases", api_releases,
	  PARAMS(TEXT("series", "only of this series"), TEXT("source", "only from this source"),
		 PAGING),
	  "Releases that were found, newest first", "Releases", NULL, false, true },
	{ "/api/v1/kernels", api_kernels,
	  PARAMS(TEXT("series", "only of this series"),
		 WORD("state", "new|building|built|installed|failed", "only in this state"),
		 ID("release", "only of the release with this id"), PAGING),
	  "Kernels with their newest run of every set, newest first", "Kernels", NULL, false,
	  true },
	{ "/api/v1/kernels/{kernel_id}", api_kernel, PARAMS(ID("kernel_id", "the kernel")),
	  "One kernel with runs, files, configuration changes and decisions", "Kernel", NULL, false,
	  true },
	{ "/api/v1/runs", api_runs,
	  PARAMS(ID("kernel", "only of this kernel"), ID("cycle", "only of this cycle"),
		 TEXT("set", "only of this set"), WORD("state", RUN_STATES, "only in this state"),
		 PAGING),
	  "Runs, newest first", "Runs", NULL, false, true },
	{ "/api/v1/runs/{run_id}", api_run, PARAMS(ID("run_id", "the run")),
	  "One run with its counts, diffs and files", "Run", NULL, false, true },
	{ "/api/v1/runs/{run_id}/verdicts", api_run_verdicts,
	  PARAMS(ID("run_id", "the run"),
		 WORD("verdict", "PASS|WARN|FAIL|SKIP|UNSUPPORTED|ERROR", "only this verdict"),
		 WORD("attempts", "final|all", "those that count, or all; final unless given"),
		 PAGING),
	  "Verdicts of a run in the order of its set, without steps", "Verdicts", NULL, false,
	  true },
	{ "/api/v1/verdicts/{verdict_id}", api_verdict, PARAMS(ID("verdict_id", "the verdict")),
	  "One verdict with every step, what was expected and what came", "Verdict", NULL, false,
	  true },
	{ "/api/v1/diffs", api_diffs,
	  PARAMS(ID("run", "only with this run on either side"), TEXT("set", "only of this set"),
		 PAGING),
	  "Comparisons that the lab made, newest first", "Diffs", NULL, false, true },
	{ "/api/v1/diffs/{diff_id}", api_diff, PARAMS(ID("diff_id", "the diff")),
	  "One comparison, test by test", "Diff", NULL, false, true },
	{ "/api/v1/diffs/of/{old_run_id}/{new_run_id}", api_diff_of,
	  PARAMS(ID("old_run_id", "the run to compare with"), ID("new_run_id", "the run to judge")),
	  "Any two runs of one set, compared now", "Diff", NULL, false, true },
	{ "/api/v1/tests/{test_id}", api_test,
	  PARAMS(TEXT("test_id", "the test; '/' in it is written %2F"),
		 TEXT("set", "only in runs of this set"), PAGING),
	  "What came of one test in every run, newest first", "Test", NULL, false, true },
	{ "/api/v1/sets", api_sets, NULL, "The test sets, and how many of their tests exist",
	  "Sets", NULL, false, true },
	{ "/api/v1/clauses", api_clauses,
	  PARAMS(ID("rfc", "only of this RFC"),
		 WORD("covered", "yes|no", "those that a test names, or the others")),
	  "What the RFCs require, and the tests that check it", "Clauses", NULL, false, true },
	{ "/api/v1/sources", api_sources, NULL, "Where releases come from", "Sources", NULL, false,
	  true },
	{ "/api/v1/cycles", api_cycles,
	  PARAMS(ID("kernel", "only of this kernel"), TEXT("state", "only in this state"),
		 WORD("active", "yes|no", "unfinished ones in the order of work, or finished ones"),
		 PAGING),
	  "Ways of kernels through the lab, newest first", "Cycles", NULL, false, true },
	{ "/api/v1/cycles/{cycle_id}", api_cycle, PARAMS(ID("cycle_id", "the cycle")),
	  "One cycle with its moves, jobs and runs", "Cycle", NULL, false, true },
	{ "/api/v1/jobs", api_jobs,
	  PARAMS(ID("cycle", "only of this cycle"),
		 WORD("state", "running|done|failed|interrupted|cancelled", "only in this state"),
		 PAGING),
	  "Child processes at work and done, newest first", "Jobs", NULL, false, true },
	{ "/api/v1/decisions", api_decisions,
	  PARAMS(WORD("area", "source|build|test|compare|health|lab", "only of this area"),
		 ID("kernel", "only about this kernel"), ID("run", "only about this run"),
		 ID("diff", "only about this diff"), ID("source", "only about this source"),
		 PAGING),
	  "What the lab decided and why, newest first", "Decisions", NULL, false, true },
	{ "/api/v1/artifacts/{sha256}", api_artifact,
	  PARAMS({ "sha256", PARAM_SHA256, "SHA-256 of the bytes", NULL, 0, 0 }),
	  "Stored bytes by their hash", NULL, NULL, false, true },
	{ "/api/v1/files/{file_id}", api_file, PARAMS(ID("file_id", "the file")),
	  "Stored bytes by the file that they are", NULL, NULL, false, true },
	{ "/api/v1/openapi.json", api_openapi, NULL, "This description", "OpenAPI", NULL, false,
	  true },

	/* --- API: changing --- */
	{ "/api/v1/cycles", api_post_cycle, NULL, "Have a kernel built (if need be) and tested",
	  "Accepted", "Trigger", true, true },
	{ "/api/v1/cycles/{cycle_id}/cancel", api_post_cancel, PARAMS(ID("cycle_id", "the cycle")),
	  "Give a cycle up", "Accepted", NULL, true, true },
	{ "/api/v1/sources/{name}/poll", api_post_poll, PARAMS(TEXT("name", "the source")),
	  "Look for new releases now", "Accepted", NULL, true, true },

	/* --- pages --- */
	{ "/", page_front,
	  PARAMS(TEXT("series", "only of this series"),
		 { "cursor", PARAM_INTEGER, "older kernels", NULL, 1, MAX_ID }),
	  "Kernels by test sets", NULL, NULL, false, false },
	{ "/kernels/{kernel_id}", page_kernel, PARAMS(ID("kernel_id", "the kernel")), "One kernel",
	  NULL, NULL, false, false },
	{ "/runs/{run_id}", page_run, PARAMS(ID("run_id", "the run")), "One run", NULL, NULL, false,
	  false },
	{ "/verdicts/{verdict_id}", page_verdict, PARAMS(ID("verdict_id", "the verdict")),
	  "One verdict with its evidence", NULL, NULL, false, false },
	{ "/diffs", page_diffs,
	  PARAMS(ID("old", "run to compare with"), ID("new", "run to judge"),
		 TEXT("set", "only of this set"),
		 { "cursor", PARAM_INTEGER, "older diffs", NULL, 1, MAX_ID }),
	  "Comparisons", NULL, NULL, false, false },
	{ "/diffs/{diff_id}", page_diff, PARAMS(ID("diff_id", "the diff")), "One comparison", NULL,
	  NULL, false, false },
	{ "/diffs/of/{old_run_id}/{new_run_id}", page_diff_of,
	  PARAMS(ID("old_run_id", "the run to compare with"), ID("new_run_id", "the run to judge")),
	  "Two runs compared", NULL, NULL, false, false },
	{ "/tests/{test_id}", page_test,
	  PARAMS(TEXT("test_id", "the test"), TEXT("set", "only in runs of this set"),
		 { "cursor", PARAM_INTEGER, "older runs", NULL, 1, MAX_ID }),
	  "History of a test", NULL, NULL, false, false },
	{ "/releases", page_releases,
	  PARAMS(TEXT("series", "only of this series"), TEXT("source", "only from this source"),
		 { "cursor", PARAM_INTEGER, "older releases", NULL, 1, MAX_ID }),
	  "Releases and sources", NULL, NULL, false, false },
	{ "/sets", page_sets, NULL, "Test sets", NULL, NULL, false, false },
	{ "/clauses", page_clauses,
	  PARAMS(ID("rfc", "only of this RFC"),
		 WORD("covered", "yes|no", "those that a test names, or the others")),
	  "What the RFCs require, and the tests of it", NULL, NULL, false, false },
	{ "/queue", page_queue,
	  PARAMS({ "cursor", PARAM_INTEGER, "older cycles", NULL, 1, MAX_ID }),
	  "What is, will be and was done", NULL, NULL, false, false },
	{ "/cycles/{cycle_id}", page_cycle, PARAMS(ID("cycle_id", "the cycle")), "One cycle", NULL,
	  NULL, false, false },
	{ "/decisions", page_decisions,
	  PARAMS(WORD("area", "source|build|test|compare|health|lab", "only of this area"),
		 { "cursor", PARAM_INTEGER, "older decisions", NULL, 1, MAX_ID }),
	  "What was decided and why", NULL, NULL, false, false },
	{ "/api", page_api, NULL, "About the API", NULL, NULL, false, false },
	{ "/static/{name}", static_file, PARAMS(TEXT("name", "the file"), TEXT("v", "its version")),
	  "Style, script, icon", NULL, NULL, false, false },
	{ .path = NULL },
};
/* clang-format on */
