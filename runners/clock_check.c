#include "runners/clock_check.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/time.h"
#include "runners/loop.h"
#include "runners/nut.h"

#define AGENT_TIMEOUT_MS 10000
/* Of uptime's 10 ms twice, and of what the guest does between reading it and the agent's answer. */
#define TOLERANCE_NS (100 * NS_PER_MS)

/* The NUT's uptime, and what the loop's clock said just before it was asked. */
static int read_uptime(struct loop *loop, struct nut *nut, int64_t *ret_loop_ns,
		       int64_t *ret_guest_ns, struct err *err)
{
	struct nut_exec_result result = { 0 };
	char *end;
	double seconds;
	int rc;

	*ret_loop_ns = loop_now_ns(loop);
	rc = nut_exec(nut, (const char *[]){ "cat", "/proc/uptime", NULL }, AGENT_TIMEOUT_MS,
		      &result, err);
	if (rc < 0)
		return rc;
	seconds = strtod(result.output, &end);
	if (end == result.output || seconds < 0 || seconds > 1e9)
		rc = err_set(err, LAB_EVIRT, "the NUT's /proc/uptime is no number of seconds");
	nut_exec_result_release(&result);
	*ret_guest_ns = (int64_t)(seconds * 1e9);
	return rc;
}

int clock_check(struct loop *loop, struct nut *nut, int64_t span_ns, struct clock_check *ret_check,
		struct err *err)
{
	int64_t host_ns = time_monotonic_ns(), loop_ns[2], guest_ns[2], off_ns;
	int rc;

	rc = read_uptime(loop, nut, &loop_ns[0], &guest_ns[0], err);
	if (rc == 0)
		rc = loop_run(loop, loop_ns[0] + span_ns, NULL, err);
	if (rc == 0)
		rc = read_uptime(loop, nut, &loop_ns[1], &guest_ns[1], err);
	if (rc < 0)
		return rc;
	*ret_check = (struct clock_check){
		.loop_ns = loop_ns[1] - loop_ns[0],
		.guest_ns = guest_ns[1] - guest_ns[0],
		.host_ns = time_monotonic_ns() - host_ns,
	};
	off_ns = llabs(ret_check->guest_ns - ret_check->loop_ns);
	if (off_ns > TOLERANCE_NS)
		return err_set(
			err, LAB_EVIRT,
			"the clock and the NUT do not agree: %.3f s passed by the %s clock, %.2f s "
			"by the NUT's",
			(double)ret_check->loop_ns / 1e9,
			clock_kind_to_string(loop_get_clock(loop)),
			(double)ret_check->guest_ns / 1e9);
	return loop_check_clock(loop, err);
}
