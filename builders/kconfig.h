/* Kernel configurations: reading a .config, and what differs between two. */
#pragma once

#include <stddef.h>

struct buf;
struct err;

struct kconfig;

/* The options of a .config file or fragment; later lines win. */
int kconfig_read(const char *path, struct kconfig **ret_config, struct err *err);
int kconfig_parse(const char *text, struct kconfig **ret_config, struct err *err);
void kconfig_free_p(struct kconfig **config);

/* "y", "m", "250", "\"text\""; NULL when the option is off or unknown. */
const char *kconfig_get(const struct kconfig *config, const char *option);

/* Lines "-CONFIG_A=y" and "+CONFIG_A=m", sorted by option, of what differs; none if equal. */
void kconfig_diff(const struct kconfig *old_config, const struct kconfig *new_config,
		  struct buf *text);
/* The options of `requested` that `config` has otherwise: "CONFIG_A=y (is n), ...". */
void kconfig_missing(const struct kconfig *requested, const struct kconfig *config,
		     struct buf *text);
