#!/bin/bash
# Every page and every link of a lab with plausible and hostile content.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/weblib.sh"
requires python3

start_sample_lab
take_tap python3 "$ROOT/tests/integration/check_pages.py" "$LABD_URL"
