#include "builders/kconfig.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/limits.h"

#define OPTIONS_MAX 100000

struct option {
	char *name;   /* "CONFIG_IPV6" */
	char *value;  /* NULL for "# CONFIG_IPV6 is not set" */
	size_t place; /* in the file; the last of one name counts */
};

struct kconfig {
	struct option *options; /* sorted by name, names unique */
	size_t count;
};

void kconfig_free_p(struct kconfig **config)
{
	if (!*config)
		return;
	for (size_t i = 0; i < (*config)->count; i++) {
		free((*config)->options[i].name);
		free((*config)->options[i].value);
	}
	free((*config)->options);
	free(*config);
	*config = NULL;
}

static int compare_options(const void *a, const void *b)
{
	const struct option *left = a, *right = b;

	int order = strcmp(left->name, right->name);

	return order ? order : (left->place > right->place) - (left->place < right->place);
}

static void add_option(struct kconfig *config, char *name, char *value)
{
	config->options =
		xreallocarray(config->options, config->count + 1, sizeof(*config->options));
	config->options[config->count] =
		(struct option){ .name = name, .value = value, .place = config->count };
	config->count++;
}

/* "CONFIG_X=value" or "# CONFIG_X is not set"; other lines say nothing. */
static void parse_line(struct kconfig *config, const char *line, size_t length)
{
	static const char off[] = " is not set";
	const char *equals = memchr(line, '=', length);

	if (length > 7 && strncmp(line, "CONFIG_", 7) == 0 && equals) {
		const char *value = equals + 1;
		size_t value_length = length - (size_t)(value - line);

		while (value_length > 0 &&
		       (value[value_length - 1] == ' ' || value[value_length - 1] == '\r'))
			value_length--;
		add_option(config, xstrndup(line, (size_t)(equals - line)),
			   value_length == 1 && value[0] == 'n' ? NULL
								: xstrndup(value, value_length));
	} else if (length > 9 + sizeof(off) - 1 && strncmp(line, "# CONFIG_", 9) == 0 &&
		   memcmp(line + length - (sizeof(off) - 1), off, sizeof(off) - 1) == 0) {
		add_option(config, xstrndup(line + 2, length - 2 - (sizeof(off) - 1)), NULL);
	}
}

/* Sort, and keep the last of those with the same name. */
static void settle(struct kconfig *config)
{
	size_t kept = 0;

	if (config->count == 0)
		return;
	qsort(config->options, config->count, sizeof(*config->options), compare_options);
	for (size_t i = 0; i < config->count; i++) {
		if (i + 1 < config->count &&
		    strcmp(config->options[i].name, config->options[i + 1].name) == 0) {
			free(config->options[i].name);
			free(config->options[i].value);
			continue;
		}
		config->options[kept++] = config->options[i];
	}
	config->count = kept;
}

int kconfig_parse(const char *text, struct kconfig **ret_config, struct err *err)
{
	auto_cleanup(kconfig_free_p) struct kconfig *config = xcalloc(1, sizeof(*config));

	while (*text) {
		size_t length = strcspn(text, "\n");

		if (config->count == OPTIONS_MAX)
			return err_set(err, LAB_ELIMIT, "more than %d options", OPTIONS_MAX);
		parse_line(config, text, length);
		text += length;
		text += *text == '\n';
	}
	settle(config);
	*ret_config = STEAL_PTR(config);
	return 0;
}

int kconfig_read(const char *path, struct kconfig **ret_config, struct err *err)
{
	auto_free char *text = NULL;
	size_t size = 0;
	int rc = fs_read_file(path, 16u << 20, &text, &size, err);

	if (rc == 0)
		rc = kconfig_parse(text, ret_config, err);
	return rc < 0 ? err_prefix(err, "configuration '%s'", path) : 0;
}

const char *kconfig_get(const struct kconfig *config, const char *option)
{
	size_t low = 0;
	size_t high = config->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(option, config->options[middle].name);

		if (order == 0)
			return config->options[middle].value;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* One of them is NULL where the configuration does not know the option. */
static void print_change(struct buf *text, const struct option *old_option,
			 const struct option *new_option)
{
	const char *old_value = old_option ? old_option->value : NULL;
	const char *new_value = new_option ? new_option->value : NULL;

	if (old_value && new_value && strcmp(old_value, new_value) == 0)
		return;
	if (old_value)
		buf_printf(text, "-%s=%s\n", old_option->name, old_value);
	if (new_value)
		buf_printf(text, "+%s=%s\n", new_option->name, new_value);
}

void kconfig_diff(const struct kconfig *old_config, const struct kconfig *new_config,
		  struct buf *text)
{
	size_t i = 0;
	size_t j = 0;

	while (i < old_config->count || j < new_config->count) {
		int order;

		if (i == old_config->count)
			order = 1;
		else if (j == new_config->count)
			order = -1;
		else
			order = strcmp(old_config->options[i].name, new_config->options[j].name);
		if (order < 0) {
			print_change(text, &old_config->options[i++], NULL);
		} else if (order > 0) {
			print_change(text, NULL, &new_config->options[j++]);
		} else {
			print_change(text, &old_config->options[i++], &new_config->options[j++]);
		}
	}
}

void kconfig_missing(const struct kconfig *requested, const struct kconfig *config,
		     struct buf *text)
{
	for (size_t i = 0; i < requested->count; i++) {
		const struct option *option = &requested->options[i];
		const char *value = kconfig_get(config, option->name);
		const char *wanted = option->value ? option->value : "n";

		if (strcmp(value ? value : "n", wanted) != 0)
			buf_printf(text, "%s%s=%s (is %s)", text->size ? ", " : "", option->name,
				   wanted, value ? value : "n");
	}
}
