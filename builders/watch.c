/* Job kind "watch": tell every release that a source offers, oldest first. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "builders/job.h"
#include "builders/kinds.h"
#include "builders/source.h"

#define RELEASES_MAX 100000

struct offered {
	char *sort_key;
	json_t *event;
};

struct offered_list {
	struct offered *items;
	size_t count;
};

static void offered_list_release_p(struct offered_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].sort_key);
		json_decref(list->items[i].event);
	}
	free(list->items);
}

static int keep_release(const struct source_release *release, void *user, struct err *err)
{
	struct offered_list *list = user;
	json_t *event;

	if (list->count == RELEASES_MAX)
		return err_set(err, LAB_ELIMIT, "the source offers more than %d releases",
			       RELEASES_MAX);
	event = json_pack("{ss ss ss ss ss ss so sb sO}", "event", "release", "name", release->name,
			  "series", release->series, "type", release->type, "identity",
			  release->identity, "sort_key", release->sort_key, "released_us",
			  release->released_us ? json_integer(release->released_us) : json_null(),
			  "prebuilt", release->is_prebuilt, "detail", release->detail);
	if (!event)
		return err_set(err, LAB_EINVALID, "release '%s' has a name that is no UTF-8",
			       release->identity);
	list->items = xreallocarray(list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count++] =
		(struct offered){ .sort_key = xstrdup(release->sort_key), .event = event };
	return 0;
}

static int compare_offered(const void *a, const void *b)
{
	const struct offered *left = a, *right = b;

	return strcmp(left->sort_key, right->sort_key);
}

int watch_run(struct job *job, json_t *done, struct err *err)
{
	auto_cleanup(offered_list_release_p) struct offered_list list = { .count = 0 };
	const json_t *config = json_object_get(job->spec, "source");
	const struct source_ops *source;
	int rc;

	if (!json_is_object(config))
		return err_set(err, LAB_EINVALID, "field 'source': expected an object");
	rc = source_find(config, &source, err);
	if (rc == 0)
		rc = source->list(job, config, keep_release, &list, err);
	if (rc < 0)
		return err_prefix(err, "source '%s'", json_string_or(config, "name", "?"));
	if (list.count > 0)
		qsort(list.items, list.count, sizeof(*list.items), compare_offered);
	for (size_t i = 0; i < list.count && rc == 0; i++)
		rc = job_report(job, json_incref(list.items[i].event), err);
	(void)json_object_set_new(done, "releases", json_integer((json_int_t)list.count));
	return rc;
}
