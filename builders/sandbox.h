/*
 * Where a kernel's makefiles run: in bubblewrap, without network, without
 * privileges, with the source read-only and nothing else of the machine but
 * /usr; or, where bubblewrap does not work, as a plain child.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/proc.h"

struct err;
struct job;

struct sandbox_folder {
	const char *outside; /* real path */
	const char *inside;  /* path that the build sees in bubblewrap */
	bool is_writable;
};

#define SANDBOX_FOLDERS_MAX 6

struct sandbox {
	struct job *job;
	struct sandbox_folder folders[SANDBOX_FOLDERS_MAX];
	size_t folder_count;
	bool uses_bubblewrap;
};

/* Try bubblewrap with these folders; the outcome and the reason go into a decision report. */
int sandbox_init(struct sandbox *sandbox, struct job *job, const struct sandbox_folder *folders,
		 size_t count, struct err *err);
/* What the build calls the folder at `outside`, one of those of sandbox_init(). */
const char *sandbox_path(const struct sandbox *sandbox, const char *outside);
/*
 * Run `argv` in the folder `inside` (as sandbox_path() gives it) with a clean
 * environment and `env` added. Each line of output goes to `on_line`. Returns
 * as proc_run(): an exit status or a negative code.
 */
int sandbox_run(const struct sandbox *sandbox, const char *inside, const char *const *argv,
		const char *const *env, proc_line_cb on_line, void *user, struct err *err);
