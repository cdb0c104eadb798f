#!/bin/bash
# testlab run with a real kernel: results in both formats, kept evidence, Ctrl-C,
# lost runners, a killed testlab. Nothing may be left behind in any case.
# takes: 150 s, limit: 900 s
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lab.sh"
requires jq qemu-system-x86_64
find_kernel || skip_all "no kernel to test: the Debian package cannot be had"

kernel=(--kernel "$KERNEL_IMAGE" --modules "$KERNEL_MODULES")
# Everything of a run has its scratch folder, which is below ours, in its command line.
leftovers() { pgrep -f -- "$TMPDIR/testlab-run" | wc -l; }
nothing_left() { [ "$(leftovers)" -eq 0 ] && [ -z "$(ls "$TMPDIR")" ]; }
runners() { pgrep -f -- "testlab-runner $TMPDIR/testlab-run"; }

# --- the whole set --------------------------------------------------------------
run "$TESTLAB" run "${kernel[@]}" --set smoke --format json --keep "$TMP/keep"
echo "$output" >"$TMP/smoke.json"
ok "stdout is one JSON object" jq -es 'length == 1 and (.[0] | type) == "object"' "$TMP/smoke.json"
is "$status" "$(jq .status "$TMP/smoke.json")" "exit status as in the JSON"
is "$status" "$(jq 'if any(.tests[]; .verdict == "FAIL") then 1 elif any(.tests[]; .verdict == "ERROR") then 3
  else 0 end' "$TMP/smoke.json")" "exit status as the verdicts want it"
is "$(jq -r '[.tests[].id] | join(" ")' "$TMP/smoke.json")" \
  "$("$TESTLAB" sets --format json | jq -r '.[] | select(.name == "smoke") | .tests | join(" ")')" \
  "every test of the set, in its order"
is "$(jq -r '[.tests[] | select(.verdict == "ERROR")] | length' "$TMP/smoke.json")" 0 "no trouble of the lab's own"
ok "each test has what the format promises" jq -e 'all(.tests[]; (.title | length) > 0
  and (.wall_seconds | type) == "number" and (.clock_seconds | type) == "number"
  and (.clauses | length) > 0 and (.attempts | length) > 0)' "$TMP/smoke.json"
ok "set, clock and kernel are named" jq -e '.set == "smoke" and (.clock | IN("real", "virtual"))
  and (.kernel | length) > 0 and (.uname | length) > 0' "$TMP/smoke.json"
missing=$(jq -r '.tests[].capture // "none"' "$TMP/smoke.json" | while read -r capture; do
  [ -s "$TMP/keep/$capture" ] || echo "$capture"
done)
is "$missing" "" "every capture is kept"
ok "report.jsonl has every report" jq -es '[.[] | select(.event == "test" and .final)] | length > 11' \
  "$TMP/keep/report.jsonl"
ok "nothing is left after the run" nothing_left

# --- text, few tests ------------------------------------------------------------
id=$(jq -r '.tests[0].id' "$TMP/smoke.json")
run "$TESTLAB" run "${kernel[@]}" --test "$id" --keep "$TMP/keep"
like "$output" "\[  1/1\] [A-Z]+ +$id" "one line for each test"
like "$output" '^1 tests: ' "a summary"
is "$(find "$TMP/keep" -name '*.pcapng' | wc -l)" 1 "what an earlier run kept is replaced"

# --- Ctrl-C -----------------------------------------------------------------------
# (SIGTERM: a background job of a script has SIGINT ignored.)
"$TESTLAB" run "${kernel[@]}" --set smoke --clock real >"$TMP/stopped.out" 2>&1 </dev/null &
pid=$!
wait_for 60 runners || say "no runner came up"
sleep 3 # somewhere in the middle: any moment must do
kill -TERM $pid
wait $pid
is $? 143 "exit status after SIGTERM"
ok "nothing is left after a stop" nothing_left

# --- a runner is lost ---------------------------------------------------------------
"$TESTLAB" run "${kernel[@]}" --set smoke --jobs 2 --format json >"$TMP/lost.json" 2>"$TMP/lost.err" </dev/null &
pid=$!
wait_for 60 runners || say "no runner came up"
pkill -KILL -o -f -- "testlab-runner $TMPDIR/testlab-run"
wait $pid
is "$(jq -r '[.tests[] | .id + " " + .verdict] | join("\n")' "$TMP/lost.json")" \
  "$(jq -r '[.tests[] | .id + " " + .verdict] | join("\n")' "$TMP/smoke.json")" \
  "a killed runner changes no verdict"
ok "nothing is left after a lost runner" nothing_left

# --- runners are lost before they come to a test ---------------------------------------
"$TESTLAB" run "${kernel[@]}" --set smoke --jobs 1 --format json >"$TMP/never.json" 2>"$TMP/never.err" </dev/null &
pid=$!
for _ in 1 2 3; do
  wait_for 60 runners || say "no runner came up"
  pkill -KILL -f -- "testlab-runner $TMPDIR/testlab-run"
done
wait $pid
is $? 3 "runners that are lost again and again are the lab's own trouble"
is "$(jq -r '[.tests[].verdict] | unique | join(" ")' "$TMP/never.json")" ERROR "and no verdict about the kernel"
like "$(jq -r '.tests[0].reason' "$TMP/never.json")" 'killed by signal 9|Killed|signal' "with the reason"

# --- testlab itself is killed --------------------------------------------------------
"$TESTLAB" run "${kernel[@]}" --set smoke --clock real >/dev/null 2>&1 </dev/null &
pid=$!
wait_for 60 runners || say "no runner came up"
sleep 2
kill -KILL $pid
wait $pid 2>/dev/null
gone() { [ "$(leftovers)" -eq 0 ]; }
ok "no process outlives a killed testlab" wait_for 20 gone
touch -d '2 minutes ago' "$TMPDIR"/testlab-run.*
run "$TESTLAB" run --kernel /etc/passwd --set smoke
is "$(ls "$TMPDIR")" "" "the next run removes the killed one's folder"
