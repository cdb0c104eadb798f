/*
 * Scope-bound clean-up: a variable declared auto_free, auto_close, ... is
 * released when its scope ends. Initialise it where it is declared. STEAL_PTR
 * and STEAL_FD hand the resource over at the end of a function.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define auto_cleanup(function) __attribute__((cleanup(function)))
#define auto_free              auto_cleanup(cleanup_free_p)
#define auto_close             auto_cleanup(cleanup_close_p)
#define auto_fclose            auto_cleanup(cleanup_fclose_p)

#define STEAL_PTR(ptr)                                                                             \
	({                                                                                         \
		__typeof__(ptr) stolen_ = (ptr);                                                   \
		(ptr) = NULL;                                                                      \
		stolen_;                                                                           \
	})

#define STEAL_FD(fd)                                                                               \
	({                                                                                         \
		int stolen_ = (fd);                                                                \
		(fd) = -1;                                                                         \
		stolen_;                                                                           \
	})

static inline void cleanup_free_p(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close_p(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* nothing can be done about a failing close here */
}

static inline void cleanup_fclose_p(FILE **file)
{
	if (*file)
		(void)fclose(*file); /* writers that care call fclose themselves */
}
