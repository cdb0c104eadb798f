/* The inside of a NUT, for runners/nut*.c only. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "runners/console.h"
#include "runners/loop.h"
#include "runners/nut.h"

struct virt;
struct virt_domain;

/* A socket that QEMU, and nobody else, connects to once (nut_port.c). */
struct nut_port {
	struct loop *loop; /* NULL while not open */
	char *path;
	int listen_fd; /* -1 once QEMU has connected */
	int fd;        /* the connection; -1 before and after */
	struct loop_watch *listen_watch, *watch;
	loop_cb on_readable;
	void *user;
};

/* The serial console: what it says is kept in a file and scanned. */
struct nut_console {
	struct nut_port port;
	int log_fd; /* console.log */
	struct console_scanner scanner;
	int64_t size_bytes; /* written to console.log */
};

/* The guest agent's port, with at most one command on its way. */
struct nut_agent {
	struct nut_port port;
	struct buf input;      /* not yet a line */
	int64_t id;            /* of the present or next command */
	bool answered;         /* the present command */
	int answer_rc;         /* what agent_parse said of it */
	json_t *answer;        /* if that was good */
	struct err answer_err; /* if it was not */
};

struct nut {
	struct loop *loop;
	char *name;         /* of the domain, with its number */
	char *disk_path;    /* snapshot disk */
	char *console_path; /* console.log */
	enum accelerator accelerator;
	enum nut_state state;
	char trouble[512]; /* why the state is OOPS or worse; "" otherwise */
	bool ended;        /* PANIC or worse: nothing will answer, so nobody shall wait */
	char **tags;       /* of the snapshots that were saved */
	size_t tag_count;
	bool may_reset; /* after nut_reboot: the firmware resets once more by itself */
	void (*on_trouble)(struct nut *nut, void *user);
	void *on_trouble_user;
	struct link *links[NUT_LINKS_MAX];
	size_t link_count;
	struct nut_console console;
	struct nut_agent agent;
	pid_t pid; /* of QEMU: who connected to the console; 0 before */
	int pid_fd;
	struct loop_watch *pid_watch;
	struct loop_timer *end_timer; /* the process has ended, and soon we know why */
	struct virt *virt;
	struct virt_domain *domain;
	struct loop_watch *lost_watch; /* of the connection to libvirt */
};

/* Make the state worse and tell; a better or equal state changes nothing. */
void nut_set_trouble(struct nut *nut, enum nut_state state, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* LAB_EVIRT with the reason if the NUT has ended; 0 otherwise. */
int nut_check_alive(const struct nut *nut, struct err *err);
/* The state that belongs to a machine that begins (again). */
void nut_forget_trouble(struct nut *nut, enum nut_state state);

/* nut_port.c: `path` is taken over. `port` may be closed whatever this returns. */
int nut_port_listen(struct nut_port *port, struct loop *loop, char *path, loop_cb on_readable,
		    void *user, struct err *err);
/* As read(), but an end or failure closes the connection; -1 when nothing is there. */
ssize_t nut_port_read(struct nut_port *port, void *data, size_t size);
void nut_port_close(struct nut_port *port);

/* nut_console.c */
int nut_console_open(struct nut *nut, const char *folder, const char *socket_folder,
		     struct err *err);
/* Take in what is there now. */
void nut_console_read(struct nut *nut);
void nut_console_close(struct nut *nut);

/* nut_agent.c */
int nut_agent_open(struct nut *nut, const char *socket_folder, struct err *err);
/* Forget what the agent of before said. */
void nut_agent_reset(struct nut *nut);
/* QEMU has not taken what we sent: the next agent would get it. */
bool nut_agent_is_clogged(const struct nut *nut);
void nut_agent_close(struct nut *nut);

/* nut_snapshot.c: a reset ends the NUT from now on, if it did not already. */
int nut_forbid_resets(struct nut *nut, struct err *err);

/* nut_xml.c: the caller frees it. */
char *nut_domain_xml(const struct nut_spec *spec, const struct nut *nut);
