/* Inside of a connection, for db.c and migrate.c and their unit tests. */
#pragma once

#include <stdint.h>

struct db;
struct err;

/* The version of the schema that this program writes. */
#define DB_SCHEMA_VERSION 5

/* Bring an open database to DB_SCHEMA_VERSION in one transaction; refuses newer and foreign ones. */
int migrate_to_current(struct db *db, struct err *err);
/* For readers: LAB_EDB unless it is ours and of this version. */
int migrate_check(struct db *db, struct err *err);
