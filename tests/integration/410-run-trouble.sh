#!/bin/bash
# A run on a real kernel when things go wrong: a kernel that panics has failed the test,
# everything else is the lab's own trouble, is tried again, and never the kernel's.
# takes: 90 s, limit: 600 s
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/lab.sh"
requires jq qemu-system-x86_64
find_kernel || skip_all "no kernel to test: the Debian package cannot be had"

# --- an image, and suites of our own ---------------------------------------------
jq -n --arg scratch "$TMP/image" --arg cache "$XDG_CACHE_HOME/lab" --arg image "$KERNEL_IMAGE" \
  --arg modules "$KERNEL_MODULES" '{kind: "image", scratch: $scratch, cache: $cache,
  image: $image, modules: $modules, config: null, role: "host"}' >"$TMP/image.json"
"$BUILD/testlab-builder" "$TMP/image.json" 3>"$TMP/image.reports" 2>"$TMP/image.log" >&2 || {
  tail -n 5 "$TMP/image.log" "$TMP/image.reports" | say_lines
  exit 1
}

export TESTLAB_DATA=$TMP/data
mkdir -p "$TESTLAB_DATA"/suites/{plan,lib,area}
ln -s "$ROOT/builders" "$TESTLAB_DATA/builders"
{
  printf '# title: Trouble\n# role: host\n'
  for id in answer panic slow long mute missing; do printf '%s\ttest\t%s\t-\n' $id $id; done
} >"$TESTLAB_DATA/suites/plan/trouble.tsv"
cat >"$TESTLAB_DATA/suites/area/trouble.lua" <<'END'
local function declare(id, timeout, run, environment)
	test{ id = id, title = id, role = "host", requires = { "RFC 4443 4.2 MUST" }, timeout = timeout, run = run,
		environment = environment }
end
declare("answer", 30, function(t)
	t:wait(6)
	t.tn1:send(ip6{ dst = t.nut.link_local } / echo_request{ identifier = 7 })
	t:expect(echo_reply{ identifier = 7 }, { to = t.tn1, within = 4 })
end)
declare("panic", 60, function(t)
	t:check(true, "so far so good")
	t:command{ "sh", "-c", "echo c > /proc/sysrq-trigger" }
	t:wait(30)
end)
declare("slow", 30, function() while true do end end)
declare("long", 1, function(t) t:wait(2) end)
declare("mute", 30, function(t) t:wait(0.1) end, { ["net.ipv6.conf.eth0.hop_limit"] = 99 })
declare("missing", 30, function(t) t:command{ "no-such-program" } end)
END

# start_job NAME JSON [INITRAMFS]: the reports of a run are in $TMP/NAME.reports; the runner is in the background.
start_job() {
  mkdir -p "$TMP/$1"
  jq -n --arg scratch "$TMP/$1" --arg image "$KERNEL_IMAGE" --arg name "trouble-$1-$$" \
    --arg initramfs "${3:-$TMP/image/out/initramfs.img}" "{kind: \"run\", name: \$name, scratch: \$scratch,
    image: \$image, initramfs: \$initramfs, accelerator: \"tcg\", clock: \"real\", memory_mib: 256,
    retries: 1} + $2" >"$TMP/$1.json"
  "$BUILD/testlab-runner" "$TMP/$1.json" 3>"$TMP/$1.reports" 2>"$TMP/$1.log" >&2 &
  runner=$!
}
verdicts() { jq -r 'select(.event == "test") | "\(.id).\(.attempt) \(.verdict)"' "$TMP/$1.reports" | xargs; }
reason() { jq -r --arg id "$2" 'select(.event == "test" and .id == $id) | .reason' "$TMP/$1.reports" | tail -n 1; }
qemu() { pgrep -f -- "guest=trouble-$1-$$"; }
has_begun() { grep -q '"test-begin"' "$TMP/$1.reports"; }

# --- scripts and kernels at fault --------------------------------------------------
start_job faults '{set: "trouble", skip: ["answer"], retries: 0}'
wait $runner
is $? 0 "the run comes to its end"
is "$(verdicts faults)" "panic.1 FAIL slow.1 ERROR long.1 ERROR mute.1 ERROR missing.1 ERROR" \
  "a panic is the kernel's failure, the rest is ours"
like "$(reason faults panic)" 'Kernel panic' "the console's words are the reason"
ok "and the console is kept" grep -q 'Kernel panic' "$TMP/faults/panic.1.console.txt"
is "$(jq -r 'select(.id == "panic" and .event == "test").signature' "$TMP/faults.reports")" "panic panic" \
  "with its signature"
like "$(reason faults slow)" 'area/trouble.lua:15: the script computed' "an endless script is stopped, with its line"
like "$(reason faults long)" 'did not end within its 1 s' "a test has its time"
like "$(reason faults mute)" 'judged nothing' "a test that judges nothing has not passed"
is "$(jq -r 'select(.id == "mute" and .event == "test").steps[0].text' "$TMP/faults.reports")" \
  "sysctl -w net.ipv6.conf.eth0.hop_limit=99, as this test asks" "a test's own settings are a step of it"
is "$(jq -r 'select(.event == "test").steps[].clock' "$TMP/faults.reports" | sort -u)" real "steps say whose time they are in"
is "$(jq -c 'select(.event == "done").counts | [.FAIL, .ERROR, .PASS]' "$TMP/faults.reports")" "[1,4,0]" \
  "each test counts once"

# --- a virtual machine that is killed ------------------------------------------------
start_job killed '{tests: ["answer"]}'
wait_for 120 has_begun killed
sleep 1
pids=$(qemu killed)
# shellcheck disable=SC2086 # it may be none or several
kill -9 $pids
wait $runner
is $? 0 "the run goes on when QEMU is killed"
is "$(verdicts killed)" "answer.1 ERROR answer.2 PASS" "that attempt is an ERROR, the next one is on a new NUT"

# --- a kernel without a driver for its link -------------------------------------------
cp -al "$KERNEL_MODULES" "$TMP/modules"
find "$TMP/modules" -name 'virtio_net.ko*' -delete
jq --arg modules "$TMP/modules" '.modules = $modules | .scratch += "-bare"' "$TMP/image.json" >"$TMP/bare.json"
"$BUILD/testlab-builder" "$TMP/bare.json" 3>"$TMP/bare.reports" 2>"$TMP/bare.log" >&2
start_job linkless '{tests: ["answer"]}' "$TMP/image-bare/out/initramfs.img"
wait $runner
like "$(tail -n 1 "$TMP/linkless.reports" | jq -r .text)" 'no interface eth0: its kernel has no driver for virtio_net' \
  "a NUT without a link says why"

# --- a run that is told to stop ------------------------------------------------------
start_job stopped '{tests: ["answer"]}'
wait_for 120 has_begun stopped
kill -TERM $runner
SECONDS=0
wait $runner
is $? 1 "a run that is told to stop fails"
ok "within 5 seconds" test $SECONDS -le 5
is "$(tail -n 1 "$TMP/stopped.reports" | jq -r '"\(.event) \(.code)"')" "failed ECANCELLED" "and says why"
is "$(verdicts stopped)" "" "without a verdict"
is "$(qemu 'stopped')$(qemu killed)$(qemu faults)" "" "nothing is left running"

# --- jobs that make no sense -----------------------------------------------------------
refused() { # refused JSON PATTERN NAME
  start_job refused "$1"
  wait $runner
  is $? 2 "$3: refused"
  like "$(jq -r .text "$TMP/refused.reports")" "$2" "$3: says so"
}
refused '{set: "none"}' "set 'none' does not exist" "an unknown set"
refused '{tests: ["nothing"]}' "test 'nothing' does not exist" "an unknown test"
refused '{}' "expected field 'set' or 'tests'" "nothing to do"
refused '{set: "trouble", clock: "sundial"}' "expected auto, real or virtual" "an unknown clock"
