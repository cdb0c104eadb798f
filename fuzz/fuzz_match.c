/*
 * A pattern made from one packet against another one (packets/match.c): both ways
 * of asking agree, and what is said about the differences adds up. The input is
 * the length of the first packet in two bytes, then both, from the IPv6 header on.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/limits.h"
#include "fuzz/fuzz.h"
#include "packets/match.h"
#include "packets/packet.h"

static void check(const struct pattern *pattern, const struct packet *packet)
{
	auto_free char *text = pattern_to_string(pattern);
	auto_json json_t *json = pattern_to_json(pattern);
	struct match_result result;
	unsigned wrong = 0;
	const json_t *row;
	size_t i;

	pattern_match(pattern, packet, &result);
	lab_assert(result.matched == pattern_matches(pattern, packet));
	lab_assert(result.matched == (result.mismatch_count == 0));
	json_array_foreach(result.fields, i, row)
		wrong += json_is_false(json_object_get(row, "ok"));
	lab_assert(wrong == result.mismatch_count);
	lab_assert(result.layers_found <= pattern_layer_count(pattern));
	lab_assert(json_array_size(json) == pattern_layer_count(pattern) && *text);
	match_result_release(&result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_cleanup(packet_free_p) struct packet *model = NULL;
	auto_cleanup(packet_free_p) struct packet *packet = NULL;
	auto_cleanup(pattern_free_p) struct pattern *pattern = NULL;
	size_t split;

	if (size < 2 || size > LIMIT_FRAME_BYTES)
		return 0;
	split = (size_t)(data[0] << 8 | data[1]);
	if (split > size - 2)
		split = size - 2;
	model = packet_parse_ip6(data + 2, split);
	packet = packet_parse_ip6(data + 2 + split, size - 2 - split);
	lab_assert(pattern_from_packet(model, &pattern, NULL) == 0);
	check(pattern, packet);
	check(pattern, model);
	lab_assert(pattern_matches(pattern, model));
	pattern_set_strict(pattern);
	check(pattern, packet);
	lab_assert(pattern_matches(pattern, model));
	for (unsigned i = 0; i < pattern_layer_count(pattern); i++) {
		pattern_layer_only(pattern_layer(pattern, i));
		pattern_layer_set_absent(pattern_layer(pattern, i));
		check(pattern, packet);
	}
	return 0;
}
