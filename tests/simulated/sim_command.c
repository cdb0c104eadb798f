/* The programs of the simulated node, as far as tests run them: ip, sysctl, ping, uname. */
#include "tests/simulated/sim.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runners/loop.h"

#define SETTING "net.ipv6.conf."

/* The node's part of the environment of suites/plan/phase2-host.tsv, and Linux' defaults. */
void sim_command_reset(struct sim_node *node)
{
	node->settings = (struct sim_settings){ .accept_dad = 2, .dad_transmits = 1 };
	if (node->fault == SIM_FAULT_STABLE)
		node->settings.addr_gen_mode = 2;
	node->is_disabled = false;
	node->is_deaf = false;
}

static void append(char *output, size_t size, const char *text)
{
	size_t used = strlen(output);

	(void)snprintf(output + used, size - used, "%s", text);
}

/* "ip -6 -o addr show ...": one line for each address. */
static void show_addresses(const struct sim_node *node, char *output, size_t size)
{
	int64_t now_ns = loop_now_ns(node->loop);

	for (unsigned i = 0; i < SIM_ADDRESSES; i++) {
		const struct sim_address *here = &node->addresses[i];
		char text[INET6_ADDRSTRLEN], line[160];

		if (here->state == SIM_FREE || here->valid_until_ns <= now_ns)
			continue;
		(void)snprintf(line, sizeof(line), "2: eth0    inet6 %s/64 scope %s%s%s%s\n",
			       inet_ntop(AF_INET6, here->address, text, sizeof(text)),
			       i ? "global" : "link",
			       here->preferred_until_ns <= now_ns ? " deprecated" : "",
			       here->state == SIM_DUPLICATE ? " dadfailed" : "",
			       here->state != SIM_ASSIGNED ? " tentative" : "");
		append(output, size, line);
	}
}

/* "ping -6 -c 1 -W 1 [-s SIZE] [-I eth0] NAME", and what a shell may have to say around it. */
static void ping(struct sim_node *node, const char *command)
{
	const char *size = strstr(command, " -s "), *name = command + strlen("ping -6");
	char word[SIM_NAME_MAX];
	uint8_t destination[16];

	/* Every option here has a value. */
	while (sscanf(name, " -%*c %63s", word) == 1)
		name = strstr(name, word) + strlen(word);
	if (sscanf(name, "%63s", word) != 1)
		return;
	if (inet_pton(AF_INET6, word, destination) == 1)
		sim_path_ping(node, destination, size ? strtoul(size + 4, NULL, 10) : 56);
	else
		sim_dns_ping(node, word);
}

/* "sh -c SCRIPT": what of it means something here. */
static void run_script(struct sim_node *node, const char *script)
{
	const char *echo_request = strstr(script, "ping -6 ");

	if (strstr(script, "rdnssd -u"))
		sim_dns_start(node);
	if (echo_request)
		ping(node, echo_request);
}

/* "net.ipv6.conf.eth0.accept_dad=2"; every interface there is the one. */
static void set(struct sim_node *node, const char *assignment)
{
	struct sim_settings *settings = &node->settings;
	char name[64], value[48];

	if (sscanf(assignment, SETTING "%*[^.].%63[^=]=%47s", name, value) != 2)
		return;
	if (!strcmp(name, "addr_gen_mode")) {
		settings->addr_gen_mode = (unsigned)strtoul(value, NULL, 10);
	} else if (!strcmp(name, "stable_secret")) {
		settings->addr_gen_mode = 2;
		memset(settings->stable_secret, 0, sizeof(settings->stable_secret));
		memcpy(settings->stable_secret, value, strlen(value));
	} else if (!strcmp(name, "accept_dad")) {
		settings->accept_dad = (unsigned)strtoul(value, NULL, 10);
	} else if (!strcmp(name, "dad_transmits")) {
		settings->dad_transmits = (unsigned)strtoul(value, NULL, 10);
	} else if (!strcmp(name, "disable_ipv6")) {
		node->is_disabled = strcmp(value, "0") != 0;
		sim_nd_start(node);
	}
}

static bool begins(const char *command, const char *words)
{
	return !strncmp(command, words, strlen(words));
}

void sim_command_obey(struct sim_node *node, const char *command, char *output, size_t size)
{
	if (!strcmp(command, "ip link set dev eth0 down"))
		sim_nd_stop(node);
	else if (!strcmp(command, "ip link set dev eth0 up"))
		sim_nd_start(node);
	else if (begins(command, "ip -6 -o addr show"))
		show_addresses(node, output, size);
	else if (begins(command, "ping -6 "))
		ping(node, command);
	else if (begins(command, "sysctl -w "))
		set(node, command + strlen("sysctl -w "));
	else if (begins(command, "sh -c "))
		run_script(node, command);
	else if (!strcmp(command, "uname -r"))
		append(output, size, "simulated\n");
}
