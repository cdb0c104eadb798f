#!/bin/bash
# What the RFCs require beside the tests: command line, API and page agree.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lab.sh"
quiet_config
plan 10

run "$TESTLAB" clauses --format json
is "$status" 0 "testlab clauses lists them"
echo "$output" >"$TMP/clauses.json"
covered=$(jq '[.clauses[] | select(.tests != [])] | length' "$TMP/clauses.json")
uncovered=$(jq '[.clauses[] | select(.tests == [])] | length' "$TMP/clauses.json")
is "$(jq -c '[.covered, .uncovered]' "$TMP/clauses.json")" "[$covered,$uncovered]" "the counts are those of the list"
run "$TESTLAB" clauses
is "$(tail -n 1 <<<"$output")" "$((covered + uncovered)) clauses: $covered covered, $uncovered not covered" \
  "the text ends with them"
run "$TESTLAB" clauses --uncovered
is "$(grep -c '^RFC ' <<<"$output") $(grep -c '^  no test$' <<<"$output") $(grep -c '^  tests:' <<<"$output")" \
  "$uncovered $uncovered 0" "--uncovered lists those without any test"
is "$("$TESTLAB" clauses --rfc 4443 --format json | jq -c '[.clauses[].rfc] | unique')" "[4443]" "--rfc lists one RFC"
is "$("$TESTLAB" sets --format json | jq -c '[.[].tests[]] | unique')" \
  "$(jq -c '[.clauses[].tests[]] | unique' "$TMP/clauses.json")" "every test of the sets has a clause"

start_testlabd
clauses_are_there() { [ "$(api GET /api/v1/clauses | jq '.items | length')" -gt 0 ]; }
ok "the lab asks its runner for the clauses" wait_for 30 clauses_are_there
is "$(api GET /api/v1/clauses | jq -c '[.items[] | .tests |= map(.test_id)] | map(tojson | fromjson) | sort_by(.name)' | jq -cS .)" \
  "$(jq -cS '.clauses | sort_by(.name)' "$TMP/clauses.json")" "the API has what testlab clauses lists"
is "$(api GET '/api/v1/clauses?rfc=4443&covered=no' | jq -c '[(.items | length), ([.items[] | select(.rfc != 4443 or .tests != [])] | length)]')" \
  "[$(jq '[.clauses[] | select(.rfc == 4443 and .tests == [])] | length' "$TMP/clauses.json"),0]" "its filters are obeyed"
is "$(curl -s "$LABD_URL/clauses" | grep -o '>no test<' | wc -l)" "$uncovered" "the page marks each that is not covered"
