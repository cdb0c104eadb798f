#!/bin/bash
# The plan of test sets: the API and the page show what the runner lists.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lab.sh"
"$BUILD/testlab" sets --format json >"$TMP/sets.json" 2>"$TMP/sets.err" || skip_all "testlab sets: $(<"$TMP/sets.err")"
quiet_config
plan 8

start_testlabd
sets_are_there() { [ "$(api GET /api/v1/sets | jq '.items | length')" -gt 0 ]; }
ok "the lab asks its runner for the sets" wait_for 30 sets_are_there
fields='map({name, role, planned, implemented}) | sort_by(.name)'
is "$(api GET /api/v1/sets | jq -c ".items | $fields")" "$(jq -c "$fields" "$TMP/sets.json")" \
  "the API has what testlab sets lists"
page=$(curl -s "$LABD_URL/sets")
missing=$(jq -r '.[].name' "$TMP/sets.json" | while read -r name; do grep -qF "<td>$name" <<<"$page" || echo "$name"; done)
is "$missing" "" "every set is on the page, also those without any test"
is "$(api GET /api/v1/sets | jq '[.items[] | select(.implemented > .planned)] | length')" 0 \
  "no set has more tests than are planned"

# --- sets that are none -------------------------------------------------------------
refused_set() { # refused_set SET PATTERN NAME
  local answer
  answer=$(api POST /api/v1/cycles "$(jq -n --arg set "$1" '{image: "/etc/hostname", sets: [$set]}')")
  like "$(jq -r .error.text <<<"$answer")" "$2" "$3"
}
refused_set nope "field 'sets': test set 'nope' does not exist; expected one of .*smoke" "a set that does not exist is refused"
refused_set phase2-router "'phase2-router' has no test yet; expected one of" "and one without a test"
is "$(api GET /api/v1/cycles | jq '.items | length')" 0 "nothing was put into the queue"
stop_testlabd
sed -i '1i sets = [ "smokee" ];' "$TMP/testlabd.conf"
start_testlabd
complained() { grep -q "configuration: sets: test set 'smokee' does not exist" "$TMP/testlabd.log"; }
ok "a configured set that does not exist is complained of" wait_for 30 complained
