/* The vocabulary of outcomes; one table for exit code, database, JSON and page. */
#pragma once

enum verdict {
#define X(name, exit_code, rank, text) VERDICT_##name,
#include "base/verdicts.tbl.h"
#undef X
	VERDICT_COUNT_
};

const char *verdict_to_string(enum verdict verdict); /* "PASS" */
/* 0, or LAB_EINVALID for a word that is no verdict. */
int verdict_from_string(const char *text, enum verdict *ret_verdict);
const char *verdict_meaning(enum verdict verdict);
int verdict_exit_code(enum verdict verdict);
int verdict_rank(enum verdict verdict);
