#!/bin/bash
# testlab status and testlab trigger against a daemon.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lab.sh"
quiet_config
start_testlabd

run "$TESTLAB" status --state "$LABD_STATE"
is "$status" 0 "status finds the daemon by its state folder"
like "$output" '^testlabd [0-9.]+, health: ' "it says version and health"
run "$TESTLAB" status --url "$LABD_URL" --format json
is "$(jq -r .version <<<"$output")" "$(api GET /api/v1/status | jq -r .version)" "json is the daemon's answer"
run "$TESTLAB" status --url "$LABD_URL/" --state "$TMP/none"
is "$status" 0 "reading needs no token"

run "$TESTLAB" trigger --release v9.99 --state "$LABD_STATE"
is "$status" 3 "an unknown release is refused"
like "$error" "the daemon refuses \(status 404\): .*v9.99" "with the daemon's sentence"
echo 0123456789abcdef0123456789abcdef >"$TMP/wrong"
run "$TESTLAB" trigger --release v9.99 --state "$LABD_STATE" --token-file "$TMP/wrong"
is "$status" 3 "a wrong token is refused"
like "$error" "the daemon refuses \(status 40[13]\)" "with its status"
export TESTLAB_TOKEN=0123456789abcdef0123456789abcdef
run "$TESTLAB" trigger --release v9.99 --state "$LABD_STATE"
like "$error" "the daemon refuses \(status 40[13]\)" "TESTLAB_TOKEN comes before the state folder's token"
unset TESTLAB_TOKEN

head -c 4096 /dev/zero >"$TMP/my kernel"
run "$TESTLAB" trigger --kernel "$TMP/my kernel" --set smoke --state "$LABD_STATE" --format json
is "$status" 0 "an image is accepted"
cycle=$(jq -r .cycle_id <<<"$output")
is "$(api GET "/api/v1/cycles/$cycle" | jq -r .release)" "my kernel" "and named after its file"
is "$(api GET "/api/v1/cycles/$cycle" | jq -c .sets)" '["smoke"]' "with the set asked for"
