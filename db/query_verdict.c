/* Verdicts of a run, one verdict with its evidence, and the history of a test. */
#include "db/query_int.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/verdict.h"

