/* SPDX-License-Identifier: MIT */
#include "relay/feed.h"

struct feed {
	struct worker_job job;
	struct worker_pool *pool;
	struct spool_message *message;
	struct spool_body *body;
	struct spool_reader *reader;
	uint64_t key;
	struct span bytes;     /* not yet consumed */
	enum feed_state state; /* once bytes is empty */
	struct fault fault;
	bool reading, abandoned;
};

/* ---- in the worker's thread ---- */

static void run(struct worker_job *job)
{
	struct feed *feed = CONTAINER_OF(job, struct feed, job);

	if (!feed->reader)
		feed->reader = spool_reader_open(feed->message, &feed->fault);
	if (!feed->reader) {
		feed->state = FEED_FAILED;
		return;
	}
	switch (spool_reader_next(feed->reader, &feed->bytes, &feed->fault)) {
	case SPOOL_READ_MORE:
		feed->state = FEED_WAIT;
		break;
	case SPOOL_READ_END:
		feed->state = FEED_END;
		break;
	case SPOOL_READ_DAMAGED:
		feed->state = FEED_DAMAGED;
		break;
	case SPOOL_READ_FAILED:
		feed->state = FEED_FAILED;
		break;
	}
}

/* ---- in the lane ---- */

struct feed *feed_create(struct worker_pool *pool, struct mailbox *reply_to,
    struct spool_message *message, struct spool_body *body, uint64_t key)
{
	struct feed *feed = MEM_NEW(struct feed);

	feed->job = (struct worker_job){ .kind = FEED_JOB, .run = run, .reply_to = reply_to };
	feed->pool = pool;
	feed->key = key;
	feed->message = spool_message_ref(message);
	feed->state = FEED_WAIT;
	if (body) {
		feed->body = spool_body_ref(body);
		feed->bytes = spool_body_span(body);
		feed->state = FEED_END;
	}
	return feed;
}

static void destroy(struct feed *feed)
{
	spool_reader_close(&feed->reader);
	spool_body_unref(&feed->body);
	spool_message_unref(&feed->message);
	mem_free(feed);
}

void feed_destroy(struct feed **feed)
{
	if (!*feed)
		return;
	(*feed)->abandoned = true;
	if (!(*feed)->reading)
		destroy(*feed);
	*feed = NULL;
}

enum feed_state feed_peek(struct feed *feed, struct span *bytes_out, struct fault *fault_out)
{
	if (feed->reading)
		return FEED_WAIT;
	if (feed->bytes.len > 0) {
		*bytes_out = feed->bytes;
		return FEED_BYTES;
	}
	if (feed->state == FEED_FAILED)
		*fault_out = feed->fault;
	if (feed->state != FEED_WAIT)
		return feed->state;
	if (!worker_pool_submit(feed->pool, &feed->job)) {
		fault_set(fault_out, FAULT_LOCAL, "too many stored messages are being read");
		return FEED_FAILED;
	}
	feed->reading = true;
	return FEED_WAIT;
}

void feed_consume(struct feed *feed, size_t n)
{
	feed->bytes = span_skip(feed->bytes, n);
}

bool feed_returned(struct worker_job *job, uint64_t *key_out)
{
	struct feed *feed = CONTAINER_OF(job, struct feed, job);

	feed->reading = false;
	if (feed->abandoned) {
		destroy(feed);
		return false;
	}
	*key_out = feed->key;
	return true;
}
