/* Insides of patterns, for the files of this folder. */
#pragma once

#include "packets/match.h"

struct pattern_field {
	const struct field_type *type;
	enum matcher_kind kind;
	struct value low;
	struct value high;
	struct value *many; /* owned, with what is in it */
	unsigned many_count;
	unsigned prefix_bits;
};

struct pattern_layer {
	const struct layer_type *type;
	bool absent; /* must not be there */
	bool only;   /* no options but the named ones */
	struct pattern_field *fields;
	unsigned field_count;
	struct pattern_layer **options;
	unsigned option_count;
};

struct pattern {
	bool strict;
	struct pattern_layer **layers;
	unsigned layer_count;
};

/* What a field is expected to be, as text. On the heap. */
char *matcher_to_string(const struct pattern_field *field);
/* What it is instead. On the heap. */
char *mismatch_to_string(const struct pattern_field *field, const struct value *got);
