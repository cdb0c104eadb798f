/* A line of the guest agent (runners/agent.c), read as each of the answers it may be. */
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/json.h"
#include "fuzz/fuzz.h"
#include "runners/agent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct agent_status status;
	struct err err = ERR_INIT;
	json_t *value = NULL;
	int64_t pid;
	int rc = agent_parse((const char *)data, size, 1, &value, &err);

	if (rc < 0)
		lab_assert(!strchr(err.text, '\n'));
	if (rc <= 0)
		return 0;
	if (agent_read_exec(value, &pid, &err) == 0)
		lab_assert(pid >= 0);
	if (agent_read_status(value, &status, &err) == 0) {
		lab_assert(!status.exited || (status.output && status.error_output));
		agent_status_release(&status);
	}
	json_decref(value);
	return 0;
}
