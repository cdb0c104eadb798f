/*
 * pcapng captures: one section, one interface per link, nanosecond time stamps
 * (if_tsresol 9), packet comments (opt_comment). Written so that a reader sees
 * whole blocks at any moment. draft-ietf-opsawg-pcapng.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct err;
struct pcapng;

enum pcapng_direction { PCAPNG_UNKNOWN = 0, PCAPNG_TO_TESTER = 1, PCAPNG_TO_NUT = 2 };

/* `application` is the writer's name and version; `comment` describes the section (may be NULL). */
int pcapng_open(const char *path, const char *application, const char *comment,
		struct pcapng **ret_pcapng, struct err *err);
/* Returns the interface's number, or a negative code. LINKTYPE_ETHERNET. */
int pcapng_add_interface(struct pcapng *pcapng, const char *name, struct err *err);
/* `time_ns` since 1970. `comment` may be NULL. */
int pcapng_write(struct pcapng *pcapng, int interface, int64_t time_ns,
		 enum pcapng_direction direction, const void *frame, size_t size,
		 const char *comment, struct err *err);
/* Flush and close; `frames` on each interface may be checked against the link's counters. */
int pcapng_close(struct pcapng *pcapng, uint64_t *ret_frame_count, struct err *err);
void pcapng_free(struct pcapng *pcapng); /* as close, ignoring errors; NULL is fine */
