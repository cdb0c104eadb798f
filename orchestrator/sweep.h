/*
 * Removing scratch folders. A builder's holds a whole kernel tree, a hundred
 * thousand files: that is done in libuv's pool, folder by folder, so that a lab
 * that is asked to stop need not wait for it. What is left then lies in the
 * trash folder or is put there at the next start.
 */
#pragma once

#include <stdatomic.h>

struct err;
struct orchestrator;

/* Blocks. LAB_ECANCELLED when *stop became true and not everything is gone. */
int sweep_tree(const char *path, const atomic_bool *stop, struct err *err);

/* Move the scratch folder into the trash and make a new one; quick. */
int sweep_scratch(struct orchestrator *lab, struct err *err);
/* Empty the trash in the background; lab->is_sweeping until that ends. */
void sweep_start(struct orchestrator *lab);
