# shellcheck shell=bash
# Helpers of the 6NN tests, beside lib.sh: a sample lab, and TAP of a checker.

# start_sample_lab: $LABD_URL serves a database with plausible and hostile content;
# the token is "sample-token". It ends when the descriptor SAMPLE_IN does.
# shellcheck disable=SC2034 # LABD_URL is for the caller
start_sample_lab() {
  local sample=$BUILD/tests/sample_lab
  mkfifo "$TMP/sample.in" "$TMP/sample.out"
  "$sample" fill "$TMP/sample.db" || exit 1
  TESTLAB_TOKEN=sample-token "$sample" serve "$TMP/sample.db" 127.0.0.1 0 \
    <"$TMP/sample.in" >"$TMP/sample.out" 2>"$TMP/sample.log" &
  SAMPLE_PID=$!
  exec {SAMPLE_IN}>"$TMP/sample.in"
  on_exit stop_sample_lab
  read -r LABD_URL <"$TMP/sample.out" || { say_lines <"$TMP/sample.log"; exit 1; }
}

stop_sample_lab() { # its exit status
  [ -n "$SAMPLE_PID" ] || return 0
  exec {SAMPLE_IN}>&-
  wait "$SAMPLE_PID"
  local status=$?
  SAMPLE_PID=
  return $status
}

# take_tap COMMAND...: its TAP becomes ours.
take_tap() {
  local line
  "$@" >"$TMP/tap" 2>"$TMP/tap.err" || true
  while read -r line; do
    case $line in
    'ok '*) pass "${line#ok * - }" ;;
    'not ok '*) fail "${line#not ok * - }" ;;
    '# '*) echo "$line" ;;
    esac
  done <"$TMP/tap"
  grep -q '^1\.\.[1-9]' "$TMP/tap" || fail "the checker came to its end" "$(<"$TMP/tap.err")"
  stop_sample_lab
  is $? 0 "the server ends cleanly"
}
