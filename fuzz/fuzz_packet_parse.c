/*
 * Frames as a NUT may send them (packets/parse.c). Whatever they are: they are
 * built to the same bytes again, can be shown, and match themselves. Pieces and
 * changed copies of them are built without complaint of the sanitizers.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/limits.h"
#include "fuzz/fuzz.h"
#include "packets/match.h"
#include "packets/packet.h"

static void check_same_bytes(const struct packet *packet, const uint8_t *data, size_t size)
{
	auto_cleanup(packet_free_p) struct packet *copy = packet_copy(packet);
	auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);

	lab_assert(packet_build(copy, &bytes, NULL) == 0);
	lab_assert(bytes.size == size);
	lab_assert(!size || !memcmp(bytes.data, data, size));
}

/* Fields lie inside the frame and say what they are. */
static void check_json(const struct packet *packet, size_t size)
{
	auto_json json_t *layers = packet_to_json(packet);
	auto_free char *text = json_text(layers);
	auto_free char *summary = packet_summary(packet);
	const json_t *layer, *field;
	size_t i, j;

	lab_assert(text && *summary);
	json_array_foreach(layers, i, layer) {
		json_array_foreach(json_object_get(layer, "fields"), j, field) {
			lab_assert(json_object_get(field, "text"));
			lab_assert((size_t)json_integer_value(json_object_get(field, "offset")) *
						   8 +
					   (size_t)json_integer_value(
						   json_object_get(field, "bits")) <=
				   size * 8);
		}
	}
}

static void check_own_pattern(const struct packet *packet)
{
	auto_cleanup(pattern_free_p) struct pattern *pattern = NULL;
	struct match_result result;

	lab_assert(pattern_from_packet(packet, &pattern, NULL) == 0);
	pattern_match(pattern, packet, &result);
	lab_assert(result.matched && pattern_matches(pattern, packet));
	match_result_release(&result);
}

/* What was right is right again when lengths and checksums are made anew. */
static void check_computed_anew(const struct packet *packet)
{
	auto_cleanup(packet_free_p) struct packet *copy = packet_copy(packet);
	auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);

	if (!packet_is_sound(packet, NULL))
		return;
	packet_forget_computed(copy);
	if (packet_build(copy, &bytes, NULL) == 0)
		lab_assert(packet_is_sound(copy, NULL));
}

static void check_pieces(const struct packet *packet)
{
	auto_cleanup(packet_free_p) struct packet *first = NULL;
	auto_cleanup(packet_free_p) struct packet *last = NULL;
	auto_cleanup(packet_free_p) struct packet *whole = NULL;
	auto_cleanup(packet_free_p) struct packet *cut = NULL;
	auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
	struct fragment_cut front = { .offset = 0, .size = 8, .more = true };
	struct fragment_cut rest = { .offset = 8 };
	const struct packet *pieces[2];
	size_t size = 0;

	(void)packet_truncate(packet, 47, &cut, NULL);
	(void)packet_reassemble(&packet, 1, &whole, NULL);
	packet_free_p(&whole);
	(void)packet_quote(packet, 1232, &bytes, NULL);
	if (packet_fragmentable_size(packet, &size, NULL) < 0 || size < 8)
		return;
	rest.size = size - 8;
	if (packet_fragment(packet, &front, 1, &first, NULL) < 0 ||
	    packet_fragment(packet, &rest, 1, &last, NULL) < 0)
		return;
	pieces[0] = last;
	pieces[1] = first;
	(void)packet_reassemble(pieces, 2, &whole, NULL);
}

static void check(struct packet *packet, const uint8_t *data, size_t size)
{
	check_same_bytes(packet, data, size);
	check_json(packet, size);
	check_own_pattern(packet);
	check_computed_anew(packet);
	check_pieces(packet);
	packet_free(packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > LIMIT_FRAME_BYTES)
		return 0;
	check(packet_parse_frame(data, size), data, size);
	check(packet_parse_ip6(data, size), data, size);
	return 0;
}
