/*
 * The way of a packet through the simulated node: Ethernet, IPv6 and its header
 * chain (RFC 8200 section 4), ICMPv6 (RFC 4443), the port that nobody listens on.
 */
#include "tests/simulated/sim.h"

#include <string.h>
#include <sys/socket.h>

#define HOP_BY_HOP  0
#define UDP         17
#define ROUTING     43
#define FRAGMENT    44
#define ICMPV6      58
#define NO_NEXT     59
#define DESTINATION 60

#define UNREACHABLE  1
#define TOO_BIG      2
#define PROBLEM      4
#define ECHO_REQUEST 128
#define ECHO_REPLY   129

#define UNKNOWN_INFORMATION 254

#define HEADER    40
#define ERROR_MAX 1280

/* A packet on its way: `size` octets from the IPv6 header on. */
struct walk {
	struct sim_node *node;
	const uint8_t *packet;
	size_t size;
	size_t at;             /* of the header that is processed now */
	size_t next_field;     /* offset of the Next Header field that named it */
	bool was_atomic;       /* it had a Fragment header and was whole */
	bool was_fragment;     /* it had one */
	const uint8_t *quoted; /* the packet as it came, for errors */
	size_t quoted_size;
};

static bool is_multicast(const uint8_t address[16])
{
	return address[0] == 0xff;
}

uint32_t sim_get32(const uint8_t octets[4])
{
	return (uint32_t)octets[0] << 24 | (uint32_t)octets[1] << 16 | (uint32_t)octets[2] << 8 |
	       octets[3];
}

uint16_t sim_checksum(const uint8_t source[16], const uint8_t destination[16], uint8_t protocol,
		      const uint8_t *data, size_t size)
{
	uint32_t sum = (uint32_t)size + protocol;

	for (unsigned i = 0; i < 16; i += 2)
		sum += (uint32_t)(source[i] << 8 | source[i + 1]) +
		       (uint32_t)(destination[i] << 8 | destination[i + 1]);
	for (size_t i = 0; i + 1 < size; i += 2)
		sum += (uint32_t)(data[i] << 8 | data[i + 1]);
	if (size & 1)
		sum += (uint32_t)data[size - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* --- out ---------------------------------------------------------------------- */

void sim_send_frame(struct sim_node *node, const uint8_t mac[6], const uint8_t *packet, size_t size)
{
	uint8_t frame[14 + SIM_FRAME_MAX];

	if (node->fd < 0 || size > SIM_FRAME_MAX)
		return;
	memcpy(frame, mac, 6);
	memcpy(frame + 6, node->mac, 6);
	frame[12] = 0x86;
	frame[13] = 0xdd;
	memcpy(frame + 14, packet, size);
	(void)send(node->fd, frame, 14 + size, 0); /* as on a wire, nobody hears of a loss */
}

static void build_header(uint8_t packet[HEADER], const uint8_t source[16],
			 const uint8_t destination[16], uint8_t next, uint8_t hop_limit,
			 size_t payload)
{
	memset(packet, 0, HEADER);
	packet[0] = 0x60;
	packet[4] = (uint8_t)(payload >> 8);
	packet[5] = (uint8_t)payload;
	packet[6] = next;
	packet[7] = hop_limit;
	memcpy(packet + 8, source, 16);
	memcpy(packet + 24, destination, 16);
}

void sim_send_udp(struct sim_node *node, const uint8_t source[16], const uint8_t destination[16],
		  uint8_t *datagram, size_t size)
{
	uint16_t checksum = sim_checksum(source, destination, UDP, datagram, size);
	uint8_t packet[SIM_FRAME_MAX];

	if (size > SIM_FRAME_MAX - HEADER)
		return;
	datagram[6] = (uint8_t)(checksum >> 8);
	datagram[7] = (uint8_t)checksum;
	build_header(packet, source, destination, UDP, node->hop_limit, size);
	memcpy(packet + HEADER, datagram, size);
	sim_nd_send(node, destination, packet, HEADER + size);
}

size_t sim_build_icmp(uint8_t packet[SIM_FRAME_MAX], const uint8_t source[16],
		      const uint8_t destination[16], uint8_t hop_limit, const uint8_t *message,
		      size_t size)
{
	uint16_t checksum;

	build_header(packet, source, destination, ICMPV6, hop_limit, size);
	memcpy(packet + HEADER, message, size);
	packet[HEADER + 2] = packet[HEADER + 3] = 0;
	checksum = sim_checksum(source, destination, ICMPV6, packet + HEADER, size);
	packet[HEADER + 2] = (uint8_t)(checksum >> 8);
	packet[HEADER + 3] = (uint8_t)checksum;
	return HEADER + size;
}

void sim_send_icmp(struct sim_node *node, const uint8_t source[16], const uint8_t destination[16],
		   uint8_t hop_limit, const uint8_t *message, size_t size)
{
	uint8_t packet[SIM_FRAME_MAX];

	if (size > SIM_FRAME_MAX - HEADER)
		return;
	size = sim_build_icmp(packet, source, destination, hop_limit, message, size);
	sim_nd_send(node, destination, packet, size);
}

/* Some address of the node's that was not asked; the link-local one if there is no other. */
static const uint8_t *other_address(const struct sim_node *node, const uint8_t asked[16])
{
	for (unsigned i = 0; i < SIM_ADDRESSES; i++)
		if (node->addresses[i].state == SIM_ASSIGNED &&
		    memcmp(node->addresses[i].address, asked, 16) != 0)
			return node->addresses[i].address;
	return sim_address_link_local(node);
}

/* What the node answers from: the address asked, or its own when a group was asked. */
static const uint8_t *source_for(const struct sim_node *node, const uint8_t asked[16],
				 const uint8_t destination[16], enum sim_fault fault)
{
	const uint8_t *chosen;

	if (node->fault == fault)
		return other_address(node, asked);
	if (!is_multicast(asked))
		return asked;
	chosen = sim_address_choose(node, destination);
	return chosen ? chosen : sim_address_link_local(node);
}

/* Who sent the packet or who it was for forbids an error about it, RFC 4443 section 2.4 e. */
static bool is_error_forbidden(const struct sim_node *node, const uint8_t *packet, uint8_t type,
			       uint8_t code)
{
	static const uint8_t unspecified[16];
	bool is_nobody = is_multicast(packet + 8) || !memcmp(packet + 8, unspecified, 16);
	bool is_option = type == PROBLEM && code == 2;

	return (is_nobody && node->fault != SIM_FAULT_ERROR_SOURCE) ||
	       (is_multicast(packet + 24) && !is_option && node->fault != SIM_FAULT_ERROR_GROUP);
}

void sim_send_error(struct sim_node *node, const uint8_t *packet, size_t size, uint8_t type,
		    uint8_t code, uint32_t word)
{
	uint8_t message[SIM_FRAME_MAX] = { type, code };
	size_t quote = size;
	uint8_t other[16];
	const uint8_t *source = source_for(node, packet + 24, packet + 8, SIM_FAULT_COUNT_);

	if (is_error_forbidden(node, packet, type, code))
		return;
	if (quote > ERROR_MAX - HEADER - 8)
		quote = ERROR_MAX - HEADER - 8;
	if (node->fault == SIM_FAULT_PROBLEM_QUOTE)
		quote -= 8;
	if (node->fault == SIM_FAULT_POINTER)
		word++;
	if (node->fault == SIM_FAULT_PROBLEM_CODE)
		message[1]++;
	if (node->fault == SIM_FAULT_PROBLEM_SOURCE) {
		memcpy(other, source, 16);
		other[15] ^= 1;
		if (is_multicast(packet + 24))
			memcpy(other, packet + 24, 16);
		source = other;
	}
	message[4] = (uint8_t)(word >> 24);
	message[5] = (uint8_t)(word >> 16);
	message[6] = (uint8_t)(word >> 8);
	message[7] = (uint8_t)word;
	memcpy(message + 8, packet, quote);
	sim_send_icmp(node, source, packet + 8, node->hop_limit, message, 8 + quote);
}

static void send_error(const struct walk *walk, uint8_t type, uint8_t code, uint32_t word)
{
	sim_send_error(walk->node, walk->quoted, walk->quoted_size, type, code, word);
}

/* --- headers ------------------------------------------------------------------- */

static bool process_header(struct walk *walk, uint8_t type);

static bool next_header(struct walk *walk, size_t length)
{
	uint8_t type = walk->packet[walk->at];

	walk->next_field = walk->at;
	walk->at += length;
	return process_header(walk, type);
}

/* What an option that is not known asks for, RFC 8200 section 4.2; true to go on. */
static bool process_unknown_option(const struct walk *walk, size_t at)
{
	const struct sim_node *node = walk->node;
	bool is_group = is_multicast(walk->quoted + 24);

	switch (walk->packet[at] >> 6) {
	case 0:
		return node->fault != SIM_FAULT_OPTION_00;
	case 1:
		if (node->fault == SIM_FAULT_OPTION_01_REPORT)
			send_error(walk, PROBLEM, 2, (uint32_t)at);
		return node->fault == SIM_FAULT_OPTION_01;
	case 2:
		if (node->fault != SIM_FAULT_OPTION_10 &&
		    !(is_group && node->fault == SIM_FAULT_OPTION_10_GROUP))
			send_error(walk, PROBLEM, 2, (uint32_t)at);
		return node->fault == SIM_FAULT_PROBLEM_AND_REPLY;
	default:
		if (!is_group || node->fault == SIM_FAULT_OPTION_11_GROUP)
			send_error(walk, PROBLEM, 2, (uint32_t)at);
		return node->fault == SIM_FAULT_PROBLEM_AND_REPLY;
	}
}

/* Whether the fragment whose header is at `at` has more behind it and no multiple of 8 octets. */
static bool is_odd_fragment(const struct walk *walk, size_t at)
{
	return at + 8 <= walk->size && (walk->packet[at + 3] & 1) && (walk->size - at - 8) % 8;
}

static bool process_options(struct walk *walk)
{
	const struct sim_node *node = walk->node;
	const uint8_t *packet = walk->packet;
	size_t length, end, last = 0;
	bool goes_on = true;

	if (walk->at + 8 > walk->size)
		return false;
	length = (packet[walk->at + 1] + 1u) * 8;
	end = walk->at + length;
	if (end > walk->size)
		return false;
	if (node->fault == SIM_FAULT_FRAGMENT_FIRST && packet[walk->at] == FRAGMENT &&
	    is_odd_fragment(walk, end)) {
		send_error(walk, PROBLEM, 0, 4);
		return false;
	}
	for (size_t at = walk->at + 2; at < end && goes_on;) {
		if (packet[at] == 0) {
			if (node->fault == SIM_FAULT_PAD1)
				return false;
			at++;
			continue;
		}
		if (at + 2 > end || at + 2 + packet[at + 1] > end)
			return false;
		if (packet[at] == 1)
			goes_on = node->fault != SIM_FAULT_PADN;
		else if (node->fault == SIM_FAULT_OPTION_ORDER)
			last = at;
		else
			goes_on = process_unknown_option(walk, at) ||
				  node->fault == SIM_FAULT_OPTION_ALL;
		at += 2u + packet[at + 1];
	}
	if (!goes_on || (last && !process_unknown_option(walk, last)))
		return false;
	return next_header(walk, length);
}

/* A fragment that is the whole packet: RFC 6946 section 4. */
static bool process_atomic_fragment(struct walk *walk)
{
	uint8_t whole[SIM_FRAME_MAX];
	struct walk inner = *walk;

	if (walk->node->fault == SIM_FAULT_ATOMIC_QUEUE &&
	    sim_fragment_is_known(walk->node, walk->packet, walk->at))
		return false;
	walk->was_atomic = inner.was_atomic = true;
	walk->was_fragment = inner.was_fragment = true;
	if (walk->node->fault != SIM_FAULT_ATOMIC_QUOTE || walk->size > sizeof(whole))
		return next_header(walk, 8);
	memcpy(whole, walk->packet, walk->at);
	memcpy(whole + walk->at, walk->packet + walk->at + 8, walk->size - walk->at - 8);
	whole[walk->next_field] = walk->packet[walk->at];
	inner.packet = inner.quoted = whole;
	inner.size = inner.quoted_size = walk->size - 8;
	whole[4] = (uint8_t)((inner.size - HEADER) >> 8);
	whole[5] = (uint8_t)(inner.size - HEADER);
	return process_header(&inner, whole[inner.next_field]);
}

/* Whether the headers of a first fragment end in it, up to and with that of the upper layer. */
static bool has_all_headers(const struct walk *walk)
{
	uint8_t type = walk->packet[walk->at];
	size_t at = walk->at + 8;

	while (type == HOP_BY_HOP || type == ROUTING || type == DESTINATION) {
		if (at + 8 > walk->size)
			return false;
		type = walk->packet[at];
		at += (walk->packet[at + 1] + 1u) * 8;
	}
	return at + 8 <= walk->size;
}

/* What is reported of a fragment by itself; false if it must be discarded. */
static bool check_fragment(const struct walk *walk)
{
	const struct sim_node *node = walk->node;
	const uint8_t *header = walk->packet + walk->at;
	bool is_first = !(header[2] << 8 | (header[3] & 0xf8));

	if (is_odd_fragment(walk, walk->at)) {
		if (node->fault == SIM_FAULT_FRAGMENT_OPTIONS && header[0] == DESTINATION)
			send_error(walk, PROBLEM, 2, (uint32_t)walk->at + 10);
		else if (node->fault != SIM_FAULT_FRAGMENT_LENGTH)
			send_error(walk, PROBLEM, 0, 4);
		return false;
	}
	if (is_first && !has_all_headers(walk) && node->fault != SIM_FAULT_FRAGMENT_CHAIN) {
		send_error(walk, PROBLEM, 3, 0);
		return false;
	}
	return true;
}

static bool process_fragment(struct walk *walk)
{
	struct sim_node *node = walk->node;
	const uint8_t *header = walk->packet + walk->at;
	uint8_t whole[SIM_FRAME_MAX];
	struct walk inner = *walk;

	if (walk->at + 8 > walk->size || node->fault == SIM_FAULT_FRAGMENTS)
		return false;
	if (!((header[2] << 8 | header[3]) & 0xfff9))
		return process_atomic_fragment(walk);
	if (!check_fragment(walk) ||
	    !sim_fragment_take(node, walk->packet, walk->size, walk->at, whole, &inner.size))
		return false;
	inner.packet = whole;
	inner.was_fragment = true;
	inner.at = HEADER;
	inner.next_field = 6;
	return process_header(&inner, whole[6]);
}

/* As if it were a router of type 0: on to the last of its addresses. */
static void send_on(const struct walk *walk, size_t end)
{
	uint8_t packet[SIM_FRAME_MAX];

	if (end > walk->size || walk->size > sizeof(packet))
		return;
	memcpy(packet, walk->packet, walk->size);
	memcpy(packet + 24, walk->packet + end - 16, 16);
	sim_nd_send(walk->node, packet + 24, packet, walk->size);
}

static bool process_routing(struct walk *walk)
{
	enum sim_fault fault = walk->node->fault;
	size_t length;

	if (walk->at + 8 > walk->size)
		return false;
	length = (walk->packet[walk->at + 1] + 1u) * 8;
	if (walk->packet[walk->at + 3] ? fault != SIM_FAULT_ROUTING_IGNORED
				       : fault == SIM_FAULT_ROUTING_ERROR) {
		send_error(walk, PROBLEM, 0, (uint32_t)walk->at + 2);
		if (fault == SIM_FAULT_ROUTING_FORWARD)
			send_on(walk, walk->at + length);
		return false;
	}
	return next_header(walk, length);
}

/* --- upper layers ----------------------------------------------------------------- */

static void mark_reply(const struct walk *walk, uint8_t *packet)
{
	static uint8_t label;

	if (walk->node->fault == SIM_FAULT_ECHO_LABEL)
		packet[3] = ++label;
	if (walk->node->fault == SIM_FAULT_ECHO_CHECKSUM)
		packet[HEADER + 3] ^= 1;
}

static size_t insert_fragment_header(uint8_t *packet, size_t size)
{
	static const uint8_t header[8] = { ICMPV6, 0, 0, 0, 0, 0, 0, 1 };

	memmove(packet + HEADER + 8, packet + HEADER, size - HEADER);
	memcpy(packet + HEADER, header, 8);
	packet[6] = FRAGMENT;
	packet[5] = (uint8_t)(packet[5] + 8);
	return size + 8;
}

static void reply(const struct walk *walk, const uint8_t *message, size_t size)
{
	struct sim_node *node = walk->node;
	const uint8_t *asked = walk->packet + 24;
	const uint8_t *source = source_for(node, asked, walk->packet + 8, SIM_FAULT_ECHO_SOURCE);
	uint8_t packet[SIM_FRAME_MAX], answer[SIM_FRAME_MAX];
	uint8_t other[16];

	if (node->fault == SIM_FAULT_ECHO_SOURCE && !memcmp(source, asked, 16)) {
		memcpy(other, asked, 16);
		other[15] ^= 1;
		source = other;
	}
	if (node->fault == SIM_FAULT_ECHO_MULTICAST_SOURCE && is_multicast(asked))
		source = asked;
	memcpy(answer, message, size);
	answer[0] = ECHO_REPLY;
	if (node->fault == SIM_FAULT_ECHO_CONFIRMS)
		sim_neighbour_hint(node, walk->packet + 8);
	if (node->fault == SIM_FAULT_ECHO_IDENTIFIER)
		answer[5]++;
	if (node->fault == SIM_FAULT_ECHO_SEQUENCE)
		answer[7]++;
	if (node->fault == SIM_FAULT_ECHO_DATA && size > 8)
		answer[size - 1]++;
	if (node->fault == SIM_FAULT_ECHO_SHORT && size > 8)
		size--;
	size = sim_build_icmp(packet, source, walk->packet + 8,
			      node->fault == SIM_FAULT_ECHO_HOP_LIMIT ? walk->packet[7]
								      : node->hop_limit,
			      answer, size);
	mark_reply(walk, packet);
	if (walk->was_atomic && node->fault == SIM_FAULT_ATOMIC_REPLY)
		size = insert_fragment_header(packet, size);
	sim_path_send(node, packet, size);
}

static bool process_icmp(const struct walk *walk)
{
	const uint8_t *message = walk->packet + walk->at;
	size_t size = walk->size - walk->at;
	bool is_fragment = walk->was_fragment &&
			   !(walk->was_atomic && walk->node->fault == SIM_FAULT_ND_ATOMIC);

	if (size < 8 || (sim_checksum(walk->packet + 8, walk->packet + 24, ICMPV6, message, size) &&
			 !sim_nd_takes_checksum(walk->node, message[0])))
		return false;
	if (message[0] == ECHO_REQUEST && size <= SIM_FRAME_MAX - HEADER - 8)
		reply(walk, message, size);
	else if (message[0] == TOO_BIG)
		sim_path_too_big(walk->node, message, size);
	else if (message[0] == UNKNOWN_INFORMATION && walk->node->fault == SIM_FAULT_INFORMATION)
		send_error(walk, PROBLEM, 1, (uint32_t)walk->at);
	else if (!sim_nd_receive(walk->node, walk->packet, message, size, is_fragment) &&
		 walk->node->fault == SIM_FAULT_ND_REPORTED)
		send_error(walk, PROBLEM, 0, (uint32_t)walk->at);
	return true;
}

static bool process_header(struct walk *walk, uint8_t type)
{
	struct sim_node *node = walk->node;

	switch (type) {
	case HOP_BY_HOP:
		if (node->fault == SIM_FAULT_HBH_SKIP && walk->at == HEADER)
			return next_header(walk, (walk->packet[walk->at + 1] + 1u) * 8);
		if (walk->at == HEADER || node->fault == SIM_FAULT_SECOND_HBH)
			return process_options(walk);
		break;
	case DESTINATION:
		return process_options(walk);
	case ROUTING:
		return process_routing(walk);
	case FRAGMENT:
		return process_fragment(walk);
	case ICMPV6:
		return process_icmp(walk);
	case UDP:
		if (sim_dns_receive(node, walk->packet + walk->at, walk->size - walk->at))
			return true;
		if (node->fault != SIM_FAULT_PORT_SILENT)
			send_error(walk, UNREACHABLE, node->fault == SIM_FAULT_PORT_CODE ? 3 : 4,
				   0);
		return true;
	case NO_NEXT:
		if (node->fault == SIM_FAULT_PANIC)
			node->state = NUT_STATE_PANIC;
		if (node->fault == SIM_FAULT_HANG)
			node->state = NUT_STATE_HUNG;
		return node->fault == SIM_FAULT_NO_NEXT_HEADER ? process_icmp(walk) : false;
	}
	if (node->fault == SIM_FAULT_NEXT_HEADER_REPLY)
		return process_icmp(walk);
	if (node->fault != SIM_FAULT_NEXT_HEADER)
		send_error(walk, PROBLEM, 1, (uint32_t)walk->next_field);
	return false;
}

/* --- in ------------------------------------------------------------------------- */

static bool is_for_me(const struct sim_node *node, const uint8_t address[16])
{
	static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };
	static const uint8_t all_routers[16] = { 0xff, 0x02, [15] = 2 };
	static const uint8_t unspecified[16], loopback[16] = { [15] = 1 };
	bool is_router = node->fault == SIM_FAULT_RS_LEARNT || node->fault == SIM_FAULT_RS_ANSWERED;

	if (!memcmp(address, all_nodes, 16) || (is_router && !memcmp(address, all_routers, 16)) ||
	    (node->fault == SIM_FAULT_UNSPECIFIED && !memcmp(address, unspecified, 16)) ||
	    (node->fault == SIM_FAULT_LOOPBACK && !memcmp(address, loopback, 16)))
		return true;
	return sim_address_has_group(node, address) || sim_address_hears(node, address);
}

void sim_receive(struct sim_node *node, const uint8_t *frame, size_t size)
{
	const uint8_t *packet = frame + 14;
	struct walk walk = {
		.node = node, .packet = packet, .at = HEADER, .next_field = 6, .quoted = packet
	};
	size_t payload;

	if (size < 14 + HEADER || frame[12] != 0x86 || frame[13] != 0xdd)
		return;
	if (packet[0] >> 4 != 6) {
		if (node->fault == SIM_FAULT_VERSION)
			node->is_deaf = true;
		return;
	}
	if (!(frame[0] & 1) && memcmp(frame, node->mac, 6))
		return;
	payload = (size_t)(packet[4] << 8 | packet[5]);
	if (payload > size - 14 - HEADER || !is_for_me(node, packet + 24) ||
	    node->fault == SIM_FAULT_MUTE || node->is_deaf || node->state != NUT_STATE_READY ||
	    node->is_disabled)
		return;
	if (!packet[7] && node->fault == SIM_FAULT_HOP_LIMIT_ZERO)
		return;
	memcpy(node->sender, frame + 6, 6);
	walk.size = walk.quoted_size = HEADER + payload;
	(void)process_header(&walk, packet[6]);
}
