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
#define RETRANS_MAX_NS       (60 * NS_PER_SECOND) /* MAX_RETRANS_TIMER of RFC 7048 4 */

static const uint8_t unspecified[16];
static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };
static const uint8_t all_routers[16] = { 0xff, 0x02, [15] = 2 };

static void start(struct sim_neighbour *neighbour, int64_t after_ns, loop_cb cb)
{
	sim_nd_cancel(&neighbour->timer);
	neighbour->timer = sim_nd_after(neighbour->node, after_ns, cb, neighbour);
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
	bool with_nonce = node->fault == SIM_FAULT_DAD_NONCE && !memcmp(source, unspecified, 16);
	size_t size = with_option || with_nonce ? 32 : 24;

	memcpy(message + 8, target, 16);
	message[24] = with_nonce ? SIM_OPTION_NONCE : SIM_OPTION_SOURCE;
	message[25] = 1;
	memcpy(message + 26, node->mac, 6);
	message[1] = node->fault == SIM_FAULT_NS_SENT_CODE;
	message[7] = node->fault == (memcmp(source, unspecified, 16) ? SIM_FAULT_NS_SENT_RESERVED
								     : SIM_FAULT_DAD_RESERVED);
	message[31] ^= node->fault == SIM_FAULT_NS_SENT_MAC;
	memcpy(group + 13, target + 13, 3);
	if (node->fault == SIM_FAULT_NS_SENT_GROUP ||
	    (node->fault == SIM_FAULT_DAD_ALL_NODES && !memcmp(source, unspecified, 16)))
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

	if (neighbour->node->fault == SIM_FAULT_PROBE_FAILED && neighbour->state == SIM_PROBE) {
		neighbour->state = SIM_STALE;
		return;
	}
	memcpy(address, neighbour->address, 16);
	forget(neighbour);
	sim_route_mark(neighbour->node, address, false);
}

/* How many solicitations the node sends to a neighbour that does not answer. */
static unsigned solicitations_max(enum sim_fault fault)
{
	switch (fault) {
	case SIM_FAULT_NS_ONCE:
		return 1;
	case SIM_FAULT_NS_MANY:
		return 10;
	case SIM_FAULT_NS_BACK_OFF:
	case SIM_FAULT_NS_GO_ON:
		return 5;
	default:
		return SOLICITATIONS_MAX;
	}
}

/* From one solicitation to the next: RetransTimer, or with RFC 7048 4 three times as long each time. */
static int64_t solicitation_pause_ns(const struct sim_neighbour *neighbour)
{
	enum sim_fault fault = neighbour->node->fault;
	int64_t pause_ns = neighbour->node->retrans_ns;
	unsigned first = fault == SIM_FAULT_NS_BACK_OFF ? 1 : SOLICITATIONS_MAX;

	if (fault == SIM_FAULT_NS_FAST)
		return pause_ns * 4 / 10;
	if (fault != SIM_FAULT_NS_BACK_OFF && fault != SIM_FAULT_NS_GO_ON)
		return pause_ns;
	for (unsigned i = first; i < neighbour->solicitations && pause_ns < RETRANS_MAX_NS; i++)
		pause_ns = 3 * pause_ns < RETRANS_MAX_NS ? 3 * pause_ns : RETRANS_MAX_NS;
	return pause_ns;
}

/* Probes are unicast; those that RFC 7048 adds are multicast, as the link-layer address may have changed. */
static bool is_unicast(const struct sim_neighbour *neighbour)
{
	enum sim_fault fault = neighbour->node->fault;

	return neighbour->state == SIM_PROBE && fault != SIM_FAULT_PROBE_MULTICAST &&
	       (fault != SIM_FAULT_NS_GO_ON || neighbour->solicitations <= SOLICITATIONS_MAX);
}

/* The source of what waits, or of a probe the link-local address, as RFC 4861 7.2.2 leaves open. */
static const uint8_t *solicitation_source(const struct sim_neighbour *neighbour)
{
	const struct sim_node *node = neighbour->node;
	bool is_local = neighbour->state == SIM_PROBE ? node->fault != SIM_FAULT_PROBE_SOURCE
						      : node->fault == SIM_FAULT_NS_SOURCE;

	return is_local || !sim_address_is_mine(node, neighbour->source)
		       ? sim_address_link_local(node)
		       : neighbour->source;
}

/* RFC 7048 4: after three solicitations other routers are tried, though more go to this neighbour. */
static void doubt_router(const struct sim_neighbour *neighbour)
{
	struct sim_node *node = neighbour->node;

	if (neighbour->state == SIM_PROBE && (neighbour->solicitations > SOLICITATIONS_MAX ||
					      (neighbour->solicitations == SOLICITATIONS_MAX &&
					       node->fault == SIM_FAULT_NS_BACK_OFF)))
		sim_route_mark(node, neighbour->address, false);
}

static void solicit(void *user)
{
	struct sim_neighbour *neighbour = user;
	struct sim_node *node = neighbour->node;
	const uint8_t *mac =
		node->fault == SIM_FAULT_PROBE_OLD ? neighbour->first_mac : neighbour->mac;

	neighbour->timer = NULL;
	if (neighbour->state == SIM_DELAY) {
		neighbour->state = SIM_PROBE;
		neighbour->solicitations = 0;
	}
	if (neighbour->solicitations == solicitations_max(node->fault)) {
		give_up(neighbour);
		return;
	}
	neighbour->solicitations++;
	doubt_router(neighbour);
	sim_neighbour_solicit(
		node, solicitation_source(neighbour), neighbour->address,
		is_unicast(neighbour) ? mac : NULL,
		node->fault == SIM_FAULT_NS_SENT_HOP_LIMIT ? 64 : 255,
		node->fault != SIM_FAULT_NS_NO_OPTION &&
			!(node->fault == SIM_FAULT_PROBE_PLAIN && is_unicast(neighbour)));
	start(neighbour, solicitation_pause_ns(neighbour), solicit);
}

/* --- sending ------------------------------------------------------------------------ */

static void transmit(struct sim_neighbour *neighbour, const uint8_t *packet, size_t size)
{
	struct sim_node *node = neighbour->node;

	sim_send_frame(node, neighbour->mac, packet, size);
	if (neighbour->state == SIM_STALE && node->fault != SIM_FAULT_NO_PROBE) {
		neighbour->state = SIM_DELAY;
		start(neighbour,
		      node->fault == SIM_FAULT_PROBE_EARLY  ? NS_PER_SECOND
		      : node->fault == SIM_FAULT_PROBE_LATE ? 2 * DELAY_FIRST_PROBE_NS
							    : DELAY_FIRST_PROBE_NS,
		      solicit);
	}
}

/* The newest packet takes the place of the oldest when there is no more room, RFC 4861 7.2.2. */
static void enqueue(struct sim_neighbour *neighbour, const uint8_t *packet, size_t size)
{
	struct sim_node *node = neighbour->node;
	unsigned max = node->fault == SIM_FAULT_QUEUE_ONE ? 1 : SIM_QUEUE;

	if (node->fault == SIM_FAULT_QUEUE_NONE ||
	    (node->fault == SIM_FAULT_QUEUE_OLDEST && neighbour->queued))
		return;
	for (unsigned i = 0; i < SIM_NEIGHBOURS && node->fault == SIM_FAULT_QUEUE_SHARED; i++)
		if (&node->neighbours[i] != neighbour)
			node->neighbours[i].queued = 0;
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
	if (neighbour->state == SIM_INCOMPLETE) {
		enqueue(neighbour, packet, size);
		if (node->fault == SIM_FAULT_NS_EACH_PACKET)
			sim_neighbour_solicit(node, neighbour->source, next_hop, NULL, 255, true);
		return;
	}
	if (neighbour->state == SIM_PROBE && node->fault == SIM_FAULT_PROBE_HOLDS)
		return;
	if (neighbour->state == SIM_DELAY && node->fault == SIM_FAULT_DELAY_RESTARTS)
		start(neighbour, DELAY_FIRST_PROBE_NS, solicit);
	memcpy(neighbour->source, packet + 8, 16);
	if (neighbour->state == SIM_NONE) {
		neighbour->state = SIM_INCOMPLETE;
		neighbour->solicitations = 0;
		enqueue(neighbour, packet, size);
		solicit(neighbour);
	} else {
		transmit(neighbour, packet, size);
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

/* ReachableTime: half to one and a half of BaseReachableTime, RFC 4861 6.3.2. */
static int64_t draw_reachable_ns(struct sim_node *node)
{
	if (node->fault == SIM_FAULT_RANDOM)
		return sim_nd_draw(node, node->reachable_ns / 2, node->reachable_ns * 3 / 2);
	switch (node->fault) {
	case SIM_FAULT_REACHABLE_SHORT:
		return node->reachable_ns / 2;
	case SIM_FAULT_REACHABLE_NEVER:
		return 2 * NS_PER_SECOND;
	case SIM_FAULT_REACHABLE_LONG:
		return node->reachable_ns * 3 / 2;
	default:
		return node->reachable_ns;
	}
}

/* The neighbour's MAC is known now; what waited for it is sent. */
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
		start(neighbour, draw_reachable_ns(neighbour->node), become_stale);
	for (unsigned i = 0; i < queued; i++)
		transmit(neighbour, neighbour->queue[i].packet, neighbour->queue[i].size);
	sim_route_mark(neighbour->node, neighbour->address, true);
}

/* The faults of what the link-layer address in a message does to an entry. */
struct learning {
	enum sim_fault not_cached, no_resolution, keep_mac, keep_state, stale, confirms, frame;
};

static const struct learning *find_learning(uint8_t type)
{
	static const struct learning solicitation = {
		.not_cached = SIM_FAULT_NS_NOT_CACHED,
		.no_resolution = SIM_FAULT_NS_NO_RESOLUTION,
		.keep_mac = SIM_FAULT_NS_KEEP_MAC,
		.keep_state = SIM_FAULT_NS_KEEP_STATE,
		.stale = SIM_FAULT_NS_STALE,
		.confirms = SIM_FAULT_NS_CONFIRMS,
		.frame = SIM_FAULT_NS_FRAME,
	};
	static const struct learning advertisement = {
		.not_cached = SIM_FAULT_RA_NOT_CACHED,
		.no_resolution = SIM_FAULT_RA_NO_RESOLUTION,
		.keep_mac = SIM_FAULT_RA_KEEP_MAC,
		.keep_state = SIM_FAULT_RA_KEEP_STATE,
		.stale = SIM_FAULT_RA_STALE,
		.confirms = SIM_FAULT_RA_CONFIRMS,
		.frame = SIM_FAULT_RA_FRAME,
	};
	static const struct learning redirect = {
		.not_cached = SIM_FAULT_REDIRECT_NOT_CACHED,
		.no_resolution = SIM_FAULT_REDIRECT_NO_RESOLUTION,
		.keep_mac = SIM_FAULT_REDIRECT_KEEP_MAC,
		.keep_state = SIM_FAULT_REDIRECT_KEEP_STATE,
		.stale = SIM_FAULT_REDIRECT_STALE,
		.confirms = SIM_FAULT_REDIRECT_CONFIRMS,
		.frame = SIM_FAULT_REDIRECT_FRAME,
	};

	return type == SIM_NEIGHBOUR_SOLICITATION ? &solicitation
	       : type == SIM_REDIRECT             ? &redirect
						  : &advertisement;
}

struct sim_neighbour *sim_neighbour_learn(struct sim_node *node, uint8_t type,
					  const uint8_t address[16], const uint8_t *mac)
{
	const struct learning *fault = find_learning(type);
	struct sim_neighbour *neighbour = sim_neighbour_find(node, address);
	bool is_new = !neighbour || neighbour->state == SIM_INCOMPLETE;

	if (!mac && node->fault == fault->frame)
		mac = node->sender;
	if (!mac || node->fault == fault->not_cached ||
	    (!is_new && node->fault == fault->keep_mac) ||
	    (is_new && neighbour && node->fault == fault->no_resolution))
		return neighbour;
	if (!neighbour)
		neighbour = make(node, address);
	if (!neighbour)
		return NULL;
	if (!is_new && node->fault == fault->keep_state)
		memcpy(neighbour->mac, mac, 6);
	if (node->fault == fault->confirms)
		resolve(neighbour, mac, SIM_REACHABLE);
	else if (is_new || memcmp(neighbour->mac, mac, 6) != 0 || node->fault == fault->stale)
		resolve(neighbour, mac, SIM_STALE);
	return neighbour;
}

void sim_neighbour_hint(struct sim_node *node, const uint8_t address[16])
{
	struct sim_neighbour *neighbour = sim_neighbour_find(node, address);

	if (neighbour && neighbour->state != SIM_INCOMPLETE)
		resolve(neighbour, neighbour->mac, SIM_REACHABLE);
}

/* --- messages ------------------------------------------------------------------------- */

static void advertise(struct sim_node *node, const uint8_t target[16],
		      const uint8_t destination[16], bool solicited, bool with_option)
{
	uint8_t message[32] = { SIM_NEIGHBOUR_ADVERTISEMENT };
	enum sim_fault fault = node->fault;
	bool overrides = with_option && fault != SIM_FAULT_NA_NO_OVERRIDE &&
			 memcmp(destination, all_routers, 16) != 0;

	if (fault == SIM_FAULT_DEFENCE_SOLICITED && destination[0] == 0xff)
		solicited = true;
	message[1] = fault == SIM_FAULT_NA_SENT_CODE;
	message[4] = (uint8_t)((fault == SIM_FAULT_NA_ROUTER ? 0x80 : 0) |
			       (solicited && fault != SIM_FAULT_NA_UNSOLICITED ? 0x40 : 0) |
			       (overrides ? 0x20 : 0));
	message[7] = fault == SIM_FAULT_NA_SENT_RESERVED;
	memcpy(message + 8, target, 16);
	message[23] ^= fault == SIM_FAULT_NA_SENT_TARGET;
	message[24] = SIM_OPTION_TARGET;
	message[25] = 1;
	memcpy(message + 26, node->mac, 6);
	message[31] ^= fault == SIM_FAULT_NA_SENT_MAC;
	sim_send_icmp(node, fault == SIM_FAULT_NA_SOURCE ? sim_address_link_local(node) : target,
		      fault == SIM_FAULT_NA_SENT_GROUP ? all_nodes : destination,
		      fault == SIM_FAULT_NA_SENT_HOP_LIMIT ? 64 : 255, message,
		      with_option ? 32 : 24);
}

void sim_neighbour_announce(struct sim_node *node, const uint8_t address[16])
{
	advertise(node, address, all_routers, false, true);
}

/* RFC 4861 7.1.1, as far as it is about addresses; `mac` is that of the option, or NULL. */
static bool is_valid_solicitation(const struct sim_node *node, const uint8_t *packet,
				  const uint8_t *target, const uint8_t *mac)
{
	static const uint8_t group[13] = { 0xff, 0x02, [11] = 1, [12] = 0xff };

	if (target[0] == 0xff)
		return node->fault == SIM_FAULT_NS_TARGET;
	if (memcmp(packet + 8, unspecified, 16) != 0)
		return true;
	return (!mac || node->fault == SIM_FAULT_NS_DAD_OPTION) &&
	       (!memcmp(packet + 24, group, 13) || node->fault == SIM_FAULT_NS_DAD_UNICAST);
}

/* What a solicitation with that address, or NULL, does to the entry of its source: RFC 4861 7.2.3. */
static void learn_solicitor(struct sim_node *node, const uint8_t source[16], const uint8_t *mac)
{
	struct sim_neighbour *neighbour = sim_neighbour_find(node, source);

	if (neighbour && node->fault == SIM_FAULT_NS_HOST) {
		neighbour->is_router = false;
		sim_route_forget_router(node, source);
	}
	(void)sim_neighbour_learn(node, SIM_NEIGHBOUR_SOLICITATION, source, mac);
}

/* RFC 4861 7.2.3, 7.2.4; RFC 4862 5.4.3. */
void sim_neighbour_take_solicitation(struct sim_node *node, const uint8_t *packet,
				     const uint8_t *message, size_t size)
{
	const uint8_t *source = packet + 8, *destination = packet + 24, *target = message + 8;
	const uint8_t *mac = sim_nd_find_option(message + 24, size - 24, SIM_OPTION_SOURCE);
	bool is_dad = !memcmp(source, unspecified, 16);
	bool is_early = node->fault == SIM_FAULT_NA_SENT_EARLY;
	bool with_option = (destination[0] == 0xff || node->fault == SIM_FAULT_NA_FULL) &&
			   node->fault != SIM_FAULT_NA_NO_OPTION;

	if (sim_address_misreads(node, packet, message) ||
	    !is_valid_solicitation(node, packet, target, mac) ||
	    (sim_address_take_duplicate(node, target, is_dad) &&
	     node->fault != SIM_FAULT_DAD_ANSWER) ||
	    (target[0] != 0xff && !sim_address_hears(node, target) &&
	     node->fault != SIM_FAULT_NS_ANY_TARGET) ||
	    (is_dad && node->fault == SIM_FAULT_NO_DEFENCE) || node->fault == SIM_FAULT_NA_SILENT)
		return;
	if (!is_dad && !is_early)
		learn_solicitor(node, source, mac);
	advertise(node, target, is_dad ? all_nodes : source, !is_dad, with_option);
	if (!is_dad && is_early)
		learn_solicitor(node, source, mac);
}

size_t sim_neighbour_complete(struct sim_node *node, uint8_t *message)
{
	memcpy(message + 8, sim_address_link_local(node), 16);
	for (unsigned i = 0; i < SIM_NEIGHBOURS; i++)
		if (node->neighbours[i].state == SIM_INCOMPLETE)
			memcpy(message + 8, node->neighbours[i].address, 16);
	message[24] = SIM_OPTION_TARGET;
	message[25] = 1;
	return 32;
}

/* What an advertisement says, as far as the node's fault lets it hear. */
struct advertised {
	bool is_router, is_solicited, overrides;
	const uint8_t *mac; /* NULL: none */
};

static void take_router_flag(struct sim_neighbour *neighbour, const struct advertised *said)
{
	enum sim_fault fault = neighbour->node->fault;
	bool was_router = neighbour->is_router;

	if (fault == SIM_FAULT_NA_ROUTER_FLAG ||
	    (fault == SIM_FAULT_NA_ROUTER_OVERRIDE && !said->overrides) ||
	    (fault == SIM_FAULT_NA_ROUTER_SOLICITED && !said->is_solicited) ||
	    (fault == SIM_FAULT_NA_ROUTER_OPTION && !said->mac))
		return;
	neighbour->is_router = said->is_router;
	if (was_router && !said->is_router)
		sim_route_forget_router(neighbour->node, neighbour->address);
}

/* Rule I of RFC 4861 7.2.5: another MAC than the one that is known, and Override is clear. */
static void doubt(struct sim_neighbour *neighbour, const struct advertised *said)
{
	enum sim_fault fault = neighbour->node->fault;

	if (fault == SIM_FAULT_NA_OTHER_CONFIRMS && said->is_solicited)
		resolve(neighbour, neighbour->mac, SIM_REACHABLE);
	else if ((neighbour->state == SIM_REACHABLE && fault != SIM_FAULT_NA_OTHER_IGNORED) ||
		 fault == SIM_FAULT_NA_OTHER_STALE)
		resolve(neighbour, neighbour->mac, SIM_STALE);
}

/* RFC 4861 7.2.5: what an advertisement changes in an entry that is there. */
static void update(struct sim_neighbour *neighbour, const struct advertised *said)
{
	enum sim_fault fault = neighbour->node->fault;
	bool is_other = said->mac && memcmp(said->mac, neighbour->mac, 6) != 0;
	bool takes = is_other && fault != SIM_FAULT_NA_KEEPS;
	const uint8_t *mac = takes ? said->mac : neighbour->mac;

	if (neighbour->state == SIM_INCOMPLETE) {
		if (!said->mac || (fault == SIM_FAULT_NA_OVERRIDE_NEEDED && !said->overrides))
			return;
		neighbour->is_router = said->is_router;
		resolve(neighbour, said->mac, said->is_solicited ? SIM_REACHABLE : SIM_STALE);
		return;
	}
	if (fault == SIM_FAULT_NA_OPTION_NEEDED && !said->mac)
		return;
	if (is_other && !said->overrides && fault != SIM_FAULT_NA_OVERRIDES) {
		doubt(neighbour, said);
		return;
	}
	if (fault == SIM_FAULT_NA_PROBING && neighbour->state == SIM_PROBE)
		memmove(neighbour->mac, mac, 6);
	else if (fault == SIM_FAULT_NA_STALE)
		resolve(neighbour, mac, SIM_STALE);
	else if (said->is_solicited ||
		 (fault == SIM_FAULT_NA_PROBE_CONFIRMS && neighbour->state == SIM_PROBE))
		resolve(neighbour, mac, SIM_REACHABLE);
	else if (takes)
		resolve(neighbour, mac, SIM_STALE);
	take_router_flag(neighbour, said);
}

/* An advertisement of somebody whom the node did not look for is discarded; but for its faults. */
static void take_unknown(struct sim_node *node, const uint8_t *target, const uint8_t *mac)
{
	struct sim_neighbour *neighbour;

	if (mac && (node->fault == SIM_FAULT_NA_CREATES || node->fault == SIM_FAULT_NA_BELIEVED)) {
		neighbour = sim_neighbour_learn(node, SIM_NEIGHBOUR_ADVERTISEMENT, target, mac);
		if (neighbour && node->fault == SIM_FAULT_NA_BELIEVED)
			resolve(neighbour, mac, SIM_REACHABLE);
	} else if (node->fault == SIM_FAULT_NA_RESOLVES && (neighbour = make(node, target))) {
		neighbour->state = SIM_INCOMPLETE;
		memcpy(neighbour->source, sim_address_link_local(node), 16);
		solicit(neighbour);
	}
}

static bool is_for_group(const struct sim_node *node, const uint8_t *packet, const uint8_t *message)
{
	return (message[8] == 0xff && node->fault != SIM_FAULT_NA_TARGET) ||
	       (packet[24] == 0xff && message[4] & 0x40 && node->fault != SIM_FAULT_NA_GROUP);
}

void sim_neighbour_take_advertisement(struct sim_node *node, const uint8_t *packet,
				      const uint8_t *message, size_t size)
{
	/* The sender takes the place of a target that makes no sense. */
	const uint8_t *target = message[8] == 0xff ? packet + 8 : message + 8;
	struct sim_neighbour *neighbour;
	struct advertised said = {
		.is_router = message[4] & 0x80,
		.is_solicited = ((message[4] & 0x40) || node->fault == SIM_FAULT_NA_CONFIRMS) &&
				node->fault != SIM_FAULT_NA_UNCONFIRMED,
		.overrides = message[4] & 0x20,
		.mac = sim_nd_find_option(message + 24, size - 24, SIM_OPTION_TARGET),
	};

	if (sim_address_misreads(node, packet, message) || is_for_group(node, packet, message) ||
	    sim_address_take_duplicate(
		    node, target,
		    node->fault != SIM_FAULT_DAD_DEAF_NA &&
			    (said.mac || node->fault != SIM_FAULT_DAD_OPTION_NEEDED)))
		return;
	if (!said.mac && node->fault == SIM_FAULT_NA_FRAME)
		said.mac = node->sender;
	neighbour = sim_neighbour_find(node, target);
	if (neighbour)
		update(neighbour, &said);
	else
		take_unknown(node, target, said.mac);
}
