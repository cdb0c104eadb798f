/* The files of the state folder that are not the database: lock, token, address. */
#pragma once

struct err;

/*
 * Make the folder (mode 0700) and hold its lock until *ret_fd is closed, which a
 * crash does as well. LAB_EBUSY names the process that has it.
 */
int state_folder_lock(const char *folder, int *ret_fd, struct err *err);
/* Read the bearer token; made with mode 0600 when `path` does not exist. The caller frees it. */
int state_folder_read_token(const char *path, char **ret_token, struct err *err);
/* Write testlabd.json for the CLI: pid, address, port, url, paths. */
int state_folder_write_info(const char *folder, const char *address, int port,
			    const char *token_file, struct err *err);
void state_folder_remove_info(const char *folder);
