#!/bin/bash
# testlab-runner doctor: every part used, in order; what is missing is named with its cure.
# takes: 60 s, limit: 600 s
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lab.sh"
requires qemu-system-x86_64 libvirtd
find_nut || skip_all "no kernel to boot: the Debian package cannot be had"

export XDG_CACHE_HOME=$TMP/cache # what it remembers, from here on
doctor() { run timeout 300 "$BUILD/testlab-runner" doctor "$@"; }
check() { jq -r "select(.name == \"$1\") | $2" <<<"$output"; } # check NAME FILTER

doctor
is "$status" 3 "without a kernel at hand not everything is proven"
is "$(check kernel .ok)" false "which it says"
like "$(check kernel .mend)" '--kernel IMAGE --initramfs FILE' "with the cure"
is "$(check boot .ok)" "" "and what was not tried is not reported"

doctor --kernel "$KERNEL_IMAGE" --initramfs "$NUT_INITRAMFS"
say_lines <<<"$output"
is "$status" 0 "with one everything works"
is "$(jq -r 'select(.ok) | .name' <<<"$output" | tr '\n' ' ')" \
  "session libvirt qemu scratch accelerator kernel start boot console agent clock link snapshot " "every part was used"
is "$(jq -r 'select(.event != "check" or (.text | length) == 0)' <<<"$output")" "" "each with what was found"
like "$(check boot .text)" 'the kernel booted' "a NUT booted"
if [ "$(check accelerator .text | cut -d: -f1)" = tcg ] && [ -w /dev/kvm ]; then
  like "$(check accelerator .text)" 'KVM does not work here: .*(died|did not boot|failed|ended)' "why there is no KVM"
  is "$(jq .kvm "$XDG_CACHE_HOME/testlab/accelerator")" false "which is remembered for this boot of the host"
else
  like "$(check accelerator .text)" 'kvm: KVM works|/dev/kvm: ' "what there is of KVM"
  pass "nothing to remember without /dev/kvm, or what works"
fi

doctor
is "$status" 0 "the kernel was kept for the next time"

# Wrong usage, and an image that is none.
doctor --kernel "$KERNEL_IMAGE"
is "$status" 2 "a kernel without an initramfs is wrong usage"
doctor --kernel /none --initramfs /none
is "$status" 2 "so is a file that is not there"
head -c 10000 /dev/zero >"$TMP/zeros"
doctor --kernel "$TMP/zeros" --initramfs "$NUT_INITRAMFS"
is "$status" 3 "an image that is no kernel does not work"
like "$(check start .text)" "expected a bzImage" "and is named"

# Folders that somebody else could write to.
mkdir -m 0777 "$TMP/open"
XDG_RUNTIME_DIR=$TMP/open doctor
is "$status $(check session .ok)" "3 false" "an open XDG_RUNTIME_DIR is refused"
(unset XDG_RUNTIME_DIR && doctor && [ "$status" -eq 0 ])
is $? 0 "without XDG_RUNTIME_DIR it finds a place"

# Another user, without root.
if [ "$(id -u)" -ne 0 ]; then
  skip "an ordinary user needs no more" "this is one"
  exit 0
fi
mkdir -m 0700 "$TMP/nobody" "$TMP/nobody/run"
cp "$KERNEL_IMAGE" "$TMP/nobody/bzImage"
cp "$NUT_INITRAMFS" "$TMP/nobody/initramfs.img"
chown -R nobody "$TMP/nobody"
chmod 0711 "$TMP"
user=(setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME="$TMP/nobody" TMPDIR="$TMP/nobody"
  XDG_CACHE_HOME="$TMP/nobody" XDG_RUNTIME_DIR="$TMP/nobody/run" XDG_CONFIG_HOME="$TMP/nobody")
if ! "${user[@]}" test -x "$BUILD/testlab-runner"; then
  skip "an ordinary user needs no more" "the tree is closed to others"
  exit 0
fi
on_exit 'pkill -u nobody -f -- --timeout=120'
run "${user[@]}" timeout 300 "$BUILD/testlab-runner" doctor --kernel "$TMP/nobody/bzImage" \
  --initramfs "$TMP/nobody/initramfs.img"
say_lines <<<"$output$error"
is "$status" 0 "an ordinary user needs no more"
