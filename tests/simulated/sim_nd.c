/*
 * Neighbour discovery of a host, as much of it as the tests look at: RFC 4861
 * section 7 with the state machine of 7.3.2, RFC 4862 sections 5.4 and 5.5.
 */
#include "tests/simulated/sim.h"

#include <string.h>

#include "base/time.h"
#include "runners/loop.h"

#define DELAY_FIRST_PROBE_NS (5 * NS_PER_SECOND)
#define REACHABLE_NS         (30 * NS_PER_SECOND)
#define DAD_DELAY_NS         (300 * NS_PER_MS)
#define SOLICITATIONS_MAX    3

#define NS 135
#define NA 136
#define RA 134
#define RS 133

static const uint8_t unspecified[16];
static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };
static const uint8_t all_routers[16] = { 0xff, 0x02, [15] = 2 };

static void solicited_node(const uint8_t address[16], uint8_t group[16])
{
	static const uint8_t prefix[13] = { 0xff, 0x02, [11] = 1, [12] = 0xff };

	memcpy(group, prefix, 13);
	memcpy(group + 13, address + 13, 3);
}

static void cancel(struct loop_timer **timer)
{
	loop_timer_cancel(*timer);
	*timer = NULL;
}

static void start(struct sim_neighbour *neighbour, int64_t after_ns, loop_cb cb)
{
	cancel(&neighbour->timer);
	neighbour->timer =
		loop_timer_start(neighbour->node->loop,
				 loop_now_ns(neighbour->node->loop) + after_ns, cb, neighbour);
}

/* --- solicitations ----------------------------------------------------------- */

static void send_solicitation(struct sim_node *node, const uint8_t source[16],
			      const uint8_t target[16], const uint8_t *unicast_mac,
			      uint8_t hop_limit, bool with_option)
{
	uint8_t packet[SIM_FRAME_MAX], message[32] = { NS };
	uint8_t group[16], mac[6] = { 0x33, 0x33 };
	size_t size = with_option ? 32 : 24;

	memcpy(message + 8, target, 16);
	message[24] = 1;
	message[25] = 1;
	memcpy(message + 26, node->mac, 6);
	solicited_node(target, group);
	memcpy(mac + 2, group + 12, 4);
	size = sim_build_icmp(packet, source, unicast_mac ? target : group, hop_limit, message,
			      size);
	sim_send_frame(node, unicast_mac ? unicast_mac : mac, packet, size);
}

static void forget(struct sim_neighbour *neighbour)
{
	cancel(&neighbour->timer);
	neighbour->state = SIM_NONE;
	neighbour->queued_size = 0;
}

static void solicit(void *user)
{
	struct sim_neighbour *neighbour = user;
	struct sim_node *node = neighbour->node;
	unsigned max = node->fault == SIM_FAULT_NS_ONCE   ? 1
		       : node->fault == SIM_FAULT_NS_FOUR ? 4
							  : SOLICITATIONS_MAX;
	int64_t pause_ns = node->retrans_ns;

	neighbour->timer = NULL;
	if (neighbour->state == SIM_DELAY) {
		neighbour->state = SIM_PROBE;
		neighbour->solicitations = 0;
	}
	if (neighbour->solicitations == max) {
		forget(neighbour);
		return;
	}
	neighbour->solicitations++;
	if (node->fault == SIM_FAULT_NS_FAST)
		pause_ns = pause_ns * 4 / 10;
	send_solicitation(node, node->link_local, neighbour->address,
			  neighbour->state == SIM_PROBE ? neighbour->mac : NULL, 255,
			  node->fault != SIM_FAULT_NS_NO_OPTION);
	start(neighbour, pause_ns, solicit);
}

static struct sim_neighbour *find(struct sim_node *node, const uint8_t address[16])
{
	for (unsigned i = 0; i < SIM_NEIGHBOURS; i++)
		if (node->neighbours[i].state != SIM_NONE &&
		    !memcmp(node->neighbours[i].address, address, 16))
			return &node->neighbours[i];
	return NULL;
}

static struct sim_neighbour *make(struct sim_node *node, const uint8_t address[16])
{
	for (unsigned i = 0; i < SIM_NEIGHBOURS; i++) {
		struct sim_neighbour *neighbour = &node->neighbours[i];

		if (neighbour->state != SIM_NONE)
			continue;
		*neighbour = (struct sim_neighbour){ .node = node };
		memcpy(neighbour->address, address, 16);
		return neighbour;
	}
	return NULL;
}

/* Link-local addresses and the prefixes of its own are on the link, RFC 4861 5.2. */
bool sim_nd_is_on_link(const struct sim_node *node, const uint8_t address[16])
{
	for (unsigned i = 0; i < SIM_GLOBALS; i++)
		if (node->globals[i].is_assigned && !memcmp(address, node->globals[i].address, 8))
			return true;
	return address[0] == 0xfe;
}

static const uint8_t *choose_next_hop(const struct sim_node *node, const uint8_t destination[16])
{
	if (sim_nd_is_on_link(node, destination) || node->fault == SIM_FAULT_NO_ROUTER ||
	    !memcmp(node->router, unspecified, 16))
		return destination;
	return node->router;
}

void sim_nd_send(struct sim_node *node, const uint8_t destination[16], const uint8_t *packet,
		 size_t size)
{
	struct sim_neighbour *neighbour;
	uint8_t mac[6] = { 0x33, 0x33 };
	const uint8_t *next_hop;

	if (destination[0] == 0xff) {
		memcpy(mac + 2, destination + 12, 4);
		sim_send_frame(node, mac, packet, size);
		return;
	}
	next_hop = choose_next_hop(node, destination);
	neighbour = find(node, next_hop);
	if (!neighbour)
		neighbour = make(node, next_hop);
	if (!neighbour)
		return;
	if (neighbour->state == SIM_NONE || neighbour->state == SIM_INCOMPLETE) {
		memcpy(neighbour->queued, packet, size);
		neighbour->queued_size = size;
		if (neighbour->state == SIM_NONE) {
			neighbour->state = SIM_INCOMPLETE;
			solicit(neighbour);
		}
		return;
	}
	sim_send_frame(node, neighbour->mac, packet, size);
	if (neighbour->state == SIM_STALE && node->fault != SIM_FAULT_NO_PROBE) {
		neighbour->state = SIM_DELAY;
		start(neighbour, DELAY_FIRST_PROBE_NS, solicit);
	}
}

static void become_stale(void *user)
{
	struct sim_neighbour *neighbour = user;

	neighbour->timer = NULL;
	neighbour->state = SIM_STALE;
}

/* The neighbour's MAC is known now; what waited for it is sent. */
static void resolve(struct sim_neighbour *neighbour, const uint8_t mac[6], enum sim_state state)
{
	struct sim_node *node = neighbour->node;
	uint8_t packet[SIM_FRAME_MAX];
	size_t size = neighbour->queued_size;

	cancel(&neighbour->timer);
	memcpy(neighbour->mac, mac, 6);
	neighbour->state = state;
	neighbour->queued_size = 0;
	if (state == SIM_REACHABLE)
		start(neighbour, REACHABLE_NS, become_stale);
	memcpy(packet, neighbour->queued, size);
	if (size)
		sim_nd_send(node, neighbour->address, packet, size);
}

/* --- received ---------------------------------------------------------------- */

/* The link-layer address option of type `type`, or NULL. False when an option is malformed. */
static bool find_option(const uint8_t *options, size_t size, uint8_t type, const uint8_t **ret_mac)
{
	*ret_mac = NULL;
	while (size >= 8) {
		size_t length = options[1] * 8u;

		if (!length || length > size)
			return false;
		if (options[0] == type)
			*ret_mac = options + 2;
		options += length;
		size -= length;
	}
	return size == 0;
}

static void send_advertisement(struct sim_node *node, const uint8_t target[16],
			       const uint8_t destination[16], bool solicited, bool with_option)
{
	uint8_t message[32] = { NA };

	message[4] = (uint8_t)((node->fault == SIM_FAULT_NA_ROUTER ? 0x80 : 0) |
			       (solicited && node->fault != SIM_FAULT_NA_UNSOLICITED ? 0x40 : 0) |
			       (with_option ? 0x20 : 0));
	memcpy(message + 8, target, 16);
	message[24] = 2;
	message[25] = 1;
	memcpy(message + 26, node->mac, 6);
	sim_send_icmp(node, target, destination, 255, message, with_option ? 32 : 24);
}

static void learn(struct sim_node *node, const uint8_t address[16], const uint8_t mac[6])
{
	struct sim_neighbour *neighbour = find(node, address);

	if (node->fault == SIM_FAULT_NS_NOT_CACHED)
		return;
	if (!neighbour) {
		neighbour = make(node, address);
		if (!neighbour)
			return;
		resolve(neighbour, mac, SIM_STALE);
	} else if (neighbour->state == SIM_INCOMPLETE || memcmp(neighbour->mac, mac, 6)) {
		resolve(neighbour, mac, SIM_STALE);
	}
}

static void receive_solicitation(struct sim_node *node, const uint8_t *packet,
				 const uint8_t *message, size_t size)
{
	const uint8_t *source = packet + 8, *destination = packet + 24, *target = message + 8;
	bool is_dad = !memcmp(source, unspecified, 16);
	const uint8_t *mac;

	if (size < 24 || message[1] || target[0] == 0xff ||
	    !find_option(message + 24, size - 24, 1, &mac) ||
	    (is_dad && (mac || destination[0] != 0xff)))
		return;
	if (node->is_tentative && !memcmp(target, node->link_local, 16)) {
		if (is_dad && node->fault != SIM_FAULT_DAD_DEAF)
			sim_nd_stop(node); /* a duplicate: no address, no more (RFC 4862 5.4.5) */
		return;
	}
	if (!sim_is_mine(node, target) || (is_dad && node->fault == SIM_FAULT_NO_DEFENCE))
		return;
	if (mac)
		learn(node, source, mac);
	send_advertisement(node, target, is_dad ? all_nodes : source, !is_dad,
			   destination[0] == 0xff && node->fault != SIM_FAULT_NA_NO_OPTION);
}

static void receive_advertisement(struct sim_node *node, const uint8_t *message, size_t size)
{
	const uint8_t *mac;
	struct sim_neighbour *neighbour;

	if (size < 24 || !find_option(message + 24, size - 24, 2, &mac))
		return;
	if (node->is_tentative && !memcmp(message + 8, node->link_local, 16)) {
		if (node->fault != SIM_FAULT_DAD_DEAF)
			sim_nd_stop(node);
		return;
	}
	neighbour = find(node, message + 8);
	if (!neighbour || (neighbour->state == SIM_INCOMPLETE && !mac))
		return;
	if (message[4] & 0x40)
		resolve(neighbour, mac ? mac : neighbour->mac, SIM_REACHABLE);
	else if (mac && memcmp(mac, neighbour->mac, 6))
		resolve(neighbour, mac, SIM_STALE);
}

/* --- autoconfiguration ---------------------------------------------------------- */

static void assign_global(void *user)
{
	struct sim_global *global = user;

	global->timer = NULL;
	global->is_assigned = true;
}

static void solicit_global(void *user)
{
	struct sim_global *global = user;
	struct sim_node *node = global->node;

	send_solicitation(node, unspecified, global->address, NULL, 255, false);
	global->timer = loop_timer_start(node->loop, loop_now_ns(node->loop) + node->retrans_ns,
					 assign_global, global);
}

/* An address of the prefix, unless there is one or no room for it. */
static void form_global(struct sim_node *node, const uint8_t prefix[8])
{
	struct sim_global *global = node->globals;

	while (global->node && memcmp(global->address, prefix, 8))
		if (++global == node->globals + SIM_GLOBALS)
			return;
	if (global->node)
		return;
	global->node = node;
	memcpy(global->address, prefix, 8);
	memcpy(global->address + 8, node->link_local + 8, 8);
	global->timer = loop_timer_start(node->loop, loop_now_ns(node->loop) + DAD_DELAY_NS,
					 solicit_global, global);
}

/* What tells the link's MTU, RFC 4861 6.3.4; more than Ethernet's is ignored, RFC 2464 2. */
static void take_mtu(struct sim_node *node, const uint8_t option[8])
{
	uint32_t mtu = (uint32_t)option[4] << 24 | (uint32_t)option[5] << 16 |
		       (uint32_t)option[6] << 8 | option[7];

	if (mtu >= 1280 && mtu <= 1500 && node->fault != SIM_FAULT_RA_MTU)
		node->link_mtu = mtu;
}

static void receive_router(struct sim_node *node, const uint8_t *packet, const uint8_t *message,
			   size_t size)
{
	const uint8_t *mac;
	uint32_t retrans_ms;

	if (size < 16 || !find_option(message + 16, size - 16, 1, &mac))
		return;
	if (mac)
		learn(node, packet + 8, mac);
	if (message[6] || message[7])
		memcpy(node->router, packet + 8, 16);
	retrans_ms = (uint32_t)message[12] << 24 | (uint32_t)message[13] << 16 |
		     (uint32_t)message[14] << 8 | message[15];
	if (retrans_ms && node->fault != SIM_FAULT_RETRANS_IGNORED)
		node->retrans_ns = retrans_ms * NS_PER_MS;
	for (size_t at = 16; at + 8 <= size; at += message[at + 1] * 8u) {
		if (message[at] == 3 && message[at + 1] == 4 && message[at + 3] & 0x40)
			form_global(node, message + at + 16);
		if (message[at] == 5)
			take_mtu(node, message + at);
	}
}

void sim_nd_receive(struct sim_node *node, const uint8_t *packet, const uint8_t *message,
		    size_t size)
{
	if (packet[7] != 255 && !(node->fault == SIM_FAULT_NS_HOP_LIMIT && packet[7] == 254))
		return;
	if (message[0] == NS)
		receive_solicitation(node, packet, message, size);
	else if (message[0] == NA)
		receive_advertisement(node, message, size);
	else if (message[0] == RA)
		receive_router(node, packet, message, size);
}

static void solicit_routers(struct sim_node *node)
{
	uint8_t message[8] = { RS };

	sim_send_icmp(node, node->link_local, all_routers, 255, message, sizeof(message));
}

static void assign_link_local(void *user)
{
	struct sim_node *node = user;

	node->dad_timer = NULL;
	node->is_tentative = false;
	node->has_link_local = true;
	solicit_routers(node);
}

static void detect_duplicate(void *user)
{
	struct sim_node *node = user;

	send_solicitation(node, unspecified, node->link_local, NULL,
			  node->fault == SIM_FAULT_DAD_HOP_LIMIT ? 64 : 255,
			  node->fault == SIM_FAULT_DAD_OPTION);
	node->dad_timer = loop_timer_start(node->loop, loop_now_ns(node->loop) + node->retrans_ns,
					   assign_link_local, node);
	if (node->fault == SIM_FAULT_DAD_EARLY)
		solicit_routers(node);
}

void sim_nd_start(struct sim_node *node)
{
	sim_nd_stop(node);
	node->is_tentative = true;
	node->dad_timer = loop_timer_start(
		node->loop, loop_now_ns(node->loop) + DAD_DELAY_NS,
		node->fault == SIM_FAULT_NO_DAD ? assign_link_local : detect_duplicate, node);
}

void sim_nd_stop(struct sim_node *node)
{
	cancel(&node->dad_timer);
	for (unsigned i = 0; i < SIM_GLOBALS; i++) {
		cancel(&node->globals[i].timer);
		node->globals[i] = (struct sim_global){ 0 };
	}
	for (unsigned i = 0; i < SIM_NEIGHBOURS; i++)
		forget(&node->neighbours[i]);
	node->is_tentative = false;
	node->has_link_local = false;
	node->retrans_ns = NS_PER_SECOND;
	memset(node->router, 0, 16);
	sim_fragment_forget_all(node);
	sim_path_forget_all(node);
}

void sim_nd_settle(struct sim_node *node)
{
	sim_nd_stop(node);
	node->has_link_local = true;
}
