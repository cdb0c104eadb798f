/* Runs: lists, and one with its diffs and files. */
#include "db/query_int.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"

