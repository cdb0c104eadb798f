/*
 * How runners side by side (shards of one run) share out its tests: all have the
 * whole list in the same order, and who makes the file named like the test in
 * their common folder has it. So nobody waits for another's share, and a runner
 * that is lost holds up nothing but the test it had.
 */
#pragma once

#include <stddef.h>

struct err;
struct suite_test;

/*
 * Longest first, so that no long test is left for the end: those that boot, then by the time
 * that they may take, then in their own order.
 */
void claim_sort(struct suite_test *tests, size_t count);
/* 1: it is the caller's now, 0: somebody had it already. */
int claim_take(const char *folder, const char *id, struct err *err);
