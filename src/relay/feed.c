/* SPDX-License-Identifier: MIT */
#include "relay/feed.h"

#include "smtp/domain.h"

#define SCAN_PIECE 4096

struct feed {
	struct worker_job job;
	struct worker_pool *pool;
	struct spool_message *message;
	struct spool_body *body;
	struct spool_reader *reader;
	uint64_t key;
	struct span bytes;     /* not yet consumed */
	struct span behind;    /* what follows bytes while these are the rewritten header */
	enum feed_state state; /* once both are empty */
	struct fault fault;
	const struct rewrite *rewrite; /* NULL: nothing to rewrite, or it is done */
	struct buf header;             /* rewritten */
	struct message_rewrite_result rewritten;
	bool is_ours, was_rewritten;
	uint64_t size;
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
	feed->size = message->size;
	buf_init(&feed->header, REWRITE_HEADER_MAX);
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
	buf_fini(&feed->header);
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

/* ---- the header ---- */

void feed_rewrite(struct feed *feed, const struct rewrite *rewrite)
{
	const unsigned ours = SPOOL_FLAG_SUBMITTED | SPOOL_FLAG_NOTICE;

	feed->is_ours = (feed->message->envelope.flags & ours) != 0;
	if (rewrite_wants_header(rewrite, feed->is_ours))
		feed->rewrite = rewrite;
}

/* The header in the first bytes, which are 256 KiB or all there is. False: there is more of it. */
static bool find_header(const struct feed *feed, struct span *header_out)
{
	struct message_header scan;
	struct span rest = feed->bytes;

	message_header_init(&scan);
	while (rest.len > 0 && scan.shape == MESSAGE_HEADER_UNDECIDED) {
		struct span piece = span_head(rest, rest.len < SCAN_PIECE ? rest.len : SCAN_PIECE);
		message_header_feed(&scan, piece);
		rest = span_skip(rest, piece.len);
	}
	if (feed->bytes.len == feed->message->size)
		message_header_end(&scan);
	if (scan.shape == MESSAGE_HEADER_UNDECIDED || scan.shape == MESSAGE_HEADER_TOO_LARGE)
		return false;
	*header_out = span_head(feed->bytes, (size_t)scan.header_len);
	return true;
}

static void rewrite_now(struct feed *feed)
{
	const struct rewrite *rewrite = feed->rewrite;
	struct span header;

	feed->rewrite = NULL;
	feed->was_rewritten = find_header(feed, &header) &&
			      rewrite_header(rewrite, feed->message->envelope.reverse_path,
				  feed->is_ours, header, &feed->header, &feed->rewritten);
	if (!feed->was_rewritten || !feed->rewritten.changed)
		return;
	feed->size = feed->size - header.len + feed->header.len;
	feed->behind = span_skip(feed->bytes, header.len);
	feed->bytes = buf_span(&feed->header);
}

uint64_t feed_size(const struct feed *feed)
{
	return feed->size;
}

const struct message_rewrite_result *feed_rewritten(const struct feed *feed)
{
	return feed->was_rewritten ? &feed->rewritten : NULL;
}

bool feed_header_is_utf8(const struct feed *feed)
{
	bool came_so = (feed->message->envelope.flags & SPOOL_FLAG_UTF8_HEADER) != 0;

	if (!feed->was_rewritten || !feed->rewritten.changed)
		return came_so;
	if (came_so)
		return !smtp_text_is_ascii(buf_span(&feed->header));
	return feed->rewritten.from_changed && !smtp_text_is_ascii(feed->rewritten.from);
}

/* ---- giving ---- */

enum feed_state feed_peek(struct feed *feed, struct span *bytes_out, struct fault *fault_out)
{
	if (feed->reading)
		return FEED_WAIT;
	if (feed->rewrite && feed->bytes.len > 0)
		rewrite_now(feed);
	if (feed->bytes.len == 0 && feed->behind.len > 0) {
		feed->bytes = feed->behind;
		feed->behind = SPAN("");
	}
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
