/*
 * The configuration of the lab: read once at start, then never changed. The only
 * user of libconfig. The commented file orchestrator/testlabd.conf is compiled in
 * and gives the defaults; the user's file is laid over it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct config_source {
	char *name;
	char *kind;
	char *location;
	int64_t poll_us;
	int64_t backlog;
	char *config_name; /* base configuration for builds */
	char *sets_json;   /* ["smoke"] */
	char *json;        /* the whole section, for the builder and the database */
};

struct config {
	char *state_folder; /* absolute */
	char *listen_address;
	int64_t listen_port;
	char *token_file; /* absolute */
	struct config_source *sources;
	size_t source_count;
	struct {
		char *package; /* "" if none */
		char *image;   /* "" if none */
		char *modules; /* "" if none */
		int64_t prove_us;
	} known_good;
	char *sets_json; /* ["smoke"] */
	struct {
		int64_t parallel, jobs, deadline_us;
	} build;
	struct {
		int64_t parallel, jobs, deadline_us, memory_mib, retries, real_percent;
		char *clock, *accelerator, *environment;
	} test;
	struct {
		int64_t attempts, pause_us;
	} retry;
	struct {
		int64_t kernels, days;
	} retention;
};

/* The text of the defaults. */
const char *config_get_default_text(void);
/*
 * `path` NULL: the defaults alone. `state` and `listen` ("ADDRESS:PORT" or
 * "[ADDRESS]:PORT") override the file when not NULL. A refusal names file, line,
 * setting and what was expected. Release also after a failure.
 */
int config_load(struct config *config, const char *path, const char *state, const char *listen,
		struct err *err);
void config_release(struct config *config);
