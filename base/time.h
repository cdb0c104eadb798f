/*
 * Host time. Deadlines are monotonic; wall clock is for records only. The time
 * of a run (real or virtual) is runners/loop.h, not this.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define NS_PER_SECOND INT64_C(1000000000)
#define NS_PER_MS     INT64_C(1000000)
#define NS_PER_US     INT64_C(1000)
#define US_PER_SECOND INT64_C(1000000)

int64_t time_monotonic_ns(void);
int64_t time_wall_us(void); /* microseconds since 1970, UTC */
/* "2026-11-24T01:47:10Z" into a buffer of at least TIME_ISO_SIZE bytes; returns it. */
#define TIME_ISO_SIZE 32
char *time_iso(int64_t wall_us, char text[TIME_ISO_SIZE]);
