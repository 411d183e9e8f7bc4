/* SPDX-License-Identifier: MIT */
#include "relay/notice.h"

#include "base/memory.h"
#include "base/random.h"
#include "message/header.h"
#include "relay/policy.h"
#include "smtp/domain.h"
#include "smtp/notify.h"
#include "spool/body.h"

#include <string.h>

#define NOTICE_MAX_BYTES (SPOOL_BODY_MEMORY_MAX - 4096)
#define RETURN_MAX_BYTES (256 * 1024) /* of a message that is returned whole */

bool notice_is_wanted(const struct spool_delivery *delivery,
    const struct spool_recipient *recipient, enum message_report_kind kind)
{
	unsigned notify = recipient->notify;

	switch (kind) {
	case MESSAGE_REPORT_FAILURE:
		return notify == 0 || notify & SMTP_NOTIFY_FAILURE;
	case MESSAGE_REPORT_DELAY:
		return notify == 0 || notify & SMTP_NOTIFY_DELAY;
	case MESSAGE_REPORT_RELAYED:
	case MESSAGE_REPORT_DELIVERED:
		return notify & SMTP_NOTIFY_SUCCESS && !recipient->notify_passed_on &&
		       delivery->message->envelope.reverse_path.len > 0;
	}
	return false;
}

enum notice_address notice_addressee(
    const struct config *config, const struct spool_delivery *delivery, struct span *to_out)
{
	struct span reverse_path = delivery->message->envelope.reverse_path;
	bool is_notice = (delivery->message->envelope.flags & SPOOL_FLAG_NOTICE) != 0;

	if (reverse_path.len > 0 && !is_notice) {
		*to_out = reverse_path;
		return NOTICE_TO_SENDER;
	}
	if (!config->postmaster)
		return NOTICE_TO_NOBODY;
	*to_out = span_from_string(config->postmaster);
	for (unsigned i = 0; i < delivery->recipient_count; i++)
		if (span_equal_nocase(delivery->recipients[i].address, *to_out))
			return NOTICE_TO_NOBODY;
	return NOTICE_TO_POSTMASTER;
}

/* ---- the worker's part ---- */

/* RET=FULL, for failures. What may travel under TLS only is never returned whole (RFC 8689, 5). */
static bool is_returned_whole(const struct notice *notice)
{
	const struct spool_message *message = notice->delivery->message;
	unsigned flags = message->envelope.flags;

	return notice->kind == MESSAGE_REPORT_FAILURE && flags & SPOOL_FLAG_RETURN_FULL &&
	       !(flags & SPOOL_FLAG_REQUIRETLS) && message->size <= RETURN_MAX_BYTES;
}

/* As much as out takes. */
static void append_some(struct buf *out, struct span bytes)
{
	size_t room = out->max - out->len;

	buf_append(out, span_head(bytes, bytes.len < room ? bytes.len : room));
}

/* The beginning of the message: its header, or all of it. */
static void read_beginning(const struct notice *notice, struct buf *out)
{
	struct spool_body *body = notice->delivery->owner;
	struct spool_reader *reader;
	struct span bytes = SPAN("");
	struct fault fault;

	if (body) {
		append_some(out, spool_body_span(body));
		return;
	}
	reader = spool_reader_open(notice->delivery->message, &fault);
	while (reader && out->len < out->max &&
	       spool_reader_next(reader, &bytes, &fault) == SPOOL_READ_MORE)
		append_some(out, bytes);
	spool_reader_close(&reader);
}

/* "550 5.1.1 text" has its status in the second word; without one the class says it all. */
static struct span status_of(struct span reply, enum message_report_kind kind)
{
	struct span word;

	if (span_take_word(&reply, &word) && span_take_word(&reply, &word) && word.len >= 5 &&
	    (word.data[0] == '2' || word.data[0] == '4' || word.data[0] == '5') &&
	    word.data[1] == '.')
		return word;
	switch (kind) {
	case MESSAGE_REPORT_FAILURE:
		return SPAN("5.0.0");
	case MESSAGE_REPORT_DELAY:
		return SPAN("4.0.0");
	case MESSAGE_REPORT_RELAYED:
	case MESSAGE_REPORT_DELIVERED:
		break;
	}
	return SPAN("2.0.0");
}

static bool is_reply(struct span text)
{
	return text.len >= 4 && byte_is_digit(text.data[0]) && byte_is_digit(text.data[1]) &&
	       byte_is_digit(text.data[2]) && text.data[3] == ' ';
}

static enum message_report_kind kind_of(
    const struct notice *notice, const struct spool_recipient *recipient)
{
	if (recipient->state == SPOOL_RECIPIENT_DELIVERED)
		return notice->is_final ? MESSAGE_REPORT_DELIVERED : MESSAGE_REPORT_RELAYED;
	return recipient->state == SPOOL_RECIPIENT_WAITING ? MESSAGE_REPORT_DELAY
							   : MESSAGE_REPORT_FAILURE;
}

/* "rfc822;a+2Bb@c" taken apart; decoded it lives in texts. */
static void set_original(
    struct message_report_recipient *to, const struct spool_recipient *recipient, struct buf *texts)
{
	size_t semicolon = span_find(recipient->orcpt, ';');
	size_t before_len = texts->len;

	if (semicolon >= recipient->orcpt.len ||
	    !smtp_xtext_decode(span_skip(recipient->orcpt, semicolon + 1), texts))
		return;
	to->original_type = span_head(recipient->orcpt, semicolon);
	to->original = span_skip(buf_span(texts), before_len);
}

/* texts has room for all originals, so that none of them moves. */
static size_t fill_recipients(
    const struct notice *notice, struct message_report_recipient *recipients, struct buf *texts)
{
	const struct spool_delivery *delivery = notice->delivery;
	size_t count = 0;

	for (unsigned i = 0; i < delivery->recipient_count; i++) {
		const struct spool_recipient *r = &delivery->recipients[i];
		bool said = is_reply(r->reply);
		if (!notice->about[i])
			continue;
		recipients[count] = (struct message_report_recipient){
			.kind = kind_of(notice, r),
			.address = r->address,
			.status = status_of(r->reply, kind_of(notice, r)),
			.hop = said ? delivery->hop : SPAN(""),
			.reply = said ? r->reply : SPAN(""),
			.reason = said ? SPAN("") : r->reply,
			.attempts = delivery->attempts,
			.last_attempt_wall_ms = delivery->last_attempt_ms,
		};
		set_original(&recipients[count++], r, texts);
	}
	return count;
}

static struct spool_draft *make_draft(struct notice *notice, struct span to, struct buf *body)
{
	const struct config *config = notice->setup->config;
	struct spool_envelope envelope = {
		.reverse_path = span_from_string(config->bounce.reverse_path),
		.flags = SPOOL_FLAG_NOTICE,
		.received_ms = notice->now_ms,
	};
	/* Then its own header names such an address, too. */
	if (!smtp_text_is_ascii(to))
		envelope.flags |= SPOOL_FLAG_SMTPUTF8 | SPOOL_FLAG_UTF8_HEADER;
	if (!smtp_text_is_ascii(buf_span(body)))
		envelope.flags |= SPOOL_FLAG_8BIT;
	struct spool_message *message = spool_message_create(notice->id, &envelope);
	struct spool_draft *draft = spool_draft_create(&message);
	struct policy_verdict verdict;
	struct buf scratch;

	buf_init(&scratch, 1024);
	policy_notice(notice->setup, envelope.reverse_path, to, &scratch, &verdict);
	for (size_t i = 0; i < verdict.target_count; i++) {
		const struct setup_hop *hop = verdict.targets[i].hop;
		struct spool_delivery *delivery =
		    spool_draft_add(draft, span_from_string(hop->key), verdict.targets[i].address);
		delivery->next_attempt_ms = notice->now_ms;
		delivery->expires_ms = notice->now_ms + hop->lifetime_ms;
	}
	buf_fini(&scratch);
	spool_draft_set_body(draft, body);
	return draft;
}

/* The decoded texts of a report: ENVID and every ORCPT. */
#define TEXTS_MAX ((SPOOL_RECIPIENTS_MAX + 1) * SMTP_ORCPT_MAX)

static bool format_report(struct notice *notice, struct span to, struct span header, bool whole,
    struct buf *texts, struct buf *out)
{
	const struct config *config = notice->setup->config;
	const struct spool_delivery *delivery = notice->delivery;
	struct message_report_recipient recipients[SPOOL_RECIPIENTS_MAX];
	struct message_header scan;
	bool decoded = smtp_xtext_decode(delivery->message->envelope.envid, texts);
	size_t envid_len = decoded ? texts->len : 0;
	struct message_report report = {
		.kind = notice->kind,
		.hostname = span_from_string(config->hostname),
		.from = span_from_string(config->bounce.from),
		.to = to,
		.report_id = notice->id,
		.random = random_u64(),
		.now_wall_ms = notice->now_ms,
		.message_id = delivery->message->id,
		.arrival_wall_ms = delivery->message->envelope.received_ms,
		.give_up_wall_ms = delivery->expires_ms,
		.envelope_id = span_head(buf_span(texts), envid_len),
		.header = header,
		.whole = whole,
		.utf8_header = (delivery->message->envelope.flags & SPOOL_FLAG_UTF8_HEADER) != 0,
		.recipients = recipients,
		.recipient_count = fill_recipients(notice, recipients, texts),
	};

	message_header_init(&scan);
	message_header_feed(&scan, header);
	report.subject = message_header_value_span(&scan.subject);
	report.original_message_id = message_header_value_span(&scan.message_id);
	return report.recipient_count > 0 && message_report_format(out, &report);
}

/* With all of the message, or else with its header only. */
static bool format(struct notice *notice, struct span to, struct buf *out)
{
	bool whole = is_returned_whole(notice), made;
	struct buf original, texts;

	buf_init(&original, whole ? RETURN_MAX_BYTES : MESSAGE_REPORT_HEADER_MAX);
	buf_init(&texts, TEXTS_MAX);
	buf_reserve(&texts, TEXTS_MAX);
	read_beginning(notice, &original);
	/* What could not be read to its end is no whole. */
	whole = whole && original.len == notice->delivery->message->size;
	made = format_report(notice, to, buf_span(&original), whole, &texts, out);
	if (!made && whole) {
		buf_clear(&texts);
		made = format_report(notice, to, buf_span(&original), false, &texts, out);
	}
	buf_fini(&original);
	buf_fini(&texts);
	return made;
}

void notice_make(struct notice *notice)
{
	struct buf body, address;
	struct span to;

	buf_init(&body, NOTICE_MAX_BYTES);
	buf_init(&address, 2048);
	if (notice_addressee(notice->setup->config, notice->delivery, &to) != NOTICE_TO_NOBODY) {
		/* In ASCII where that can be, so that every hop takes it. */
		if (smtp_mailbox_append_comparable(&address, to))
			to = buf_span(&address);
		if (format(notice, to, &body))
			notice->draft = make_draft(notice, to, &body);
	}
	buf_fini(&body);
	buf_fini(&address);
}

static void run(struct worker_job *job)
{
	notice_make(notice_of(job));
}

/* ---- life ---- */

struct notice *notice_create(const struct setup *setup, enum message_report_kind kind,
    struct spool_delivery *delivery, uint64_t id, int64_t now_ms, struct mailbox *reply_to)
{
	struct notice *notice = MEM_NEW(struct notice);

	notice->worker =
	    (struct worker_job){ .kind = NOTICE_JOB, .run = run, .reply_to = reply_to };
	notice->kind = kind;
	notice->setup = setup_ref(setup);
	notice->delivery = delivery;
	notice->id = id;
	notice->now_ms = now_ms;
	list_init(&notice->more);
	return notice;
}

void notice_destroy(struct notice **notice)
{
	struct notice *n = *notice;

	*notice = NULL;
	if (!n)
		return;
	setup_unref(&n->setup);
	spool_delivery_destroy(&n->delivery);
	spool_draft_destroy(&n->draft);
	mem_free(n);
}
