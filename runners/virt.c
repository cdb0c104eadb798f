/*
 * libvirt. One thread of ours runs libvirt's event loop for the whole life of
 * the program: keepalive needs it, without which a call to a libvirtd that
 * hangs would never return.
 */
#include "runners/virt.h"

#include <errno.h>
#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/time.h"
#include "runners/session.h"

/* A libvirtd that does not answer for 15 s is dead to us. */
#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_COUNT      3
#define CONNECT_ATTEMPTS     40
#define CONNECT_PAUSE_MS     100

struct virt {
	atomic_uint references; /* the holder's and one of each domain */
	virConnectPtr connection;
	int lost_fd; /* eventfd, written once when the connection is lost */
};

struct virt_domain {
	atomic_uint references;
	struct virt *virt;
	virDomainPtr domain;
	int lifecycle_id; /* of the event callback, -1 if none */
	atomic_int end;   /* enum virt_end */
};

static void keep_quiet(void *user, virErrorPtr error)
{
	/* Errors are read from where they happen; libvirt would print them. */
	(void)user;
	(void)error;
}

static void *event_thread(void *unused)
{
	(void)unused;
	for (;;)
		if (virEventRunDefaultImpl() < 0)
			nanosleep(&(struct timespec){ .tv_nsec = 100 * NS_PER_MS }, NULL);
	return NULL;
}

static void start_library(void)
{
	pthread_t thread;

	virSetErrorFunc(NULL, keep_quiet);
	if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0)
		return; /* opening a connection will say why */
	if (pthread_create(&thread, NULL, event_thread, NULL) == 0)
		pthread_detach(thread);
}

/* `code` with libvirt's own sentence for what happened last in this thread. */
static int virt_error(struct err *err, int code, const char *doing)
{
	const char *text = virGetLastErrorMessage();

	return err_set(err, code, "%s: %s", doing, text ? text : "no reason given");
}

static void on_close(virConnectPtr connection, int reason, void *user)
{
	struct virt *virt = user;
	uint64_t one = 1;

	(void)connection;
	if (reason != VIR_CONNECT_CLOSE_REASON_CLIENT &&
	    write(virt->lost_fd, &one, sizeof(one)) < 0)
		return; /* full: it is readable already */
}

/* Connect to our session; for root the daemon is ours to start, and two runners may do so at once. */
static virConnectPtr connect_session(struct err *err)
{
	auto_free char *uri = NULL;
	struct err start_error = ERR_INIT;
	virConnectPtr connection;

	if (session_get_uri(&uri, err) < 0)
		return NULL;
	for (int i = 0; i < CONNECT_ATTEMPTS; i++) {
		connection = virConnectOpen(uri);
		if (connection)
			return connection;
		if (i % 10 == 0 && session_start_daemon(&start_error) == 0)
			continue;
		nanosleep(&(struct timespec){ .tv_nsec = CONNECT_PAUSE_MS * NS_PER_MS }, NULL);
	}
	virt_error(err, LAB_EVIRT, uri);
	if (start_error.code && err)
		err_prefix(err, "%s", start_error.text);
	return NULL;
}

int virt_open(const char *uri, struct virt **ret_virt, struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	auto_close int fd = -1;
	struct virt *virt;
	virConnectPtr connection;

	pthread_once(&once, start_library);
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return err_set(err, -errno, "eventfd: %s", strerror(errno));
	if (uri) {
		connection = virConnectOpen(uri);
		if (!connection)
			return virt_error(err, LAB_EVIRT, uri);
	} else {
		connection = connect_session(err);
		if (!connection)
			return LAB_EVIRT;
	}
	virt = xcalloc(1, sizeof(*virt));
	virt->references = 1;
	virt->connection = connection;
	virt->lost_fd = STEAL_FD(fd);
	/* Without these a hung libvirtd is noticed later, by our own limits. */
	(void)virConnectSetKeepAlive(connection, KEEPALIVE_INTERVAL_S, KEEPALIVE_COUNT);
	(void)virConnectRegisterCloseCallback(connection, on_close, virt, NULL);
	*ret_virt = virt;
	return 0;
}

void virt_close(struct virt *virt)
{
	if (!virt || atomic_fetch_sub(&virt->references, 1) > 1)
		return;
	(void)virConnectUnregisterCloseCallback(virt->connection, on_close);
	(void)virConnectClose(virt->connection);
	(void)close(virt->lost_fd);
	free(virt);
}

char *virt_describe(struct virt *virt)
{
	unsigned long library = 0, qemu = 0;

	if (virConnectGetLibVersion(virt->connection, &library) < 0 ||
	    virConnectGetVersion(virt->connection, &qemu) < 0)
		return NULL;
	return xasprintf("libvirt %lu.%lu.%lu, QEMU %lu.%lu.%lu", library / 1000000,
			 library / 1000 % 1000, library % 1000, qemu / 1000000, qemu / 1000 % 1000,
			 qemu % 1000);
}

int virt_get_lost_fd(const struct virt *virt)
{
	return virt->lost_fd;
}

static void on_lifecycle(virConnectPtr connection, virDomainPtr vir_domain, int event, int detail,
			 void *user)
{
	struct virt_domain *domain = user;

	(void)connection;
	(void)vir_domain;
	if (event == VIR_DOMAIN_EVENT_SHUTDOWN)
		domain->end = VIRT_END_GUEST;
	else if (event == VIR_DOMAIN_EVENT_STOPPED && domain->end == VIRT_END_NONE)
		domain->end = detail == VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN ? VIRT_END_GUEST
									  : VIRT_END_FAILED;
}

static void unref_callback(void *user)
{
	virt_domain_unref(user);
}

int virt_domain_create(struct virt *virt, const char *xml, struct virt_domain **ret_domain,
		       struct err *err)
{
	struct virt_domain *domain;
	virDomainPtr vir_domain;

	vir_domain = virDomainCreateXML(virt->connection, xml, VIR_DOMAIN_START_AUTODESTROY);
	if (!vir_domain)
		return virt_error(err, LAB_EVIRT, "start the virtual machine");
	domain = xcalloc(1, sizeof(*domain));
	domain->references = 1;
	domain->virt = virt;
	domain->domain = vir_domain;
	domain->end = VIRT_END_NONE;
	atomic_fetch_add(&virt->references, 1);
	virt_domain_ref(domain); /* the callback's */
	domain->lifecycle_id = virConnectDomainEventRegisterAny(
		virt->connection, vir_domain, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
		VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), domain, unref_callback);
	if (domain->lifecycle_id < 0)
		virt_domain_unref(domain);
	*ret_domain = domain;
	return 0;
}

struct virt_domain *virt_domain_ref(struct virt_domain *domain)
{
	atomic_fetch_add(&domain->references, 1);
	return domain;
}

void virt_domain_unref(struct virt_domain *domain)
{
	if (!domain || atomic_fetch_sub(&domain->references, 1) > 1)
		return;
	(void)virDomainFree(domain->domain);
	virt_close(domain->virt);
	free(domain);
}

/* QMP answers {"return":...} or {"error":{"desc":...}}. */
static int judge_answer(const char *command, const char *answer, struct err *err)
{
	auto_json json_t *value = NULL;
	const json_t *error;

	if (json_parse(answer, strlen(answer), &value, NULL) < 0)
		return err_set(err, LAB_EVIRT, "%s: the answer is no JSON", command);
	error = json_object_get(value, "error");
	if (!error)
		return 0;
	return err_set(err, LAB_EVIRT, "%s: %s", command, json_string_or(error, "desc", "failed"));
}

int virt_domain_monitor(struct virt_domain *domain, const char *command, struct err *err)
{
	bool is_qmp = *command == '{';
	auto_free char *output = NULL;

	if (virDomainQemuMonitorCommand(domain->domain, command, &output,
					is_qmp ? 0 : VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP) < 0)
		return virt_error(err, LAB_EVIRT, command);
	if (is_qmp)
		return judge_answer(command, output, err);
	output[strcspn(output, "\r\n")] = '\0';
	if (*output)
		return err_set(err, LAB_EVIRT, "%s: %s", command, output);
	return 0;
}

int virt_domain_destroy(struct virt_domain *domain, struct err *err)
{
	const virError *error;

	if (domain->lifecycle_id >= 0)
		(void)virConnectDomainEventDeregisterAny(domain->virt->connection,
							 domain->lifecycle_id);
	domain->lifecycle_id = -1;
	if (virDomainDestroy(domain->domain) == 0)
		return 0;
	error = virGetLastError();
	if (error && (error->code == VIR_ERR_NO_DOMAIN || error->code == VIR_ERR_OPERATION_INVALID))
		return 0;
	return virt_error(err, LAB_EVIRT, "end the virtual machine");
}

enum virt_end virt_domain_get_end(struct virt_domain *domain)
{
	return domain->end;
}
