/*
 * The neighbour cache: address resolution and neighbour unreachability detection,
 * RFC 4861 section 7 with the states of 7.3.2 and 7.3.3.
 */
#include "tests/simulated/sim.h"

#include <string.h>

#include "base/time.h"
#include "runners/loop.h"

#define DELAY_FIRST_PROBE_NS (5 * NS_PER_SECOND)
#define SOLICITATIONS_MAX    3

static const uint8_t unspecified[16];
static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };

static void start(struct sim_neighbour *neighbour, int64_t after_ns, loop_cb cb)
{
	sim_nd_cancel(&neighbour->timer);
	neighbour->timer =
		loop_timer_start(neighbour->node->loop,
				 loop_now_ns(neighbour->node->loop) + after_ns, cb, neighbour);
}

static void forget(struct sim_neighbour *neighbour)
{
	sim_nd_cancel(&neighbour->timer);
	neighbour->state = SIM_NONE;
	neighbour->queued = 0;
}

void sim_neighbour_forget_all(struct sim_node *node)
{
	for (unsigned i = 0; i < SIM_NEIGHBOURS; i++)
		forget(&node->neighbours[i]);
}

struct sim_neighbour *sim_neighbour_find(struct sim_node *node, const uint8_t address[16])
{
	for (unsigned i = 0; i < SIM_NEIGHBOURS; i++)
		if (node->neighbours[i].state != SIM_NONE &&
		    !memcmp(node->neighbours[i].address, address, 16))
			return &node->neighbours[i];
	return NULL;
}

const uint8_t *sim_neighbour_find_incomplete(const struct sim_node *node)
{
	for (unsigned i = 0; i < SIM_NEIGHBOURS; i++)
		if (node->neighbours[i].state == SIM_INCOMPLETE)
			return node->neighbours[i].address;
	return NULL;
}

/* An entry whose state is SIM_NONE yet; in the place of one that nobody uses, if all are taken. */
static struct sim_neighbour *make(struct sim_node *node, const uint8_t address[16])
{
	struct sim_neighbour *neighbour = NULL;

	for (unsigned i = 0; i < SIM_NEIGHBOURS; i++)
		if (node->neighbours[i].state == SIM_NONE ||
		    (!neighbour && node->neighbours[i].state == SIM_STALE))
			neighbour = &node->neighbours[i];
	if (!neighbour)
		return NULL;
	forget(neighbour);
	neighbour->node = node;
	memcpy(neighbour->address, address, 16);
	neighbour->is_router = sim_route_is_router(node, address);
	neighbour->solicitations = 0;
	return neighbour;
}

/* --- solicitations ----------------------------------------------------------------- */

void sim_neighbour_solicit(struct sim_node *node, const uint8_t source[16],
			   const uint8_t target[16], const uint8_t *unicast_mac, uint8_t hop_limit,
			   bool with_option)
{
	uint8_t packet[SIM_FRAME_MAX], message[32] = { SIM_NEIGHBOUR_SOLICITATION };
	uint8_t group[16] = { 0xff, 0x02, [11] = 1, [12] = 0xff }, mac[6] = { 0x33, 0x33 };
	size_t size = with_option ? 32 : 24;

	message[1] = node->fault == SIM_FAULT_NS_CODE_1;
	memcpy(message + 8, target, 16);
	message[24] = SIM_OPTION_SOURCE;
	message[25] = 1;
	memcpy(message + 26, node->mac, 6);
	if (node->fault == SIM_FAULT_NS_WRONG_OPTION)
		message[31] ^= 1;
	memcpy(group + 13, target + 13, 3);
	if (node->fault == SIM_FAULT_NS_GROUP)
		memcpy(group, all_nodes, 16);
	memcpy(mac + 2, group + 12, 4);
	size = sim_build_icmp(packet, source, unicast_mac ? target : group, hop_limit, message,
			      size);
	sim_send_frame(node, unicast_mac ? unicast_mac : mac, packet, size);
}

/* The neighbour does not answer: RFC 4861 7.3.3. What waits is dropped: it was the node's own. */
static void give_up(struct sim_neighbour *neighbour)
{
	uint8_t address[16];

	if (neighbour->node->fault == SIM_FAULT_FAILED_KEPT && neighbour->state == SIM_PROBE) {
		neighbour->state = SIM_STALE;
		return;
	}
	memcpy(address, neighbour->address, 16);
	forget(neighbour);
	sim_route_mark(neighbour->node, address, false);
}

/* How many solicitations a neighbour gets in all. */
static unsigned solicitations_max(const struct sim_node *node)
{
	switch (node->fault) {
	case SIM_FAULT_NS_ONCE:
		return 1;
	case SIM_FAULT_NS_BACK_OFF:
		return 2 * SOLICITATIONS_MAX;
	case SIM_FAULT_NS_MANY:
		return 10;
	default:
		return SOLICITATIONS_MAX;
	}
}

/* From the solicitation that is sent now to the next one. */
static int64_t solicitation_pause_ns(const struct sim_neighbour *neighbour)
{
	const struct sim_node *node = neighbour->node;
	int64_t pause_ns = node->retrans_ns;

	if (node->fault == SIM_FAULT_NS_FAST)
		return pause_ns * 4 / 10;
	for (unsigned i = SOLICITATIONS_MAX; i <= neighbour->solicitations; i++)
		if (node->fault == SIM_FAULT_NS_BACK_OFF)
			pause_ns *= 3; /* RFC 7048 section 3 */
	return pause_ns;
}

static void solicit(void *user)
{
	struct sim_neighbour *neighbour = user;
	struct sim_node *node = neighbour->node;
	const uint8_t *mac = NULL, *source = neighbour->source;

	neighbour->timer = NULL;
	if (neighbour->state == SIM_DELAY) {
		neighbour->state = SIM_PROBE;
		neighbour->solicitations = 0;
	}
	if (neighbour->solicitations == solicitations_max(node)) {
		give_up(neighbour);
		return;
	}
	neighbour->solicitations++;
	if (neighbour->state == SIM_PROBE || node->fault == SIM_FAULT_NS_SOURCE)
		source = sim_address_link_local(node);
	/* What goes on after MAX_UNICAST_SOLICIT has the neighbour anew: RFC 7048 section 3. */
	if (neighbour->state == SIM_PROBE && node->fault != SIM_FAULT_PROBE_MULTICAST &&
	    neighbour->solicitations <= SOLICITATIONS_MAX)
		mac = node->fault == SIM_FAULT_PROBE_OLD ? neighbour->first_mac : neighbour->mac;
	sim_neighbour_solicit(node, source, neighbour->address, mac,
			      node->fault == SIM_FAULT_NS_HOP_LIMIT_64 ? 64 : 255,
			      node->fault != SIM_FAULT_NS_NO_OPTION);
	start(neighbour, solicitation_pause_ns(neighbour), solicit);
}

/* --- sending ------------------------------------------------------------------------ */

static int64_t delay_ns(const struct sim_node *node)
{
	return node->fault == SIM_FAULT_PROBE_EARLY  ? 10 * NS_PER_MS
	       : node->fault == SIM_FAULT_DELAY_LONG ? 2 * DELAY_FIRST_PROBE_NS
						     : DELAY_FIRST_PROBE_NS;
}

static void transmit(struct sim_neighbour *neighbour, const uint8_t *packet, size_t size)
{
	struct sim_node *node = neighbour->node;

	sim_send_frame(node, neighbour->mac, packet, size);
	if (neighbour->state == SIM_STALE && node->fault != SIM_FAULT_NO_PROBE) {
		neighbour->state = SIM_DELAY;
		start(neighbour, delay_ns(node), solicit);
	}
}

/* The newest packet takes the place of the oldest when there is no more room, RFC 4861 7.2.2. */
static void enqueue(struct sim_neighbour *neighbour, const uint8_t *packet, size_t size)
{
	struct sim_node *node = neighbour->node;
	bool is_short = node->fault == SIM_FAULT_QUEUE_ONE || node->fault == SIM_FAULT_QUEUE_OLDEST;
	unsigned max = is_short ? 1 : SIM_QUEUE;

	for (unsigned i = 0; i < SIM_NEIGHBOURS && node->fault == SIM_FAULT_QUEUE_SHARED; i++)
		if (&node->neighbours[i] != neighbour)
			node->neighbours[i].queued = 0;
	if (node->fault == SIM_FAULT_QUEUE_NONE ||
	    (node->fault == SIM_FAULT_QUEUE_OLDEST && neighbour->queued == max))
		return;
	if (neighbour->queued == max)
		memmove(neighbour->queue, neighbour->queue + 1,
			--neighbour->queued * sizeof(*neighbour->queue));
	memcpy(neighbour->queue[neighbour->queued].packet, packet, size);
	neighbour->queue[neighbour->queued++].size = size;
}

void sim_neighbour_send(struct sim_node *node, const uint8_t next_hop[16], const uint8_t *packet,
			size_t size)
{
	struct sim_neighbour *neighbour = sim_neighbour_find(node, next_hop);

	if (!neighbour)
		neighbour = make(node, next_hop);
	if (!neighbour || size > SIM_FRAME_MAX)
		return;
	if (neighbour->state == SIM_STALE && node->fault == SIM_FAULT_STALE_UNUSED)
		forget(neighbour);
	if (neighbour->state != SIM_NONE && neighbour->state != SIM_INCOMPLETE) {
		transmit(neighbour, packet, size);
		return;
	}
	enqueue(neighbour, packet, size);
	if (neighbour->state == SIM_NONE) {
		neighbour->state = SIM_INCOMPLETE;
		memcpy(neighbour->source,
		       sim_address_is_mine(node, packet + 8) ? packet + 8
							     : sim_address_link_local(node),
		       16);
		solicit(neighbour);
	}
}

/* --- what is known of a neighbour changes -------------------------------------------- */

static void become_stale(void *user)
{
	struct sim_neighbour *neighbour = user;

	neighbour->timer = NULL;
	neighbour->state = SIM_STALE;
	if (neighbour->node->fault == SIM_FAULT_PROBE_IDLE) {
		neighbour->state = SIM_DELAY;
		start(neighbour, 0, solicit);
	}
}

/* ReachableTime, RFC 4861 6.3.2. */
static int64_t reachable_ns(const struct sim_node *node)
{
	switch (node->fault) {
	case SIM_FAULT_REACHABLE_SHORT:
		return node->reachable_ns / 2;
	case SIM_FAULT_REACHABLE_LONG:
		return node->reachable_ns * 3 / 2;
	case SIM_FAULT_REACHABLE_NEVER:
		return 2 * NS_PER_SECOND;
	default:
		return node->reachable_ns;
	}
}

/* The neighbour's MAC is known now, and the state; what waited for it is sent. */
static void resolve(struct sim_neighbour *neighbour, const uint8_t mac[6], enum sim_state state)
{
	unsigned queued = neighbour->queued;

	sim_nd_cancel(&neighbour->timer);
	memmove(neighbour->mac, mac, 6);
	if (neighbour->state == SIM_NONE || neighbour->state == SIM_INCOMPLETE)
		memcpy(neighbour->first_mac, neighbour->mac, 6);
	neighbour->state = state;
	neighbour->queued = 0;
	if (state == SIM_REACHABLE && neighbour->node->fault != SIM_FAULT_REACHABLE_KEPT)
		start(neighbour, reachable_ns(neighbour->node), become_stale);
	for (unsigned i = 0; i < queued; i++)
		transmit(neighbour, neighbour->queue[i].packet, neighbour->queue[i].size);
	sim_route_mark(neighbour->node, neighbour->address, true);
}

/* The faults of what a message's link-layer address does to an entry. */
struct learning {
	enum sim_fault not_cached, reachable, no_change, no_stale, stale, frame;
};

static const struct learning *find_learning(uint8_t type)
{
	static const struct learning solicitation = {
		SIM_FAULT_NS_NOT_CACHED, SIM_FAULT_NS_CONFIRMS, SIM_FAULT_NS_KEEP_MAC,
		SIM_FAULT_NS_KEEP_STATE, SIM_FAULT_NS_STALE,    SIM_FAULT_NS_FRAME,
	};
	static const struct learning advertisement = {
		SIM_FAULT_RA_NOT_CACHED, SIM_FAULT_RA_CONFIRMS, SIM_FAULT_RA_KEEP_MAC,
		SIM_FAULT_RA_KEEP_STATE, SIM_FAULT_RA_STALE,    SIM_FAULT_RA_FRAME,
	};
	static const struct learning redirect = {
		SIM_FAULT_REDIRECT_NOT_CACHED, SIM_FAULT_REDIRECT_CONFIRMS,
		SIM_FAULT_REDIRECT_KEEP_MAC,   SIM_FAULT_REDIRECT_KEEP_STATE,
		SIM_FAULT_REDIRECT_STALE,      SIM_FAULT_REDIRECT_FRAME,
	};

	return type == SIM_REDIRECT                 ? &redirect
	       : type == SIM_NEIGHBOUR_SOLICITATION ? &solicitation
						    : &advertisement;
}

struct sim_neighbour *sim_neighbour_learn(struct sim_node *node, uint8_t type,
					  const uint8_t address[16], const uint8_t *mac)
{
	const struct learning *fault = find_learning(type);
	struct sim_neighbour *neighbour = sim_neighbour_find(node, address);
	bool is_new;

	if (!mac && node->fault == fault->frame)
		mac = node->sender;
	if (!mac || node->fault == fault->not_cached)
		return neighbour;
	if (!neighbour)
		neighbour = make(node, address);
	if (!neighbour)
		return NULL;
	is_new = neighbour->state == SIM_NONE || neighbour->state == SIM_INCOMPLETE;
	if (!is_new && memcmp(neighbour->mac, mac, 6) != 0 && node->fault == fault->no_stale)
		memcpy(neighbour->mac, mac, 6);
	if (is_new || (memcmp(neighbour->mac, mac, 6) != 0 && node->fault != fault->no_change) ||
	    node->fault == fault->stale || node->fault == fault->reachable)
		resolve(neighbour, mac,
			node->fault == fault->reachable ? SIM_REACHABLE : SIM_STALE);
	return neighbour;
}

/* --- messages ------------------------------------------------------------------------- */

static void advertise(struct sim_node *node, const uint8_t target[16],
		      const uint8_t destination[16], bool solicited, bool with_option)
{
	enum sim_fault fault = node->fault;
	uint8_t message[32] = { SIM_NEIGHBOUR_ADVERTISEMENT, fault == SIM_FAULT_NA_CODE_1 };

	message[4] = (uint8_t)((fault == SIM_FAULT_NA_ROUTER ? 0x80 : 0) |
			       (solicited && fault != SIM_FAULT_NA_UNSOLICITED ? 0x40 : 0) |
			       (with_option && fault != SIM_FAULT_NA_NO_OVERRIDE ? 0x20 : 0));
	memcpy(message + 8, target, 16);
	if (fault == SIM_FAULT_NA_TARGET)
		message[23] ^= 1;
	message[24] = SIM_OPTION_TARGET;
	message[25] = 1;
	memcpy(message + 26, node->mac, 6);
	sim_send_icmp(
		node, sim_address_is_mine(node, target) ? target : sim_address_link_local(node),
		fault == SIM_FAULT_NA_GROUP ? all_nodes : destination,
		fault == SIM_FAULT_NA_HOP_LIMIT_64 ? 64 : 255, message, with_option ? 32 : 24);
}

/* What RFC 4861 7.1.1 says of a solicitation beside its form. */
static bool is_valid_solicitation(const struct sim_node *node, const uint8_t *packet,
				  const uint8_t *target, const uint8_t *mac)
{
	static const uint8_t group[13] = { 0xff, 0x02, [11] = 1, [12] = 0xff };

	if (target[0] == 0xff && node->fault != SIM_FAULT_NS_TARGET)
		return false;
	if (memcmp(packet + 8, unspecified, 16) != 0)
		return true;
	return (!mac || node->fault == SIM_FAULT_NS_DAD_OPTION) &&
	       (!memcmp(packet + 24, group, 13) || node->fault == SIM_FAULT_NS_DAD_UNICAST);
}

/* The address of the node's whose group that is: what a fault takes for it. */
static const uint8_t *find_member(const struct sim_node *node, const uint8_t group[16])
{
	for (unsigned i = 0; i < SIM_ADDRESSES; i++)
		if (node->addresses[i].state != SIM_FREE &&
		    !memcmp(node->addresses[i].address + 13, group + 13, 3))
			return node->addresses[i].address;
	return sim_address_link_local(node);
}

static void learn_solicitor(struct sim_node *node, const uint8_t source[16], const uint8_t *mac)
{
	struct sim_neighbour *neighbour =
		sim_neighbour_learn(node, SIM_NEIGHBOUR_SOLICITATION, source, mac);

	if (neighbour && node->fault == SIM_FAULT_NS_HOST) {
		neighbour->is_router = false;
		sim_route_forget_router(node, source);
	}
}

/* RFC 4861 7.2.3, 7.2.4; RFC 4862 5.4.3. */
void sim_neighbour_take_solicitation(struct sim_node *node, const uint8_t *packet,
				     const uint8_t *message, size_t size)
{
	const uint8_t *source = packet + 8, *destination = packet + 24, *target = message + 8;
	const uint8_t *mac = sim_nd_find_option(message + 24, size - 24, SIM_OPTION_SOURCE);
	bool is_dad = !memcmp(source, unspecified, 16);
	bool is_early = node->fault == SIM_FAULT_NA_OLD_ADDRESS;
	bool with_option = destination[0] == 0xff && node->fault != SIM_FAULT_NA_NO_OPTION;
	const uint8_t *member = target[0] == 0xff ? find_member(node, target) : target;

	if (!is_valid_solicitation(node, packet, target, mac) ||
	    sim_address_take_duplicate(node, member, is_dad, SIM_NEIGHBOUR_SOLICITATION) ||
	    !sim_address_is_mine(node, member) || node->fault == SIM_FAULT_NA_SILENT ||
	    (is_dad && node->fault == SIM_FAULT_NO_DEFENCE))
		return;
	if (is_early)
		advertise(node, target, is_dad ? all_nodes : source, !is_dad, with_option);
	if (!is_dad)
		learn_solicitor(node, source, mac);
	if (!is_early)
		advertise(node, target, is_dad ? all_nodes : source, !is_dad, with_option);
}

/* A router says that it is none any more: whether the node believes it. */
static bool believes(const struct sim_node *node, uint8_t flags, const uint8_t *mac)
{
	switch (node->fault) {
	case SIM_FAULT_NA_ROUTER_IGNORED:
		return false;
	case SIM_FAULT_NA_ROUTER_SOLICITED:
		return flags & 0x40;
	case SIM_FAULT_NA_ROUTER_OVERRIDE:
		return flags & 0x20;
	case SIM_FAULT_NA_ROUTER_OPTION:
		return mac;
	default:
		return true;
	}
}

static bool confirms(const struct sim_node *node, uint8_t flags)
{
	return (flags & 0x40 || node->fault == SIM_FAULT_NA_CONFIRMS) &&
	       node->fault != SIM_FAULT_NA_NO_CONFIRM;
}

/* RFC 4861 7.2.5: what an advertisement changes in an entry whose MAC is known. */
static void update(struct sim_neighbour *neighbour, uint8_t flags, const uint8_t *mac)
{
	enum sim_fault fault = neighbour->node->fault;
	bool overrides = (flags & 0x20 || fault == SIM_FAULT_NA_OVERRIDE_ANY) &&
			 fault != SIM_FAULT_NA_OVERRIDE_IGNORED;
	bool is_other = mac && memcmp(mac, neighbour->mac, 6) != 0;
	bool is_stopped = neighbour->state == SIM_PROBE && fault == SIM_FAULT_NA_STOPS_PROBE;
	bool was_router = neighbour->is_router;

	if (!mac && fault == SIM_FAULT_NA_OPTION_NEEDED)
		return;
	if (is_other && !overrides) {
		if ((neighbour->state == SIM_REACHABLE && fault != SIM_FAULT_NA_NO_STALE) ||
		    is_stopped)
			resolve(neighbour, neighbour->mac, SIM_STALE);
		return;
	}
	if (confirms(neighbour->node, flags))
		resolve(neighbour, mac ? mac : neighbour->mac, SIM_REACHABLE);
	else if (is_other || is_stopped || fault == SIM_FAULT_NA_STALE)
		resolve(neighbour, mac ? mac : neighbour->mac, SIM_STALE);
	neighbour->is_router = flags & 0x80;
	if (was_router && !neighbour->is_router && believes(neighbour->node, flags, mac))
		sim_route_forget_router(neighbour->node, neighbour->address);
}

/* What one does to an entry whose MAC is not known. */
static void complete(struct sim_neighbour *neighbour, uint8_t flags, const uint8_t *mac)
{
	struct sim_node *node = neighbour->node;

	if (!mac || (!(flags & 0x20) && node->fault == SIM_FAULT_NA_INCOMPLETE_OVERRIDE))
		return;
	neighbour->is_router = flags & 0x80;
	resolve(neighbour, mac, confirms(node, flags) ? SIM_REACHABLE : SIM_STALE);
}

/* The neighbour that is resolved and whose group that is: what a fault takes for the target. */
static const uint8_t *find_solicited(const struct sim_node *node, const uint8_t group[16])
{
	const uint8_t *neighbour = sim_neighbour_find_incomplete(node);

	return neighbour && !memcmp(neighbour + 13, group + 13, 3) ? neighbour
								   : find_member(node, group);
}

void sim_neighbour_take_advertisement(struct sim_node *node, const uint8_t *packet,
				      const uint8_t *message, size_t size)
{
	const uint8_t *mac = sim_nd_find_option(message + 24, size - 24, SIM_OPTION_TARGET);
	const uint8_t *target = message + 8;
	struct sim_neighbour *neighbour;

	if ((target[0] == 0xff && node->fault != SIM_FAULT_NA_TARGET_GROUP) ||
	    (packet[24] == 0xff && message[4] & 0x40 &&
	     node->fault != SIM_FAULT_NA_SOLICITED_GROUP))
		return;
	if (target[0] == 0xff)
		target = find_solicited(node, target);
	if (sim_address_take_duplicate(node, target, true, SIM_NEIGHBOUR_ADVERTISEMENT))
		return;
	neighbour = sim_neighbour_find(node, target);
	if (!mac && node->fault == SIM_FAULT_NA_FRAME)
		mac = node->sender;
	if (!neighbour && mac &&
	    (node->fault == SIM_FAULT_NA_CREATED || node->fault == SIM_FAULT_NA_FRAME))
		neighbour = make(node, target);
	if (!neighbour)
		return;
	if (neighbour->state == SIM_INCOMPLETE || neighbour->state == SIM_NONE)
		complete(neighbour, message[4], mac);
	else
		update(neighbour, message[4], mac);
}
