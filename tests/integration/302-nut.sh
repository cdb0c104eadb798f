#!/bin/bash
# A NUT under libvirt without the engine: boot, guest agent, link, console, snapshots, reboot.
# takes: 60 s, limit: 600 s
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lab.sh"
requires qemu-system-x86_64 libvirtd
find_nut || skip_all "no kernel to boot: the Debian package cannot be had"

mkdir "$TMP/nut"
driver() { "$BUILD/tests/nut-driver" "$TMP/nut" "$KERNEL_IMAGE" "$NUT_INITRAMFS" "$@"; }
boot_id='exec:cat /proc/sys/kernel/random/boot_id'
announces='[0-9a-f-]{36}'

run driver ready 'exec:echo out; echo err >&2; exit 3' 'exec:kill -9 $$' 'exec:sleep 30' echo wait:2000 \
  'exec:ethtool -k eth0 2>/dev/null || cat /sys/class/net/eth0/mtu' "$boot_id" save:base \
  'exec:echo changed >/tmp/changed' cycles:200 'exec:cat /tmp/changed' stale:20 echo "$boot_id" \
  reboot "$boot_id" load:base "$boot_id" load:none save:a/b ping
say_lines <<<"$output"
is "$status" 0 "the driver ran"
line() { sed -n "$1p" <<<"$output"; } # line NUMBER

is "$(line 1)" "start: ok" "QEMU starts"
like "$(line 2)" '^ready: ok \[ready' "the kernel boots and the agent answers"
like "$(line 3)" "^exec: 3 'out' ok" "a program's status and output"
like "$(line 4)" "^exec: -9 '' ok" "a program that was killed"
like "$(line 5)" "^exec: error .*the program has not ended \[ready (49|5[0-9])[0-9]{2}\]" \
  "a program that takes too long, in a NUT that is well"
like "$(line 6)" '^echo: ok' "an Echo Request is answered"
like "$(line 8)" "^exec: 0 '1500' ok" "the link's MTU is 1500"
like "$(line 10)" '^save: ok' "a snapshot is saved"
like "$(line 12)" '^cycles: 200 load [0-9.]+ ms answer [0-9.]+ ms ok \[ready' \
  "200 loads, each with an answer on the link and from the agent"
like "$(line 13)" "^exec: 1 ''" "what was changed since is gone"
like "$(line 14)" '^stale: 0 frames ok' "nothing of before the load reaches the guest or us"
like "$(line 15)" '^echo: ok' "and the link works on"
before=$(line 9) same=$(line 16) reboot=$(line 18) loaded=$(line 20)
id_of() { grep -oE "$announces" <<<"$1"; }
is "$(id_of "$same")" "$(id_of "$before")" "a load is no boot"
like "$(line 17)" '^reboot: ok \[ready' "a reboot is one"
isnt "$(id_of "$reboot")" "$(id_of "$before")" "with another boot id"
is "$(id_of "$loaded")" "$(id_of "$before")" "a snapshot outlives it"
like "$(line 21)" "^load: error there is no snapshot 'none'" "a snapshot that is not there"
like "$(line 22)" "^save: error snapshot 'a/b': expected" "a tag that is none"
like "$(line 23)" '^ping: ok \[ready' "neither harms the NUT"

like "$(head -c 2000 "$TMP/nut/console.log")" '\] Linux version ' "the console log begins with the kernel's words"
is "$(ls "$TMP/nut")" "console.log" "the snapshot disk is gone"
is "$(pgrep -f -- "$TMP/nut")" "" "no process is left"
