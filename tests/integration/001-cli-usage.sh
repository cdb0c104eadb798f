#!/bin/bash
# Wrong usage of testlab: exit status 2, stdout empty, stderr names the culprit.
. "$(dirname "$0")/lib.sh"

refused() { # refused PATTERN ARGUMENT...
  local pattern=$1
  shift
  run "$TESTLAB" "$@"
  if [ "$status" -eq 2 ] && [ -z "$output" ] && grep -qE -- "$pattern" <<<"$error"; then
    pass "refused: testlab $*"
  else
    fail "refused: testlab $*" "wanted status 2, nothing on stdout, stderr like: $pattern" \
      "status: $status" "stdout: $output" "stderr: $error"
  fi
}

image=$TMP/image
head -c 4096 /dev/zero >"$image"

refused 'Usage: testlab COMMAND'
refused "'bogus': there is no such command" bogus
refused "'nope': there is no such command" help nope
refused '\-\-kernel is missing' run --set smoke
refused 'expected --set SET or --test ID' run --kernel "$image"
refused "kernel '/nope': No such file" run --kernel /nope --set smoke
refused "kernel '/': expected a kernel image" run --kernel / --set smoke
refused "modules '/nope': No such file" run --kernel "$image" --modules /nope --set smoke
refused "clock 'fast': expected auto, virtual or real" run --kernel "$image" --set smoke --clock fast
refused "accel 'gpu': expected auto, tcg or kvm" run --kernel "$image" --set smoke --accel gpu
refused "environment 'x': expected set or defaults" run --kernel "$image" --set smoke --environment x
refused "jobs '0': expected a number from 1 to 64" run --kernel "$image" --set smoke --jobs 0
refused "memory 'much': expected a number" run --kernel "$image" --set smoke --memory much
refused "format 'xml': expected text or json" run --kernel "$image" --set smoke --format xml
refused "keep '': expected a folder" run --kernel "$image" --set smoke --keep ''
refused "unrecognized option '--bogus'" run --bogus
refused "option '--set' requires an argument" run --kernel "$image" --set
refused "argument 'extra': ids of tests follow --test" run --kernel "$image" --set smoke extra
refused "test '': expected a test id" run --kernel "$image" --test ''
refused "argument 'x': none is expected" sets x
refused "format 'xml'" sets --format xml
refused "argument 'x': none is expected" clauses x
refused "format 'xml'" clauses --format xml
refused "rfc '0': expected a number" clauses --rfc 0
refused "rfc '99999': there is no list of its clauses" clauses --rfc 99999
refused "argument 'x': none is expected" doctor x
refused '\-\-modules goes with --kernel' doctor --modules /tmp
refused 'expected one of --release, --kernel and --kernel-id' trigger
refused 'expected one of' trigger --release a --kernel-id 1
refused 'go with --kernel' trigger --release a --modules /tmp
refused "kernel-id '-1': expected a number" trigger --kernel-id -1
refused "kernel '/nope': No such file" trigger --kernel /nope

refused "set 'nope': there is none of that name; expected one of .*smoke" run --kernel "$image" --set nope
refused "test 'v6LC.nope': it exists in no set" run --kernel "$image" --test v6LC.nope
refused "test 'v6LC.nope': it does not exist in set 'smoke'" run --kernel "$image" --set smoke --test v6LC.nope
run "$TESTLAB" run --kernel "$image" --set smoke
is "$status" 2 "a file that is no kernel: exit status 2"
like "$error" "'$image' is no x86 kernel image" "a file that is no kernel: says so"
mkdir "$TMP/full" && touch "$TMP/full/thesis.tex"
refused "it holds 'thesis.tex'" run --kernel "$image" --set smoke --keep "$TMP/full"

is "$(ls "$TMPDIR")" "" "no scratch folder is left"

run "$TESTLAB" status --url http://127.0.0.1:1
is "$status" 3 "no daemon: exit status 3"
like "$error" 'is testlabd running' "no daemon: says so"
run "$TESTLAB" trigger --release x --state "$TMP/none"
is "$status" 3 "no token: exit status 3"
like "$error" "token of the API: open '$TMP/none/token'" "no token: names the file"
