/* Rows of SQLite as JSON objects, and the parts that several queries share. */
#include "db/query_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/json.h"

