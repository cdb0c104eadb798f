#include "base/http.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init_once(void)
{
	lab_assert(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

static void curl_cleanup_p(CURL **curl)
{
	curl_easy_cleanup(*curl);
}

static void slist_free_p(struct curl_slist **list)
{
	curl_slist_free_all(*list);
}

static void add_header(struct curl_slist **list, const char *name, const char *value)
{
	auto_free char *line = xasprintf("%s: %s", name, value);
	struct curl_slist *longer = curl_slist_append(*list, line);

	lab_assert(longer); /* NULL only when memory is out */
	*list = longer;
}

static size_t on_body(char *data, size_t size, size_t count, void *user)
{
	struct buf *body = user;

	buf_append(body, data, size * count);
	return body->overflow ? 0 : size * count;
}

/* A header value must stay one line: no way to smuggle another header in. */
static bool is_one_line(const char *text)
{
	return !text || !text[strcspn(text, "\r\n")];
}

static void set_options(CURL *curl, const struct http_request *request, struct curl_slist *headers,
			struct buf *body, char *reason)
{
	(void)curl_easy_setopt(curl, CURLOPT_URL, request->url);
	(void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
	(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, request->timeout_ms);
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
	(void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "testlab/" LAB_VERSION);
	if (strcmp(request->method, "HEAD") == 0)
		(void)curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	if (request->body) {
		(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
				       (curl_off_t)request->body_size);
		(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
	}
}

int http_perform(const struct http_request *request, struct http_answer *ret_answer,
		 struct err *err)
{
	auto_cleanup(buf_release_p) struct buf body = BUF_INIT(request->max_answer_bytes);
	auto_cleanup(slist_free_p) struct curl_slist *headers = NULL;
	auto_cleanup(curl_cleanup_p) CURL *curl = NULL;
	char reason[CURL_ERROR_SIZE] = "";
	const char *type = NULL;
	CURLcode code;

	(void)pthread_once(&once, init_once);
	if (!is_one_line(request->bearer_token) || !is_one_line(request->content_type))
		return err_set(err, LAB_EINVALID, "%s '%s': a header value with a line end",
			       request->method, request->url);
	curl = curl_easy_init();
	lab_assert(curl);
	if (request->bearer_token) {
		auto_free char *value = xasprintf("Bearer %s", request->bearer_token);

		add_header(&headers, "Authorization", value);
	}
	if (request->content_type)
		add_header(&headers, "Content-Type", request->content_type);
	set_options(curl, request, headers, &body, reason);
	code = curl_easy_perform(curl);
	if (body.overflow)
		return err_set(err, LAB_ELIMIT, "%s '%s': the answer is larger than %zu bytes",
			       request->method, request->url, request->max_answer_bytes);
	if (code != CURLE_OK)
		return err_set(err, code == CURLE_OPERATION_TIMEDOUT ? LAB_ETIMEOUT : LAB_ENET,
			       "%s '%s': %s", request->method, request->url,
			       reason[0] ? reason : curl_easy_strerror(code));
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &ret_answer->status);
	(void)curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
	ret_answer->content_type = xstrdup(type);
	ret_answer->body_size = body.size;
	ret_answer->body = buf_take_string(&body);
	return 0;
}

void http_answer_release(struct http_answer *answer)
{
	free(answer->body);
	free(answer->content_type);
	*answer = (struct http_answer){ 0 };
}
