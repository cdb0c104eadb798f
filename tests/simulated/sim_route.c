/*
 * Where packets go: prefixes that are on the link, default routers and routes
 * (RFC 4861 5.2 and 6.3.6, RFC 5942, RFC 4191 3.2), and redirects (RFC 4861 8.3).
 */
#include "tests/simulated/sim.h"

#include <string.h>

#include "runners/loop.h"

static const uint8_t unspecified[16];

void sim_route_forget_all(struct sim_node *node)
{
	memset(node->routes, 0, sizeof(node->routes));
	memset(node->prefixes, 0, sizeof(node->prefixes));
	memset(node->destinations, 0, sizeof(node->destinations));
	node->redirects = 0;
	node->failures = 0;
}

/* --- prefixes ---------------------------------------------------------------------- */

/* Link-local addresses and what prefixes of advertisements say; own addresses say nothing. */
bool sim_route_is_on_link(const struct sim_node *node, const uint8_t address[16])
{
	int64_t now_ns = node->fault == SIM_FAULT_PREFIX_KEPT ? 0 : loop_now_ns(node->loop);

	for (unsigned i = 0; i < SIM_PREFIXES; i++) {
		const struct sim_prefix *here = &node->prefixes[i];

		if (here->until_ns > now_ns &&
		    sim_nd_match(address, here->prefix,
				 node->fault == SIM_FAULT_PREFIX_WIDE ? 48 : here->length))
			return true;
	}
	return sim_nd_is_link_local(address) && node->fault != SIM_FAULT_LINK_LOCAL_ROUTED;
}

void sim_route_set_prefix(struct sim_node *node, const uint8_t prefix[16], uint8_t length,
			  uint32_t seconds)
{
	int64_t now_ns = loop_now_ns(node->loop);
	struct sim_prefix *free_one = NULL, *entry = NULL;

	for (unsigned i = 0; i < SIM_PREFIXES && !entry; i++) {
		struct sim_prefix *here = &node->prefixes[i];

		if (here->until_ns <= now_ns)
			free_one = here;
		else if (here->length == length && sim_nd_match(here->prefix, prefix, length))
			entry = here;
	}
	if (entry && node->fault == SIM_FAULT_PREFIX_FIRST)
		return;
	if (!entry)
		entry = free_one;
	if (!entry)
		return;
	if (node->fault == SIM_FAULT_PREFIX_ZERO && !seconds)
		return;
	if (node->fault == SIM_FAULT_PREFIX_AS_64)
		length = 64;
	if (node->fault == SIM_FAULT_PREFIX_EARLY)
		seconds = (seconds + 1) / 2;
	memcpy(entry->prefix, prefix, 16);
	entry->length = length;
	entry->until_ns = sim_nd_until_ns(node, seconds);
}

/* --- redirects ------------------------------------------------------------------------ */

static struct sim_destination *find_destination(struct sim_node *node, const uint8_t address[16])
{
	for (unsigned i = 0; i < SIM_DESTINATIONS; i++)
		if (!memcmp(node->destinations[i].address, address, 16))
			return &node->destinations[i];
	return NULL;
}

/* Destinations that went through the neighbour are looked for anew, RFC 4861 6.3.5, 7.3.3. */
static void forget_redirects_to(struct sim_node *node, const uint8_t next_hop[16])
{
	for (unsigned i = 0; i < SIM_DESTINATIONS; i++)
		if (!memcmp(node->destinations[i].next_hop, next_hop, 16))
			memset(&node->destinations[i], 0, sizeof(node->destinations[i]));
}

/* RFC 4861 8.1: what makes a Redirect invalid beside its form. */
static bool is_valid_redirect(struct sim_node *node, const uint8_t *packet, const uint8_t *message)
{
	const uint8_t *source = packet + 8, *target = message + 8, *destination = message + 24;
	const uint8_t *first_hop = sim_route_next_hop(node, destination);
	enum sim_fault fault = node->fault;

	if (!sim_nd_is_link_local(source)) {
		if (fault != SIM_FAULT_REDIRECT_GLOBAL)
			return false;
	} else if (fault == SIM_FAULT_REDIRECT_DEFAULT) {
		if (!sim_route_is_router(node, source))
			return false;
	} else if (!first_hop || memcmp(source, first_hop, 16) != 0) {
		if (fault != SIM_FAULT_REDIRECT_SOURCE)
			return false;
	}
	return (destination[0] != 0xff || fault == SIM_FAULT_REDIRECT_GROUP) &&
	       (sim_nd_is_link_local(target) || !memcmp(target, destination, 16) ||
		(target[0] == 0xff && fault == SIM_FAULT_REDIRECT_TARGET));
}

/* Whether a fault refuses a valid Redirect; `quoted` is the packet in it, or NULL. */
static bool is_refused(const struct sim_node *node, const uint8_t *message, const uint8_t *quoted)
{
	const uint8_t *target = message + 8, *destination = message + 24;

	switch (node->fault) {
	case SIM_FAULT_REDIRECT_IGNORED:
		return true;
	case SIM_FAULT_REDIRECT_COVERED:
		return !sim_route_is_on_link(node, target);
	case SIM_FAULT_REDIRECT_QUOTE:
		return !quoted;
	case SIM_FAULT_REDIRECT_NEW:
		return memcmp(destination, node->last_destination, 16) != 0;
	default:
		return false;
	}
}

/* What belongs into other messages, and a fault makes the node take from a Redirect. */
static void take_foreign_options(struct sim_node *node, const uint8_t *router,
				 const uint8_t *options, size_t size)
{
	const uint8_t *mac = sim_nd_find_option(options, size, SIM_OPTION_SOURCE);
	const uint8_t *prefix = sim_nd_find_option(options, size, SIM_OPTION_PREFIX);
	const uint8_t *mtu = sim_nd_find_option(options, size, SIM_OPTION_MTU);

	if (mac && node->fault == SIM_FAULT_REDIRECT_SOURCE_MAC)
		(void)sim_neighbour_learn(node, SIM_REDIRECT, router, mac);
	if (prefix && node->fault == SIM_FAULT_REDIRECT_PREFIX)
		sim_route_set_prefix(node, prefix + 14, prefix[0], sim_get32(prefix + 2));
	if (prefix && node->fault == SIM_FAULT_REDIRECT_ADDRESS)
		sim_address_take_prefix(node, prefix - 2);
	if (mtu && node->fault == SIM_FAULT_REDIRECT_MTU)
		node->link_mtu = sim_get32(mtu + 2);
}

/* A next hop for that destination alone. */
static void remember(struct sim_node *node, const uint8_t destination[16],
		     const uint8_t next_hop[16])
{
	struct sim_destination *entry = find_destination(node, destination);

	if (!entry)
		entry = &node->destinations[node->redirects++ % SIM_DESTINATIONS];
	memcpy(entry->address, destination, 16);
	memcpy(entry->next_hop, next_hop, 16);
	entry->uses = 0;
}

void sim_route_take_redirect(struct sim_node *node, const uint8_t *packet, const uint8_t *message,
			     size_t size)
{
	const uint8_t *target = message + 8, *destination = message + 24;
	const uint8_t *options = message + 40;
	const uint8_t *mac = sim_nd_find_option(options, size - 40, SIM_OPTION_TARGET);
	const uint8_t *header = sim_nd_find_option(options, size - 40, SIM_OPTION_REDIRECTED);
	const uint8_t *quoted = header ? header + 6 : NULL;
	bool is_on_link = !memcmp(target, destination, 16);
	struct sim_neighbour *neighbour;

	if (!is_valid_redirect(node, packet, message) || is_refused(node, message, quoted))
		return;
	if (destination[0] == 0xff && quoted)
		destination = quoted + 24; /* by a fault */
	remember(node, destination, target);
	if (is_on_link && node->fault == SIM_FAULT_REDIRECT_WIDE)
		sim_route_set_prefix(node, destination, 64, UINT32_MAX);
	if (!is_on_link && node->fault == SIM_FAULT_REDIRECT_ALL)
		sim_route_set(node, unspecified, 0, target, 1, UINT32_MAX);
	neighbour = sim_neighbour_learn(node, message[0], target, mac);
	if (neighbour && (!is_on_link || node->fault == SIM_FAULT_REDIRECT_ROUTER))
		neighbour->is_router = node->fault != SIM_FAULT_REDIRECT_HOST;
	take_foreign_options(node, packet + 8, options, size - 40);
}

/* --- routers ------------------------------------------------------------------------ */

bool sim_route_is_router(const struct sim_node *node, const uint8_t address[16])
{
	for (unsigned i = 0; i < SIM_ROUTES; i++)
		if (node->routes[i].until_ns > loop_now_ns(node->loop) &&
		    !memcmp(node->routes[i].router, address, 16))
			return true;
	return false;
}

/* By a fault: over all others. */
static void prefer(struct sim_node *node, struct sim_route *route)
{
	for (unsigned i = 0; i < SIM_ROUTES; i++)
		node->routes[i].preference = 0;
	route->preference = 1;
}

static bool has_router(const struct sim_node *node)
{
	for (unsigned i = 0; i < SIM_ROUTES; i++)
		if (node->routes[i].until_ns > loop_now_ns(node->loop))
			return true;
	return false;
}

void sim_route_set(struct sim_node *node, const uint8_t prefix[16], uint8_t length,
		   const uint8_t router[16], int preference, uint32_t seconds)
{
	int64_t now_ns = loop_now_ns(node->loop);
	struct sim_route *free_one = NULL, *entry = NULL;
	bool is_new;

	for (unsigned i = 0; i < SIM_ROUTES && !entry; i++) {
		struct sim_route *here = &node->routes[i];

		if (here->until_ns <= now_ns)
			free_one = free_one ? free_one : here;
		else if (here->length == length && sim_nd_match(here->prefix, prefix, length) &&
			 !memcmp(here->router, router, 16))
			entry = here;
	}
	if (!entry && node->fault == SIM_FAULT_ROUTER_ONE && has_router(node))
		return;
	is_new = !entry && seconds && free_one;
	if (is_new) {
		entry = free_one;
		*entry = (struct sim_route){ .length = length };
		memcpy(entry->prefix, prefix, 16);
		memcpy(entry->router, router, 16);
	}
	if (!entry)
		return;
	if (!seconds && node->fault == SIM_FAULT_ROUTER_ZERO)
		return;
	if (is_new || node->fault != SIM_FAULT_PREFERENCE_FIRST)
		entry->preference = preference;
	if (node->fault == SIM_FAULT_PREFERENCE_LAST)
		prefer(node, entry);
	if (node->fault == SIM_FAULT_ROUTER_EARLY)
		seconds = (seconds + 1) / 2;
	if (is_new || node->fault != SIM_FAULT_ROUTER_LIFETIME)
		entry->until_ns = sim_nd_until_ns(
			node, node->fault == SIM_FAULT_ROUTER_KEPT ? UINT32_MAX : seconds);
	if (!seconds)
		forget_redirects_to(node, router);
}

void sim_route_mark(struct sim_node *node, const uint8_t router[16], bool is_reachable)
{
	unsigned failure = is_reachable ? 0 : ++node->failures;

	if (node->fault == SIM_FAULT_ROUTER_STUCK)
		return;
	for (unsigned i = 0; i < SIM_ROUTES; i++)
		if (!memcmp(node->routes[i].router, router, 16))
			node->routes[i].failure = failure;
	if (!is_reachable)
		forget_redirects_to(node, router);
}

void sim_route_forget_router(struct sim_node *node, const uint8_t router[16])
{
	for (unsigned i = 0; i < SIM_ROUTES; i++)
		if (!memcmp(node->routes[i].router, router, 16))
			node->routes[i].until_ns = 0;
	forget_redirects_to(node, router);
}

static bool is_known(struct sim_node *node, const uint8_t router[16])
{
	const struct sim_neighbour *neighbour = sim_neighbour_find(node, router);

	return neighbour && neighbour->state != SIM_INCOMPLETE;
}

/*
 * RFC 4191 3.2: reachable before not reachable, then the longer prefix, then the
 * preference. RFC 4861 6.3.6: of equal ones that whose neighbour is known, and when
 * none can be reached, the one that was not tried for longest.
 */
static bool is_better(struct sim_node *node, const struct sim_route *a, const struct sim_route *b)
{
	if (!a->failure != !b->failure)
		return !a->failure;
	if (a->preference != b->preference && node->fault == SIM_FAULT_ROUTE_PREFERENCE)
		return a->preference > b->preference;
	if (a->length != b->length)
		return a->length > b->length;
	if (a->preference != b->preference)
		return a->preference > b->preference;
	if (is_known(node, a->router) != is_known(node, b->router))
		return is_known(node, a->router);
	return a->failure < b->failure;
}

const uint8_t *sim_route_next_hop(struct sim_node *node, const uint8_t destination[16])
{
	struct sim_destination *entry = find_destination(node, destination);
	const struct sim_route *best = NULL;
	int64_t now_ns = loop_now_ns(node->loop);

	if (entry && memcmp(destination, unspecified, 16) != 0 &&
	    (!entry->uses++ || node->fault != SIM_FAULT_REDIRECT_ONCE))
		return entry->next_hop;
	if (sim_route_is_on_link(node, destination) || node->fault == SIM_FAULT_NO_ROUTER)
		return destination;
	for (unsigned i = 0; i < SIM_ROUTES; i++) {
		const struct sim_route *here = &node->routes[i];

		if (here->until_ns > now_ns &&
		    sim_nd_match(destination, here->prefix, here->length) &&
		    (!best || is_better(node, here, best) ||
		     (node->fault == SIM_FAULT_ROUTER_OTHER && !is_better(node, best, here))))
			best = here;
	}
	if (!best && node->fault == SIM_FAULT_ALL_ON_LINK)
		return destination;
	if (best && node->fault == SIM_FAULT_ROUTE_CACHED)
		remember(node, destination, best->router);
	return best ? best->router : NULL;
}
