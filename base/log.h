/*
 * Logging: level x area, to stderr. Library-like folders (base, db, packets,
 * builders, runners, suites) do not log above debug; programs decide and log
 * once. Levels by consequence: error = something asked for did not happen;
 * warn = odd, handled; notice = state of the service; info = steps of a job;
 * debug = for developers. Ids come first: "run=42 test=v6LC.1.1.8 ...".
 */
#pragma once

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/* "main", "db", "build", "run", "suite", "web", "orch", "virt", "cli" are the areas in use. */
void log_write(enum log_level level, const char *area, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Show messages up to `level`; the default is LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);
/* "error" ... "debug" to a level; 0, or LAB_EINVALID for another word. */
int log_level_from_string(const char *text, enum log_level *ret_level);
/* Prefix lines with "<N>" for the journal instead of time and level. */
void log_set_journal(int on);

#define log_error(area, ...)  log_write(LOG_LEVEL_ERROR, area, __VA_ARGS__)
#define log_warn(area, ...)   log_write(LOG_LEVEL_WARN, area, __VA_ARGS__)
#define log_notice(area, ...) log_write(LOG_LEVEL_NOTICE, area, __VA_ARGS__)
#define log_info(area, ...)   log_write(LOG_LEVEL_INFO, area, __VA_ARGS__)
#define log_debug(area, ...)  log_write(LOG_LEVEL_DEBUG, area, __VA_ARGS__)
