/*
 * libmicrohttpd's side: its thread pool, and the way of a request through it.
 *
 * MHD calls handle_request() once with the headers, then for each piece of the
 * body, then once more to be answered; `struct visit` goes along. The raw
 * target is kept from the log callback because MHD decodes "%2F" and "%00"
 * before anybody can split the path at its real borders.
 *
 * Each worker thread has a database connection of its own, opened at its first
 * request and closed by the key's destructor when the thread ends.
 */
#include "web/web.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <microhttpd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "db/artifact.h"
#include "db/db.h"
#include "web/server.h"

/* A handler may wait for the orchestrator (at most 5 s): others must go on meanwhile. */
#define THREADS 4
/* Without a byte moving in either direction. */
#define IDLE_TIMEOUT_S 30
/* What of an artifact is unpacked at a time; a chunk of the database is 1 MiB. */
#define DOWNLOAD_BLOCK_BYTES (256u << 10)

struct web {
	struct MHD_Daemon *daemon;
	struct server *server;
	char *db_path;
	pthread_key_t db_key; /* the thread's struct db * */
	int port;
};

/* One request on its way. */
struct visit {
	char *target; /* as it came */
	struct request request;
	struct response response;
	struct buf body;
	size_t received; /* of the body */
	bool checked;    /* the headers were looked at */
};

/* An artifact on its way out. */
struct download {
	struct web *web;
	int64_t artifact_id;
	int64_t offset; /* of the part in the artifact */
};

/* --- databases of the threads ------------------------------------------------ */

static void close_thread_db(void *db)
{
	db_close(db);
}

static struct db *thread_db(struct web *web, struct err *err)
{
	struct db *db = pthread_getspecific(web->db_key);

	if (db)
		return db;
	if (db_open_readonly(web->db_path, &db, err) < 0)
		return NULL;
	if (pthread_setspecific(web->db_key, db) != 0) {
		db_close(db);
		(void)err_set(err, LAB_EFAIL, "no memory for a thread's database connection");
		return NULL;
	}
	return db;
}

/* --- answering ----------------------------------------------------------------- */

static ssize_t read_download(void *user, uint64_t position, char *data, size_t size)
{
	struct download *download = user;
	struct err err = ERR_INIT;
	struct db *db = thread_db(download->web, &err);
	ssize_t got = -1;

	if (db)
		got = artifact_read(db, download->artifact_id, download->offset + (int64_t)position,
				    data, size, &err);
	if (got < 0)
		log_warn("web", "artifact=%" PRId64 " download: %s", download->artifact_id,
			 err.text);
	/* The size was promised: an early end must not look like a whole file. */
	return got > 0 ? got : MHD_CONTENT_READER_END_WITH_ERROR;
}

static struct MHD_Response *make_response(struct web *web, struct response *response)
{
	struct download *download;
	size_t size = response->body.size;

	if (!response->is_artifact)
		return MHD_create_response_from_buffer(size, buf_take_string(&response->body),
						       MHD_RESPMEM_MUST_FREE);
	if (response->part.size == 0)
		return MHD_create_response_from_buffer(0, xstrdup(""), MHD_RESPMEM_MUST_FREE);
	download = xcalloc(1, sizeof(*download));
	download->web = web;
	download->artifact_id = response->artifact_id;
	download->offset = response->part.offset;
	return MHD_create_response_from_callback(
		(uint64_t)response->part.size, DOWNLOAD_BLOCK_BYTES, read_download, download, free);
}

static void add_header(struct MHD_Response *out, const char *name, const char *value)
{
	if (MHD_add_response_header(out, name, value) != MHD_YES)
		log_warn("web", "header '%s: %s' was refused", name, value);
}

static void add_headers(struct MHD_Response *out, const struct response *response)
{
	char text[256];

	add_header(out, MHD_HTTP_HEADER_CONTENT_TYPE, response->content_type);
	add_header(out, "X-Content-Type-Options", "nosniff");
	add_header(out, "Referrer-Policy", "no-referrer");
	add_header(out, "X-Frame-Options", "DENY");
	add_header(out, "Cross-Origin-Resource-Policy", "same-origin");
	add_header(
		out, "Content-Security-Policy",
		response->is_untrusted
			? "default-src 'none'; frame-ancestors 'none'; sandbox"
			: "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
			  " connect-src 'self'; form-action 'self'; base-uri 'none';"
			  " frame-ancestors 'none'");
	add_header(out, MHD_HTTP_HEADER_CACHE_CONTROL,
		   response->cache == RESPONSE_IMMUTABLE ? "public, max-age=31536000, immutable"
							 : "no-store");
	if (response->etag[0])
		add_header(out, MHD_HTTP_HEADER_ETAG, response->etag);
	if (response->allow)
		add_header(out, MHD_HTTP_HEADER_ALLOW, response->allow);
	if (response->status == MHD_HTTP_UNAUTHORIZED)
		add_header(out, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer realm=\"testlab\"");
	if (response->is_artifact)
		add_header(out, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
	if (response->status == MHD_HTTP_PARTIAL_CONTENT) {
		(void)snprintf(text, sizeof(text), "bytes %" PRId64 "-%" PRId64 "/%" PRId64,
			       response->part.offset,
			       response->part.offset + response->part.size - 1,
			       response->total_bytes);
		add_header(out, MHD_HTTP_HEADER_CONTENT_RANGE, text);
	} else if (response->status == MHD_HTTP_RANGE_NOT_SATISFIABLE) {
		(void)snprintf(text, sizeof(text), "bytes */%" PRId64, response->total_bytes);
		add_header(out, MHD_HTTP_HEADER_CONTENT_RANGE, text);
	}
	if (response->download_name) {
		(void)snprintf(text, sizeof(text), "attachment; filename=\"%.200s\"",
			       response->download_name);
		add_header(out, MHD_HTTP_HEADER_CONTENT_DISPOSITION, text);
	}
}

static enum MHD_Result send_response(struct web *web, struct MHD_Connection *connection,
				     struct visit *visit)
{
	struct MHD_Response *out = make_response(web, &visit->response);
	enum MHD_Result result;

	if (!out)
		return MHD_NO;
	add_headers(out, &visit->response);
	result = MHD_queue_response(connection, (unsigned)visit->response.status, out);
	MHD_destroy_response(out);
	return result;
}

/* --- requests -------------------------------------------------------------------- */

static enum method method_from_string(const char *text)
{
	if (strcmp(text, MHD_HTTP_METHOD_GET) == 0)
		return METHOD_GET;
	if (strcmp(text, MHD_HTTP_METHOD_HEAD) == 0)
		return METHOD_HEAD;
	return strcmp(text, MHD_HTTP_METHOD_POST) == 0 ? METHOD_POST : METHOD_OTHER;
}

static void read_headers(struct MHD_Connection *connection, const char *method,
			 struct request *request)
{
	const char *length;

#define HEADER(name) MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name)
	request->method = method_from_string(method);
	request->host = HEADER(MHD_HTTP_HEADER_HOST);
	request->authorization = HEADER(MHD_HTTP_HEADER_AUTHORIZATION);
	request->content_type = HEADER(MHD_HTTP_HEADER_CONTENT_TYPE);
	request->if_none_match = HEADER(MHD_HTTP_HEADER_IF_NONE_MATCH);
	request->range = HEADER(MHD_HTTP_HEADER_RANGE);
	request->if_range = HEADER(MHD_HTTP_HEADER_IF_RANGE);
	length = HEADER(MHD_HTTP_HEADER_CONTENT_LENGTH);
	request->body_size = -1;
	if (length && parse_integer(length, 0, INT64_MAX, &request->body_size, NULL) < 0)
		request->body_size = INT64_MAX; /* is refused as too large */
	request->has_body = request->body_size > 0 || HEADER(MHD_HTTP_HEADER_TRANSFER_ENCODING);
#undef HEADER
}

/*
 * A body that is too large is read and dropped for a while: a client that is
 * still sending would meet a closed connection and never see the refusal.
 */
static enum MHD_Result collect_body(struct visit *visit, const char *data, size_t size)
{
	visit->received += size;
	if (visit->received <= LIMIT_HTTP_BODY)
		buf_append(&visit->body, data, size);
	return visit->received <= LIMIT_HTTP_DRAIN ? MHD_YES : MHD_NO;
}

static void answer(struct web *web, struct visit *visit)
{
	struct err err = ERR_INIT;
	struct db *db;

	if (visit->received > LIMIT_HTTP_BODY) {
		server_fail(&visit->request, &visit->response, MHD_HTTP_CONTENT_TOO_LARGE,
			    "the body is larger than 1048576 bytes");
		return;
	}
	db = thread_db(web, &err);
	if (!db) {
		log_error("web", "%s", err.text);
		server_fail(&visit->request, &visit->response, MHD_HTTP_SERVICE_UNAVAILABLE,
			    "the database cannot be opened");
		return;
	}
	server_answer(web->server, db, &visit->request, visit->body.data, visit->body.size,
		      &visit->response);
}

static enum MHD_Result handle_request(void *user, struct MHD_Connection *connection,
				      const char *url, const char *method, const char *version,
				      const char *data, size_t *size, void **state)
{
	struct web *web = user;
	struct visit *visit = *state;

	(void)url; /* decoded; see the top of this file */
	(void)version;
	if (!visit)
		return MHD_NO;
	if (!visit->checked) {
		visit->checked = true;
		read_headers(connection, method, &visit->request);
		if (server_check(web->server, visit->target, &visit->request, &visit->response))
			return send_response(web, connection, visit);
		return MHD_YES;
	}
	if (*size > 0) {
		size_t given = *size;

		*size = 0;
		return collect_body(visit, data, given);
	}
	answer(web, visit);
	return send_response(web, connection, visit);
}

static void *keep_target(void *user, const char *target, struct MHD_Connection *connection)
{
	struct visit *visit = xcalloc(1, sizeof(*visit));

	(void)user;
	(void)connection;
	visit->target = xstrdup(target);
	visit->body = BUF_INIT(LIMIT_HTTP_BODY);
	visit->response.body = BUF_INIT(LIMIT_HTTP_PAGE);
	return visit;
}

static void end_request(void *user, struct MHD_Connection *connection, void **state,
			enum MHD_RequestTerminationCode code)
{
	struct visit *visit = *state;

	(void)user;
	(void)connection;
	(void)code;
	if (!visit)
		return;
	request_release(&visit->request);
	response_release(&visit->response);
	buf_clear(&visit->body);
	free(visit->target);
	free(visit);
	*state = NULL;
}

/* MHD's own remarks are about single connections: nothing that was asked for by us. */
__attribute__((format(printf, 2, 0))) static void log_mhd(void *user, const char *fmt, va_list ap)
{
	auto_free char *text = xvasprintf(fmt, ap);

	(void)user;
	text[strcspn(text, "\r\n")] = '\0';
	log_debug("web", "%s", text);
}

/* --- start and stop ----------------------------------------------------------------- */

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static int parse_address(const struct web_config *config, union address *address, struct err *err)
{
	*address = (union address){ 0 };
	if (inet_pton(AF_INET, config->address, &address->v4.sin_addr) == 1) {
		address->v4.sin_family = AF_INET;
		address->v4.sin_port = htons((uint16_t)config->port);
		return 0;
	}
	if (inet_pton(AF_INET6, config->address, &address->v6.sin6_addr) == 1) {
		address->v6.sin6_family = AF_INET6;
		address->v6.sin6_port = htons((uint16_t)config->port);
		return 0;
	}
	return err_set(err, LAB_EINVALID,
		       "web address '%s': expected a numeric IPv4 or IPv6 address",
		       config->address);
}

static int start_daemon(struct web *web, const struct web_config *config, struct err *err)
{
	union address address;
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG;
	const union MHD_DaemonInfo *info;
	int rc;

	rc = parse_address(config, &address, err);
	if (rc < 0)
		return rc;
	if (address.any.sa_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	errno = 0;
	web->daemon = MHD_start_daemon(
		flags, (uint16_t)config->port, NULL, NULL, handle_request, web,
		MHD_OPTION_EXTERNAL_LOGGER, log_mhd, NULL, MHD_OPTION_SOCK_ADDR, &address.any,
		MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)LIMIT_HTTP_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)IDLE_TIMEOUT_S, MHD_OPTION_URI_LOG_CALLBACK, keep_target, NULL,
		MHD_OPTION_NOTIFY_COMPLETED, end_request, NULL, MHD_OPTION_END);
	if (!web->daemon)
		return err_set(err, errno ? -errno : LAB_ENET, "listen on %s port %d: %s",
			       config->address, config->port,
			       errno ? strerror(errno) : "the HTTP server did not start");
	info = MHD_get_daemon_info(web->daemon, MHD_DAEMON_INFO_BIND_PORT);
	web->port = info ? info->port : config->port;
	return 0;
}

int web_start(const struct web_config *config, struct orchestrator *orchestrator,
	      struct web **ret_web, struct err *err)
{
	auto_db struct db *probe = NULL;
	struct web *web;
	int rc;

	/* What is wrong with the database is said now, not at the first visit. */
	rc = db_open_readonly(config->db_path, &probe, err);
	if (rc < 0)
		return rc;
	web = xcalloc(1, sizeof(*web));
	if (pthread_key_create(&web->db_key, close_thread_db) != 0) {
		free(web);
		return err_set(err, LAB_EFAIL, "no thread key is left");
	}
	web->db_path = xstrdup(config->db_path);
	web->server = server_new(config, orchestrator);
	rc = start_daemon(web, config, err);
	if (rc < 0) {
		web_stop(web);
		return rc;
	}
	*ret_web = web;
	return 0;
}

int web_get_port(const struct web *web)
{
	return web->port;
}

void web_stop(struct web *web)
{
	if (!web)
		return;
	if (web->daemon)
		MHD_stop_daemon(web->daemon); /* joins the threads: their databases are closed */
	(void)pthread_key_delete(web->db_key);
	server_free(web->server);
	free(web->db_path);
	free(web);
}
