#!/bin/bash
# Every test of the suites passes on a right answer and fails on a wrong one: the
# whole engine against a simulated node with known faults (tests/simulated).
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
exec "${BUILD:-$ROOT/build}/tests/fault_matrix" "$ROOT"/tests/data/faults/*.tsv
