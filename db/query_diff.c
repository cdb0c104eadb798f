/* Diffs: those that the lab made, and any two runs compared on the fly. */
#include "db/query_int.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "db/diff_int.h"
#include "db/store.h"

