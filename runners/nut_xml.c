/* The libvirt domain of a NUT. https://libvirt.org/formatdomain.html */
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "runners/link.h"
#include "runners/nut_int.h"

#define XML_BYTES_MAX 65536

/* Text for an element or an attribute in single quotes. */
static void append_escaped(struct buf *xml, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			buf_append_string(xml, "&amp;");
			break;
		case '<':
			buf_append_string(xml, "&lt;");
			break;
		case '>':
			buf_append_string(xml, "&gt;");
			break;
		case '\'':
			buf_append_string(xml, "&apos;");
			break;
		case '"':
			buf_append_string(xml, "&quot;");
			break;
		default:
			buf_append_char(xml, *text);
		}
	}
}

static void append_element(struct buf *xml, const char *name, const char *text)
{
	buf_printf(xml, "<%s>", name);
	append_escaped(xml, text);
	buf_printf(xml, "</%s>", name);
}

/*
 * panic=0 keeps the dead machine: its console is read to the end, and a snapshot
 * can be loaded over it. Full kernel messages cost 0.1 s of a boot and are what
 * a kernel developer wants to see.
 */
static void append_boot(struct buf *xml, const struct nut_spec *spec)
{
	buf_append_string(xml, "<os><type arch='x86_64' machine='q35'>hvm</type>");
	append_element(xml, "kernel", spec->image);
	append_element(xml, "initrd", spec->initramfs);
	buf_append_string(xml, "<cmdline>console=ttyS0 printk.time=1 loglevel=7 panic=0");
	if (spec->hide_tsc)
		buf_append_string(xml, " clocksource=hpet notsc");
	if (spec->cmdline) {
		buf_append_char(xml, ' ');
		append_escaped(xml, spec->cmdline);
	}
	buf_append_string(xml, "</cmdline></os>");
}

static void append_cpu(struct buf *xml, const struct nut_spec *spec, enum accelerator accelerator)
{
	if (accelerator == ACCELERATOR_KVM) {
		buf_append_string(xml, "<cpu mode='host-passthrough' check='none'/>");
		return;
	}
	buf_append_string(xml, "<cpu mode='custom' match='exact' check='none'>"
			       "<model fallback='allow'>qemu64</model>");
	if (spec->hide_tsc)
		buf_append_string(xml, "<feature policy='disable' name='tsc'/>");
	buf_append_string(xml, "</cpu>");
}

/*
 * No offloads: the tester sees packets as a wire would carry them, with their
 * checksums and cut to the MTU. No boot ROM: nothing but the kernel talks.
 */
static void append_link(struct buf *xml, const struct link *link, const uint8_t mac[6])
{
	buf_printf(xml,
		   "<interface type='udp'><mac address='%02x:%02x:%02x:%02x:%02x:%02x'/>"
		   "<source address='127.0.0.1' port='%u'><local address='127.0.0.1' "
		   "port='%u'/></source>"
		   "<model type='virtio'/><driver>"
		   "<host csum='off' gso='off' tso4='off' tso6='off' ecn='off' ufo='off' "
		   "mrg_rxbuf='off'/>"
		   "<guest csum='off' tso4='off' tso6='off' ecn='off' ufo='off'/></driver>"
		   "<rom enabled='no'/></interface>",
		   mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], link_get_tester_port(link),
		   link_get_nut_port(link));
}

/*
 * May QEMU use io_uring? It may have fewer rights than we: where it is restricted at all
 * (kernel.io_uring_disabled, since Linux 6.6; a filter of system calls), it goes without.
 */
static bool has_io_uring(void)
{
	struct io_uring_params params = { 0 };
	auto_close int fd = (int)syscall(SYS_io_uring_setup, 1, &params);
	auto_free char *disabled = NULL;
	size_t size;

	if (fd < 0)
		return false;
	return fs_read_file("/proc/sys/kernel/io_uring_disabled", 64, &disabled, &size, NULL) < 0 ||
	       *disabled == '0';
}

/*
 * The disk of the snapshots. QEMU reads one in pieces of 32 KiB; with io_uring each comes
 * at once out of the host's cache, without it a thread is woken for each: a load then takes
 * 1.5 times the processor time, and on a busy host twice as long.
 */
static void append_disk(struct buf *xml, const char *path)
{
	buf_printf(xml,
		   "<disk type='file' device='disk'>"
		   "<driver name='qemu' type='qcow2' cache='unsafe'%s/><source file='",
		   has_io_uring() ? " io='io_uring'" : "");
	append_escaped(xml, path);
	buf_append_string(xml, "'/><target dev='vda' bus='virtio'/></disk>");
}

static void append_devices(struct buf *xml, const struct nut_spec *spec, const struct nut *nut)
{
	buf_append_string(xml, "<devices><controller type='usb' model='none'/>");
	append_disk(xml, nut->disk_path);
	for (size_t i = 0; i < nut->link_count; i++)
		append_link(xml, spec->links[i], spec->macs[i]);
	buf_append_string(xml, "<serial type='unix'><source mode='connect' path='");
	append_escaped(xml, nut->console.port.path);
	buf_append_string(xml, "'/><target port='0'/></serial>"
			       "<channel type='unix'><source mode='connect' path='");
	append_escaped(xml, nut->agent.port.path);
	buf_append_string(xml, "'/>"
			       "<target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
			       "<memballoon model='none'/><audio id='1' type='none'/></devices>");
}

static void append_environment(struct buf *xml, const char *const *environment)
{
	for (; environment && *environment; environment++) {
		const char *equals = strchrnul(*environment, '=');

		buf_append_string(xml, "<qemu:env name='");
		buf_append(xml, *environment, (size_t)(equals - *environment));
		buf_append_string(xml, "' value='");
		append_escaped(xml, *equals ? equals + 1 : equals);
		buf_append_string(xml, "'/>");
	}
}

/*
 * What libvirt has no words for. After the load of a snapshot QEMU would have the
 * guest announce itself (unsolicited neighbour advertisements, five times): it
 * thinks of migration, but here nobody has moved. A guest that resets itself ends:
 * a new boot behind our back would look like silence. (With on_reboot libvirt would
 * end it for our own resets, too.)
 */
static void append_commandline(struct buf *xml, const struct nut_spec *spec)
{
	buf_append_string(xml, "<qemu:commandline><qemu:arg value='-global'/>"
			       "<qemu:arg value='virtio-net-device.guest_announce=off'/>"
			       "<qemu:arg value='-action'/><qemu:arg value='reboot=shutdown'/>");
	append_environment(xml, spec->environment);
	buf_append_string(xml, "</qemu:commandline>");
}

char *nut_domain_xml(const struct nut_spec *spec, const struct nut *nut)
{
	struct buf xml = BUF_INIT(XML_BYTES_MAX);

	buf_printf(&xml,
		   "<domain type='%s' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
		   "<name>%s</name><memory unit='MiB'>%u</memory><vcpu>%u</vcpu>",
		   nut->accelerator == ACCELERATOR_KVM ? "kvm" : "qemu", nut->name,
		   spec->memory_mib ? spec->memory_mib : 128, spec->cpus ? spec->cpus : 1);
	append_boot(&xml, spec);
	append_cpu(&xml, spec, nut->accelerator);
	buf_append_string(&xml, "<features><acpi/><apic/></features><clock offset='utc'/>"
				"<on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot>"
				"<on_crash>destroy</on_crash>");
	append_devices(&xml, spec, nut);
	append_commandline(&xml, spec);
	buf_append_string(&xml, "</domain>");
	return buf_take_string(&xml);
}
