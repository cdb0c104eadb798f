#!/bin/bash
# The NUT image from Debian packages, and what is refused.
# takes: 30 s, limit: 300 s
. "$(dirname "$0")/lib.sh" || exit 1
requires zstd cpio qemu-system-x86_64
. "$(dirname "$0")/builders.sh"

image() {
	run_job "$1" "{kind: \"image\", image: \"$2\", modules: ${3:-null}, config: ${4:-null},
		role: \"${5:-host}\"}"
}

echo text > "$TMP/no-kernel"
image text "$TMP/no-kernel"
like "$(reports text .text)" "'$TMP/no-kernel' is no x86 kernel image" "a file that is no kernel"
head -c 514 /dev/zero > "$TMP/kernel"
echo HdrS >> "$TMP/kernel"
printf 'CONFIG_%s=y\n' BLK_DEV_INITRD SERIAL_8250_CONSOLE FILE_LOCKING RD_ZSTD VIRTIO_PCI IPV6 > "$TMP/config"
printf 'CONFIG_VIRTIO_NET=m\nCONFIG_VIRTIO_CONSOLE=y\n' >> "$TMP/config"
image module "$TMP/kernel" null "\"$TMP/config\""
like "$(reports module .text)" "CONFIG_VIRTIO_NET=m, but its modules hold no 'virtio_net'" \
	"a kernel whose modules are missing"
sed -i /VIRTIO_NET/d "$TMP/config"
image option "$TMP/kernel" null "\"$TMP/config\""
like "$(reports option .text)" "lacks CONFIG_VIRTIO_NET" "a kernel that cannot be a NUT"

command -v apt-get > /dev/null || skip_all "apt-get is not installed"
apt-cache madison busybox-static 2> /dev/null | grep -q . || {
	skip "the image is made of Debian packages" "apt has no lists"
	exit 0
}

image first "$TMP/kernel"
is "$(outcome first)" "done" "the image is made of Debian packages"
like "$(reports first 'select(.event == "done").root_version')" 'qemu-guest-agent [0-9]' \
	"and says of which"
zstd -dcq "$TMP/first/out/initramfs.img" | cpio -t --quiet > "$TMP/names"
for name in init bin/busybox bin/ip bin/qemu-ga bin/rdnssd bin/sh dev/console etc/passwd lib64/ld-linux-x86-64.so.2; do
	ok "it holds $name" grep -qx "$name" "$TMP/names"
done
image second "$TMP/kernel"
is "$(reports second 'select(.phase == "download")')" "" "a second one downloads nothing"
ok "and is the same, byte by byte" cmp "$TMP/first/out/initramfs.img" "$TMP/second/out/initramfs.img"

# Without apt, and with a network that is not there: what the cache has.
mkdir "$TMP/empty-path"
jq '.scratch += "-offline"' "$TMP/second.json" > "$TMP/offline.json"
PATH=$TMP/empty-path "$BUILD/testlab-builder" "$TMP/offline.json" \
	3> "$TMP/offline.reports" 2> "$TMP/offline.log"
is "$(outcome offline)" "done" "the cache is enough without apt"
jq ".cache = \"$TMP/other-cache\"" "$TMP/second.json" > "$TMP/nothing.json"
PATH=$TMP/empty-path "$BUILD/testlab-builder" "$TMP/nothing.json" \
	3> "$TMP/nothing.reports" 2> "$TMP/nothing.log"
like "$(reports nothing .text)" "'apt-cache' is not installed" "with neither, the error says so"

run_job package '{kind: "prebuilt", release: {detail: {package: "linux-image-no-such-kernel"}}}'
like "$(reports package .text)" "knows no package 'linux-image-no-such-kernel'" "an unknown package"
run_job option2 '{kind: "prebuilt", release: {detail: {package: "-o=Dir::Bin=/x"}}}'
is "$(outcome option2)" "failed EINVALID" "a name that apt would take for an option"

# Boot the known-good kernel on it.
run_job known '{kind: "prebuilt", release: {detail: {package: "linux-image-cloud-amd64"}}}'
is "$(outcome known)" "done" "the meta package leads to a kernel"
image cloud "$TMP/known/out/bzImage" "\"$TMP/known/out/modules.tar.zst\"" "\"$TMP/known/out/config\""
is "$(outcome cloud)" "done" "its image has its modules"
timeout 100 qemu-system-x86_64 -accel tcg -m 128 -display none -no-reboot -monitor none \
	-serial "file:$TMP/console" -kernel "$TMP/known/out/bzImage" \
	-initrd "$TMP/cloud/out/initramfs.img" -nic none -device virtio-net-pci,romfile= \
	-device virtio-serial-pci -chardev "socket,path=$TMP/agent,server=on,wait=off,id=a" \
	-device virtserialport,chardev=a,name=org.qemu.guest_agent.0 \
	-append 'console=ttyS0 panic=-1 quiet testlab.role=host' < /dev/null &
on_exit "kill $! 2>/dev/null"
ok "it boots and says that it is ready" wait_for 60 grep -q 'testlab: ready' "$TMP/console"
