#!/bin/bash
# Triggering and cancelling over the API: what is asked for happens, once, in order.
# takes: 90 s, limit: 600 s
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/lab.sh"
quiet_config
share_cache
find_kernel || skip_all "no kernel image can be fetched"
plan 17

start_testlabd
status_of() { # status_of METHOD PATH BODY: only the HTTP status
  api "$@" >/dev/null
  cat "$TMP/api.status"
}
is "$(curl -s -o /dev/null -w '%{http_code}' -X POST -H 'Content-Type: application/json' \
  -d "{\"image\": \"$KERNEL_IMAGE\"}" "$LABD_URL/api/v1/cycles")" 401 "no token, no trigger"
is "$(status_of POST /api/v1/cycles '{"image": "relative"}')" 400 "a relative image is refused"
is "$(status_of POST /api/v1/cycles '{"image": "/no/such/image"}')" 400 "a missing image is refused"
is "$(status_of POST /api/v1/cycles '{}')" 400 "so is nothing at all"
is "$(status_of POST /api/v1/cycles "{\"image\": \"$KERNEL_IMAGE\", \"kernel_id\": 1}")" 400 \
  "so are two kernels at once"
is "$(status_of POST /api/v1/cycles '{"kernel_id": 999}')" 404 "an unknown kernel"
is "$(status_of POST /api/v1/cycles/999/cancel)" 404 "an unknown cycle"
is "$(sql 'SELECT count(*) FROM cycle')" 0 "none of these left anything behind"

first=$(trigger)
second=$(trigger)
isnt "$first" "$second" "each trigger is a cycle"
is "$(sql 'SELECT count(*) FROM kernel')" 1 "of the same kernel"
ok "the later one waits" wait_for 20 sql_is \
  "SELECT note FROM cycle WHERE cycle_id = $second" "waits for an earlier cycle of the same kernel"
ok "the first is worked on" wait_for 20 sql_is \
  "SELECT count(*) > 0 FROM job WHERE cycle_id = $first AND state = 'running'" 1

ok "it can be cancelled" api POST "/api/v1/cycles/$first/cancel"
ok "and ends" wait_for 30 sql_is "SELECT state FROM cycle WHERE cycle_id = $first" cancelled
wait_for 30 sql_is "SELECT count(*) FROM job WHERE cycle_id = $first AND state = 'running'" 0
is "$(sql "SELECT DISTINCT state FROM job WHERE cycle_id = $first AND state <> 'done'")" cancelled \
  "its job was cancelled, not lost"
ok "then the other has its turn and is done" wait_for 400 sql_is \
  "SELECT state FROM cycle WHERE cycle_id = $second" "done"
is "$(status_of POST "/api/v1/cycles/$second/cancel")" 400 "what has ended cannot be cancelled"
