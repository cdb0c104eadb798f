/*
 * The node's own addresses: duplicate address detection (RFC 4862 5.4), stateless
 * autoconfiguration and lifetimes (5.5), identifiers of the MAC or stable ones
 * (RFC 7217), and which address it sends from (RFC 6724 section 5).
 */
#include "tests/simulated/sim.h"

#include <limits.h>
#include <string.h>

#include "base/time.h"
#include "runners/loop.h"

#define DELAY_NS        (300 * NS_PER_MS)
#define DELAY_MAX_NS    NS_PER_SECOND
#define SETTLED_NS      (4 * NS_PER_SECOND)
#define IDGEN_DELAY_NS  NS_PER_SECOND
#define IDGEN_RETRIES   3
#define TWO_HOURS_S     7200
#define TWO_HOURS_NS    (TWO_HOURS_S * NS_PER_SECOND)
#define IDENTIFIER_BITS 64

static const uint8_t unspecified[16];

/* --- what there is --------------------------------------------------------------------- */

const uint8_t *sim_address_link_local(const struct sim_node *node)
{
	return node->addresses[0].address;
}

static bool is_usable(const struct sim_address *address)
{
	return address->state == SIM_ASSIGNED &&
	       address->valid_until_ns > loop_now_ns(address->node->loop);
}

static bool is_preferred(const struct sim_address *address)
{
	return address->node->fault == SIM_FAULT_DEPRECATED_SOURCE ||
	       address->preferred_until_ns > loop_now_ns(address->node->loop);
}

static struct sim_address *find(struct sim_node *node, const uint8_t address[16])
{
	for (unsigned i = 0; i < SIM_ADDRESSES; i++)
		if (node->addresses[i].state != SIM_FREE &&
		    !memcmp(node->addresses[i].address, address, 16))
			return &node->addresses[i];
	return NULL;
}

bool sim_address_is_mine(const struct sim_node *node, const uint8_t address[16])
{
	for (unsigned i = 0; i < SIM_ADDRESSES; i++)
		if (is_usable(&node->addresses[i]) &&
		    !memcmp(node->addresses[i].address, address, 16))
			return true;
	return false;
}

bool sim_address_hears(const struct sim_node *node, const uint8_t address[16])
{
	bool hears_tentative = node->fault == SIM_FAULT_DAD_ANSWER ||
			       node->fault == SIM_FAULT_DAD_RESOLUTION ||
			       node->fault == SIM_FAULT_NS_DAD_UNICAST;

	for (unsigned i = 0; i < SIM_ADDRESSES && hears_tentative; i++)
		if (node->addresses[i].state == SIM_TENTATIVE &&
		    !memcmp(node->addresses[i].address, address, 16))
			return true;
	return sim_address_is_mine(node, address);
}

bool sim_address_has_group(const struct sim_node *node, const uint8_t group[16])
{
	static const uint8_t solicited[13] = { 0xff, 0x02, [11] = 1, [12] = 0xff };

	for (unsigned i = 0; i < SIM_ADDRESSES; i++)
		if ((node->addresses[i].state == SIM_TENTATIVE || is_usable(&node->addresses[i])) &&
		    !memcmp(node->addresses[i].address + 13, group + 13, 3))
			return !memcmp(group, solicited, 13);
	return false;
}

static unsigned count_common_bits(const uint8_t a[16], const uint8_t b[16])
{
	unsigned bits = 0;

	while (bits < 128 && sim_nd_match(a, b, bits + 1))
		bits++;
	return bits;
}

/* RFC 6724 section 5: the scope, then no deprecated address, then the longest common prefix. */
static bool is_better(const struct sim_address *a, const struct sim_address *b,
		      const uint8_t destination[16])
{
	bool is_local = sim_nd_is_link_local(destination) ||
			(destination[0] == 0xff && (destination[1] & 0xf) <= 2);

	if (sim_nd_is_link_local(a->address) != sim_nd_is_link_local(b->address))
		return sim_nd_is_link_local(a->address) == is_local;
	if (is_preferred(a) != is_preferred(b))
		return is_preferred(a);
	return count_common_bits(a->address, destination) >
	       count_common_bits(b->address, destination);
}

const uint8_t *sim_address_choose(const struct sim_node *node, const uint8_t destination[16])
{
	const struct sim_address *best = NULL;

	for (unsigned i = 0; i < SIM_ADDRESSES; i++)
		if (is_usable(&node->addresses[i]) &&
		    (!best || is_better(&node->addresses[i], best, destination)))
			best = &node->addresses[i];
	return best ? best->address : NULL;
}

/* --- identifiers ------------------------------------------------------------------------- */

/* The modified EUI-64 of the MAC, RFC 4291 appendix A. */
static void identify_by_mac(const uint8_t mac[6], uint8_t identifier[8])
{
	memcpy(identifier, mac, 3);
	identifier[0] ^= 2;
	identifier[3] = 0xff;
	identifier[4] = 0xfe;
	memcpy(identifier + 5, mac + 3, 3);
}

/* F() of RFC 7217 section 5, by the hash FNV-1a: what matters here is only what it depends on. */
static uint64_t hash(uint64_t state, const void *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		state = (state ^ ((const uint8_t *)data)[i]) * 0x100000001b3;
	return state;
}

static void identify(const struct sim_address *address, uint8_t identifier[8])
{
	const struct sim_node *node = address->node;
	uint64_t state = 0xcbf29ce484222325;

	if (!node->settings.addr_gen_mode || node->fault == SIM_FAULT_STABLE_MAC ||
	    (node->fault == SIM_FAULT_CONFLICT_MAC && address->conflicts > IDGEN_RETRIES)) {
		identify_by_mac(node->mac, identifier);
		return;
	}
	if (node->fault != SIM_FAULT_STABLE_ONE)
		state = hash(state, address->address, 8);
	state = hash(state, node->mac, 6);
	if (node->fault != SIM_FAULT_CONFLICT_SAME)
		state = hash(state, &address->conflicts, sizeof(address->conflicts));
	state = hash(state, node->settings.stable_secret, sizeof(node->settings.stable_secret));
	if (node->fault == SIM_FAULT_STABLE_BOOT)
		state = hash(state, &node->boots, sizeof(node->boots));
	for (unsigned i = 0; i < 8; i++)
		identifier[i] = (uint8_t)(state >> 8 * i);
}

/* --- duplicate address detection ------------------------------------------------------------ */

static void after(struct sim_address *address, int64_t delay_ns, loop_cb cb)
{
	sim_nd_cancel(&address->timer);
	address->timer = sim_nd_after(address->node, delay_ns, cb, address);
}

static void assign(struct sim_address *address)
{
	struct sim_node *node = address->node;

	sim_nd_cancel(&address->timer);
	address->state = SIM_ASSIGNED;
	if (address == node->addresses)
		sim_router_start(node, 0);
	else if (node->fault == SIM_FAULT_GRATUITOUS)
		sim_neighbour_announce(node, address->address);
}

/* It delays its solicitation, but not joining the group, as Linux does. */
static bool joins_at_once(const struct sim_node *node)
{
	return node->fault == SIM_FAULT_DAD_JOINED || node->fault == SIM_FAULT_DAD_DEAF_EARLY;
}

/* DupAddrDetectTransmits, for this address. */
static unsigned count_transmits(const struct sim_address *address)
{
	const struct sim_node *node = address->node;
	bool is_link_local = address == node->addresses;

	if (node->fault == (is_link_local ? SIM_FAULT_NO_DAD : SIM_FAULT_DAD_GLOBAL))
		return 0;
	return node->settings.dad_transmits + (node->fault == SIM_FAULT_DAD_TWICE);
}

static void detect(void *user)
{
	struct sim_address *address = user;
	struct sim_node *node = address->node;

	address->timer = NULL;
	if (address->solicitations >= count_transmits(address)) {
		assign(address);
		return;
	}
	if (!address->solicitations++ && !joins_at_once(node))
		sim_group_join(node, address->address);
	sim_neighbour_solicit(
		node, node->fault == SIM_FAULT_DAD_SOURCE ? address->address : unspecified,
		address->address, NULL, node->fault == SIM_FAULT_DAD_HOP_LIMIT ? 64 : 255,
		node->fault == SIM_FAULT_DAD_OPTION);
	after(address,
	      node->retrans_ns + (node->fault == SIM_FAULT_DAD_SLOW ? 3 * NS_PER_SECOND : 0),
	      detect);
	if (node->fault == SIM_FAULT_DAD_EARLY && address == node->addresses)
		sim_router_solicit(node);
}

/* Random, up to MAX_RTR_SOLICITATION_DELAY: RFC 4862 5.4.2. */
static int64_t delay_ns(struct sim_node *node)
{
	if (node->fault == SIM_FAULT_RANDOM)
		return sim_nd_draw(node, 0, DELAY_MAX_NS);
	return node->fault == SIM_FAULT_DAD_DELAY  ? DELAY_MAX_NS
	       : node->fault == SIM_FAULT_DAD_SOON ? 0
						   : DELAY_NS;
}

/* Makes the address of its prefix tentative. */
static void try(struct sim_address *address, int64_t delay_ns)
{
	identify(address, address->address + 8);
	address->state = SIM_TENTATIVE;
	address->solicitations = 0;
	if (joins_at_once(address->node))
		sim_group_join(address->node, address->address);
	after(address, delay_ns, detect);
}

/* How many other addresses are tried after conflicts. */
static unsigned count_retries(const struct sim_node *node)
{
	switch (node->fault) {
	case SIM_FAULT_CONFLICT_END:
		return 0;
	case SIM_FAULT_CONFLICT_ONCE:
		return 1;
	case SIM_FAULT_CONFLICT_MAC:
		return IDGEN_RETRIES + 1;
	case SIM_FAULT_CONFLICT_ENDLESS:
		return UINT_MAX;
	default:
		return IDGEN_RETRIES;
	}
}

/* RFC 7217 section 6. */
static void try_next(struct sim_address *address)
{
	struct sim_node *node = address->node;
	struct sim_address *copy = &node->addresses[SIM_ADDRESSES - 2];

	if (node->fault == SIM_FAULT_CONFLICT_BOTH && !address->conflicts) {
		*copy = *address;
		copy->state = SIM_ASSIGNED;
	}
	if (address->conflicts++ < count_retries(node))
		try(address, node->fault == SIM_FAULT_RANDOM ? sim_nd_draw(node, 0, IDGEN_DELAY_NS)
							     : IDGEN_DELAY_NS);
}

/* RFC 4862 5.4.5. */
static void give_up(struct sim_address *address)
{
	struct sim_node *node = address->node;

	sim_nd_cancel(&address->timer);
	address->state = SIM_DUPLICATE;
	if (node->settings.addr_gen_mode) {
		try_next(address);
		return;
	}
	if (address == node->addresses && node->settings.accept_dad == 2 &&
	    node->fault != SIM_FAULT_DAD_GOES_ON) {
		sim_nd_stop(node);
		node->is_disabled = true;
	}
}

bool sim_address_take_duplicate(struct sim_node *node, const uint8_t target[16], bool is_sign)
{
	struct sim_address *address = find(node, target);

	if (!address || address->state != SIM_TENTATIVE)
		return false;
	if (node->fault == SIM_FAULT_DAD_DEAF || node->fault == SIM_FAULT_DAD_ANSWER ||
	    (node->fault == SIM_FAULT_DAD_DEAF_EARLY && !address->solicitations))
		is_sign = false;
	if (is_sign)
		give_up(address);
	return true;
}

/* Whether the message says by its nature, or by a fault, that the tentative address is one of two. */
static bool is_misread(const struct sim_address *address, const uint8_t *packet,
		       const uint8_t *message)
{
	bool is_solicitation = message[0] == SIM_NEIGHBOUR_SOLICITATION;
	bool is_detection = !is_solicitation || !memcmp(packet + 8, unspecified, 16);
	const uint8_t *target = message + 8;

	switch (address->node->fault) {
	case SIM_FAULT_DAD_ANY:
		return is_detection;
	case SIM_FAULT_DAD_RESOLUTION:
		return !is_detection && !memcmp(target, address->address, 16);
	case SIM_FAULT_DAD_TARGET:
		return target[0] == 0xff && !memcmp(target + 13, address->address + 13, 3);
	case SIM_FAULT_DAD_SOLICITED:
		return !is_solicitation && message[4] & 0x40 && packet[24] == 0xff &&
		       !memcmp(target, address->address, 16);
	default:
		return false;
	}
}

bool sim_address_misreads(struct sim_node *node, const uint8_t *packet, const uint8_t *message)
{
	for (unsigned i = 0; i < SIM_ADDRESSES; i++) {
		struct sim_address *address = &node->addresses[i];

		if (address->state != SIM_TENTATIVE || !is_misread(address, packet, message))
			continue;
		give_up(address);
		return true;
	}
	return false;
}

/* --- autoconfiguration ---------------------------------------------------------------------- */

/* Until when the address is valid, as the option has it. */
static int64_t valid_until(const struct sim_node *node, const uint8_t option[32])
{
	uint32_t valid = sim_get32(option + 4), preferred = sim_get32(option + 8);

	switch (node->fault) {
	case SIM_FAULT_VALID_EARLY:
		return sim_nd_until_ns(node, preferred);
	case SIM_FAULT_VALID_LATE:
		return sim_nd_until_ns(node, valid + valid / 4);
	case SIM_FAULT_VALID_KEPT:
		return INT64_MAX;
	case SIM_FAULT_AUTO_ZERO:
		return sim_nd_until_ns(node, valid ? valid : 1);
	case SIM_FAULT_VALID_INFINITE:
		return sim_nd_until_ns(node, valid == UINT32_MAX ? preferred : valid);
	default:
		return sim_nd_until_ns(node, valid);
	}
}

/* RFC 4862 5.5.3 e 1 to 3: a message cannot shorten what is left to less than two hours. */
static void set_lifetimes(struct sim_address *address, const uint8_t option[32])
{
	struct sim_node *node = address->node;
	int64_t now_ns = loop_now_ns(node->loop);
	int64_t received_ns = valid_until(node, option);

	if (node->fault != SIM_FAULT_PREFERRED_FIRST)
		address->preferred_until_ns = sim_nd_until_ns(node, sim_get32(option + 8));
	if (node->fault == SIM_FAULT_VALID_LATEST)
		address->valid_until_ns = received_ns;
	if (node->fault == SIM_FAULT_VALID_FIRST ||
	    (node->fault == SIM_FAULT_VALID_LONGEST && received_ns < address->valid_until_ns) ||
	    (node->fault == SIM_FAULT_VALID_TWO_HOURS && sim_get32(option + 4) < TWO_HOURS_S))
		return;
	if (received_ns > now_ns + TWO_HOURS_NS || received_ns > address->valid_until_ns)
		address->valid_until_ns = received_ns;
	else if (address->valid_until_ns > now_ns + TWO_HOURS_NS)
		address->valid_until_ns = now_ns + TWO_HOURS_NS;
}

/* The address of that prefix, or a free entry, or NULL. */
static struct sim_address *find_by_prefix(struct sim_node *node, const uint8_t prefix[8])
{
	struct sim_address *free_one = NULL;

	for (unsigned i = 1; i < SIM_ADDRESSES; i++) {
		struct sim_address *here = &node->addresses[i];

		if (here->state == SIM_FREE || here->valid_until_ns <= loop_now_ns(node->loop))
			free_one = here;
		else if (!memcmp(here->address, prefix, 8))
			return here;
	}
	return free_one;
}

/* Whether an address may come of the option: RFC 4862 5.5.3 a to c, and the length in d. */
static bool is_for_addresses(const struct sim_node *node, const uint8_t option[32])
{
	uint32_t valid = sim_get32(option + 4), preferred = sim_get32(option + 8);
	const uint8_t *prefix = option + 16;

	if ((node->fault == SIM_FAULT_AUTO_SITE_LOCAL && prefix[0] == 0xfe) ||
	    (node->fault == SIM_FAULT_AUTO_UNASSIGNED && prefix[0] >> 5 != 1) ||
	    node->fault == SIM_FAULT_AUTO_NONE)
		return false;
	return (option[3] & 0x40 || node->fault == SIM_FAULT_AUTO_FLAG) &&
	       !sim_nd_is_link_local(prefix) &&
	       (preferred <= valid || node->fault == SIM_FAULT_AUTO_PREFERRED) &&
	       (option[2] == 128 - IDENTIFIER_BITS || node->fault == SIM_FAULT_AUTO_LENGTH);
}

/* What faults do to the addresses that are there. */
static void spoil_others(struct sim_node *node, const uint8_t option[32])
{
	unsigned first = node->fault == SIM_FAULT_AUTO_LINK_LOCAL ? 0 : 1;

	for (unsigned i = first; i < SIM_ADDRESSES; i++) {
		struct sim_address *address = &node->addresses[i];

		if (node->fault == SIM_FAULT_AUTO_ONE && address->state != SIM_FREE &&
		    memcmp(address->address, option + 16, 8) != 0) {
			sim_nd_cancel(&address->timer);
			address->state = SIM_FREE;
		}
		if (node->fault == SIM_FAULT_VALID_SHARED ||
		    (!i && !memcmp(address->address, option + 16, 8)))
			address->valid_until_ns = valid_until(node, option);
	}
}

void sim_address_take_prefix(struct sim_node *node, const uint8_t option[32])
{
	struct sim_address *address = find_by_prefix(node, option + 16);

	spoil_others(node, option);
	if (!address || !is_for_addresses(node, option))
		return;
	if (address->state != SIM_FREE && address->valid_until_ns > loop_now_ns(node->loop)) {
		set_lifetimes(address, option);
		if (node->fault == SIM_FAULT_AUTO_AGAIN)
			try(address, delay_ns(node));
		return;
	}
	if ((!sim_get32(option + 4) && node->fault != SIM_FAULT_AUTO_ZERO) ||
	    (node->fault == SIM_FAULT_AUTO_ONCE && address->state != SIM_FREE))
		return;
	sim_nd_cancel(&address->timer);
	*address = (struct sim_address){ .node = node,
					 .preferred_until_ns =
						 sim_nd_until_ns(node, sim_get32(option + 8)),
					 .valid_until_ns = valid_until(node, option) };
	memcpy(address->address, option + 16, 8);
	try(address, delay_ns(node));
}

/* --- beginning and end ------------------------------------------------------------------------ */

static struct sim_address *make_link_local(struct sim_node *node)
{
	struct sim_address *address = node->addresses;

	*address = (struct sim_address){ .node = node,
					 .preferred_until_ns = INT64_MAX,
					 .valid_until_ns = INT64_MAX };
	address->address[0] = 0xfe;
	address->address[1] = 0x80;
	identify(address, address->address + 8);
	return address;
}

void sim_address_start(struct sim_node *node)
{
	try(make_link_local(node), delay_ns(node));
}

void sim_address_settle(struct sim_node *node)
{
	make_link_local(node)->state = SIM_ASSIGNED;
	sim_router_start(node, SETTLED_NS);
}

void sim_address_forget_all(struct sim_node *node)
{
	for (unsigned i = 0; i < SIM_ADDRESSES; i++) {
		sim_nd_cancel(&node->addresses[i].timer);
		node->addresses[i].state = SIM_FREE;
	}
}
