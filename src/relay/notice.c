/* SPDX-License-Identifier: MIT */
#include "relay/notice.h"

#include "base/memory.h"
#include "base/random.h"
#include "message/header.h"
#include "spool/body.h"

#include <string.h>

#define NOTICE_MAX_BYTES (128 * 1024)

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

static void read_header(const struct notice *notice, struct buf *out)
{
	struct spool_body *body = notice->delivery->owner;
	struct spool_reader *reader;
	struct span bytes = SPAN("");
	struct fault fault;

	if (body) {
		bytes = spool_body_span(body);
		buf_append(out, span_head(bytes, bytes.len < out->max ? bytes.len : out->max));
		return;
	}
	reader = spool_reader_open(notice->delivery->message, &fault);
	if (reader && spool_reader_next(reader, &bytes, &fault) == SPOOL_READ_MORE)
		buf_append(out, span_head(bytes, bytes.len < out->max ? bytes.len : out->max));
	spool_reader_close(&reader);
}

/* "550 5.1.1 text" has its status in the second word; without one the class says it all. */
static struct span status_of(struct span reply, enum message_report_kind kind)
{
	struct span word;

	if (span_take_word(&reply, &word) && span_take_word(&reply, &word) && word.len >= 5 &&
	    (word.data[0] == '4' || word.data[0] == '5') && word.data[1] == '.')
		return word;
	return kind == MESSAGE_REPORT_FAILURE ? SPAN("5.0.0") : SPAN("4.0.0");
}

static bool is_reply(struct span text)
{
	return text.len >= 4 && byte_is_digit(text.data[0]) && byte_is_digit(text.data[1]) &&
	       byte_is_digit(text.data[2]) && text.data[3] == ' ';
}

static size_t fill_recipients(
    const struct notice *notice, struct message_report_recipient *recipients)
{
	const struct spool_delivery *delivery = notice->delivery;
	size_t count = 0;

	for (unsigned i = 0; i < delivery->recipient_count; i++) {
		const struct spool_recipient *r = &delivery->recipients[i];
		bool said = is_reply(r->reply);
		if (!notice->about[i])
			continue;
		recipients[count++] = (struct message_report_recipient){
			.address = r->address,
			.status = status_of(r->reply, notice->kind),
			.hop = said ? delivery->hop : SPAN(""),
			.reply = said ? r->reply : SPAN(""),
			.reason = said ? SPAN("") : r->reply,
			.attempts = delivery->attempts,
			.last_attempt_wall_ms = delivery->last_attempt_ms,
		};
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
	struct config_question question = { .sender = envelope.reverse_path, .recipient = to };
	const struct setup_hop *hop = setup_hop_for(notice->setup, &question);
	struct spool_message *message = spool_message_create(notice->id, &envelope);
	struct spool_draft *draft = spool_draft_create(&message);
	struct spool_delivery *delivery = spool_draft_add(draft, span_from_string(hop->key), to);

	delivery->next_attempt_ms = notice->now_ms;
	delivery->expires_ms = notice->now_ms + hop->lifetime_ms;
	spool_draft_set_body(draft, body);
	return draft;
}

static bool format_report(
    struct notice *notice, struct span to, struct span header, struct buf *out)
{
	const struct config *config = notice->setup->config;
	const struct spool_delivery *delivery = notice->delivery;
	struct message_report_recipient recipients[SPOOL_RECIPIENTS_MAX];
	struct message_header scan;
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
		.header = header,
		.recipients = recipients,
		.recipient_count = fill_recipients(notice, recipients),
	};

	message_header_init(&scan);
	message_header_feed(&scan, header);
	report.subject = message_header_value_span(&scan.subject);
	report.original_message_id = message_header_value_span(&scan.message_id);
	return report.recipient_count > 0 && message_report_format(out, &report);
}

void notice_make(struct notice *notice)
{
	struct buf header, body;
	struct span to;

	buf_init(&header, MESSAGE_REPORT_HEADER_MAX);
	buf_init(&body, NOTICE_MAX_BYTES);
	read_header(notice, &header);
	if (notice_addressee(notice->setup->config, notice->delivery, &to) != NOTICE_TO_NOBODY &&
	    format_report(notice, to, buf_span(&header), &body))
		notice->draft = make_draft(notice, to, &body);
	buf_fini(&header);
	buf_fini(&body);
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
