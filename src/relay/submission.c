/* SPDX-License-Identifier: MIT */
#include "relay/submission.h"

#include "base/random.h"
#include "relay/large_write.h"
#include "relay/sender.h"
#include "smtp/domain.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#define BODY_MAX                                                                                   \
	(512 * 1024) /* what a header that is still undecided may bring beyond the limit           \
		      */

static void charge(struct submission *s)
{
	size_t now = s->body.capacity + s->envelope + s->writing;

	s->lane->draft_bytes += now - s->charged;
	s->charged = now;
}

static void drop_body(struct submission *s)
{
	buf_fini(&s->body);
	charge(s);
}

static void refuse(struct submission *s, enum smtp_reply_id reply, const char *why)
{
	if (s->refused)
		return;
	s->refused = true;
	s->refusal = reply;
	snprintf(s->why, sizeof(s->why), "%s", why ? why : "");
	drop_body(s);
}

/* ---- envelope ---- */

struct submission *submission_begin(struct lane *lane, struct account_handle asker,
    const struct spool_envelope *envelope, const struct message_trace *trace)
{
	struct spool_message *message;
	struct submission *s;

	if (lane->draft_bytes >= lane_draft_share(lane))
		return NULL;
	s = MEM_NEW(struct submission);
	s->lane = lane;
	s->asker = asker;
	s->id = id_next(&lane->ids, net_loop_wall_ms(&lane->loop));
	message = spool_message_create(s->id, envelope);
	s->draft = spool_draft_create(&message);
	s->trace = *trace;
	s->trace.message_id = s->id;
	message_header_init(&s->header);
	buf_init(&s->body, BODY_MAX);
	return s;
}

bool submission_has_room(const struct submission *s)
{
	return s->lane->draft_bytes < lane_draft_share(s->lane);
}

void submission_add(
    struct submission *s, const struct policy_verdict *verdict, unsigned notify, struct span orcpt)
{
	int64_t now = s->draft->message->envelope.received_ms;
	struct spool_recipient *recipient;

	for (size_t i = 0; i < verdict->target_count; i++) {
		const struct setup_hop *hop = verdict->targets[i].hop;
		struct spool_delivery *delivery = spool_draft_add(
		    s->draft, span_from_string(hop->key), verdict->targets[i].address);

		delivery->next_attempt_ms = now;
		delivery->expires_ms = now + hop->lifetime_ms;
		delivery->warn_ms = hop->delay_warning_ms ? now + hop->delay_warning_ms : 0;
		recipient = &delivery->recipients[delivery->recipient_count - 1];
		recipient->notify = notify;
		spool_text_set(&recipient->orcpt, orcpt);
		s->trace.recipient = recipient->address;
		s->envelope += sizeof(*recipient) + recipient->address.len + orcpt.len;
	}
	s->recipients++;
	charge(s);
}

/* ---- content ---- */

/* An alias makes several of one: they must not learn of each other, either (RFC 5321, 7.2). */
static bool has_one_recipient(const struct submission *s)
{
	const struct spool_draft *draft = s->draft;

	return s->recipients == 1 && draft->delivery_count == 1 &&
	       LIST_ENTRY(draft->deliveries.next, struct spool_delivery, link)->recipient_count ==
		   1;
}

/* A From that is missing names the sender in ASCII where that can be: a field of ours must not be
   what keeps the message from hops without SMTPUTF8. */
static bool format_prefix(const struct submission *s, struct buf *out)
{
	struct message_trace trace = s->trace;
	struct buf sender;
	bool fits;

	buf_init(&sender, 1024);
	if (smtp_mailbox_append_ascii(&sender, trace.reverse_path))
		trace.reverse_path = buf_span(&sender);
	fits = message_prefix_format(out, &s->header, &trace);
	buf_fini(&sender);
	return fits;
}

static bool make_prefix(struct submission *s, struct buf *out)
{
	if (!has_one_recipient(s))
		s->trace.recipient = SPAN("");
	s->trace.received_wall_ms = s->draft->message->envelope.received_ms;
	if (s->trace.submitted && !s->header.has_message_id)
		s->trace.random = random_u64();
	return format_prefix(s, out);
}

/* Puts the prefix in front of what the body holds. */
static void add_prefix(struct submission *s)
{
	struct buf whole;
	bool fits;

	buf_init(&whole, BODY_MAX + MESSAGE_PREFIX_MAX);
	buf_reserve(&whole, s->body.len + 1024);
	fits = make_prefix(s, &whole);
	/* A From that was missing may name a sender outside ASCII. */
	if (!smtp_text_is_ascii(buf_span(&whole)))
		s->draft->message->envelope.flags |= SPOOL_FLAG_8BIT | SPOOL_FLAG_UTF8_HEADER;
	fits = fits && buf_append(&whole, buf_span(&s->body));
	assert(fits);
	buf_fini(&s->body);
	s->body = whole;
	charge(s);
}

static bool is_pressed(const struct submission *s)
{
	return s->lane->draft_bytes >= lane_draft_share(s->lane) / 2;
}

static bool wants_file(const struct submission *s)
{
	size_t limit = is_pressed(s) ? SUBMISSION_MEMORY_PRESSED : SUBMISSION_MEMORY_MAX;

	return s->header.shape != MESSAGE_HEADER_UNDECIDED && s->body.len >= limit;
}

/* The body holds the header, whose end is found. */
static void judge_from(struct submission *s)
{
	char why[SENDER_WHY_MAX];

	if (!s->refused && !sender_may_use_from(s->config, s->rule, s->login, &s->header,
			       buf_span(&s->body), why))
		refuse(s, SMTP_REPLY_SENDER_NOT_OWNED, why);
}

static void begin_file(struct submission *s)
{
	judge_from(s);
	if (s->refused)
		return;
	s->large = large_write_create(s->lane->services->file_pool, &s->lane->from_workers.box,
	    s->lane->services->spool_path, s->id, s->asker);
	add_prefix(s);
}

/* Hands what has come to a worker, unless one is at it: then the session pauses. */
static enum submission_step pass_on(struct submission *s)
{
	size_t piece = s->body.capacity;

	if (large_write_is_busy(s->large))
		return SUBMISSION_PAUSE;
	if (large_write_append(s->large, &s->body))
		s->writing = piece;
	else
		refuse(s, SMTP_REPLY_TOO_BUSY, "too many large messages at once; try again later");
	charge(s);
	return SUBMISSION_GO_ON;
}

enum submission_step submission_content(struct submission *s, struct span content)
{
	if (s->refused)
		return SUBMISSION_GO_ON;
	message_header_feed(&s->header, content);
	if (!buf_append(&s->body, content) || s->lane->draft_bytes >= lane_draft_share(s->lane)) {
		refuse(s, SMTP_REPLY_TOO_BUSY, NULL);
		return SUBMISSION_GO_ON;
	}
	charge(s);
	if (!s->large && wants_file(s))
		begin_file(s);
	if (s->large && s->body.len >= SUBMISSION_MEMORY_PRESSED)
		return pass_on(s);
	return SUBMISSION_GO_ON;
}

/* ---- the end ---- */

static void hold_all(struct spool_draft *draft)
{
	LIST_FOR_EACH (position, &draft->deliveries)
		LIST_ENTRY(position, struct spool_delivery, link)->state = SPOOL_DELIVERY_HELD;
}

static void ask_keeper(struct submission *s)
{
	if (s->header.eight_bit_header || s->header.eight_bit_body)
		s->draft->message->envelope.flags |= SPOOL_FLAG_8BIT;
	if (s->trace.smtputf8 && s->header.eight_bit_header)
		s->draft->message->envelope.flags |= SPOOL_FLAG_UTF8_HEADER;
	if (s->hold)
		hold_all(s->draft);
	s->accept.draft = s->draft;
	s->draft = NULL;
	s->with_keeper = true;
	s->accept.item.answer_to = &s->lane->from_keeper.box;
	keeper_accept_prepare(&s->accept);
	mailbox_chain_append(&s->lane->to_keeper, &s->accept.item.link);
}

static enum submission_step finish_file(struct submission *s)
{
	size_t piece = s->body.capacity;

	if (large_write_is_busy(s->large))
		return SUBMISSION_WAIT;
	if (!large_write_finish(s->large, &s->body, &s->draft)) {
		refuse(s, SMTP_REPLY_TOO_BUSY, "too many large messages at once; try again later");
		return SUBMISSION_REFUSED;
	}
	s->writing = piece;
	charge(s);
	return SUBMISSION_WAIT;
}

enum submission_step submission_finish(struct submission *s)
{
	message_header_end(&s->header);
	s->complete = true;
	if (s->header.received_count > MESSAGE_RECEIVED_COUNT_MAX)
		refuse(s, SMTP_REPLY_LOOP, NULL);
	if (!s->large)
		judge_from(s);
	if (s->refused)
		return SUBMISSION_REFUSED;
	if (s->large)
		return finish_file(s);
	add_prefix(s);
	spool_draft_set_body(s->draft, &s->body);
	ask_keeper(s);
	return SUBMISSION_WAIT;
}

static enum submission_step file_is_finished(struct submission *s)
{
	large_write_release(&s->large);
	ask_keeper(s);
	return SUBMISSION_WAIT;
}

enum submission_step submission_written(struct submission *s)
{
	struct fault fault;
	bool was_finishing = s->draft == NULL;

	s->writing = 0;
	charge(s);
	if (!large_write_result(s->large, &s->draft, &fault))
		refuse(
		    s, SMTP_REPLY_NO_SPACE, "the disk did not take the message; try again later");
	if (s->refused)
		return s->complete ? SUBMISSION_REFUSED : SUBMISSION_GO_ON;
	if (was_finishing)
		return file_is_finished(s);
	if (s->complete)
		return finish_file(s);
	if (s->body.len >= SUBMISSION_MEMORY_PRESSED)
		return pass_on(s);
	return SUBMISSION_GO_ON;
}

void submission_destroy(struct submission **s)
{
	struct submission *submission = *s;

	*s = NULL;
	if (!submission)
		return;
	assert(!submission->with_keeper);
	submission->envelope = submission->writing = 0;
	drop_body(submission);
	large_write_abandon(&submission->large);
	spool_draft_destroy(&submission->draft);
	spool_draft_destroy(&submission->accept.draft);
	mem_free(submission);
}
