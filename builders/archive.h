/*
 * Archives, by libarchive: reading hostile ones (tarballs, Debian packages)
 * into a folder, and writing our own (modules, initramfs). Whatever an archive
 * holds, nothing is written outside the folder that was named.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

enum archive_links {
	ARCHIVE_LINKS_STRICT, /* a symbolic link that leaves the folder is an error */
	ARCHIVE_LINKS_ROOTED, /* an absolute one is taken as relative to the folder, as in a chroot */
};

/* Called after each entry; a negative code ends the unpacking with it. */
typedef int (*unpack_cb)(int64_t entries, int64_t bytes, void *user, struct err *err);

struct unpack_spec {
	const char *archive; /* file, of any format and compression that libarchive knows */
	const char *folder;  /* exists */
	/*
	 * Shell patterns of archives inside the archive, outermost first, NULL
	 * at the end: { "data.tar*", NULL } for a Debian package.
	 */
	const char *const *inside;
	const char *only;         /* shell pattern of the paths to take, or NULL for all */
	unsigned strip;           /* leading path components to drop */
	enum archive_links links; /* what to do with symbolic links that leave the folder */
	int64_t max_bytes;        /* more plain bytes are LAB_ELIMIT */
	int64_t max_entries;      /* more entries are LAB_ELIMIT */
	unpack_cb on_entry;       /* or NULL */
	void *user;               /* for on_entry */
};

/* Unpack. On failure the folder holds a part. LAB_EINVALID for a path or link that leaves it. */
int archive_unpack(const struct unpack_spec *spec, struct err *err);

/*
 * True if `path` is relative, without ".." and control bytes, and names
 * something inside. Exported for the unit test.
 */
int archive_check_path(const char *path, struct err *err);
/*
 * Check the target of a symbolic link at `path`. ROOTED: *ret_target is the
 * target to write; STRICT: it is a copy. The caller frees it.
 */
int archive_check_link(const char *path, const char *target, enum archive_links links,
		       char **ret_target, struct err *err);

/* The plain bytes of a file that may be compressed (.xz, .zst, .gz or not at all); free *ret_data. */
int archive_inflate_file(const char *path, size_t max, char **ret_data, size_t *ret_size,
			 struct err *err);

/* Writing. Entries have owner 0, time 0: the same content gives the same bytes. */
struct archive_writer;
enum archive_format { ARCHIVE_CPIO_ZSTD, ARCHIVE_TAR_ZSTD };
int archive_writer_open(const char *path, enum archive_format format,
			struct archive_writer **ret_writer, struct err *err);
int archive_writer_add_folder(struct archive_writer *writer, const char *path, mode_t mode,
			      struct err *err);
int archive_writer_add_bytes(struct archive_writer *writer, const char *path, mode_t mode,
			     const void *data, size_t size, struct err *err);
int archive_writer_add_link(struct archive_writer *writer, const char *path, const char *target,
			    struct err *err);
/* A character device. */
int archive_writer_add_device(struct archive_writer *writer, const char *path, mode_t mode,
			      unsigned major, unsigned minor, struct err *err);
/* Everything below `folder`, sorted by name, under `prefix` ("" or "lib/modules"). */
int archive_writer_add_tree(struct archive_writer *writer, const char *folder, const char *prefix,
			    struct err *err);
/* Write the end. The writer is freed in any case. */
int archive_writer_finish(struct archive_writer *writer, struct err *err);
/* Free without an end; NULL is fine. For auto_cleanup. */
void archive_writer_free_p(struct archive_writer **writer);
