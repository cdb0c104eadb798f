/* Patterns against packets: what matches, what is said when it does not, near misses in order. */
#include "packets/match.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/limits.h"
#include "tests/unit/lab_cmocka.h"
#include "tests/unit/packet_bytes.h"

static struct pattern_layer *want(struct pattern *pattern, const char *type)
{
	struct pattern_layer *layer = NULL;

	assert_int_equal(pattern_append(pattern, layer_type_find(type), false, &layer, NULL), 0);
	return layer;
}

static struct pattern_layer *want_option(struct pattern_layer *parent, const char *type,
					 bool absent)
{
	struct pattern_layer *option = NULL;

	assert_int_equal(pattern_layer_option(parent, layer_type_find(type), absent, &option, NULL),
			 0);
	return option;
}

static void want_uint(struct pattern_layer *layer, const char *field, uint64_t number)
{
	struct value value = { .kind = FIELD_UINT, .uint = number };
	struct err err = ERR_INIT;

	if (pattern_layer_field(layer, field, MATCH_EQUAL, &value, NULL, NULL, 0, 0, &err) < 0)
		fail_msg("%s", err.text);
}

static void want_ip6(struct pattern_layer *layer, const char *field, const char *text)
{
	struct value value = { .kind = FIELD_IP6, .size = 16 };

	assert_int_equal(ip6_from_string(text, value.octets, NULL), 0);
	assert_int_equal(
		pattern_layer_field(layer, field, MATCH_EQUAL, &value, NULL, NULL, 0, 0, NULL), 0);
}

/* Match and check that pattern_matches agrees; the caller releases the result. */
static struct match_result match(const struct pattern *pattern, const uint8_t *bytes, size_t size)
{
	auto_cleanup(packet_free_p) struct packet *packet = packet_parse_ip6(bytes, size);
	struct match_result result;

	pattern_match(pattern, packet, &result);
	assert_int_equal(result.matched, pattern_matches(pattern, packet));
	assert_int_equal(result.matched, result.mismatch_count == 0);
	return result;
}

#define MATCH(pattern, bytes) match(pattern, bytes, sizeof(bytes))

static void assert_mismatch(const struct match_result *result, unsigned index, const char *layer,
			    const char *field, const char *wanted, const char *got)
{
	assert_true(index < result->mismatch_count);
	assert_string_equal(result->mismatches[index].layer, layer);
	assert_string_equal(result->mismatches[index].field, field);
	assert_string_equal(result->mismatches[index].want, wanted);
	assert_string_equal(result->mismatches[index].got, got);
}

/* Every packet matches the pattern that is made from it, and no other one's. */
static void test_own_patterns(void **state)
{
	static const struct {
		const uint8_t *bytes;
		size_t size;
	} packets[] = {
#define ROW(name) { name##_bytes, sizeof(name##_bytes) }
		ROW(echo_request), ROW(echo_reply), ROW(ra),       ROW(ns),          ROW(na),
		ROW(mld2_report),  ROW(udp),        ROW(tcp),      ROW(dst_options), ROW(routing),
		ROW(fragment),     ROW(tunnel),     ROW(redirect),
#undef ROW
	};
	unsigned count = sizeof(packets) / sizeof(*packets);

	(void)state;
	for (unsigned i = 0; i < count; i++) {
		auto_cleanup(packet_free_p) struct packet *packet =
			packet_parse_ip6(packets[i].bytes, packets[i].size);
		auto_cleanup(pattern_free_p) struct pattern *pattern = NULL;

		assert_int_equal(pattern_from_packet(packet, &pattern, NULL), 0);
		for (unsigned j = 0; j < count; j++) {
			struct match_result result =
				match(pattern, packets[j].bytes, packets[j].size);

			assert_int_equal(result.matched, i == j);
			match_result_release(&result);
		}
	}
}

static void test_fields_said(void **state)
{
	auto_cleanup(pattern_free_p) struct pattern *pattern = pattern_new(false);
	struct pattern_layer *ip6 = want(pattern, "ip6");
	struct pattern_layer *echo = want(pattern, "echo_request");
	struct value low = { .kind = FIELD_UINT, .uint = 65 };
	struct value high = { .kind = FIELD_UINT, .uint = 255 };
	struct match_result result;

	(void)state;
	want_ip6(ip6, "src", "fe80::b1");
	assert_int_equal(
		pattern_layer_field(ip6, "hop_limit", MATCH_RANGE, &low, &high, NULL, 0, 0, NULL),
		0);
	want_uint(echo, "identifier", 8);
	result = MATCH(pattern, echo_request_bytes);
	assert_false(result.matched);
	assert_int_equal(result.layers_found, 2);
	assert_int_equal(result.mismatch_count, 2);
	assert_mismatch(&result, 0, "ip6", "hop_limit", "65..255", "64");
	assert_mismatch(&result, 1, "echo_request", "identifier", "8", "7");
	assert_int_equal(json_array_size(result.fields), 3);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(result.fields, 1), "got")),
		"fe80::b1");
	assert_true(json_is_true(json_object_get(json_array_get(result.fields, 1), "ok")));
	assert_true(json_is_false(json_object_get(json_array_get(result.fields, 0), "ok")));
	match_result_release(&result);

	/* A second matcher takes the place of the first. */
	want_uint(ip6, "hop_limit", 64);
	want_uint(echo, "identifier", 7);
	result = MATCH(pattern, echo_request_bytes);
	assert_true(result.matched);
	match_result_release(&result);
}

static void test_missing_layer(void **state)
{
	auto_cleanup(pattern_free_p) struct pattern *pattern = pattern_new(false);
	struct match_result result;

	(void)state;
	want(pattern, "ip6");
	want_uint(want(pattern, "fragment"), "more", 0);
	want(pattern, "echo_request");
	result = MATCH(pattern, echo_request_bytes);
	assert_int_equal(result.layers_found, 2);
	assert_mismatch(&result, 0, "fragment", "", "fragment{more=0}", "absent");
	match_result_release(&result);
}

/* The order counts, and of several layers of a type the ones that fit best are taken. */
static void test_alignment(void **state)
{
	auto_cleanup(pattern_free_p) struct pattern *inner = pattern_new(false);
	auto_cleanup(pattern_free_p) struct pattern *both = pattern_new(false);
	auto_cleanup(pattern_free_p) struct pattern *turned = pattern_new(false);
	struct match_result result;

	(void)state;
	want_ip6(want(inner, "ip6"), "src", "2001:db8::1");
	result = MATCH(inner, tunnel_bytes);
	assert_true(result.matched);
	match_result_release(&result);

	want_ip6(want(both, "ip6"), "src", "fe80::b1");
	want_ip6(want(both, "ip6"), "src", "2001:db8::1");
	result = MATCH(both, tunnel_bytes);
	assert_true(result.matched);
	match_result_release(&result);

	want_ip6(want(turned, "ip6"), "src", "2001:db8::1");
	want_ip6(want(turned, "ip6"), "src", "fe80::b1");
	result = MATCH(turned, tunnel_bytes);
	assert_false(result.matched);
	assert_int_equal(result.layers_found, 2);
	assert_int_equal(result.mismatch_count, 2);
	match_result_release(&result);
}

static void test_strict(void **state)
{
	auto_cleanup(pattern_free_p) struct pattern *pattern = pattern_new(true);
	struct match_result result;

	(void)state;
	want(pattern, "ip6");
	want(pattern, "echo_request");
	result = MATCH(pattern, echo_request_bytes);
	assert_true(result.matched);
	match_result_release(&result);
	result = MATCH(pattern, dst_options_bytes);
	assert_false(result.matched);
	assert_int_equal(result.layers_found, 1);
	match_result_release(&result);
	result = match(pattern, (const uint8_t *)"", 0);
	assert_int_equal(result.mismatch_count, 2);
	match_result_release(&result);
}

static void test_absent(void **state)
{
	auto_cleanup(pattern_free_p) struct pattern *pattern = pattern_new(false);
	struct pattern_layer *layer = NULL;
	struct match_result result;

	(void)state;
	assert_int_equal(
		pattern_append(pattern, layer_type_find("dst_options"), true, &layer, NULL), 0);
	want(pattern, "echo_request");
	result = MATCH(pattern, echo_request_bytes);
	assert_true(result.matched);
	match_result_release(&result);
	result = MATCH(pattern, dst_options_bytes);
	assert_mismatch(&result, 0, "dst_options", "", "absent", "present");
	match_result_release(&result);
	want_uint(layer, "hdr_ext_len", 7); /* one like this: it has another length */
	result = MATCH(pattern, dst_options_bytes);
	assert_true(result.matched);
	match_result_release(&result);
}

static void test_options(void **state)
{
	auto_cleanup(pattern_free_p) struct pattern *pattern = pattern_new(false);
	struct pattern_layer *ra = want(pattern, "ra");
	struct match_result result;

	(void)state;
	want_uint(want_option(ra, "nd_mtu", false), "mtu", 1280);
	want_option(ra, "nd_nonce", false);
	want_option(ra, "nd_slla", true);
	want_option(ra, "nd_tlla", true);
	result = MATCH(pattern, ra_bytes);
	assert_int_equal(result.mismatch_count, 3);
	assert_mismatch(&result, 0, "nd_mtu", "mtu", "1280", "1500");
	assert_mismatch(&result, 1, "nd_nonce", "", "nd_nonce{}", "absent");
	assert_mismatch(&result, 2, "nd_slla", "", "absent", "present");
	match_result_release(&result);
}

/* Two wanted options of a type are two options of the packet. */
static void test_options_are_used_once(void **state)
{
	auto_cleanup(pattern_free_p) struct pattern *pattern = pattern_new(false);
	struct pattern_layer *report = want(pattern, "mld2_report");
	struct match_result result;

	(void)state;
	want_ip6(want_option(report, "mld2_record", false), "group", "ff02::6");
	want_ip6(want_option(report, "mld2_record", false), "group", "ff02::5");
	result = MATCH(pattern, mld2_report_bytes);
	assert_true(result.matched);
	match_result_release(&result);
	pattern_layer_only(report);
	result = MATCH(pattern, mld2_report_bytes);
	assert_true(result.matched);
	match_result_release(&result);
	want_ip6(want_option(report, "mld2_record", false), "group", "ff02::5");
	result = MATCH(pattern, mld2_report_bytes);
	assert_int_equal(result.mismatch_count, 1);
	assert_mismatch(&result, 0, "mld2_record", "", "mld2_record{group=ff02::5}", "absent");
	match_result_release(&result);
}

static void test_only(void **state)
{
	auto_cleanup(pattern_free_p) struct pattern *pattern = pattern_new(false);
	struct pattern_layer *ns = want(pattern, "ns");
	struct match_result result;

	(void)state;
	pattern_layer_only(ns);
	want_option(ns, "nd_slla", false);
	result = MATCH(pattern, ns_bytes);
	assert_int_equal(result.mismatch_count, 2);
	assert_mismatch(&result, 0, "nd_nonce", "", "absent", "present");
	assert_mismatch(&result, 1, "nd_unknown", "", "absent", "present");
	match_result_release(&result);
}

/* Long bytes that differ: where they part, not only that they do. */
static void test_bytes_said(void **state)
{
	auto_cleanup(pattern_free_p) struct pattern *pattern = pattern_new(false);
	struct pattern_layer *echo = want(pattern, "echo_request");
	uint8_t bytes[] = { 'a', 'x', 'c', 'd' };
	struct value value = { .kind = FIELD_BYTES, .bytes = bytes, .size = 4 };
	struct match_result result;

	(void)state;
	assert_int_equal(
		pattern_layer_field(echo, "data", MATCH_EQUAL, &value, NULL, NULL, 0, 0, NULL), 0);
	result = MATCH(pattern, echo_request_bytes);
	assert_mismatch(&result, 0, "echo_request", "data", "61 78 63 64",
			"61 62 63; 3 bytes instead of 4, at 1 0x62 instead of 0x78");
	match_result_release(&result);
	bytes[1] = 'b';
	assert_int_equal(
		pattern_layer_field(echo, "data", MATCH_EQUAL, &value, NULL, NULL, 0, 0, NULL), 0);
	result = MATCH(pattern, echo_request_bytes);
	assert_mismatch(&result, 0, "echo_request", "data", "61 62 63 64",
			"61 62 63; 3 bytes instead of 4, equal up to 3");
	match_result_release(&result);
}

static void test_near_misses(void **state)
{
	auto_cleanup(pattern_free_p) struct pattern *pattern = pattern_new(false);
	struct match_result nothing, other_type, near;
	struct pattern_layer *echo;

	(void)state;
	want_uint(want(pattern, "ip6"), "hop_limit", 64);
	echo = want(pattern, "echo_request");
	want_uint(echo, "identifier", 7);
	want_uint(echo, "sequence", 2);
	near = MATCH(pattern, echo_request_bytes);
	other_type = MATCH(pattern, echo_reply_bytes);
	nothing = match(pattern, (const uint8_t *)"x", 1);
	assert_true(match_result_compare(&near, &other_type) < 0);
	assert_true(match_result_compare(&other_type, &nothing) < 0);
	assert_true(match_result_compare(&nothing, &near) > 0);
	assert_int_equal(match_result_compare(&near, &near), 0);
	match_result_release(&near);
	match_result_release(&other_type);
	match_result_release(&nothing);
}

static void refuse(int rc, int code, const struct err *err, const char *why)
{
	assert_int_equal(rc, code);
	if (!strstr(err->text, why))
		fail_msg("'%s' does not say '%s'", err->text, why);
}

static void test_refused(void **state)
{
	auto_cleanup(pattern_free_p) struct pattern *pattern = pattern_new(false);
	struct pattern_layer *ip6 = want(pattern, "ip6");
	struct pattern_layer *other = NULL;
	struct value number = { .kind = FIELD_UINT, .uint = 256 };
	struct value zero = { .kind = FIELD_UINT };
	struct err err = ERR_INIT;
	int rc;

	(void)state;
	rc = pattern_layer_field(ip6, "hop", MATCH_PRESENT, NULL, NULL, NULL, 0, 0, &err);
	refuse(rc, LAB_EINVALID, &err, "'ip6' has no field 'hop'");
	rc = pattern_layer_field(ip6, "hop_limit", MATCH_EQUAL, &number, NULL, NULL, 0, 0, &err);
	refuse(rc, LAB_EINVALID, &err, "256 does not fit");
	rc = pattern_layer_field(ip6, "src", MATCH_EQUAL, &number, NULL, NULL, 0, 0, &err);
	refuse(rc, LAB_EINVALID, &err, "expected an IPv6 address, not a number");
	rc = pattern_layer_field(ip6, "src", MATCH_RANGE, &zero, &zero, NULL, 0, 0, &err);
	refuse(rc, LAB_EINVALID, &err, "'range' is for numbers only");
	rc = pattern_layer_field(ip6, "hop_limit", MATCH_ONE_OF, NULL, NULL, NULL, 0, 0, &err);
	refuse(rc, LAB_EINVALID, &err, "one of nothing");
	rc = pattern_append(pattern, layer_type_find("nd_mtu"), false, &other, &err);
	refuse(rc, LAB_EINVALID, &err, "'nd_mtu' is an option");
	rc = pattern_layer_option(ip6, layer_type_find("nd_mtu"), false, &other, &err);
	refuse(rc, LAB_EINVALID, &err, "'ip6' has no options");
	while (pattern_layer_count(pattern) < LIMIT_LAYERS)
		want(pattern, "raw");
	rc = pattern_append(pattern, layer_type_find("raw"), false, &other, &err);
	refuse(rc, LAB_ELIMIT, &err, "more than 64 layers");
	refuse(pattern_append_pattern(pattern, pattern, &err), LAB_ELIMIT, &err,
	       "more than 64 layers");
}

static void test_shown(void **state)
{
	auto_cleanup(pattern_free_p) struct pattern *pattern = pattern_new(true);
	auto_cleanup(pattern_free_p) struct pattern *copy = NULL;
	struct pattern_layer *ra, *absent = NULL;
	auto_free char *text = NULL;
	auto_free char *copied = NULL;
	auto_json json_t *json = NULL;
	const json_t *row;

	(void)state;
	want_uint(want(pattern, "ip6"), "flow_label", 0x123);
	ra = want(pattern, "ra");
	want_uint(want_option(ra, "nd_mtu", false), "mtu", 1280);
	want_option(ra, "nd_slla", true);
	assert_int_equal(pattern_append(pattern, layer_type_find("fragment"), true, &absent, NULL),
			 0);
	text = pattern_to_string(pattern);
	assert_string_equal(text, "strict(ip6{flow_label=0x00123} / ra{options={nd_mtu{mtu=1280}, "
				  "absent(nd_slla{})}} / absent(fragment{}))");
	copy = pattern_copy(pattern);
	copied = pattern_to_string(copy);
	assert_string_equal(copied, text);
	json = pattern_to_json(pattern);
	row = json_array_get(json, 1);
	assert_string_equal(json_string_value(json_object_get(row, "layer")), "ra");
	row = json_array_get(json_object_get(row, "options"), 1);
	assert_true(json_is_true(json_object_get(row, "absent")));
}

/* Named in any order, fields are compared and shown in that of the layer. */
static void test_order(void **state)
{
	auto_cleanup(pattern_free_p) struct pattern *pattern = pattern_new(false);
	struct pattern_layer *ip6 = want(pattern, "ip6");
	auto_free char *text = NULL;

	(void)state;
	want_uint(ip6, "hop_limit", 255);
	want_uint(ip6, "flow_label", 1);
	want_uint(ip6, "next_header", 58);
	want_uint(ip6, "flow_label", 2);
	text = pattern_to_string(pattern);
	assert_string_equal(text,
			    "ip6{flow_label=0x00002, next_header=58 (ICMPv6), hop_limit=255}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_patterns),  cmocka_unit_test(test_fields_said),
		cmocka_unit_test(test_missing_layer), cmocka_unit_test(test_alignment),
		cmocka_unit_test(test_strict),        cmocka_unit_test(test_absent),
		cmocka_unit_test(test_options),       cmocka_unit_test(test_options_are_used_once),
		cmocka_unit_test(test_only),          cmocka_unit_test(test_bytes_said),
		cmocka_unit_test(test_near_misses),   cmocka_unit_test(test_refused),
		cmocka_unit_test(test_shown),         cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
