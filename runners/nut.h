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

/* What the watchers saw of the NUT. */
enum nut_state {
	NUT_STATE_STARTING,
	NUT_STATE_READY,
	NUT_STATE_OOPS, /* "Oops", "BUG:", "WARNING: CPU" with tainted state, KASAN, lockdep splat on the console */
	NUT_STATE_PANIC, /* "Kernel panic" */
	NUT_STATE_HUNG,  /* agent does not answer, or soft lockup / hung task / RCU stall */
	NUT_STATE_GONE,  /* the domain ended by itself */
	NUT_STATE_STOPPED,
};
const char *nut_state_to_string(enum nut_state state);

struct nut_spec {
	const char *name;  /* domain name; unique on the host, letters, digits, '-' */
	const char *uri;   /* "qemu:///session" when NULL */
	const char *image; /* bzImage */
	const char *initramfs;
	const char *folder;  /* for console.log and the snapshot disk; exists */
	const char *cmdline; /* added to ours, or NULL */
	unsigned memory_mib; /* 128 when 0 */
	unsigned cpus;       /* 1 when 0 */
	enum accelerator accelerator;
	struct link *links[NUT_LINKS_MAX]; /* NULL-terminated unless full */
	uint8_t macs[NUT_LINKS_MAX][6];
};

/* Define and start; returns when QEMU runs (not yet booted). */
int nut_start(struct loop *loop, const struct nut_spec *spec, struct nut **ret_nut,
	      struct err *err);
/* Until the guest agent answers; LAB_ETIMEOUT, or LAB_EVIRT when it panicked or ended meanwhile. */
int nut_wait_ready(struct nut *nut, int64_t timeout_ms, struct err *err);
enum nut_state nut_get_state(const struct nut *nut);
/* Called (from the loop) when the state changes to OOPS, PANIC, HUNG or GONE. */
void nut_on_trouble(struct nut *nut, void (*cb)(struct nut *nut, void *user), void *user);
enum accelerator nut_get_accelerator(const struct nut *nut);

struct nut_exec_result {
	int exit_status; /* or -signal */
	char *output;    /* stdout, NUL-terminated; free with nut_exec_result_release */
	char *error_output;
};
/* Run a program in the NUT by the guest agent and wait for its end, events going on meanwhile. */
int nut_exec(struct nut *nut, const char *const *argv, int64_t timeout_ms,
	     struct nut_exec_result *ret_result, struct err *err);
void nut_exec_result_release(struct nut_exec_result *result);
/* True when the agent answers a ping in time: the NUT is alive. */
bool nut_ping(struct nut *nut, int64_t timeout_ms, struct err *err);

/* Save and load the whole machine inside the running QEMU (HMP savevm/loadvm). */
int nut_save(struct nut *nut, const char *tag, struct err *err);
int nut_load(struct nut *nut, const char *tag, struct err *err);
/* Boot anew for real; then nut_wait_ready. */
int nut_reboot(struct nut *nut, struct err *err);

/* Bytes the console has written so far, and the text from `offset` on (heap; lossy UTF-8). */
int64_t nut_console_size(const struct nut *nut);
char *nut_console_text(const struct nut *nut, int64_t offset, size_t max);
/* Peak resident memory of the QEMU process in KiB, 0 if unknown. */
int64_t nut_peak_memory_kib(const struct nut *nut);

/* Destroy the domain and free `nut`; NULL is fine. */
void nut_stop(struct nut *nut);
