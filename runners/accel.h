/*
 * Which accelerator QEMU can really use here. /dev/kvm that opens and makes a
 * virtual machine proves nothing: on some nested hosts the guest dies in its
 * firmware, or firmware and boot sector run and the kernel dies while it unpacks
 * itself. So KVM is proven by booting a kernel, once per boot of the host and
 * version of QEMU. Blocks (up to half a minute the first time); any thread.
 */
#pragma once

#include "runners/nut.h"

struct err;

/* Absolute path of qemu-system-x86_64. The caller frees it. */
int accel_find_qemu(char **ret_path, struct err *err);

/*
 * ACCELERATOR_AUTO gives KVM if it is proven, TCG otherwise; ACCELERATOR_KVM fails when it
 * is not. `image` and `initramfs` are what to prove it with; without them (NULL) only a
 * boot sector can be tried, whose failure is a proof and whose success is not: that gives TCG.
 * *ret_text (may be NULL) says what was found, in words; the caller frees it.
 */
int accel_choose(enum accelerator wanted, const char *image, const char *initramfs,
		 enum accelerator *ret_accelerator, char **ret_text, struct err *err);
