/*
 * What comes from a client, taken apart: request target, byte range, entity
 * tags, host. Pure functions over bytes that are hostile by assumption; fuzzed
 * by fuzz/fuzz_http.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define TARGET_SEGMENTS_MAX 12
#define TARGET_PAIRS_MAX    16

struct target_pair {
	const char *name;  /* decoded; UTF-8, any character but NUL */
	const char *value; /* the same; "" if there was no '=' */
};

/* "/runs/7/verdicts?limit=5": decoded after it was split, so that "%2F" is no border. */
struct target {
	char *bytes;                               /* holds all strings */
	const char *segments[TARGET_SEGMENTS_MAX]; /* decoded path, {} for "/" */
	size_t segment_count;
	struct target_pair pairs[TARGET_PAIRS_MAX]; /* decoded query */
	size_t pair_count;
};

/* LAB_EPARSE for what is no target, LAB_ELIMIT for one that is too long. */
int target_parse(const char *text, struct target *ret_target, struct err *err);
void target_release(struct target *target);

/*
 * A decimal number without sign, spaces or leading zeros: LAB_EINVALID unless
 * min <= number <= max.
 */
int parse_integer(const char *text, int64_t min, int64_t max, int64_t *ret_value, struct err *err);

struct byte_range {
	int64_t offset;
	int64_t size;
};
/*
 * A Range header (RFC 9110 section 14.2) against `total` bytes: 1 and the range,
 * 0 = to be ignored (malformed, another unit, several ranges), LAB_EINVALID =
 * cannot be satisfied (416).
 */
int range_parse(const char *text, int64_t total, struct byte_range *ret_range);

/* If-None-Match (RFC 9110 section 13.1.2): does the list hold `etag` (with its quotes)? */
bool etag_list_has(const char *list, const char *etag);

/*
 * Does a Host header name this machine's loopback, or `address` itself, with
 * any port? Refusing other names keeps a foreign page from reading the lab
 * through a name that it points to 127.0.0.1 (DNS rebinding).
 */
bool host_is_local(const char *host, const char *address);
