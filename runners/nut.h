/*
 * The node under test: one libvirt domain with direct kernel boot, up to
 * NUT_LINKS_MAX links, guest agent over virtio-serial, serial console to a
 * file, and a small qcow2 disk that holds snapshots. Uses libvirt through
 * runners/virt.c; nothing here goes over the network that is under test.
 *
 * The domain is started with auto-destroy: it dies with our connection, so a
 * killed runner leaves no VM behind.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct link;
struct loop;
struct nut;

#define NUT_LINKS_MAX 4

enum accelerator { ACCELERATOR_AUTO, ACCELERATOR_TCG, ACCELERATOR_KVM };
const char *accelerator_to_string(enum accelerator accelerator);
int accelerator_from_string(const char *text, enum accelerator *ret_accelerator);

/* What the watchers saw of the NUT, from good to bad; it only gets worse, but for a load or reboot. */
enum nut_state {
	NUT_STATE_STARTING,
	NUT_STATE_READY,
	NUT_STATE_OOPS, /* oops, BUG, WARNING, KASAN, lockdep, ... on the console (runners/console.c) */
	NUT_STATE_HUNG,  /* agent does not answer, or soft lockup / hung task / RCU stall */
	NUT_STATE_PANIC, /* "Kernel panic" */
	NUT_STATE_GONE,  /* the guest reset itself or switched itself off */
	NUT_STATE_LOST, /* QEMU or libvirt failed or was killed, or we could not keep the console: not the kernel's fault */
	NUT_STATE_STOPPED,
};
const char *nut_state_to_string(enum nut_state state);

struct nut_spec {
	const char *
		name; /* of the domain: letters, digits, '-'; a number is added to keep it unique */
	const char *uri;   /* the session of this user when NULL */
	const char *image; /* bzImage */
	const char *initramfs;
	const char *folder;  /* for console.log and the snapshot disk; exists */
	const char *cmdline; /* added to ours, or NULL */
	unsigned memory_mib; /* 128 when 0 */
	unsigned cpus;       /* 1 when 0 */
	enum accelerator accelerator;
	struct link *links[NUT_LINKS_MAX]; /* NULL-terminated unless full */
	uint8_t macs[NUT_LINKS_MAX][6];
	bool hide_tsc; /* no TSC, clock from the HPET: for snapshots under TCG, and for a virtual clock */
	const char *const
		*environment; /* "NAME=VALUE" for the QEMU process, NULL-terminated; or NULL */
};

/* Start it; returns when QEMU runs (not yet booted). LAB_EINVALID for a bad spec, image or initramfs. */
int nut_start(struct loop *loop, const struct nut_spec *spec, struct nut **ret_nut,
	      struct err *err);
/* Until the guest agent answers; LAB_ETIMEOUT, or LAB_EVIRT when it panicked or ended meanwhile. */
int nut_wait_ready(struct nut *nut, int64_t timeout_ms, struct err *err);
enum nut_state nut_get_state(const struct nut *nut);
/* The line of the console, or the sentence, that made the state what it is; "" while all is well. */
const char *nut_get_trouble(const struct nut *nut);
/* Called (from the loop) when the state changes to OOPS or worse. */
void nut_on_trouble(struct nut *nut, void (*cb)(struct nut *nut, void *user), void *user);
enum accelerator nut_get_accelerator(const struct nut *nut);
/* Process id of QEMU. */
int nut_get_pid(const struct nut *nut);

struct nut_exec_result {
	int exit_status; /* or -signal */
	char *output;    /* stdout, NUL-terminated; free with nut_exec_result_release */
	char *error_output;
};
/*
 * Run a program in the NUT by the guest agent and wait for its end, events going
 * on meanwhile. LAB_ETIMEOUT (the NUT is HUNG if it was the agent that did not
 * answer), LAB_EVIRT when there is no such program or the NUT ended.
 */
int nut_exec(struct nut *nut, const char *const *argv, int64_t timeout_ms,
	     struct nut_exec_result *ret_result, struct err *err);
void nut_exec_result_release(struct nut_exec_result *result);
/* True when the agent answers a ping in time: the NUT is alive. Otherwise it is HUNG. */
bool nut_ping(struct nut *nut, int64_t timeout_ms, struct err *err);

/*
 * Save and load the whole machine inside the running QEMU (HMP savevm/loadvm).
 * `tag` is letters, digits, '-' and '_'. After a load the NUT is READY whatever
 * it was before (it must not be GONE or LOST), the links hold no frame of
 * before, in neither direction, and no time has passed for the guest since the save.
 */
int nut_save(struct nut *nut, const char *tag, struct err *err);
int nut_load(struct nut *nut, const char *tag, struct err *err);
/* Boot anew for real; then nut_wait_ready. */
int nut_reboot(struct nut *nut, struct err *err);

/* Bytes the console has written so far, and the text from `offset` on (heap; lossy UTF-8). */
int64_t nut_console_size(const struct nut *nut);
char *nut_console_text(const struct nut *nut, int64_t offset, size_t max);
/* Peak resident memory of the QEMU process in KiB, 0 if unknown. */
int64_t nut_peak_memory_kib(const struct nut *nut);

/*
 * Kill QEMU and free `nut`; NULL is fine. Takes no time: libvirt, which needs
 * more than a second for its part, is waited for by loop_free().
 */
void nut_stop(struct nut *nut);
