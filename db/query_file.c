/* What is known of stored bytes before they are read (db/artifact.h). */
#include "db/query_int.h"

#include <inttypes.h>

#include "base/err.h"

