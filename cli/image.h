/* What testlab-builder does for the command line: a kernel to test with, and the NUT's initramfs. */
#pragma once

#include <jansson.h>

struct err;
struct progress;

struct image_order {
	const char *folder; /* scratch folder of the job; made; its log stays there */
	int signal_fd;      /* of crew_open_signals() */
	struct progress *progress;
	/* Each report of the builder; may be NULL. */
	void (*on_report)(const json_t *report, void *user);
	void *user;
};

/*
 * Make the initramfs for `kernel` and its `modules` (folder, archive or NULL) in
 * `role`; *ret_path is in the order's folder and belongs to the caller. LAB_EINVALID if
 * the kernel or the modules are not fit, LAB_ECANCELLED after a signal.
 */
int image_make(const struct image_order *order, const char *kernel, const char *modules,
	       const char *role, char **ret_path, struct err *err);
/* Fetch the kernel of a Debian package: image and modules archive, in the order's folder. */
int image_fetch_kernel(const struct image_order *order, const char *package, char **ret_image,
		       char **ret_modules, struct err *err);
