/* Every maximum of something that can be grown from outside, in one place. */
#pragma once

#define LIMIT_CONFIG_BYTES  (1u << 20)   /* a configuration file */
#define LIMIT_REPORT_LINE   (8u << 20)   /* one JSON line of a child: a verdict with its steps */
#define LIMIT_FRAME_BYTES   65536u       /* one Ethernet frame on a link */
#define LIMIT_LAYERS        64u          /* layers of one packet */
#define LIMIT_OPTIONS       256u         /* options of one layer */
#define LIMIT_STEPS         20000u       /* steps of one test */
#define LIMIT_CONSOLE_BYTES (16u << 20)  /* console log of one NUT */
#define LIMIT_SCRIPT_BYTES  (1u << 20)   /* one Lua file */
#define LIMIT_LUA_BYTES     (256u << 20) /* memory of one Lua state */
#define LIMIT_HTTP_BODY     (1u << 20)   /* body of a request to the API */
#define LIMIT_HTTP_DRAIN                                                                           \
	(8u << 20) /* of a body that is too large: read to the end, so that the refusal arrives */
#define LIMIT_HTTP_TARGET      4096u          /* path and query of a request */
#define LIMIT_HTTP_CONNECTIONS 128u           /* open connections to the web side */
#define LIMIT_HTTP_PAGE        (64u << 20)    /* a generated page or an answer of the API */
#define LIMIT_LOG_BYTES        (64u << 20)    /* log of one child */
#define LIMIT_ARTIFACT_BYTES   (2048ll << 20) /* one artifact, uncompressed */
#define LIMIT_AGENT_REPLY      (4u << 20)     /* one answer of the guest agent */
#define LIMIT_NUTS             64             /* NUTs side by side in one run */
#define LIMIT_NAME             255u           /* a name of a release, series, source, set */
