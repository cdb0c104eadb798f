/*
 * Storing and reading artifacts. While a file is being taken in, its row is
 * named by a random word in place of the hash, which is known only at the end;
 * then it gets its real name, or is dropped in favour of the equal one that is
 * there already.
 */
#include "db/artifact.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/time.h"
#include "base/zst.h"
#include "db/db.h"

/* 3 packs a kernel image or a log about as fast as the disk takes it. */
#define ZSTD_LEVEL 3

struct artifact_writer {
	struct db *db;
	int fd;
	struct hash *hash; /* NULL when finished */
	int64_t id;
	int64_t size_bytes;
	int64_t stored_bytes;
	int64_t chunks;
	bool finished;
	char chunk[ARTIFACT_CHUNK_BYTES];
};

int artifact_writer_new(struct db *db, int fd, struct artifact_writer **ret_writer, struct err *err)
{
	struct artifact_writer *writer = xcalloc(1, sizeof(*writer));
	unsigned char noise[16];
	char name[HASH_HEX_SIZE];
	int rc;

	writer->db = db;
	writer->fd = fd;
	writer->hash = hash_new();
	random_bytes(noise, sizeof(noise));
	(void)snprintf(name, sizeof(name), "incomplete-%02x%02x%02x%02x%02x%02x%02x%02x%02x%02x",
		       noise[0], noise[1], noise[2], noise[3], noise[4], noise[5], noise[6],
		       noise[7], noise[8], noise[9]);
	rc = db_run(db, err,
		    "INSERT INTO artifact (sha256, size_bytes, created_us) VALUES (?, 0, ?)",
		    DB_TEXT(name), DB_INT(time_wall_us()));
	if (rc < 0) {
		artifact_writer_free(writer);
		return rc;
	}
	writer->id = db_last_id(db);
	*ret_writer = writer;
	return 0;
}

/* Fill the chunk; a short count is the end of the file. */
static ssize_t read_chunk(struct artifact_writer *writer, struct err *err)
{
	size_t have = 0;

	while (have < sizeof(writer->chunk)) {
		ssize_t got = read(writer->fd, writer->chunk + have, sizeof(writer->chunk) - have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(err, -errno, "read a file to be stored: %s",
				       strerror(errno));
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

static int write_chunk(struct artifact_writer *writer, size_t size, struct err *err)
{
	auto_free void *packed = NULL;
	size_t packed_size = 0;
	int rc;

	hash_update(writer->hash, writer->chunk, size);
	rc = zst_compress(writer->chunk, size, ZSTD_LEVEL, &packed, &packed_size, err);
	if (rc < 0)
		return rc;
	rc = db_run(writer->db, err,
		    "INSERT INTO artifact_chunk (artifact_id, seq, data) VALUES (?, ?, ?)",
		    DB_INT(writer->id), DB_INT(writer->chunks), DB_BLOB(packed, packed_size));
	if (rc < 0)
		return rc;
	writer->chunks++;
	writer->size_bytes += (int64_t)size;
	writer->stored_bytes += (int64_t)packed_size;
	if (writer->size_bytes > LIMIT_ARTIFACT_BYTES)
		return err_set(err, LAB_ELIMIT, "a file to be stored is larger than %lld bytes",
			       LIMIT_ARTIFACT_BYTES);
	return 1;
}

/* Give the row its name, or take the equal one that is there. */
static int name_artifact(struct artifact_writer *writer, const char *sha256, struct err *err)
{
	int64_t equal = 0;
	int rc;

	rc = db_get_int(writer->db, &equal, err,
			"SELECT artifact_id FROM artifact WHERE sha256 = ?", DB_TEXT(sha256));
	if (rc < 0)
		return rc;
	if (rc > 0) {
		rc = db_run(writer->db, err, "DELETE FROM artifact WHERE artifact_id = ?",
			    DB_INT(writer->id));
		writer->id = equal;
		return rc;
	}
	return db_run(writer->db, err,
		      "UPDATE artifact SET sha256 = ?, size_bytes = ?, stored_bytes = ?,"
		      " complete = 1 WHERE artifact_id = ?",
		      DB_TEXT(sha256), DB_INT(writer->size_bytes), DB_INT(writer->stored_bytes),
		      DB_INT(writer->id));
}

static int finish(struct artifact_writer *writer, struct err *err)
{
	char sha256[HASH_HEX_SIZE];
	int rc;

	hash_finish(STEAL_PTR(writer->hash), sha256);
	rc = db_begin(writer->db, err);
	if (rc < 0)
		return rc;
	rc = db_end(writer->db, name_artifact(writer, sha256, err), err);
	if (rc < 0)
		return rc;
	writer->finished = true;
	return 0;
}

int artifact_writer_step(struct artifact_writer *writer, struct err *err)
{
	ssize_t size = read_chunk(writer, err);
	int rc = 1;

	if (size < 0)
		return (int)size;
	if (size > 0)
		rc = write_chunk(writer, (size_t)size, err);
	if (rc < 0 || (size_t)size == sizeof(writer->chunk))
		return rc;
	return finish(writer, err);
}

int64_t artifact_writer_get_id(const struct artifact_writer *writer)
{
	return writer->id;
}

void artifact_writer_free(struct artifact_writer *writer)
{
	char unused[HASH_HEX_SIZE];

	if (!writer)
		return;
	if (!writer->finished && writer->id) /* if this fails too, artifact_sweep() does it */
		(void)db_run(writer->db, NULL,
			     "DELETE FROM artifact WHERE artifact_id = ? AND complete = 0",
			     DB_INT(writer->id));
	if (writer->hash)
		hash_finish(writer->hash, unused);
	(void)close(writer->fd);
	free(writer);
}

int artifact_add_fd(struct db *db, int fd, int64_t *ret_artifact_id, struct err *err)
{
	struct artifact_writer *writer = NULL;
	int rc;

	rc = artifact_writer_new(db, fd, &writer, err);
	if (rc < 0)
		return rc;
	do {
		rc = artifact_writer_step(writer, err);
	} while (rc > 0);
	if (rc == 0)
		*ret_artifact_id = artifact_writer_get_id(writer);
	artifact_writer_free(writer);
	return rc;
}

int artifact_get_info(struct db *db, int64_t artifact_id, struct artifact_info *ret_info,
		      struct err *err)
{
	auto_stmt struct stmt *stmt = NULL;
	int rc;

	rc = db_query(
		db, &stmt, err,
		"SELECT size_bytes, sha256 FROM artifact WHERE artifact_id = ? AND complete = 1",
		DB_INT(artifact_id));
	if (rc >= 0)
		rc = stmt_step(stmt, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(err, LAB_ENOTFOUND, "no artifact %" PRId64, artifact_id);
	ret_info->size_bytes = stmt_int(stmt, 0);
	(void)snprintf(ret_info->sha256, sizeof(ret_info->sha256), "%s", stmt_text(stmt, 1));
	return 0;
}

/* The plain bytes of one chunk; *ret_size is 0 past the last. The caller frees *ret_data. */
static int load_chunk(struct db *db, int64_t artifact_id, int64_t seq, void **ret_data,
		      size_t *ret_size, struct err *err)
{
	auto_stmt struct stmt *stmt = NULL;
	const void *packed;
	size_t packed_size;
	int rc;

	rc = db_query(db, &stmt, err,
		      "SELECT data FROM artifact_chunk WHERE artifact_id = ? AND seq = ?",
		      DB_INT(artifact_id), DB_INT(seq));
	if (rc >= 0)
		rc = stmt_step(stmt, err);
	if (rc <= 0) {
		*ret_size = 0;
		return rc;
	}
	packed = stmt_blob(stmt, 0, &packed_size);
	return zst_decompress(packed, packed_size, ARTIFACT_CHUNK_BYTES, ret_data, ret_size, err);
}

ssize_t artifact_read(struct db *db, int64_t artifact_id, int64_t offset, void *data, size_t size,
		      struct err *err)
{
	size_t done = 0;

	if (offset < 0)
		return err_set(err, LAB_EINVALID, "offset %" PRId64 ": expected 0 or more", offset);
	while (done < size) {
		int64_t at = offset + (int64_t)done;
		size_t skip = (size_t)(at % ARTIFACT_CHUNK_BYTES);
		auto_free void *chunk = NULL;
		size_t chunk_size = 0, take;
		int rc;

		rc = load_chunk(db, artifact_id, at / ARTIFACT_CHUNK_BYTES, &chunk, &chunk_size,
				err);
		if (rc < 0)
			return rc;
		if (chunk_size <= skip)
			break;
		take = chunk_size - skip < size - done ? chunk_size - skip : size - done;
		memcpy((char *)data + done, (const char *)chunk + skip, take);
		done += take;
	}
	return (ssize_t)done;
}

static int write_all(int fd, const char *data, size_t size, const char *path, struct err *err)
{
	while (size > 0) {
		ssize_t wrote = write(fd, data, size);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return err_set(err, -errno, "write '%s': %s", path, strerror(errno));
		data += wrote;
		size -= (size_t)wrote;
	}
	return 0;
}

int artifact_export(struct db *db, int64_t artifact_id, const char *path, mode_t mode,
		    struct err *err)
{
	struct artifact_info info;
	auto_close int fd = -1;
	int64_t written = 0;
	int rc;

	rc = artifact_get_info(db, artifact_id, &info, err);
	if (rc < 0)
		return rc;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return err_set(err, -errno, "create '%s': %s", path, strerror(errno));
	while (written < info.size_bytes) {
		auto_free void *chunk = NULL;
		size_t size = 0;

		rc = load_chunk(db, artifact_id, written / ARTIFACT_CHUNK_BYTES, &chunk, &size,
				err);
		if (rc < 0)
			return rc;
		if (size == 0)
			return err_set(err, LAB_EDB,
				       "artifact %" PRId64 " lacks bytes from %" PRId64,
				       artifact_id, written);
		rc = write_all(fd, chunk, size, path, err);
		if (rc < 0)
			return rc;
		written += (int64_t)size;
	}
	if (close(STEAL_FD(fd)) < 0)
		return err_set(err, -errno, "write '%s': %s", path, strerror(errno));
	return 0;
}

int artifact_sweep(struct db *db, bool incomplete, struct err *err)
{
	int rc = db_run(db, err,
			"DELETE FROM artifact WHERE (complete = 1 OR ?)"
			" AND artifact_id NOT IN (SELECT artifact_id FROM file)",
			DB_INT(incomplete));

	return rc < 0 ? rc : db_changes(db);
}
