/*
 * A QEMU under the virtual clock, for the tests of the library alone: started
 * by its plain command line, without libvirt, one UDP link, guest agent and
 * monitor over unix sockets. Trouble ends the program: it is a test.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vclock/protocol.h"

#define FRAMES_MAX 4096

struct frame {
	uint64_t sequence;
	int64_t time_ns;
	size_t size;
	uint8_t data[1600];
};

struct guest_options {
	const char *image;
	const char *initramfs;
	const char *folder;  /* for sockets, console and disk; exists */
	const char *measure; /* "cpu", "wall", or NULL for no library at all (real time) */
	const char *extra;   /* more of the kernel command line, or NULL */
	unsigned cpus;
	bool icount; /* QEMU's own instruction counting below the library */
};

struct guest {
	pid_t pid;
	int control_fd;
	int link_fd;
	int agent_fd;
	int monitor_fd;
	uint16_t nut_port;
	uint16_t tester_port;
	bool virtual_clock;
	int64_t now_ns;              /* of the last answer */
	int64_t start_ns;            /* of HELLO */
	struct vclock_answer answer; /* the last */
	uint64_t asked;              /* id of the last request */
	uint64_t sent;               /* frames to the guest */
	uint64_t received;           /* frames from the guest, all time */
	size_t frame_count;          /* in `frames`: since guest_forget */
	struct frame frames[FRAMES_MAX];
};

#define NUT_MAC "\x52\x54\x00\x12\x34\x56"

_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
int64_t host_ns(void);

struct guest *guest_start(const struct guest_options *options);
void guest_stop(struct guest *guest);

/* One request: returns when the library answers; frames are collected meanwhile. */
void guest_advance(struct guest *guest, int64_t until_ns);
/* Requests until the clock has come to `until_ns`. */
void guest_run(struct guest *guest, int64_t until_ns);
/* Until a frame that `match` takes has come, or `until_ns`; NULL then. */
typedef bool (*frame_match)(const struct frame *frame);
const struct frame *guest_expect(struct guest *guest, frame_match match, int64_t until_ns);
void guest_send(struct guest *guest, const void *frame, size_t size);
void guest_forget(struct guest *guest);

/* One command to the agent, given and answered in JSON text; false when it does not answer. */
bool guest_agent(struct guest *guest, const char *command, char *ret_answer, size_t size);
/* Run a shell line in the guest; its output. */
void guest_shell(struct guest *guest, const char *line, char *ret_output, size_t size);
/* Until the agent answers. */
void guest_boot(struct guest *guest);
/* One HMP command; waits for the prompt. */
void guest_monitor(struct guest *guest, const char *command);
