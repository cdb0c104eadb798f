/* Files that are part of the program: style, script, icon, schemas. */
#pragma once

#include <stddef.h>

#define STATIC_VERSION_SIZE 13

struct static_asset {
	const char *name;
	const char *content_type; /* NULL = not served as a file */
	const unsigned char *data;
	size_t size;
};

/* NULL if there is none of that name. */
const struct static_asset *static_find(const char *name);
/* A word that changes with the content, for addresses that may be cached for ever. */
void static_get_version(const struct static_asset *asset, char ret_version[STATIC_VERSION_SIZE]);
