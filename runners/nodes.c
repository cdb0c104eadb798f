#include "runners/nodes.h"

#include <string.h>

const uint8_t nodes_nut_mac[6] = { 0x02, 0x00, 0x00, 0x00, 0x01, 0xaa };

#define LINK_A 0x0a
#define LINK_B 0x0b

static const struct {
	const char *name;
	uint8_t identifier; /* last octet of its addresses and of its MAC */
	uint8_t link;       /* LINK_A or LINK_B */
	bool is_router;
} table[NODE_COUNT_] = {
	[NODE_NUT] = { "nut", 0, LINK_B, false },    [NODE_TN1] = { "tn1", 0xb1, LINK_B, false },
	[NODE_TN2] = { "tn2", 0xb2, LINK_A, false }, [NODE_TN3] = { "tn3", 0xb3, LINK_A, false },
	[NODE_TR1] = { "tr1", 0xa1, LINK_B, true },  [NODE_TR2] = { "tr2", 0xa2, LINK_B, true },
	[NODE_TR3] = { "tr3", 0xa3, LINK_B, true },
};

void nodes_init(struct node nodes[static NODE_COUNT_], const uint8_t nut_link_local[16])
{
	for (unsigned i = 0; i < NODE_COUNT_; i++) {
		struct node *node = &nodes[i];
		uint8_t identifier = table[i].identifier;

		*node = (struct node){
			.seen = {
				.name = table[i].name,
				.mac = { 0x02, 0, 0, 0, 0, identifier },
				.link_local = { 0xfe, 0x80, [15] = identifier },
				/* 2001:db8:0:b::/64 on Link B, 2001:db8:0:a::/64 on Link A */
				.global = { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, table[i].link,
					    [15] = identifier },
			},
			.on_link = table[i].link == LINK_B,
			.via = NODE_TR1,
			.is_router = table[i].is_router,
			.answers = true,
		};
	}
	memcpy(nodes[NODE_NUT].seen.mac, nodes_nut_mac, sizeof(nodes_nut_mac));
	memcpy(nodes[NODE_NUT].seen.link_local, nut_link_local, 16);
	memset(nodes[NODE_NUT].seen.global, 0, 16);
	nodes[NODE_NUT].answers = false;
}

const struct node *nodes_owner(const struct node *nodes, const uint8_t address[16])
{
	for (unsigned i = NODE_NUT + 1; i < NODE_COUNT_; i++)
		if (nodes[i].on_link && nodes[i].answers &&
		    (!memcmp(nodes[i].seen.link_local, address, 16) ||
		     !memcmp(nodes[i].seen.global, address, 16)))
			return &nodes[i];
	return NULL;
}
