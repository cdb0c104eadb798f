/*
 * The orchestrator's loop. It never blocks for long: children do the work, files
 * are copied in libuv's thread pool or chunk by chunk, and a statement is a write
 * to a local file.
 */
#include "orchestrator/lab.h"

#include <signal.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/time.h"
#include "db/db.h"
#include "db/store.h"
#include "orchestrator/config.h"
#include "orchestrator/ingest.h"
#include "orchestrator/job.h"
#include "orchestrator/sweep.h"

#define TICK_MS 1000
/* A stop waits so long for scratch folders to be removed. */
#define SWEEP_PATIENCE_TICKS 5

void lab_wake(struct orchestrator *lab)
{
	lab->needs_round = true;
}

void lab_complain(const char *what, const struct err *err)
{
	log_error("orch", "%s: %s", what, err->text);
}

/* Everything was told to stop; when the last job is gone, the loop has nothing left. */
static void close_handles(struct orchestrator *lab)
{
	if (lab->closed)
		return;
	lab->closed = true;
	ask_serve(lab, true);
	ingest_close(lab->ingest);
	uv_close((uv_handle_t *)&lab->tick, NULL);
	uv_close((uv_handle_t *)&lab->round, NULL);
	uv_close((uv_handle_t *)&lab->asked, NULL);
	uv_close((uv_handle_t *)&lab->terminate[0], NULL);
	uv_close((uv_handle_t *)&lab->terminate[1], NULL);
}

static void on_round(uv_prepare_t *round)
{
	struct orchestrator *lab = round->data;

	if (lab->stopping && !lab->jobs && !lab->catalogue && !lab->is_sweeping) {
		close_handles(lab);
		return;
	}
	if (!lab->needs_round)
		return;
	lab->needs_round = false;
	schedule_round(lab);
}

static void on_tick(uv_timer_t *tick)
{
	struct orchestrator *lab = tick->data;

	job_tick(lab);
	if (lab->stopping && ++lab->stopping_ticks > SWEEP_PATIENCE_TICKS)
		atomic_store(&lab->hurry, true);
	lab_wake(lab);
}

static void on_asked(uv_async_t *asked)
{
	struct orchestrator *lab = asked->data;

	ask_serve(lab, lab->stopping);
}

static void on_terminate(uv_signal_t *terminate, int signal)
{
	struct orchestrator *lab = terminate->data;

	if (lab->stopping)
		return;
	log_notice("orch", "signal %d (%s): stopping", signal, strsignal(signal));
	lab->stopping = true;
	ask_serve(lab, true);
	job_stop(lab, 0, JOB_INTERRUPTED);
	catalogue_stop(lab);
}

static void init_loop(struct orchestrator *lab)
{
	static const int signals[] = { SIGTERM, SIGINT };
	int rc = uv_loop_init(&lab->uv);

	lab_assert(rc == 0);
	(void)uv_timer_init(&lab->uv, &lab->tick);
	(void)uv_prepare_init(&lab->uv, &lab->round);
	rc = uv_async_init(&lab->uv, &lab->asked, on_asked);
	lab_assert(rc == 0);
	lab->tick.data = lab->round.data = lab->asked.data = lab;
	(void)uv_timer_start(&lab->tick, on_tick, TICK_MS, TICK_MS);
	(void)uv_prepare_start(&lab->round, on_round);
	for (size_t i = 0; i < 2; i++) {
		(void)uv_signal_init(&lab->uv, &lab->terminate[i]);
		lab->terminate[i].data = lab;
		(void)uv_signal_start(&lab->terminate[i], on_terminate, signals[i]);
	}
	lab->ingest = ingest_new(&lab->uv, lab->db);
}

static int find_folders(struct orchestrator *lab, struct err *err)
{
	const char *state = lab->config->state_folder;
	int rc;

	lab->scratch_folder = path_join(state, "scratch");
	lab->trash_folder = path_join(state, "trash");
	lab->cache_folder = path_join(state, "cache");
	lab->ccache_folder = path_join(state, "ccache");
	rc = fs_mkdir_parents(lab->cache_folder, 0700, err);
	if (rc >= 0)
		rc = fs_mkdir_parents(lab->ccache_folder, 0700, err);
	if (rc >= 0)
		rc = fs_find_program("testlab-builder", &lab->builder_path, err);
	return rc < 0 ? rc : fs_find_program("testlab-runner", &lab->runner_path, err);
}

static int start_up(struct orchestrator *lab, struct err *err)
{
	auto_free char *path = path_join(lab->config->state_folder, "lab.sqlite");
	int rc;

	rc = find_folders(lab, err);
	if (rc >= 0)
		rc = db_open(path, &lab->db, err);
	if (rc >= 0)
		rc = recover(lab, err);
	if (rc >= 0)
		rc = watch_start(lab, err);
	if (rc >= 0)
		rc = health_start(lab, err);
	if (rc >= 0)
		rc = lab_set_int(lab->db, "started_us", time_wall_us(), err);
	return rc < 0 ? rc : lab_set(lab->db, "version", LAB_VERSION, err);
}

int orchestrator_new(const struct config *config, struct orchestrator **ret_lab, struct err *err)
{
	struct orchestrator *lab = xcalloc(1, sizeof(*lab));
	int rc;

	lab->config = config;
	(void)pthread_mutex_init(&lab->lock, NULL);
	rc = start_up(lab, err);
	if (rc < 0) {
		orchestrator_free(lab);
		return rc;
	}
	init_loop(lab);
	lab_wake(lab);
	*ret_lab = lab;
	return 0;
}

int orchestrator_run(struct orchestrator *lab, struct err *err)
{
	int rc;

	if (!lab->stopping)
		catalogue_start(lab);
	sweep_start(lab);
	(void)uv_run(&lab->uv, UV_RUN_DEFAULT);
	rc = uv_loop_close(&lab->uv);
	lab_assert(rc == 0); /* else a handle was left open */
	ingest_free(lab->ingest);
	lab->ingest = NULL;
	return lab_set_int(lab->db, "stopped_us", time_wall_us(), err);
}

void orchestrator_free(struct orchestrator *lab)
{
	if (!lab)
		return;
	if (lab->ingest) { /* it was never run: no job has begun, only handles are open */
		lab->stopping = true;
		(void)orchestrator_run(lab, NULL);
	}
	db_close(lab->db);
	(void)pthread_mutex_destroy(&lab->lock);
	free(lab->builder_path);
	free(lab->runner_path);
	free(lab->scratch_folder);
	free(lab->trash_folder);
	free(lab->cache_folder);
	free(lab->ccache_folder);
	free(lab);
}
