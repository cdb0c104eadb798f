/*
 * testlabd: the lab's daemon.
 *
 * Process model. One process, few threads:
 *   - the main thread runs the orchestrator's libuv loop (lab.c) and is the only
 *     writer of the database;
 *   - libuv's pool copies files out of the database and removes scratch folders;
 *   - the web side (web/) has threads of its own with read-only connections; what
 *     they want changed they hand to the loop (ask.c).
 * All real work is done by children, testlab-builder and testlab-runner, one job
 * each (child.c). They die with this process (PR_SET_PDEATHSIG).
 *
 * Signals: SIGTERM and SIGINT stop cleanly (children are told, waited for, then
 * killed); SIGPIPE is ignored; kill -9 is mended at the next start (recover.c).
 * Exit status: 0 after a clean stop, 1 when it could not start, 2 for wrong usage.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/log.h"
#include "db/db.h"
#include "orchestrator/config.h"
#include "orchestrator/lab.h"
#include "orchestrator/state_folder.h"
#include "web/web.h"

#define SYSTEM_CONFIG "/etc/testlab/testlabd.conf"

struct options {
	const char *config;
	const char *state;
	const char *listen;
	bool check_config;
};

/* The source of getopt's table and of --help. */
static const struct {
	const char *name;
	int letter;
	const char *argument; /* NULL if it has none */
	const char *help;
} option_table[] = {
	{ "config", 'c', "FILE",
	  "read settings from FILE (default " SYSTEM_CONFIG " if it exists)" },
	{ "state", 's', "FOLDER", "keep everything in FOLDER" },
	{ "listen", 'l', "ADDRESS:PORT", "serve pages and API there; port 0 takes any free one" },
	{ "log-level", 'L', "LEVEL", "error, warn, notice, info (default) or debug" },
	{ "check-config", 'C', NULL, "check the settings and end" },
	{ "print-config", 'P', NULL, "print the commented default settings and end" },
	{ "version", 'V', NULL, "print the version and end" },
	{ "help", 'h', NULL, "print this and end" },
};
#define OPTION_COUNT (sizeof(option_table) / sizeof(option_table[0]))

static void print_help(void)
{
	printf("Usage: testlabd [OPTION]...\n"
	       "The daemon of Testlab: finds kernels, has them built, booted and tested, shows "
	       "results.\n\n");
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		char left[64];

		(void)snprintf(left, sizeof(left), "--%s%s%s", option_table[i].name,
			       option_table[i].argument ? "=" : "",
			       option_table[i].argument ? option_table[i].argument : "");
		printf("  %-24s %s\n", left, option_table[i].help);
	}
	printf("\nExit status: 0 after a clean stop, 1 if it could not start, 2 for wrong usage.\n"
	       "See testlabd(8) and testlab(1).\n");
}

/* 1 = go on, 0 = done, negative = wrong usage (said on stderr). */
static int parse_options(int argc, char **argv, struct options *options)
{
	struct option table[OPTION_COUNT + 1] = { 0 };
	enum log_level level;
	int letter;

	for (size_t i = 0; i < OPTION_COUNT; i++)
		table[i] = (struct option){
			.name = option_table[i].name,
			.has_arg = option_table[i].argument ? required_argument : no_argument,
			.val = option_table[i].letter,
		};
	while ((letter = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (letter) {
		case 'c':
			options->config = optarg;
			break;
		case 's':
			options->state = optarg;
			break;
		case 'l':
			options->listen = optarg;
			break;
		case 'L':
			if (log_level_from_string(optarg, &level) < 0) {
				fprintf(stderr,
					"testlabd: log level '%s' is none of error, warn, "
					"notice, info, debug\n",
					optarg);
				return LAB_EINVALID;
			}
			log_set_level(level);
			break;
		case 'C':
			options->check_config = true;
			break;
		case 'P':
			fputs(config_get_default_text(), stdout);
			return 0;
		case 'V':
			printf("testlabd %s\n", LAB_VERSION);
			return 0;
		case 'h':
			print_help();
			return 0;
		default:
			return LAB_EINVALID; /* getopt said why */
		}
	}
	if (optind < argc) {
		fprintf(stderr, "testlabd: '%s' was not expected; see testlabd --help\n",
			argv[optind]);
		return LAB_EINVALID;
	}
	return 1;
}

/* Everything is open: say so, and run until a signal comes. */
static int serve(const struct config *config, struct orchestrator *lab, struct web *web,
		 struct err *err)
{
	int port = web_get_port(web);
	bool is_v6 = strchr(config->listen_address, ':');
	int rc;

	rc = state_folder_write_info(config->state_folder, config->listen_address, port,
				     config->token_file, err);
	if (rc < 0)
		return rc;
	log_notice("main", "ready: http://%s%s%s:%d/ state in '%s'", is_v6 ? "[" : "",
		   config->listen_address, is_v6 ? "]" : "", port, config->state_folder);
	rc = orchestrator_run(lab, err);
	state_folder_remove_info(config->state_folder);
	return rc;
}

static int run(const struct config *config, struct err *err)
{
	struct orchestrator *lab = NULL;
	struct web *web = NULL;
	auto_close int lock = -1;
	auto_free char *token = NULL;
	struct web_config web_config = {
		.address = config->listen_address,
		.port = (int)config->listen_port,
	};
	int rc;

	rc = state_folder_lock(config->state_folder, &lock, err);
	if (rc >= 0)
		rc = state_folder_read_token(config->token_file, &token, err);
	if (rc >= 0)
		rc = orchestrator_new(config, &lab, err);
	if (rc < 0)
		return rc;
	web_config.db_path = db_get_path(lab->db);
	web_config.token = token;
	rc = web_start(&web_config, lab, &web, err);
	if (rc >= 0)
		rc = serve(config, lab, web, err);
	web_stop(web); /* NULL when it did not start */
	orchestrator_free(lab);
	if (rc >= 0)
		log_notice("main", "stopped");
	return rc;
}

int main(int argc, char **argv)
{
	struct options options = { 0 };
	struct config config;
	struct err err = ERR_INIT;
	int rc;

	rc = parse_options(argc, argv, &options);
	if (rc <= 0)
		return rc < 0 ? 2 : 0;
	if (!options.config && fs_exists(SYSTEM_CONFIG))
		options.config = SYSTEM_CONFIG;
	(void)signal(SIGPIPE, SIG_IGN);
	rc = config_load(&config, options.config, options.state, options.listen, &err);
	if (rc >= 0 && options.check_config)
		printf("testlabd: the settings are fine; state in '%s'\n", config.state_folder);
	else if (rc >= 0)
		rc = run(&config, &err);
	config_release(&config);
	if (rc < 0) {
		fprintf(stderr, "testlabd: %s\n", err.text);
		return 1;
	}
	return 0;
}
