/*
 * What a crash (of the lab or of the machine) left behind is ended and swept
 * before anything new begins: children, half artifacts, scratch folders. Cycles
 * and runs need no mending: their state is what they go on from.
 */
#include <inttypes.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "db/artifact.h"
#include "db/db.h"
#include "db/store.h"
#include "orchestrator/lab.h"
#include "orchestrator/process.h"
#include "orchestrator/sweep.h"

/* A child dies with its parent within 5 s by itself; SIGKILL takes no time at all. */
#define END_TIMEOUT_MS 10000

static int end_children(struct orchestrator *lab, struct err *err)
{
	struct job_left *jobs = NULL;
	int count, rc = 0;

	count = job_list_running(lab->db, &jobs, err);
	for (int i = 0; i < count; i++) {
		if (rc >= 0 && jobs[i].pid)
			rc = process_end_group((pid_t)jobs[i].pid, jobs[i].process_key,
					       END_TIMEOUT_MS, err);
		if (rc >= 0)
			rc = job_finish(lab->db, jobs[i].job_id, "interrupted",
					"the lab ended while this job ran", NULL, err);
		free(jobs[i].process_key);
	}
	free(jobs);
	if (count > 0)
		log_notice("orch", "%d jobs were interrupted; they are done again", count);
	return count < 0 ? count : rc;
}

int recover(struct orchestrator *lab, struct err *err)
{
	int rc;

	rc = end_children(lab, err);
	if (rc >= 0)
		rc = sweep_scratch(lab, err);
	if (rc >= 0)
		rc = db_run(lab->db, err,
			    "UPDATE kernel SET state = 'new' WHERE state = 'building'");
	return rc < 0 ? rc : artifact_sweep(lab->db, true, err);
}
