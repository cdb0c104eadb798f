#!/bin/bash
# The whole of it: a git upstream made of Debian's kernel sources, whose newest tag
# the lab finds, builds from source, boots and tests; then result, diff and
# artifacts are read over the API.
# takes: 700 s, limit: 2400 s
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/lab.sh"
requires git apt-get dpkg-deb gcc flex bison bc ccache
package=linux-source-6.12

# --- the upstream ------------------------------------------------------------------
share_cache
find_kernel || skip_all "no kernel package can be fetched"
debs=$XDG_CACHE_HOME/debs
mkdir -p "$debs"
if ! compgen -G "$debs/${package}_*.deb" >/dev/null; then
  say "fetching $package"
  (cd "$debs" && apt-get -q download "$package") >"$TMP/apt.log" 2>&1 ||
    skip_all "$package cannot be fetched: $(tail -n 1 "$TMP/apt.log")"
fi
say "making a git upstream"
"$ROOT/tools/make-upstream" "$TMP/upstream" "$debs/${package}"_*.deb >"$TMP/upstream.log" 2>&1 || {
  say_lines <"$TMP/upstream.log"
  exit 1
}
tag=$(git -C "$TMP/upstream" tag | sort -V | tail -n 1)
say "its newest tag is $tag"
plan 19

# --- the lab ------------------------------------------------------------------------
cat >"$TMP/testlabd.conf" <<END
sources = ( { name = "upstream"; kind = "git"; location = "$TMP/upstream"; backlog = 1; } );
END
start_testlabd
pass "the lab is ready"

# Tell what the lab is at until QUERY gives 1; then the test NAME has passed.
follow() { # follow NAME SECONDS QUERY
  local name=$1
  shift
  if tell_until "$@"; then pass "$name"; else fail "$name" "not within $1 s: $2" "$(tail -n 5 "$TMP/testlabd.log")"; fi
}
tell_until() { # tell_until SECONDS QUERY
  local end=$((SECONDS + $1)) now last=
  until sql_is "$2" 1; do
    [ $SECONDS -lt $end ] || return 1
    now=$(sql "SELECT kind || ' ' || coalesce(phase, '') || ' ' || coalesce(done, '') || '/' ||
      coalesce(total, '?') FROM job WHERE state = 'running' ORDER BY job_id" | xargs)
    [ "$now" = "$last" ] || say "$(date +%T) $now"
    last=$now
    sleep 10
  done
}

follow "the known-good kernel proves the lab healthy" 600 \
  "SELECT count(*) FROM lab WHERE key = 'health' AND value = 'healthy'"
is "$(api GET /api/v1/status | jq -r .health)" healthy "and the API says so"
follow "the kernel is built, tested and compared" 1800 \
  "SELECT count(*) FROM cycle c JOIN kernel k USING (kernel_id) JOIN release r USING (release_id)
   WHERE r.name = '$tag' AND c.state = 'done'"

# --- what came of it, over the API -----------------------------------------------------
kernel=$(api GET "/api/v1/kernels?limit=50" | jq -r --arg tag "$tag" \
  '[.items[] | select(.release == $tag)][0].kernel_id')
api GET "/api/v1/kernels/$kernel" >"$TMP/kernel.json"
is "$(jq -r .state "$TMP/kernel.json")" installed "the kernel is there"
like "$(jq -r .compiler "$TMP/kernel.json")" gcc "its compiler is known"
ok "it took objects to build" jq -e '.objects > 500' "$TMP/kernel.json"
file_of() { jq -r --arg role "$1" '[.files[] | select(.role == $role)][0].file_id' "$TMP/kernel.json"; }
is "$(api GET "/api/v1/files/$(file_of image)" >"$TMP/image" && head -c 518 "$TMP/image" | tail -c 4)" HdrS \
  "its image is a Linux kernel"
like "$(api GET "/api/v1/files/$(file_of config)")" '^CONFIG_IPV6=y' "its configuration has IPv6"
like "$(api GET "/api/v1/files/$(file_of build-log)")" 'net/ipv6/' "its build log is kept"

run=$(sql "SELECT max(run_id) FROM run WHERE kernel_id = $kernel")
api GET "/api/v1/runs/$run/verdicts?limit=500" >"$TMP/verdicts.json"
ok "at least 12 tests were judged" jq -e '[.items[] | select(.verdict != "ERROR")] | length >= 12' \
  "$TMP/verdicts.json"
is "$(jq -r '[.items[] | select(.verdict == "ERROR")] | length' "$TMP/verdicts.json")" 0 "none of them ERROR"
ok "most of them pass" jq -e '[.items[] | select(.verdict == "PASS")] | length >= 10' "$TMP/verdicts.json"
jq -r '.items[] | "\(.verdict) \(.test_id) \(.title)"' "$TMP/verdicts.json" | say_lines
verdict=$(jq -r '.items[0].verdict_id' "$TMP/verdicts.json")
api GET "/api/v1/verdicts/$verdict" >"$TMP/verdict.json"
ok "a verdict has its steps" jq -e '.steps | length > 0' "$TMP/verdict.json"
capture=$(jq -r '[.files[] | select(.role == "capture")][0].file_id' "$TMP/verdict.json")
is "$(api GET "/api/v1/files/$capture" | head -c 4 | od -An -tx1 | xargs)" "0a 0d 0d 0a" \
  "and a capture that is pcapng"

# The same kernel once more: the lab compares the two.
again=$(api POST /api/v1/cycles "{\"kernel_id\": $kernel}" | jq -r .cycle_id)
follow "a second run can be asked for" 900 \
  "SELECT count(*) FROM cycle WHERE cycle_id = $again AND state = 'done'"
is "$(sql "SELECT count(*) FROM job WHERE kind = 'build'")" 1 "nothing was built twice"
api GET "/api/v1/diffs?run=$(sql "SELECT max(run_id) FROM run WHERE cycle_id = $again")" >"$TMP/diffs.json"
is "$(jq -r '.items[0] | "\(.regressed) \(.fixed)"' "$TMP/diffs.json")" "0 0" "and differs in nothing"
ok "the diff has its page" api GET "/diffs/$(jq -r '.items[0].diff_id' "$TMP/diffs.json")"
