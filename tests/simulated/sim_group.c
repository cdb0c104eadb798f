/*
 * That the node joins the solicited-node group of an address before it tries it,
 * it tells listeners by a report (RFC 4862 5.4.2, RFC 9777 section 5.2; from ::
 * while it has no link-local address, RFC 3590 section 4).
 */
#include "tests/simulated/sim.h"

#include <string.h>

#include "base/time.h"

#define TALK_NS           (1700 * NS_PER_MS)
#define HEADER            40
#define ICMPV6            58
#define REPORT            143
#define CHANGE_TO_EXCLUDE 4

void sim_group_join(struct sim_node *node, const uint8_t address[16])
{
	static const uint8_t routers[16] = { 0xff, 0x02, [15] = 0x16 };
	static const uint8_t mac[6] = { 0x33, 0x33, 0, 0, 0, 0x16 };
	static const uint8_t unspecified[16];
	/* Router Alert (RFC 2711), and padding. */
	static const uint8_t alert[8] = { ICMPV6, 0, 5, 2, 0, 0, 1, 0 };
	const uint8_t *own = sim_address_link_local(node);
	const uint8_t *source = sim_address_is_mine(node, own) ? own : unspecified;
	uint8_t packet[SIM_FRAME_MAX];
	uint8_t report[28] = {
		REPORT, [7] = 1, [8] = CHANGE_TO_EXCLUDE, [12] = 0xff, 0x02, [23] = 1, 0xff
	};
	size_t size;

	if (node->fault == SIM_FAULT_DAD_UNJOINED)
		return;
	memcpy(report + 25, address + 13, 3);
	size = sim_build_icmp(packet, source, routers, 1, report, sizeof(report));
	memmove(packet + HEADER + sizeof(alert), packet + HEADER, size - HEADER);
	memcpy(packet + HEADER, alert, sizeof(alert));
	packet[5] = sizeof(alert) + sizeof(report);
	packet[6] = 0;
	sim_send_frame(node, mac, packet, size + sizeof(alert));
}

/* A multicast DNS query without a question (RFC 6762), of no use to anybody. */
static void talk(void *user)
{
	static const uint8_t group[16] = { 0xff, 0x02, [15] = 0xfb };
	struct sim_node *node = user;
	uint8_t query[20] = { 0x14, 0xe9, 0x14, 0xe9, 0, sizeof(query) };

	sim_send_udp(node, sim_address_link_local(node), group, query, sizeof(query));
	node->talk_timer = sim_nd_after(node, TALK_NS, talk, node);
}

void sim_group_start_talk(struct sim_node *node)
{
	if (node->fault == SIM_FAULT_TALK && !node->talk_timer)
		node->talk_timer = sim_nd_after(node, TALK_NS, talk, node);
}

void sim_group_stop_talk(struct sim_node *node)
{
	sim_nd_cancel(&node->talk_timer);
}
