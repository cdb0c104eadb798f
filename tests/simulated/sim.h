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

#define SIM_FRAME_MAX 1600

#define SIM_ADDRESSES    8
#define SIM_NEIGHBOURS   16
#define SIM_QUEUE        3
#define SIM_ROUTES       16
#define SIM_PREFIXES     8
#define SIM_DESTINATIONS 16
#define SIM_PACKETS      4
#define SIM_PATHS        8
#define SIM_DNS          4
#define SIM_NAME_MAX     64

/* Messages of neighbour discovery, RFC 4861 section 4. */
enum {
	SIM_ROUTER_SOLICITATION = 133,
	SIM_ROUTER_ADVERTISEMENT,
	SIM_NEIGHBOUR_SOLICITATION,
	SIM_NEIGHBOUR_ADVERTISEMENT,
	SIM_REDIRECT,
};

/* Their options that are not only for routers to send. */
enum {
	SIM_OPTION_SOURCE = 1,
	SIM_OPTION_TARGET = 2,
	SIM_OPTION_PREFIX = 3,
	SIM_OPTION_REDIRECTED = 4,
	SIM_OPTION_MTU = 5,
	SIM_OPTION_NONCE = 14, /* RFC 7527 */
};

enum sim_state { SIM_NONE, SIM_INCOMPLETE, SIM_REACHABLE, SIM_STALE, SIM_DELAY, SIM_PROBE };

/* One neighbour cache entry (RFC 4861 5.1). */
struct sim_neighbour {
	struct sim_node *node; /* that it belongs to */
	enum sim_state state;
	uint8_t address[16];
	uint8_t mac[6];
	uint8_t first_mac[6]; /* that was known of it */
	bool is_router;
	uint8_t source[16]; /* of the packet that made the node look for it, or went to it last */
	struct {
		uint8_t packet[SIM_FRAME_MAX];
		size_t size;
	} queue[SIM_QUEUE]; /* packets that wait for the MAC, the oldest first */
	unsigned queued;
	unsigned solicitations;   /* sent in this state */
	struct loop_timer *timer; /* or NULL */
};

/* A way through a router: to everywhere (prefix ::/0), or of a Route Information option. */
struct sim_route {
	uint8_t prefix[16];
	uint8_t length;
	uint8_t router[16];
	int preference;   /* -1, 0, 1: low, medium, high (RFC 4191 2.1) */
	unsigned failure; /* number of the failure since which the router is not reachable, or 0 */
	int64_t until_ns; /* 0: no entry */
};

/* A prefix that is on the link (RFC 4861 5.1). */
struct sim_prefix {
	uint8_t prefix[16];
	uint8_t length;
	int64_t until_ns; /* 0: no entry */
};

/* What a Redirect message said (RFC 4861 8.3). */
struct sim_destination {
	uint8_t address[16]; /* ::, if there is no entry */
	uint8_t next_hop[16];
	unsigned uses; /* counted for a fault */
};

enum sim_address_state { SIM_FREE, SIM_TENTATIVE, SIM_ASSIGNED, SIM_DUPLICATE };

/* An address of the node (RFC 4862 section 2). */
struct sim_address {
	struct sim_node *node;
	enum sim_address_state state;
	uint8_t address[16];
	int64_t preferred_until_ns;
	int64_t valid_until_ns;
	unsigned solicitations;   /* of duplicate address detection that were sent */
	unsigned conflicts;       /* DAD_Counter of RFC 7217 */
	struct loop_timer *timer; /* its next event, or NULL */
};

/* A DNS server's address, or a search domain as labels (RFC 8106 section 6). */
struct sim_dns_entry {
	uint8_t value[SIM_NAME_MAX + 1];
	int64_t until_ns;
};

/* The DNS client of a node, and the look-up that goes on. */
struct sim_dns {
	bool is_on;
	struct sim_dns_entry servers[SIM_DNS];
	struct sim_dns_entry domains[SIM_DNS];
	char name[SIM_NAME_MAX];
	unsigned candidate; /* number of the name that is asked for: with or without a domain */
	unsigned attempts;  /* queries sent for it */
	uint16_t id;        /* of the last query */
	struct loop_timer *timer; /* waits for the answer, or NULL */
};

/* What can be set in a node: sysctl names of Linux, and their values there. */
struct sim_settings {
	unsigned addr_gen_mode; /* 0: from the MAC (RFC 4291 appendix A); otherwise RFC 7217 */
	char stable_secret[48];
	unsigned accept_dad; /* 2: a duplicate link-local address disables IP (RFC 4862 5.4.5) */
	unsigned dad_transmits;
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
	bool is_deaf; /* by a fault: until it is loaded again */
	int fd;       /* -1 while off */
	struct loop_watch *watch;
	uint8_t mac[6];
	uint8_t sender[6]; /* source of the frame that is being processed */
	unsigned boots;
	struct sim_settings settings;
	uint64_t random;                             /* state of sim_nd_draw() */
	bool is_disabled;                            /* IP is, on the interface */
	struct sim_address addresses[SIM_ADDRESSES]; /* the first is the link-local one */
	struct sim_neighbour neighbours[SIM_NEIGHBOURS];
	struct sim_route routes[SIM_ROUTES];
	struct sim_prefix prefixes[SIM_PREFIXES];
	struct sim_destination destinations[SIM_DESTINATIONS];
	uint8_t last_destination[16]; /* that a packet was sent to */
	unsigned redirects;           /* that were followed */
	unsigned failures;            /* of routers */
	uint8_t hop_limit;
	int64_t reachable_ns;                  /* BaseReachableTime (RFC 4861 6.3.2) */
	int64_t retrans_ns;                    /* RetransTimer */
	struct loop_timer *solicitation_timer; /* next Router Solicitation, or NULL */
	int64_t solicitation_ns;               /* time from the one before to it */
	unsigned solicitations;                /* Router Solicitations sent */
	bool has_heard_router;                 /* there is no need for more of them */
	struct sim_dns dns;
	struct loop_timer *talk_timer; /* or NULL */
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
/* A UDP datagram whose checksum is 0 yet. */
void sim_send_udp(struct sim_node *node, const uint8_t source[16], const uint8_t destination[16],
		  uint8_t *datagram, size_t size);
size_t sim_build_icmp(uint8_t packet[SIM_FRAME_MAX], const uint8_t source[16],
		      const uint8_t destination[16], uint8_t hop_limit, const uint8_t *message,
		      size_t size);
uint16_t sim_checksum(const uint8_t source[16], const uint8_t destination[16], uint8_t protocol,
		      const uint8_t *data, size_t size);
uint32_t sim_get32(const uint8_t octets[4]);
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

/* --- sim_nd.c: neighbour discovery and autoconfiguration as a whole ----------------- */

/* The link came up: duplicate address detection begins. */
void sim_nd_start(struct sim_node *node);
/* Forget everything but the settings and stop every timer. */
void sim_nd_stop(struct sim_node *node);
/* The state after duplicate address detection, with an empty neighbour cache. */
void sim_nd_settle(struct sim_node *node);
/* A packet of the node's to wherever it has to go. */
void sim_nd_send(struct sim_node *node, const uint8_t destination[16], const uint8_t *packet,
		 size_t size);
/*
 * A message of neighbour discovery. Its checksum is right, unless
 * sim_nd_takes_checksum() was true. `is_fragment`: it had a Fragment header.
 * False if it was not valid, and so discarded.
 */
bool sim_nd_receive(struct sim_node *node, const uint8_t *packet, const uint8_t *message,
		    size_t size, bool is_fragment);
/* Whether a fault makes the node take such a message with a wrong checksum. */
bool sim_nd_takes_checksum(const struct sim_node *node, uint8_t type);
/* The value of the first option of that type, or NULL. The options are well-formed. */
const uint8_t *sim_nd_find_option(const uint8_t *options, size_t size, uint8_t type);
/* From `from` to below `to`: half of the way, or with the fault "random" anything. */
int64_t sim_nd_draw(struct sim_node *node, int64_t from, int64_t to);
/* A timer of the node, which may be late and is never early. */
struct loop_timer *sim_nd_after(struct sim_node *node, int64_t delay_ns, void (*cb)(void *),
				void *user);
void sim_nd_cancel(struct loop_timer **timer);
/* `seconds` of a message from now; all ones is for ever. */
int64_t sim_nd_until_ns(const struct sim_node *node, uint32_t seconds);
bool sim_nd_match(const uint8_t a[16], const uint8_t b[16], unsigned bits);
bool sim_nd_is_link_local(const uint8_t address[16]);

/* --- sim_address.c: the node's addresses ------------------------------------------- */

void sim_address_start(struct sim_node *node);
void sim_address_settle(struct sim_node *node);
void sim_address_forget_all(struct sim_node *node);
/* The link-local address, whether it is assigned or not. */
const uint8_t *sim_address_link_local(const struct sim_node *node);
bool sim_address_is_mine(const struct sim_node *node, const uint8_t address[16]);
/* Whether the node takes what is sent to that address: its own, and by a fault a tentative one. */
bool sim_address_hears(const struct sim_node *node, const uint8_t address[16]);
/* Whether the node has joined that solicited-node group. */
bool sim_address_has_group(const struct sim_node *node, const uint8_t group[16]);
/* The address to send from, or NULL if there is none yet. */
const uint8_t *sim_address_choose(const struct sim_node *node, const uint8_t destination[16]);
/* A Prefix Information option: RFC 4862 section 5.5.3. */
void sim_address_take_prefix(struct sim_node *node, const uint8_t option[32]);
/*
 * Somebody else uses or tries `address` (RFC 4862 5.4.3, 5.4.4). True if it is one
 * that the node tries, so that the message has no other meaning.
 */
bool sim_address_take_duplicate(struct sim_node *node, const uint8_t address[16], bool is_sign);
/* By a fault the solicitation or advertisement is taken for a sign of a duplicate, which it is not. */
bool sim_address_misreads(struct sim_node *node, const uint8_t *packet, const uint8_t *message);

/* --- sim_group.c: multicast listener reports -------------------------------------------- */

/* Join the solicited-node group of the address. */
void sim_group_join(struct sim_node *node, const uint8_t address[16]);

/* A node with the fault "talk" begins to, and ends. */
void sim_group_start_talk(struct sim_node *node);
void sim_group_stop_talk(struct sim_node *node);

/* --- sim_neighbour.c: the neighbour cache ------------------------------------------- */

void sim_neighbour_forget_all(struct sim_node *node);
struct sim_neighbour *sim_neighbour_find(struct sim_node *node, const uint8_t address[16]);
/* Send now or when the neighbour's MAC is known. */
void sim_neighbour_send(struct sim_node *node, const uint8_t next_hop[16], const uint8_t *packet,
			size_t size);
/*
 * A message of that type told the neighbour's MAC, or did not (NULL): makes or
 * changes its entry. Returns the entry that there is now, or NULL.
 */
struct sim_neighbour *sim_neighbour_learn(struct sim_node *node, uint8_t type,
					  const uint8_t address[16], const uint8_t *mac);
void sim_neighbour_solicit(struct sim_node *node, const uint8_t source[16],
			   const uint8_t target[16], const uint8_t *unicast_mac, uint8_t hop_limit,
			   bool with_option);
/*
 * A short advertisement becomes one of a neighbour that the node looks for, or of its
 * own link-local address; its size.
 */
size_t sim_neighbour_complete(struct sim_node *node, uint8_t *message);
/* By a fault: what the neighbour sends confirms that it is reachable. */
void sim_neighbour_hint(struct sim_node *node, const uint8_t address[16]);
/* Tell routers of a new address of the node's, RFC 9131 section 4.1. */
void sim_neighbour_announce(struct sim_node *node, const uint8_t address[16]);
/* Valid messages. */
void sim_neighbour_take_solicitation(struct sim_node *node, const uint8_t *packet,
				     const uint8_t *message, size_t size);
void sim_neighbour_take_advertisement(struct sim_node *node, const uint8_t *packet,
				      const uint8_t *message, size_t size);

/* --- sim_route.c: where packets go ---------------------------------------------------- */

void sim_route_forget_all(struct sim_node *node);
bool sim_route_is_on_link(const struct sim_node *node, const uint8_t address[16]);
/* The neighbour that a packet to `destination` goes to, or NULL. */
const uint8_t *sim_route_next_hop(struct sim_node *node, const uint8_t destination[16]);
bool sim_route_is_router(const struct sim_node *node, const uint8_t address[16]);
/* A router told of a way: for so many seconds, 0 for no more. */
void sim_route_set(struct sim_node *node, const uint8_t prefix[16], uint8_t length,
		   const uint8_t router[16], int preference, uint32_t seconds);
/* A router told of a prefix that is on the link, or with 0 seconds no more. */
void sim_route_set_prefix(struct sim_node *node, const uint8_t prefix[16], uint8_t length,
			  uint32_t seconds);
/* The neighbour does not answer any more, or does again. */
void sim_route_mark(struct sim_node *node, const uint8_t router[16], bool is_reachable);
/* The neighbour is no router any more. */
void sim_route_forget_router(struct sim_node *node, const uint8_t router[16]);
/* A valid Redirect message. */
void sim_route_take_redirect(struct sim_node *node, const uint8_t *packet, const uint8_t *message,
			     size_t size);

/* --- sim_router.c: Router Solicitations and Advertisements ------------------------------ */

/* The node asks for routers, for the first time after a delay. */
void sim_router_start(struct sim_node *node, int64_t delay_ns);
/* Forget what routers told about the link. */
void sim_router_forget_all(struct sim_node *node);
void sim_router_solicit(struct sim_node *node);
/* Valid messages. A host discards the solicitation of another (RFC 4861 6.2.6). */
void sim_router_take_solicitation(struct sim_node *node, const uint8_t *packet,
				  const uint8_t *message, size_t size);
void sim_router_take_advertisement(struct sim_node *node, const uint8_t *packet,
				   const uint8_t *message, size_t size);
/* By faults: one thing of an invalid advertisement, which has zeros behind its end. */
void sim_router_take_invalid(struct sim_node *node, const uint8_t *packet, const uint8_t *message);

/* --- sim_dns.c: DNS by advertisements ---------------------------------------------------- */

void sim_dns_forget_all(struct sim_node *node);
/* The DNS client runs from now on; it hears no option that came before. */
void sim_dns_start(struct sim_node *node);
void sim_dns_take_option(struct sim_node *node, const uint8_t *option);
/* Look the name up and send its address an Echo Request. */
void sim_dns_ping(struct sim_node *node, const char *name);
/* A UDP datagram; false if it is not for the DNS client. */
bool sim_dns_receive(struct sim_node *node, const uint8_t *udp, size_t size);

/* --- sim_command.c: what its agent is told ---------------------------------------------- */

/* The settings of a node that was just booted. */
void sim_command_reset(struct sim_node *node);
/* Does what the words mean; everything that is not known succeeds and does nothing. */
void sim_command_obey(struct sim_node *node, const char *command, char *output, size_t size);

/* --- sim_target.c ------------------------------------------------------------- */

/* For struct run_host: `user` is a const enum sim_fault. The loop gets the stepping clock. */
int sim_target_make(void *user, struct loop *loop, const struct target_spec *spec,
		    struct target *ret_target, struct err *err);

/* --- sim_clock.c ---------------------------------------------------------------- */

/* A clock that stands still while there is anything to do and then jumps: no waiting at all. */
void sim_clock_set(struct loop *loop);
