#include "web/static.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"

/* The build turns each file into a list of numbers (module.mk). */
static const unsigned char lab_css[] = {
#include "gen/web/lab.css.inc"
};
static const unsigned char lab_js[] = {
#include "gen/web/lab.js.inc"
};
static const unsigned char icon_svg[] = {
#include "gen/web/icon.svg.inc"
};
static const unsigned char schemas_json[] = {
#include "gen/web/schemas.json.inc"
};

static const struct static_asset assets[] = {
	{ "lab.css", "text/css; charset=utf-8", lab_css, sizeof(lab_css) },
	{ "lab.js", "text/javascript; charset=utf-8", lab_js, sizeof(lab_js) },
	{ "icon.svg", "image/svg+xml", icon_svg, sizeof(icon_svg) },
	{ "schemas.json", NULL, schemas_json, sizeof(schemas_json) },
};

const struct static_asset *static_find(const char *name)
{
	for (size_t i = 0; i < sizeof(assets) / sizeof(assets[0]); i++)
		if (strcmp(assets[i].name, name) == 0)
			return &assets[i];
	return NULL;
}

void static_get_version(const struct static_asset *asset, char version[STATIC_VERSION_SIZE])
{
	char hash[HASH_HEX_SIZE];

	hash_bytes(asset->data, asset->size, hash);
	(void)snprintf(version, STATIC_VERSION_SIZE, "%.12s", hash);
}
