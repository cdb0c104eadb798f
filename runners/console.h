/*
 * Reads a NUT's serial console byte by byte and finds the kernel's own words
 * for trouble: panic, oops, warnings, lockups. The bytes are hostile: they may
 * be anything, in lines of any length.
 *
 * Only what follows a kernel time stamp ("[   12.345678] ", with printk.time=1)
 * counts, so that a program in the NUT that prints the word "BUG:" is no oops.
 */
#pragma once

#include <stddef.h>

enum console_event {
	CONSOLE_NOTHING,
	CONSOLE_OOPS,  /* oops, BUG, WARNING, sanitizer or lock checker report */
	CONSOLE_HUNG,  /* soft or hard lockup, hung task, RCU stall */
	CONSOLE_PANIC, /* the end */
};

#define CONSOLE_LINE_MAX 512 /* bytes of a line that are looked at */

struct console_scanner {
	char line[CONSOLE_LINE_MAX]; /* the present line, cut if longer */
	size_t length;
	enum console_event worst; /* so far */
	char trouble
		[CONSOLE_LINE_MAX]; /* the line that made `worst`, printable, without its time stamp */
};

void console_scanner_init(struct console_scanner *scanner);
/* Take in bytes; returns the worst event so far. */
enum console_event console_scan(struct console_scanner *scanner, const void *data, size_t size);
