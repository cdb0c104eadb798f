/*
 * What the runner and the library inside QEMU (libtestlab-vclock.so) say to
 * each other. Why it is enough: docs/design/003-virtual-time.md.
 *
 * The library is preloaded into QEMU and finds its settings in the environment:
 *   TESTLAB_VCLOCK_SOCKET   path of the runner's SOCK_SEQPACKET unix socket;
 *                           without it the library does nothing at all
 *   TESTLAB_VCLOCK_LINKS    "NUTPORT:TESTERPORT,..." of the UDP links, in order
 *   TESTLAB_VCLOCK_MEASURE  "cpu" (default) or "wall": what guest time is
 *                           measured by while the guest executes
 *
 * The library connects before QEMU's main() and sends HELLO. From then on each
 * message is one struct of this file, in native byte order, in one packet:
 *
 *   runner   ADVANCE  let guest time pass to `until_ns` at most
 *   library  ANSWER   to the last ADVANCE, when the guest is idle and either
 *                     `until_ns` has come or something left QEMU since; and
 *                     when the guest is not idle `patience_ns` after that
 *
 * A new ADVANCE takes the place of one that was not answered. Times are those
 * of QEMU's CLOCK_MONOTONIC. Each datagram to a tester port ends with a stamp.
 */
#pragma once

#include <stdint.h>

#define VCLOCK_MAGIC       UINT32_C(0x564c4354) /* "TCLV" */
#define VCLOCK_VERSION     2u
#define VCLOCK_LINKS_MAX   4u
#define VCLOCK_LIBRARY     "libtestlab-vclock.so"
#define VCLOCK_ENV_SOCKET  "TESTLAB_VCLOCK_SOCKET"
#define VCLOCK_ENV_LINKS   "TESTLAB_VCLOCK_LINKS"
#define VCLOCK_ENV_MEASURE "TESTLAB_VCLOCK_MEASURE"
#define VCLOCK_PATIENCE_NS INT64_C(5000000) /* a good `patience_ns`: bursts are far shorter */
#define VCLOCK_MISSING_MS  500              /* a datagram the host lost is waited for this long */
#define VCLOCK_STALL_MS    2000 /* busy without guest time passing: then time is pushed on */

enum vclock_message_type {
	VCLOCK_HELLO = 1,
	VCLOCK_ADVANCE = 2,
	VCLOCK_ANSWER = 3,
};

struct vclock_header {
	uint32_t magic;   /* VCLOCK_MAGIC */
	uint16_t version; /* VCLOCK_VERSION; HELLO keeps its shape in all versions */
	uint16_t type;    /* enum vclock_message_type */
};

struct vclock_hello {
	struct vclock_header header;
	int64_t now_ns;      /* the clock at the start: the host's CLOCK_MONOTONIC */
	int64_t realtime_ns; /* what to add to get nanoseconds since 1970 */
	int32_t pid;         /* of QEMU */
	uint32_t links;      /* how many it was told of */
};

struct vclock_advance {
	struct vclock_header header;
	uint64_t id;         /* comes back in the answer */
	uint64_t seen;       /* the last answer that the runner had read: what left since is news */
	int64_t until_ns;    /* not further than this */
	int64_t patience_ns; /* how much longer a busy guest may take to go idle */
	uint64_t link_sent
		[VCLOCK_LINKS_MAX]; /* frames the runner has sent so far; none is overtaken */
};

enum vclock_answer_flag {
	VCLOCK_IDLE =
		1u << 0, /* every vCPU is halted and QEMU has nothing to do: time stands still */
	VCLOCK_OUTPUT =
		1u << 1, /* something left QEMU (frame, agent, console) that no answer had told */
};

struct vclock_answer {
	struct vclock_header header;
	uint64_t id;
	int64_t now_ns;  /* the clock now */
	uint32_t flags;  /* enum vclock_answer_flag */
	uint32_t vcpus;  /* threads that are watched; 0: this QEMU is not understood */
	uint64_t jumps;  /* how often the clock was set forward, since the start */
	uint64_t stalls; /* how often VCLOCK_STALL_MS came true, since the start */
	int64_t busy_ns; /* guest time since it was last idle */
	uint64_t lost;   /* frames of the runner that never came to QEMU (VCLOCK_MISSING_MS) */
	uint64_t link_sent[VCLOCK_LINKS_MAX];     /* frames the guest has sent, since the start */
	uint64_t link_received[VCLOCK_LINKS_MAX]; /* the runner's frames that QEMU has read */
};

/* The last bytes of each datagram from QEMU to a tester port. */
struct vclock_stamp {
	uint64_t sequence; /* 1, 2, 3, ... on this link */
	int64_t time_ns;   /* the clock when QEMU sent it */
};
