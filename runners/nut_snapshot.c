/*
 * The whole machine saved and loaded inside the running QEMU, by savevm and loadvm
 * of QEMU's monitor, into the qcow2 disk that is there for nothing else. libvirt's own
 * way back (virDomainRevertToSnapshot) starts QEMU anew, which takes 2 s; this
 * takes 0.03 s for a small kernel.
 *
 * A load must leave nothing on the links of what was before it:
 *   1. The links are muted: nothing that comes now is anybody's.
 *   2. What we sent and QEMU has not read yet would reach the new guest. QEMU reads it
 *      soon by itself and gives it to the old guest. If that guest takes no more frames,
 *      QEMU reads no more, so then it is told that the cable is out.
 *   3. The machine is stopped: it sends nothing more, and QEMU forgets the frame that it
 *      could not deliver and drops what comes through an unplugged cable. It stays stopped
 *      by the load.
 *   4. Console and links are emptied, and the machine goes on.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/time.h"
#include "runners/link.h"
#include "runners/loop.h"
#include "runners/nut_int.h"
#include "runners/virt.h"

#define MONITOR_TIMEOUT_MS 60000
#define COMMANDS_MAX       4
#define TAG_BYTES_MAX      64
#define BACKLOG_GUEST_MS   20  /* a guest that is alive takes its frames within this */
#define BACKLOG_QEMU_MS    500 /* QEMU drops frames of an unplugged cable faster than this */

/* A few monitor commands, in a worker. */
struct errand {
	struct virt_domain *domain;    /* counted */
	uint16_t ports[NUT_LINKS_MAX]; /* the NUT's, of its links */
	size_t link_count;
	const char *commands[COMMANDS_MAX]; /* NULL-terminated unless full */
	char *own;                          /* the one that is on the heap, or NULL */
};

static int run_commands(struct errand *errand, struct err *err)
{
	for (size_t i = 0; i < COMMANDS_MAX && errand->commands[i]; i++) {
		int rc = virt_domain_monitor(errand->domain, errand->commands[i], err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int commands_work(void *arg, struct err *err)
{
	return run_commands(arg, err);
}

static void errand_release(void *arg)
{
	struct errand *errand = arg;

	virt_domain_unref(errand->domain);
	free(errand->own);
	free(errand);
}

static struct errand *errand_new(const struct nut *nut)
{
	struct errand *errand = xcalloc(1, sizeof(*errand));

	errand->domain = virt_domain_ref(nut->domain);
	return errand;
}

static int run_errand(struct nut *nut, struct errand *errand, loop_work_fn work, struct err *err)
{
	int rc = loop_work(nut->loop,
			   &(struct loop_job){
				   .work = work,
				   .arg = errand,
				   .release = errand_release,
				   .timeout_ms = MONITOR_TIMEOUT_MS,
			   },
			   err);

	/* A machine that is half saved or half loaded is of no use to anybody. */
	if (rc == LAB_ETIMEOUT)
		nut_set_trouble(nut, NUT_STATE_LOST, "QEMU's monitor did not answer within %d ms",
				MONITOR_TIMEOUT_MS);
	return rc;
}

static int check_tag(const char *tag, struct err *err)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

	if (*tag && strlen(tag) <= TAG_BYTES_MAX && !tag[strspn(tag, allowed)])
		return 0;
	return err_set(err, LAB_EINVALID,
		       "snapshot '%s': expected 1 to %d letters, digits, '-' and '_'", tag,
		       TAG_BYTES_MAX);
}

static bool is_saved(const struct nut *nut, const char *tag)
{
	for (size_t i = 0; i < nut->tag_count; i++)
		if (strcmp(nut->tags[i], tag) == 0)
			return true;
	return false;
}

int nut_save(struct nut *nut, const char *tag, struct err *err)
{
	struct errand *errand;
	int rc;

	rc = check_tag(tag, err);
	if (rc == 0)
		rc = nut_check_alive(nut, err);
	if (rc < 0)
		return rc;
	errand = errand_new(nut);
	errand->own = xasprintf("savevm %s", tag);
	errand->commands[0] = errand->own;
	rc = run_errand(nut, errand, commands_work, err);
	if (rc == 0 && !is_saved(nut, tag)) {
		nut->tags = xreallocarray(nut->tags, nut->tag_count + 1, sizeof(*nut->tags));
		nut->tags[nut->tag_count++] = xstrdup(tag);
	}
	return rc;
}

static bool has_backlog(const struct errand *errand)
{
	for (size_t i = 0; i < errand->link_count; i++)
		if (link_port_backlog(errand->ports[i]) > 0)
			return true;
	return false;
}

/* True when QEMU has read all that was sent to it, within `limit_ms`. */
static bool wait_for_backlog(const struct errand *errand, int64_t limit_ms)
{
	int64_t deadline_ns = time_monotonic_ns() + limit_ms * NS_PER_MS;

	while (has_backlog(errand)) {
		if (time_monotonic_ns() > deadline_ns)
			return false;
		nanosleep(&(struct timespec){ .tv_nsec = NS_PER_MS / 2 }, NULL);
	}
	return true;
}

/* Cables in or out. "hostnetN" is libvirt's name for the backend of link N. */
static int set_cables(struct errand *errand, bool plugged, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < errand->link_count && rc == 0; i++) {
		auto_free char *command =
			xasprintf("set_link hostnet%zu %s", i, plugged ? "on" : "off");

		rc = virt_domain_monitor(errand->domain, command, err);
	}
	return rc;
}

static int load_work(void *arg, struct err *err)
{
	struct errand *errand = arg;
	bool unplugged = !wait_for_backlog(errand, BACKLOG_GUEST_MS);
	int rc = unplugged ? set_cables(errand, false, err) : 0;

	if (rc == 0)
		rc = virt_domain_monitor(errand->domain, "stop", err);
	if (rc == 0 && unplugged && !wait_for_backlog(errand, BACKLOG_QEMU_MS))
		rc = err_set(err, LAB_EVIRT, "QEMU does not read its links");
	if (rc == 0)
		rc = run_commands(errand, err);
	if (rc == 0 && unplugged)
		rc = set_cables(errand, true, err);
	return rc;
}

int nut_load(struct nut *nut, const char *tag, struct err *err)
{
	struct errand *errand;
	int rc;

	if (!is_saved(nut, tag))
		return err_set(err, LAB_ENOTFOUND, "there is no snapshot '%s'", tag);
	if (nut->state >= NUT_STATE_GONE)
		return nut_check_alive(nut, err);
	if (nut_agent_is_clogged(nut))
		return err_set(err, LAB_EVIRT,
			       "the guest agent's port holds a command that the NUT did not take");
	errand = errand_new(nut);
	errand->own = xasprintf("loadvm %s", tag);
	errand->commands[0] = errand->own;
	errand->link_count = nut->link_count;
	for (size_t i = 0; i < nut->link_count; i++) {
		errand->ports[i] = link_get_nut_port(nut->links[i]);
		link_mute(nut->links[i]);
	}
	rc = run_errand(nut, errand, load_work, err);
	nut_console_read(nut); /* the rest of what the old guest said */
	for (size_t i = 0; i < nut->link_count; i++)
		(void)link_unmute(nut->links[i]);
	if (rc < 0) {
		nut_set_trouble(nut, NUT_STATE_LOST, "load of snapshot '%s' failed", tag);
		return rc;
	}
	if (nut->state >= NUT_STATE_GONE)
		return nut_check_alive(nut, err);
	nut_agent_reset(nut);
	nut_forget_trouble(nut, NUT_STATE_READY);
	errand = errand_new(nut);
	errand->commands[0] = "cont";
	return run_errand(nut, errand, commands_work, err);
}

int nut_reboot(struct nut *nut, struct err *err)
{
	/* Stopped first: then the agent of before is not there any more when we return. */
	static const char *const commands[COMMANDS_MAX] = {
		"stop",
		"{\"execute\":\"set-action\",\"arguments\":{\"reboot\":\"reset\"}}",
		"system_reset",
		"cont",
	};
	struct errand *errand;
	int rc;

	if (nut->state >= NUT_STATE_GONE)
		return nut_check_alive(nut, err);
	errand = errand_new(nut);
	memcpy(errand->commands, commands, sizeof(commands));
	rc = run_errand(nut, errand, commands_work, err);
	if (rc < 0)
		return rc;
	nut_console_read(nut);
	nut_agent_reset(nut);
	nut_forget_trouble(nut, NUT_STATE_STARTING);
	nut->may_reset = true;
	return 0;
}

int nut_forbid_resets(struct nut *nut, struct err *err)
{
	struct errand *errand;

	if (!nut->may_reset)
		return 0;
	errand = errand_new(nut);
	errand->commands[0] =
		"{\"execute\":\"set-action\",\"arguments\":{\"reboot\":\"shutdown\"}}";
	nut->may_reset = false;
	return run_errand(nut, errand, commands_work, err);
}
