#include "runners/attempt.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/time.h"
#include "packets/packet.h"
#include "runners/context.h"
#include "runners/link.h"
#include "runners/loop.h"
#include "runners/target.h"

#define PING_TIMEOUT_MS 10000
#define BUSY_NOTED_NS   NS_PER_SECOND /* a NUT that is busy for so long is mentioned */

/* Times of one attempt, host clock. */
struct times {
	int64_t started_us; /* wall clock */
	int64_t begin_ns;
	int64_t restore_ns;
	int64_t end_of_test_ns;
	int64_t clock_ns; /* of the run's clock */
};

/* The outcome is this, whatever the test said. */
static void overrule(struct context *context, enum verdict verdict, const char *reason,
		     const char *signature)
{
	free(context->reason);
	free(context->signature);
	context->reason = NULL;
	context->signature = NULL;
	context->verdict = VERDICT_PASS;
	context_decide(context, verdict, reason, signature);
}

/*
 * A kernel that crashes under a test has failed it. A NUT that hangs or vanishes
 * may be our doing: only when a second one does the same it is the kernel's.
 */
static bool judge_state(struct attempt *attempt, struct context *context)
{
	enum nut_state state = attempt->target->ops->state(attempt->target->self);
	const char *name = nut_state_to_string(state);
	auto_free char *signature = xasprintf("%s %s", attempt->test->id, name);
	auto_free char *reason = xasprintf("the NUT is in state '%s': %s", name,
					   attempt->target->ops->trouble(attempt->target->self));

	switch (state) {
	case NUT_STATE_PANIC:
	case NUT_STATE_OOPS:
		overrule(context, VERDICT_FAIL, reason, signature);
		return true;
	case NUT_STATE_HUNG:
	case NUT_STATE_GONE:
		attempt->hung = true;
		if (attempt->hung_before)
			overrule(context, VERDICT_FAIL, reason, signature);
		else
			overrule(context, VERDICT_ERROR, reason, NULL);
		return true;
	case NUT_STATE_LOST:
	case NUT_STATE_STOPPED:
		overrule(context, VERDICT_ERROR, reason, NULL);
		return true;
	case NUT_STATE_STARTING:
	case NUT_STATE_READY:
		return false;
	}
	return false;
}

/* Frames that the link counted but the trace does not have would make a verdict worthless. */
static int check_counters(const struct context *context, const struct link_counters *before,
			  struct err *err)
{
	struct link_counters after;
	int rc;

	/* Frames that the link has taken in and counted may wait to be delivered. */
	rc = loop_run(context->loop, loop_now_ns(context->loop), NULL, err);
	if (rc < 0)
		return rc;
	link_get_counters(context->link, &after);
	if (context->trace.overflow)
		return err_set(err, LAB_ELIMIT, "more than %u bytes on the link", TRACE_BYTES_MAX);
	if (context->link_error)
		return err_set(err, context->link_error, "a node could not answer: %s",
			       err_name(context->link_error));
	if (after.dropped != before->dropped)
		return err_set(err, LAB_EFAIL, "the host dropped %llu frames of the link",
			       (unsigned long long)(after.dropped - before->dropped));
	if (after.nut_dropped != before->nut_dropped)
		return err_set(err, LAB_EFAIL, "the NUT never saw %llu frames",
			       (unsigned long long)(after.nut_dropped - before->nut_dropped));
	if (after.sent - before->sent != context->trace.sent ||
	    after.received - before->received != context->trace.received)
		return err_set(err, LAB_EFAIL,
			       "the link counted %llu frames sent and %llu received, the capture "
			       "has %llu and %llu",
			       (unsigned long long)(after.sent - before->sent),
			       (unsigned long long)(after.received - before->received),
			       (unsigned long long)context->trace.sent,
			       (unsigned long long)context->trace.received);
	return 0;
}

/* Whether to believe what the script came to; `rc` is script_run()'s answer. */
static void judge_trust(struct attempt *attempt, struct context *context, int rc,
			const struct link_counters *before, struct err *err)
{
	struct err ping = ERR_INIT;
	bool alive;

	if (judge_state(attempt, context))
		return;
	alive = attempt->target->ops->ping(attempt->target->self, PING_TIMEOUT_MS, &ping);
	/* The console may have told more while the ping was under way. */
	if (judge_state(attempt, context))
		return;
	if (rc >= 0 && !alive)
		rc = err_set(err, LAB_EVIRT, "the guest agent does not answer: %s", ping.text);
	if (rc >= 0)
		rc = check_counters(context, before, err);
	if (rc >= 0)
		rc = loop_check_clock(attempt->loop, err);
	if (rc >= 0 && !context->judged && context->verdict == VERDICT_PASS)
		rc = err_set(err, LAB_EFAIL, "the test judged nothing");
	if (rc < 0)
		overrule(context, VERDICT_ERROR, err->text, NULL);
}

/* --- evidence -------------------------------------------------------------- */

/* Ids have characters that file names should not. */
static char *file_stem(const char *id, unsigned number)
{
	char *stem = xasprintf("%s.%u", id, number);

	for (char *p = stem; *p; p++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-",
			    *p))
			*p = '_';
	return stem;
}

static int write_capture(const struct attempt *attempt, const struct context *context,
			 const char *stem, json_t *report, struct err *err)
{
	auto_free char *name = xasprintf("%s.pcapng", stem);
	auto_free char *path = path_join(attempt->folder, name);
	auto_free char *comment = xasprintf("%s %s\n%s clock", attempt->test->id,
					    attempt->test->title, context->trace.clock);
	int rc = trace_write_capture(&context->trace, path, comment,
				     loop_get_epoch_ns(attempt->loop), err);

	if (!rc)
		(void)json_object_set_new(report, "capture", json_string(name));
	return rc;
}

static int write_console(const struct attempt *attempt, int64_t offset, const char *stem,
			 json_t *report, struct err *err)
{
	auto_free char *text = attempt->target->ops->console_text(attempt->target->self, offset);
	auto_free char *name = xasprintf("%s.console.txt", stem);
	auto_free char *path = path_join(attempt->folder, name);
	int rc;

	if (!text || !*text)
		return 0;
	rc = fs_write_file(path, text, strlen(text), 0644, err);
	if (!rc)
		(void)json_object_set_new(report, "console", json_string(name));
	return rc;
}

static json_t *clauses_to_json(const struct script_test *test)
{
	json_t *clauses = json_array();

	for (unsigned i = 0; test->clauses[i]; i++)
		(void)json_array_append_new(clauses, json_string(test->clauses[i]));
	return clauses;
}

static json_t *new_report(const struct attempt *attempt)
{
	return json_pack("{s:s,s:s,s:s,s:I,s:i,s:s,s:n,s:n,s:s,s:s,s:o,s:n,s:n}", "event", "test",
			 "id", attempt->test->id, "title", attempt->test->title, "position",
			 (json_int_t)attempt->position, "attempt", (int)attempt->number, "verdict",
			 verdict_to_string(attempt->verdict), "reason", "signature", "test_version",
			 attempt->test->version, "clock",
			 clock_kind_to_string(attempt->loop ? loop_get_clock(attempt->loop)
							    : CLOCK_KIND_REAL),
			 "clauses", clauses_to_json(attempt->test), "capture", "console");
}

static void set_text(json_t *report, const char *key, const char *text)
{
	if (text)
		(void)json_object_set_new(report, key, json_string_lossy(text, strlen(text)));
}

static void set_time(json_t *report, const char *key, int64_t value)
{
	(void)json_object_set_new(report, key, json_integer(value));
}

json_t *attempt_report_failed(const struct attempt *attempt, const char *reason)
{
	json_t *report = new_report(attempt);

	set_text(report, "reason", reason);
	set_time(report, "started_us", time_wall_us());
	set_time(report, "wall_ns", 0);
	set_time(report, "clock_ns", 0);
	set_time(report, "restore_ns", 0);
	set_time(report, "teardown_ns", 0);
	(void)json_object_set_new(report, "steps", json_array());
	return report;
}

static json_t *make_report(struct attempt *attempt, struct context *context,
			   const struct times *times, int64_t console_offset)
{
	auto_free char *stem = file_stem(attempt->test->id, attempt->number);
	json_t *evidence = json_object();
	struct err err = ERR_INIT;
	json_t *report;

	if (write_capture(attempt, context, stem, evidence, &err) < 0 ||
	    write_console(attempt, console_offset, stem, evidence, &err) < 0)
		overrule(context, VERDICT_ERROR, err.text, NULL);
	attempt->verdict = context->verdict;
	report = new_report(attempt);
	(void)json_object_update_new(report, evidence);
	set_text(report, "reason", context->reason);
	set_text(report, "signature", context->signature);
	set_time(report, "started_us", times->started_us);
	set_time(report, "restore_ns", times->restore_ns);
	set_time(report, "clock_ns", times->clock_ns);
	set_time(report, "teardown_ns", time_monotonic_ns() - times->end_of_test_ns);
	set_time(report, "wall_ns", time_monotonic_ns() - times->begin_ns);
	(void)json_object_set(report, "steps", context->trace.steps);
	return report;
}

/* --- the attempt ----------------------------------------------------------- */

/* A kernel that is never idle is worth knowing of, and why the test took so long. */
static int note_busy(struct context *context, int64_t busy_ns, struct err *err)
{
	auto_free char *text = NULL;

	if (busy_ns < BUSY_NOTED_NS)
		return 0;
	text = xasprintf("the NUT was busy for %.1f s without a pause", (double)busy_ns / 1e9);
	return trace_add_step(&context->trace, "note", loop_now_ns(context->loop), true, text, NULL,
			      err);
}

int attempt_run(struct attempt *attempt, json_t **ret_report, struct err *err)
{
	struct times times = { .started_us = time_wall_us(), .begin_ns = time_monotonic_ns() };
	int64_t console_offset = attempt->target->ops->console_size(attempt->target->self);
	struct err reason = ERR_INIT;
	struct link_counters before;
	struct context context;
	int rc = attempt->target->ops->load(attempt->target->self, &reason);

	times.restore_ns = time_monotonic_ns() - times.begin_ns;
	link_get_counters(attempt->link, &before);
	context_init(&context, attempt->loop, attempt->link, attempt->target, attempt->test,
		     attempt->nut_link_local);
	context.set_environment = attempt->set_environment;
	*attempt->current = &context;
	(void)loop_take_busy_ns(attempt->loop); /* of what was before */
	if (!rc)
		rc = context_apply_environment(&context, &reason);
	if (!rc)
		rc = script_run(attempt->scripts, attempt->test, &context_ops, &context, &reason);
	if (!rc)
		rc = note_busy(&context, loop_take_busy_ns(attempt->loop), &reason);
	times.clock_ns = loop_now_ns(attempt->loop) - context.trace.start_ns;
	times.end_of_test_ns = time_monotonic_ns();
	if (rc != LAB_ECANCELLED)
		judge_trust(attempt, &context, rc, &before, &reason);
	*attempt->current = NULL;
	if (rc == LAB_ECANCELLED)
		rc = err_set(err, rc, "%s", reason.text);
	else
		*ret_report = make_report(attempt, &context, &times, console_offset);
	context_release(&context);
	return rc == LAB_ECANCELLED ? rc : 0;
}
