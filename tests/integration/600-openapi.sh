#!/bin/bash
# The API against the OpenAPI document that it serves, over a lab with plausible and hostile content.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/weblib.sh"
requires python3
python3 -c 'import jsonschema' 2>/dev/null || skip_all "python3-jsonschema is not installed"

start_sample_lab
take_tap python3 "$ROOT/tests/integration/check_openapi.py" "$LABD_URL"
