/* The lab as a whole: status, sources, sets, decisions. */
#include "db/query_int.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "db/store.h"

