/*
 * The state machine of a cycle: which moves there are, and one function for
 * each, which makes the move in the database together with what belongs to it.
 * Callers put a move and what led to it into one transaction. A move that is not
 * in the table is a bug and asserts.
 */
#pragma once

#include <stdbool.h>

struct cycle_row;
struct db;
struct err;

enum cycle_state {
#define STATE(name, is_end) CYCLE_STATE_##name,
#include "orchestrator/cycle_states.tbl.h"
	CYCLE_STATE_COUNT_
};

const char *cycle_state_to_string(enum cycle_state state);
/* 0, or LAB_EINVALID for a word that is no state. */
int cycle_state_from_string(const char *text, enum cycle_state *ret_state);
bool cycle_state_is_end(enum cycle_state state);
bool cycle_can_move(enum cycle_state from, enum cycle_state to);

/* Each sets cycle->state as well; `note` may be NULL. */
int cycle_begin_build(struct db *db, struct cycle_row *cycle, struct err *err);
int cycle_skip_build(struct db *db, struct cycle_row *cycle, struct err *err);
/* From `wait`; makes the runs. */
int cycle_skip_install(struct db *db, struct cycle_row *cycle, struct err *err);
/* The kernel is built. */
int cycle_begin_install(struct db *db, struct cycle_row *cycle, struct err *err);
/* The kernel is installed; makes the runs. */
int cycle_begin_test(struct db *db, struct cycle_row *cycle, struct err *err);
int cycle_begin_compare(struct db *db, struct cycle_row *cycle, struct err *err);
int cycle_begin_prove(struct db *db, struct cycle_row *cycle, struct err *err);
int cycle_finish(struct db *db, struct cycle_row *cycle, const char *note, struct err *err);
/* Unfinished runs fail with it; a kernel that was being built is new again. */
int cycle_fail(struct db *db, struct cycle_row *cycle, const char *note, struct err *err);
int cycle_cancel(struct db *db, struct cycle_row *cycle, const char *note, struct err *err);
