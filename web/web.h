/*
 * The web side: pages and API over HTTP, in threads of its own with read-only
 * database connections. The door of this folder.
 *
 * web_stop() waits for the threads; the orchestrator must still answer
 * orchestrator_ask() until then (with LAB_EBUSY).
 */
#pragma once

struct err;
struct orchestrator;
struct web;

struct web_config {
	const char *address; /* numeric IPv4 or IPv6 address to listen on */
	int port;            /* 0 = any free one */
	const char *db_path; /* of an existing database of this version */
	const char *token;   /* who has it may change things; NULL or "" = nobody may */
};

/* All strings are copied. `orchestrator` is borrowed until web_stop(); NULL = nothing can be changed. */
int web_start(const struct web_config *config, struct orchestrator *orchestrator,
	      struct web **ret_web, struct err *err);
/* The port that it listens on. */
int web_get_port(const struct web *web);
void web_stop(struct web *web);
