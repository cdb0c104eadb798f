/*
 * The only user of libvirt: connection, domains, and monitor commands. Everything here may block and may be called from any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;
struct virt;
struct virt_domain;

/*
 * Connect. NULL is the session of this user, whose libvirtd is started when it
 * does not run; XDG_RUNTIME_DIR is set to a safe folder when it is not set. A
 * URI is taken as it is. `ret_virt` is counted: each domain holds the connection.
 */
int virt_open(const char *uri, struct virt **ret_virt, struct err *err);
void virt_close(struct virt *virt); /* NULL is fine */
/* "libvirt 9.0.0, QEMU 7.2.22". The caller frees it; NULL if libvirt does not say. */
char *virt_describe(struct virt *virt);
/* Becomes readable for good when the connection is lost. Of the connection. */
int virt_get_lost_fd(const struct virt *virt);

/* Define and start a domain that ends with this connection. */
int virt_domain_create(struct virt *virt, const char *xml, struct virt_domain **ret_domain,
		       struct err *err);
struct virt_domain *virt_domain_ref(struct virt_domain *domain);
void virt_domain_unref(struct virt_domain *domain); /* NULL is fine */

/* A command of QEMU's human monitor, where what it prints is an error; or of QMP, if it begins with '{'. */
int virt_domain_monitor(struct virt_domain *domain, const char *command, struct err *err);
/* End it at once; one that has ended already is fine. */
int virt_domain_destroy(struct virt_domain *domain, struct err *err);
/* How libvirt saw the domain end. */
enum virt_end {
	VIRT_END_NONE,   /* it runs */
	VIRT_END_GUEST,  /* the guest reset itself or switched itself off */
	VIRT_END_FAILED, /* QEMU failed or was killed */
};
enum virt_end virt_domain_get_end(struct virt_domain *domain);
