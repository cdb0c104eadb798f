/*
 * Files and folders. All descriptors are close-on-exec. Paths are plain
 * strings; path_join() makes heap strings.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct buf;

/* "a/b" on the heap. */
char *path_join(const char *folder, const char *name);
/* True if `name` is one plain path component: not empty, no '/', no control byte, not "." or "..". */
bool path_is_component(const char *name);
/* Make `path` and its parents with `mode`; what exists is fine if it is a folder. */
int fs_mkdir_parents(const char *path, mode_t mode, struct err *err);
/* Remove a file or a whole tree without following links; a missing one is fine. */
int fs_remove_tree(const char *path, struct err *err);
/* Read a whole file of at most `max` bytes; a NUL is put after it. The caller frees *ret_data. */
int fs_read_file(const char *path, size_t max, char **ret_data, size_t *ret_size, struct err *err);
/* Write a whole file: into a temporary beside it, fsync, rename. */
int fs_write_file(const char *path, const void *data, size_t size, mode_t mode, struct err *err);
/* Copy a regular file (reflink or copy_file_range where possible). */
int fs_copy_file(const char *from, const char *to, mode_t mode, struct err *err);
/* The size of a regular file, or a negative code. */
int64_t fs_file_size(const char *path, struct err *err);
bool fs_exists(const char *path);
/* Bytes that an unprivileged writer may still use on the file system of `path`. */
int64_t fs_free_bytes(const char *path, struct err *err);
/*
 * Where our read-only data is: the folder that holds `suites/` and `builders/`.
 * TESTLAB_DATA if set; else the source tree when the program runs from
 * build/ of one; else the compiled-in PREFIX/share/testlab. The caller frees it.
 */
int fs_find_data(char **ret_path, struct err *err);
/* A program of ours ("testlab-runner"): beside the running one, or PREFIX/libexec/testlab. */
int fs_find_program(const char *name, char **ret_path, struct err *err);
