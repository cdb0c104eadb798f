/*
 * lab_assert: for our own bugs only, and it stays on. Input from the network,
 * repositories, guests, scripts or users is checked with ordinary errors.
 */
#pragma once

#define lab_assert(condition)                                                                      \
	do {                                                                                       \
		if (!(condition))                                                                  \
			lab_assert_failed(#condition, __FILE__, __LINE__, __func__);               \
	} while (0)

/* Print what failed and where to stderr, and abort. */
_Noreturn void lab_assert_failed(const char *condition, const char *file, int line,
				 const char *function);
