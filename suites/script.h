/*
 * Test scripts (Lua 5.4) and what they may do. This is the only door to Lua:
 * nobody else includes lua.h.
 *
 * One state a run. It loads the scripts of suites/<area>/<name>.lua, each in an
 * environment of its own in which reading or writing an undeclared global is an
 * error, and collects the tests they declare. A script has string, table, math
 * (with repeatable random numbers), utf8, the packet constructors and
 * `use "name"` (suites/lib/name.lua); no files, processes, network, code
 * loading, pcall or coroutines, so that nothing it does can hide an error of
 * the lab or a verdict.
 *
 * A running test acts through `struct script_ops`, which whoever runs it
 * supplies (runners/context.c). Script calls come from one thread.
 *
 * Limits: memory LIMIT_LUA_BYTES, SCRIPT_BUSY_MS of host time between two
 * operations. One call into the string library with a pathological pattern is
 * not interrupted; the deadline of the whole run ends that.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/verdict.h"

struct err;
struct packet;
struct pattern;
struct plan;
struct script_host;

/* Longest host time a script may compute without sending, expecting or waiting. */
#define SCRIPT_BUSY_MS 5000
/* Time of the run's clock that a test gets when it names no timeout. */
#define SCRIPT_TIMEOUT_S 30

enum script_level { SCRIPT_LEVEL_MUST, SCRIPT_LEVEL_SHOULD, SCRIPT_LEVEL_MAY };

/* A test as its script declares it. Strings belong to the host. */
struct script_test {
	const char *id;
	const char *title;
	const char *file;            /* path below suites/: "core/spec.lua" */
	unsigned line;               /* where the declaration is */
	char version[HASH_HEX_SIZE]; /* hash of the script and of the library files it uses */
	const char **roles;          /* NULL-terminated */
	const char **clauses;        /* NULL-terminated: "RFC 8200 3 MUST" */
	const char **environment;    /* NULL-terminated: "net.ipv6.x=1", on top of the set's */
	double timeout_s;            /* of the run's clock */
	bool boots;                  /* may boot the NUT anew */
};

/* A party on the link as scripts see it; index 0 is the NUT. */
struct script_node {
	const char *name; /* "nut", "tn1" */
	uint8_t mac[6];
	uint8_t link_local[16];
	uint8_t global[16]; /* all zero if it has none */
};

struct script_expectation {
	const struct pattern *pattern;
	int from;           /* node whose MAC the frame must come from, or -1 */
	int to;             /* node whose MAC the frame must go to, or -1 */
	int64_t window_ns;  /* how long to watch, from now */
	const char *clause; /* one of the test's clauses */
	enum script_level level;
	const char *why;    /* said when it is not met, or NULL */
	bool broken_counts; /* wrong checksums and lengths match, too: for what must not come */
};

/* What answers a call that ended the test: its verdict is known. Positive, so it is no error. */
#define SCRIPT_STOP 1

/*
 * Responsibilities: each returns 0, SCRIPT_STOP, or a negative code (trouble of
 * ours: verdict ERROR) with `err` set. Results are written on 0 only.
 */
struct script_ops {
	unsigned (*node_count)(void *run);
	const struct script_node *(*node)(void *run, unsigned index);
	/* What the NUT was last seen to try by duplicate address detection within prefix/bits;
	 * LAB_ENOTFOUND if nothing. */
	int (*nut_address)(void *run, const uint8_t prefix[16], unsigned bits, uint8_t ret[16],
			   struct err *err);
	/* A node answers neighbour solicitations for its addresses, or keeps silent. */
	int (*answer)(void *run, unsigned node, bool on, struct err *err);
	/* Layers below and defaults of IPv6 are filled in; *ret_packet, the frame, belongs to the run. */
	int (*send)(void *run, unsigned node, const struct packet *packet,
		    const struct packet **ret_packet, struct err *err);
	/* 0 with *ret_packet NULL: not met, but no MUST. The packet belongs to the run. */
	int (*expect)(void *run, const struct script_expectation *expectation,
		      const struct packet **ret_packet, int64_t *ret_time_ns, struct err *err);
	int (*expect_none)(void *run, const struct script_expectation *expectation,
			   struct err *err);
	int (*wait)(void *run, int64_t duration_ns, struct err *err);
	int64_t (*now_ns)(void *run); /* since the test began */
	/* *ret_output (stdout) belongs to the run and lasts until the next command. */
	int (*command)(void *run, const char *const *argv, bool may_fail, int *ret_status,
		       const char **ret_output, struct err *err);
	int (*reboot)(void *run, struct err *err);
	int (*check)(void *run, bool ok, const char *text, const char *clause,
		     enum script_level level, struct err *err);
	int (*note)(void *run, const char *text, struct err *err);
	/* SKIP or UNSUPPORTED; returns SCRIPT_STOP. */
	int (*decide)(void *run, enum verdict verdict, const char *reason, struct err *err);
};

/* `folder` holds lib/ and the areas; `plan` says which ids exist. Both must outlive the host. */
int script_host_new(const char *folder, const struct plan *plan, struct script_host **ret_host,
		    struct err *err);
void script_host_free(struct script_host *host);
/* Load every script below `folder`; the error names file and line. */
int script_host_load_all(struct script_host *host, struct err *err);
/* One script, by its path below `folder`. */
int script_host_load(struct script_host *host, const char *file, struct err *err);
size_t script_host_count(const struct script_host *host);
const struct script_test *script_host_test(const struct script_host *host, size_t index);
const struct script_test *script_host_find(const struct script_host *host, const char *id);

/*
 * Run set-up and body of a test. 0: came to its end; SCRIPT_STOP: an operation
 * ended it; negative: the script is at fault (LAB_EFAIL) or an operation failed (its code), with a
 * traceback in `err`.
 */
int script_run(struct script_host *host, const struct script_test *test,
	       const struct script_ops *ops, void *run, struct err *err);

/* Split "RFC 8200 4.2 MUST NOT"; LAB_EINVALID says what is expected. */
int script_parse_clause(const char *clause, enum script_level *ret_level, struct err *err);
bool script_test_has_role(const struct script_test *test, const char *role);
