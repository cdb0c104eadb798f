/*
 * Names of kernel releases: what kind they are, which series they belong to,
 * and a text that orders them.
 *
 * Understood names:
 *   "6.17", "v6.17", "v6.17.1", "2.6.32.71"      a final or stable release
 *   "v6.17-rc3"                                  a release candidate
 *   "v6.17-rc3-45-gabc1234"                      git describe: 45 commits after the tag
 *   "next-20261120"                              a daily of linux-next
 *   "6.12.117-1~deb12u1", "6.17~rc3-1~exp1"      a Debian package version
 * Anything else is a local name, ordered as people expect ("fix9" < "fix10").
 *
 * Sort keys are compared byte by byte. In them a number is written as one digit
 * for how many digits it has ('1'..'9', then 'a'..'z') and its digits, so that
 * 9 < 10 holds bytewise; '.' joins numbers, and the marks after them are chosen
 * so that  "6.17-rc3" ('!') < "6.17" ('-') < "6.17-45-gabc" ("-45") < "6.17.1" ('.').
 * Debian versions follow the algorithm of Debian Policy 5.6.12 ('~' before the
 * end, the end before letters, letters before other characters). Keys of
 * different kinds of names are apart by their first letter and are not meant
 * to be compared.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

struct err;

enum release_type {
	RELEASE_TYPE_MAINLINE, /* "6.17" */
	RELEASE_TYPE_RC,       /* "6.17-rc3" */
	RELEASE_TYPE_STABLE,   /* "6.17.1", and every Debian version */
	RELEASE_TYPE_NEXT,     /* "next-20261120" */
	RELEASE_TYPE_BRANCH,   /* "v6.17-rc3-45-gabc" */
	RELEASE_TYPE_LOCAL,    /* any other name */
	RELEASE_TYPE_COUNT_,
};

/* "mainline", "rc", "stable", "next", "branch", "local": as in the database. */
const char *release_type_to_string(enum release_type type);
/* 0, or LAB_EINVALID for another word. */
int release_type_from_string(const char *text, enum release_type *ret_type);

/* Every character of a name makes at most three of a key (a digit between letters), plus marks. */
#define VERSION_KEY_SIZE    (3 * LIMIT_NAME + 16)
#define VERSION_SERIES_SIZE 64
#define VERSION_TAG_SIZE    64

struct version {
	enum release_type type;
	char series
		[VERSION_SERIES_SIZE]; /* "mainline", "stable 6.12", "next", "branch", "debian 6.12", "local" */
	char sort_key[VERSION_KEY_SIZE];
	char tag[VERSION_TAG_SIZE]; /* the tag a describe name is based on ("v6.17-rc3"), else "" */
	unsigned major, minor;      /* 6 and 17; 0 for next and local names */
	unsigned rc;                /* 3 of "-rc3", else 0 */
	unsigned commits;           /* 45 of "-45-gabc", else 0 */
};

/*
 * Take a name apart. LAB_EINVALID for one that is empty, longer than LIMIT_NAME
 * or has control bytes, or holds a number of more than 35 digits.
 */
int version_parse(const char *name, struct version *ret_version, struct err *err);
/* <0, 0, >0 as the two names are ordered by their keys; names that cannot be parsed come first. */
int version_compare(const char *left, const char *right);
