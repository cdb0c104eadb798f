/*
 * What the runner knows of its tests: the sets, with how many of their tests
 * exist, and the clauses with their tests. Asked for once at start, one after
 * the other, because the daemon links no Lua, and kept in the database under
 * the list's name for pages and API.
 */
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/report.h"
#include "db/store.h"
#include "orchestrator/child.h"
#include "orchestrator/config.h"
#include "orchestrator/lab.h"

#define DEADLINE_MS 60000

struct list {
	const char *name;    /* the runner's command, and the key in the database */
	const char *keys[8]; /* fields that are shown, up to a NULL */
};

/* A set's list of ids would make most of it, and is not shown. */
static const struct list lists[] = {
	{ "sets", { "name", "title", "role", "planned", "implemented" } },
	{ "clauses", { "name", "rfc", "rfc_title", "section", "level", "requirements", "tests" } },
};
#define LIST_COUNT (sizeof(lists) / sizeof(lists[0]))

struct taking {
	const struct list *list;
	json_t *items;
};

static int take_item(json_t *value, void *user, struct err *err)
{
	const struct taking *taking = user;
	json_t *item = json_object();

	(void)err;
	for (const char *const *key = taking->list->keys; *key; key++)
		json_object_set(item, *key, json_object_get(value, *key));
	json_array_append_new(taking->items, item);
	return 0;
}

static char *log_path(const struct orchestrator *lab, const struct list *list)
{
	auto_free char *name = xasprintf("%s.log", list->name);

	return path_join(lab->scratch_folder, name);
}

/* What the runner printed becomes the lab's value of that name. */
static int store_list(struct orchestrator *lab, const struct list *list, const char *path,
		      struct err *err)
{
	auto_free char *data = NULL, *text = NULL;
	auto_json json_t *items = json_array();
	struct taking taking = { .list = list, .items = items };
	struct report_reader *reader;
	size_t size;
	int rc;

	rc = fs_read_file(path, LIMIT_REPORT_LINE, &data, &size, err);
	if (rc < 0)
		return rc;
	reader = report_reader_new(take_item, &taking);
	rc = report_reader_feed(reader, data, size, err);
	report_reader_free(reader);
	if (rc < 0)
		return rc;
	text = json_text(items);
	return lab_set(lab->db, list->name, text, err);
}

static const json_t *find_set(const json_t *sets, const char *name)
{
	const json_t *set;
	size_t i;

	json_array_foreach(sets, i, set)
		if (!strcmp(json_string_or(set, "name", ""), name))
			return set;
	return NULL;
}

/* Why the set cannot be asked for, with those that can. */
static int refuse_set(const json_t *sets, const char *name, struct err *err)
{
	struct buf usable = BUF_INIT(LIMIT_NAME * 64);
	auto_free char *text = NULL;
	const json_t *set;
	size_t i;

	json_array_foreach(sets, i, set)
		if (json_int_or(set, "implemented", 0) > 0)
			buf_printf(&usable, "%s%s", usable.size ? ", " : "",
				   json_string_or(set, "name", ""));
	text = buf_take_string(&usable);
	return err_set(err, LAB_EINVALID, "test set '%.*s' %s; expected one of %s", (int)LIMIT_NAME,
		       name, find_set(sets, name) ? "has no test yet" : "does not exist", text);
}

int catalogue_check_sets(struct orchestrator *lab, const json_t *names, struct err *err)
{
	auto_free char *text = NULL;
	auto_json json_t *sets = NULL;
	const json_t *name;
	size_t i;
	int rc;

	rc = lab_get(lab->db, lists[0].name, &text, err);
	if (rc < 0 || !text)
		return rc < 0 ? rc : 0;
	rc = json_parse(text, strlen(text), &sets, err);
	if (rc < 0)
		return rc;
	json_array_foreach(names, i, name) {
		const json_t *set = find_set(sets, json_string_value(name));

		if (!set || json_int_or(set, "implemented", 0) == 0)
			return refuse_set(sets, json_string_value(name), err);
	}
	return 0;
}

static void check_configured(struct orchestrator *lab, const char *what, const char *sets_json)
{
	auto_json json_t *names = NULL;
	struct err err = ERR_INIT;
	int rc = json_parse(sets_json, strlen(sets_json), &names, &err);

	if (rc >= 0)
		rc = catalogue_check_sets(lab, names, &err);
	if (rc < 0)
		lab_complain(what, &err);
}

/* Names in the configuration that mean nothing would only show when a night has failed. */
static void check_configuration(struct orchestrator *lab)
{
	const struct config *config = lab->config;

	check_configured(lab, "configuration: sets", config->sets_json);
	for (size_t i = 0; i < config->source_count; i++) {
		auto_free char *what =
			xasprintf("configuration: sets of source '%s'", config->sources[i].name);

		if (strcmp(config->sources[i].sets_json, config->sets_json) != 0)
			check_configured(lab, what, config->sources[i].sets_json);
	}
}

static void start_list(struct orchestrator *lab);

static void on_end(const struct child_end *end, void *user)
{
	struct orchestrator *lab = user;
	const struct list *list = &lists[lab->catalogue_list];
	auto_free char *path = log_path(lab, list);
	struct err err = ERR_INIT;
	int rc = 0;

	lab->catalogue = NULL;
	if (end->signal == 0 && end->exit_status == 0)
		rc = store_list(lab, list, path, &err);
	else if (!lab->stopping)
		rc = err_set(&err, LAB_ECHILD, "testlab-runner %s ended with status %d: %s",
			     list->name, end->exit_status, end->log_tail);
	if (rc < 0)
		lab_complain("list of tests", &err);
	else if (list == &lists[0] && !lab->stopping)
		check_configuration(lab);
	(void)unlink(path); /* else the next start sweeps it */
	lab->catalogue_list++;
	if (!lab->stopping && lab->catalogue_list < LIST_COUNT)
		start_list(lab);
}

static int ignore_report(json_t *value, void *user, struct err *err)
{
	(void)value;
	(void)user;
	(void)err;
	return 0;
}

static void start_list(struct orchestrator *lab)
{
	const struct list *list = &lists[lab->catalogue_list];
	auto_free char *path = log_path(lab, list);
	const char *argv[] = { lab->runner_path, list->name, NULL };
	const struct child_spec spec = {
		.uv = &lab->uv,
		.argv = argv,
		.log_path = path,
		.deadline_ms = DEADLINE_MS,
		.on_report = ignore_report,
		.on_end = on_end,
		.user = lab,
	};
	struct err err = ERR_INIT;

	if (child_start(&spec, &lab->catalogue, &err) < 0)
		lab_complain("list of tests", &err);
}

void catalogue_start(struct orchestrator *lab)
{
	lab->catalogue_list = 0;
	start_list(lab);
}

void catalogue_stop(struct orchestrator *lab)
{
	if (lab->catalogue)
		child_stop(lab->catalogue);
}
