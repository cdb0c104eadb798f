/* Releases and kernels, and the table of kernels by sets. */
#include "db/query_int.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"

