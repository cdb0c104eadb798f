#include "tests/simulated/sim.h"

#include <poll.h>
#include <stdlib.h>
#include <uv.h>

#include "base/alloc.h"
#include "base/time.h"
#include "runners/loop.h"

struct sim_clock {
	int64_t now_ns;
};

static int64_t clock_now_ns(void *self)
{
	return ((struct sim_clock *)self)->now_ns;
}

/* Everything that happens happens now. */
static int64_t clock_from_wall_ns(void *self, int64_t wall_ns)
{
	(void)wall_ns;
	return clock_now_ns(self);
}

/* Loopback delivers at once, so what is not readable now was not sent. */
static int clock_wait(void *self, uv_loop_t *uv, int64_t until_ns, struct err *err)
{
	struct sim_clock *clock = self;
	struct pollfd ready = { .fd = uv_backend_fd(uv), .events = POLLIN };

	(void)err;
	if (poll(&ready, 1, 0) > 0 || until_ns == INT64_MAX)
		(void)uv_run(uv, until_ns == INT64_MAX ? UV_RUN_ONCE : UV_RUN_NOWAIT);
	else if (until_ns > clock->now_ns)
		clock->now_ns = until_ns;
	return 0;
}

static const struct clock_ops ops = {
	.kind = CLOCK_KIND_VIRTUAL,
	.now_ns = clock_now_ns,
	.from_wall_ns = clock_from_wall_ns,
	.wait = clock_wait,
	.free = free,
};

void sim_clock_set(struct loop *loop)
{
	loop_set_clock(loop, &ops, xcalloc(1, sizeof(struct sim_clock)));
}
