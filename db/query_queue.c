/* What was, is and will be done: cycles, their moves, and jobs. */
#include "db/query_int.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"

