/*
 * Neighbour discovery of a host as a whole: which messages are valid (RFC 4861
 * 6.1.2, 7.1.1, 7.1.2, 8.1; RFC 6980), who deals with them, and beginning and end.
 */
#include "tests/simulated/sim.h"

#include <string.h>

#include "base/time.h"
#include "runners/loop.h"

#define NO SIM_FAULT_COUNT_ /* no fault has that number */

/* What each message is checked for, and the faults that skip a check or add one. */
struct check {
	size_t size;         /* of its fixed part */
	uint8_t reserved[4]; /* which bits of its second word are reserved */
	uint8_t options[6];  /* types of the options that belong there */
	enum sim_fault hop_limit, checksum, code, length, option_length;
	enum sim_fault reserved_set, unknown_option; /* these discard what is to be ignored */
};

static const struct check checks[] = {
	{
		.size = 8,
		.hop_limit = NO,
		.checksum = NO,
		.code = NO,
		.length = NO,
		.option_length = NO,
		.reserved_set = NO,
		.unknown_option = NO,
	},
	{
		.size = 16,
		.hop_limit = SIM_FAULT_RA_HOP_LIMIT,
		.checksum = SIM_FAULT_RA_CHECKSUM,
		.code = SIM_FAULT_RA_CODE,
		.length = SIM_FAULT_RA_LENGTH,
		.option_length = SIM_FAULT_RA_OPTION_LENGTH,
		.reserved_set = NO,
		.unknown_option = NO,
	},
	{
		.size = 24,
		.reserved = { 0xff, 0xff, 0xff, 0xff },
		.options = { SIM_OPTION_SOURCE, SIM_OPTION_NONCE },
		.hop_limit = SIM_FAULT_NS_HOP_LIMIT,
		.checksum = SIM_FAULT_NS_CHECKSUM,
		.code = SIM_FAULT_NS_CODE,
		.length = SIM_FAULT_NS_LENGTH,
		.option_length = SIM_FAULT_NS_OPTION_LENGTH,
		.reserved_set = SIM_FAULT_NS_RESERVED,
		.unknown_option = SIM_FAULT_NS_UNKNOWN_OPTION,
	},
	{
		.size = 24,
		.reserved = { 0x1f, 0xff, 0xff, 0xff },
		.options = { SIM_OPTION_TARGET },
		.hop_limit = SIM_FAULT_NA_HOP_LIMIT,
		.checksum = SIM_FAULT_NA_CHECKSUM,
		.code = SIM_FAULT_NA_CODE,
		.length = SIM_FAULT_NA_LENGTH,
		.option_length = SIM_FAULT_NA_OPTION_LENGTH,
		.reserved_set = SIM_FAULT_NA_RESERVED,
		.unknown_option = SIM_FAULT_NA_UNKNOWN_OPTION,
	},
	{
		.size = 40,
		.reserved = { 0xff, 0xff, 0xff, 0xff },
		.options = { SIM_OPTION_TARGET, SIM_OPTION_REDIRECTED },
		.hop_limit = SIM_FAULT_REDIRECT_HOP_LIMIT,
		.checksum = SIM_FAULT_REDIRECT_CHECKSUM,
		.code = SIM_FAULT_REDIRECT_CODE,
		.length = SIM_FAULT_REDIRECT_LENGTH,
		.option_length = SIM_FAULT_REDIRECT_OPTION_LENGTH,
		.reserved_set = SIM_FAULT_REDIRECT_RESERVED,
		.unknown_option = SIM_FAULT_REDIRECT_UNKNOWN_OPTION,
	},
};

static const struct check *find_check(uint8_t type)
{
	return type >= SIM_ROUTER_SOLICITATION && type <= SIM_REDIRECT
		       ? &checks[type - SIM_ROUTER_SOLICITATION]
		       : NULL;
}

void sim_nd_cancel(struct loop_timer **timer)
{
	loop_timer_cancel(*timer);
	*timer = NULL;
}

/* An xorshift generator (Marsaglia): the same numbers in every run with the same seed. */
int64_t sim_nd_draw(struct sim_node *node, int64_t from, int64_t to)
{
	if (node->fault != SIM_FAULT_RANDOM || from >= to)
		return from + (to - from) / 2;
	node->random ^= node->random << 13;
	node->random ^= node->random >> 7;
	node->random ^= node->random << 17;
	return from + (int64_t)(node->random % (uint64_t)(to - from));
}

struct loop_timer *sim_nd_after(struct sim_node *node, int64_t delay_ns, loop_cb cb, void *user)
{
	if (node->fault == SIM_FAULT_RANDOM)
		delay_ns += sim_nd_draw(node, 0, delay_ns / 12 + 50 * NS_PER_MS);
	if (node->fault == SIM_FAULT_LATE)
		delay_ns += delay_ns / 12 + 50 * NS_PER_MS;
	return loop_timer_start(node->loop, loop_now_ns(node->loop) + delay_ns, cb, user);
}

int64_t sim_nd_until_ns(const struct sim_node *node, uint32_t seconds)
{
	return seconds == UINT32_MAX ? INT64_MAX
				     : loop_now_ns(node->loop) + seconds * NS_PER_SECOND;
}

bool sim_nd_match(const uint8_t a[16], const uint8_t b[16], unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return !memcmp(a, b, whole) && (!rest || !((a[whole] ^ b[whole]) >> (8 - rest)));
}

bool sim_nd_is_link_local(const uint8_t address[16])
{
	static const uint8_t prefix[16] = { 0xfe, 0x80 };

	return sim_nd_match(address, prefix, 10);
}

/* --- in ----------------------------------------------------------------------------- */

bool sim_nd_takes_checksum(const struct sim_node *node, uint8_t type)
{
	const struct check *check = find_check(type);

	return check && check->checksum == node->fault;
}

/* How many octets of the options can be read; all of them, if they are well-formed. */
static size_t measure_options(const uint8_t *options, size_t size)
{
	size_t at = 0;

	while (at + 8 <= size && options[at + 1] && options[at + 1] * 8u <= size - at)
		at += options[at + 1] * 8u;
	return at;
}

const uint8_t *sim_nd_find_option(const uint8_t *options, size_t size, uint8_t type)
{
	for (size_t at = 0; at < size; at += options[at + 1] * 8u)
		if (options[at] == type)
			return options + at + 2;
	return NULL;
}

/*
 * What a node may find in an option whose length is 0, which a fault makes it
 * read on: the one unit of 8 octets that it should have been.
 */
static void mend_options(uint8_t *options, size_t size)
{
	for (size_t at = 0; at + 8 <= size; at += options[at + 1] * 8u)
		if (!options[at + 1])
			options[at + 1] = 1;
}

/* What is behind the end of a message that is too short: by luck, what makes sense there. */
static size_t mend_length(struct sim_node *node, uint8_t *message, size_t size, size_t whole)
{
	if (message[0] == SIM_NEIGHBOUR_ADVERTISEMENT)
		return sim_neighbour_complete(node, message);
	if (message[0] == SIM_NEIGHBOUR_SOLICITATION)
		memcpy(message + 8, sim_address_link_local(node), 16);
	if (message[0] == SIM_REDIRECT)
		message[whole - 1] = node->last_destination[15];
	return size < whole ? whole : size;
}

static bool has_reserved_bits(const struct check *check, const uint8_t *message)
{
	for (unsigned i = 0; i < 4; i++)
		if (message[4 + i] & check->reserved[i])
			return true;
	return false;
}

static bool has_unknown_option(const struct check *check, const uint8_t *options, size_t size)
{
	for (size_t at = 0; at < size; at += options[at + 1] * 8u)
		if (!memchr(check->options, options[at], sizeof(check->options)))
			return true;
	return false;
}

static void dispatch(struct sim_node *node, const uint8_t *packet, const uint8_t *message,
		     size_t size)
{
	if (message[0] == SIM_NEIGHBOUR_SOLICITATION)
		sim_neighbour_take_solicitation(node, packet, message, size);
	else if (message[0] == SIM_NEIGHBOUR_ADVERTISEMENT)
		sim_neighbour_take_advertisement(node, packet, message, size);
	else if (message[0] == SIM_ROUTER_ADVERTISEMENT)
		sim_router_take_advertisement(node, packet, message, size);
	else if (message[0] == SIM_REDIRECT)
		sim_route_take_redirect(node, packet, message, size);
	else
		sim_router_take_solicitation(node, packet, message, size);
}

/* Whether the message passes the checks; a fault that skips one mends what it would stumble over. */
static bool is_valid(struct sim_node *node, const struct check *check, uint8_t hop_limit,
		     uint8_t *message, size_t *size)
{
	if ((hop_limit != 255 && node->fault != check->hop_limit) ||
	    (message[1] && node->fault != check->code))
		return false;
	if (*size < check->size) {
		if (node->fault != check->length)
			return false;
		*size = mend_length(node, message, *size, check->size);
	}
	if (node->fault == check->option_length)
		mend_options(message + check->size, *size - check->size);
	return measure_options(message + check->size, *size - check->size) == *size - check->size &&
	       !(node->fault == check->reserved_set && has_reserved_bits(check, message)) &&
	       !(node->fault == check->unknown_option &&
		 has_unknown_option(check, message + check->size, *size - check->size));
}

bool sim_nd_receive(struct sim_node *node, const uint8_t *packet, const uint8_t *received,
		    size_t size, bool is_fragment)
{
	uint8_t message[SIM_FRAME_MAX] = { 0 };
	const struct check *check = find_check(received[0]);

	if (!check || size > sizeof(message))
		return true;
	if (received[0] == SIM_REDIRECT && node->fault == SIM_FAULT_REDIRECT_ERROR)
		sim_send_error(node, packet, (size_t)(received - packet) + size, 4, 0, 40);
	if (is_fragment && node->fault != SIM_FAULT_ND_FRAGMENT)
		return false; /* RFC 6980 section 5 */
	memcpy(message, received, size);
	if (!is_valid(node, check, packet[7], message, &size)) {
		if (received[0] == SIM_ROUTER_ADVERTISEMENT)
			sim_router_take_invalid(node, packet, message);
		return false;
	}
	dispatch(node, packet, message, size);
	return true;
}

/* --- out ---------------------------------------------------------------------------- */

void sim_nd_send(struct sim_node *node, const uint8_t destination[16], const uint8_t *packet,
		 size_t size)
{
	uint8_t mac[6] = { 0x33, 0x33 };
	const uint8_t *next_hop;

	if (destination[0] == 0xff) {
		memcpy(mac + 2, destination + 12, 4);
		sim_send_frame(node, mac, packet, size);
		return;
	}
	memcpy(node->last_destination, destination, 16);
	next_hop = sim_route_next_hop(node, destination);
	if (next_hop)
		sim_neighbour_send(node, next_hop, packet, size);
}

/* --- beginning and end ----------------------------------------------------------------- */

void sim_nd_start(struct sim_node *node)
{
	sim_nd_stop(node);
	if (!node->is_disabled)
		sim_address_start(node);
}

void sim_nd_stop(struct sim_node *node)
{
	sim_router_forget_all(node);
	sim_address_forget_all(node);
	sim_neighbour_forget_all(node);
	sim_route_forget_all(node);
	sim_fragment_forget_all(node);
	sim_path_forget_all(node);
	sim_dns_forget_all(node);
	sim_group_stop_talk(node);
}

void sim_nd_settle(struct sim_node *node)
{
	sim_nd_stop(node);
	node->is_disabled = false;
	sim_address_settle(node);
}
