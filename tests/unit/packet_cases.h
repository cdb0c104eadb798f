/*
 * Packets of the unit tests: helpers that make them, and one case a layer type
 * with the bytes it must be built to (tests/unit/packet_bytes.h).
 */
#pragma once

#include "packets/packet.h"
#include "tests/unit/lab_cmocka.h"

struct buf;
struct err;

struct packet_case {
	const char *name;
	const uint8_t *bytes; /* from the IPv6 header on */
	size_t size;
	void (*make)(struct packet *packet); /* appends to the packet what becomes `bytes` */
	const char *layers;                  /* "ip6 ns(nd_slla)": options in parentheses */
};

extern const struct packet_case packet_cases[];
extern const unsigned packet_case_count;
/* The case of that name; fails the test if there is none. */
const struct packet_case *packet_case_find(const char *name);

/* All of these fail the test with the error's text. */
struct layer *add(struct packet *packet, const char *type);
struct layer *add_option(struct layer *parent, const char *type);
/* From fe80::b1. */
struct layer *add_ip6(struct packet *packet, const char *dst);
void set_uint(struct layer *layer, const char *field, uint64_t value);
void set_bytes(struct layer *layer, const char *field, const void *data, size_t size);
void set_ip6(struct layer *layer, const char *field, const char *text);
void set_mac(struct layer *layer, const char *field, const char *text);
void build_or_fail(const char *what, struct packet *packet, struct buf *bytes);

void assert_bytes(const char *what, const struct buf *got, const uint8_t *want, size_t size);
void assert_text(const struct layer *layer, const char *field, const char *want);
/* The code, and a text that has `text` in it. */
void assert_refused(int rc, int want, const struct err *err, const char *text);
/* As packet_case.layers; the caller frees it. */
char *layer_names(const struct packet *packet);
