/*
 * The simulated nodes of the tester, and the NUT as their peer: names,
 * addresses and links of the Common Topology of the IPv6 Ready Core
 * specification. Addresses are ours (documentation prefix, RFC 3849); the
 * interface identifiers differ in their low 24 bits, so that no two nodes
 * share a solicited-node group (RFC 4291 2.7.1).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "suites/script.h"

enum node_index {
	NODE_NUT,
	NODE_TN1, /* on Link B, beside the NUT */
	NODE_TN2, /* behind TR1 */
	NODE_TN3, /* behind TR1 */
	NODE_TR1,
	NODE_TR2,
	NODE_TR3,
	NODE_COUNT_,
};

struct node {
	struct script_node seen; /* as scripts see it */
	bool on_link;        /* has an interface on Link B; else its frames come through `via` */
	enum node_index via; /* the router that forwards for it */
	bool is_router;      /* sets the R flag of its advertisements */
	bool answers;        /* neighbour solicitations for its addresses, by itself */
};

/* MAC of the NUT's interface on Link B. */
extern const uint8_t nodes_nut_mac[6];

/* All nodes in their first state; `nut_link_local` was learnt from the NUT. */
void nodes_init(struct node nodes[static NODE_COUNT_], const uint8_t nut_link_local[16]);
/* The node on the link that has `address` and answers for it, or NULL. */
const struct node *nodes_owner(const struct node *nodes, const uint8_t address[16]);
