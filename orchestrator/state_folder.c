#include "orchestrator/state_folder.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/time.h"

#define TOKEN_BYTES     20
#define TOKEN_MIN_CHARS 16
#define TOKEN_MAX_CHARS 512

/* Whoever holds the lock wrote its pid into it. */
static int refuse_second(int fd, const char *path, struct err *err)
{
	char pid[32] = "";
	ssize_t size = pread(fd, pid, sizeof(pid) - 1, 0);

	while (size > 0 && !isdigit((unsigned char)pid[size - 1]))
		size--;
	pid[size > 0 ? size : 0] = '\0';
	return err_set(
		err, LAB_EBUSY,
		"state folder is in use: testlabd with pid %s holds '%s'; stop it, or give this "
		"one another folder with --state",
		*pid ? pid : "unknown", path);
}

int state_folder_lock(const char *folder, int *ret_fd, struct err *err)
{
	auto_free char *path = path_join(folder, "lock");
	auto_close int fd = -1;
	char pid[32];
	int length, rc;

	rc = fs_mkdir_parents(folder, 0700, err);
	if (rc < 0)
		return err_prefix(err, "state folder");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(err, -errno, "state folder: open '%s': %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return refuse_second(fd, path, err);
		return err_set(err, -errno, "lock '%s': %s", path, strerror(errno));
	}
	length = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)length, 0) != length)
		return err_set(err, -errno, "write '%s': %s", path, strerror(errno));
	*ret_fd = STEAL_FD(fd);
	return 0;
}

static int make_token(const char *path, struct err *err)
{
	unsigned char noise[TOKEN_BYTES];
	char token[2 * TOKEN_BYTES + 2];

	random_bytes(noise, sizeof(noise));
	for (size_t i = 0; i < sizeof(noise); i++)
		(void)snprintf(token + 2 * i, 3, "%02x", noise[i]);
	token[sizeof(token) - 2] = '\n';
	return fs_write_file(path, token, sizeof(token) - 1, 0600, err);
}

int state_folder_read_token(const char *path, char **ret_token, struct err *err)
{
	auto_free char *token = NULL;
	size_t size;
	int rc;

	if (!fs_exists(path)) {
		rc = make_token(path, err);
		if (rc < 0)
			return err_prefix(err, "token file");
	}
	rc = fs_read_file(path, TOKEN_MAX_CHARS + 1, &token, &size, err);
	if (rc < 0)
		return err_prefix(err, "token file");
	while (size > 0 && isspace((unsigned char)token[size - 1]))
		token[--size] = '\0';
	if (size < TOKEN_MIN_CHARS)
		return err_set(err, LAB_EINVALID,
			       "token file '%s': expected one line of %d to %d characters", path,
			       TOKEN_MIN_CHARS, TOKEN_MAX_CHARS);
	for (size_t i = 0; i < size; i++)
		if (!isgraph((unsigned char)token[i]))
			return err_set(err, LAB_EINVALID,
				       "token file '%s': character %zu cannot be part of a token",
				       path, i + 1);
	*ret_token = STEAL_PTR(token);
	return 0;
}

static char *info_path(const char *folder)
{
	return path_join(folder, "testlabd.json");
}

int state_folder_write_info(const char *folder, const char *address, int port,
			    const char *token_file, struct err *err)
{
	bool is_v6 = strchr(address, ':');
	auto_free char *path = info_path(folder);
	auto_free char *url =
		xasprintf("http://%s%s%s:%d/", is_v6 ? "[" : "", address, is_v6 ? "]" : "", port);
	auto_json json_t *info =
		json_pack("{si ss si ss ss ss sI}", "pid", (int)getpid(), "address", address,
			  "port", port, "url", url, "token_file", token_file, "version",
			  LAB_VERSION, "started_us", (json_int_t)time_wall_us());

	return json_write_file(path, info, err);
}

void state_folder_remove_info(const char *folder)
{
	auto_free char *path = info_path(folder);

	(void)unlink(path); /* a stale one is told apart by its pid */
}
