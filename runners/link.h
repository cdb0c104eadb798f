/*
 * One Ethernet link between tester and NUT. Driver "udp": one frame a datagram
 * on loopback, as QEMU's socket network backend (`udp=`) does; unprivileged.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct link;
struct loop;

/* `time_ns` is loop time. The frame is valid during the call only. */
typedef void (*link_frame_cb)(struct link *link, const uint8_t *frame, size_t size, int64_t time_ns,
			      void *user);

struct link_counters {
	uint64_t sent;
	uint64_t received;
	uint64_t
		dropped; /* by our socket's buffer (SO_RXQ_OVFL): the capture is then not complete */
	uint64_t nut_dropped; /* by the buffer of the NUT's socket: it never saw them */
};

/* Two ports of 127.0.0.1 are chosen by the host kernel and kept: ours and the NUT's. */
int link_open_udp(struct loop *loop, const char *name, link_frame_cb cb, void *user,
		  struct link **ret_link, struct err *err);
void link_close(struct link *link); /* NULL is fine */
const char *link_get_name(const struct link *link);
uint16_t link_get_tester_port(const struct link *link);
uint16_t link_get_nut_port(const struct link *link);
/* Send one frame now; *ret_time_ns (may be NULL) is when. */
int link_send(struct link *link, const void *frame, size_t size, int64_t *ret_time_ns,
	      struct err *err);
/* counters.sent alone, which costs nothing. */
uint64_t link_get_sent(const struct link *link);
void link_get_counters(const struct link *link, struct link_counters *ret_counters);

/*
 * Across the load of a snapshot: a muted link takes nothing in, and unmuting
 * throws away what came before it. Returns how many frames that were.
 */
void link_mute(struct link *link);
unsigned link_unmute(struct link *link);
bool link_is_muted(const struct link *link);

/*
 * A QEMU with a virtual clock begins to use the link: what waits is thrown
 * away, and from now on each datagram ends with a stamp (vclock/protocol.h).
 */
void link_start_stamps(struct link *link);
/* The sequence number in the last stamp that was taken in; 0 before the first. */
uint64_t link_get_sequence(const struct link *link);

/* Bytes that wait in the socket of a NUT's port, sent by us and not yet read by QEMU. Any thread. */
uint64_t link_port_backlog(uint16_t nut_port);
/* Throw away what waits in our socket or to be delivered; returns how many frames. */
unsigned link_drain(struct link *link);
