#include "cli/runner_list.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/proc.h"
#include "base/report.h"

#define TIMEOUT_MS 60000
#define BYTES_MAX  (16u << 20)

struct taking {
	const char *event;
	const char *key;
	json_t *list;
};

static int take(json_t *value, void *user, struct err *err)
{
	const struct taking *taking = user;
	const char *key;
	int rc;

	if (strcmp(json_string_or(value, "event", ""), taking->event) != 0)
		return 0;
	rc = json_get_string(value, taking->key, &key, err);
	if (rc < 0)
		return rc;
	(void)json_object_del(value, "event");
	(void)json_array_append(taking->list, value);
	return 0;
}

static int parse(const struct buf *output, struct taking *taking, struct err *err)
{
	struct report_reader *reader = report_reader_new(take, taking);
	int rc = report_reader_feed(reader, output->data ? output->data : "", output->size, err);

	report_reader_free(reader);
	return rc;
}

int runner_list(const char *command, const char *event, const char *key, json_t **ret_list,
		struct err *err)
{
	auto_cleanup(buf_release_p) struct buf output = BUF_INIT(BYTES_MAX);
	auto_cleanup(buf_release_p) struct buf errors = BUF_INIT(LIMIT_FRAME_BYTES);
	auto_json json_t *list = json_array();
	auto_free char *runner = NULL;
	struct taking taking = { .event = event, .key = key, .list = list };
	struct proc_spec spec = { .output = &output,
				  .error_output = &errors,
				  .timeout_ms = TIMEOUT_MS };
	int rc;

	rc = fs_find_program("testlab-runner", &runner, err);
	if (rc < 0)
		return rc;
	spec.argv = (const char *const[]){ runner, command, NULL };
	rc = proc_run(&spec, err);
	if (rc > 0) {
		while (errors.size && errors.data[errors.size - 1] == '\n')
			errors.data[--errors.size] = '\0';
		return err_set(err, LAB_ECHILD, "testlab-runner %s: %s", command,
			       errors.size ? errors.data : "it did not say why");
	}
	if (rc == 0)
		rc = parse(&output, &taking, err);
	if (rc < 0)
		return err_prefix(err, "testlab-runner %s", command);
	*ret_list = json_incref(list);
	return 0;
}
