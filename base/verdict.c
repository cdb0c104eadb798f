#include "base/verdict.h"

#include <stddef.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"

static const struct {
	const char *name;
	int exit_code;
	int rank;
	const char *meaning;
} verdicts[] = {
#define X(name, exit_code, rank, text) [VERDICT_##name] = { #name, exit_code, rank, text },
#include "base/verdicts.tbl.h"
#undef X
};

const char *verdict_to_string(enum verdict verdict)
{
	lab_assert((unsigned)verdict < VERDICT_COUNT_);
	return verdicts[verdict].name;
}

int verdict_from_string(const char *text, enum verdict *ret_verdict)
{
	for (unsigned i = 0; i < VERDICT_COUNT_; i++) {
		if (strcmp(verdicts[i].name, text) == 0) {
			*ret_verdict = (enum verdict)i;
			return 0;
		}
	}
	return LAB_EINVALID;
}

const char *verdict_meaning(enum verdict verdict)
{
	lab_assert((unsigned)verdict < VERDICT_COUNT_);
	return verdicts[verdict].meaning;
}

int verdict_exit_code(enum verdict verdict)
{
	lab_assert((unsigned)verdict < VERDICT_COUNT_);
	return verdicts[verdict].exit_code;
}

int verdict_rank(enum verdict verdict)
{
	lab_assert((unsigned)verdict < VERDICT_COUNT_);
	return verdicts[verdict].rank;
}
