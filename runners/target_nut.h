/* The virtual machine (runners/nut.h) as a target. */
#pragma once

struct err;
struct loop;
struct target_spec;
struct target;

/* The strings and links of `spec` must outlive the target. */
int target_nut_make(void *user, struct loop *loop, const struct target_spec *spec,
		    struct target *ret_target, struct err *err);
