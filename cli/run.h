/* The parts of `testlab run`: settings (run.c), the runner at work (runner.c), what is kept (keep.c). */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "cli/results.h"
#include "cli/scratch.h"
#include "cli/show.h"

struct err;

struct run_settings {
	char *kernel;    /* absolute path */
	char *modules;   /* absolute path, or NULL */
	const char *set; /* NULL if only tests are named */
	json_t *tests;   /* ids named on the command line; empty for the whole set */
	long jobs;       /* NUTs side by side; 0 = as many as fit */
	long memory_mib; /* of a NUT */
	const char *clock, *accelerator, *environment;
	bool is_json;
	char *keep; /* folder, or NULL */
};

/* One `testlab run` under way. */
struct run {
	struct run_settings settings;
	const char *set;  /* name, or NULL if no set has all the tests */
	const char *role; /* of the NUT */
	json_t *sets;     /* of the plan */
	json_t *tests;    /* ids to run, in order */
	struct scratch scratch;
	char *initramfs; /* made by testlab-builder */
	FILE *report;    /* report.jsonl in the keep folder, or NULL */
	int signal_fd;
	struct results results;
	struct progress progress;
	const char *trouble; /* the first thing that was the lab's fault; NULL if nothing was */
};

/* Run all tests; on success each has its final report. LAB_ECANCELLED after a signal. */
int runner_follow(struct run *run, struct err *err);

/* Make the keep folder ready: empty, or the kept folder of an earlier run, whose files go. */
int keep_open(struct run *run, struct err *err);
/* Write a report as it came. */
void keep_report(struct run *run, const json_t *report);
/* Copy the evidence in a worker's folder: captures, consoles, logs; logs get `stem` before their names. */
void keep_files(struct run *run, const char *folder, const char *stem);
