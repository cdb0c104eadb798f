/*
 * Artifacts: content-addressed bytes in chunks of 1 MiB, each a zstd frame, so
 * that a range is read without unpacking the whole and identical files are
 * stored once. A row is `complete` only when its last chunk and its hash are
 * in; what a crash left half is removed by artifact_sweep().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/hash.h"

struct artifact_writer;
struct db;
struct err;

#define ARTIFACT_CHUNK_BYTES (1u << 20)

struct artifact_info {
	int64_t size_bytes;         /* plain */
	char sha256[HASH_HEX_SIZE]; /* of the plain bytes */
};

/*
 * Take a file in piece by piece: each step reads, compresses and writes one
 * chunk in a transaction of its own (about 10 ms), so that a loop can do other
 * things between steps. The writer owns `fd` from the call on, also on failure.
 */
int artifact_writer_new(struct db *db, int fd, struct artifact_writer **ret_writer,
			struct err *err);
/* 1 = more to do, 0 = complete (artifact_writer_get_id), negative = failure: free the writer. */
int artifact_writer_step(struct artifact_writer *writer, struct err *err);
int64_t artifact_writer_get_id(const struct artifact_writer *writer);
/* An unfinished artifact is removed. */
void artifact_writer_free(struct artifact_writer *writer);

/* Take a small file in at once; may be part of a transaction. Closes `fd`. */
int artifact_add_fd(struct db *db, int fd, int64_t *ret_artifact_id, struct err *err);

/* LAB_ENOTFOUND unless it exists and is complete. */
int artifact_get_info(struct db *db, int64_t artifact_id, struct artifact_info *ret_info,
		      struct err *err);
/* Up to `size` plain bytes from `offset` on into `data`; returns how many (0 at the end). */
ssize_t artifact_read(struct db *db, int64_t artifact_id, int64_t offset, void *data, size_t size,
		      struct err *err);
/* Write the plain bytes to a new file. */
int artifact_export(struct db *db, int64_t artifact_id, const char *path, mode_t mode,
		    struct err *err);
/*
 * Remove artifacts that no file refers to; returns how many. With `incomplete`
 * also half ones: only at start, when nothing is being taken in.
 */
int artifact_sweep(struct db *db, bool incomplete, struct err *err);
