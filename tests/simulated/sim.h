/*
 * A simulated node under test with known faults: a small IPv6 host on the other
 * end of a UDP link, in the loop of the run that tests it. It exists so that each
 * test of the suites can be seen to pass on a right answer and to fail on a
 * wrong one. It works on octets and uses nothing of packets/, so that an error
 * there cannot hide itself.
 *
 * A fault is one deviation, switched on by its name (sim_faults.tbl.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runners/nut.h"

struct err;
struct link;
struct loop;
struct loop_timer;
struct loop_watch;
struct target;
struct target_spec;

enum sim_fault {
	SIM_FAULT_NONE,
#define X(name, text, about) SIM_FAULT_##name,
#include "tests/simulated/sim_faults.tbl.h"
#undef X
	SIM_FAULT_COUNT_,
};

/* SIM_FAULT_COUNT_ if there is no such fault. */
enum sim_fault sim_fault_from_string(const char *text);

#define SIM_NEIGHBOURS 8
#define SIM_FRAME_MAX  1600

#define SIM_PACKETS 4
#define SIM_GLOBALS 2
#define SIM_PATHS   8

enum sim_state { SIM_NONE, SIM_INCOMPLETE, SIM_REACHABLE, SIM_STALE, SIM_DELAY, SIM_PROBE };

/* One neighbour cache entry (RFC 4861 5.1). */
struct sim_neighbour {
	struct sim_node *node; /* that it belongs to */
	enum sim_state state;
	uint8_t address[16];
	uint8_t mac[6];
	uint8_t queued
		[SIM_FRAME_MAX]; /* the packet that waits for the MAC, from its IPv6 header on */
	size_t queued_size;
	unsigned solicitations;   /* sent in this state */
	struct loop_timer *timer; /* or NULL */
};

/* A packet of which fragments are there (RFC 8200 4.5). */
struct sim_packet {
	struct sim_node *node;        /* that it belongs to; NULL: free */
	uint8_t key[36];              /* source, destination, Identification */
	uint8_t first[SIM_FRAME_MAX]; /* the first fragment as it came, from its IPv6 header on */
	size_t first_size;            /* 0 while it is missing */
	uint8_t next;                 /* Next Header of the first fragment */
	uint8_t data[SIM_FRAME_MAX];  /* what the Fragment headers divide */
	bool has[SIM_FRAME_MAX / 8];  /* which 8 octets of it are there */
	size_t total;                 /* 0 while the last fragment is missing */
	struct loop_timer *timer;     /* its 60 seconds */
};

/* An address of a prefix that a router advertised (RFC 4862 5.5). */
struct sim_global {
	struct sim_node *node;
	uint8_t address[16];
	bool is_assigned;         /* duplicate address detection is over */
	struct loop_timer *timer; /* its next event, or NULL */
};

/* What is known of the path to a destination (RFC 8201 5.2). */
struct sim_path {
	uint8_t destination[16];
	uint8_t last_echo[4]; /* identifier and sequence number of the last echo sent to it */
	uint32_t mtu;         /* that a Packet Too Big message told; 0: none did */
	int64_t until_ns;     /* it is used */
	bool is_atomic;       /* by a fault: atomic fragments */
};

struct sim_node {
	struct loop *loop;
	struct link *link; /* gives the ports */
	enum sim_fault fault;
	enum nut_state state;
	int fd; /* -1 while off */
	struct loop_watch *watch;
	uint8_t mac[6];
	uint8_t link_local[16];
	bool has_link_local;          /* assigned: duplicate address detection is over */
	bool is_tentative;            /* it is going on */
	int64_t retrans_ns;           /* RetransTimer */
	struct loop_timer *dad_timer; /* next event of duplicate address detection */
	struct sim_global globals[SIM_GLOBALS];
	struct sim_neighbour neighbours[SIM_NEIGHBOURS];
	uint8_t router[16]; /* the default router, :: if there is none */
	struct sim_packet packets[SIM_PACKETS];
	uint32_t link_mtu;
	struct sim_path paths[SIM_PATHS];
	unsigned path_count;
	uint32_t fragment_id; /* Identification of the last packet that was fragmented */
	uint8_t pings;        /* sequence number of the last one */
};

/* --- sim_node.c: packets in and out ----------------------------------------- */

void sim_receive(struct sim_node *node, const uint8_t *frame, size_t size);
/* An IPv6 packet from its header on, to a MAC. */
void sim_send_frame(struct sim_node *node, const uint8_t mac[6], const uint8_t *packet,
		    size_t size);
/* Header and ICMPv6 message with its checksum, to the neighbour. */
void sim_send_icmp(struct sim_node *node, const uint8_t source[16], const uint8_t destination[16],
		   uint8_t hop_limit, const uint8_t *message, size_t size);
size_t sim_build_icmp(uint8_t packet[SIM_FRAME_MAX], const uint8_t source[16],
		      const uint8_t destination[16], uint8_t hop_limit, const uint8_t *message,
		      size_t size);
uint16_t sim_checksum(const uint8_t source[16], const uint8_t destination[16], uint8_t protocol,
		      const uint8_t *data, size_t size);
bool sim_is_mine(const struct sim_node *node, const uint8_t address[16]);
/* An ICMPv6 error about the packet, RFC 4443 section 2.4; `word` is its second 32 bits. */
void sim_send_error(struct sim_node *node, const uint8_t *packet, size_t size, uint8_t type,
		    uint8_t code, uint32_t word);

/* --- sim_fragment.c: reassembly --------------------------------------------------- */

/*
 * Takes the fragment in `packet` whose Fragment header is at `at` and which is not
 * the whole packet. True when that makes a packet whole: it is in `whole`.
 */
bool sim_fragment_take(struct sim_node *node, const uint8_t *packet, size_t size, size_t at,
		       uint8_t whole[SIM_FRAME_MAX], size_t *ret_size);
/* Whether there are fragments with the addresses and the Identification of this one. */
bool sim_fragment_is_known(struct sim_node *node, const uint8_t *packet, size_t at);
void sim_fragment_forget_all(struct sim_node *node);

/* --- sim_path.c: path MTU discovery, and fragments that are sent ------------------- */

/* An echo message, in fragments if it is too large for its path. */
void sim_path_send(struct sim_node *node, const uint8_t *packet, size_t size);
/* A Packet Too Big message whose checksum is right. */
void sim_path_too_big(struct sim_node *node, const uint8_t *message, size_t size);
/* An Echo Request with so many octets of data. */
void sim_path_ping(struct sim_node *node, const uint8_t destination[16], size_t data_size);
void sim_path_forget_all(struct sim_node *node);

/* --- sim_nd.c: neighbour discovery and autoconfiguration ---------------------- */

/* The link came up: duplicate address detection begins. */
void sim_nd_start(struct sim_node *node);
/* Forget everything and stop every timer. */
void sim_nd_stop(struct sim_node *node);
/* The state after duplicate address detection, with an empty neighbour cache. */
void sim_nd_settle(struct sim_node *node);
bool sim_nd_is_on_link(const struct sim_node *node, const uint8_t address[16]);
void sim_nd_send(struct sim_node *node, const uint8_t destination[16], const uint8_t *packet,
		 size_t size);
/* An ICMPv6 message of neighbour discovery whose checksum is right. */
void sim_nd_receive(struct sim_node *node, const uint8_t *packet, const uint8_t *message,
		    size_t size);

/* --- sim_target.c ------------------------------------------------------------- */

/* For struct run_host: `user` is a const enum sim_fault. The loop gets the stepping clock. */
int sim_target_make(void *user, struct loop *loop, const struct target_spec *spec,
		    struct target *ret_target, struct err *err);

/* --- sim_clock.c ---------------------------------------------------------------- */

/* A clock that stands still while there is anything to do and then jumps: no waiting at all. */
void sim_clock_set(struct loop *loop);
