/*
 * Reading the configuration. Every setting is a row of a table with its type and
 * range; a setting that is in no table is refused, so that a misspelt one does
 * not silently do nothing.
 */
#include "orchestrator/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libconfig.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/time.h"

static const char default_text[] =
#include "gen/testlabd.conf.inc"
	;

#define DEFAULT_NAME "built-in defaults"

enum setting_type {
	SETTING_INT,
	SETTING_TEXT,  /* a string; `words` lists what is allowed, unless NULL */
	SETTING_PATH,  /* a string: "" or an absolute path of something that exists */
	SETTING_NAME,  /* a string that can be a file name */
	SETTING_NAMES, /* a list of names, kept as JSON; may be empty unless min is 1 */
	SETTING_TEXTS, /* a list of strings, kept as JSON */
};

struct setting {
	const char *key;
	enum setting_type type;
	size_t offset;    /* of an int64_t or a char * in the object that is filled */
	int64_t min, max; /* for SETTING_INT, in the file's unit */
	int64_t unit;     /* factor from the file's unit to ours */
	const char *const *words;
};

/* Rows of the tables; `field` is the offset. */
#define INT(name, field, from, to, factor)                                                         \
	{                                                                                          \
		.key = (name), .type = SETTING_INT, .offset = (field), .min = (from), .max = (to), \
		.unit = (factor)                                                                   \
	}
#define TEXT(name, field, kind, allowed)                                                           \
	{                                                                                          \
		.key = (name), .type = (kind), .offset = (field), .words = (allowed)               \
	}
#define LIST(name, field, kind, least)                                                             \
	{                                                                                          \
		.key = (name), .type = (kind), .offset = (field), .min = (least)                   \
	}
#define END                                                                                        \
	{                                                                                          \
		.key = NULL                                                                        \
	}
#define AT(member)        offsetof(struct config, member)
#define SOURCE_AT(member) offsetof(struct source_fields, member)

static const char *const clock_words[] = { "auto", "virtual", "real", NULL };
static const char *const accelerator_words[] = { "auto", "tcg", "kvm", NULL };
static const char *const environment_words[] = { "set", "defaults", NULL };
static const char *const kind_words[] = { "debian", "git", NULL };

#define US_PER_MINUTE (60 * US_PER_SECOND)

static const struct setting top_settings[] = {
	TEXT("state", AT(state_folder), SETTING_TEXT, NULL),
	TEXT("token_file", AT(token_file), SETTING_TEXT, NULL),
	LIST("sets", AT(sets_json), SETTING_NAMES, 1),
	END,
};
static const struct setting listen_settings[] = {
	TEXT("address", AT(listen_address), SETTING_TEXT, NULL),
	INT("port", AT(listen_port), 0, 65535, 1),
	END,
};
static const struct setting known_good_settings[] = {
	TEXT("package", AT(known_good.package), SETTING_TEXT, NULL),
	TEXT("image", AT(known_good.image), SETTING_PATH, NULL),
	TEXT("modules", AT(known_good.modules), SETTING_PATH, NULL),
	INT("prove_minutes", AT(known_good.prove_us), 0, 100000, US_PER_MINUTE),
	END,
};
static const struct setting build_settings[] = {
	INT("parallel", AT(build.parallel), 1, 64, 1),
	INT("jobs", AT(build.jobs), 0, 1024, 1),
	INT("deadline_minutes", AT(build.deadline_us), 1, 10000, US_PER_MINUTE),
	END,
};
static const struct setting test_settings[] = {
	INT("parallel", AT(test.parallel), 1, 64, 1),
	INT("jobs", AT(test.jobs), 0, LIMIT_NUTS, 1),
	INT("deadline_minutes", AT(test.deadline_us), 1, 10000, US_PER_MINUTE),
	TEXT("clock", AT(test.clock), SETTING_TEXT, clock_words),
	TEXT("accelerator", AT(test.accelerator), SETTING_TEXT, accelerator_words),
	TEXT("environment", AT(test.environment), SETTING_TEXT, environment_words),
	INT("memory_mib", AT(test.memory_mib), 64, 65536, 1),
	INT("retries", AT(test.retries), 0, 10, 1),
	INT("real_percent", AT(test.real_percent), 0, 100, 1),
	END,
};
static const struct setting retry_settings[] = {
	INT("attempts", AT(retry.attempts), 0, 100, 1),
	INT("pause_seconds", AT(retry.pause_us), 0, 3600, US_PER_SECOND),
	END,
};
static const struct setting retention_settings[] = {
	INT("kernels", AT(retention.kernels), 0, 1000000, 1),
	INT("days", AT(retention.days), 0, 100000, 1),
	END,
};

static const struct {
	const char *key;
	const struct setting *settings;
} groups[] = {
	{ "listen", listen_settings }, { "known_good", known_good_settings },
	{ "build", build_settings },   { "test", test_settings },
	{ "retry", retry_settings },   { "retention", retention_settings },
};

/* A section of `sources`; the tags go to the builder through the JSON only. */
struct source_fields {
	struct config_source source;
	char *tags_json;
};
static const struct setting source_settings[] = {
	TEXT("name", SOURCE_AT(source.name), SETTING_NAME, NULL),
	TEXT("kind", SOURCE_AT(source.kind), SETTING_TEXT, kind_words),
	TEXT("location", SOURCE_AT(source.location), SETTING_TEXT, NULL),
	INT("poll_minutes", SOURCE_AT(source.poll_us), 1, 100000, US_PER_MINUTE),
	INT("backlog", SOURCE_AT(source.backlog), 0, 1000, 1),
	TEXT("config", SOURCE_AT(source.config_name), SETTING_NAME, NULL),
	LIST("sets", SOURCE_AT(source.sets_json), SETTING_NAMES, 0),
	LIST("tags", SOURCE_AT(tags_json), SETTING_TEXTS, 0),
	END,
};

const char *config_get_default_text(void)
{
	return default_text;
}

/* --- one setting ----------------------------------------------------------- */

/* "file:line: setting 'a.b': <formatted>" */
static int refuse(const char *file, const config_setting_t *at, struct err *err, const char *fmt,
		  ...) __attribute__((format(printf, 4, 5)));
static int refuse(const char *file, const config_setting_t *at, struct err *err, const char *fmt,
		  ...)
{
	const char *name;
	va_list ap;

	va_start(ap, fmt);
	(void)err_vset(err, LAB_EINVALID, fmt, ap);
	va_end(ap);
	name = config_setting_name(at);
	if (!name) /* an element of a list */
		name = config_setting_name(config_setting_parent(at));
	(void)err_prefix(err, "%s:%u: setting '%s'", file, (unsigned)config_setting_source_line(at),
			 name);
	return LAB_EINVALID;
}

static int read_int(const char *file, const config_setting_t *at, const struct setting *setting,
		    int64_t *ret_value, struct err *err)
{
	int type = config_setting_type(at);
	int64_t value;

	if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
		return refuse(file, at, err, "expected a whole number from %" PRId64 " to %" PRId64,
			      setting->min, setting->max);
	value = config_setting_get_int64(at);
	if (value < setting->min || value > setting->max)
		return refuse(file, at, err,
			      "%" PRId64 " is out of range, expected %" PRId64 " to %" PRId64,
			      value, setting->min, setting->max);
	*ret_value = value * setting->unit;
	return 0;
}

static int check_word(const char *file, const config_setting_t *at, const char *text,
		      const char *const *words, struct err *err)
{
	char list[128] = "";

	for (size_t i = 0; words[i]; i++) {
		size_t used = strlen(list);

		if (strcmp(words[i], text) == 0)
			return 0;
		(void)snprintf(list + used, sizeof(list) - used, "%s\"%s\"", i ? ", " : "",
			       words[i]);
	}
	return refuse(file, at, err, "'%.100s' is not known, expected one of %s", text, list);
}

static int read_text(const char *file, const config_setting_t *at, const struct setting *setting,
		     char **ret_text, struct err *err)
{
	const char *text = config_setting_get_string(at);
	auto_json json_t *utf8 = NULL;
	struct stat st;

	if (!text)
		return refuse(file, at, err, "expected a string in double quotes");
	if (strlen(text) > 4000)
		return refuse(file, at, err, "longer than 4000 bytes");
	utf8 = json_string(text); /* NULL if it is not */
	if (!utf8)
		return refuse(file, at, err, "expected UTF-8");
	if (setting->type == SETTING_NAME && !path_is_component(text))
		return refuse(file, at, err,
			      "'%.100s' is no name, expected one without '/' or control characters",
			      text);
	if (setting->type == SETTING_PATH && *text) {
		if (*text != '/')
			return refuse(file, at, err, "'%.100s': expected an absolute path", text);
		if (stat(text, &st) < 0 || access(text, R_OK) < 0)
			return refuse(file, at, err, "'%s': %s", text, strerror(errno));
	}
	if (setting->words) {
		int rc = check_word(file, at, text, setting->words, err);

		if (rc < 0)
			return rc;
	}
	free(*ret_text);
	*ret_text = xstrdup(text);
	return 0;
}

static int read_list(const char *file, const config_setting_t *at, const struct setting *setting,
		     char **ret_json, struct err *err)
{
	auto_json json_t *list = json_array();

	if (!config_setting_is_array(at) && !config_setting_is_list(at))
		return refuse(file, at, err, "expected a list of strings, [ \"...\", \"...\" ]");
	for (int i = 0; i < config_setting_length(at); i++) {
		const char *text = config_setting_get_string_elem(at, i);

		if (!text || !*text || strlen(text) > LIMIT_NAME)
			return refuse(file, at, err,
				      "element %d: expected a string in double quotes", i + 1);
		if (setting->type == SETTING_NAMES && !path_is_component(text))
			return refuse(file, at, err, "element %d: '%.100s' is no name", i + 1,
				      text);
		(void)json_array_append_new(list, json_string_lossy(text, strlen(text)));
	}
	if (setting->min > (int64_t)json_array_size(list))
		return refuse(file, at, err, "expected at least one element");
	free(*ret_json);
	*ret_json = json_text(list);
	return 0;
}

static int read_setting(const char *file, const config_setting_t *at, const struct setting *setting,
			void *object, struct err *err)
{
	char *field = (char *)object + setting->offset;

	switch (setting->type) {
	case SETTING_INT:
		return read_int(file, at, setting, (int64_t *)(void *)field, err);
	case SETTING_TEXT:
	case SETTING_PATH:
	case SETTING_NAME:
		return read_text(file, at, setting, (char **)(void *)field, err);
	case SETTING_NAMES:
	case SETTING_TEXTS:
		return read_list(file, at, setting, (char **)(void *)field, err);
	}
	lab_assert(!"a setting has a type");
	return LAB_EINVALID;
}

/* --- groups ---------------------------------------------------------------- */

/* 1 if `at` was one of `settings`, 0 if not. */
static int read_known(const char *file, const config_setting_t *at, const struct setting *settings,
		      void *object, struct err *err)
{
	for (const struct setting *s = settings; s->key; s++)
		if (strcmp(s->key, config_setting_name(at)) == 0) {
			int rc = read_setting(file, at, s, object, err);

			return rc < 0 ? rc : 1;
		}
	return 0;
}

static int read_group(const char *file, const config_setting_t *group,
		      const struct setting *settings, void *object, struct err *err)
{
	char known[256] = "";

	if (!config_setting_is_group(group))
		return refuse(file, group, err, "expected a group, { ... }");
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *at = config_setting_get_elem(group, (unsigned)i);
		int rc = read_known(file, at, settings, object, err);

		if (rc < 0)
			return rc;
		if (rc > 0)
			continue;
		for (const struct setting *s = settings; s->key; s++)
			(void)snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s",
				       *known ? ", " : "", s->key);
		return refuse(file, at, err, "unknown here, expected one of: %s", known);
	}
	return 0;
}

static void source_release(struct config_source *source)
{
	free(source->name);
	free(source->kind);
	free(source->location);
	free(source->config_name);
	free(source->sets_json);
	free(source->json);
}

/* What the builder gets and the database keeps. */
static char *make_source_json(const struct source_fields *fields)
{
	const struct config_source *source = &fields->source;
	auto_json json_t *json = NULL;

	json = json_pack("{ss ss ss so ss sI}", "name", source->name, "kind", source->kind,
			 "location", source->location, "tags",
			 json_loads(fields->tags_json, 0, NULL), "config", source->config_name,
			 "backlog", (json_int_t)source->backlog);
	lab_assert(json);
	return json_text(json);
}

static int check_source(const char *file, const config_setting_t *group,
			const struct config *config, const struct config_source *source,
			struct err *err)
{
	if (!*source->name || !source->kind)
		return refuse(file, group, err, "a source needs 'name', 'kind' and 'location'");
	if (strcmp(source->name, "known-good") == 0)
		return refuse(file, group, err, "the name 'known-good' is the lab's own");
	if (!*source->location)
		return refuse(file, group, err, "source '%s' needs a 'location'", source->name);
	if (strcmp(source->kind, "git") == 0 && *source->location == '/' &&
	    access(source->location, R_OK | X_OK) < 0)
		return refuse(file, group, err, "source '%s', location '%s': %s", source->name,
			      source->location, strerror(errno));
	if (*source->location == '-')
		return refuse(file, group, err,
			      "source '%s', location '%s': must not begin with '-'", source->name,
			      source->location);
	for (size_t i = 0; i < config->source_count; i++)
		if (strcmp(config->sources[i].name, source->name) == 0)
			return refuse(file, group, err, "a source '%s' is there already",
				      source->name);
	return 0;
}

static int read_source(const char *file, const config_setting_t *group, struct config *config,
		       struct err *err)
{
	struct source_fields fields = { .source = { .name = xstrdup(""),
						    .location = xstrdup(""),
						    .config_name = xstrdup("tiny"),
						    .sets_json = xstrdup("[]"),
						    .poll_us = 60 * US_PER_MINUTE,
						    .backlog = 1 },
					.tags_json = xstrdup("[]") };
	int rc;

	rc = read_group(file, group, source_settings, &fields, err);
	if (rc >= 0)
		rc = check_source(file, group, config, &fields.source, err);
	if (rc >= 0) {
		fields.source.json = make_source_json(&fields);
		config->sources = xreallocarray(config->sources, config->source_count + 1,
						sizeof(*config->sources));
		config->sources[config->source_count++] = fields.source;
	} else {
		source_release(&fields.source);
	}
	free(fields.tags_json);
	return rc;
}

static int read_sources(const char *file, const config_setting_t *list, struct config *config,
			struct err *err)
{
	int rc = 0;

	if (!config_setting_is_list(list))
		return refuse(file, list, err, "expected a list of sections, ( { ... }, { ... } )");
	for (size_t i = 0; i < config->source_count; i++)
		source_release(&config->sources[i]);
	config->source_count = 0;
	for (int i = 0; i < config_setting_length(list) && rc >= 0; i++)
		rc = read_source(file, config_setting_get_elem(list, (unsigned)i), config, err);
	return rc;
}

static int read_top(const char *file, const config_setting_t *at, struct config *config,
		    struct err *err)
{
	const char *name = config_setting_name(at);
	int rc;

	if (strcmp(name, "sources") == 0)
		return read_sources(file, at, config, err);
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (strcmp(groups[i].key, name) == 0)
			return read_group(file, at, groups[i].settings, config, err);
	rc = read_known(file, at, top_settings, config, err);
	if (rc == 0)
		return refuse(file, at, err,
			      "unknown, expected one of: state, listen, token_file, sources,"
			      " known_good, sets, build, test, retry, retention");
	return rc < 0 ? rc : 0;
}

/* Lay one text over what is there. */
static int read_text_of(const char *file, const char *text, struct config *config, struct err *err)
{
	const config_setting_t *root;
	config_t parser;
	int rc = 0;

	config_init(&parser);
	if (!config_read_string(&parser, text)) {
		rc = err_set(err, LAB_EPARSE, "%s:%d: %s",
			     config_error_file(&parser) ? config_error_file(&parser) : file,
			     config_error_line(&parser), config_error_text(&parser));
	} else {
		root = config_root_setting(&parser);
		for (int i = 0; i < config_setting_length(root) && rc >= 0; i++)
			rc = read_top(file, config_setting_get_elem(root, (unsigned)i), config,
				      err);
	}
	config_destroy(&parser);
	return rc;
}

/* --- the whole ------------------------------------------------------------- */

/* "127.0.0.1:8080", "[::1]:0" */
static int apply_listen(struct config *config, const char *listen, struct err *err)
{
	const char *colon = strrchr(listen, ':');
	char *end = NULL;
	long port = -1;
	size_t length;

	if (colon && colon[1] >= '0' && colon[1] <= '9')
		port = strtol(colon + 1, &end, 10);
	if (!colon || port < 0 || port > 65535 || *end)
		return err_set(err, LAB_EINVALID, "listen '%s': expected ADDRESS:PORT", listen);
	length = (size_t)(colon - listen);
	if (length >= 2 && listen[0] == '[' && colon[-1] == ']') {
		listen++;
		length -= 2;
	}
	free(config->listen_address);
	config->listen_address = xstrndup(listen, length);
	config->listen_port = port;
	return 0;
}

static int check_listen(const struct config *config, struct err *err)
{
	struct in6_addr address;

	if (inet_pton(AF_INET, config->listen_address, &address) == 1 ||
	    inet_pton(AF_INET6, config->listen_address, &address) == 1)
		return 0;
	return err_set(err, LAB_EINVALID, "listen address '%s': expected an IPv4 or IPv6 address",
		       config->listen_address);
}

static int find_state_folder(struct config *config, struct err *err)
{
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char *folder;

	if (*config->state_folder == '/')
		return 0;
	if (*config->state_folder) {
		auto_free char *here = getcwd(NULL, 0);

		if (!here)
			return err_set(err, -errno, "working folder: %s", strerror(errno));
		folder = path_join(here, config->state_folder);
	} else if (xdg && *xdg == '/') {
		folder = path_join(xdg, "testlab");
	} else if (geteuid() == 0) {
		folder = xstrdup("/var/lib/testlab");
	} else if (home && *home == '/') {
		folder = path_join(home, ".local/state/testlab");
	} else {
		return err_set(err, LAB_EINVALID,
			       "no state folder: set 'state', XDG_STATE_HOME or HOME");
	}
	free(config->state_folder);
	config->state_folder = folder;
	return 0;
}

/* A token that others can read protects nothing. */
static int check_token_file(struct config *config, struct err *err)
{
	bool is_own = *config->token_file == '\0';
	struct stat st;

	if (is_own) {
		free(config->token_file);
		config->token_file = path_join(config->state_folder, "token");
	}
	if (*config->token_file != '/')
		return err_set(err, LAB_EINVALID, "token file '%s': expected an absolute path",
			       config->token_file);
	if (stat(config->token_file, &st) < 0) {
		if (errno == ENOENT && is_own)
			return 0; /* made at start */
		return err_set(err, -errno, "token file '%s': %s", config->token_file,
			       strerror(errno));
	}
	if (!S_ISREG(st.st_mode))
		return err_set(err, LAB_EINVALID, "token file '%s': expected a regular file",
			       config->token_file);
	if (st.st_mode & 077)
		return err_set(
			err, -EACCES,
			"token file '%s': mode is %04o, expected 0600: others can use the token",
			config->token_file, (unsigned)(st.st_mode & 07777));
	if (access(config->token_file, R_OK) < 0)
		return err_set(err, -errno, "token file '%s': %s", config->token_file,
			       strerror(errno));
	return 0;
}

/* Sources without a list of their own take the general one. */
static void inherit_sets(struct config *config)
{
	for (size_t i = 0; i < config->source_count; i++) {
		struct config_source *source = &config->sources[i];

		if (strcmp(source->sets_json, "[]") == 0) {
			free(source->sets_json);
			source->sets_json = xstrdup(config->sets_json);
		}
	}
}

int config_load(struct config *config, const char *path, const char *state, const char *listen,
		struct err *err)
{
	auto_free char *text = NULL;
	size_t size;
	int rc;

	*config = (struct config){ 0 };
	rc = read_text_of(DEFAULT_NAME, default_text, config, err);
	if (rc >= 0 && path) {
		rc = fs_read_file(path, LIMIT_CONFIG_BYTES, &text, &size, err);
		if (rc >= 0 && memchr(text, '\0', size))
			rc = err_set(err, LAB_EPARSE, "%s: not a text file", path);
		if (rc >= 0)
			rc = read_text_of(path, text, config, err);
	}
	if (rc >= 0 && listen)
		rc = apply_listen(config, listen, err);
	if (rc < 0)
		return rc;
	if (state) {
		free(config->state_folder);
		config->state_folder = xstrdup(state);
	}
	inherit_sets(config);
	rc = check_listen(config, err);
	if (rc >= 0)
		rc = find_state_folder(config, err);
	return rc < 0 ? rc : check_token_file(config, err);
}

void config_release(struct config *config)
{
	for (size_t i = 0; i < config->source_count; i++)
		source_release(&config->sources[i]);
	free(config->sources);
	free(config->state_folder);
	free(config->listen_address);
	free(config->token_file);
	free(config->known_good.package);
	free(config->known_good.image);
	free(config->known_good.modules);
	free(config->sets_json);
	free(config->test.clock);
	free(config->test.accelerator);
	free(config->test.environment);
	*config = (struct config){ 0 };
}
