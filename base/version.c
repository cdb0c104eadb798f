/* Kernel release names: see version.h for the forms and the key. */
#include "base/version.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"

#define NUMBERS_MAX       4  /* "2.6.32.71" */
#define NUMBER_DIGITS_MAX 9  /* of a kernel version's number, so that it fits an int */
#define KEY_DIGITS_MAX    35 /* of any number, so that the count is one character */
#define HASH_DIGITS_MIN   4  /* git abbreviates to no less */

static const char *const type_names[] = {
	[RELEASE_TYPE_MAINLINE] = "mainline", [RELEASE_TYPE_RC] = "rc",
	[RELEASE_TYPE_STABLE] = "stable",     [RELEASE_TYPE_NEXT] = "next",
	[RELEASE_TYPE_BRANCH] = "branch",     [RELEASE_TYPE_LOCAL] = "local",
};

const char *release_type_to_string(enum release_type type)
{
	lab_assert((unsigned)type < RELEASE_TYPE_COUNT_);
	return type_names[type];
}

int release_type_from_string(const char *text, enum release_type *ret_type)
{
	for (unsigned i = 0; i < RELEASE_TYPE_COUNT_; i++) {
		if (strcmp(type_names[i], text) == 0) {
			*ret_type = (enum release_type)i;
			return 0;
		}
	}
	return LAB_EINVALID;
}

struct key {
	char *text; /* VERSION_KEY_SIZE bytes, NUL-terminated */
	size_t size;
};

static void key_char(struct key *key, char c)
{
	lab_assert(key->size + 1 < VERSION_KEY_SIZE);
	key->text[key->size++] = c;
	key->text[key->size] = '\0';
}

/* Append the number of `count` digits at `digits`: how many, then which. */
static void key_digits(struct key *key, const char *digits, size_t count)
{
	while (count > 1 && *digits == '0') {
		digits++;
		count--;
	}
	key_char(key, (char)(count <= 9 ? '0' + count : 'a' + count - 10));
	while (count--)
		key_char(key, *digits++);
}

static void key_number(struct key *key, unsigned number)
{
	char digits[16];
	int count = snprintf(digits, sizeof(digits), "%u", number);

	key_digits(key, digits, (size_t)count);
}

/* A run of digits at *at that fits; moves *at behind it. */
static bool take_number(const char **at, unsigned *ret_number)
{
	size_t count = strspn(*at, "0123456789");

	if (count == 0 || count > NUMBER_DIGITS_MAX)
		return false;
	*ret_number = (unsigned)strtoul(*at, NULL, 10);
	*at += count;
	return true;
}

static bool take_text(const char **at, const char *text)
{
	size_t length = strlen(text);

	if (strncmp(*at, text, length) != 0)
		return false;
	*at += length;
	return true;
}

/* "-45-gabc1234" of git describe, which must end the name. */
static bool take_describe(const char **at, unsigned *ret_commits)
{
	const char *p = *at;
	size_t digits;

	if (!take_text(&p, "-") || !take_number(&p, ret_commits) || !take_text(&p, "-g"))
		return false;
	digits = strspn(p, "0123456789abcdef");
	if (digits < HASH_DIGITS_MIN || p[digits])
		return false;
	*at = p + digits;
	return true;
}

static void keep_tag(struct version *version, const char *name, const char *end)
{
	(void)snprintf(version->tag, sizeof(version->tag), "%.*s", (int)(end - name), name);
}

static bool parse_kernel(const char *name, struct version *version, struct key *key)
{
	unsigned numbers[NUMBERS_MAX];
	unsigned count = 0;
	const char *at = name;
	const char *tag_end;

	(void)take_text(&at, "v");
	do {
		if (count == NUMBERS_MAX || !take_number(&at, &numbers[count]))
			return false;
		count++;
	} while (take_text(&at, "."));
	if (count < 2)
		return false;
	if (take_text(&at, "-rc") && !take_number(&at, &version->rc))
		return false;
	tag_end = at;
	if (*at && !take_describe(&at, &version->commits))
		return false;

	version->major = numbers[0];
	version->minor = numbers[1];
	key_char(key, 'k');
	for (unsigned i = 0; i < count; i++) {
		if (i)
			key_char(key, '.');
		key_number(key, numbers[i]);
	}
	if (version->rc) {
		key_char(key, '!');
		key_number(key, version->rc);
	}
	key_char(key, '-');
	if (tag_end != at) {
		key_number(key, version->commits);
		keep_tag(version, name, tag_end);
		version->type = RELEASE_TYPE_BRANCH;
		(void)snprintf(version->series, sizeof(version->series), "branch");
	} else if (count > 2 && !version->rc && !(count == 3 && numbers[0] == 2)) {
		/* Up to 2.6.39 three numbers made a mainline release. */
		version->type = RELEASE_TYPE_STABLE;
		(void)snprintf(version->series, sizeof(version->series), "stable %u.%u", numbers[0],
			       numbers[1]);
	} else {
		version->type = version->rc ? RELEASE_TYPE_RC : RELEASE_TYPE_MAINLINE;
		(void)snprintf(version->series, sizeof(version->series), "mainline");
	}
	return true;
}

static bool parse_next(const char *name, struct version *version, struct key *key)
{
	const char *at = name;
	const char *tag_end;
	unsigned date;

	if (!take_text(&at, "next-") || strspn(at, "0123456789") != 8 || !take_number(&at, &date))
		return false;
	tag_end = at;
	if (*at && !take_describe(&at, &version->commits))
		return false;
	key_char(key, 'n');
	key_number(key, date);
	key_char(key, '-');
	version->type = RELEASE_TYPE_NEXT;
	if (tag_end != at) {
		key_number(key, version->commits);
		keep_tag(version, name, tag_end);
		version->type = RELEASE_TYPE_BRANCH;
	}
	(void)snprintf(version->series, sizeof(version->series), "%s",
		       version->type == RELEASE_TYPE_NEXT ? "next" : "branch");
	return true;
}

/* One character of a non-digit part: '~' < end of part < letters < others (Debian Policy 5.6.12). */
static char order_char(char c)
{
	static const char others[] = "+-.:";
	const char *at;

	if (c == '~')
		return '!';
	if (isalpha((unsigned char)c))
		return c;
	at = strchr(others, c);
	return at && c ? (char)('{' + (at - others)) : '~'; /* 'z' < '{' .. '~' */
}

/* Alternating non-digit and digit parts; '#' ends each non-digit part and the whole. */
static void key_parts(struct key *key, const char *text, size_t size)
{
	size_t at = 0;

	while (at < size) {
		size_t digits;

		while (at < size && !isdigit((unsigned char)text[at]))
			key_char(key, order_char(text[at++]));
		key_char(key, '#');
		if (at == size)
			return;
		digits = strspn(text + at, "0123456789");
		if (digits > size - at)
			digits = size - at;
		key_digits(key, text + at, digits);
		at += digits;
	}
	key_char(key, '#');
}

static bool parse_debian(const char *name, struct version *version, struct key *key)
{
	static const char allowed[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.+-~";
	const char *colon = strchr(name, ':');
	const char *upstream = name;
	const char *dash, *at;
	unsigned epoch = 0;

	if (colon) {
		at = name;
		if (!take_number(&at, &epoch) || at != colon)
			return false;
		upstream = colon + 1;
	}
	dash = strrchr(upstream, '-');
	at = upstream;
	if (!dash || upstream[strspn(upstream, allowed)] || !take_number(&at, &version->major) ||
	    !take_text(&at, ".") || !take_number(&at, &version->minor))
		return false;
	if (take_text(&at, "~rc") && !take_number(&at, &version->rc))
		return false;
	key_char(key, 'd');
	key_number(key, epoch);
	key_parts(key, upstream, (size_t)(dash - upstream));
	key_parts(key, dash + 1, strlen(dash + 1));
	version->type = version->rc ? RELEASE_TYPE_RC : RELEASE_TYPE_STABLE;
	(void)snprintf(version->series, sizeof(version->series), "debian %u.%u", version->major,
		       version->minor);
	return true;
}

/* The longest run of digits in `name`. */
static size_t longest_number(const char *name)
{
	size_t longest = 0;

	while (*name) {
		size_t count = strspn(name, "0123456789");

		if (count > longest)
			longest = count;
		name += count ? count : 1;
	}
	return longest;
}

static int check_name(const char *name, struct err *err)
{
	if (!*name)
		return err_set(err, LAB_EINVALID, "release name: it is empty");
	if (strlen(name) > LIMIT_NAME)
		return err_set(err, LAB_EINVALID, "release name '%.40s...': longer than %u bytes",
			       name, LIMIT_NAME);
	for (const char *c = name; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return err_set(err, LAB_EINVALID,
				       "release name: control byte 0x%02x at byte %zu",
				       (unsigned char)*c, (size_t)(c - name));
	}
	if (longest_number(name) > KEY_DIGITS_MAX)
		return err_set(err, LAB_EINVALID,
			       "release name '%s': a number of more than %d digits", name,
			       KEY_DIGITS_MAX);
	return 0;
}

int version_parse(const char *name, struct version *ret_version, struct err *err)
{
	static bool (*const forms[])(const char *, struct version *,
				     struct key *) = { parse_kernel, parse_next, parse_debian };
	int rc = check_name(name, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct version version = { 0 };
		struct key key = { .text = version.sort_key };

		if (forms[i](name, &version, &key)) {
			*ret_version = version;
			return 0;
		}
	}
	*ret_version = (struct version){ .type = RELEASE_TYPE_LOCAL, .series = "local" };
	key_char(&(struct key){ .text = ret_version->sort_key }, 'z');
	key_parts(&(struct key){ .text = ret_version->sort_key, .size = 1 }, name, strlen(name));
	return 0;
}

int version_compare(const char *left, const char *right)
{
	struct version a = { 0 };
	struct version b = { 0 };

	(void)version_parse(left, &a, NULL); /* an empty key comes first */
	(void)version_parse(right, &b, NULL);
	return strcmp(a.sort_key, b.sort_key);
}
