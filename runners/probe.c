/* The doctor's echo request. */
#include "runners/probe.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/time.h"
#include "packets/packet.h"
#include "runners/loop.h"

#define IDENTIFIER     0x6c61
#define FIRST_PAUSE_MS 20 /* between requests; doubled each time */
#define PAUSE_MAX_MS   500

static const uint8_t our_mac[6] = { 0x02, 0x00, 0x00, 0x00, 0x0f, 0x01 };
static const uint8_t our_address[16] = { 0xfe, 0x80, [15] = 0x01 };

/* RFC 4291 appendix A: the link-local address with the interface identifier of a MAC address. */
static void link_local_of(const uint8_t mac[6], uint8_t ret_address[16])
{
	const uint8_t address[16] = { 0xfe,   0x80,          0,      0,      0,    0,    0,
				      0,      mac[0] ^ 0x02, mac[1], mac[2], 0xff, 0xfe, mac[3],
				      mac[4], mac[5] };

	memcpy(ret_address, address, sizeof(address));
}

/* An Ethernet and an IPv6 header from us to the NUT, and a layer of `type` behind them. */
static int begin_packet(struct packet *packet, const uint8_t nut_mac[6],
			const uint8_t nut_address[16], const char *type, struct layer **ret_layer,
			struct err *err)
{
	struct layer *ether, *ip6;
	int rc;

	rc = packet_append(packet, layer_type_find("ether"), &ether, err);
	if (rc == 0)
		rc = packet_append(packet, layer_type_find("ip6"), &ip6, err);
	if (rc == 0)
		rc = packet_append(packet, layer_type_find(type), ret_layer, err);
	if (rc == 0)
		rc = layer_set_mac(ether, "dst", nut_mac, err);
	if (rc == 0)
		rc = layer_set_mac(ether, "src", our_mac, err);
	if (rc == 0)
		rc = layer_set_ip6(ip6, "src", our_address, err);
	return rc == 0 ? layer_set_ip6(ip6, "dst", nut_address, err) : rc;
}

static int send_packet(struct link *link, struct packet *packet, struct err *err)
{
	auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
	int rc = packet_build(packet, &bytes, err);

	return rc < 0 ? rc : link_send(link, bytes.data, bytes.size, NULL, err);
}

/* RFC 4861 7.2.3: the receiver takes our address out of the Source Link-Layer Address option. */
static int send_solicitation(struct link *link, const uint8_t nut_mac[6],
			     const uint8_t nut_address[16], struct err *err)
{
	auto_cleanup(packet_free_p) struct packet *packet = packet_new();
	struct layer *layer, *option;
	int rc;

	rc = begin_packet(packet, nut_mac, nut_address, "ns", &layer, err);
	if (rc == 0)
		rc = layer_set_ip6(layer, "target", nut_address, err);
	if (rc == 0)
		rc = layer_append_option(layer, layer_type_find("nd_slla"), &option, err);
	if (rc == 0)
		rc = layer_set_mac(option, "mac", our_mac, err);
	return rc == 0 ? send_packet(link, packet, err) : rc;
}

static int send_request(struct probe *probe, struct link *link, const uint8_t nut_mac[6],
			const uint8_t nut_address[16], struct err *err)
{
	auto_cleanup(packet_free_p) struct packet *packet = packet_new();
	struct layer *layer;
	int rc;

	probe->answered = false;
	probe->sequence++;
	rc = begin_packet(packet, nut_mac, nut_address, "echo_request", &layer, err);
	if (rc == 0)
		rc = layer_set_uint(layer, "identifier", IDENTIFIER, err);
	if (rc == 0)
		rc = layer_set_uint(layer, "sequence", probe->sequence, err);
	return rc == 0 ? send_packet(link, packet, err) : rc;
}

void probe_on_frame(struct link *link, const uint8_t *frame, size_t size, int64_t time_ns,
		    void *user)
{
	auto_cleanup(packet_free_p) struct packet *packet = packet_parse_frame(frame, size);
	const struct layer *reply = packet_find(packet, "echo_reply", 0);
	struct probe *probe = user;

	(void)link;
	if (!reply || layer_get_uint(reply, "identifier", 0) != IDENTIFIER ||
	    layer_get_uint(reply, "sequence", 0) != probe->sequence ||
	    !packet_is_sound(packet, NULL))
		return;
	probe->answered = true;
	probe->answered_ns = time_ns;
}

int probe_echo(struct probe *probe, struct loop *loop, struct link *link, const uint8_t nut_mac[6],
	       int64_t timeout_ms, struct err *err)
{
	int64_t deadline_ns = loop_now_ns(loop) + timeout_ms * NS_PER_MS;
	int64_t pause_ms = FIRST_PAUSE_MS;
	uint8_t nut_address[16];
	int rc;

	link_local_of(nut_mac, nut_address);
	while (loop_now_ns(loop) < deadline_ns) {
		int64_t until_ns = loop_now_ns(loop) + pause_ms * NS_PER_MS;

		rc = send_solicitation(link, nut_mac, nut_address, err);
		if (rc == 0)
			rc = send_request(probe, link, nut_mac, nut_address, err);
		if (rc == 0)
			rc = loop_run(loop, until_ns < deadline_ns ? until_ns : deadline_ns,
				      &probe->answered, err);
		if (rc < 0)
			return rc;
		if (probe->answered)
			return 0;
		pause_ms = pause_ms * 2 < PAUSE_MAX_MS ? pause_ms * 2 : PAUSE_MAX_MS;
	}
	return err_set(err, LAB_ETIMEOUT, "link '%s': no Echo Reply within %lld ms",
		       link_get_name(link), (long long)timeout_ms);
}
