#!/bin/bash
# The virtual clock with a real QEMU and kernel, one and two vCPUs, on an idle and on
# an overloaded host: time against the guest's own, retransmissions, bursts of
# frames, agent commands between jumps, a guest that is never idle, loadvm.
# takes: 90 s, limit: 900 s
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lab.sh"
requires qemu-system-x86_64 qemu-img
find_kernel || skip_all "no kernel to boot: the Debian package cannot be had"
. "$(dirname "$0")/builders.sh"

tar -C "$TMP" -cf "$TMP/modules.tar" -C "$(dirname "$(dirname "$KERNEL_MODULES")")" lib/modules &&
  zstd -q "$TMP/modules.tar"
run_job image "{kind: \"image\", image: \"$KERNEL_IMAGE\", modules: \"$TMP/modules.tar.zst\",
  config: null, role: \"host\"}" || {
  tail -n 3 "$TMP/image.reports" | say_lines
  skip_all "no NUT image: see tests/integration/202-nut-image.sh"
}
export TESTLAB_BUILD=$BUILD

# drive NAME MEASURE CPUS SCENARIO...: pass its results on, under the name.
drive() {
  local name=$1 line
  shift
  "$BUILD/tests/vclock-driver" "$TMP/$name" "$KERNEL_IMAGE" "$TMP/image/out/initramfs.img" "$@" \
    >"$TMP/$name.tap" 2>"$TMP/$name.err" </dev/null
  while IFS= read -r line; do
    case $line in
    "ok "*) pass "$name: ${line#* - }" ;;
    "not ok "*) fail "$name: ${line#* - }" ;;
    "Bail out!"*) fail "$name" "$line" "$(tail -n 3 "$TMP/$name.err")" ;;
    1..*) ;; # its own plan
    *) echo "$line" ;;
    esac
  done <"$TMP/$name.tap"
  like "$(tail -n 1 "$TMP/$name.tap")" '^1\.\.[1-9]' "$name: came to its end"
}

drive one cpu 1 rs uptime idle ns burst agent loadvm busy
drive two cpu 2 rs uptime ns burst agent loadvm busy

# Four busy processes for the two cores: no guest can tell.
burden=()
for _ in 1 2 3 4; do
  timeout 300 sh -c 'while :; do :; done' &
  burden+=($!)
done
on_exit 'kill "${burden[@]}" 2>/dev/null'
drive burdened cpu 1 rs uptime ns burst loadvm
