#include "cli/image.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "cli/show.h"
#include "base/worker.h"

/* Files that a job hands over, by role. */
struct wanted {
	const char *role;
	char **ret_path;
};

struct builder {
	const struct image_order *order;
	const char *what; /* "making the NUT's image" */
	const struct wanted *wanted;
	size_t wanted_count;
};

static char *cache_folder(void)
{
	const char *cache = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");

	if (cache && *cache == '/')
		return path_join(cache, "testlab");
	if (home && *home == '/')
		return path_join(home, ".cache/testlab");
	return xasprintf("/var/tmp/testlab-%d", (int)getuid());
}

static void take_artifact(const struct builder *builder, const struct worker *worker,
			  const json_t *report)
{
	const char *role = json_string_or(report, "role", "");
	const char *path = json_string_or(report, "path", NULL);

	for (size_t i = 0; path && i < builder->wanted_count; i++) {
		char **ret_path = builder->wanted[i].ret_path;

		if (strcmp(builder->wanted[i].role, role) != 0)
			continue;
		free(*ret_path);
		*ret_path = path_join(worker->folder, path);
	}
}

static void take_report(struct worker *worker, json_t *report, void *user)
{
	const struct builder *builder = user;
	const struct image_order *order = builder->order;
	const char *event = json_string_or(report, "event", "");

	if (order->on_report)
		order->on_report(report, order->user);
	if (strcmp(event, "progress") == 0)
		progress_live(order->progress, "%s: %s", builder->what,
			      json_string_or(report, "text", ""));
	if (strcmp(event, "artifact") == 0)
		take_artifact(builder, worker, report);
}

static int run_builder(struct builder *builder, json_t *job, struct err *err)
{
	const struct image_order *order = builder->order;
	auto_free char *cache = cache_folder();
	struct worker worker = { .on_report = take_report, .user = builder };
	struct crew crew = { .workers = &worker, .count = 1, .signal_fd = order->signal_fd };
	int rc;

	rc = fs_mkdir_parents(cache, 0700, err);
	if (rc == 0 && json_object_set_new(job, "cache", json_string(cache)) < 0)
		rc = err_set(err, LAB_EINVALID, "folder '%s': its name is no UTF-8", cache);
	if (rc == 0)
		rc = worker_start(&worker, "testlab-builder", order->folder, job, err);
	if (rc == 0)
		rc = crew_follow(&crew, err);
	progress_clear(order->progress);
	if (rc == 0 && worker.state != WORKER_STATE_DONE)
		rc = err_set(err, worker.is_input_wrong ? LAB_EINVALID : LAB_ECHILD, "%s: %s",
			     builder->what, worker.reason);
	for (size_t i = 0; rc == 0 && i < builder->wanted_count; i++) {
		if (!*builder->wanted[i].ret_path)
			rc = err_set(err, LAB_ECHILD, "%s: testlab-builder made no %s",
				     builder->what, builder->wanted[i].role);
	}
	worker_release(&worker);
	return rc;
}

int image_make(const struct image_order *order, const char *kernel, const char *modules,
	       const char *role, char **ret_path, struct err *err)
{
	auto_json json_t *job = json_pack("{s:s,s:s,s:s?,s:n,s:s}", "kind", "image", "image",
					  kernel, "modules", modules, "config", "role", role);
	const struct wanted wanted = { "initramfs", ret_path };
	struct builder builder = { order, "making the NUT's image", &wanted, 1 };

	return run_builder(&builder, job, err);
}

int image_fetch_kernel(const struct image_order *order, const char *package, char **ret_image,
		       char **ret_modules, struct err *err)
{
	auto_json json_t *job =
		json_pack("{s:s,s:{s:s,s:s,s:{s:s}}}", "kind", "prebuilt", "release", "name",
			  package, "identity", package, "detail", "package", package);
	const struct wanted wanted[] = { { "image", ret_image }, { "modules", ret_modules } };
	struct builder builder = { order, "fetching a kernel", wanted, 2 };

	return run_builder(&builder, job, err);
}
