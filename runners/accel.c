/*
 * Proving KVM by booting. What was found is remembered in
 * XDG_CACHE_HOME/testlab/accelerator, with the boot of the host and the version
 * of QEMU that it holds for. A failure is remembered even if it may have been the
 * kernel's: TCG in its place is slower, not wrong. Whether /dev/kvm can be opened is
 * looked at each time.
 */
#include "runners/accel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/proc.h"

#define QEMU_PROGRAM       "qemu-system-x86_64"
#define CACHE_BYTES_MAX    4096
#define SECTOR_TIMEOUT_MS  10000 /* 0.1 s where KVM works */
#define KERNEL_TIMEOUT_MS  15000 /* 1 s where KVM works */
#define VERSION_TIMEOUT_MS 10000
#define SECTOR_BYTES       512
#define SECTOR_EXIT_STATUS 85 /* isa-debug-exit ends QEMU with (value << 1) | 1; we write 42 */

/*
 * The guest without a kernel: a boot sector. The firmware has found the disk, read the sector and
 * jumped to it in real mode; it goes on into 32-bit protected mode, where
 * kernels live, and says 42 to the isa-debug-exit device at port 0x501.
 */
static const unsigned char boot_code[] = {
	0xfa, /* cli */
	0x31,
	0xc0, /* xor ax, ax */
	0x8e,
	0xd8, /* mov ds, ax */
	0x0f,
	0x01,
	0x16,
	0x38,
	0x7c, /* lgdt [0x7c38] */
	0x0f,
	0x20,
	0xc0, /* mov eax, cr0 */
	0x66,
	0x83,
	0xc8,
	0x01, /* or eax, 1 */
	0x0f,
	0x22,
	0xc0, /* mov cr0, eax */
	0xea,
	0x19,
	0x7c,
	0x08,
	0x00, /* jmp 0x08:0x7c19 */
	/* 0x7c19, 32 bits */
	0x66,
	0xba,
	0x01,
	0x05, /* mov dx, 0x501 */
	0xb0,
	0x2a, /* mov al, 42 */
	0xee, /* out dx, al */
	0xf4, /* hlt */
	0xeb,
	0xfd, /* jmp to the hlt */
	/* 0x7c23: up to the table */
	0x90,
	0x90,
	0x90,
	0x90,
	0x90,
	/* 0x7c28: null descriptor, then flat code of 4 GiB */
	0x00,
	0x00,
	0x00,
	0x00,
	0x00,
	0x00,
	0x00,
	0x00,
	0xff,
	0xff,
	0x00,
	0x00,
	0x00,
	0x9a,
	0xcf,
	0x00,
	/* 0x7c38: size of the table - 1, address of the table */
	0x0f,
	0x00,
	0x28,
	0x7c,
	0x00,
	0x00,
};

const char *accelerator_to_string(enum accelerator accelerator)
{
	switch (accelerator) {
	case ACCELERATOR_AUTO:
		return "auto";
	case ACCELERATOR_TCG:
		return "tcg";
	case ACCELERATOR_KVM:
		return "kvm";
	}
	return "?";
}

int accelerator_from_string(const char *text, enum accelerator *ret_accelerator)
{
	static const enum accelerator all[] = { ACCELERATOR_AUTO, ACCELERATOR_TCG,
						ACCELERATOR_KVM };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (strcmp(text, accelerator_to_string(all[i])) == 0) {
			*ret_accelerator = all[i];
			return 0;
		}
	}
	return LAB_EINVALID;
}

int accel_find_qemu(char **ret_path, struct err *err)
{
	const char *set = getenv("PATH");
	auto_free char *folders = xstrdup(set ? set : "/usr/local/bin:/usr/bin:/bin");
	char *rest = folders, *folder;

	while ((folder = strsep(&rest, ":"))) {
		auto_free char *path = *folder == '/' ? path_join(folder, QEMU_PROGRAM) : NULL;

		if (path && access(path, X_OK) == 0) {
			*ret_path = STEAL_PTR(path);
			return 0;
		}
	}
	return err_set(err, LAB_ENOTFOUND, "no " QEMU_PROGRAM " in PATH; install qemu-system-x86");
}

/* First line of what QEMU says to --version: "QEMU emulator version 7.2.22 (Debian ...)". */
static int read_version(const char *qemu, char **ret_version, struct err *err)
{
	auto_cleanup(buf_release_p) struct buf output = BUF_INIT(4096);
	const char *argv[] = { qemu, "--version", NULL };
	struct proc_spec spec = { .argv = argv,
				  .output = &output,
				  .timeout_ms = VERSION_TIMEOUT_MS };
	int rc = proc_run(&spec, err);

	if (rc < 0)
		return rc;
	if (rc > 0 || !output.data)
		return err_set(err, LAB_ECHILD, "'%s --version' ended with status %d", qemu, rc);
	*ret_version = xstrndup(output.data, strcspn(output.data, "\n"));
	return 0;
}

static char *read_boot_id(void)
{
	auto_free char *text = NULL;
	size_t size;

	if (fs_read_file("/proc/sys/kernel/random/boot_id", 256, &text, &size, NULL) < 0)
		return xstrdup("unknown");
	text[strcspn(text, "\n")] = '\0';
	return STEAL_PTR(text);
}

/* NULL if there is no place for caches: then nothing is remembered. */
static char *cache_folder(void)
{
	const char *cache = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");

	if (cache && *cache == '/')
		return path_join(cache, "testlab");
	return home && *home == '/' ? path_join(home, ".cache/testlab") : NULL;
}

/* What an earlier proof found under the same conditions: true and its words, or false. */
static bool recall(const char *folder, const char *boot_id, const char *version, bool *ret_works,
		   char **ret_text)
{
	auto_free char *path = folder ? path_join(folder, "accelerator") : NULL;
	auto_json json_t *value = NULL;

	if (!path || json_read_file(path, CACHE_BYTES_MAX, &value, NULL) < 0)
		return false;
	if (strcmp(json_string_or(value, "boot_id", ""), boot_id) != 0 ||
	    strcmp(json_string_or(value, "qemu", ""), version) != 0 ||
	    json_get_bool(value, "kvm", ret_works, NULL) < 0)
		return false;
	*ret_text = xstrdup(json_string_or(value, "text", ""));
	return true;
}

/* Failing to remember costs only the next proof. */
static void remember(const char *folder, const char *boot_id, const char *version, bool works,
		     const char *text)
{
	auto_free char *path = folder ? path_join(folder, "accelerator") : NULL;
	auto_json json_t *value = json_pack("{s:s, s:s, s:b, s:s}", "boot_id", boot_id, "qemu",
					    version, "kvm", works, "text", text);

	if (path && value && fs_mkdir_parents(folder, 0700, NULL) == 0)
		(void)json_write_file(path, value, NULL);
}

static int write_sector(char path[], struct err *err)
{
	unsigned char sector[SECTOR_BYTES] = { 0 };
	auto_close int fd = mkostemp(path, O_CLOEXEC);

	if (fd < 0)
		return err_set(err, -errno, "make '%s': %s", path, strerror(errno));
	memcpy(sector, boot_code, sizeof(boot_code));
	sector[SECTOR_BYTES - 2] = 0x55;
	sector[SECTOR_BYTES - 1] = 0xaa;
	if (write(fd, sector, sizeof(sector)) != (ssize_t)sizeof(sector))
		return err_set(err, -errno, "write '%s': %s", path, strerror(errno));
	return 0;
}

/* Its name and time before QEMU's complaint say nothing. */
static const char *skip_name(const char *line)
{
	const char *colon = strstr(line, QEMU_PROGRAM ": ");

	return colon ? colon + strlen(QEMU_PROGRAM ": ") : line;
}

/* What a trial showed. */
struct trial {
	bool reached_init; /* the kernel ran the first program */
	bool over;         /* it said what it had to say, good or bad */
	bool works;
	char complaint[256]; /* first line on stderr */
	int cancel_fd;       /* eventfd that ends the trial */
};

static void end_trial(struct trial *trial, bool works)
{
	uint64_t one = 1;

	trial->works = works;
	trial->over = true;
	if (write(trial->cancel_fd, &one, sizeof(one)) < 0)
		return; /* it was written before, and the trial ends */
}

/* Lines of the guest's console and of QEMU itself. A kernel that can say that it panicked did boot. */
static void on_line(const char *line, void *user)
{
	struct trial *trial = user;

	if (trial->over)
		return;
	if (strstr(line, "testlab: ready") || strstr(line, "Kernel panic - not syncing"))
		end_trial(trial, true);
	else if (strstr(line, " as init process"))
		trial->reached_init = true;
	else if (strstr(line, "terminating on signal"))
		return; /* ours, at the deadline */
	else if (strstr(line, QEMU_PROGRAM ": ") || strncmp(line, "KVM ", 4) == 0 ||
		 strstr(line, "error: kvm"))
		(void)snprintf(trial->complaint, sizeof(trial->complaint), "%s", skip_name(line));
	if (strncmp(line, "KVM internal error", 18) == 0)
		end_trial(trial, false); /* QEMU would keep the dead machine */
}

static char *describe_failure(const struct trial *trial, int rc, const struct err *reason)
{
	static const char begin[] = "KVM does not work here: /dev/kvm opens, but ";

	if (*trial->complaint)
		return xasprintf("%sthe guest died (%s)", begin, trial->complaint);
	if (rc == LAB_ETIMEOUT)
		return xasprintf("%sthe guest did not boot in time", begin);
	if (rc < 0)
		return xasprintf("%sQEMU failed (%s)", begin, reason->text);
	return xasprintf("%sthe guest ended before it had booted (status %d)", begin, rc);
}

/* Run QEMU until the trial is over; returns what proc_run returned. */
static int run_trial(const char *const *argv, int64_t timeout_ms, struct trial *trial,
		     struct err *reason)
{
	auto_close int cancel_fd = eventfd(0, EFD_CLOEXEC);
	struct proc_spec spec = {
		.argv = argv,
		.on_line = on_line,
		.user = trial,
		.timeout_ms = timeout_ms,
		.cancel_fd = &cancel_fd,
	};

	if (cancel_fd < 0)
		return err_set(reason, -errno, "eventfd: %s", strerror(errno));
	trial->cancel_fd = cancel_fd;
	return proc_run(&spec, reason);
}

/* Boot the sector: 1 if it ran, 0 if not; the words go to *ret_text. */
static int try_sector(const char *qemu, char **ret_text, struct err *err)
{
	char path[] = "/tmp/testlab-accel-XXXXXX";
	struct err reason = ERR_INIT;
	struct trial trial = { 0 };
	auto_free char *drive = NULL;
	int rc;

	rc = write_sector(path, err);
	if (rc < 0)
		return rc;
	drive = xasprintf("file=%s,format=raw,if=ide,snapshot=on", path);
	rc = run_trial((const char *[]){ qemu, "-nodefaults", "-no-user-config", "-machine",
					 "pc,accel=kvm", "-cpu", "host", "-m", "32", "-display",
					 "none", "-no-reboot", "-device",
					 "isa-debug-exit,iobase=0x501,iosize=1", "-drive", drive,
					 NULL },
		       SECTOR_TIMEOUT_MS, &trial, &reason);
	(void)unlink(path);
	if (rc == SECTOR_EXIT_STATUS) {
		*ret_text = xstrdup("KVM runs a boot sector; whether it runs a kernel has to be "
				    "proven with one, and until then TCG is used");
		return 1;
	}
	*ret_text = describe_failure(&trial, rc, &reason);
	return 0;
}

/* Boot the kernel: 1 if it came up, 0 if not; the words go to *ret_text. */
static int try_kernel(const char *qemu, const char *image, const char *initramfs, char **ret_text)
{
	struct err reason = ERR_INIT;
	struct trial trial = { 0 };
	int rc;

	rc = run_trial((const char *[]){ qemu,
					 "-nodefaults",
					 "-no-user-config",
					 "-machine",
					 "q35,accel=kvm",
					 "-cpu",
					 "host",
					 "-m",
					 "256",
					 "-display",
					 "none",
					 "-no-reboot",
					 "-serial",
					 "stdio",
					 "-kernel",
					 image,
					 "-initrd",
					 initramfs,
					 "-append",
					 "console=ttyS0 loglevel=7 panic=-1",
					 NULL },
		       KERNEL_TIMEOUT_MS, &trial, &reason);
	/* Another root file system than ours need not say "ready". */
	if (trial.works || (trial.reached_init && !trial.over)) {
		*ret_text = xstrdup("KVM works: a kernel was booted with it");
		return 1;
	}
	*ret_text = describe_failure(&trial, rc, &reason);
	return 0;
}

/* Is KVM proven? 1 or 0 and the words, or a negative code. */
static int judge_kvm(const char *image, const char *initramfs, char **ret_text, struct err *err)
{
	auto_close int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	auto_free char *qemu = NULL, *version = NULL, *boot_id = NULL, *folder = NULL;
	bool works;
	int rc;

	if (fd < 0) {
		*ret_text = xasprintf("KVM is not to be had: /dev/kvm: %s", strerror(errno));
		return 0;
	}
	rc = accel_find_qemu(&qemu, err);
	if (rc == 0)
		rc = read_version(qemu, &version, err);
	if (rc < 0)
		return rc;
	boot_id = read_boot_id();
	folder = cache_folder();
	if (recall(folder, boot_id, version, &works, ret_text))
		return works;
	if (image && initramfs) {
		rc = try_kernel(qemu, image, initramfs, ret_text);
		remember(folder, boot_id, version, rc, *ret_text);
		return rc;
	}
	rc = try_sector(qemu, ret_text, err);
	if (rc == 0)
		remember(folder, boot_id, version, false, *ret_text);
	return rc < 0 ? rc : 0;
}

int accel_choose(enum accelerator wanted, const char *image, const char *initramfs,
		 enum accelerator *ret_accelerator, char **ret_text, struct err *err)
{
	auto_free char *text = NULL;
	int works = 0;

	if (wanted == ACCELERATOR_TCG) {
		text = xstrdup("TCG, as asked for");
	} else {
		works = judge_kvm(image, initramfs, &text, err);
		if (works < 0)
			return works;
		if (!works && wanted == ACCELERATOR_KVM)
			return err_set(err, LAB_EVIRT, "%s", text);
	}
	*ret_accelerator = works ? ACCELERATOR_KVM : ACCELERATOR_TCG;
	if (ret_text)
		*ret_text = STEAL_PTR(text);
	return 0;
}
