# shellcheck shell=bash
# Helpers of the integration tests: TAP on stdout, a temporary folder that is
# removed when the test passed and kept when it failed, a daemon of its own.
#
#   . "$(dirname "$0")/lib.sh"
#   requires curl jq
#   plan 3
#   start_testlabd
#   ok "the lab answers" api GET /api/v1
#   is "$(cat file)" "wanted" "what it shows"
#   like "$text" 'pattern' "what it shows"
#
# The script ends through an EXIT trap; it needs no last line. BUILD names the
# build folder when it is not build/.
set -u

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${BUILD:-$ROOT/build}
export TESTLAB=$BUILD/testlab
TESTLABD=$BUILD/testlabd
TMP=$(mktemp -d "${TMPDIR:-/tmp}/testlab-it.XXXXXX") || exit 1
# The home stays, for libvirt's session. The cache is one for all tests: kernels and
# Debian packages are fetched once. It is short, because sockets lie in it.
export XDG_STATE_HOME=$TMP/state TMPDIR=$TMP/tmp
export XDG_CACHE_HOME=${TESTLAB_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/testlab-check}
mkdir -p "$XDG_CACHE_HOME"
export LC_ALL=C.UTF-8 # compilers quote in it, patterns match in it
unset TESTLAB_TOKEN TESTLAB_DATA
mkdir "$TMPDIR"

test_count=0
test_planned=
test_failures=0
test_cleanups=()

say() { printf '# %s\n' "$*"; }

# Print text as TAP comments.
say_lines() { sed 's/^/# /'; }

plan() { # plan COUNT
  test_planned=$1
  echo "1..$1"
}

skip_all() { # skip_all REASON: before plan
  echo "1..0 # SKIP $*"
  test_planned=0
  exit 0
}

requires() { # requires COMMAND...: skip the whole test where one is missing
  local command
  for command in "$@"; do
    command -v "$command" >/dev/null || skip_all "$command is not installed"
  done
}

pass() { # pass NAME
  test_count=$((test_count + 1))
  echo "ok $test_count - $1"
}

fail() { # fail NAME [WHY...]
  test_count=$((test_count + 1))
  test_failures=$((test_failures + 1))
  echo "not ok $test_count - $1"
  shift
  [ $# -eq 0 ] || printf '%s\n' "$@" | say_lines
}

skip() { # skip NAME REASON
  test_count=$((test_count + 1))
  echo "ok $test_count - $1 # SKIP $2"
}

ok() { # ok NAME COMMAND...: it must succeed
  local name=$1 output status
  shift
  output=$("$@" 2>&1)
  status=$?
  if [ $status -eq 0 ]; then pass "$name"; else
    fail "$name" "command: $*" "exit status: $status" "output: $output"
  fi
  return $status
}

is() { # is GOT WANTED NAME
  if [ "$1" = "$2" ]; then pass "$3"; else fail "$3" "wanted: $2" "got:    $1"; fi
}

isnt() { # isnt GOT UNWANTED NAME
  if [ "$1" != "$2" ]; then pass "$3"; else fail "$3" "anything but: $2"; fi
}

like() { # like TEXT PATTERN NAME: extended regular expression
  if grep -qE -- "$2" <<<"$1"; then pass "$3"; else fail "$3" "no match for: $2" "in: $1"; fi
}

unlike() { # unlike TEXT PATTERN NAME
  if grep -qE -- "$2" <<<"$1"; then fail "$3" "match for: $2" "in: $1"; else pass "$3"; fi
}

# Run a command; its output is in $output, its stderr in $error, its exit status in $status.
# shellcheck disable=SC2034 # they are for the caller
run() {
  "$@" >"$TMP/run.out" 2>"$TMP/run.err" </dev/null
  status=$?
  output=$(<"$TMP/run.out")
  error=$(<"$TMP/run.err")
}

wait_for() { # wait_for SECONDS COMMAND...: until it succeeds; no output
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.2
  done
}

on_exit() { test_cleanups=("$*" "${test_cleanups[@]+"${test_cleanups[@]}"}"); } # newest first

finish() {
  local status=$? cleanup
  trap - EXIT INT TERM
  for cleanup in "${test_cleanups[@]+"${test_cleanups[@]}"}"; do eval "$cleanup"; done
  if [ -z "$test_planned" ]; then
    echo "1..$test_count"
    [ "$test_count" -gt 0 ] || status=1
  elif [ "$test_planned" -gt "$test_count" ]; then
    say "ended after $test_count of $test_planned tests, exit status $status"
    [ $status -ne 0 ] || status=1
  fi
  [ $test_failures -eq 0 ] || status=1
  if [ $status -eq 0 ]; then rm -rf "$TMP"; else say "kept: $TMP"; fi
  exit $status
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- a daemon ------------------------------------------------------------------

LABD_STATE=$TMP/lab
LABD_PID=
LABD_URL=

# start_testlabd [OPTION...]: with its state in $LABD_STATE, on a free port. Settings
# come from $TMP/testlabd.conf if the test made one. Waits until it is ready.
start_testlabd() {
  local info=$LABD_STATE/testlabd.json config=()
  [ -f "$TMP/testlabd.conf" ] && config=(--config "$TMP/testlabd.conf")
  rm -f "$info"
  "$TESTLABD" --state "$LABD_STATE" --listen 127.0.0.1:0 "${config[@]+"${config[@]}"}" "$@" \
    >>"$TMP/testlabd.log" 2>&1 </dev/null &
  LABD_PID=$!
  on_exit stop_testlabd
  if ! wait_for 30 labd_is_ready_or_gone || ! [ -s "$info" ]; then
    say "testlabd did not get ready:"
    tail -n 20 "$TMP/testlabd.log" | say_lines
    exit 1
  fi
  LABD_URL=$(jq -r .url "$info")
  LABD_URL=${LABD_URL%/}
}

labd_is_ready_or_gone() { [ -s "$LABD_STATE/testlabd.json" ] || ! kill -0 "$LABD_PID"; }

# stop_testlabd [SIGNAL]: its exit status
stop_testlabd() {
  local pid=$LABD_PID
  LABD_PID=
  [ -n "$pid" ] || return 0
  kill "-${1:-TERM}" "$pid" 2>/dev/null
  wait "$pid" 2>/dev/null
}

# api METHOD PATH [JSON]: the body on stdout; fails when the status is 400 or above.
# The status is in $TMP/api.status.
api() {
  local arguments=(-sS --max-time 20 -X "$1" -o "$TMP/api.body" -w '%{http_code}')
  [ -r "$LABD_STATE/token" ] && arguments+=(-H "Authorization: Bearer $(<"$LABD_STATE/token")")
  [ $# -lt 3 ] || arguments+=(-H 'Content-Type: application/json' --data-binary "$3")
  : >"$TMP/api.body"
  curl "${arguments[@]}" "$LABD_URL$2" >"$TMP/api.status" || return 1
  cat "$TMP/api.body"
  [ "$(<"$TMP/api.status")" -lt 400 ]
}
