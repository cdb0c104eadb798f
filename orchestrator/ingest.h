/*
 * Files of children on their way into the database, one after the other, one
 * chunk per turn of the loop, so that reports and requests are served meanwhile.
 */
#pragma once

#include <uv.h>

#include "db/store.h"

struct db;
struct err;
struct ingest;

/* `err` is NULL when the file is stored and linked to its owner. */
typedef void (*ingest_cb)(void *user, const struct err *err);

struct ingest_file {
	int fd; /* owned from the call on */
	const char *role, *name;
	struct file_owner owner;
	ingest_cb on_done;
	void *user;
};

struct ingest *ingest_new(uv_loop_t *uv, struct db *db);
void ingest_add(struct ingest *ingest, const struct ingest_file *file);
/* Closes its handle; free the memory after the loop has run once more. Drops what is waiting. */
void ingest_close(struct ingest *ingest);
void ingest_free(struct ingest *ingest);

/*
 * Open a file that a child named: a relative path that stays inside `folder`
 * and has no link in it. The caller closes *ret_fd.
 */
int ingest_open(const char *folder, const char *path, int *ret_fd, struct err *err);
