#!/bin/bash
# A builder or runner that is killed mid-work is a lost job that is done again,
# never a wrong verdict; when it happens too often, the cycle fails by the lab's
# own trouble.
# takes: 150 s, limit: 900 s
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/lab.sh"
quiet_config
share_cache
find_kernel || skip_all "no kernel image can be fetched"
plan 11

running() { sql "SELECT pid FROM job WHERE kind = '$1' AND state = 'running' AND pid IS NOT NULL"; }
is_running() { [ -n "$(running "$1")" ]; }

start_testlabd
cycle=$(trigger)
ok "the builder works" wait_for 60 is_running image
kill -9 "$(running image)"
ok "its job is lost" wait_for 20 sql_is \
  "SELECT text FROM job WHERE kind = 'image' AND state = 'failed'" "its process was ended by signal 9 (Killed)"
ok "the runner works" wait_for 120 is_running run
ok "and has judged tests" wait_for 120 sql_is 'SELECT count(*) >= 2 FROM verdict WHERE final' 1
kill -9 "$(running run)"
ok "the run is taken up again and done" wait_for 400 sql_is \
  "SELECT state FROM cycle WHERE cycle_id = $cycle" "done"
ok "the lost job is on record" sql_is "SELECT count(*) >= 1 FROM job WHERE kind = 'run' AND state = 'failed'" 1
is "$(sql "SELECT settings_json FROM run")" \
  '["net.ipv6.conf.default.addr_gen_mode=0","net.ipv6.conf.default.accept_dad=2"]' "the settings of the NUT are on record"
is "$(sql 'SELECT count(*) FROM (SELECT 1 FROM verdict WHERE final GROUP BY test_id
  HAVING count(*) > 1)')" 0 "no finished test was repeated"
is "$(sql "SELECT count(*) FROM verdict WHERE verdict = 'ERROR' AND final")" 0 "no verdict came of the kill"

cycle=$(trigger)
kill_all() {
  local pid
  for pid in $(running run); do kill -9 "$pid"; done
  sql_is "SELECT finished_us IS NOT NULL FROM cycle WHERE cycle_id = $cycle" 1
}
wait_for 120 kill_all
is "$(sql "SELECT state FROM cycle WHERE cycle_id = $cycle")" failed "killed again and again, the cycle fails"
like "$(sql "SELECT note FROM cycle WHERE cycle_id = $cycle")" \
  "the lab's own trouble, after 4 attempts: its process was ended by signal 9" "by the lab's own trouble"
