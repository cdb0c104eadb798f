/*
 * What the virtual clock does with a real QEMU and a real kernel:
 *   vclock-driver FOLDER IMAGE INITRAMFS MEASURE CPUS SCENARIO...
 * MEASURE: cpu, wall, icount (QEMU's own, under the library), real (no library).
 * TAP on stdout, figures in its comments. TESTLAB_BUILD names the folder of the library.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/vclock/guest.h"

#define NS_PER_SECOND INT64_C(1000000000)
#define NS_PER_MS     INT64_C(1000000)

static int tests, failures;

static void ok(bool good, const char *what)
{
	printf("%s %d - %s\n", good ? "ok" : "not ok", ++tests, what);
	(void)fflush(stdout);
	if (!good)
		failures++;
}

static bool is_icmp(const struct frame *frame, uint8_t type)
{
	return frame->size >= 58 && frame->data[12] == 0x86 && frame->data[13] == 0xdd &&
	       frame->data[20] == 58 && frame->data[54] == type;
}

static bool is_rs(const struct frame *frame)
{
	return is_icmp(frame, 133);
}

static bool is_ns(const struct frame *frame)
{
	return is_icmp(frame, 135);
}

static bool is_reply(const struct frame *frame)
{
	return is_icmp(frame, 129);
}

static const uint8_t nut_address[16] = { 0xfe, 0x80, [8] = 0x50, 0x54, 0x00,
					 0xff, 0xfe, 0x12,       0x34, 0x56 };

static uint16_t checksum(const uint8_t *packet, size_t payload)
{
	uint32_t sum = (uint32_t)payload + 58;

	for (size_t i = 8; i < 40 + payload; i += 2)
		sum += (uint32_t)packet[i] << 8 | (i + 1 < 40 + payload ? packet[i + 1] : 0);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* An Echo Request (RFC 4443 4.1) to the NUT from the link-local neighbour `host`. */
static void send_echo(struct guest *guest, uint8_t host, uint16_t number)
{
	uint8_t frame[14 + 40 + 16] = NUT_MAC;
	uint8_t *packet = frame + 14;
	uint16_t sum;

	memcpy(frame + 6, (const uint8_t[]){ 2, 0, 0, 0, 0, host, 0x86, 0xdd }, 8);
	packet[0] = 0x60;
	packet[5] = 16;
	packet[6] = 58;
	packet[7] = 64;
	memcpy(packet + 8, (const uint8_t[16]){ 0xfe, 0x80, [15] = host }, 16);
	memcpy(packet + 24, nut_address, 16);
	packet[40] = 128;
	packet[46] = (uint8_t)(number >> 8);
	packet[47] = (uint8_t)number;
	sum = checksum(packet, 16);
	packet[42] = (uint8_t)(sum >> 8);
	packet[43] = (uint8_t)sum;
	guest_send(guest, frame, sizeof(frame));
}

/* The neighbour's answer to the NUT's solicitation (RFC 4861 4.4), solicited and overriding. */
static void send_advertisement(struct guest *guest, uint8_t host)
{
	uint8_t frame[14 + 40 + 32] = NUT_MAC;
	uint8_t *packet = frame + 14;
	uint16_t sum;

	memcpy(frame + 6, (const uint8_t[]){ 2, 0, 0, 0, 0, host, 0x86, 0xdd }, 8);
	packet[0] = 0x60;
	packet[5] = 32;
	packet[6] = 58;
	packet[7] = 255;
	memcpy(packet + 8, (const uint8_t[16]){ 0xfe, 0x80, [15] = host }, 16);
	memcpy(packet + 24, nut_address, 16);
	packet[40] = 136;
	packet[44] = 0x60;
	memcpy(packet + 48, packet + 8, 16);
	memcpy(packet + 64, (const uint8_t[]){ 2, 1, 2, 0, 0, 0, 0, host }, 8);
	sum = checksum(packet, 32);
	packet[42] = (uint8_t)(sum >> 8);
	packet[43] = (uint8_t)sum;
	guest_send(guest, frame, sizeof(frame));
}

static double guest_uptime(struct guest *guest)
{
	char output[256];

	guest_shell(guest, "cat /proc/uptime", output, sizeof(output));
	return strtod(output, NULL);
}

/* The guest's own clock agrees with what was asked for. */
static void test_uptime(struct guest *guest)
{
	int64_t from_ns = guest->now_ns;
	double from = guest_uptime(guest), guest_s, clock_s;
	char output[64];

	guest_run(guest, guest->now_ns + 100 * NS_PER_SECOND);
	guest_s = guest_uptime(guest) - from;
	clock_s = (double)(guest->now_ns - from_ns) / 1e9;
	printf("# clock %.3f s, guest's /proc/uptime %.3f s\n", clock_s, guest_s);
	guest_shell(guest, "dmesg | grep -c 'APIC timer disabled'", output, sizeof(output));
	ok(strtol(output, NULL, 10) == 0, "the guest found its timers to agree when it booted");
	ok(guest_s > clock_s - 0.05 && guest_s < clock_s + 0.05,
	   "the guest's uptime follows the clock within 50 ms over 100 s");
}

static void test_idle(struct guest *guest)
{
	uint64_t jumps = guest->answer.jumps;
	int64_t host = host_ns(), from_ns = guest->now_ns;
	double wall, passed;

	guest_run(guest, guest->now_ns + 3600 * NS_PER_SECOND);
	wall = (double)(host_ns() - host) / 1e9;
	passed = (double)(guest->now_ns - from_ns) / 1e9;
	printf("# %.1f guest seconds in %.3f s: %.0f per second, %.1f jumps per guest second\n",
	       passed, wall, passed / wall, (double)(guest->answer.jumps - jumps) / passed);
	ok(passed >= 3600, "an idle guest's hour");
}

/* RFC 7559: intervals of about 4, 8, 16, ... s, each within -10 % .. +10 % of twice the one before. */
static void test_rs(struct guest *guest)
{
	int64_t until_ns = guest->start_ns + 140 * NS_PER_SECOND, last_ns = 0, gap_ns = 0;
	bool good = true;
	int count = 0;

	guest_run(guest, until_ns);
	printf("# router solicitations at");
	for (size_t i = 0; i < guest->frame_count; i++) {
		const struct frame *frame = &guest->frames[i];

		if (!is_rs(frame))
			continue;
		printf(" %.3f", (double)(frame->time_ns - guest->start_ns) / 1e9);
		if (count >= 2) {
			double factor = (double)(frame->time_ns - last_ns) / (double)gap_ns;

			good = good && factor > 1.7 && factor < 2.3;
		}
		gap_ns = frame->time_ns - last_ns;
		last_ns = frame->time_ns;
		count++;
	}
	printf("\n");
	ok(good && count >= 5, "router solicitations back off as in RFC 7559");
}

/* An unknown neighbour asks; the NUT solicits it three times, 1 s apart (RFC 4861 10, RETRANS_TIMER). */
static bool ns_gaps(struct guest *guest, uint8_t host, double *least, double *most)
{
	int64_t last_ns = 0;
	int count = 0;

	guest_forget(guest);
	send_echo(guest, host, host);
	guest_run(guest, guest->now_ns + 4 * NS_PER_SECOND);
	for (size_t i = 0; i < guest->frame_count; i++) {
		const struct frame *frame = &guest->frames[i];
		double gap = (double)(frame->time_ns - last_ns) / 1e9;

		if (!is_ns(frame) || frame->data[77] != host)
			continue;
		if (count++ > 0) {
			*least = gap < *least ? gap : *least;
			*most = gap > *most ? gap : *most;
		}
		last_ns = frame->time_ns;
	}
	return count == 3;
}

static void test_ns(struct guest *guest)
{
	double least = 1e9, most = 0;
	bool good = true;
	int64_t host = host_ns();

	for (uint8_t i = 10; i < 60; i++)
		good = ns_gaps(guest, i, &least, &most) && good;
	printf("# 50 neighbours: gaps between solicitations %.6f .. %.6f s; %.2f s of wall time\n",
	       least, most, (double)(host_ns() - host) / 1e9);
	ok(good, "three neighbour solicitations for each unknown neighbour");
	ok(least > 0.99 && most < 1.05, "1 s apart within 5 % (one jiffy late is Linux's own)");
}

static double elapsed_ms(int64_t since_host_ns)
{
	return (double)(host_ns() - since_host_ns) / 1e6;
}

/* Bursts: many requests at once, every one is answered, at the very time of the burst. */
static void test_burst(struct guest *guest)
{
	int64_t sent_ns, latest_ns = 0;
	size_t replies = 0;
	bool jumped = false;

	guest_forget(guest);
	send_echo(guest, 2, 0);
	if (guest_expect(guest, is_ns, guest->now_ns + 5 * NS_PER_SECOND))
		send_advertisement(guest, 2);
	ok(guest_expect(guest, is_reply, guest->now_ns + NS_PER_SECOND) != NULL,
	   "a neighbour is known");
	guest_forget(guest);
	for (int round = 0; round < 50; round++) {
		sent_ns = guest->now_ns;
		for (uint16_t i = 0; i < 40; i++)
			send_echo(guest, 2, i);
		/* Asked for an hour; the answers must stop it. */
		while (replies < 40u * (unsigned)(round + 1) &&
		       guest->now_ns < sent_ns + NS_PER_SECOND) {
			guest_advance(guest, sent_ns + 3600 * NS_PER_SECOND);
			replies = 0;
			for (size_t i = 0; i < guest->frame_count; i++) {
				if (is_reply(&guest->frames[i])) {
					replies++;
					latest_ns = guest->frames[i].time_ns;
				}
			}
		}
		jumped = jumped || latest_ns - sent_ns > 500 * NS_PER_MS;
	}
	printf("# %zu replies to 2000 requests\n", replies);
	ok(replies == 2000 && !jumped, "no frame of a burst is overtaken by a jump");
}

/* Agent commands while hours pass, one by one: each sees the time at which it was given. */
static void test_agent(struct guest *guest)
{
	double base = guest_uptime(guest) - (double)guest->now_ns / 1e9;
	bool good = true;

	for (int i = 0; i < 40; i++) {
		double off;

		guest_run(guest, guest->now_ns + (1 + i % 7) * 60 * NS_PER_SECOND);
		off = guest_uptime(guest) - (double)guest->now_ns / 1e9 - base;
		good = good && off < 0.25 && off > -0.25;
	}
	ok(good, "agent commands between jumps see the right time");
}

/* A guest that never goes idle: time passes at about the host's speed, answers come, nothing hangs. */
static void test_busy(struct guest *guest)
{
	int64_t host, from_ns;
	double wall, passed;
	char output[256];

	guest_shell(guest, "(while :; do :; done) >/dev/null 2>&1 & echo $!", output,
		    sizeof(output));
	host = host_ns();
	from_ns = guest->now_ns;
	guest_run(guest, guest->now_ns + 3 * NS_PER_SECOND);
	wall = (double)(host_ns() - host) / 1e9;
	passed = (double)(guest->now_ns - from_ns) / 1e9;
	printf("# busy guest: %.2f guest seconds in %.2f s, busy for %.2f s\n", passed, wall,
	       (double)guest->answer.busy_ns / 1e9);
	ok(passed >= 3 && !(guest->answer.flags & VCLOCK_IDLE) &&
		   guest->answer.busy_ns > 2 * NS_PER_SECOND,
	   "a guest that never idles is reported and its time passes");
	guest_forget(guest);
	send_echo(guest, 3, 1);
	ok(guest_expect(guest, is_ns, guest->now_ns + 2 * NS_PER_SECOND) != NULL,
	   "and it answers frames meanwhile");
	guest_shell(guest, "kill $(pgrep -f 'while :') 2>/dev/null; killall sh 2>/dev/null; true",
		    output, sizeof(output));
	guest_run(guest, guest->now_ns + 10 * NS_PER_SECOND);
	ok(guest->answer.flags & VCLOCK_IDLE, "and goes idle again when the load ends");
}

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Load the snapshot, ask at once; the clock goes forward while the guest's goes back. */
static void test_loadvm(struct guest *guest)
{
	enum { ROUNDS = 20 };
	double least = 1e9, most = 0, load_ms[ROUNDS], first_ms[ROUNDS], saved, loaded;
	bool good = true;
	int64_t host;

	guest_monitor(guest, "savevm pristine");
	saved = guest_uptime(guest);
	guest_run(guest, guest->now_ns + 600 * NS_PER_SECOND);
	for (int i = 0; i < ROUNDS; i++) {
		int64_t before_ns = guest->now_ns;

		host = host_ns();
		guest_monitor(guest, "loadvm pristine");
		load_ms[i] = elapsed_ms(host);
		good = good && guest->now_ns >= before_ns;
		guest_forget(guest);
		send_echo(guest, 100, 1);
		good = guest_expect(guest, is_ns, guest->now_ns + NS_PER_SECOND) && good;
		first_ms[i] = elapsed_ms(host);
		good = ns_gaps(guest, 101, &least, &most) && good;
	}
	qsort(load_ms, ROUNDS, sizeof(load_ms[0]), compare_double);
	qsort(first_ms, ROUNDS, sizeof(first_ms[0]), compare_double);
	printf("# loadvm: median %.1f ms; to first frame: median %.1f ms, most %.1f ms; gaps %.6f "
	       ".. %.6f s\n",
	       load_ms[ROUNDS / 2], first_ms[ROUNDS / 2], first_ms[ROUNDS - 1], least, most);
	ok(good && least > 0.99 && most < 1.05, "link and clock come through loadvm unharmed");
	guest_monitor(guest, "loadvm pristine");
	loaded = guest_uptime(guest);
	ok(loaded > saved - 0.5 && loaded < saved + 0.5,
	   "the guest's own clock went back, the agent answers");
}

static const struct {
	const char *name;
	void (*run)(struct guest *guest);
} scenarios[] = {
	{ "rs", test_rs },     { "uptime", test_uptime }, { "idle", test_idle },
	{ "ns", test_ns },     { "burst", test_burst },   { "agent", test_agent },
	{ "busy", test_busy }, { "loadvm", test_loadvm },
};

int main(int argc, char **argv)
{
	struct guest_options options = { 0 };
	struct guest *guest;
	int64_t host;

	if (argc < 7)
		die("usage: vclock-driver FOLDER IMAGE INITRAMFS cpu|wall|icount|real CPUS "
		    "SCENARIO...");
	options.folder = argv[1];
	options.image = argv[2];
	options.initramfs = argv[3];
	options.icount = strcmp(argv[4], "icount") == 0;
	options.measure = strcmp(argv[4], "real") == 0 ? NULL : options.icount ? "wall" : argv[4];
	options.cpus = (unsigned)strtoul(argv[5], NULL, 10);
	(void)mkdir(options.folder, 0700);
	host = host_ns();
	guest = guest_start(&options);
	guest_boot(guest);
	/* DAD of the link-local address: until then the NUT does not answer (RFC 4862 5.4). */
	guest_run(guest, guest->now_ns + 3 * NS_PER_SECOND);
	printf("# booted: %.2f s of guest time, %.2f s of wall time, measure %s, %u vCPUs\n",
	       (double)(guest->now_ns - guest->start_ns) / 1e9, elapsed_ms(host) / 1e3, argv[4],
	       options.cpus);
	for (int i = 6; i < argc; i++) {
		size_t k = 0;

		while (k < sizeof(scenarios) / sizeof(scenarios[0]) &&
		       strcmp(scenarios[k].name, argv[i]) != 0)
			k++;
		if (k == sizeof(scenarios) / sizeof(scenarios[0]))
			die("no scenario '%s'", argv[i]);
		scenarios[k].run(guest);
	}
	if (guest->virtual_clock)
		ok(guest->answer.stalls == 0, "time never stalled");
	guest_stop(guest);
	printf("1..%d\n", tests);
	return failures ? 1 : 0;
}
