/* Reassembly of fragments, RFC 8200 section 4.5. */
#include "tests/simulated/sim.h"

#include <string.h>

#include "base/time.h"
#include "runners/loop.h"

#define HEADER        40
#define PROBLEM       4
#define TIME_EXCEEDED 3
#define TIMEOUT_NS    (60 * NS_PER_SECOND)
#define MIN_MTU       1280

/* What comes of a fragment that is put beside the others. */
enum fit { FIT_NEW, FIT_DUPLICATE, FIT_OVERLAP };

static void forget(struct sim_packet *packet)
{
	loop_timer_cancel(packet->timer);
	*packet = (struct sim_packet){ 0 };
}

void sim_fragment_forget_all(struct sim_node *node)
{
	for (unsigned i = 0; i < SIM_PACKETS; i++)
		forget(&node->packets[i]);
}

static void give_up(void *user)
{
	struct sim_packet *packet = user;
	struct sim_node *node = packet->node;

	packet->timer = NULL;
	if (packet->first_size && node->fault != SIM_FAULT_REASSEMBLY_SILENT)
		sim_send_error(node, packet->first, packet->first_size, TIME_EXCEEDED, 1, 0);
	forget(packet);
}

/* What tells packets apart; a fault blanks the part of it that it does not look at. */
static void make_key(const struct sim_node *node, const uint8_t *packet, size_t at, uint8_t key[36])
{
	memcpy(key, packet + 8, 32);
	memcpy(key + 32, packet + at + 4, 4);
	if (node->fault == SIM_FAULT_FRAGMENT_SOURCE)
		memset(key, 0, 16);
	if (node->fault == SIM_FAULT_FRAGMENT_DESTINATION)
		memset(key + 16, 0, 16);
	if (node->fault == SIM_FAULT_FRAGMENT_ID)
		memset(key + 32, 0, 4);
}

static struct sim_packet *find(struct sim_node *node, const uint8_t key[36])
{
	for (unsigned i = 0; i < SIM_PACKETS; i++)
		if (node->packets[i].node && !memcmp(node->packets[i].key, key, 36))
			return &node->packets[i];
	return NULL;
}

static struct sim_packet *find_or_make(struct sim_node *node, const uint8_t key[36])
{
	struct sim_packet *packet = find(node, key);

	for (unsigned i = 0; i < SIM_PACKETS && !packet; i++) {
		if (node->packets[i].node)
			continue;
		packet = &node->packets[i];
		packet->node = node;
		memcpy(packet->key, key, 36);
		if (node->fault != SIM_FAULT_REASSEMBLY_NEVER)
			packet->timer = sim_nd_after(node,
						     node->fault == SIM_FAULT_REASSEMBLY_EARLY
							     ? TIMEOUT_NS / 2
							     : TIMEOUT_NS,
						     give_up, packet);
	}
	return packet;
}

bool sim_fragment_is_known(struct sim_node *node, const uint8_t *packet, size_t at)
{
	uint8_t key[36];

	make_key(node, packet, at, key);
	return find(node, key);
}

static enum fit compare(const struct sim_packet *packet, const uint8_t *data, size_t offset,
			size_t size)
{
	bool any = false, all = true;

	for (size_t at = offset; at < offset + size; at += 8) {
		any |= packet->has[at / 8];
		all &= packet->has[at / 8];
	}
	if (!any)
		return FIT_NEW;
	return all && !memcmp(packet->data + offset, data, size) ? FIT_DUPLICATE : FIT_OVERLAP;
}

/* A fragment that is in the way of another one; true to put it in its place all the same. */
static bool survives(struct sim_packet *packet, enum fit fit, const uint8_t *fragment, size_t size)
{
	struct sim_node *node = packet->node;

	if (fit == FIT_DUPLICATE && node->fault == SIM_FAULT_DUPLICATE_REPORT)
		sim_send_error(node, fragment, size, PROBLEM, 0, HEADER + 2);
	if (fit == FIT_DUPLICATE && node->fault != SIM_FAULT_DUPLICATE_OVERLAP)
		return false;
	if (node->fault == SIM_FAULT_OVERLAP)
		return true;
	if (node->fault == SIM_FAULT_OVERLAP_DROP)
		return false;
	if (node->fault == SIM_FAULT_OVERLAP_REPORT)
		sim_send_error(node, fragment, size, PROBLEM, 0, HEADER + 2);
	forget(packet);
	return false;
}

static void put(struct sim_packet *packet, const uint8_t *data, size_t offset, size_t size,
		bool is_last)
{
	enum sim_fault fault = packet->node->fault;
	size_t place = offset;

	if (fault == SIM_FAULT_FRAGMENT_DATA && offset >= 8 && !is_last)
		place = offset - 8;
	memcpy(packet->data + place, data, size);
	for (size_t at = offset; at < offset + size; at += 8)
		packet->has[at / 8] = true;
	if (is_last)
		packet->total = offset + size;
}

static bool is_whole(const struct sim_packet *packet)
{
	for (size_t at = 0; at < packet->total; at += 8)
		if (!packet->has[at / 8])
			return false;
	return packet->total > 0;
}

/* The packet with the IPv6 header of its first fragment; the packet is forgotten. */
static size_t finish(struct sim_packet *packet, uint8_t whole[SIM_FRAME_MAX])
{
	size_t total = packet->total;

	memcpy(whole, packet->first, HEADER);
	whole[4] = (uint8_t)(total >> 8);
	whole[5] = (uint8_t)total;
	whole[6] = packet->next;
	memcpy(whole + HEADER, packet->data, total);
	forget(packet);
	return HEADER + total;
}

bool sim_fragment_take(struct sim_node *node, const uint8_t *fragment, size_t size, size_t at,
		       uint8_t whole[SIM_FRAME_MAX], size_t *ret_size)
{
	const uint8_t *header = fragment + at, *data = header + 8;
	size_t offset = (size_t)(header[2] << 8 | header[3]) & ~(size_t)7;
	size_t length = size - at - 8;
	struct sim_packet *packet;
	uint8_t key[36];
	enum fit fit;

	make_key(node, fragment, at, key);
	if (offset + length > SIM_FRAME_MAX - HEADER ||
	    (node->fault == SIM_FAULT_FRAGMENT_LARGE && offset + length > MIN_MTU - HEADER))
		return false;
	if (node->fault == SIM_FAULT_FRAGMENT_REVERSE && offset && !find(node, key))
		return false;
	packet = find_or_make(node, key);
	if (!packet)
		return false;
	fit = compare(packet, data, offset, length);
	if (fit != FIT_NEW && !survives(packet, fit, fragment, size))
		return false;
	if (!offset || (node->fault == SIM_FAULT_REASSEMBLY_ANY && !packet->first_size)) {
		memcpy(packet->first, fragment, size);
		packet->first_size = size;
		packet->next = header[0];
	}
	put(packet, data, offset, length, !(header[3] & 1));
	if (!is_whole(packet))
		return false;
	*ret_size = finish(packet, whole);
	return true;
}
