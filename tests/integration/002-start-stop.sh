#!/bin/bash
# Starting, being refused a second time, stopping, starting again.
# takes: 10 s, limit: 120 s
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/lab.sh"
plan 17
quiet_config

start_testlabd
pass "it gets ready"
is "$(jq -r .pid "$LABD_STATE/testlabd.json")" "$LABD_PID" "testlabd.json has the pid"
is "$(stat -c %a "$LABD_STATE/token")" 600 "the token is its owner's alone"
is "$(stat -c %a "$LABD_STATE")" 700 "so is the state folder"
ok "the API answers" api GET /api/v1/status
ok "the front page answers" api GET /
is "$(sql "SELECT value FROM lab WHERE key = 'health'")" unproven \
  "without a known-good kernel the lab says that it is not proven"

run "$TESTLABD" --config "$TMP/testlabd.conf" --state "$LABD_STATE" --listen 127.0.0.1:0
is "$status" 1 "a second instance is refused"
like "$error" "state folder is in use: testlabd with pid $LABD_PID" "with the pid of the first"
ok "the first goes on" api GET /api/v1/status

run "$TESTLABD" --config "$TMP/testlabd.conf" --state "$TMP/other" --listen "${LABD_URL#http://}"
like "$(xargs <<<"$status $error")" "^1 .* port ${LABD_URL##*:}: Address already in use" \
  "a port that is taken is refused"

token=$(<"$LABD_STATE/token")
stop_testlabd
is $? 0 "SIGTERM ends it well"
ok "testlabd.json is gone" test ! -e "$LABD_STATE/testlabd.json"

start_testlabd
is "$(<"$LABD_STATE/token")" "$token" "the second start has the same token"
stop_testlabd INT
is $? 0 "so does SIGINT"

start_testlabd
stop_testlabd KILL
start_testlabd
pass "after kill -9 it starts again at once"
stop_testlabd
is "$(sql 'PRAGMA integrity_check')" ok "the database is whole"
