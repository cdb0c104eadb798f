/*
 * The test sets as the runner knows them, with how many of their tests exist:
 * asked for once at start, because the daemon links no Lua, and kept in the
 * database under the key 'sets' for pages and API.
 */
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/report.h"
#include "db/store.h"
#include "orchestrator/child.h"
#include "orchestrator/lab.h"

#define DEADLINE_MS 60000

/* The fields that are shown; the lists of ids would make most of it. */
static int take_set(json_t *value, void *user, struct err *err)
{
	static const char *const keys[] = { "name", "title", "role", "planned", "implemented" };
	json_t *set = json_object();

	(void)err;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		json_object_set(set, keys[i], json_object_get(value, keys[i]));
	json_array_append_new(user, set);
	return 0;
}

/* What the runner printed becomes the lab's 'sets'. */
static int store_sets(struct orchestrator *lab, const char *path, struct err *err)
{
	auto_free char *data = NULL, *text = NULL;
	auto_json json_t *sets = json_array();
	struct report_reader *reader;
	size_t size;
	int rc;

	rc = fs_read_file(path, LIMIT_REPORT_LINE, &data, &size, err);
	if (rc < 0)
		return rc;
	reader = report_reader_new(take_set, sets);
	rc = report_reader_feed(reader, data, size, err);
	report_reader_free(reader);
	if (rc < 0)
		return rc;
	text = json_text(sets);
	return lab_set(lab->db, "sets", text, err);
}

static void on_end(const struct child_end *end, void *user)
{
	struct orchestrator *lab = user;
	auto_free char *path = path_join(lab->scratch_folder, "sets.log");
	struct err err = ERR_INIT;
	int rc = 0;

	lab->catalogue = NULL;
	if (end->signal == 0 && end->exit_status == 0)
		rc = store_sets(lab, path, &err);
	else if (!lab->stopping)
		rc = err_set(&err, LAB_ECHILD, "testlab-runner ended with status %d: %s",
			     end->exit_status, end->log_tail);
	if (rc < 0)
		lab_complain("list of test sets", &err);
	(void)unlink(path); /* else the next start sweeps it */
}

static int ignore_report(json_t *value, void *user, struct err *err)
{
	(void)value;
	(void)user;
	(void)err;
	return 0;
}

void catalogue_start(struct orchestrator *lab)
{
	auto_free char *path = path_join(lab->scratch_folder, "sets.log");
	const char *argv[] = { lab->runner_path, "sets", NULL };
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
		lab_complain("list of test sets", &err);
}

void catalogue_stop(struct orchestrator *lab)
{
	if (lab->catalogue)
		child_stop(lab->catalogue);
}
