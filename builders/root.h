/*
 * The NUT's user space: a small folder tree of programs from Debian packages
 * and the libraries they need, kept in the cache.
 */
#pragma once

struct err;
struct job;

/*
 * Make sure that the tree for `role` is in the cache. *ret_folder is its path,
 * *ret_version names its content ("busybox-static 1:1.35..., ..."); both are on
 * the heap. LAB_ENOTFOUND when neither apt nor the cache has it.
 */
int root_prepare(struct job *job, const char *role, char **ret_folder, char **ret_version,
		 struct err *err);
