#include "orchestrator/ingest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "db/artifact.h"

struct item {
	struct item *next;
	struct ingest_file file;
	char *role, *name;
};

struct ingest {
	struct db *db;
	uv_idle_t turn; /* active while there is something to do */
	struct item *first, **last;
	struct artifact_writer *writer; /* of the first item, NULL before its first turn */
};

static void item_free(struct item *item)
{
	if (item->file.fd >= 0)
		(void)close(item->file.fd);
	free(item->role);
	free(item->name);
	free(item);
}

/* One chunk. 1 = more of this file, 0 = stored and linked. */
static int take_chunk(struct ingest *ingest, struct item *item, struct err *err)
{
	int rc;

	if (!ingest->writer) {
		rc = artifact_writer_new(ingest->db, STEAL_FD(item->file.fd), &ingest->writer, err);
		if (rc < 0)
			return rc;
	}
	rc = artifact_writer_step(ingest->writer, err);
	if (rc != 0)
		return rc;
	return file_put(ingest->db, item->file.owner, item->role, item->name,
			artifact_writer_get_id(ingest->writer), err);
}

static void on_turn(uv_idle_t *turn)
{
	struct ingest *ingest = turn->data;
	struct item *item = ingest->first;
	struct err err = ERR_INIT;
	int rc;

	rc = take_chunk(ingest, item, &err);
	if (rc > 0)
		return;
	artifact_writer_free(ingest->writer);
	ingest->writer = NULL;
	ingest->first = item->next;
	if (!ingest->first) {
		ingest->last = &ingest->first;
		(void)uv_idle_stop(turn);
	}
	if (rc < 0)
		(void)err_prefix(&err, "store '%s'", item->name);
	item->file.on_done(item->file.user, rc < 0 ? &err : NULL);
	item_free(item);
}

struct ingest *ingest_new(uv_loop_t *uv, struct db *db)
{
	struct ingest *ingest = xcalloc(1, sizeof(*ingest));

	ingest->db = db;
	ingest->last = &ingest->first;
	(void)uv_idle_init(uv, &ingest->turn);
	ingest->turn.data = ingest;
	return ingest;
}

void ingest_add(struct ingest *ingest, const struct ingest_file *file)
{
	struct item *item = xcalloc(1, sizeof(*item));

	item->file = *file;
	item->role = xstrdup(file->role);
	item->name = xstrdup(file->name);
	*ingest->last = item;
	ingest->last = &item->next;
	(void)uv_idle_start(&ingest->turn, on_turn);
}

void ingest_close(struct ingest *ingest)
{
	artifact_writer_free(ingest->writer);
	ingest->writer = NULL;
	while (ingest->first) {
		struct item *item = ingest->first;

		ingest->first = item->next;
		item_free(item);
	}
	ingest->last = &ingest->first;
	uv_close((uv_handle_t *)&ingest->turn, NULL);
}

void ingest_free(struct ingest *ingest)
{
	free(ingest);
}

int ingest_open(const char *folder, const char *path, int *ret_fd, struct err *err)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK, /* a FIFO must not stop us */
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	auto_close int folder_fd = -1, fd = -1;
	struct stat st;

	folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder_fd < 0)
		return err_set(err, -errno, "open '%s': %s", folder, strerror(errno));
	fd = (int)syscall(SYS_openat2, folder_fd, path, &how, sizeof(how));
	if (fd < 0)
		return err_set(err, -errno, "open '%s' in '%s': %s", path, folder, strerror(errno));
	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "'%s': %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, LAB_EINVALID, "'%s' in '%s': expected a regular file", path,
			       folder);
	*ret_fd = STEAL_FD(fd);
	return 0;
}
