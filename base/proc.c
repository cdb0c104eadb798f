/*
 * Child processes. Everything a child needs is prepared before fork(): the
 * caller may have threads, so the child may only use async-signal-safe calls
 * until execve(). A failing step there comes back as an errno on a pipe that
 * execve() closes.
 *
 * The end is watched with a pidfd. The leader is reaped last: while it is a
 * zombie its group id cannot be used again, so killing the rest of the group
 * cannot hit strangers.
 */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/report.h"
#include "base/time.h"

#define TERM_GRACE_NS (3 * NS_PER_SECOND) /* between SIGTERM and SIGKILL */
#define DRAIN_GRACE_NS                                                                             \
	(2 * NS_PER_SECOND) /* for output that is in the pipes when the leader ended */

/* What the child needs, ready before fork(). */
struct launch {
	char *program; /* path of the file to execute */
	char *const *argv;
	char **env; /* owned array, owned strings */
	const char *folder;
	int fds[4];   /* to become 0, 1, 2 and REPORT_FD; -1 for no REPORT_FD */
	int error_fd; /* errno of a failing step goes here */
	pid_t parent;
};

static void free_env_p(char ***env)
{
	if (!*env)
		return;
	for (char **entry = *env; *entry; entry++)
		free(*entry);
	free(*env);
}

static size_t count_strings(const char *const *list)
{
	size_t count = 0;

	while (list && list[count])
		count++;
	return count;
}

/* Set "NAME=value" in a list with room for one more. */
static void put_env(char **env, size_t *count, const char *entry)
{
	size_t name_length = strcspn(entry, "=") + 1;

	for (size_t i = 0; i < *count; i++) {
		if (strncmp(env[i], entry, name_length) == 0) {
			free(env[i]);
			env[i] = xstrdup(entry);
			return;
		}
	}
	env[(*count)++] = xstrdup(entry);
	env[*count] = NULL;
}

static char **make_env(const struct proc_spec *spec)
{
	static const char *const kept[] = { "PATH", "HOME" };
	const char *const *ours = (const char *const *)environ;
	size_t inherited = spec->env_clear ? 0 : count_strings(ours);
	char **env = xcalloc(inherited + count_strings(spec->env) + 5, sizeof(*env));
	size_t count = 0;

	for (size_t i = 0; i < inherited; i++)
		env[count++] = xstrdup(ours[i]);
	for (size_t i = 0; spec->env_clear && i < sizeof(kept) / sizeof(kept[0]); i++) {
		const char *value = getenv(kept[i]);

		if (value)
			env[count++] = xasprintf("%s=%s", kept[i], value);
	}
	if (spec->env_clear)
		put_env(env, &count, "LANG=C.UTF-8");
	for (const char *const *entry = spec->env; entry && *entry; entry++)
		put_env(env, &count, *entry);
	return env;
}

static bool is_program(const char *path)
{
	struct stat info;

	return stat(path, &info) == 0 && S_ISREG(info.st_mode) && access(path, X_OK) == 0;
}

/* The file `name` means along the PATH of `env`, on the heap, or NULL. */
static char *search_program(const char *name, char *const *env)
{
	const char *path = "/usr/local/bin:/usr/bin:/bin";

	if (strchr(name, '/'))
		return xstrdup(name);
	for (; *env; env++) {
		if (strncmp(*env, "PATH=", 5) == 0)
			path = *env + 5;
	}
	while (*path) {
		size_t length = strcspn(path, ":");
		auto_free char *candidate = xasprintf("%.*s/%s", (int)length, path, name);

		if (length && is_program(candidate))
			return STEAL_PTR(candidate);
		path += length + (path[length] == ':');
	}
	return NULL;
}

static _Noreturn void fail_child(const struct launch *launch)
{
	int code = errno;

	while (write(launch->error_fd, &code, sizeof(code)) < 0 && errno == EINTR)
		;
	_exit(127);
}

/* In the child. Signals are blocked until they are back to their defaults. */
static _Noreturn void run_child(const struct launch *launch)
{
	int error_fd;
	sigset_t none;

	(void)setpgid(0, 0);
	for (int number = 1; number < NSIG; number++)
		(void)signal(number, SIG_DFL); /* fails for SIGKILL, SIGSTOP and libc's own */
	(void)sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		fail_child(launch);
	if (getppid() != launch->parent)
		_exit(127); /* it died before prctl() */
	if (launch->folder && chdir(launch->folder) < 0)
		fail_child(launch);
	/* All descriptors of `launch` are 10 or more, so dup2() overwrites none of them. */
	for (int fd = 0; fd < 4; fd++) {
		if (launch->fds[fd] >= 0 && dup2(launch->fds[fd], fd) < 0)
			fail_child(launch);
	}
	error_fd = launch->fds[REPORT_FD] >= 0 ? REPORT_FD + 1 : REPORT_FD;
	if (dup3(launch->error_fd, error_fd, O_CLOEXEC) < 0)
		fail_child(launch);
	if (close_range((unsigned)error_fd + 1, UINT_MAX, 0) < 0)
		fail_child(launch);
	execve(launch->program, launch->argv, launch->env);
	fail_child(&(struct launch){ .error_fd = error_fd });
}

/* Replace *fd by the same file at number 10 or above. */
static int lift_fd(int *fd, struct err *err)
{
	int high = fcntl(*fd, F_DUPFD_CLOEXEC, 10);

	if (high < 0)
		return err_set(err, -errno, "duplicate a descriptor: %s", strerror(errno));
	(void)close(*fd);
	*fd = high;
	return 0;
}

static int open_pipe(int *ret_read, int *ret_write, struct err *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(err, -errno, "make a pipe: %s", strerror(errno));
	*ret_read = fds[0];
	*ret_write = fds[1];
	return lift_fd(ret_write, err);
}

/* What went wrong in the child between fork() and execve(): 0, or the reason. */
static int read_child_error(int fd)
{
	int code = 0;
	ssize_t got;

	do {
		got = read(fd, &code, sizeof(code));
	} while (got < 0 && errno == EINTR);
	return got == (ssize_t)sizeof(code) ? code : 0;
}

static void reap(pid_t pid, int *ret_status)
{
	while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
		;
}

static int fork_child(struct launch *launch, struct proc_child *child, struct err *err)
{
	auto_close int error_read = -1;
	auto_close int error_write = -1;
	sigset_t all, old;
	int rc, status;

	rc = open_pipe(&error_read, &error_write, err);
	if (rc < 0)
		return rc;
	launch->error_fd = error_write;
	launch->parent = getpid();
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &old);
	child->pid = fork();
	if (child->pid == 0)
		run_child(launch);
	rc = -errno;
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (child->pid < 0)
		return err_set(err, rc, "start '%s': %s", launch->argv[0], strerror(-rc));
	(void)setpgid(child->pid, child->pid); /* whoever of us two comes first */
	(void)close(STEAL_FD(error_write));
	rc = read_child_error(error_read);
	if (rc) {
		reap(child->pid, &status);
		return err_set(err, -rc, "start '%s'%s%s: %s", launch->argv[0],
			       launch->folder ? " in " : "", launch->folder ? launch->folder : "",
			       strerror(rc));
	}
	child->pid_fd = pidfd_open(child->pid, 0);
	if (child->pid_fd < 0) {
		rc = -errno;
		(void)kill(-child->pid, SIGKILL);
		reap(child->pid, &status);
		return err_set(err, rc, "watch '%s': %s", launch->argv[0], strerror(-rc));
	}
	return 0;
}

/* Start with the four descriptors of `fds` (numbers of 10 or more). */
static int launch_child(const struct proc_spec *spec, const int fds[4], struct proc_child *child,
			struct err *err)
{
	auto_cleanup(free_env_p) char **env = make_env(spec);
	auto_free char *program = search_program(spec->argv[0], env);
	struct launch launch = {
		.program = program,
		.argv = (char *const *)(uintptr_t)spec->argv,
		.env = env,
		.folder = spec->folder,
		.fds = { fds[0], fds[1], fds[2], fds[3] },
	};

	if (!program)
		return err_set(err, -ENOENT, "program '%s': not found in PATH", spec->argv[0]);
	return fork_child(&launch, child, err);
}

static int open_log(const struct proc_spec *spec, int *ret_fd, struct err *err)
{
	const char *path = spec->log_path ? spec->log_path : "/dev/null";

	*ret_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (*ret_fd < 0)
		return err_set(err, -errno, "open log '%s': %s", path, strerror(errno));
	return lift_fd(ret_fd, err);
}

static int open_nothing(int *ret_fd, struct err *err)
{
	*ret_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (*ret_fd < 0)
		return err_set(err, -errno, "open '/dev/null': %s", strerror(errno));
	return lift_fd(ret_fd, err);
}

int proc_start(const struct proc_spec *spec, bool with_reports, struct proc_child *ret_child,
	       struct err *err)
{
	struct proc_child child = { .pid = -1, .pid_fd = -1, .report_fd = -1 };
	auto_close int nothing = -1;
	auto_close int log = -1;
	auto_close int report_read = -1;
	auto_close int report_write = -1;
	int rc;

	rc = open_nothing(&nothing, err);
	if (rc == 0)
		rc = open_log(spec, &log, err);
	if (rc == 0 && with_reports)
		rc = open_pipe(&report_read, &report_write, err);
	if (rc < 0)
		return rc;
	rc = launch_child(spec, (const int[]){ nothing, log, log, report_write }, &child, err);
	if (rc < 0)
		return rc;
	if (report_read >= 0)
		(void)fcntl(report_read, F_SETFL, O_NONBLOCK);
	child.report_fd = STEAL_FD(report_read);
	*ret_child = child;
	return 0;
}

void proc_signal(const struct proc_child *child, int signal)
{
	(void)kill(-child->pid, signal); /* ESRCH: it has ended */
}

static int explain_status(int status, struct err *err)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return err_set(err, LAB_ECHILD, "killed by signal %d (%s)", WTERMSIG(status),
		       sigdescr_np(WTERMSIG(status)) ? sigdescr_np(WTERMSIG(status)) : "unknown");
}

int proc_wait(struct proc_child *child, struct err *err)
{
	struct pollfd end = { .fd = child->pid_fd, .events = POLLIN };
	int status = 0;

	while (poll(&end, 1, -1) < 0 && errno == EINTR)
		;
	(void)kill(-child->pid, SIGKILL);
	reap(child->pid, &status);
	(void)close(child->pid_fd);
	if (child->report_fd >= 0)
		(void)close(child->report_fd);
	*child = (struct proc_child){ .pid = -1, .pid_fd = -1, .report_fd = -1 };
	return explain_status(status, err);
}

/* --- proc_run ------------------------------------------------------------- */

/* One output pipe of the child. */
struct stream {
	int fd;          /* our end, -1 when closed */
	struct buf *out; /* or NULL */
	struct buf line; /* the line that is not complete yet */
};

/* One proc_run() under way. */
struct running {
	const struct proc_spec *spec;
	struct proc_child child;
	struct stream streams[2]; /* stdout, stderr */
	int log_fd;               /* copy of piped output goes here, -1 if there is no log */
	int input_fd;             /* our end of the child's stdin, -1 when all is written */
	size_t input_done;
	int stop_code; /* LAB_ETIMEOUT or LAB_ECANCELLED once the child was told to stop, else 0 */
	int64_t next_ns; /* next deadline: timeout, or SIGKILL; 0 = none */
	bool ended;      /* the leader has ended */
};

static void running_release_p(struct running *run)
{
	for (int i = 0; i < 2; i++) {
		if (run->streams[i].fd >= 0)
			(void)close(run->streams[i].fd);
		buf_clear(&run->streams[i].line);
	}
	if (run->log_fd >= 0)
		(void)close(run->log_fd);
	if (run->input_fd >= 0)
		(void)close(run->input_fd);
}

static void emit_line(struct running *run, struct stream *stream)
{
	if (run->spec->on_line)
		run->spec->on_line(stream->line.data ? stream->line.data : "", run->spec->user);
	buf_reset(&stream->line);
}

static void split_lines(struct running *run, struct stream *stream, const char *data, size_t size)
{
	while (size) {
		const char *end = memchr(data, '\n', size);
		size_t length = end ? (size_t)(end - data) : size;

		buf_append(&stream->line, data, length); /* what is too long is cut */
		if (!end)
			return;
		emit_line(run, stream);
		data = end + 1;
		size -= length + 1;
	}
}

static void read_stream(struct running *run, struct stream *stream)
{
	char block[16384];
	ssize_t got = read(stream->fd, block, sizeof(block));

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got <= 0) {
		(void)close(STEAL_FD(stream->fd));
		if (stream->line.size)
			emit_line(run, stream);
		return;
	}
	if (run->log_fd >= 0 && write(run->log_fd, block, (size_t)got) < 0)
		(void)close(
			STEAL_FD(run->log_fd)); /* disk full: the work goes on without its log */
	if (stream->out)
		buf_append(stream->out, block, (size_t)got);
	if (run->spec->on_line)
		split_lines(run, stream, block, (size_t)got);
}

static void write_input(struct running *run)
{
	const char *rest = run->spec->input + run->input_done;
	ssize_t wrote = *rest ? write(run->input_fd, rest, strlen(rest)) : 0;

	if (wrote < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (wrote > 0)
		run->input_done += (size_t)wrote;
	if (wrote < 0 || !run->spec->input[run->input_done])
		(void)close(STEAL_FD(run->input_fd)); /* all written, or the child reads no more */
}

static void stop_child(struct running *run, int code, int64_t now_ns)
{
	if (!run->stop_code) {
		run->stop_code = code;
		proc_signal(&run->child, SIGTERM);
		run->next_ns = now_ns + TERM_GRACE_NS;
	} else {
		proc_signal(&run->child, SIGKILL);
		run->next_ns = 0;
	}
}

/* True when there is nothing more to wait for. */
static bool is_finished(const struct running *run)
{
	return run->ended && run->streams[0].fd < 0 && run->streams[1].fd < 0;
}

static int poll_timeout(const struct running *run, int64_t now_ns)
{
	int64_t left_ms;

	if (!run->next_ns)
		return -1;
	left_ms = (run->next_ns - now_ns) / NS_PER_MS + 1;
	return left_ms < 0 ? 0 : left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

static void handle_deadline(struct running *run, int64_t now_ns)
{
	if (!run->next_ns || now_ns < run->next_ns)
		return;
	if (run->ended) { /* somebody outside the group holds the pipes: leave him */
		for (int i = 0; i < 2; i++) {
			if (run->streams[i].fd >= 0)
				(void)close(STEAL_FD(run->streams[i].fd));
		}
	} else {
		stop_child(run, LAB_ETIMEOUT, now_ns);
	}
}

static void follow(struct running *run)
{
	enum { OUT, ERROR, INPUT, CANCEL, END, COUNT };

	while (!is_finished(run)) {
		int64_t now_ns = time_monotonic_ns();
		bool may_cancel = run->spec->cancel_fd && !run->stop_code && !run->ended;
		struct pollfd fds[COUNT] = {
			[OUT] = { .fd = run->streams[0].fd, .events = POLLIN },
			[ERROR] = { .fd = run->streams[1].fd, .events = POLLIN },
			[INPUT] = { .fd = run->input_fd, .events = POLLOUT },
			[CANCEL] = { .fd = may_cancel ? *run->spec->cancel_fd : -1,
				     .events = POLLIN },
			[END] = { .fd = run->ended ? -1 : run->child.pid_fd, .events = POLLIN },
		};

		if (poll(fds, COUNT, poll_timeout(run, now_ns)) < 0)
			continue; /* EINTR */
		if (fds[OUT].revents)
			read_stream(run, &run->streams[0]);
		if (fds[ERROR].revents)
			read_stream(run, &run->streams[1]);
		if (fds[INPUT].revents)
			write_input(run);
		if (fds[CANCEL].revents)
			stop_child(run, LAB_ECANCELLED, time_monotonic_ns());
		if (fds[END].revents) {
			run->ended = true;
			proc_signal(&run->child, SIGKILL);
			run->next_ns = time_monotonic_ns() + DRAIN_GRACE_NS;
		}
		handle_deadline(run, time_monotonic_ns());
	}
}

/* The child's ends of stdin, stdout and stderr into `fds`, ours into `run`. */
static int open_streams(struct running *run, int fds[3], struct err *err)
{
	const struct proc_spec *spec = run->spec;
	struct buf *const outs[2] = { spec->output, spec->error_output };
	int rc;

	rc = spec->input ? open_pipe(&fds[0], &run->input_fd, err) : open_nothing(&fds[0], err);
	if (rc == 0 && spec->input)
		rc = lift_fd(&fds[0], err);
	if (rc == 0 && spec->log_path)
		rc = open_log(spec, &run->log_fd, err);
	for (int i = 0; rc == 0 && i < 2; i++) {
		run->streams[i].out = outs[i];
		if (outs[i] || spec->on_line)
			rc = open_pipe(&run->streams[i].fd, &fds[i + 1], err);
		else
			rc = open_log(spec, &fds[i + 1], err);
		if (rc == 0 && run->streams[i].fd >= 0)
			(void)fcntl(run->streams[i].fd, F_SETFL, O_NONBLOCK);
	}
	if (rc == 0 && run->input_fd >= 0)
		(void)fcntl(run->input_fd, F_SETFL, O_NONBLOCK);
	return rc;
}

/* SIGPIPE of a child that closes its stdin early must not kill us. */
static int follow_without_sigpipe(struct running *run, struct err *err)
{
	const struct timespec at_once = { 0 };
	sigset_t pipe_set, old;
	int rc;

	(void)sigemptyset(&pipe_set);
	(void)sigaddset(&pipe_set, SIGPIPE);
	(void)pthread_sigmask(SIG_BLOCK, &pipe_set, &old);
	follow(run);
	rc = proc_wait(&run->child, err);
	if (sigismember(&old, SIGPIPE) == 0)
		(void)sigtimedwait(&pipe_set, NULL, &at_once);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

int proc_run(const struct proc_spec *spec, struct err *err)
{
	auto_cleanup(running_release_p) struct running run = {
		.spec = spec,
		.streams = { { .fd = -1, .line = BUF_INIT(PROC_LINE_MAX) },
			     { .fd = -1, .line = BUF_INIT(PROC_LINE_MAX) } },
		.child = { .pid = -1, .pid_fd = -1, .report_fd = -1 },
		.log_fd = -1,
		.input_fd = -1,
	};
	int fds[4] = { -1, -1, -1, -1 };
	int rc;

	rc = open_streams(&run, fds, err);
	if (rc == 0)
		rc = launch_child(spec, fds, &run.child, err);
	for (int i = 0; i < 3; i++) {
		if (fds[i] >= 0)
			(void)close(fds[i]);
	}
	if (rc < 0)
		return rc;
	if (spec->timeout_ms)
		run.next_ns = time_monotonic_ns() + spec->timeout_ms * NS_PER_MS;
	rc = follow_without_sigpipe(&run, err);
	if (run.stop_code == LAB_ETIMEOUT)
		return err_set(err, LAB_ETIMEOUT, "'%s': stopped after %lld ms", spec->argv[0],
			       (long long)spec->timeout_ms);
	if (run.stop_code)
		return err_set(err, run.stop_code, "'%s': cancelled", spec->argv[0]);
	if (rc < 0)
		(void)err_prefix(err, "'%s'", spec->argv[0]);
	return rc;
}

int proc_die_with_parent(int signal, struct err *err)
{
	struct pollfd report = { .fd = REPORT_FD };
	struct stat info;

	if (prctl(PR_SET_PDEATHSIG, signal) < 0)
		return err_set(err, -errno, "ask for a signal at the parent's death: %s",
			       strerror(errno));
	if (fstat(REPORT_FD, &info) < 0 || !(S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode)))
		return 0; /* run by hand */
	if (poll(&report, 1, 0) > 0 && (report.revents & (POLLERR | POLLHUP)))
		return err_set(err, LAB_ECANCELLED, "the parent process has ended");
	return 0;
}
