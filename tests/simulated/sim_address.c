/*
 * The node's own addresses: duplicate address detection (RFC 4862 5.4), stateless
 * autoconfiguration and lifetimes (5.5), identifiers of the MAC or stable ones
 * (RFC 7217), and which address it sends from (RFC 6724 section 5).
 */
#include "tests/simulated/sim.h"

#include <string.h>

#include "base/time.h"
#include "runners/loop.h"

#define DELAY_NS        (300 * NS_PER_MS)
#define SETTLED_NS      (4 * NS_PER_SECOND)
#define IDGEN_DELAY_NS  NS_PER_SECOND
#define IDGEN_RETRIES   3
#define TWO_HOURS_NS    (7200 * NS_PER_SECOND)
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
	return address->preferred_until_ns > loop_now_ns(address->node->loop);
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

	if (!node->settings.addr_gen_mode) {
		identify_by_mac(node->mac, identifier);
		return;
	}
	state = hash(state, address->address, 8);
	state = hash(state, node->mac, 6);
	state = hash(state, &address->conflicts, sizeof(address->conflicts));
	state = hash(state, node->settings.stable_secret, sizeof(node->settings.stable_secret));
	for (unsigned i = 0; i < 8; i++)
		identifier[i] = (uint8_t)(state >> 8 * i);
}

/* --- duplicate address detection ------------------------------------------------------------ */

static void after(struct sim_address *address, int64_t delay_ns, loop_cb cb)
{
	struct loop *loop = address->node->loop;

	sim_nd_cancel(&address->timer);
	address->timer = loop_timer_start(loop, loop_now_ns(loop) + delay_ns, cb, address);
}

static void assign(struct sim_address *address)
{
	sim_nd_cancel(&address->timer);
	address->state = SIM_ASSIGNED;
	if (address == address->node->addresses)
		sim_router_start(address->node, 0);
}

static void detect(void *user)
{
	struct sim_address *address = user;
	struct sim_node *node = address->node;

	address->timer = NULL;
	if (address->solicitations >= node->settings.dad_transmits ||
	    (node->fault == SIM_FAULT_NO_DAD && address == node->addresses)) {
		assign(address);
		return;
	}
	address->solicitations++;
	sim_neighbour_solicit(node, unspecified, address->address, NULL,
			      node->fault == SIM_FAULT_DAD_HOP_LIMIT ? 64 : 255,
			      node->fault == SIM_FAULT_DAD_OPTION);
	after(address, node->retrans_ns, detect);
	if (node->fault == SIM_FAULT_DAD_EARLY && address == node->addresses)
		sim_router_solicit(node);
}

/* Makes the address of its prefix tentative. */
static void try(struct sim_address *address, int64_t delay_ns)
{
	identify(address, address->address + 8);
	address->state = SIM_TENTATIVE;
	address->solicitations = 0;
	after(address, delay_ns, detect);
}

/* RFC 4862 5.4.5, RFC 7217 section 6. */
static void give_up(struct sim_address *address)
{
	struct sim_node *node = address->node;

	sim_nd_cancel(&address->timer);
	address->state = SIM_DUPLICATE;
	if (node->settings.addr_gen_mode) {
		if (address->conflicts++ < IDGEN_RETRIES)
			try(address, IDGEN_DELAY_NS);
		return;
	}
	if (address == node->addresses && node->settings.accept_dad == 2) {
		sim_nd_stop(node);
		node->is_disabled = true;
	}
}

bool sim_address_take_duplicate(struct sim_node *node, const uint8_t target[16], bool is_sign)
{
	struct sim_address *address = find(node, target);

	if (!address || address->state != SIM_TENTATIVE)
		return false;
	if (is_sign && node->fault != SIM_FAULT_DAD_DEAF)
		give_up(address);
	return true;
}

/* --- autoconfiguration ---------------------------------------------------------------------- */

/* RFC 4862 5.5.3 e 1 to 3: a message cannot shorten what is left to less than two hours. */
static void set_lifetimes(struct sim_address *address, uint32_t preferred, uint32_t valid)
{
	struct sim_node *node = address->node;
	int64_t now_ns = loop_now_ns(node->loop);
	int64_t received_ns = sim_nd_until_ns(node, valid);

	address->preferred_until_ns = sim_nd_until_ns(node, preferred);
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

void sim_address_take_prefix(struct sim_node *node, const uint8_t option[32])
{
	uint32_t valid = sim_get32(option + 4), preferred = sim_get32(option + 8);
	const uint8_t *prefix = option + 16;
	struct sim_address *address;

	if (!(option[3] & 0x40) || sim_nd_is_link_local(prefix) || preferred > valid ||
	    option[2] != 128 - IDENTIFIER_BITS)
		return;
	address = find_by_prefix(node, prefix);
	if (!address)
		return;
	if (address->state != SIM_FREE && address->valid_until_ns > loop_now_ns(node->loop)) {
		set_lifetimes(address, preferred, valid);
		return;
	}
	if (!valid)
		return;
	sim_nd_cancel(&address->timer);
	*address = (struct sim_address){ .node = node,
					 .preferred_until_ns = sim_nd_until_ns(node, preferred),
					 .valid_until_ns = sim_nd_until_ns(node, valid) };
	memcpy(address->address, prefix, 8);
	try(address, DELAY_NS);
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
	try(make_link_local(node), DELAY_NS);
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
