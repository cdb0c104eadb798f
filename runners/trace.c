#include "runners/trace.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/limits.h"
#include "packets/packet.h"
#include "packets/pcapng.h"

void trace_init(struct trace *trace, int64_t start_ns, const char *clock)
{
	*trace = (struct trace){ .start_ns = start_ns, .clock = clock, .steps = json_array() };
}

void trace_release(struct trace *trace)
{
	for (size_t i = 0; i < trace->frame_count; i++) {
		free(trace->frames[i].data);
		free(trace->frames[i].comment);
		packet_free(trace->frames[i].packet);
	}
	free(trace->frames);
	json_decref(trace->steps);
	*trace = (struct trace){ 0 };
}

struct frame *trace_add_frame(struct trace *trace, const void *data, size_t size, bool from_nut,
			      int64_t time_ns)
{
	struct frame *frame;

	if (trace->bytes + size > TRACE_BYTES_MAX) {
		trace->overflow = true;
		return NULL;
	}
	if (trace->frame_count == trace->frame_capacity) {
		trace->frame_capacity = trace->frame_capacity ? trace->frame_capacity * 2 : 64;
		trace->frames =
			xreallocarray(trace->frames, trace->frame_capacity, sizeof(*trace->frames));
	}
	frame = &trace->frames[trace->frame_count++];
	*frame = (struct frame){
		.time_ns = time_ns,
		.data = xmemdup(data, size),
		.size = size,
		.from_nut = from_nut,
		.packet = packet_parse_frame(data, size),
	};
	trace->bytes += size;
	if (from_nut)
		trace->received++;
	else
		trace->sent++;
	return frame;
}

void trace_comment(struct frame *frame, const char *fmt, ...)
{
	auto_free char *before = STEAL_PTR(frame->comment);
	auto_free char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	frame->comment = before ? xasprintf("%s; %s", before, text) : STEAL_PTR(text);
}

int trace_add_step(struct trace *trace, const char *kind, int64_t time_ns, bool ok,
		   const char *text, json_t **ret_step, struct err *err)
{
	json_t *step;

	if (json_array_size(trace->steps) >= LIMIT_STEPS)
		return err_set(err, LAB_ELIMIT, "the test has more than %u steps", LIMIT_STEPS);
	step = json_pack("{s:I,s:I,s:s,s:s,s:s,s:b,s:o}", "seq",
			 (json_int_t)json_array_size(trace->steps) + 1, "time_ns",
			 (json_int_t)(time_ns - trace->start_ns), "clock", trace->clock, "kind",
			 kind, "link", "B", "ok", ok, "text",
			 json_string_lossy(text, strlen(text)));
	(void)json_array_append_new(trace->steps, step);
	if (ret_step)
		*ret_step = step;
	return 0;
}

size_t trace_step_count(const struct trace *trace)
{
	return json_array_size(trace->steps);
}

size_t trace_frame_number(const struct trace *trace, const struct frame *frame)
{
	return (size_t)(frame - trace->frames) + 1;
}

static char *to_hex(const uint8_t *data, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	char *hex = xcalloc(size * 2 + 1, 1);

	for (size_t i = 0; i < size; i++) {
		hex[2 * i] = digits[data[i] >> 4];
		hex[2 * i + 1] = digits[data[i] & 15];
	}
	return hex;
}

json_t *trace_frame_to_json(const struct frame *frame)
{
	auto_free char *summary = packet_summary(frame->packet);
	auto_free char *hex = to_hex(frame->data, frame->size);

	return json_pack("{s:o,s:s,s:o}", "summary", json_string_lossy(summary, strlen(summary)),
			 "hex", hex, "layers", packet_to_json(frame->packet));
}

static void free_pcapng_p(struct pcapng **pcapng)
{
	pcapng_free(*pcapng);
	*pcapng = NULL;
}

int trace_write_capture(const struct trace *trace, const char *path, const char *comment,
			int64_t epoch_ns, struct err *err)
{
	auto_cleanup(free_pcapng_p) struct pcapng *pcapng = NULL;
	uint64_t written = 0;
	int interface;
	int rc;

	rc = pcapng_open(path, "Testlab " LAB_VERSION, comment, &pcapng, err);
	if (rc < 0)
		return rc;
	interface = pcapng_add_interface(pcapng, "B", err);
	if (interface < 0)
		return interface;
	for (size_t i = 0; i < trace->frame_count; i++) {
		const struct frame *frame = &trace->frames[i];

		rc = pcapng_write(pcapng, interface, epoch_ns + frame->time_ns,
				  frame->from_nut ? PCAPNG_TO_TESTER : PCAPNG_TO_NUT, frame->data,
				  frame->size, frame->comment, err);
		if (rc < 0)
			return rc;
	}
	rc = pcapng_close(STEAL_PTR(pcapng), &written, err);
	if (rc < 0)
		return rc;
	if (written != trace->frame_count)
		return err_set(err, LAB_EFAIL, "capture '%s' has %llu frames of %zu", path,
			       (unsigned long long)written, trace->frame_count);
	return 0;
}
