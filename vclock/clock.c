#include "vclock/clock.h"

void vclock_init(struct vclock *clock, int64_t now_ns, vclock_spent_fn spent_ns)
{
	*clock = (struct vclock){
		.spent_ns = spent_ns,
		.settled_ns = now_ns,
		.idle_ns = now_ns,
	};
}

/* Guest time for `spent_ns` of execution without a pause. */
static int64_t discount(int64_t spent_ns)
{
	if (spent_ns <= VCLOCK_BURST_NS)
		return spent_ns / VCLOCK_BURST_FACTOR;
	return VCLOCK_BURST_NS / VCLOCK_BURST_FACTOR + spent_ns - VCLOCK_BURST_NS;
}

/*
 * What the busy vCPUs have spent since the last settlement: the most that one of
 * them has. With `mark` counting begins anew, from the same reading.
 */
static int64_t read_spent(struct vclock *clock, bool mark)
{
	int64_t most_ns = 0;

	for (unsigned i = 0; i < clock->count; i++) {
		struct vclock_vcpu *vcpu = &clock->vcpus[i];
		int64_t spent_ns;

		if (vcpu->cond)
			continue;
		spent_ns = clock->spent_ns(vcpu->thread_clock);
		if (spent_ns - vcpu->mark_ns > most_ns)
			most_ns = spent_ns - vcpu->mark_ns;
		if (mark)
			vcpu->mark_ns = spent_ns;
	}
	return clock->runs ? most_ns : 0;
}

/* The time after another `spent_ns`, not beyond the limit. */
static int64_t time_after(const struct vclock *clock, int64_t spent_ns)
{
	int64_t now_ns = clock->settled_ns + discount(clock->burst_ns + spent_ns) -
			 discount(clock->burst_ns);

	if (now_ns <= clock->limit_ns)
		return now_ns;
	return clock->limit_ns > clock->settled_ns ? clock->limit_ns : clock->settled_ns;
}

int64_t vclock_now(struct vclock *clock)
{
	return time_after(clock, read_spent(clock, false));
}

static void settle(struct vclock *clock)
{
	int64_t spent_ns = read_spent(clock, true);

	clock->settled_ns = time_after(clock, spent_ns);
	clock->burst_ns += spent_ns;
	if (vclock_all_halted(clock)) {
		clock->idle_ns = clock->settled_ns;
		clock->burst_ns = 0;
	}
}

void vclock_run(struct vclock *clock, int64_t limit_ns)
{
	settle(clock);
	clock->runs = true;
	clock->limit_ns = limit_ns;
}

void vclock_freeze(struct vclock *clock)
{
	settle(clock);
	clock->runs = false;
}

int vclock_add(struct vclock *clock, clockid_t thread_clock)
{
	struct vclock_vcpu *vcpu;

	if (clock->count == VCLOCK_VCPUS_MAX)
		return -1;
	settle(clock);
	vcpu = &clock->vcpus[clock->count++];
	*vcpu = (struct vclock_vcpu){
		.thread_clock = thread_clock,
		.mark_ns = clock->spent_ns(thread_clock),
	};
	clock->busy++;
	clock->generation++;
	return (int)clock->count - 1;
}

void vclock_halt(struct vclock *clock, unsigned index, const void *cond)
{
	struct vclock_vcpu *vcpu = &clock->vcpus[index];

	settle(clock);
	vcpu->cond = cond;
	vcpu->woken = 0;
	clock->busy--;
	clock->generation++;
	if (vclock_all_halted(clock)) {
		clock->idle_ns = clock->settled_ns;
		clock->burst_ns = 0;
	}
}

unsigned vclock_signal(struct vclock *clock, const void *cond,
		       unsigned ret_indexes[VCLOCK_VCPUS_MAX])
{
	unsigned found = 0;

	for (unsigned i = 0; i < clock->count; i++) {
		if (clock->vcpus[i].cond == cond)
			ret_indexes[found++] = i;
	}
	if (!found)
		return 0;
	settle(clock);
	for (unsigned i = 0; i < found; i++) {
		struct vclock_vcpu *vcpu = &clock->vcpus[ret_indexes[i]];

		vcpu->cond = NULL;
		vcpu->mark_ns = clock->spent_ns(vcpu->thread_clock);
		__atomic_store_n(&vcpu->woken, 1, __ATOMIC_RELEASE);
		clock->busy++;
	}
	clock->generation++;
	return found;
}

bool vclock_all_halted(const struct vclock *clock)
{
	return clock->count > 0 && clock->busy == 0;
}

void vclock_jump(struct vclock *clock, int64_t to_ns)
{
	settle(clock);
	if (to_ns > clock->settled_ns)
		clock->settled_ns = to_ns;
	if (vclock_all_halted(clock))
		clock->idle_ns = clock->settled_ns;
}
