/*
 * DNS servers and search domains of Router Advertisements (RFC 8106), and a
 * resolver that uses them: one look-up at a time, for the AAAA record of a name
 * that is to be pinged (RFC 1035 section 4).
 */
#include "tests/simulated/sim.h"

#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "runners/loop.h"

#define HEADER     12 /* of a DNS message */
#define PORT       49152
#define DNS_PORT   53
#define AAAA       28
#define TIMEOUT_NS (5 * NS_PER_SECOND)
#define ATTEMPTS   2

enum { RDNSS = 25, DNSSL = 31 };

void sim_dns_forget_all(struct sim_node *node)
{
	sim_nd_cancel(&node->dns.timer);
	memset(&node->dns, 0, sizeof(node->dns));
}

void sim_dns_start(struct sim_node *node)
{
	node->dns.is_on = true;
}

/* --- options of advertisements -------------------------------------------------------- */

/* The entry of that name or address, in the place of one that is over if there is none. */
static struct sim_dns_entry *find(struct sim_node *node, struct sim_dns_entry entries[SIM_DNS],
				  const void *value, size_t size)
{
	struct sim_dns_entry *free_one = NULL;

	for (unsigned i = 0; i < SIM_DNS; i++) {
		if (entries[i].until_ns <= loop_now_ns(node->loop))
			free_one = free_one ? free_one : &entries[i];
		else if (!memcmp(entries[i].value, value, size))
			return &entries[i];
	}
	return free_one;
}

static void set(struct sim_node *node, struct sim_dns_entry entries[SIM_DNS], const void *value,
		size_t size, uint32_t seconds)
{
	bool is_server = entries == node->dns.servers;
	struct sim_dns_entry *entry = find(node, entries, value, size);

	if (!entry ||
	    (!seconds && node->fault == (is_server ? SIM_FAULT_RDNSS_ZERO : SIM_FAULT_DNSSL_ZERO)))
		return;
	memset(entry->value, 0, sizeof(entry->value));
	memcpy(entry->value, value, size);
	entry->until_ns = sim_nd_until_ns(node, seconds);
	if (seconds && node->fault == (is_server ? SIM_FAULT_RDNSS_KEPT : SIM_FAULT_DNSSL_KEPT))
		entry->until_ns = INT64_MAX;
}

static void take_servers(struct sim_node *node, const uint8_t *option)
{
	if (option[1] < 3 || !(option[1] & 1) || node->fault == SIM_FAULT_RDNSS)
		return;
	for (unsigned at = 8; at < option[1] * 8u; at += 16)
		set(node, node->dns.servers, option + at, 16, sim_get32(option + 4));
}

/* Names as labels, one behind the other, and zeros to the end. */
static void take_domains(struct sim_node *node, const uint8_t *option)
{
	size_t size = option[1] * 8u, begin = 8;

	if (option[1] < 2 || node->fault == SIM_FAULT_DNSSL)
		return;
	for (size_t at = begin; at < size && option[at]; begin = ++at) {
		while (at < size && option[at])
			at += 1u + option[at];
		if (at >= size || at - begin >= SIM_NAME_MAX)
			return;
		set(node, node->dns.domains, option + begin, at + 1 - begin, sim_get32(option + 4));
	}
}

void sim_dns_take_option(struct sim_node *node, const uint8_t *option)
{
	if (node->dns.is_on && option[0] == RDNSS)
		take_servers(node, option);
	else if (node->dns.is_on && option[0] == DNSSL)
		take_domains(node, option);
}

/* --- look-ups ----------------------------------------------------------------------------- */

static const uint8_t *find_server(const struct sim_node *node)
{
	for (unsigned i = 0; i < SIM_DNS; i++)
		if (node->dns.servers[i].until_ns > loop_now_ns(node->loop))
			return node->dns.servers[i].value;
	return NULL;
}

/* The search domain number `index` of those that count now, or NULL. */
static const uint8_t *find_domain(const struct sim_node *node, unsigned index)
{
	for (unsigned i = 0; i < SIM_DNS; i++)
		if (node->dns.domains[i].until_ns > loop_now_ns(node->loop) && !index--)
			return node->dns.domains[i].value;
	return NULL;
}

/* A name as labels without the one that ends it; their size, or 0 if that is too much. */
static size_t write_labels(uint8_t *labels, const char *name)
{
	size_t size = 0;

	while (*name) {
		size_t length = strcspn(name, ".");

		if (!length || length > 63 || size + length + 2 > SIM_NAME_MAX)
			return 0;
		labels[size] = (uint8_t)length;
		memcpy(labels + size + 1, name, length);
		size += length + 1;
		name += length + (name[length] == '.');
	}
	return size;
}

/*
 * The name number `candidate` that is asked for, its size or 0: a name without a
 * dot in the search domains first, one with a dot as it is first.
 */
static size_t write_candidate(const struct sim_node *node, unsigned candidate, uint8_t *labels)
{
	const struct sim_dns *dns = &node->dns;
	bool has_dot = strchr(dns->name, '.');
	size_t size = write_labels(labels, dns->name), length;
	unsigned domains = 0;
	const uint8_t *domain;

	while (find_domain(node, domains))
		domains++;
	if (!size || candidate > domains)
		return 0;
	labels[size] = 0;
	if (candidate == (has_dot ? 0 : domains))
		return size + 1;
	domain = find_domain(node, has_dot ? candidate - 1 : candidate);
	for (length = 0; domain && domain[length]; length += 1u + domain[length])
		continue;
	if (!domain || size + length + 1 > SIM_NAME_MAX)
		return 0;
	memcpy(labels + size, domain, length + 1);
	return size + length + 1;
}

static void send_query(struct sim_node *node, const uint8_t server[16], const uint8_t *labels,
		       size_t size)
{
	uint8_t message[8 + HEADER + SIM_NAME_MAX + 4] = { PORT >> 8, PORT & 0xff, 0, DNS_PORT };
	const uint8_t *source = sim_address_choose(node, server);
	size_t total = 8 + HEADER + size + 4;

	if (!source)
		return;
	message[4] = (uint8_t)(total >> 8);
	message[5] = (uint8_t)total;
	message[8] = (uint8_t)(++node->dns.id >> 8);
	message[9] = (uint8_t)node->dns.id;
	message[10] = 1; /* recursion is desired */
	message[13] = 1; /* one question */
	memcpy(message + 8 + HEADER, labels, size);
	message[total - 3] = AAAA;
	message[total - 1] = 1; /* IN */
	sim_send_udp(node, source, server, message, total);
}

static void ask(void *user)
{
	struct sim_node *node = user;
	struct sim_dns *dns = &node->dns;
	const uint8_t *server = find_server(node);
	uint8_t labels[SIM_NAME_MAX + 1];
	size_t size = write_candidate(node, dns->candidate, labels);

	dns->timer = NULL;
	if (!server || !size || dns->attempts++ == ATTEMPTS)
		return;
	send_query(node, server, labels, size);
	dns->timer = sim_nd_after(node, TIMEOUT_NS, ask, node);
}

void sim_dns_ping(struct sim_node *node, const char *name)
{
	struct sim_dns *dns = &node->dns;

	if (!dns->is_on)
		return;
	sim_nd_cancel(&dns->timer);
	(void)snprintf(dns->name, sizeof(dns->name), "%s", name);
	dns->candidate = 0;
	dns->attempts = 0;
	ask(node);
}

bool sim_dns_receive(struct sim_node *node, const uint8_t *udp, size_t size)
{
	struct sim_dns *dns = &node->dns;

	if (size < 8 + HEADER || (udp[2] << 8 | udp[3]) != PORT || (udp[0] << 8 | udp[1]) != 53)
		return false;
	if (!dns->timer || (udp[8] << 8 | udp[9]) != dns->id)
		return true;
	sim_nd_cancel(&dns->timer);
	/* The only record is the last 16 octets of the message. */
	if (!(udp[11] & 0xf) && udp[15] && size > 8 + HEADER + 16) {
		sim_path_ping(node, udp + size - 16, 56);
		return true;
	}
	dns->candidate++;
	dns->attempts = 0;
	ask(node);
	return true;
}
