/* The API: parameters to queries, answers to JSON, changes to the orchestrator. */
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "db/query.h"
#include "orchestrator/orchestrator.h"
#include "web/routes.h"

#define LIMIT_DEFAULT 100

static struct query_page get_page(const struct exchange *exchange)
{
	return (struct query_page){
		.limit = exchange_int(exchange, "limit", LIMIT_DEFAULT),
		.cursor = exchange_int(exchange, "cursor", 0),
	};
}

/*
 * The usual end of a handler: *value was written if rc >= 0. A pointer, because the
 * query that writes it stands in the same list of arguments.
 */
static int reply(struct exchange *exchange, int rc, json_t *const *value)
{
	return rc < 0 ? rc : exchange_reply_json(exchange, *value);
}

/* --- reading -------------------------------------------------------------------- */

int api_status(struct exchange *exchange, struct err *err)
{
	json_t *value = NULL;
	int rc = query_status(exchange->db, &value, err);

	if (rc >= 0)
		json_object_set_new(value, "version", json_string(LAB_VERSION));
	return reply(exchange, rc, &value);
}

int api_releases(struct exchange *exchange, struct err *err)
{
	const struct query_release_filter filter = {
		.series = exchange_text(exchange, "series"),
		.source = exchange_text(exchange, "source"),
	};
	json_t *value = NULL;

	return reply(exchange,
		     query_releases(exchange->db, &filter, get_page(exchange), &value, err),
		     &value);
}

int api_kernels(struct exchange *exchange, struct err *err)
{
	const struct query_kernel_filter filter = {
		.series = exchange_text(exchange, "series"),
		.state = exchange_text(exchange, "state"),
		.release_id = exchange_int(exchange, "release", 0),
	};
	json_t *value = NULL;

	return reply(exchange,
		     query_kernels(exchange->db, &filter, get_page(exchange), &value, err), &value);
}

int api_kernel(struct exchange *exchange, struct err *err)
{
	json_t *value = NULL;

	return reply(
		exchange,
		query_kernel(exchange->db, exchange_int(exchange, "kernel_id", 0), &value, err),
		&value);
}

int api_runs(struct exchange *exchange, struct err *err)
{
	const struct query_run_filter filter = {
		.kernel_id = exchange_int(exchange, "kernel", 0),
		.cycle_id = exchange_int(exchange, "cycle", 0),
		.set_name = exchange_text(exchange, "set"),
		.state = exchange_text(exchange, "state"),
	};
	json_t *value = NULL;

	return reply(exchange, query_runs(exchange->db, &filter, get_page(exchange), &value, err),
		     &value);
}

int api_run(struct exchange *exchange, struct err *err)
{
	json_t *value = NULL;

	return reply(exchange,
		     query_run(exchange->db, exchange_int(exchange, "run_id", 0), &value, err),
		     &value);
}

int api_run_verdicts(struct exchange *exchange, struct err *err)
{
	const char *attempts = exchange_text(exchange, "attempts");
	const struct query_verdict_filter filter = {
		.verdict = exchange_text(exchange, "verdict"),
		.all_attempts = attempts && strcmp(attempts, "all") == 0,
	};
	json_t *value = NULL;

	return reply(exchange,
		     query_verdicts(exchange->db, exchange_int(exchange, "run_id", 0), &filter,
				    get_page(exchange), &value, err),
		     &value);
}

int api_verdict(struct exchange *exchange, struct err *err)
{
	json_t *value = NULL;

	return reply(
		exchange,
		query_verdict(exchange->db, exchange_int(exchange, "verdict_id", 0), &value, err),
		&value);
}

int api_diffs(struct exchange *exchange, struct err *err)
{
	const struct query_diff_filter filter = {
		.run_id = exchange_int(exchange, "run", 0),
		.set_name = exchange_text(exchange, "set"),
	};
	json_t *value = NULL;

	return reply(exchange, query_diffs(exchange->db, &filter, get_page(exchange), &value, err),
		     &value);
}

int api_diff(struct exchange *exchange, struct err *err)
{
	json_t *value = NULL;

	return reply(exchange,
		     query_diff(exchange->db, exchange_int(exchange, "diff_id", 0), &value, err),
		     &value);
}

int api_diff_of(struct exchange *exchange, struct err *err)
{
	json_t *value = NULL;

	return reply(exchange,
		     query_diff_of(exchange->db, exchange_int(exchange, "old_run_id", 0),
				   exchange_int(exchange, "new_run_id", 0), &value, err),
		     &value);
}

int api_test(struct exchange *exchange, struct err *err)
{
	json_t *value = NULL;

	return reply(exchange,
		     query_test(exchange->db, exchange_text(exchange, "test_id"),
				exchange_text(exchange, "set"), get_page(exchange), &value, err),
		     &value);
}

int api_sets(struct exchange *exchange, struct err *err)
{
	json_t *value = NULL;

	return reply(exchange, query_sets(exchange->db, &value, err), &value);
}

int api_clauses(struct exchange *exchange, struct err *err)
{
	const char *covered = exchange_text(exchange, "covered");
	const struct query_clause_filter filter = {
		.rfc = exchange_int(exchange, "rfc", 0),
		.covered = covered ? strcmp(covered, "yes") == 0 : -1,
	};
	json_t *value = NULL;

	return reply(exchange, query_clauses(exchange->db, &filter, &value, err), &value);
}

int api_sources(struct exchange *exchange, struct err *err)
{
	json_t *value = NULL;

	return reply(exchange, query_sources(exchange->db, &value, err), &value);
}

int api_cycles(struct exchange *exchange, struct err *err)
{
	const char *active = exchange_text(exchange, "active");
	const struct query_cycle_filter filter = {
		.kernel_id = exchange_int(exchange, "kernel", 0),
		.state = exchange_text(exchange, "state"),
		.active = !active ? -1 : strcmp(active, "yes") == 0,
	};
	json_t *value = NULL;

	return reply(exchange, query_cycles(exchange->db, &filter, get_page(exchange), &value, err),
		     &value);
}

int api_cycle(struct exchange *exchange, struct err *err)
{
	json_t *value = NULL;

	return reply(exchange,
		     query_cycle(exchange->db, exchange_int(exchange, "cycle_id", 0), &value, err),
		     &value);
}

int api_jobs(struct exchange *exchange, struct err *err)
{
	const struct query_job_filter filter = {
		.cycle_id = exchange_int(exchange, "cycle", 0),
		.state = exchange_text(exchange, "state"),
	};
	json_t *value = NULL;

	return reply(exchange, query_jobs(exchange->db, &filter, get_page(exchange), &value, err),
		     &value);
}

int api_decisions(struct exchange *exchange, struct err *err)
{
	const struct query_decision_filter filter = {
		.area = exchange_text(exchange, "area"),
		.kernel_id = exchange_int(exchange, "kernel", 0),
		.run_id = exchange_int(exchange, "run", 0),
		.diff_id = exchange_int(exchange, "diff", 0),
		.source_id = exchange_int(exchange, "source", 0),
	};
	json_t *value = NULL;

	return reply(exchange,
		     query_decisions(exchange->db, &filter, get_page(exchange), &value, err),
		     &value);
}

/* --- changing -------------------------------------------------------------------- */

/* Ask the orchestrator; takes the reference of `question`. */
static int ask(struct exchange *exchange, json_t *question, struct err *err)
{
	auto_json json_t *owned = question;
	struct orchestrator *orchestrator = server_get_orchestrator(exchange->server);
	json_t *answer = NULL;
	int rc;

	if (!orchestrator)
		return err_set(err, LAB_EBUSY, "the lab takes no orders at present");
	json_object_set_new(owned, "by", json_string("api"));
	rc = orchestrator_ask(orchestrator, owned, &answer, err);
	if (rc < 0)
		return rc;
	exchange->response->status = 202;
	return exchange_reply_json(exchange, answer);
}

int api_post_cycle(struct exchange *exchange, struct err *err)
{
	static const char *const keys[] = { "kernel_id", "release", "image", "modules",
					    "name",      "sets",    NULL };
	const json_t *body = exchange->request->body;
	json_t *question;
	int rc;

	rc = json_only_keys(body, keys, err);
	if (rc < 0)
		return rc;
	question = json_copy((json_t *)(uintptr_t)body);
	json_object_set_new(question, "do", json_string("trigger"));
	return ask(exchange, question, err);
}

int api_post_cancel(struct exchange *exchange, struct err *err)
{
	return ask(exchange,
		   json_pack("{s:s, s:I}", "do", "cancel", "cycle_id",
			     (json_int_t)exchange_int(exchange, "cycle_id", 0)),
		   err);
}

int api_post_poll(struct exchange *exchange, struct err *err)
{
	return ask(exchange,
		   json_pack("{s:s, s:s}", "do", "poll", "source", exchange_text(exchange, "name")),
		   err);
}
