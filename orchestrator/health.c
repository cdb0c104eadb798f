/*
 * Is the lab itself healthy? A kernel that is known to be good is tested at the
 * first start and again from time to time; if it does not pass what it passed
 * before, the trouble is ours, and no new kernel is judged until it does again.
 *
 * In the table `lab`: 'health' is 'unproven', 'healthy' or 'unhealthy';
 * 'health_note' why; 'health_us' when that was found; 'health_attempts' and
 * 'health_next_us' pace the retries; 'known_good_kernel' and 'known_good_config'
 * say which kernel it is and which setting chose it.
 */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/time.h"
#include "db/db.h"
#include "db/store.h"
#include "orchestrator/config.h"
#include "orchestrator/lab.h"

#define PRIORITY         100 /* before every kernel that is to be judged */
#define FIRST_PAUSE_US   (60 * US_PER_SECOND)
#define LONGEST_PAUSE_US (INT64_C(3600) * US_PER_SECOND)

static bool is_configured(const struct orchestrator *lab)
{
	return *lab->config->known_good.package || *lab->config->known_good.image;
}

static bool is_healthy(struct orchestrator *lab)
{
	auto_free char *health = NULL;

	return lab_get(lab->db, "health", &health, NULL) > 0 && strcmp(health, "healthy") == 0;
}

bool health_allows_tests(struct orchestrator *lab)
{
	return !is_configured(lab) || is_healthy(lab);
}

static int set_health(struct orchestrator *lab, const char *health, const char *note,
		      struct err *err)
{
	int rc;

	rc = db_begin(lab->db, err);
	if (rc < 0)
		return rc;
	rc = lab_set(lab->db, "health", health, err);
	if (rc >= 0)
		rc = lab_set(lab->db, "health_note", note, err);
	if (rc >= 0)
		rc = lab_set_int(lab->db, "health_us", time_wall_us(), err);
	if (rc >= 0)
		rc = decision_add(lab->db, "health", (struct decision_about){ 0 }, err,
				  "the lab is %s: %s", health, note);
	rc = db_end(lab->db, rc, err);
	if (rc >= 0)
		log_notice("orch", "the lab is %s: %s", health, note);
	return rc;
}

int health_fail(struct orchestrator *lab, const char *why, struct err *err)
{
	int64_t attempts = lab_get_int(lab->db, "health_attempts", 0);
	int64_t pause_us = FIRST_PAUSE_US;
	int rc;

	for (int64_t i = 0; i < attempts && pause_us < LONGEST_PAUSE_US; i++)
		pause_us *= 2;
	rc = lab_set_int(lab->db, "health_attempts", attempts + 1, err);
	if (rc >= 0)
		rc = lab_set_int(lab->db, "health_next_us", time_wall_us() + pause_us, err);
	return rc < 0 ? rc : set_health(lab, "unhealthy", why, err);
}

int health_judge(struct orchestrator *lab, const struct cycle_row *cycle, struct err *err)
{
	auto_free int64_t *runs = NULL;
	int64_t judged = 0;
	int count, rc = 0;

	count = run_list(lab->db, cycle->cycle_id, &runs, err);
	if (count < 0)
		return count;
	for (int i = 0; i < count; i++) {
		auto_free char *worse = NULL;
		auto_free char *note = NULL;

		rc = diff_count_unhealthy(lab->db, runs[i], &worse, err);
		if (rc < 0)
			return rc;
		if (rc == 0)
			continue;
		note = xasprintf("the known-good kernel does not pass what it passed before: %s",
				 worse);
		return health_fail(lab, note, err);
	}
	rc = db_get_int(lab->db, &judged, err,
			"SELECT count(*) FROM verdict v JOIN run r USING (run_id)"
			" WHERE r.cycle_id = ? AND v.final AND v.verdict = 'PASS'",
			DB_INT(cycle->cycle_id));
	if (rc < 0)
		return rc;
	if (judged == 0)
		return health_fail(lab, "the known-good kernel passed no test at all", err);
	rc = lab_set_int(lab->db, "health_attempts", 0, err);
	return rc < 0 ? rc
		      : set_health(lab, "healthy",
				   "the known-good kernel passes what it passed before", err);
}

/* --- asking for proofs --------------------------------------------------------- */

static int add_proof(struct orchestrator *lab, int64_t kernel_id, const char *why, struct err *err)
{
	struct cycle_new cycle = {
		.kernel_id = kernel_id,
		.reason = "known-good",
		.sets_json = lab->config->sets_json,
		.priority = PRIORITY,
	};
	int64_t cycle_id = 0;
	int rc;

	rc = cycle_find_active(lab->db, kernel_id, &cycle_id, err);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	rc = cycle_add(lab->db, &cycle, &cycle_id, err);
	if (rc >= 0)
		rc = decision_add(lab->db, "health",
				  (struct decision_about){ .kernel_id = kernel_id }, err,
				  "the known-good kernel is tested: %s", why);
	if (rc >= 0)
		lab_wake(lab);
	return rc;
}

int health_check_cycle(struct orchestrator *lab, const struct cycle_row *cycle, char **ret_note,
		       struct err *err)
{
	int64_t health_us = lab_get_int(lab->db, "health_us", 0);
	int64_t kernel_id = lab_get_int(lab->db, "known_good_kernel", 0);
	int rc;

	if (!is_configured(lab))
		return 1;
	if (is_healthy(lab) && (health_us > cycle->changed_us ||
				time_wall_us() - health_us < lab->config->known_good.prove_us))
		return 1;
	if (!is_healthy(lab) && health_us > cycle->changed_us)
		return lab_get(lab->db, "health_note", ret_note, err) < 0 ? LAB_EDB : 2;
	if (!kernel_id)
		return 0;
	rc = add_proof(lab, kernel_id, "the last proof is too old to vouch for a cycle", err);
	return rc < 0 ? rc : 0;
}

int health_round(struct orchestrator *lab, struct err *err)
{
	int64_t kernel_id = lab_get_int(lab->db, "known_good_kernel", 0);

	if (!is_configured(lab) || !kernel_id || is_healthy(lab) ||
	    time_wall_us() < lab_get_int(lab->db, "health_next_us", 0))
		return 0;
	return add_proof(lab, kernel_id, "the lab is not proven healthy", err);
}

/* --- which kernel it is ---------------------------------------------------------- */

static int set_kernel(struct orchestrator *lab, int64_t kernel_id, const char *what,
		      struct err *err)
{
	int rc;

	if (lab_get_int(lab->db, "known_good_kernel", 0) == kernel_id)
		return 0;
	rc = db_begin(lab->db, err);
	if (rc < 0)
		return rc;
	rc = db_run(lab->db, err, "UPDATE kernel SET known_good = 1 WHERE kernel_id = ?",
		    DB_INT(kernel_id));
	if (rc >= 0)
		rc = lab_set_int(lab->db, "known_good_kernel", kernel_id, err);
	if (rc >= 0)
		rc = lab_set_int(lab->db, "health_next_us", 0, err);
	if (rc >= 0)
		rc = decision_add(lab->db, "health",
				  (struct decision_about){ .kernel_id = kernel_id }, err,
				  "%s is the known-good kernel from now on", what);
	return db_end(lab->db, rc, err);
}

int health_take_release(struct orchestrator *lab, int64_t release_id, struct err *err)
{
	auto_cleanup(release_row_release) struct release_row release = { 0 };
	int64_t kernel_id;
	int rc;

	/* Kept until the setting changes: what proves the lab must not change under it. */
	if (lab_get_int(lab->db, "known_good_kernel", 0))
		return 0;
	rc = release_load(lab->db, release_id, &release, err);
	if (rc >= 0 && !release.prebuilt)
		rc = err_set(err, LAB_EINVALID,
			     "known_good.package '%s': expected a package with an image",
			     lab->config->known_good.package);
	if (rc >= 0)
		rc = kernel_add(lab->db, release_id, "prebuilt", true, &kernel_id, err);
	return rc < 0 ? rc : set_kernel(lab, kernel_id, release.name, err);
}

static int use_package(struct orchestrator *lab, struct err *err)
{
	const char *package = lab->config->known_good.package;
	auto_json json_t *section =
		json_pack("{ss ss ss s[] ss si}", "name", HEALTH_SOURCE, "kind", "debian",
			  "location", package, "tags", "config", "prebuilt", "backlog", 0);
	auto_free char *text = json_text(section);
	int64_t source_id;

	return source_put(lab->db, HEALTH_SOURCE, "debian", package, text, &source_id, err);
}

static int use_image(struct orchestrator *lab, struct err *err)
{
	const struct config *config = lab->config;
	int64_t kernel_id;
	int rc;

	rc = trigger_add_local(lab, "known-good", config->known_good.image,
			       *config->known_good.modules ? config->known_good.modules : NULL,
			       true, &kernel_id, err);
	return rc < 0 ? rc : set_kernel(lab, kernel_id, config->known_good.image, err);
}

int health_start(struct orchestrator *lab, struct err *err)
{
	const struct config *config = lab->config;
	auto_free char *setting = xasprintf("%s|%s|%s", config->known_good.package,
					    config->known_good.image, config->known_good.modules);
	auto_free char *before = NULL;
	int rc;

	rc = lab_get(lab->db, "known_good_config", &before, err);
	if (rc < 0)
		return rc;
	if (rc == 0 || strcmp(before, setting) != 0) {
		rc = lab_set(lab->db, "known_good_config", setting, err);
		if (rc >= 0)
			rc = lab_set_int(lab->db, "known_good_kernel", 0, err);
		if (rc >= 0)
			rc = set_health(lab, "unproven",
					is_configured(lab)
						? "the known-good kernel was not tested yet"
						: "no known-good kernel is configured",
					err);
	}
	if (rc < 0 || !is_configured(lab))
		return rc;
	return *config->known_good.image ? use_image(lab, err) : use_package(lab, err);
}
