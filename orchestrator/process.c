/* /proc, read for groups and start times. */
#include "orchestrator/process.h"

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/time.h"

#define POLL_MS 20

struct process_stat {
	pid_t group;
	pid_t session;
	uint64_t start; /* clock ticks since boot */
	char state;
};

static void closedir_p(DIR **folder)
{
	if (*folder)
		(void)closedir(*folder);
}

/* proc(5): the name in parentheses may hold anything, so read from its last ')'. */
static bool read_stat(pid_t pid, struct process_stat *ret_stat)
{
	char path[64], line[1024];
	auto_fclose FILE *file = NULL;
	const char *rest;
	size_t size;
	int group, session;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	size = fread(line, 1, sizeof(line) - 1, file);
	line[size] = '\0';
	rest = strrchr(line, ')');
	if (!rest ||
	    sscanf(rest,
		   ") %c %*d %d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d"
		   " %" SCNu64,
		   &ret_stat->state, &group, &session, &ret_stat->start) != 4)
		return false;
	ret_stat->group = group;
	ret_stat->session = session;
	return true;
}

static bool read_boot_id(char id[40])
{
	auto_fclose FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	return file && fscanf(file, "%39s", id) == 1;
}

bool process_get_key(pid_t pid, char ret_key[PROCESS_KEY_SIZE])
{
	struct process_stat stat;
	char boot[40];

	if (!read_stat(pid, &stat) || !read_boot_id(boot))
		return false;
	(void)snprintf(ret_key, PROCESS_KEY_SIZE, "%s:%" PRIu64, boot, stat.start);
	return true;
}

/* The start time in the key if it is of this boot. */
static bool parse_key(const char *key, uint64_t *ret_start)
{
	char boot[40];
	size_t length;

	if (!key || !read_boot_id(boot))
		return false;
	length = strlen(boot);
	return strncmp(key, boot, length) == 0 && key[length] == ':' &&
	       sscanf(key + length + 1, "%" SCNu64, ret_start) == 1;
}

/* A member of the session that is no older than its leader, other than a zombie. */
static bool has_member(pid_t pid, uint64_t start)
{
	auto_cleanup(closedir_p) DIR *proc = opendir("/proc");
	const struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		struct process_stat stat;
		char *end;
		long number = strtol(entry->d_name, &end, 10);

		if (*end || number <= 0 || !read_stat((pid_t)number, &stat))
			continue;
		if (stat.session == pid && stat.group == pid && stat.start >= start &&
		    stat.state != 'Z' && stat.state != 'X')
			return true;
	}
	return false;
}

bool process_signal_group(pid_t pid, const char *key, int signal)
{
	struct process_stat leader;
	uint64_t start;

	if (pid <= 1 || !parse_key(key, &start))
		return false;
	/* Another process has the number now: then the group is gone for long. */
	if (read_stat(pid, &leader) && leader.start != start)
		return false;
	return has_member(pid, start) && kill(-pid, signal) == 0;
}

int process_end_group(pid_t pid, const char *key, int timeout_ms, struct err *err)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * NS_PER_MS };
	int64_t until_ns = time_monotonic_ns() + timeout_ms * NS_PER_MS;

	while (process_signal_group(pid, key, SIGKILL)) {
		if (time_monotonic_ns() > until_ns)
			return err_set(err, LAB_ETIMEOUT, "process group %d does not end",
				       (int)pid);
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}
