#include "builders/sandbox.h"

#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "builders/job.h"

#define ARGV_MAX         96
#define PROBE_TIMEOUT_MS 10000

/* Appends to an argv of ARGV_MAX; a longer one is a bug of the caller and cut by sandbox_run(). */
struct arguments {
	const char *argv[ARGV_MAX + 1];
	size_t count;
};

static void add(struct arguments *arguments, const char *text)
{
	if (arguments->count < ARGV_MAX)
		arguments->argv[arguments->count++] = text;
	arguments->argv[arguments->count] = NULL;
}

static void add_all(struct arguments *arguments, const char *const *texts)
{
	for (; *texts; texts++)
		add(arguments, *texts);
}

/* bwrap and its options, up to and with "--". */
static void add_bubblewrap(const struct sandbox *sandbox, const char *folder,
			   struct arguments *arguments)
{
	/*
	 * New namespaces of every kind: no network, no processes but its own, which
	 * end with the first of them. "nobody" inside, whoever we are outside.
	 */
	static const char *const options[] = {
		"bwrap",
		"--unshare-all",
		"--die-with-parent",
		"--new-session",
		"--cap-drop",
		"ALL",
		"--uid",
		"65534",
		"--gid",
		"65534",
		"--ro-bind",
		"/usr",
		"/usr",
		"--proc",
		"/proc",
		"--dev",
		"/dev",
		"--tmpfs",
		"/tmp",
		NULL,
	};
	/* Links on a merged /usr, folders before that. */
	static const char *const top[] = {
		"/bin", "/sbin", "/lib", "/lib64", "/etc/alternatives", "/etc/ld.so.cache"
	};

	add_all(arguments, options);
	for (size_t i = 0; i < sizeof(top) / sizeof(top[0]); i++) {
		add_all(arguments, (const char *const[]){ "--ro-bind-try", top[i], top[i], NULL });
	}
	for (size_t i = 0; i < sandbox->folder_count; i++) {
		add(arguments, sandbox->folders[i].is_writable ? "--bind" : "--ro-bind");
		add(arguments, sandbox->folders[i].outside);
		add(arguments, sandbox->folders[i].inside);
	}
	add_all(arguments, (const char *const[]){ "--chdir", folder, "--", NULL });
}

/* Does bubblewrap work with these folders? If not, `why` says what it said. */
static bool probe(const struct sandbox *sandbox, struct err *why)
{
	struct arguments arguments = { .count = 0 };
	struct proc_spec spec = {
		.argv = arguments.argv,
		.env_clear = true,
		.timeout_ms = PROBE_TIMEOUT_MS,
	};

	add_bubblewrap(sandbox, "/", &arguments);
	add(&arguments, "true");
	return job_run(sandbox->job, &spec, why) == 0;
}

int sandbox_init(struct sandbox *sandbox, struct job *job, const struct sandbox_folder *folders,
		 size_t count, struct err *err)
{
	struct err why = ERR_INIT;

	*sandbox = (struct sandbox){ .job = job };
	for (size_t i = 0; i < count && i < SANDBOX_FOLDERS_MAX; i++)
		sandbox->folders[sandbox->folder_count++] = folders[i];
	sandbox->uses_bubblewrap = probe(sandbox, &why);
	if (sandbox->uses_bubblewrap)
		job_decide(job, "build",
			   "builds in bubblewrap: no network, no privileges, source read-only");
	else
		job_decide(job, "build",
			   "builds without bubblewrap, as user %u with the network in reach: %s",
			   (unsigned)geteuid(), why.text);
	return job_check_cancelled(job, err);
}

const char *sandbox_path(const struct sandbox *sandbox, const char *outside)
{
	for (size_t i = 0; sandbox->uses_bubblewrap && i < sandbox->folder_count; i++) {
		if (strcmp(sandbox->folders[i].outside, outside) == 0)
			return sandbox->folders[i].inside;
	}
	return outside;
}

int sandbox_run(const struct sandbox *sandbox, const char *inside, const char *const *argv,
		const char *const *env, proc_line_cb on_line, void *user, struct err *err)
{
	struct arguments arguments = { .count = 0 };
	struct proc_spec spec = {
		.argv = arguments.argv,
		.env = env,
		.env_clear = true,
		.folder = sandbox->uses_bubblewrap ? NULL : inside,
		.on_line = on_line,
		.user = user,
		.cancel_fd = &sandbox->job->cancel_fd,
	};

	if (sandbox->uses_bubblewrap)
		add_bubblewrap(sandbox, inside, &arguments);
	add_all(&arguments, argv);
	if (arguments.count == ARGV_MAX)
		return err_set(err, LAB_ELIMIT, "more than %d arguments", ARGV_MAX);
	return proc_run(&spec, err);
}
