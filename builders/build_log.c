#include "builders/build_log.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/*
 * What a line has to contain to count as an error, first match wins, so ours
 * come first. Texts of gcc 12, clang 14, binutils 2.40, GNU make 4.3, dash and
 * bash, in the C.UTF-8 locale that the build runs in.
 */
static const struct pattern {
	const char *text;
	enum build_fault fault;
} patterns[] = {
	{ "No space left on device", BUILD_FAULT_DISK },
	{ "Disk quota exceeded", BUILD_FAULT_DISK },
	{ "Input/output error", BUILD_FAULT_DISK },
	{ "File too large", BUILD_FAULT_DISK },
	{ "Cannot allocate memory", BUILD_FAULT_MACHINE },
	{ "virtual memory exhausted", BUILD_FAULT_MACHINE },
	{ "out of memory", BUILD_FAULT_MACHINE },
	{ "memory exhausted", BUILD_FAULT_MACHINE },
	{ "Killed signal terminated program", BUILD_FAULT_MACHINE },
	{ "] Killed", BUILD_FAULT_MACHINE },
	{ "] Terminated", BUILD_FAULT_MACHINE },
	{ "Resource temporarily unavailable", BUILD_FAULT_MACHINE },
	{ "Too many open files", BUILD_FAULT_MACHINE },
	{ "bwrap: ", BUILD_FAULT_MACHINE },
	{ "ccache: error: ", BUILD_FAULT_MACHINE },
	{ ": command not found", BUILD_FAULT_TOOL },
	{ "gelf.h: No such file", BUILD_FAULT_TOOL },
	{ "libelf.h: No such file", BUILD_FAULT_TOOL },
	{ "openssl/opensslv.h: No such file", BUILD_FAULT_TOOL },
	{ "openssl/bio.h: No such file", BUILD_FAULT_TOOL },
	{ "fatal error: ", BUILD_FAULT_KERNEL },
	{ " error: ", BUILD_FAULT_KERNEL },
	{ ": Error: ", BUILD_FAULT_KERNEL }, /* the assembler */
	{ "undefined reference to ", BUILD_FAULT_KERNEL },
	{ "multiple definition of ", BUILD_FAULT_KERNEL },
	{ "ERROR: modpost: ", BUILD_FAULT_KERNEL },
	{ "ERROR: ", BUILD_FAULT_KERNEL },
	{ ": syntax error", BUILD_FAULT_KERNEL }, /* Kconfig, by its bison parser */
	{ "recursive dependency detected", BUILD_FAULT_KERNEL },
};
#define PATTERN_COUNT (sizeof(patterns) / sizeof(patterns[0]))

/* "/bin/sh: 1: flex: not found" of dash. "symbol not found" of others is not meant. */
static bool is_tool_missing(const char *line)
{
	size_t length = strlen(line);
	static const char end[] = ": not found";

	if (length < sizeof(end) - 1 || strcmp(line + length - (sizeof(end) - 1), end) != 0)
		return false;
	return strncmp(line, "/bin/sh: ", 9) == 0 || strncmp(line, "sh: ", 4) == 0;
}

/*
 * "make[3]: *** [scripts/Makefile.build:229: x.o] Error 1", and of a makefile that
 * cannot be read "Makefile:2: *** missing separator.  Stop."
 */
static bool is_make_line(const char *line)
{
	const char *stars = strstr(line, ": *** ");

	return stars && (strncmp(line, "make", 4) == 0 || strstr(stars, ".  Stop."));
}

static bool is_tool_missing_for_make(const char *line)
{
	/* make: gcc: No such file or directory */
	static const char end[] = ": No such file or directory";
	size_t length = strlen(line);
	const char *name;

	if (strncmp(line, "make", 4) != 0 || length <= sizeof(end) ||
	    strcmp(line + length - (sizeof(end) - 1), end) != 0)
		return false;
	name = strstr(line, ": ");
	/* One word between the two colons, without a slash: a program. */
	return name && name + 2 < line + length - (sizeof(end) - 1) &&
	       strcspn(name + 2, ":/* ") ==
		       (size_t)(line + length - (sizeof(end) - 1) - (name + 2));
}

static enum build_fault find_fault(const char *line)
{
	if (is_tool_missing(line) || is_tool_missing_for_make(line))
		return BUILD_FAULT_TOOL;
	for (size_t i = 0; i < PATTERN_COUNT; i++) {
		if (strstr(line, patterns[i].text))
			return patterns[i].fault;
	}
	/* clang and ld write "error:" at the start of a line, too. */
	if (strncmp(line, "error: ", 7) == 0)
		return BUILD_FAULT_KERNEL;
	return is_make_line(line) ? BUILD_FAULT_KERNEL : BUILD_FAULT_NONE;
}

static void keep_error(struct build_log *log, const char *line, enum build_fault fault)
{
	log->fault = fault;
	log->is_make_error = is_make_line(line);
	/* "make: *** [Makefile:3: all] Error 1" alone says little; what went before may be the reason. */
	if (log->is_make_error && log->before[0])
		snprintf(log->first_error, sizeof(log->first_error), "%s\n%s", log->before, line);
	else
		snprintf(log->first_error, sizeof(log->first_error), "%s", line);
}

const char *build_log_object(const char *line)
{
	const char *p = line + strspn(line, " ");

	/* Kbuild: two blanks, the step in capitals, "[M]" for modules, the file. */
	if (p == line || (strncmp(p, "CC ", 3) != 0 && strncmp(p, "AS ", 3) != 0))
		return NULL;
	p += 2 + strspn(p + 2, " ");
	if (strncmp(p, "[M] ", 4) == 0)
		p += 4 + strspn(p + 4, " ");
	return *p ? p : NULL;
}

void build_log_add(struct build_log *log, const char *line)
{
	enum build_fault fault;

	if (build_log_object(line)) {
		log->objects++;
		return;
	}
	fault = find_fault(line);
	if (fault == BUILD_FAULT_NONE) {
		/* Kbuild's own lines start with blanks; a compiler's excerpts do, too. */
		if (line[0] && line[0] != ' ' && strncmp(line, "make", 4) != 0)
			snprintf(log->before, sizeof(log->before), "%s", line);
		return;
	}
	/*
	 * The first error of the kernel stays; one that is only make's summary
	 * gives way to a better one, and any of the kernel's to a reason that
	 * lies with us (a full disk breaks compilations, too).
	 */
	if (log->fault == BUILD_FAULT_NONE ||
	    (log->fault == BUILD_FAULT_KERNEL &&
	     (fault != BUILD_FAULT_KERNEL || (log->is_make_error && !is_make_line(line)))))
		keep_error(log, line, fault);
}

const char *build_fault_to_string(enum build_fault fault)
{
	switch (fault) {
	case BUILD_FAULT_NONE:
		return "no error in the log";
	case BUILD_FAULT_KERNEL:
		return "the kernel does not build";
	case BUILD_FAULT_DISK:
		return "the disk is full or broken";
	case BUILD_FAULT_TOOL:
		return "a program that the build needs is not installed";
	case BUILD_FAULT_MACHINE:
		return "the machine could not do it";
	}
	return "unknown";
}
