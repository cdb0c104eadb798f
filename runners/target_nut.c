#include "runners/target_nut.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/time.h"
#include "runners/accel.h"
#include "runners/clock_check.h"
#include "runners/clock_virtual.h"
#include "runners/session.h"
#include "runners/target.h"

/* Host time for booting; a NUT under TCG needs about two seconds of an idle core. */
#define BOOT_TIMEOUT_MS 120000

/* What the self-test of a virtual clock lets pass; the guest's uptime is told in 10 ms. */
#define CLOCK_SPAN_NS (5 * NS_PER_SECOND)

#define CONSOLE_TEXT_MAX (1u << 20)
#define SNAPSHOT         "pristine"

struct machine {
	struct loop *loop;
	struct nut_spec spec;
	struct target *target;       /* whom to tell about trouble */
	struct nut *nut;             /* NULL while stopped */
	struct clock_virtual *clock; /* of the loop, or NULL: the clock is real */
	char *socket;                /* path where QEMU finds the clock */
	int64_t peak_memory_kib;     /* of those that were stopped */
};

static void on_trouble(struct nut *nut, void *user)
{
	struct machine *machine = user;

	(void)nut;
	if (machine->target->on_trouble)
		machine->target->on_trouble(machine->target->user);
}

static void machine_stop(void *self)
{
	struct machine *machine = self;

	if (machine->nut && nut_peak_memory_kib(machine->nut) > machine->peak_memory_kib)
		machine->peak_memory_kib = nut_peak_memory_kib(machine->nut);
	nut_stop(machine->nut);
	machine->nut = NULL;
}

/* A clock that is neither real nor the guest's own would make every time of a test worthless. */
static int check_clock(struct machine *machine, struct err *err)
{
	struct clock_check check;
	int rc = clock_check(machine->loop, machine->nut, CLOCK_SPAN_NS, &check, err);

	return rc < 0 ? err_prefix(err, "the virtual clock's self-test") : 0;
}

static int machine_start(void *self, struct err *err)
{
	struct machine *machine = self;
	int rc = nut_start(machine->loop, &machine->spec, &machine->nut, err);

	if (rc < 0)
		return rc;
	if (machine->clock && !clock_virtual_is_connected(machine->clock)) {
		machine_stop(machine);
		return err_set(err, LAB_EVIRT,
			       "QEMU runs without the library of the virtual clock");
	}
	nut_on_trouble(machine->nut, on_trouble, machine);
	rc = nut_wait_ready(machine->nut, BOOT_TIMEOUT_MS, err);
	if (!rc && machine->clock)
		rc = check_clock(machine, err);
	if (rc < 0)
		machine_stop(machine);
	return rc;
}

static int machine_reboot(void *self, struct err *err)
{
	struct machine *machine = self;
	int rc = nut_reboot(machine->nut, err);

	return rc ? rc : nut_wait_ready(machine->nut, BOOT_TIMEOUT_MS, err);
}

static int machine_exec(void *self, const char *const *argv, int64_t timeout_ms,
			struct nut_exec_result *ret_result, struct err *err)
{
	return nut_exec(((struct machine *)self)->nut, argv, timeout_ms, ret_result, err);
}

static bool machine_ping(void *self, int64_t timeout_ms, struct err *err)
{
	return nut_ping(((struct machine *)self)->nut, timeout_ms, err);
}

static int machine_save(void *self, struct err *err)
{
	return nut_save(((struct machine *)self)->nut, SNAPSHOT, err);
}

static int machine_load(void *self, struct err *err)
{
	return nut_load(((struct machine *)self)->nut, SNAPSHOT, err);
}

static enum nut_state machine_state(void *self)
{
	const struct machine *machine = self;

	return machine->nut ? nut_get_state(machine->nut) : NUT_STATE_STOPPED;
}

static const char *machine_trouble(void *self)
{
	const struct machine *machine = self;

	return machine->nut ? nut_get_trouble(machine->nut) : "";
}

static enum accelerator machine_accelerator(void *self)
{
	return nut_get_accelerator(((struct machine *)self)->nut);
}

static int64_t machine_console_size(void *self)
{
	const struct machine *machine = self;

	return machine->nut ? nut_console_size(machine->nut) : 0;
}

static char *machine_console_text(void *self, int64_t offset)
{
	const struct machine *machine = self;

	return machine->nut ? nut_console_text(machine->nut, offset, CONSOLE_TEXT_MAX)
			    : xstrdup("");
}

static int64_t machine_peak_memory_kib(void *self)
{
	const struct machine *machine = self;
	int64_t now_kib = machine->nut ? nut_peak_memory_kib(machine->nut) : 0;

	return now_kib > machine->peak_memory_kib ? now_kib : machine->peak_memory_kib;
}

static void machine_free(void *self)
{
	struct machine *machine = self;

	if (!machine)
		return;
	machine_stop(machine);
	if (machine->socket)
		(void)unlink(machine->socket); /* it may never have been made */
	free(machine->socket);
	free(machine);
}

static const struct target_ops ops = {
	.name = "libvirt",
	.start = machine_start,
	.reboot = machine_reboot,
	.exec = machine_exec,
	.ping = machine_ping,
	.save = machine_save,
	.load = machine_load,
	.state = machine_state,
	.trouble = machine_trouble,
	.accelerator = machine_accelerator,
	.console_size = machine_console_size,
	.console_text = machine_console_text,
	.peak_memory_kib = machine_peak_memory_kib,
	.stop = machine_stop,
	.free = machine_free,
};

/*
 * The virtual clock, if it is wanted and can be had: only under TCG does QEMU ask a
 * clock of ours for the time (docs/design/003-virtual-time.md).
 */
static int choose_clock(struct machine *machine, enum target_clock wanted, struct err *err)
{
	struct nut_spec *spec = &machine->spec;
	struct err why = ERR_INIT;
	unsigned links = 0;
	int rc;

	if (wanted == TARGET_CLOCK_REAL)
		return 0;
	if (spec->accelerator != ACCELERATOR_TCG)
		return wanted == TARGET_CLOCK_AUTO
			       ? 0
			       : err_set(err, LAB_EINVALID,
					 "the virtual clock needs accelerator tcg");
	while (links < NUT_LINKS_MAX && spec->links[links])
		links++;
	rc = clock_virtual_new(machine->loop, machine->socket, spec->links, links, &machine->clock,
			       &why);
	if (rc == LAB_ENOTFOUND && wanted == TARGET_CLOCK_AUTO)
		return 0;
	if (rc < 0)
		return err_set(err, rc, "%s", why.text);
	spec->environment = clock_virtual_get_env(machine->clock);
	return 0;
}

int target_nut_make(void *user, struct loop *loop, const struct target_spec *spec,
		    struct target *ret_target, struct err *err)
{
	auto_free char *folder = NULL;
	struct machine *machine;
	enum accelerator accelerator;
	int rc;

	(void)user;
	rc = accel_choose(spec->nut.accelerator, spec->nut.image, spec->nut.initramfs, &accelerator,
			  NULL, err);
	if (!rc)
		rc = session_get_socket_folder(&folder, err);
	if (rc < 0)
		return rc;
	machine = xcalloc(1, sizeof(*machine));
	machine->loop = loop;
	machine->spec = spec->nut;
	machine->spec.accelerator = accelerator;
	/*
	 * QEMU never lets its emulated TSC go back, so after the load of a snapshot the guest would see
	 * all time since the save pass at once (and report RCU stalls); its HPET goes back.
	 */
	machine->spec.hide_tsc = accelerator == ACCELERATOR_TCG;
	machine->target = ret_target;
	/* Short, and not in the scratch folder, whose path may be too long for a socket. */
	machine->socket = xasprintf("%s/clock-%d", folder, (int)getpid());
	ret_target->ops = &ops;
	ret_target->self = machine;
	return choose_clock(machine, spec->clock, err);
}
