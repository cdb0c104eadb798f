/* The rules of comparing (design.md, sections 6 and 7). */
#include "db/compare.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/cleanup.h"

static const char *const change_names[COMPARE_CHANGE_COUNT_] = {
	[COMPARE_UNCHANGED] = "unchanged",
	[COMPARE_REGRESSED] = "regressed",
	[COMPARE_FIXED] = "fixed",
	[COMPARE_NEW] = "new",
	[COMPARE_GONE] = "gone",
	[COMPARE_CHANGED] = "changed",
	[COMPARE_STILL_FAILING] = "still-failing",
	[COMPARE_TEST_CHANGED] = "test-changed",
};

const char *compare_change_to_string(enum compare_change change)
{
	lab_assert(change < COMPARE_CHANGE_COUNT_);
	return change_names[change];
}

/* PASS, WARN and FAIL judge the kernel; the others say that it was not judged. */
static bool is_judgement(enum verdict verdict)
{
	return verdict == VERDICT_PASS || verdict == VERDICT_WARN || verdict == VERDICT_FAIL;
}

static bool is_same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

enum compare_change compare_verdicts(const struct compare_verdict *then,
				     const struct compare_verdict *now)
{
	if (then->verdict == now->verdict) {
		if (now->verdict == VERDICT_ERROR)
			return COMPARE_UNCHANGED; /* our trouble has no meaning to compare */
		if (!is_same_text(then->signature, now->signature))
			return is_same_text(then->test_version, now->test_version)
				       ? COMPARE_CHANGED
				       : COMPARE_TEST_CHANGED;
		return now->verdict == VERDICT_FAIL ? COMPARE_STILL_FAILING : COMPARE_UNCHANGED;
	}
	/* ERROR first: it is never a regression, nor does leaving it mend a kernel. */
	if (then->verdict == VERDICT_ERROR || now->verdict == VERDICT_ERROR)
		return COMPARE_CHANGED;
	if (!is_same_text(then->test_version, now->test_version))
		return COMPARE_TEST_CHANGED;
	if (!is_judgement(then->verdict) || !is_judgement(now->verdict))
		return COMPARE_CHANGED;
	if (now->verdict == VERDICT_PASS)
		return COMPARE_FIXED;
	/* FAIL to WARN is better, but not mended. */
	return verdict_rank(now->verdict) > verdict_rank(then->verdict) ? COMPARE_REGRESSED
									: COMPARE_CHANGED;
}

static const struct compare_verdict *find_test(const struct compare_verdict *list, size_t count,
					       const char *test_id)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].test_id, test_id) == 0)
			return &list[i];
	return NULL;
}

size_t compare_runs(const struct compare_verdict *then, size_t then_count,
		    const struct compare_verdict *now, size_t now_count,
		    struct compare_entry **ret_entries, size_t counts[COMPARE_CHANGE_COUNT_])
{
	struct compare_entry *entries = xcalloc(then_count + now_count, sizeof(*entries));
	size_t count = 0;

	memset(counts, 0, sizeof(counts[0]) * COMPARE_CHANGE_COUNT_);
	for (size_t i = 0; i < now_count; i++) {
		const struct compare_verdict *old = find_test(then, then_count, now[i].test_id);

		entries[count++] = (struct compare_entry){
			.test_id = now[i].test_id,
			.change = old ? compare_verdicts(old, &now[i]) : COMPARE_NEW,
			.old_verdict_id = old ? old->verdict_id : 0,
			.new_verdict_id = now[i].verdict_id,
		};
	}
	for (size_t i = 0; i < then_count; i++)
		if (!find_test(now, now_count, then[i].test_id))
			entries[count++] = (struct compare_entry){
				.test_id = then[i].test_id,
				.change = COMPARE_GONE,
				.old_verdict_id = then[i].verdict_id,
			};
	for (size_t i = 0; i < count; i++)
		counts[entries[i].change]++;
	*ret_entries = entries;
	return count;
}

/* --- key releases ---------------------------------------------------------- */

/* What a key release must be, in words of the target's row. */
struct key_rule {
	const char *type;   /* of the key release; NULL = any */
	const char *series; /* NULL = any */
	const char *what;   /* 'the rc before' */
};

static bool obeys(const struct key_rule *rule, const struct key_candidate *target,
		  const struct key_candidate *candidate)
{
	return candidate->release_id != target->release_id &&
	       (!rule->type || strcmp(candidate->type, rule->type) == 0) &&
	       (!rule->series || strcmp(candidate->series, rule->series) == 0) &&
	       strcmp(candidate->sort_key, target->sort_key) < 0;
}

/* The greatest candidate below the target, among the tested ones or all. */
static const struct key_candidate *find_before(const struct key_rule *rule,
					       const struct key_candidate *target,
					       const struct key_candidate *candidates, size_t count,
					       bool tested)
{
	const struct key_candidate *best = NULL;

	for (size_t i = 0; i < count; i++) {
		const struct key_candidate *c = &candidates[i];

		if (!obeys(rule, target, c) || (tested && !c->run_id))
			continue;
		if (!best || strcmp(c->sort_key, best->sort_key) > 0)
			best = c;
	}
	return best;
}

static size_t add_choice(struct key_choice *choices, size_t count, int64_t run_id)
{
	for (size_t i = 0; i < count; i++)
		if (choices[i].run_id == run_id)
			return count;
	choices[count].run_id = run_id;
	return count + 1;
}

static size_t choose_before(const struct key_rule *rule, const struct key_candidate *target,
			    const struct key_candidate *candidates, size_t count,
			    struct key_choice *choices, size_t chosen)
{
	const struct key_candidate *key, *tested;
	size_t after;

	key = find_before(rule, target, candidates, count, false);
	tested = find_before(rule, target, candidates, count, true);
	if (!tested)
		return chosen;
	after = add_choice(choices, chosen, tested->run_id);
	if (after == chosen)
		return chosen;
	if (key == tested)
		(void)snprintf(choices[chosen].why, sizeof(choices[chosen].why), "%s (%.60s)",
			       rule->what, tested->name);
	else
		(void)snprintf(choices[chosen].why, sizeof(choices[chosen].why),
			       "the nearest tested (%.40s) for %s (%.40s)", tested->name,
			       rule->what, key->name);
	return after;
}

/* "v6.12.3", "6.12.117-1~deb12u1" -> "6.12"; false if the name does not begin like a version. */
static bool get_base_version(const char *name, char *base, size_t size)
{
	size_t dots = 0, length = 0;

	if (*name == 'v')
		name++;
	while (isdigit((unsigned char)name[length]) || (name[length] == '.' && dots == 0)) {
		if (name[length] == '.')
			dots++;
		length++;
	}
	if (dots != 1 || name[length - 1] == '.' || length + 1 > size)
		return false;
	memcpy(base, name, length);
	base[length] = '\0';
	return true;
}

/* The tested release of exactly that name, with or without a leading 'v'. */
static size_t choose_named(const char *name, const char *what,
			   const struct key_candidate *candidates, size_t count,
			   struct key_choice *choices, size_t chosen)
{
	const char *plain = *name == 'v' ? name + 1 : name;
	size_t after;

	for (size_t i = 0; i < count; i++) {
		const char *other = candidates[i].name;

		if (!candidates[i].run_id || strcmp(*other == 'v' ? other + 1 : other, plain) != 0)
			continue;
		after = add_choice(choices, chosen, candidates[i].run_id);
		if (after > chosen)
			(void)snprintf(choices[chosen].why, sizeof(choices[chosen].why),
				       "%s (%.60s)", what, other);
		return after;
	}
	return chosen;
}

static size_t choose_known_good(const struct key_candidate *target,
				const struct key_candidate *candidates, size_t count,
				struct key_choice *choices, size_t chosen)
{
	const struct key_candidate *best = NULL;
	size_t after;

	for (size_t i = 0; i < count; i++) {
		const struct key_candidate *c = &candidates[i];

		if (c->known_good && c->run_id && c->release_id != target->release_id &&
		    (!best || c->run_id > best->run_id))
			best = c;
	}
	if (!best)
		return chosen;
	after = add_choice(choices, chosen, best->run_id);
	if (after > chosen)
		(void)snprintf(choices[chosen].why, sizeof(choices[chosen].why),
			       "the known-good kernel (%.60s)", best->name);
	return after;
}

size_t key_releases(const struct key_candidate *target, const char *based_on,
		    const struct key_candidate *candidates, size_t count,
		    struct key_choice choices[KEY_CHOICES_MAX])
{
	const struct key_rule rc = { "rc", NULL, "the rc before" };
	const struct key_rule final = { "mainline", NULL, "the final before" };
	const struct key_rule stable = { "stable", target->series,
					 "the stable before in its series" };
	const struct key_rule daily = { target->type, target->series, "the daily before" };
	char base[64];
	size_t chosen = 0;

	if (strcmp(target->type, "rc") == 0 || strcmp(target->type, "mainline") == 0) {
		chosen = choose_before(&rc, target, candidates, count, choices, chosen);
		chosen = choose_before(&final, target, candidates, count, choices, chosen);
	} else if (strcmp(target->type, "stable") == 0) {
		chosen = choose_before(&stable, target, candidates, count, choices, chosen);
		if (get_base_version(target->name, base, sizeof(base)))
			chosen = choose_named(base, "the .0 of its series", candidates, count,
					      choices, chosen);
	} else if (strcmp(target->type, "local") == 0) {
		chosen = choose_known_good(target, candidates, count, choices, chosen);
	} else { /* 'next' and 'branch' */
		chosen = choose_before(&daily, target, candidates, count, choices, chosen);
		if (based_on)
			chosen = choose_named(based_on, "the tag it is based on", candidates, count,
					      choices, chosen);
	}
	return chosen;
}
