/*
 * Finding and ending what is left of a child's process group. A child is the
 * leader of its own session, so its group and session have its pid as number,
 * and Linux gives no process that number while a member lives. The key (boot id
 * and start time) tells the child from a later process of the same number, also
 * after the lab or the machine was started anew.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct err;

#define PROCESS_KEY_SIZE 64

/* The key of a living process; false if there is none of that number. */
bool process_get_key(pid_t pid, char ret_key[PROCESS_KEY_SIZE]);
/* Send `signal` to what is left of the group; false if nothing of it lives. */
bool process_signal_group(pid_t pid, const char *key, int signal);
/* Kill it and wait until it is gone; LAB_ETIMEOUT after `timeout_ms`. Blocks. */
int process_end_group(pid_t pid, const char *key, int timeout_ms, struct err *err);
