/*
 * One attempt at one test: the operations of struct script_ops over link, loop,
 * target and simulated nodes, and what comes of them, a trace and an outcome.
 * Written against loop time only, so that it cannot tell a real clock from a
 * virtual one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/verdict.h"
#include "runners/nodes.h"
#include "runners/nut.h"
#include "runners/trace.h"
#include "suites/script.h"

struct link;
struct loop;
struct target;

struct context {
	struct loop *loop;
	struct link *link;     /* Link B */
	struct target *target; /* the NUT */
	const struct script_test *test;
	bool set_environment; /* apply the test's own settings */
	struct node nodes[NODE_COUNT_];
	struct trace trace;
	int64_t deadline_ns;            /* loop time at which the test must have ended */
	size_t exchange;                /* first frame that expectations look at */
	bool exchange_judged;           /* so that the next send begins a new exchange */
	bool wake;                      /* something happened: ends loop_run */
	bool trouble;                   /* the target's state turned bad */
	int link_error;                 /* of a frame that a node sent by itself, or 0 */
	unsigned judged;                /* expectations and checks so far */
	struct nut_exec_result command; /* of the last command */

	enum verdict verdict; /* so far */
	char *reason;         /* of a verdict that is not PASS, heap, or NULL */
	char *signature;      /* of FAIL and WARN, heap, or NULL */
};

extern const struct script_ops context_ops;

void context_init(struct context *context, struct loop *loop, struct link *link,
		  struct target *target, const struct script_test *test,
		  const uint8_t nut_link_local[16]);
void context_release(struct context *context);
/* Gives the NUT the test's own settings, which a boot forgets; blocks. */
int context_apply_environment(struct context *context, struct err *err);
/* A frame came from the NUT; nodes answer neighbour solicitations from here. */
void context_receive(struct context *context, const uint8_t *frame, size_t size, int64_t time_ns);
/* The target's state turned bad. */
void context_trouble(struct context *context);
/* The outcome is `verdict` unless a graver one is there; the strings are copied, NULL is fine. */
void context_decide(struct context *context, enum verdict verdict, const char *reason,
		    const char *signature);
/* "v6LC.1.1.8 panic", "v6LC.1.1.8 mismatch 3 echo_reply.identifier": what was not met, and where.
 * On the heap. */
char *context_signature(const struct context *context, const char *kind, const char *field);
/* Let loop time pass until `until_ns` or the next event. 0, SCRIPT_STOP after trouble of the
 * target, LAB_ETIMEOUT past the deadline of the test. */
int context_pass(struct context *context, int64_t until_ns, struct err *err);

/* runners/judge.c */
int judge_expect(struct context *context, const struct script_expectation *expectation,
		 const struct packet **ret_packet, int64_t *ret_time_ns, struct err *err);
int judge_expect_none(struct context *context, const struct script_expectation *expectation,
		      struct err *err);
int judge_check(struct context *context, bool ok, const char *text, const char *clause,
		enum script_level level, struct err *err);
