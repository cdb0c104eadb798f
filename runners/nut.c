/*
 * A NUT from start to stop.
 *
 * Everything here runs in the loop's thread; libvirt is called in the loop's
 * workers. A worker never touches `struct nut`: what it needs is counted
 * (virt_domain_ref) or copied, because its caller may give up on it.
 *
 *   STARTING --agent answers--> READY --console, agent, process--> OOPS .. LOST
 *      ^                          ^                                     |
 *      +------- nut_reboot -------+------- nut_load, nut_reboot --------+
 */
#include "runners/nut.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/proc.h"
#include "base/time.h"
#include "runners/accel.h"
#include "runners/link.h"
#include "runners/loop.h"
#include "runners/nut_int.h"
#include "runners/session.h"
#include "runners/virt.h"

#define NAME_BYTES_MAX   64
#define START_TIMEOUT_MS 180000 /* libvirt looks at every QEMU of the host when it is new there */
#define END_NEWS_MS      200    /* for libvirt's event after the end of the process */
#define DISK_SIZE        "1M"   /* snapshots lie beyond it */
#define DISK_TIMEOUT_MS  30000
/* Offset and value of the magic number of a bzImage: Documentation/arch/x86/boot.rst. */
#define BZIMAGE_MAGIC_OFFSET 0x202
#define BZIMAGE_MAGIC        "HdrS"

const char *nut_state_to_string(enum nut_state state)
{
	switch (state) {
	case NUT_STATE_STARTING:
		return "starting";
	case NUT_STATE_READY:
		return "ready";
	case NUT_STATE_OOPS:
		return "oops";
	case NUT_STATE_HUNG:
		return "hung";
	case NUT_STATE_PANIC:
		return "panic";
	case NUT_STATE_GONE:
		return "gone";
	case NUT_STATE_LOST:
		return "lost";
	case NUT_STATE_STOPPED:
		return "stopped";
	}
	return "?";
}

/* --- state ------------------------------------------------------------------ */

void nut_set_trouble(struct nut *nut, enum nut_state state, const char *fmt, ...)
{
	va_list ap;

	if (state <= nut->state)
		return;
	nut->state = state;
	nut->ended = state >= NUT_STATE_PANIC;
	va_start(ap, fmt);
	(void)vsnprintf(nut->trouble, sizeof(nut->trouble), fmt, ap);
	va_end(ap);
	if (nut->on_trouble)
		nut->on_trouble(nut, nut->on_trouble_user);
}

void nut_forget_trouble(struct nut *nut, enum nut_state state)
{
	nut->state = state;
	nut->ended = false;
	nut->trouble[0] = '\0';
	console_scanner_init(&nut->console.scanner);
}

int nut_check_alive(const struct nut *nut, struct err *err)
{
	if (!nut->ended)
		return 0;
	return err_set(err, LAB_EVIRT, "the NUT has ended (%s): %s",
		       nut_state_to_string(nut->state), nut->trouble);
}

enum nut_state nut_get_state(const struct nut *nut)
{
	return nut->state;
}

const char *nut_get_trouble(const struct nut *nut)
{
	return nut->trouble;
}

void nut_on_trouble(struct nut *nut, void (*cb)(struct nut *nut, void *user), void *user)
{
	nut->on_trouble = cb;
	nut->on_trouble_user = user;
}

enum accelerator nut_get_accelerator(const struct nut *nut)
{
	return nut->accelerator;
}

int nut_get_pid(const struct nut *nut)
{
	return nut->pid;
}

int64_t nut_peak_memory_kib(const struct nut *nut)
{
	auto_free char *path = xasprintf("/proc/%d/status", nut->pid);
	auto_free char *text = NULL;
	const char *line;
	size_t size;

	if (nut->pid <= 0 || fs_read_file(path, 65536, &text, &size, NULL) < 0)
		return 0;
	line = strstr(text, "\nVmHWM:");
	return line ? strtoll(line + strlen("\nVmHWM:"), NULL, 10) : 0;
}

static void judge_end(void *user)
{
	struct nut *nut = user;

	nut->end_timer = NULL;
	if (nut->domain && virt_domain_get_end(nut->domain) == VIRT_END_GUEST)
		nut_set_trouble(nut, NUT_STATE_GONE,
				"the guest reset itself or switched itself off");
	else
		nut_set_trouble(nut, NUT_STATE_LOST, "QEMU ended unexpectedly");
}

/* QEMU has ended. If that was the guest's will, libvirt knows, and we soon will. */
static void on_process_end(void *user)
{
	struct nut *nut = user;
	bool is_known = nut->domain && virt_domain_get_end(nut->domain) != VIRT_END_NONE;

	loop_watch_stop(nut->pid_watch);
	nut->pid_watch = NULL;
	nut_console_read(nut); /* the last words first */
	nut->end_timer = loop_timer_start(
		nut->loop, loop_now_ns(nut->loop) + (is_known ? 0 : END_NEWS_MS * NS_PER_MS),
		judge_end, nut);
}

static void on_libvirt_lost(void *user)
{
	struct nut *nut = user;

	loop_watch_stop(nut->lost_watch);
	nut->lost_watch = NULL;
	nut_set_trouble(nut, NUT_STATE_LOST, "the connection to libvirt was lost");
}

/* QEMU is who connected to the console. Through its pidfd it can be watched, and killed without mistake. */
static int watch_process(struct nut *nut, struct err *err)
{
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);

	if (nut->console.port.fd < 0 ||
	    getsockopt(nut->console.port.fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return err_set(err, LAB_EVIRT, "QEMU is not connected to the console");
	nut->pid_fd = pidfd_open(peer.pid, 0);
	if (nut->pid_fd < 0)
		return err_set(err, LAB_EVIRT, "QEMU has ended: %s", strerror(errno));
	nut->pid = peer.pid;
	nut->pid_watch = loop_watch_start(nut->loop, nut->pid_fd, on_process_end, nut);
	return 0;
}

/* --- start ------------------------------------------------------------------ */

/* What starting needs in its worker, and what comes of it. */
struct start {
	struct nut *nut; /* for finish() only, in the loop's thread */
	char *uri;       /* or NULL */
	char *disk_path;
	char *xml;
	struct virt *virt;
	struct virt_domain *domain;
};

static int make_disk(const char *path, struct err *err)
{
	auto_cleanup(buf_release_p) struct buf output = BUF_INIT(1024);
	const char *argv[] = { "qemu-img", "create", "-q", "-f", "qcow2", path, DISK_SIZE, NULL };
	struct proc_spec spec = { .argv = argv,
				  .error_output = &output,
				  .timeout_ms = DISK_TIMEOUT_MS };
	int rc;

	(void)unlink(path); /* of an earlier NUT, which may still have it open */
	rc = proc_run(&spec, err);
	if (rc > 0)
		return err_set(err, LAB_EVIRT, "make the snapshot disk '%s': %.*s", path,
			       (int)strcspn(output.data ? output.data : "", "\n"),
			       output.data ? output.data : "");
	return rc;
}

static int start_work(void *arg, struct err *err)
{
	struct start *start = arg;
	int rc;

	rc = make_disk(start->disk_path, err);
	if (rc == 0)
		rc = virt_open(start->uri, &start->virt, err);
	if (rc == 0)
		rc = virt_domain_create(start->virt, start->xml, &start->domain, err);
	return rc;
}

static void start_finish(void *arg)
{
	struct start *start = arg;

	start->nut->virt = STEAL_PTR(start->virt);
	start->nut->domain = STEAL_PTR(start->domain);
}

/* Closing the connection ends a domain that nobody waited for. */
static void start_release(void *arg)
{
	struct start *start = arg;

	virt_domain_unref(start->domain);
	virt_close(start->virt);
	free(start->uri);
	free(start->disk_path);
	free(start->xml);
	free(start);
}

/* What choosing the accelerator needs in its worker, and what comes of it. */
struct choice {
	struct nut *nut; /* for finish() only, in the loop's thread */
	char *image, *initramfs;
	enum accelerator wanted, chosen;
};

static int choice_work(void *arg, struct err *err)
{
	struct choice *choice = arg;

	return accel_choose(choice->wanted, choice->image, choice->initramfs, &choice->chosen, NULL,
			    err);
}

static void choice_finish(void *arg)
{
	struct choice *choice = arg;

	choice->nut->accelerator = choice->chosen;
}

static void choice_release(void *arg)
{
	struct choice *choice = arg;

	free(choice->image);
	free(choice->initramfs);
	free(choice);
}

static int choose_accelerator(struct nut *nut, const struct nut_spec *spec, struct err *err)
{
	struct choice *choice = xcalloc(1, sizeof(*choice));

	choice->nut = nut;
	choice->image = xstrdup(spec->image);
	choice->initramfs = xstrdup(spec->initramfs);
	choice->wanted = spec->accelerator;
	return loop_work(nut->loop,
			 &(struct loop_job){
				 .work = choice_work,
				 .arg = choice,
				 .finish = choice_finish,
				 .release = choice_release,
			 },
			 err);
}

/* A file that is not a kernel would run as garbage until the deadline for booting. */
static int check_image(const char *path, struct err *err)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	char magic[4];

	if (fd < 0)
		return err_set(err, -errno, "kernel image '%s': %s", path, strerror(errno));
	if (pread(fd, magic, sizeof(magic), BZIMAGE_MAGIC_OFFSET) != (ssize_t)sizeof(magic) ||
	    memcmp(magic, BZIMAGE_MAGIC, sizeof(magic)) != 0)
		return err_set(err, LAB_EINVALID,
			       "kernel image '%s': expected a bzImage, with '%s' at byte %d", path,
			       BZIMAGE_MAGIC, BZIMAGE_MAGIC_OFFSET);
	return 0;
}

static int check_spec(const struct nut_spec *spec, struct err *err)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
	int rc;

	if (!*spec->name || strlen(spec->name) > NAME_BYTES_MAX ||
	    spec->name[strspn(spec->name, allowed)])
		return err_set(err, LAB_EINVALID,
			       "NUT name '%s': expected 1 to %d letters, digits and '-'",
			       spec->name, NAME_BYTES_MAX);
	if (spec->image[0] != '/' || spec->initramfs[0] != '/' || spec->folder[0] != '/')
		return err_set(err, LAB_EINVALID,
			       "NUT '%s': expected absolute paths for image, initramfs and folder",
			       spec->name);
	rc = check_image(spec->image, err);
	if (rc < 0)
		return rc;
	if (access(spec->initramfs, R_OK) < 0)
		return err_set(err, -errno, "initramfs '%s': %s", spec->initramfs, strerror(errno));
	return 0;
}

static int start_domain(struct nut *nut, const struct nut_spec *spec, struct err *err)
{
	struct start *start = xcalloc(1, sizeof(*start));
	int rc;

	start->nut = nut;
	start->uri = xstrdup(spec->uri);
	start->disk_path = xstrdup(nut->disk_path);
	start->xml = nut_domain_xml(spec, nut);
	rc = loop_work(nut->loop,
		       &(struct loop_job){
			       .work = start_work,
			       .arg = start,
			       .finish = start_finish,
			       .release = start_release,
			       .timeout_ms = START_TIMEOUT_MS,
		       },
		       err);
	if (rc < 0)
		return rc;
	nut->lost_watch =
		loop_watch_start(nut->loop, virt_get_lost_fd(nut->virt), on_libvirt_lost, nut);
	/* It connected to console and agent before it was said to run: take that in. */
	rc = loop_run(nut->loop, loop_now_ns(nut->loop), NULL, err);
	return rc < 0 ? rc : watch_process(nut, err);
}

int nut_start(struct loop *loop, const struct nut_spec *spec, struct nut **ret_nut, struct err *err)
{
	static unsigned serial;
	auto_free char *socket_folder = NULL;
	struct nut *nut;
	int rc;

	rc = check_spec(spec, err);
	if (rc < 0)
		return rc;
	nut = xcalloc(1, sizeof(*nut));
	nut->loop = loop;
	nut->console.log_fd = -1;
	nut->pid_fd = -1;
	/* libvirt holds a name for a second after its domain was killed. */
	nut->name = xasprintf("%s-%d-%u", spec->name, (int)getpid(), ++serial);
	nut->disk_path = path_join(spec->folder, "snapshots.qcow2");
	while (nut->link_count < NUT_LINKS_MAX && spec->links[nut->link_count]) {
		nut->links[nut->link_count] = spec->links[nut->link_count];
		nut->link_count++;
	}
	rc = choose_accelerator(nut, spec, err);
	if (rc == 0)
		rc = session_get_socket_folder(&socket_folder, err);
	if (rc == 0)
		rc = nut_console_open(nut, spec->folder, socket_folder, err);
	if (rc == 0)
		rc = nut_agent_open(nut, socket_folder, err);
	if (rc == 0)
		rc = start_domain(nut, spec, err);
	if (rc < 0) {
		nut_stop(nut);
		return rc;
	}
	*ret_nut = nut;
	return 0;
}

/* --- stop ------------------------------------------------------------------- */

struct stop {
	struct virt *virt;
	struct virt_domain *domain;
};

static int stop_work(void *arg, struct err *err)
{
	struct stop *stop = arg;

	return stop->domain ? virt_domain_destroy(stop->domain, err) : 0;
}

static void stop_release(void *arg)
{
	struct stop *stop = arg;

	virt_domain_unref(stop->domain);
	virt_close(stop->virt);
	free(stop);
}

void nut_stop(struct nut *nut)
{
	struct stop *stop;

	if (!nut)
		return;
	nut_console_close(nut);
	nut_agent_close(nut);
	loop_watch_stop(nut->pid_watch);
	loop_watch_stop(nut->lost_watch);
	loop_timer_cancel(nut->end_timer);
	/* At once, and even if libvirt is gone; where we may not, libvirt's turn comes below. */
	if (nut->pid_fd >= 0) {
		(void)pidfd_send_signal(nut->pid_fd, SIGKILL, NULL, 0);
		(void)close(nut->pid_fd);
	}
	(void)unlink(nut->disk_path);
	if (nut->virt) {
		stop = xcalloc(1, sizeof(*stop));
		stop->virt = nut->virt;
		stop->domain = nut->domain;
		loop_work_detached(nut->loop, stop_work, stop, stop_release);
	}
	for (size_t i = 0; i < nut->tag_count; i++)
		free(nut->tags[i]);
	free(nut->tags);
	free(nut->name);
	free(nut->disk_path);
	free(nut->console_path);
	free(nut);
}
