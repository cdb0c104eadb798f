#!/bin/bash
# The known-good kernel proves the lab: when it cannot, no new kernel is tested;
# when it can again, all goes on. And a stop in the middle of a run loses nothing.
# takes: 150 s, limit: 900 s
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/lab.sh"
share_cache
find_kernel || skip_all "no kernel image can be fetched"
plan 14
cat >"$TMP/testlabd.conf" <<END
sources = ();
known_good: { package = ""; image = "$KERNEL_IMAGE"; modules = "$KERNEL_MODULES"; prove_minutes = 0; };
retry: { attempts = 0; };
END
health_is() { sql_is "SELECT value FROM lab WHERE key = 'health'" "$1"; }
running_run() { sql "SELECT pid FROM job WHERE kind = 'run' AND state = 'running' AND pid IS NOT NULL"; }
has_run() { [ -n "$(running_run)" ]; }

start_testlabd
ok "at the first start the lab is not proven" health_is unproven
ok "and tests the known-good kernel" wait_for 120 has_run
kill -9 "$(running_run)"
ok "when that cannot be done, the lab is unhealthy" wait_for 20 health_is unhealthy
is "$(api GET /api/v1/status | jq -r .health)" unhealthy "the API says so"
like "$(api GET /api/v1/status | jq -r .health_note)" "lab's own trouble.*signal 9" "and why"

# Another kernel than the known-good one: the same with a byte more.
cp "$KERNEL_IMAGE" "$TMP/bzImage"
printf '\0' >>"$TMP/bzImage"
KERNEL_IMAGE=$TMP/bzImage
cycle=$(trigger)
ok "a new kernel waits" wait_for 60 sql_is "SELECT note FROM cycle WHERE cycle_id = $cycle" \
  "waits until the known-good kernel proves the lab healthy"
is "$(sql "SELECT count(*) FROM job j JOIN run USING (run_id) WHERE run.cycle_id = $cycle")" 0 \
  "and is not tested"

ok "the lab tries again after a while" wait_for 120 has_run
stop_testlabd
is $? 0 "a stop in the middle of a run ends well"
is "$(sql "SELECT DISTINCT state FROM job WHERE job_id = (SELECT max(job_id) FROM job)")" interrupted \
  "its job is interrupted, not failed"
is "$(lab_children)" "" "no child is left"
start_testlabd
ok "then the lab is healthy" wait_for 200 health_is healthy
ok "and the new kernel is tested, compared and proven" wait_for 400 sql_is \
  "SELECT state FROM cycle WHERE cycle_id = $cycle" "done"
ok "by a proof of its own, made after its tests" sql_is \
  "SELECT (SELECT max(finished_us) FROM run JOIN kernel USING (kernel_id) WHERE known_good) >
    (SELECT max(finished_us) FROM run WHERE cycle_id = $cycle)" 1
