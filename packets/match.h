/*
 * Expected against received. A pattern is a list of expected layers, each with
 * named fields that have a matcher; everything not named is not looked at.
 *
 * The layers of a pattern must be found in the packet in this order; layers
 * between them are allowed unless the pattern is `strict`. A pattern that
 * starts at any layer is found wherever it starts, so {echo_reply{identifier=1}}
 * matches ether / ip6 / echo_reply. Layers inside the packet that an ICMPv6
 * error quotes are not searched (that is the field `invoking`, bytes). A layer
 * or option may also be required to be absent.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "packets/packet.h"

enum matcher_kind {
	MATCH_EQUAL,
	MATCH_NOT_EQUAL,
	MATCH_RANGE,   /* low.uint <= x <= high.uint */
	MATCH_MASK,    /* (x & high.uint) == low.uint */
	MATCH_ONE_OF,  /* any of `many` */
	MATCH_PREFIX,  /* address in low/prefix_bits; bytes that begin with low */
	MATCH_PRESENT, /* any value */
};

struct pattern;
struct pattern_layer;

/* `strict`: no other layers between those of the pattern. */
struct pattern *pattern_new(bool strict);
void pattern_free(struct pattern *pattern);
void pattern_free_p(struct pattern **pattern); /* for auto_cleanup */
struct pattern *pattern_copy(const struct pattern *pattern);
unsigned pattern_layer_count(const struct pattern *pattern);
struct pattern_layer *pattern_layer(const struct pattern *pattern, unsigned index);
/* The `nth` (0..) layer of that type, or NULL. */
struct pattern_layer *pattern_find(const struct pattern *pattern, const char *type, unsigned nth);
/* Remove the layers of that type; returns how many there were. */
unsigned pattern_remove(struct pattern *pattern, const char *type);
void pattern_set_strict(struct pattern *pattern);
/* LAB_ELIMIT past LIMIT_LAYERS. `absent`: no layer like this one may be in the packet, anywhere. */
int pattern_append(struct pattern *pattern, const struct layer_type *type, bool absent,
		   struct pattern_layer **ret_layer, struct err *err);
/* Append copies of all layers of `tail`; the pattern is strict if one of both is. */
int pattern_append_pattern(struct pattern *pattern, const struct pattern *tail, struct err *err);
/* An option that must be among the options of `layer`, anywhere; `absent` turns it round. */
int pattern_layer_option(struct pattern_layer *layer, const struct layer_type *type, bool absent,
			 struct pattern_layer **ret_option, struct err *err);
/* An option by itself, to be given to a layer by pattern_layer_take_option. */
struct pattern_layer *pattern_layer_new(const struct layer_type *type);
struct pattern_layer *pattern_layer_copy(const struct pattern_layer *layer);
void pattern_layer_free(struct pattern_layer *layer);
/* From an option of a packet: every field that was set in it must be equal. */
int pattern_layer_from_layer(const struct layer *layer, struct pattern_layer **ret_layer,
			     struct err *err);
/* The layer owns `option` when it succeeds. */
int pattern_layer_take_option(struct pattern_layer *layer, struct pattern_layer *option,
			      struct err *err);
/* The layer, or option, must not be there. */
void pattern_layer_set_absent(struct pattern_layer *layer);
/* The option list of `layer` has nothing but what is named by pattern_layer_option. */
void pattern_layer_only(struct pattern_layer *layer);
/*
 * A second matcher for a field takes the place of the first.
 * Values are copied; what a kind does not use is NULL or 0. LAB_EINVALID for a
 * value that the field cannot have, and for a kind that does not fit the field.
 */
int pattern_layer_field(struct pattern_layer *layer, const char *field, enum matcher_kind kind,
			const struct value *low, const struct value *high, const struct value *many,
			unsigned many_count, unsigned prefix_bits, struct err *err);
/* A pattern from a packet: every field that was set in it must be equal. */
int pattern_from_packet(const struct packet *packet, struct pattern **ret_pattern, struct err *err);

struct mismatch {
	char *layer; /* "ip6" */
	char *field; /* "hop_limit", or "" when the layer itself is missing */
	char *want;  /* as text */
	char *got;   /* as text, or "absent" */
};

struct match_result {
	bool matched;
	unsigned layers_found;   /* how far the match went: orders near misses */
	unsigned mismatch_count; /* 0 when matched */
	struct mismatch *mismatches;
	json_t *fields; /* every compared field: [{"layer","field","want","got","ok"}] */
};

/* Compare; the caller releases *ret_result. */
void pattern_match(const struct pattern *pattern, const struct packet *packet,
		   struct match_result *ret_result);
/* As pattern_match, without saying why not. */
bool pattern_matches(const struct pattern *pattern, const struct packet *packet);
void match_result_release(struct match_result *result);
/* For qsort: the nearer miss first (more layers found, then fewer mismatches). */
int match_result_compare(const struct match_result *a, const struct match_result *b);
/* "echo_reply{identifier=1}": for step records. On the heap. */
char *pattern_to_string(const struct pattern *pattern);
char *pattern_layer_to_string(const struct pattern_layer *layer);
/* [{"layer","absent","fields":[{"name","want"}],"options":[...]}] */
json_t *pattern_to_json(const struct pattern *pattern);
