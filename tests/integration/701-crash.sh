#!/bin/bash
# kill -9 of the daemon at many moments of a cycle: nothing is lost, no finished
# test is repeated, nothing is left running or lying about.
# takes: 200 s, limit: 900 s
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/lab.sh"
quiet_config
share_cache
find_kernel || skip_all "no kernel image can be fetched"
plan 9

# Verdicts must only ever be added: what one look saw final, every later look sees.
remember() { sql "SELECT run_id, test_id, attempt, verdict, started_us FROM verdict WHERE final" | sort; }
lost=0
start_testlabd
cycle=$(trigger)
: >"$TMP/before"
finals() { [ "$(sql 'SELECT count(*) FROM verdict WHERE final')" -gt "$1" ]; }
for i in $(seq 1 12); do
  # The first moments are those of fetching and installing; then each run gets a verdict further.
  [ "$i" -lt 5 ] || wait_for 120 finals "$(wc -l <"$TMP/before")"
  sleep "$(awk -v i="$i" -v t="$RANDOM" 'BEGIN { srand(i + t); print rand() * (i < 5 ? 2 : 1) }')"
  kill -9 "$LABD_PID"
  wait "$LABD_PID" 2>/dev/null
  remember >"$TMP/after"
  comm -23 "$TMP/before" "$TMP/after" | grep -q . && lost=1
  mv "$TMP/after" "$TMP/before"
  start_testlabd
  [ "$(sql "SELECT finished_us IS NOT NULL FROM cycle WHERE cycle_id = $cycle")" = 0 ] || break
done
say "killed $i times; tests finished at the last kill: $(wc -l <"$TMP/before")"
ok "the cycle is done in the end" wait_for 400 sql_is \
  "SELECT state FROM cycle WHERE cycle_id = $cycle" "done"
remember >"$TMP/after"
is "$lost$(comm -23 "$TMP/before" "$TMP/after" | wc -l)" 00 "no verdict was lost or changed"
is "$(sql 'SELECT count(*) FROM (SELECT 1 FROM verdict WHERE final GROUP BY run_id, test_id
  HAVING count(*) > 1)')" 0 "no finished test was repeated"
is "$(sql "SELECT (SELECT count(*) FROM verdict WHERE final) = total FROM run WHERE cycle_id = $cycle")" \
  1 "every test of the set has its verdict"
is "$(sql "SELECT count(*) FROM cycle_move WHERE cycle_id = $cycle")" 6 "each move was made once"
is "$(sql "SELECT count(*) FROM job WHERE state = 'running'")" 0 "no job is left running"
is "$(ls "$LABD_STATE/scratch")" "" "no scratch folder is left"
stop_testlabd
is "$(lab_children)" "" "no child is left"
is "$(sql 'PRAGMA integrity_check; SELECT count(*) FROM artifact WHERE NOT complete' | xargs)" "ok 0" \
  "the database is whole"
