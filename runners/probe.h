/*
 * Does the NUT answer on a link? One Echo Request to its link-local address, with a
 * Neighbor Solicitation before it that tells the NUT where we are, so that it
 * has nothing to ask. For the doctor, not for tests: nothing is judged or recorded.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "runners/link.h"

struct err;
struct loop;

struct probe {
	uint16_t sequence;   /* of the last request */
	bool answered;       /* the last request */
	int64_t answered_ns; /* loop time of the answer */
};

/* The link_frame_cb of the probed link, with the probe as `user`. */
void probe_on_frame(struct link *link, const uint8_t *frame, size_t size, int64_t time_ns,
		    void *user);
/*
 * Ask now and again until the NUT with `nut_mac` answers; LAB_ETIMEOUT after `timeout_ms` of
 * loop time. A NUT that has just booted answers when its address is known to be unique.
 */
int probe_echo(struct probe *probe, struct loop *loop, struct link *link, const uint8_t nut_mac[6],
	       int64_t timeout_ms, struct err *err);
