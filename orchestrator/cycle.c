/*
 * The way of a kernel through the lab. All of it is in the database; a lab that
 * starts anew finds each cycle in its state and goes on from there.
 *
 *            skip_install (has a NUT image)
 *       +---------------------------------------+
 *       |     skip_build (has been built)       |
 *       |   +---------------------+             |
 *       |   |                     v             v
 *     wait ----> build ----> install ----> test ----> compare ----> prove ----> done
 *       begin_build  begin_install  begin_test  begin_compare  begin_prove  finish
 *
 *     any of these ---- fail ----> failed       a kernel that does not build, or the
 *                                               lab's own trouble after all retries
 *     any of these --- cancel ---> cancelled
 */
#include "orchestrator/cycle.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "db/db.h"
#include "db/store.h"

/* All sets of this version are for hosts. */
#define ROLE "host"

static const struct {
	const char *name;
	bool is_end;
} states[] = {
#define STATE(state, end) [CYCLE_STATE_##state] = { #state, end },
#include "orchestrator/cycle_states.tbl.h"
};

static const bool moves[CYCLE_STATE_COUNT_][CYCLE_STATE_COUNT_] = {
#define MOVE(from, to, verb) [CYCLE_STATE_##from][CYCLE_STATE_##to] = true,
#include "orchestrator/cycle_states.tbl.h"
};

const char *cycle_state_to_string(enum cycle_state state)
{
	lab_assert(state < CYCLE_STATE_COUNT_);
	return states[state].name;
}

int cycle_state_from_string(const char *text, enum cycle_state *ret_state)
{
	for (size_t i = 0; i < CYCLE_STATE_COUNT_; i++)
		if (strcmp(states[i].name, text) == 0) {
			*ret_state = (enum cycle_state)i;
			return 0;
		}
	return LAB_EINVALID;
}

bool cycle_state_is_end(enum cycle_state state)
{
	lab_assert(state < CYCLE_STATE_COUNT_);
	return states[state].is_end;
}

bool cycle_can_move(enum cycle_state from, enum cycle_state to)
{
	lab_assert(from < CYCLE_STATE_COUNT_ && to < CYCLE_STATE_COUNT_);
	return moves[from][to];
}

/* The only place where a state changes. */
static int move(struct db *db, struct cycle_row *cycle, enum cycle_state to, const char *note,
		struct err *err)
{
	enum cycle_state from = CYCLE_STATE_COUNT_;
	int rc;

	lab_assert(cycle_state_from_string(cycle->state, &from) == 0);
	lab_assert(cycle_can_move(from, to));
	rc = cycle_set_state(db, cycle->cycle_id, states[from].name, states[to].name,
			     states[to].is_end, note, err);
	if (rc < 0)
		return rc;
	free(cycle->state);
	cycle->state = xstrdup(states[to].name);
	return 0;
}

int cycle_begin_build(struct db *db, struct cycle_row *cycle, struct err *err)
{
	return move(db, cycle, CYCLE_STATE_build, NULL, err);
}

int cycle_skip_build(struct db *db, struct cycle_row *cycle, struct err *err)
{
	return move(db, cycle, CYCLE_STATE_install, "has been built before", err);
}

int cycle_begin_install(struct db *db, struct cycle_row *cycle, struct err *err)
{
	return move(db, cycle, CYCLE_STATE_install, NULL, err);
}

/* One run a set, in the order of the configuration. */
static int make_runs(struct db *db, const struct cycle_row *cycle, struct err *err)
{
	auto_json json_t *sets = json_loads(cycle->sets_json, 0, NULL);
	json_t *set;
	size_t i;
	int rc = 0;

	json_array_foreach(sets, i, set) {
		int64_t run_id;

		rc = run_add(db, cycle->cycle_id, cycle->kernel_id, json_string_value(set), ROLE,
			     &run_id, err);
		if (rc < 0)
			break;
	}
	return rc;
}

static int begin_runs(struct db *db, struct cycle_row *cycle, const char *note, struct err *err)
{
	int rc;

	rc = db_begin(db, err);
	if (rc < 0)
		return rc;
	rc = make_runs(db, cycle, err);
	if (rc >= 0)
		rc = move(db, cycle, CYCLE_STATE_test, note, err);
	return db_end(db, rc, err);
}

int cycle_skip_install(struct db *db, struct cycle_row *cycle, struct err *err)
{
	return begin_runs(db, cycle, "has been installed before", err);
}

int cycle_begin_test(struct db *db, struct cycle_row *cycle, struct err *err)
{
	return begin_runs(db, cycle, NULL, err);
}

int cycle_begin_compare(struct db *db, struct cycle_row *cycle, struct err *err)
{
	return move(db, cycle, CYCLE_STATE_compare, NULL, err);
}

int cycle_begin_prove(struct db *db, struct cycle_row *cycle, struct err *err)
{
	return move(db, cycle, CYCLE_STATE_prove, NULL, err);
}

int cycle_finish(struct db *db, struct cycle_row *cycle, const char *note, struct err *err)
{
	return move(db, cycle, CYCLE_STATE_done, note, err);
}

/* What was under way ends with its cycle. */
static int end_early(struct db *db, struct cycle_row *cycle, enum cycle_state to, const char *note,
		     struct err *err)
{
	int rc;

	rc = db_begin(db, err);
	if (rc < 0)
		return rc;
	rc = run_end_unfinished(db, cycle->cycle_id, states[to].name, note, err);
	if (rc >= 0)
		rc = db_run(db, err,
			    "UPDATE kernel SET state = 'new' WHERE kernel_id = ? AND state = "
			    "'building'",
			    DB_INT(cycle->kernel_id));
	if (rc >= 0)
		rc = move(db, cycle, to, note, err);
	return db_end(db, rc, err);
}

int cycle_fail(struct db *db, struct cycle_row *cycle, const char *note, struct err *err)
{
	return end_early(db, cycle, CYCLE_STATE_failed, note, err);
}

int cycle_cancel(struct db *db, struct cycle_row *cycle, const char *note, struct err *err)
{
	return end_early(db, cycle, CYCLE_STATE_cancelled, note, err);
}
