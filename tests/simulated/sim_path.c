/*
 * What the simulated node sends on a path: path MTU discovery (RFC 8201), the
 * fragments of what is too large for it (RFC 8200 section 4.5), and its ping.
 */
#include "tests/simulated/sim.h"

#include <string.h>

#include "base/time.h"
#include "runners/loop.h"

#define HEADER       40
#define FRAGMENT     44
#define ECHO_REQUEST 128
#define MIN_MTU      1280
#define LINK_MTU     1500
#define AGE_NS       (600 * NS_PER_SECOND)

void sim_path_forget_all(struct sim_node *node)
{
	memset(node->paths, 0, sizeof(node->paths));
	node->path_count = 0;
	node->link_mtu = LINK_MTU;
}

static struct sim_path *find(struct sim_node *node, const uint8_t destination[16])
{
	for (unsigned i = 0; i < node->path_count; i++)
		if (!memcmp(node->paths[i].destination, destination, 16))
			return &node->paths[i];
	return NULL;
}

static struct sim_path *find_or_make(struct sim_node *node, const uint8_t destination[16])
{
	struct sim_path *path = find(node, destination);

	if (!path && node->path_count < SIM_PATHS) {
		path = &node->paths[node->path_count++];
		memcpy(path->destination, destination, 16);
	}
	return path;
}

static size_t mtu_of(const struct sim_node *node, const struct sim_path *path)
{
	size_t mtu = node->fault == SIM_FAULT_PMTU_NONE ? MIN_MTU : node->link_mtu;

	return path->mtu && path->mtu < mtu && loop_now_ns(node->loop) < path->until_ns ? path->mtu
											: mtu;
}

/* The fragment of `packet` with `size` octets from `offset` on. */
static void send_piece(struct sim_node *node, const uint8_t *packet, size_t offset, size_t size,
		       bool more)
{
	uint8_t piece[SIM_FRAME_MAX];
	size_t payload = 8 + size;

	memcpy(piece, packet, HEADER);
	piece[4] = (uint8_t)(payload >> 8);
	piece[5] = (uint8_t)payload;
	piece[6] = FRAGMENT;
	memset(piece + HEADER, 0, 8);
	piece[HEADER] = packet[6];
	piece[HEADER + 2] = (uint8_t)(offset >> 8);
	piece[HEADER + 3] = (uint8_t)(offset | more);
	piece[HEADER + 6] = (uint8_t)(node->fragment_id >> 8);
	piece[HEADER + 7] = (uint8_t)node->fragment_id;
	memcpy(piece + HEADER + 8, packet + HEADER + offset, size);
	sim_nd_send(node, packet + 24, piece, HEADER + payload);
}

static void send_pieces(struct sim_node *node, const uint8_t *packet, size_t size, size_t mtu)
{
	size_t step = (mtu - HEADER - 8) & ~(size_t)7, total = size - HEADER;

	if (node->fault == SIM_FAULT_PIECE_LARGE)
		step += 8;
	if (node->fault != SIM_FAULT_PIECE_ID)
		node->fragment_id++;
	for (size_t at = 0; at < total;) {
		bool more = at + step < total;

		send_piece(node, packet, at, more ? step : total - at, more);
		at += more ? step : total - at;
		if (more && node->fault == SIM_FAULT_PIECE_OVERLAP)
			at -= 8;
	}
}

void sim_path_send(struct sim_node *node, const uint8_t *packet, size_t size)
{
	struct sim_path *path = find_or_make(node, packet + 24);
	size_t mtu;

	if (!path)
		return;
	memcpy(path->last_echo, packet + HEADER + 4, 4);
	mtu = mtu_of(node, path);
	if (size <= mtu && !path->is_atomic) {
		sim_nd_send(node, packet + 24, packet, size);
		return;
	}
	send_pieces(node, packet, size, mtu);
	if (node->fault == SIM_FAULT_PIECE_WHOLE)
		sim_nd_send(node, packet + 24, packet, size);
}

static void reduce(struct sim_node *node, struct sim_path *path, uint32_t mtu)
{
	if (mtu >= mtu_of(node, path) && node->fault != SIM_FAULT_PMTU_RAISE)
		return;
	path->mtu = mtu;
	path->until_ns = loop_now_ns(node->loop) +
			 (node->fault == SIM_FAULT_PMTU_FORGET ? AGE_NS / 10 : AGE_NS);
	if (node->fault == SIM_FAULT_PMTU_KEPT)
		path->until_ns = INT64_MAX;
}

void sim_path_too_big(struct sim_node *node, const uint8_t *message, size_t size)
{
	const uint8_t *quoted = message + 8;
	size_t at = size >= 8 + HEADER + 16 && quoted[6] == FRAGMENT ? HEADER + 8 : HEADER;
	struct sim_path *path;
	uint32_t mtu;

	if (size < 8 + HEADER + 16 || node->fault == SIM_FAULT_PMTU_IGNORED ||
	    (message[1] && node->fault == SIM_FAULT_PMTU_CODE))
		return;
	path = find(node, quoted + 24);
	/* Only the node's own last packet is known to have been sent, RFC 8201 section 4. */
	if (!path ||
	    (memcmp(quoted + at + 4, path->last_echo, 4) && node->fault != SIM_FAULT_PMTU_ANY) ||
	    (node->fault == SIM_FAULT_PMTU_ON_LINK && sim_route_is_on_link(node, quoted + 24)))
		return;
	mtu = sim_get32(message + 4);
	if (mtu < MIN_MTU) {
		path->is_atomic = node->fault == SIM_FAULT_PMTU_ATOMIC;
		if (node->fault != SIM_FAULT_PMTU_LOW)
			return;
		mtu = MIN_MTU;
	}
	reduce(node, path, mtu);
	for (unsigned i = 0; i < node->path_count && node->fault == SIM_FAULT_PMTU_ALL; i++)
		reduce(node, &node->paths[i], mtu);
}

void sim_path_ping(struct sim_node *node, const uint8_t destination[16], size_t data_size)
{
	uint8_t packet[SIM_FRAME_MAX], message[SIM_FRAME_MAX] = { ECHO_REQUEST };
	const uint8_t *source = sim_address_choose(node, destination);
	size_t size;

	if (!source || node->fault == SIM_FAULT_PING_SILENT ||
	    data_size > SIM_FRAME_MAX - HEADER - 8)
		return;
	if (node->fault == SIM_FAULT_PING_CODE)
		message[1] = 1;
	message[5] = 0x50;
	message[7] = ++node->pings;
	size = sim_build_icmp(packet, source, destination, node->hop_limit, message, 8 + data_size);
	sim_path_send(node, packet, size);
}
