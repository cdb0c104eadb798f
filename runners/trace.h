/*
 * What happened in one attempt at one test: every frame on the link and every
 * step, with times of the run's clock. The capture is written from it when the
 * test has ended, because the comments of received frames are only known then.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct packet;

/* Most that one test may put into its trace. */
#define TRACE_BYTES_MAX (64u << 20)

struct frame {
	int64_t time_ns; /* loop time */
	uint8_t *data;
	size_t size;
	bool from_nut;
	bool taken;            /* an expectation was met by it */
	struct packet *packet; /* parsed; owned */
	char *comment;         /* shown in the capture, or NULL */
};

struct trace {
	int64_t start_ns;  /* loop time at which the test began */
	const char *clock; /* whose time that is: "real", "virtual" */
	struct frame *frames;
	size_t frame_count;
	size_t frame_capacity;
	size_t bytes;      /* of all frames */
	bool overflow;     /* frames were left out: the trace cannot be trusted */
	uint64_t sent;     /* frames to the NUT */
	uint64_t received; /* frames from the NUT */
	json_t *steps;     /* array, as in docs/design/001-shape.md */
};

void trace_init(struct trace *trace, int64_t start_ns, const char *clock);
void trace_release(struct trace *trace);
/* Copies and parses the frame; NULL when the trace is full. Valid until the next one is added. */
struct frame *trace_add_frame(struct trace *trace, const void *data, size_t size, bool from_nut,
			      int64_t time_ns);
/* Put "step N: text" behind what is already said about the frame. */
void trace_comment(struct frame *frame, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/*
 * A new step {"seq","time_ns","kind","ok","text"}; further members are set by
 * the caller. LAB_ELIMIT past LIMIT_STEPS. The trace owns it.
 */
int trace_add_step(struct trace *trace, const char *kind, int64_t time_ns, bool ok,
		   const char *text, json_t **ret_step, struct err *err);
size_t trace_step_count(const struct trace *trace);
/* Number of a frame in the capture: from 1, as Wireshark counts. */
size_t trace_frame_number(const struct trace *trace, const struct frame *frame);
/* {"summary","hex","layers"} of a frame. */
json_t *trace_frame_to_json(const struct frame *frame);
/* Write everything to a pcapng file; `epoch_ns` is the wall clock at loop time 0. */
int trace_write_capture(const struct trace *trace, const char *path, const char *comment,
			int64_t epoch_ns, struct err *err);
