#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "vclock/library.h"

static struct real found;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/*
 * The condition functions exist twice in glibc on x86-64 (the oldest ABI had
 * another pthread_cond_t); dlsym might give the old ones, so the version is named.
 */
static void *find(const char *name, const char *version)
{
	void *symbol = version ? dlvsym(RTLD_NEXT, name, version) : NULL;

	if (!symbol)
		symbol = dlsym(RTLD_NEXT, name);
	if (!symbol) {
		(void)fprintf(stderr, VCLOCK_LIBRARY ": this C library has no '%s'\n", name);
		abort();
	}
	return symbol;
}

#define COND_VERSION "GLIBC_2.3.2"

static void find_all(void)
{
	found.clock_gettime = find("clock_gettime", NULL);
	found.gettimeofday = find("gettimeofday", NULL);
	found.time = find("time", NULL);
	found.ppoll = find("ppoll", NULL);
	found.cond_wait = find("pthread_cond_wait", COND_VERSION);
	found.cond_timedwait = find("pthread_cond_timedwait", COND_VERSION);
	found.cond_signal = find("pthread_cond_signal", COND_VERSION);
	found.cond_broadcast = find("pthread_cond_broadcast", COND_VERSION);
	found.setname = find("pthread_setname_np", NULL);
	found.sendto = find("sendto", NULL);
	found.sendmsg = find("sendmsg", NULL);
	found.send = find("send", NULL);
	found.write = find("write", NULL);
	found.writev = find("writev", NULL);
	found.recvfrom = find("recvfrom", NULL);
}

const struct real *real_get(void)
{
	(void)pthread_once(&once, find_all);
	return &found;
}
