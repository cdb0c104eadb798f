/*
 * The temporary folder of a run, in TMPDIR or /tmp. It is locked while its
 * testlab lives, so that the next run can tell and remove what a killed one left.
 */
#pragma once

struct err;

struct scratch {
	char *path;  /* NULL if there is none */
	int lock_fd; /* holds the lock; -1 if there is none */
};

#define SCRATCH_INIT ((struct scratch){ .path = 0, .lock_fd = -1 })

/* Remove what killed runs of this user left, and make a folder of our own. */
int scratch_open(struct scratch *scratch, struct err *err);
/* Remove it with all it holds. */
void scratch_close(struct scratch *scratch);
