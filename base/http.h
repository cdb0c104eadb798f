/* HTTP client: the only user of curl/curl.h. Blocking; not for the daemon. */
#pragma once

#include <stddef.h>

struct err;

struct http_request {
	const char *method;       /* "GET", "POST", ... */
	const char *url;          /* http or https only */
	const char *bearer_token; /* or NULL */
	const char *content_type; /* of `body`, or NULL */
	const char *body;         /* or NULL */
	size_t body_size;
	size_t max_answer_bytes; /* more is LAB_ELIMIT */
	long timeout_ms;         /* whole exchange */
};

struct http_answer {
	long status; /* 200, ... */
	char *body;  /* NUL-terminated, never NULL on success */
	size_t body_size;
	char *content_type; /* or NULL */
};

int http_perform(const struct http_request *request, struct http_answer *ret_answer,
		 struct err *err);
void http_answer_release(struct http_answer *answer);
