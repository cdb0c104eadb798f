/*
 * Where libvirt runs our machines: the session libvirtd of this user, which
 * needs no root, no set-up and no other user to be allowed to read our files.
 *
 * For root libvirt has no session: libvirtd takes itself for the system's as
 * soon as its effective user id is 0, and then starts QEMU as another user, which
 * cannot read root's files and, where /dev/kvm is closed to it, makes libvirt
 * probe QEMU again for each machine (70 s were seen). So for root libvirtd is
 * started in a user namespace in which root has the number of `nobody`: to
 * itself it is an ordinary user, to the host it is root without capabilities.
 */
#include "runners/session.h"

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/proc.h"

#define DAEMON_START_TIMEOUT_MS 60000 /* it looks at every QEMU of the host when it is new there */
#define DAEMON_IDLE_TIMEOUT     "--timeout=30" /* s without clients and machines until it ends */
#define NOBODY                  "65534"

/* Is `path` a folder that only we can write to? Anything else at a guessable name is a trap. */
static int check_private(const char *path, struct err *err)
{
	struct stat info;

	if (lstat(path, &info) < 0)
		return err_set(err, -errno, "'%s': %s", path, strerror(errno));
	if (!S_ISDIR(info.st_mode) || info.st_uid != geteuid() || (info.st_mode & 022))
		return err_set(err, LAB_EAUTH,
			       "'%s': expected a folder of user %u that nobody else may write to",
			       path, geteuid());
	return 0;
}

int session_get_folder(char **ret_path, struct err *err)
{
	const char *set = getenv("XDG_RUNTIME_DIR");
	auto_free char *path = NULL;
	int rc;

	if (set && *set) {
		rc = check_private(set, err);
		if (rc < 0)
			return err ? err_prefix(err, "XDG_RUNTIME_DIR") : rc;
		*ret_path = xstrdup(set);
		return 0;
	}
	path = xasprintf("/run/user/%u", geteuid());
	if (check_private(path, NULL) < 0) {
		free(path);
		path = xasprintf("/tmp/testlab-%u", geteuid());
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return err_set(err, -errno, "make folder '%s': %s", path, strerror(errno));
		rc = check_private(path, err);
		if (rc < 0)
			return rc;
	}
	/* For libvirt, in this process and in the daemon that it starts. */
	if (setenv("XDG_RUNTIME_DIR", path, 1) < 0)
		return err_set(err, -errno, "setenv: %s", strerror(errno));
	*ret_path = STEAL_PTR(path);
	return 0;
}

int session_get_socket_folder(char **ret_path, struct err *err)
{
	auto_free char *folder = NULL, *path = NULL;
	int rc;

	rc = session_get_folder(&folder, err);
	if (rc < 0)
		return rc;
	path = path_join(folder, "testlab");
	rc = fs_mkdir_parents(path, 0700, err);
	if (rc < 0)
		return rc;
	*ret_path = STEAL_PTR(path);
	return 0;
}

int session_get_uri(char **ret_uri, struct err *err)
{
	auto_free char *folder = NULL;
	int rc;

	rc = session_get_folder(&folder, err);
	if (rc < 0)
		return rc;
	if (geteuid() == 0)
		*ret_uri = xasprintf("qemu+unix:///session?socket=%s/libvirt/libvirt-sock", folder);
	else
		*ret_uri = xstrdup("qemu:///session");
	return 0;
}

/* libvirtd wants a home folder for its settings and caches; nobody's does not exist. */
static char *home_setting(void)
{
	const char *home = getenv("HOME");
	const struct passwd *user = home && *home ? NULL : getpwuid(geteuid());

	if (user)
		home = user->pw_dir;
	return xasprintf("HOME=%s", home && *home ? home : "/root");
}

int session_start_daemon(struct err *err)
{
	auto_free char *home = NULL, *folder = NULL, *runtime = NULL;
	auto_cleanup(buf_release_p) struct buf output = BUF_INIT(1024);
	const char *argv[] = { "unshare", "--user",   "--map-user=" NOBODY, "--map-group=" NOBODY,
			       "--",      "libvirtd", "--daemon",           DAEMON_IDLE_TIMEOUT,
			       NULL };
	struct proc_spec spec = { .argv = argv, .timeout_ms = DAEMON_START_TIMEOUT_MS };
	int rc;

	if (geteuid() != 0)
		return 0; /* libvirt starts it itself */
	rc = session_get_folder(&folder, err);
	if (rc < 0)
		return rc;
	home = home_setting();
	runtime = xasprintf("XDG_RUNTIME_DIR=%s", folder);
	spec.env = (const char *[]){ home, runtime, "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	spec.error_output = &output;
	rc = proc_run(&spec, err);
	if (rc < 0)
		return rc;
	if (rc > 0)
		return err_set(err, LAB_EVIRT, "start libvirtd for root: %.*s",
			       (int)strcspn(output.data ? output.data : "no reason given", "\n"),
			       output.data ? output.data : "no reason given");
	return 0;
}
