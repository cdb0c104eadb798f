/*
 * Building one kernel: the steps of a "build" job between the unpacked source
 * and the finished files.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "builders/build_log.h"
#include "builders/sandbox.h"

struct err;
struct job;
struct kconfig;

struct kernel_build {
	struct job *job;
	struct sandbox sandbox;
	struct build_log log;
	FILE *log_file;       /* out/build.log */
	int64_t log_bytes;    /* written to it */
	char *source;         /* scratch/source: the unpacked tree */
	char *objects_folder; /* scratch/objects: O= */
	char *fragments;      /* our builders/config */
	char *ccache;         /* the ccache folder */
	const char *phase;    /* for progress reports */
	int64_t total;        /* objects expected, 0 while unknown */
	int64_t counted;      /* objects that `make -n` lists */
	bool uses_ccache;
	char jobs_option[16];      /* "-j2" */
	char objects_option[4096]; /* "O=/objects" */
	char config_name[64];      /* as in the job */
};

/* Set up the folders, the log and the sandbox; the source lies in build->source already. */
int kernel_build_open(struct kernel_build *build, struct err *err);
/* Make .config from the fragments that `config_name` stands for, and check what became of them. */
int kernel_build_configure(struct kernel_build *build, struct err *err);
/* Everything that is compiled. */
int kernel_build_compile(struct kernel_build *build, struct err *err);
void kernel_build_release_p(struct kernel_build *build);
