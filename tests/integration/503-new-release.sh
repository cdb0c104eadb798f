#!/bin/bash
# A git source: the newest release is taken, older ones are listed, a new tag is
# found; and a kernel that does not build is a result that holds nothing up.
# takes: 40 s, limit: 300 s
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/lab.sh"
. "$(dirname "$0")/builders.sh"
requires git make gcc
plan 16

# --- an upstream whose kernels do not compile ------------------------------------------
up=$TMP/upstream
make_tree "$up"
sed -i 's|^vmlinux: ;|vmlinux:\n\t@echo "net/ipv6/icmp.c:7:2: error: no such thing" >\&2; exit 1|' "$up/Makefile"
commit_tree "$up" v6.12.8
commit_tree "$up" v6.12.9
commit_tree "$up" v6.11.3
cat >"$TMP/testlabd.conf" <<END
known_good: { package = ""; };
sources = ( { name = "up"; kind = "git"; location = "$up"; backlog = 1; tags = [ "v6.12.*" ]; } );
retry: { attempts = 1; pause_seconds = 1; };
END
failed_kernel() { # failed_kernel RELEASE
  sql_is "SELECT k.state FROM kernel k JOIN release r USING (release_id) WHERE r.name = '$1'" failed
}

start_testlabd
ok "the newest release is built, and does not build" wait_for 120 failed_kernel v6.12.9
is "$(sql 'SELECT group_concat(name) FROM (SELECT name FROM release ORDER BY sort_key)')" \
  v6.12.8,v6.12.9 "the older one is listed, the one that no pattern names is not"
is "$(sql 'SELECT count(*) FROM kernel')" 1 "only the newest became a kernel"
is "$(sql "SELECT state FROM cycle")" failed "its cycle has failed"
like "$(sql 'SELECT note FROM cycle')" 'does not build: .*icmp.c:7:2: error: no such thing' "with the first error"
is "$(sql 'SELECT count(*) FROM job WHERE kind = "build"')" 1 "it was not tried again"
like "$(api GET /api/v1/kernels | jq -r '.items[0].first_error')" 'error: no such thing' \
  "the API shows the error"
is "$(sql "SELECT count(*) FROM file WHERE role = 'build-log'")" 1 "the log is kept"
like "$(api GET /api/v1/decisions | jq -r '.items[].text')" 'v6.12.9 of source up is built and tested' \
  "why it was built is written down"
like "$(api GET /api/v1/decisions | jq -r '.items[].text')" '1 older release of source up: listed but not tested' \
  "and why the other was not"

commit_tree "$up" v6.12.10
ok "the source can be looked at now" api POST /api/v1/sources/up/poll
ok "a new tag is found and taken" wait_for 60 failed_kernel v6.12.10
is "$(sql 'SELECT count(*) FROM kernel')" 2 "and nothing else"
api POST /api/v1/sources/nothing/poll >"$TMP/out"
is "$(<"$TMP/api.status")" 404 "an unknown source cannot be looked at"

rm -rf "$up"
api POST /api/v1/sources/up/poll >"$TMP/out"
ok "a source that is gone is told as such" wait_for 60 sql_is \
  "SELECT count(*) FROM source WHERE error IS NOT NULL" 1
stop_testlabd
run "$TESTLABD" --config "$TMP/testlabd.conf" --state "$LABD_STATE" --listen 127.0.0.1:0
like "$status $error" "^1 .*testlabd.conf:2: setting 'sources': .*'$up': No such file" \
  "and at the next start the setting is refused"
