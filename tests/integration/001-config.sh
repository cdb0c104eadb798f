#!/bin/bash
# testlabd's options and settings: what is refused, and how it is said.
# takes: 3 s, limit: 60 s
. "$(dirname "$0")/lib.sh" || exit 1
plan 15

run "$TESTLABD" --help
is "$status" 0 "--help ends well"
like "$output" '--config=FILE' "--help lists the options"
run "$TESTLABD" --version
like "$output" '^testlabd [0-9]+\.[0-9]+' "--version"
run "$TESTLABD" --print-config
is "$output" "$(cat "$ROOT/orchestrator/testlabd.conf")" "--print-config prints the commented file"
run "$TESTLABD" --no-such-option
is "$status" 2 "an unknown option is wrong usage"
run "$TESTLABD" stray
is "$status" 2 "a stray argument is wrong usage"
run "$TESTLABD" --log-level=loud
is "$status" 2 "an unknown log level is wrong usage"

refused() { # refused TEXT PATTERN NAME
  printf '%s' "$1" >"$TMP/bad.conf"
  run "$TESTLABD" --config "$TMP/bad.conf" --state "$TMP/s" --check-config
  like "$status $error" "^1 testlabd: $2" "$3"
}
run "$TESTLABD" --state "$TMP/s" --check-config
is "$status" 0 "the defaults are fine"
refused $'# one\n\nsatte = "x";\n' "$TMP/bad.conf:3: setting 'satte': unknown, expected one of: state" \
  "an unknown setting, with file and line"
refused $'listen: {\n  port = 99999; };' \
  "$TMP/bad.conf:2: setting 'port': 99999 is out of range, expected 0 to 65535" "a value out of range"
refused 'known_good: { image = "/no/such/image"; };' \
  "$TMP/bad.conf:1: setting 'image': '/no/such/image': No such file" "a path that is not there"
refused 'listen: { port = ' "$TMP/bad.conf:1: syntax error" "a broken file"
echo 0123456789abcdef >"$TMP/token"
chmod 644 "$TMP/token"
refused "token_file = \"$TMP/token\";" "token file '$TMP/token': mode is 0644, expected 0600" \
  "a token that others can read"
run "$TESTLABD" --config "$TMP/none.conf" --check-config
like "$status $error" "^1 .*$TMP/none.conf.*No such file" "a missing file"
run "$TESTLABD" --state "$TMP/s" --listen localhost:80 --check-config
like "$status $error" "^1 .*'localhost': expected an IPv4 or IPv6 address" "an address that is none"
