#!/bin/bash
# What can go wrong with a NUT: each ends in a state and a sentence that say whose fault it
# was, in bounded time, and leaves nothing behind.
# takes: 90 s, limit: 600 s
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lab.sh"
requires qemu-system-x86_64 libvirtd
find_nut || skip_all "no kernel to boot: the Debian package cannot be had"

# libvirtd is killed below: it is one of this test's own, not that of the tests beside it.
mkdir -m 700 "$TMP/run"
export XDG_RUNTIME_DIR=$TMP/run
on_exit stop_libvirtd
stop_libvirtd() { [ ! -f "$TMP/run/libvirt/libvirtd.pid" ] || kill "$(<"$TMP/run/libvirt/libvirtd.pid")" 2>/dev/null; }

mkdir "$TMP/nut"
driver() { timeout 120 "$BUILD/tests/nut-driver" "$TMP/nut" "$KERNEL_IMAGE" "$NUT_INITRAMFS" "$@"; }
line() { sed -n "$1p" <<<"$output"; } # line NUMBER
nothing_left() { [ -z "$(pgrep -f -- "$TMP/nut")" ]; }

# --- the guest's trouble, one NUT for all of it ----------------------------------
taken='exec:cat /sys/class/net/eth0/statistics/rx_packets'
run driver ready echo "$taken" wait:3000 save:base 'exec:echo c >/proc/sysrq-trigger' ping \
  load:base echo 'exec:ip link set dev eth0 down' burst:90 burst:90 burst:90 burst:90 burst:90 burst:90 stale:0 \
  "$taken" 'exec:echo alive' \
  'exec:echo "BUG: said by a program" >/dev/console' \
  'exec:echo "[    1.000000] WARNING: CPU: 0 PID: 1 at x" >/dev/console' trouble load:base \
  'exec:kill -STOP $(pidof qemu-ga)' ping load:base echo 'exec:echo alive' \
  'exec:echo b >/proc/sysrq-trigger' ping load:base trouble
say_lines <<<"$output"
is "$status" 0 "the driver ran"
like "$(line 7)" 'error .*has ended \(panic\): Kernel panic - not syncing: sysrq triggered crash \[panic [0-9]{1,3}\]' \
  "a panic ends what waits for the guest, at once"
like "$(line 8)" '^ping: error .*Kernel panic.* \[panic' "and is remembered"
like "$(line 10)" '^echo: ok \[ready' "a load mends it"
like "$(line 18)" '^stale: 0 frames ok \[ready' "frames that the guest did not take do not outlive a load"
is "$(line 19 | cut -d' ' -f1-4)" "$(line 4 | cut -d' ' -f1-4)" "none of them reaches it"
like "$(line 20)" "^exec: 0 'alive' ok \[ready" "and the agent lives"
like "$(line 21)" '\[ready' "a program that says BUG is none"
like "$(line 22)" '\[oops' "a warning of the kernel is trouble"
like "$(line 23)" "'WARNING: CPU: 0 PID: 1 at x' ok \[oops" "and is named"
like "$(line 25)" 'error .*guest agent did not answer within [0-9]+ ms \[hung (49|5[0-9])[0-9]{2}\]' \
  "an agent that is silent is a NUT that hangs"
like "$(line 27)" '^load: ok \[ready' "a load mends that, too"
like "$(line 29)" "^exec: 0 'alive' ok" "the agent lives again"
like "$(line 30)" 'error .*has ended \(gone\): the guest reset itself' "a guest that resets itself is gone"
like "$(line 32)" '^load: error .*\(gone\)' "and no load brings it back"
ok "nothing is left" wait_for 10 nothing_left

# --- the host's trouble ------------------------------------------------------------
start_driver() { # start_driver STEP: a NUT that is ready, and a driver in that step: its process in $pid
  "$BUILD/tests/nut-driver" "$TMP/nut" "$KERNEL_IMAGE" "$NUT_INITRAMFS" ready "$1" >"$TMP/out" 2>&1 &
  pid=$!
  wait_for 120 grep -q '^ready: ok' "$TMP/out"
}

run driver ready save:base kill-qemu trouble load:base
like "$(line 5)" "^trouble: 'QEMU ended unexpectedly' ok \[lost" "a QEMU that was killed is our trouble"
like "$(line 6)" '^load: error .*\(lost\)' "with an error at the next use"

start_driver trouble
kill -KILL "$(<"$TMP/run/libvirt/libvirtd.pid")"
wait "$pid" 2>/dev/null
output=$(<"$TMP/out")
like "$(line 3)" "'the connection to libvirt was lost' ok \[lost" "a libvirtd that was killed is our trouble"
ok "and the machine does not outlive it" nothing_left

start_driver wait:60000
kill -KILL "$pid"
wait "$pid" 2>/dev/null
ok "a runner that was killed leaves no machine" wait_for 10 nothing_left

start_driver wait:60000
kill -TERM "$pid"
wait "$pid" 2>/dev/null
like "$(tail -n 1 "$TMP/out")" '^wait: error cancelled' "SIGTERM ends what goes on"
ok "and nothing is left" nothing_left

# --- what cannot start ---------------------------------------------------------------
refused() { # refused PATTERN NAME FOLDER IMAGE INITRAMFS
  local pattern=$1 name=$2
  shift 2
  run timeout 120 "$BUILD/tests/nut-driver" "$@" ready
  like "$output" "^start: error $pattern" "$name"
}
head -c 100000 /dev/urandom >"$TMP/garbage"
refused "kernel image '$TMP/garbage': expected a bzImage" "an image that is no kernel" \
  "$TMP/nut" "$TMP/garbage" "$NUT_INITRAMFS"
refused "kernel image '$TMP/none': No such file" "an image that is not there" \
  "$TMP/nut" "$TMP/none" "$NUT_INITRAMFS"
refused "initramfs '$TMP/none': No such file" "an initramfs that is not there" \
  "$TMP/nut" "$KERNEL_IMAGE" "$TMP/none"
refused "open '$TMP/none/console.log': No such file" "a folder that is not there" \
  "$TMP/none" "$KERNEL_IMAGE" "$NUT_INITRAMFS"
refused "NUT 'driver': expected absolute paths" "a relative path" "$TMP/nut" bzImage "$NUT_INITRAMFS"

# An initramfs that is none: the kernel panics, and says so.
run timeout 120 "$BUILD/tests/nut-driver" "$TMP/nut" "$KERNEL_IMAGE" "$TMP/garbage" ready
like "$output" '^ready: error .*Kernel panic - not syncing: .*(root|init)' "an initramfs that is none"

# A console that cannot be kept.
if unshare --user --map-root-user --mount true 2>/dev/null || [ "$(id -u)" -eq 0 ]; then
  mkdir "$TMP/full"
  mount_full() { mount -t tmpfs -o size=2m none "$TMP/full"; }
  if mount_full 2>/dev/null; then
    on_exit "umount '$TMP/full'"
    head -c 1500000 /dev/zero >"$TMP/full/ballast"
    run timeout 120 "$BUILD/tests/nut-driver" "$TMP/full" "$KERNEL_IMAGE" "$NUT_INITRAMFS" ready \
      'exec:head -c 1000000 /dev/zero | tr "\\0" x >/dev/console' trouble
    like "$output" "(error|trouble).*No space left on device.* \[lost" "a console that does not fit is our trouble"
  else
    skip "a console that does not fit is our trouble" "tmpfs cannot be mounted here"
  fi
else
  skip "a console that does not fit is our trouble" "nothing can be mounted here"
fi
