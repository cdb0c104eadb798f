#include "base/time.h"

#include <stdio.h>
#include <time.h>

#include "base/assert.h"

int64_t time_monotonic_ns(void)
{
	struct timespec now;

	lab_assert(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	return (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

int64_t time_wall_us(void)
{
	struct timespec now;

	lab_assert(clock_gettime(CLOCK_REALTIME, &now) == 0);
	return (int64_t)now.tv_sec * US_PER_SECOND + now.tv_nsec / NS_PER_US;
}

char *time_iso(int64_t wall_us, char text[TIME_ISO_SIZE])
{
	int64_t seconds = wall_us / US_PER_SECOND;
	struct tm parts;
	time_t when;

	if (wall_us % US_PER_SECOND < 0)
		seconds--; /* division truncates towards zero, calendars round down */
	when = (time_t)seconds;
	if (!gmtime_r(&when, &parts) ||
	    strftime(text, TIME_ISO_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
		(void)snprintf(text, TIME_ISO_SIZE, "@%lld", (long long)seconds);
	return text;
}
