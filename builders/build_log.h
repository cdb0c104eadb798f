/*
 * The output of a kernel build, line by line: how many objects are built, the
 * first error, and whose fault a failure is.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BUILD_LOG_ERROR_BYTES 1024

enum build_fault {
	BUILD_FAULT_NONE,    /* no error was seen */
	BUILD_FAULT_KERNEL,  /* compiler, assembler, linker or a make rule of the kernel */
	BUILD_FAULT_DISK,    /* no space left, quota, read-only or broken disk */
	BUILD_FAULT_TOOL,    /* a program that the build needs is not installed */
	BUILD_FAULT_MACHINE, /* out of memory, killed, compiler crashed */
};

struct build_log {
	int64_t objects;        /* compiled or assembled so far */
	enum build_fault fault; /* of the worst line; what is ours outranks the kernel */
	char first_error[BUILD_LOG_ERROR_BYTES]; /* the line that counts, "" if none */
	bool is_make_error;                      /* first_error is only make's "*** ... Error 1" */
	char before[BUILD_LOG_ERROR_BYTES /
		    4]; /* the last line that is neither Kbuild's nor make's */
};

/* Take in one line without its end. Any bytes will do. */
void build_log_add(struct build_log *log, const char *line);
/* If the line says that an object is being made ("  CC      net/ipv6/ndisc.o"), its name; else NULL. */
const char *build_log_object(const char *line);
const char *build_fault_to_string(enum build_fault fault);
