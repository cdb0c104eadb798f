/*
 * A socket of ours that QEMU connects to, for the serial console and the guest
 * agent. QEMU is the client: so it has the connection before it runs, nobody
 * else gets it afterwards, and it stays through loads and resets.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "runners/loop.h"
#include "runners/nut_int.h"

static void close_listener(struct nut_port *port)
{
	loop_watch_stop(port->listen_watch);
	port->listen_watch = NULL;
	if (port->listen_fd >= 0)
		(void)close(port->listen_fd);
	port->listen_fd = -1;
	if (port->path)
		(void)unlink(port->path);
}

static void on_connection(void *user)
{
	struct nut_port *port = user;

	port->fd = accept4(port->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (port->fd < 0)
		return; /* nobody there after all */
	close_listener(port);
	port->watch = loop_watch_start(port->loop, port->fd, port->on_readable, port->user);
}

int nut_port_listen(struct nut_port *port, struct loop *loop, char *path, loop_cb on_readable,
		    void *user, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	*port = (struct nut_port){
		.loop = loop, .path = path, .on_readable = on_readable, .user = user, .fd = -1
	};
	port->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (port->listen_fd < 0)
		return err_set(err, -errno, "socket: %s", strerror(errno));
	if (strlen(path) >= sizeof(address.sun_path))
		return err_set(err, LAB_EINVALID,
			       "'%s': expected a path of less than %zu bytes for a socket; set "
			       "XDG_RUNTIME_DIR to a shorter folder",
			       path, sizeof(address.sun_path));
	memcpy(address.sun_path, path, strlen(path) + 1);
	(void)unlink(path); /* of a runner that was killed */
	if (bind(port->listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(port->listen_fd, 1) < 0)
		return err_set(err, -errno, "listen at '%s': %s", path, strerror(errno));
	port->listen_watch = loop_watch_start(loop, port->listen_fd, on_connection, port);
	return 0;
}

ssize_t nut_port_read(struct nut_port *port, void *data, size_t size)
{
	ssize_t got;

	if (port->fd < 0)
		return -1;
	do {
		got = read(port->fd, data, size);
	} while (got < 0 && errno == EINTR);
	if (got > 0 || (got < 0 && errno == EAGAIN))
		return got;
	/* QEMU has ended; its process says how (nut.c). */
	loop_watch_stop(port->watch);
	port->watch = NULL;
	(void)close(port->fd);
	port->fd = -1;
	return -1;
}

void nut_port_close(struct nut_port *port)
{
	if (!port->loop)
		return;
	close_listener(port);
	free(port->path);
	loop_watch_stop(port->watch);
	if (port->fd >= 0)
		(void)close(port->fd);
	*port = (struct nut_port){ .listen_fd = -1, .fd = -1 };
}
