/*
 * Requests of the web threads, handed over to the loop. A request lives on the
 * stack of its asker; it leaves the queue under the lock, either answered by the
 * loop or withdrawn by the asker whose patience ended, so nobody touches it late.
 */
#include "orchestrator/orchestrator.h"

#include <errno.h>
#include <stdbool.h>
#include <time.h>

#include "base/assert.h"
#include "base/err.h"
#include "orchestrator/lab.h"

#define PATIENCE_S 5

enum request_state { REQUEST_WAITING, REQUEST_WORKING, REQUEST_ANSWERED };

struct request {
	struct request *next;
	const json_t *request;
	json_t *answer; /* NULL until answered, or when it failed */
	struct err err;
	int rc;
	enum request_state state;
	pthread_cond_t changed;
};

static void append(struct orchestrator *lab, struct request *request)
{
	struct request **at = &lab->requests;

	while (*at)
		at = &(*at)->next;
	*at = request;
}

static void withdraw(struct orchestrator *lab, struct request *request)
{
	struct request **at = &lab->requests;

	while (*at != request)
		at = &(*at)->next;
	*at = request->next;
}

/* With the lock held. Once the loop works on it, the answer is waited for in any case. */
static void wait_for_answer(struct orchestrator *lab, struct request *request)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PATIENCE_S;
	while (request->state != REQUEST_ANSWERED) {
		int rc = 0;

		if (request->state == REQUEST_WORKING)
			(void)pthread_cond_wait(&request->changed, &lab->lock);
		else
			rc = pthread_cond_timedwait(&request->changed, &lab->lock, &until);
		if (rc == ETIMEDOUT && request->state == REQUEST_WAITING) {
			withdraw(lab, request);
			request->rc = err_set(&request->err, LAB_EBUSY,
					      "the lab did not answer within %d s", PATIENCE_S);
			return;
		}
	}
}

int orchestrator_ask(struct orchestrator *lab, const json_t *request, json_t **ret_answer,
		     struct err *err)
{
	struct request mine = { .request = request, .err = ERR_INIT };
	pthread_condattr_t attributes;

	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&mine.changed, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	(void)pthread_mutex_lock(&lab->lock);
	if (lab->refuses) {
		mine.rc = err_set(&mine.err, LAB_EBUSY, "the lab is stopping");
	} else {
		append(lab, &mine);
		(void)uv_async_send(
			&lab->asked); /* under the lock: it is not closed while we hold it */
		wait_for_answer(lab, &mine);
	}
	(void)pthread_mutex_unlock(&lab->lock);
	(void)pthread_cond_destroy(&mine.changed);
	if (mine.rc < 0)
		return err_set(err, mine.rc, "%s", mine.err.text);
	*ret_answer = mine.answer;
	return 0;
}

void ask_serve(struct orchestrator *lab, bool refuse)
{
	(void)pthread_mutex_lock(&lab->lock);
	lab->refuses = lab->refuses || refuse;
	while (lab->requests) {
		struct request *request = lab->requests;

		lab->requests = request->next;
		request->state = REQUEST_WORKING;
		(void)pthread_mutex_unlock(&lab->lock);
		if (refuse)
			request->rc = err_set(&request->err, LAB_EBUSY, "the lab is stopping");
		else
			request->rc = trigger_handle(lab, request->request, &request->answer,
						     &request->err);
		(void)pthread_mutex_lock(&lab->lock);
		request->state = REQUEST_ANSWERED;
		(void)pthread_cond_signal(&request->changed);
	}
	(void)pthread_mutex_unlock(&lab->lock);
}
