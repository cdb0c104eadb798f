/* Addresses and domain names as text and on the wire. */
#include "packets/packet.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"

#define LABEL_MAX     63u  /* RFC 1035 2.3.4 */
#define NAME_WIRE_MAX 255u /* RFC 1035 2.3.4 */

int ip6_from_string(const char *text, uint8_t ret_address[16], struct err *err)
{
	struct in6_addr address;

	if (inet_pton(AF_INET6, text, &address) != 1)
		return err_set(err, LAB_EINVALID,
			       "'%.64s': expected an IPv6 address such as 'fe80::1'", text);
	memcpy(ret_address, &address, 16);
	return 0;
}

int ip6_prefix_from_string(const char *text, uint8_t ret_address[16], unsigned *ret_bits,
			   struct err *err)
{
	const char *slash = strchr(text, '/');
	char address[IP6_TEXT_SIZE];
	unsigned long bits;
	size_t digits;

	if (slash && (size_t)(slash - text) < sizeof(address)) {
		memcpy(address, text, (size_t)(slash - text));
		address[slash - text] = '\0';
		digits = strspn(slash + 1, "0123456789");
		bits = strtoul(slash + 1, NULL, 10);
		if (digits >= 1 && digits <= 3 && !slash[1 + digits] && bits <= 128 &&
		    ip6_from_string(address, ret_address, NULL) == 0) {
			*ret_bits = (unsigned)bits;
			return 0;
		}
	}
	return err_set(err, LAB_EINVALID, "'%.64s': expected a prefix such as '2001:db8::/64'",
		       text);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int mac_from_string(const char *text, uint8_t ret_address[6], struct err *err)
{
	uint8_t address[6];
	const char *p = text;

	for (unsigned i = 0; i < 6; i++, p += 3) {
		int high = hex_digit(p[0]);
		int low = high < 0 ? -1 : hex_digit(p[1]);

		if (low < 0 || p[2] != (i < 5 ? ':' : '\0'))
			return err_set(
				err, LAB_EINVALID,
				"'%.64s': expected a MAC address such as '02:00:00:00:00:01'",
				text);
		address[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(ret_address, address, 6);
	return 0;
}

/*
 * RFC 5952: lower case, no leading zeros, :: for the longest run of two or more
 * zero fields, the first of equal ones. inet_ntop is not asked, because it
 * writes ::1.2.3.4 for addresses that are no IPv4-mapped ones.
 */
char *ip6_to_string(const uint8_t address[16], char text[IP6_TEXT_SIZE])
{
	unsigned best = 8, best_length = 1, run = 0;
	size_t used = 0;

	for (unsigned i = 0; i < 8; i++) {
		run = address[2 * i] || address[2 * i + 1] ? 0 : run + 1;
		if (run > best_length) {
			best = i + 1 - run;
			best_length = run;
		}
	}
	text[0] = '\0';
	for (unsigned i = 0; i < 8; i++) {
		if (i == best) {
			used += (size_t)snprintf(text + used, IP6_TEXT_SIZE - used, "::");
			i += best_length - 1;
			continue;
		}
		used += (size_t)snprintf(text + used, IP6_TEXT_SIZE - used, "%s%x",
					 i && i != best + best_length ? ":" : "",
					 (unsigned)(address[2 * i] << 8 | address[2 * i + 1]));
	}
	return text;
}

char *mac_to_string(const uint8_t address[6], char text[MAC_TEXT_SIZE])
{
	(void)snprintf(text, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", address[0], address[1],
		       address[2], address[3], address[4], address[5]);
	return text;
}

void ip6_solicited_node(const uint8_t address[16], uint8_t ret_group[16])
{
	uint8_t group[16] = { 0xff, 0x02, [11] = 0x01, [12] = 0xff };

	memcpy(group + 13, address + 13, 3);
	memcpy(ret_group, group, 16);
}

void mac_of_multicast(const uint8_t group[16], uint8_t ret_mac[6])
{
	ret_mac[0] = 0x33;
	ret_mac[1] = 0x33;
	memcpy(ret_mac + 2, group + 12, 4);
}

void ip6_from_eui64(const uint8_t prefix[16], const uint8_t mac[6], uint8_t ret_address[16])
{
	memmove(ret_address, prefix, 8);
	ret_address[8] = mac[0] ^ 0x02; /* the universal/local bit is inverted */
	ret_address[9] = mac[1];
	ret_address[10] = mac[2];
	ret_address[11] = 0xff;
	ret_address[12] = 0xfe;
	ret_address[13] = mac[3];
	ret_address[14] = mac[4];
	ret_address[15] = mac[5];
}

bool ip6_is_multicast(const uint8_t address[16])
{
	return address[0] == 0xff;
}

bool ip6_is_link_local(const uint8_t address[16])
{
	return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}

bool ip6_is_unspecified(const uint8_t address[16])
{
	static const uint8_t zero[16];

	return !memcmp(address, zero, 16);
}

bool ip6_is_in_prefix(const uint8_t address[16], const uint8_t prefix[16], unsigned bits)
{
	unsigned whole = bits / 8;
	unsigned rest = bits % 8;

	if (memcmp(address, prefix, whole) != 0)
		return false;
	return !rest || (address[whole] ^ prefix[whole]) >> (8 - rest) == 0;
}

int name_to_wire(const char *name, struct buf *wire, struct err *err)
{
	size_t total = 1;

	for (const char *label = name;;) {
		size_t length = strcspn(label, ".");

		total += length + 1;
		if (!length || length > LABEL_MAX || total > NAME_WIRE_MAX)
			return err_set(err, LAB_EINVALID,
				       "'%.64s': expected a domain name such as 'example.com'",
				       name);
		buf_append_char(wire, (char)length);
		buf_append(wire, label, length);
		label += length;
		if (*label == '.')
			label++;
		if (!*label)
			break;
	}
	buf_append_char(wire, '\0');
	return 0;
}

char *name_from_wire(const uint8_t *wire, size_t size, size_t *position)
{
	struct buf name = BUF_INIT(NAME_WIRE_MAX * 4);
	size_t at = *position;

	while (at < size && wire[at] && wire[at] <= LABEL_MAX && wire[at] < size - at &&
	       at - *position < NAME_WIRE_MAX) {
		if (name.size)
			buf_append_char(&name, '.');
		for (size_t i = 1; i <= wire[at]; i++) {
			uint8_t c = wire[at + i];

			/* A dot or backslash inside a label must not look like one of ours. */
			if (c > 0x20 && c < 0x7f && c != '.' && c != '\\' && c != ',')
				buf_append_char(&name, (char)c);
			else
				buf_printf(&name, "\\%03u", (unsigned)c);
		}
		at += 1u + wire[at];
	}
	if (at >= size || wire[at] || at == *position) {
		buf_clear(&name);
		return NULL;
	}
	*position = at + 1;
	return buf_take_string(&name);
}
