#!/bin/bash
# The edges of HTTP: hosts, tokens, bodies, ranges, tags, and requests that are none.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/weblib.sh"
requires python3

start_sample_lab
take_tap python3 "$ROOT/tests/integration/check_http.py" "$LABD_URL" sample-token
