/*
 * What a host says to routers and hears from them: Router Solicitations (RFC 4861
 * 6.3.7, RFC 7559) and Router Advertisements (RFC 4861 6.3.4, RFC 4191).
 */
#include "tests/simulated/sim.h"

#include <string.h>

#include "base/time.h"
#include "runners/loop.h"

#define SOLICITATION_NS     (4 * NS_PER_SECOND)
#define SOLICITATIONS_MAX   3
#define SOLICITATION_MAX_NS (3600 * NS_PER_SECOND)
#define REACHABLE_NS        (30 * NS_PER_SECOND)
#define HOP_LIMIT           64

/* Options, and the length that they have in units of 8 octets. */
enum { ROUTE = 24 };
enum { PREFIX_UNITS = 4, MTU_UNITS = 1, ROUTE_UNITS_MAX = 3 };

static const uint8_t unspecified[16];

/* --- solicitations ------------------------------------------------------------------- */

void sim_router_forget_all(struct sim_node *node)
{
	sim_nd_cancel(&node->solicitation_timer);
	node->has_heard_router = false;
	node->solicitations = 0;
	node->solicitation_ns = SOLICITATION_NS;
	node->hop_limit = node->fault == SIM_FAULT_HOPS ? 255 : HOP_LIMIT;
	node->reachable_ns = REACHABLE_NS;
	node->retrans_ns = NS_PER_SECOND;
}

void sim_router_solicit(struct sim_node *node)
{
	uint8_t group[16] = { 0xff, 0x02, [15] = node->fault == SIM_FAULT_RS_ALL_NODES ? 1 : 2 };
	uint8_t message[16] = { SIM_ROUTER_SOLICITATION, [8] = SIM_OPTION_SOURCE, [9] = 1 };
	bool is_plain = node->fault == SIM_FAULT_RS_PLAIN;

	memcpy(message + 10, node->mac, 6);
	message[1] = node->fault == SIM_FAULT_RS_CODE;
	message[7] = node->fault == SIM_FAULT_RS_RESERVED;
	sim_send_icmp(node,
		      is_plain || node->fault == SIM_FAULT_RS_UNSPECIFIED
			      ? unspecified
			      : sim_address_link_local(node),
		      group, node->fault == SIM_FAULT_RS_HOP_LIMIT ? 64 : 255, message,
		      is_plain || node->fault == SIM_FAULT_RS_NO_OPTION ? 8 : sizeof(message));
}

/* How long each time between them is, in percent of the one before: 200 and up to 10 less or more. */
static int64_t growth(struct sim_node *node)
{
	switch (node->fault) {
	case SIM_FAULT_RANDOM:
		return sim_nd_draw(node, 190, 211);
	case SIM_FAULT_RS_EVEN:
	case SIM_FAULT_RS_FAST:
		return 100;
	case SIM_FAULT_RS_SHORT:
		return 190;
	case SIM_FAULT_RS_LONG:
		return 210;
	default:
		return 200;
	}
}

/* Without end, at distances that double: RFC 7559 section 2. */
static void solicit_again(void *user)
{
	struct sim_node *node = user;

	node->solicitation_timer = NULL;
	sim_router_solicit(node);
	node->solicitations++;
	if (node->has_heard_router || node->fault == SIM_FAULT_RS_ONCE ||
	    (node->fault == SIM_FAULT_RS_THREE && node->solicitations == SOLICITATIONS_MAX))
		return;
	node->solicitation_timer = sim_nd_after(node, node->solicitation_ns, solicit_again, node);
	node->solicitation_ns = node->solicitation_ns / 100 * growth(node);
	if (node->solicitation_ns > SOLICITATION_MAX_NS)
		node->solicitation_ns = SOLICITATION_MAX_NS;
}

/* From the first Router Solicitation to the second. */
static int64_t first_ns(struct sim_node *node)
{
	switch (node->fault) {
	case SIM_FAULT_RANDOM:
		return sim_nd_draw(node, SOLICITATION_NS / 10 * 9, SOLICITATION_NS / 10 * 11);
	case SIM_FAULT_RS_SLOW:
		return 10 * NS_PER_SECOND;
	case SIM_FAULT_RS_FAST:
		return NS_PER_SECOND;
	case SIM_FAULT_RS_SHORT:
		return SOLICITATION_NS / 10 * 9;
	case SIM_FAULT_RS_LONG:
		return SOLICITATION_NS / 10 * 11;
	default:
		return SOLICITATION_NS;
	}
}

void sim_router_start(struct sim_node *node, int64_t delay_ns)
{
	sim_group_start_talk(node);
	sim_nd_cancel(&node->solicitation_timer);
	node->solicitation_ns = first_ns(node);
	if (node->fault == SIM_FAULT_RS_LATE)
		delay_ns += 20 * NS_PER_SECOND;
	node->solicitation_timer = sim_nd_after(node, delay_ns, solicit_again, node);
}

void sim_router_take_solicitation(struct sim_node *node, const uint8_t *packet,
				  const uint8_t *message, size_t size)
{
	static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };
	static const uint8_t answer[16] = { SIM_ROUTER_ADVERTISEMENT };
	const uint8_t *mac = sim_nd_find_option(message + 8, size - 8, SIM_OPTION_SOURCE);

	if (mac && node->fault == SIM_FAULT_RS_LEARNT)
		(void)sim_neighbour_learn(node, message[0], packet + 8, mac);
	if (node->fault == SIM_FAULT_RS_ANSWERED)
		sim_send_icmp(node, sim_address_link_local(node), all_nodes, 255, answer,
			      sizeof(answer));
}

/* --- advertisements --------------------------------------------------------------------- */

/* RFC 4191 2.1: 01 is high, 11 low; 10 is reserved, 2.2: and the same as 00, medium. */
static int preference_of(const struct sim_node *node, uint8_t flags)
{
	int code = flags >> 3 & 3;

	if (node->fault == SIM_FAULT_PREFERENCE_UNSIGNED)
		return code;
	if (code == 2 && node->fault == SIM_FAULT_PREFERENCE_RESERVED)
		return -2;
	return code == 1 ? 1 : code == 3 ? -1 : 0;
}

static bool is_reserved(uint8_t flags)
{
	return (flags >> 3 & 3) == 2;
}

/* RFC 4861 6.3.4: 0 tells nothing. */
static void take_parameters(struct sim_node *node, const uint8_t *message)
{
	uint32_t reachable_ms = sim_get32(message + 8), retrans_ms = sim_get32(message + 12);

	if (message[4] && node->fault != SIM_FAULT_CUR_HOP_LIMIT)
		node->hop_limit = message[4];
	if (!message[4] && node->fault == SIM_FAULT_CUR_HOP_LIMIT_ZERO)
		node->hop_limit = HOP_LIMIT;
	if (reachable_ms && node->fault != SIM_FAULT_REACHABLE_TIME &&
	    (node->fault != SIM_FAULT_REACHABLE_TIME_FIRST || node->reachable_ns == REACHABLE_NS))
		node->reachable_ns = reachable_ms * NS_PER_MS;
	if (!retrans_ms && node->fault == SIM_FAULT_RETRANS_ZERO)
		node->retrans_ns = NS_PER_SECOND;
	if (!reachable_ms && node->fault == SIM_FAULT_REACHABLE_ZERO)
		node->reachable_ns = REACHABLE_NS;
	if (retrans_ms && node->fault != SIM_FAULT_RETRANS_IGNORED)
		node->retrans_ns = retrans_ms * NS_PER_MS;
}

/* What tells the link's MTU; more than Ethernet's is ignored, RFC 2464 section 2. */
static void take_mtu(struct sim_node *node, const uint8_t *option)
{
	uint32_t mtu = sim_get32(option + 4);

	if (mtu >= 1280 && mtu <= 1500 && node->fault != SIM_FAULT_RA_MTU)
		node->link_mtu = mtu;
}

/* The on-link half of a Prefix Information option; RFC 4861 6.3.4, RFC 5942 section 4. */
static void take_prefix(struct sim_node *node, const uint8_t *option)
{
	bool is_on_link = option[3] & 0x80 || node->fault == SIM_FAULT_FLAG_IGNORED;

	if ((is_on_link || node->fault == SIM_FAULT_FLAG_OFF_LINK) && option[2] <= 128 &&
	    !sim_nd_is_link_local(option + 16) && node->fault != SIM_FAULT_PREFIX_IGNORED &&
	    (option[2] == 64 || node->fault != SIM_FAULT_PREFIX_64))
		sim_route_set_prefix(node, option + 16, option[2],
				     is_on_link ? sim_get32(option + 4) : 0);
	sim_address_take_prefix(node, option);
}

/* Whether the option's prefix has bits behind its length. */
static bool has_more_bits(const uint8_t *option)
{
	for (unsigned bit = option[2]; bit < (option[1] - 1) * 64u; bit++)
		if (option[8 + bit / 8] & 0x80 >> bit % 8)
			return true;
	return false;
}

/* By a fault. */
static bool is_discarded_route(const struct sim_node *node, const uint8_t *option)
{
	switch (node->fault) {
	case SIM_FAULT_ROUTE_IGNORED:
		return true;
	case SIM_FAULT_ROUTE_DEFAULT:
		return !option[2];
	case SIM_FAULT_ROUTE_ZERO:
		return !sim_get32(option + 4);
	case SIM_FAULT_ROUTE_BITS:
		return option[3] & 0xe7;
	case SIM_FAULT_ROUTE_PREFIX:
		return has_more_bits(option);
	default:
		return false;
	}
}

/* A Route Information option: RFC 4191 2.3. */
static void take_route(struct sim_node *node, const uint8_t *option, const uint8_t router[16])
{
	unsigned units = option[1], length = option[2];
	uint32_t seconds = sim_get32(option + 4);
	uint8_t prefix[16] = { 0 };

	if (units > ROUTE_UNITS_MAX || length > 128 || length > (units - 1) * 64 ||
	    (is_reserved(option[3]) && node->fault != SIM_FAULT_ROUTE_RESERVED) ||
	    is_discarded_route(node, option))
		return;
	memcpy(prefix, option + 8, (units - 1) * 8u);
	if (length && node->fault == SIM_FAULT_ROUTE_64)
		length = 64;
	if (node->fault == SIM_FAULT_ROUTE_EVERYWHERE)
		length = 0;
	if (seconds && node->fault == SIM_FAULT_ROUTE_KEPT)
		seconds = UINT32_MAX;
	sim_route_set(node, prefix, (uint8_t)length, router, preference_of(node, option[3]),
		      seconds);
}

static void take_option(struct sim_node *node, const uint8_t *option, const uint8_t router[16])
{
	if (option[0] == SIM_OPTION_PREFIX && option[1] == PREFIX_UNITS)
		take_prefix(node, option);
	else if (option[0] == SIM_OPTION_MTU && option[1] == MTU_UNITS)
		take_mtu(node, option);
	else if (option[0] == ROUTE)
		take_route(node, option, router);
	else
		sim_dns_take_option(node, option);
}

void sim_router_take_advertisement(struct sim_node *node, const uint8_t *packet,
				   const uint8_t *message, size_t size)
{
	const uint8_t *source = packet + 8;
	const uint8_t *mac = sim_nd_find_option(message + 16, size - 16, SIM_OPTION_SOURCE);
	uint32_t lifetime = (uint32_t)message[6] << 8 | message[7];
	struct sim_neighbour *neighbour;

	if (!sim_nd_is_link_local(source) && node->fault != SIM_FAULT_RA_SOURCE) {
		sim_router_take_invalid(node, packet, message);
		return;
	}
	if ((packet[24] != 0xff && node->fault == SIM_FAULT_RA_UNICAST) ||
	    (!lifetime && node->fault == SIM_FAULT_RA_ZERO))
		return;
	take_parameters(node, message);
	sim_route_set(node, unspecified, 0, source,
		      node->fault == SIM_FAULT_PREFERENCE_IGNORED ? 0
								  : preference_of(node, message[5]),
		      lifetime);
	neighbour = sim_neighbour_learn(node, message[0], source, mac);
	if (neighbour && node->fault != SIM_FAULT_RA_HOST &&
	    (mac || node->fault != SIM_FAULT_RA_HOST_OPTION))
		neighbour->is_router = true;
	for (size_t at = 16; at < size; at += message[at + 1] * 8u)
		take_option(node, message + at, source);
	if (lifetime && node->fault != SIM_FAULT_RS_ENDLESS) {
		node->has_heard_router = true;
		sim_nd_cancel(&node->solicitation_timer);
	}
}

/* Behind the prefix of the tests comes the link-layer address. */
void sim_router_take_invalid(struct sim_node *node, const uint8_t *packet, const uint8_t *message)
{
	const uint8_t *option = message + 16 + PREFIX_UNITS * 8;
	const uint8_t *source = packet + 8;

	if (node->fault == SIM_FAULT_RA_INVALID_ENTRY && option[0] == SIM_OPTION_SOURCE)
		(void)sim_neighbour_learn(node, message[0], source, option + 2);
	else if (node->fault == SIM_FAULT_RA_INVALID_ROUTER)
		sim_route_set(node, unspecified, 0, source, preference_of(node, message[5]),
			      (uint32_t)message[6] << 8 | message[7]);
	else if (node->fault == SIM_FAULT_RA_INVALID_VALUES)
		take_parameters(node, message);
}
