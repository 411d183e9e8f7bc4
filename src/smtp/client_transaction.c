/* SPDX-License-Identifier: MIT */
#include "smtp/client_internal.h"

#include "base/memory.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* A pipelined group: what may be unanswered at a time. */
enum { UNANSWERED_MAX = 100, UNANSWERED_OCTETS_MAX = 16384 };

/* The steps of a transaction, see client_internal.h. */
enum { STEP_RSET, STEP_MAIL, STEP_RCPT };

static size_t step_data(const struct smtp_client *c)
{
	return STEP_RCPT + c->transaction.recipient_count;
}

static enum smtp_client_stage stage_of_step(const struct smtp_client *c, size_t step)
{
	if (step == STEP_RSET)
		return SMTP_CLIENT_STAGE_RSET;
	if (step == STEP_MAIL)
		return SMTP_CLIENT_STAGE_MAIL;
	return step < step_data(c) ? SMTP_CLIENT_STAGE_RCPT : SMTP_CLIENT_STAGE_DATA;
}

static const struct smtp_client_notify *notify_of(const struct smtp_client *c, size_t step)
{
	return c->transaction.notify ? &c->transaction.notify[step - STEP_RCPT] : NULL;
}

static size_t notify_octets(const struct smtp_client *c, size_t step)
{
	const struct smtp_client_notify *notify = notify_of(c, step);

	return notify ? notify->orcpt.len + SMTP_NOTIFY_TEXT_MAX + 16 : 0;
}

/* Octets of the command, rounded up. */
static size_t step_octets(const struct smtp_client *c, size_t step)
{
	if (step == STEP_MAIL)
		return c->transaction.reverse_path.len + c->transaction.envid.len + 120;
	if (step >= STEP_RCPT && step < step_data(c))
		return c->transaction.recipients[step - STEP_RCPT].len + notify_octets(c, step) +
		       16;
	return 8;
}

bool smtp_client_path_is_sound(struct span path)
{
	for (size_t i = 0; i < path.len; i++) {
		if (path.data[i] == '\r' || path.data[i] == '\n' || path.data[i] == '\0')
			return false;
	}
	return path.len <= SMTP_CLIENT_PATH_MAX;
}

/* No blank and no line end: it could be another parameter, or another command. */
static bool is_sound_parameter(struct span value)
{
	for (size_t i = 0; i < value.len; i++) {
		if ((unsigned char)value.data[i] <= ' ')
			return false;
	}
	return value.len <= SMTP_ORCPT_MAX;
}

static bool is_sound(const struct smtp_client_transaction *t)
{
	for (size_t i = 0; i < t->recipient_count; i++) {
		if (t->recipients[i].len == 0 || !smtp_client_path_is_sound(t->recipients[i]) ||
		    (t->notify && !is_sound_parameter(t->notify[i].orcpt)))
			return false;
	}
	return t->recipient_count > 0 && smtp_client_path_is_sound(t->reverse_path) &&
	       is_sound_parameter(t->envid);
}

static void take_what_is_ahead(struct smtp_client *c)
{
	if (c->ahead_sent == 0)
		return;
	assert(c->ahead_sent == step_data(c) + 1 && !c->reset_needed);
	c->step_sent = c->ahead_sent;
	c->octets_unanswered = c->ahead_octets;
	c->ahead_sent = 0;
}

bool smtp_client_mail(struct smtp_client *c, const struct smtp_client_transaction *t)
{
	size_t first = c->reset_needed ? STEP_RSET : STEP_MAIL;

	assert(c->owes == SMTP_CLIENT_OWES_COMMAND);
	if (!is_sound(t))
		return false;
	c->pending &= ~SMTP_CLIENT_BIT(SMTP_CLIENT_READY);
	c->transaction = *t;
	c->step_sent = c->step_answered = first;
	c->octets_unanswered = 0;
	take_what_is_ahead(c);
	c->accepted_count = c->answered_count = 0;
	c->transaction_failed = c->mail_accepted = c->content_ended = false;
	mem_free(c->accepted);
	c->accepted = c->settings.lmtp ? mem_alloc(t->recipient_count) : NULL;
	smtp_client_enter(c, stage_of_step(c, first));
	smtp_client_fill(c);
	return true;
}

/* The one way out of a transaction. */
static void end_transaction(struct smtp_client *c, bool is_open_at_server)
{
	c->reset_needed = is_open_at_server;
	c->transaction = (struct smtp_client_transaction){ 0 };
	smtp_client_enter_ready(c);
}

/* MAIL to DATA, out. */

static const char *ret_text(const struct smtp_client *c)
{
	if (!c->extensions.dsn || c->transaction.ret == SMTP_RETURN_UNSAID)
		return "";
	return c->transaction.ret == SMTP_RETURN_FULL ? " RET=FULL" : " RET=HDRS";
}

static void send_mail(struct smtp_client *c)
{
	const struct smtp_client_transaction *t = &c->transaction;
	struct span envid = c->extensions.dsn ? t->envid : SPAN("");
	char size[32] = "";

	if (t->size && c->extensions.size)
		snprintf(size, sizeof(size), " SIZE=%" PRIu64, t->size);
	smtp_client_command(c, "MAIL FROM:<%.*s>%s%s%s%s%s%s%.*s", SPAN_ARG(t->reverse_path), size,
	    t->body_8bit && c->extensions.eight_bit_mime ? " BODY=8BITMIME" : "",
	    t->smtputf8 && c->extensions.smtputf8 ? " SMTPUTF8" : "",
	    t->requiretls && c->extensions.requiretls ? " REQUIRETLS" : "", ret_text(c),
	    envid.len ? " ENVID=" : "", SPAN_ARG(envid));
}

static void send_rcpt(struct smtp_client *c, size_t step)
{
	const struct smtp_client_notify *notify = c->extensions.dsn ? notify_of(c, step) : NULL;
	struct span orcpt = notify ? notify->orcpt : SPAN("");
	char words[SMTP_NOTIFY_TEXT_MAX] = "";

	if (notify && notify->notify)
		smtp_notify_format(notify->notify, words);
	smtp_client_command(c, "RCPT TO:<%.*s>%s%s%s%.*s",
	    SPAN_ARG(c->transaction.recipients[step - STEP_RCPT]), words[0] ? " NOTIFY=" : "",
	    words, orcpt.len ? " ORCPT=" : "", SPAN_ARG(orcpt));
}

static void send_step(struct smtp_client *c, size_t step)
{
	if (step == STEP_RSET)
		smtp_client_command(c, "RSET");
	else if (step == STEP_MAIL)
		send_mail(c);
	else if (step < step_data(c))
		send_rcpt(c, step);
	else
		smtp_client_command(c, "DATA");
}

static bool is_in_steps(const struct smtp_client *c)
{
	return !c->over && !c->probing && c->stage >= SMTP_CLIENT_STAGE_RSET &&
	       c->stage <= SMTP_CLIENT_STAGE_DATA && c->owes == SMTP_CLIENT_OWES_NOTHING;
}

static bool may_send(const struct smtp_client *c)
{
	size_t step = c->step_sent, octets = step_octets(c, step);
	size_t unanswered = step - c->step_answered;
	bool pipelining = c->extensions.pipelining && !c->settings.pipelining_off;

	if (step > step_data(c) || c->transaction_failed)
		return false;
	if (unanswered && (!pipelining || unanswered >= UNANSWERED_MAX ||
			      c->octets_unanswered + octets > UNANSWERED_OCTETS_MAX))
		return false;
	return octets <= c->output->max - c->output->len;
}

/* Dovecot's submission service (2.3.19) falls over a RCPT that comes before its reply to the
   message in front of it: that one has been passed on, its sender is not told, and it comes again.
 */
static bool may_go_ahead(const struct smtp_client *c)
{
	return !c->over && c->stage == SMTP_CLIENT_STAGE_MESSAGE && !c->transaction_failed &&
	       c->extensions.pipelining && !c->extensions.burl && !c->settings.pipelining_off &&
	       !c->settings.lmtp && c->ahead_sent == 0 && !c->eof && !c->timed_out;
}

/* All commands of the transaction in hand, or 0 when they are too many for one group. */
static size_t all_octets(const struct smtp_client *c)
{
	size_t octets = 0;

	if (step_data(c) >= UNANSWERED_MAX)
		return 0;
	for (size_t step = STEP_MAIL; step <= step_data(c); step++)
		octets += step_octets(c, step);
	return octets <= UNANSWERED_OCTETS_MAX && octets <= c->output->max - c->output->len ? octets
											    : 0;
}

bool smtp_client_mail_ahead(struct smtp_client *c, const struct smtp_client_transaction *next)
{
	struct smtp_client_transaction current = c->transaction;

	if (!may_go_ahead(c) || !is_sound(next))
		return false;
	c->transaction = *next;
	c->ahead_octets = all_octets(c);
	if (c->ahead_octets > 0) {
		for (size_t step = STEP_MAIL; step <= step_data(c); step++)
			send_step(c, step);
		c->ahead_sent = step_data(c) + 1;
	}
	c->transaction = current;
	return c->ahead_sent > 0;
}

/* The final dot, as soon as output has room for it. */
static void send_dot(struct smtp_client *c)
{
	char text[24];
	int n;

	if (!smtp_data_finish(&c->writer, c->output))
		return;
	n = snprintf(text, sizeof(text), "%" PRIu64, c->content_octets);
	smtp_client_show(c, SMTP_LINE_KIND_CONTENT, span_of(text, (size_t)n));
	smtp_client_enter(c, SMTP_CLIENT_STAGE_MESSAGE);
}

void smtp_client_fill(struct smtp_client *c)
{
	if (!c->over && c->stage == SMTP_CLIENT_STAGE_CONTENT && c->content_ended) {
		send_dot(c);
		return;
	}
	while (is_in_steps(c) && may_send(c)) {
		c->octets_unanswered += step_octets(c, c->step_sent);
		send_step(c, c->step_sent++);
	}
}

/* MAIL to DATA, in. */

static void fail_transaction(struct smtp_client *c)
{
	c->transaction_failed = true;
	c->failed_stage = c->stage;
	smtp_client_post(c, SMTP_CLIENT_TRANSACTION_FAILED);
}

static void on_rset(struct smtp_client *c)
{
	if (smtp_reply_is_positive(&c->parser.reply))
		c->reset_needed = false;
	else
		smtp_client_fail(c, SMTP_CLIENT_FAILURE_REFUSED);
}

static void on_mail(struct smtp_client *c)
{
	if (smtp_reply_is_positive(&c->parser.reply))
		c->mail_accepted = true;
	else
		fail_transaction(c);
}

static void on_rcpt(struct smtp_client *c, size_t index)
{
	bool accepted = smtp_reply_is_positive(&c->parser.reply);

	if (c->transaction_failed)
		return; /* MAIL was refused: this answer says nothing about the recipient */
	c->recipient = index;
	smtp_client_post(c, SMTP_CLIENT_RECIPIENT);
	c->accepted_count += accepted;
	if (c->accepted)
		c->accepted[index] = accepted;
	if (index + 1 == c->transaction.recipient_count && c->accepted_count == 0)
		fail_transaction(c);
}

static void begin_content(struct smtp_client *c)
{
	smtp_data_writer_init(&c->writer);
	c->content_octets = 0;
	smtp_client_enter(c, SMTP_CLIENT_STAGE_CONTENT);
	if (c->transaction_failed) {
		/* 354 although nobody is left to get it: an empty message is the way out (RFC
		 * 2920, 3.1). */
		c->content_ended = true;
	} else {
		smtp_client_ask(c, SMTP_CLIENT_OWES_CONTENT);
		smtp_client_post(c, SMTP_CLIENT_CONTENT);
	}
}

static void on_data(struct smtp_client *c)
{
	unsigned code = c->parser.reply.code;

	if (code == 354 && !(c->settings.lmtp && c->transaction_failed))
		begin_content(c);
	else if (code < 400)
		smtp_client_fail_unexpected(c);
	else if (!c->transaction_failed)
		fail_transaction(c);
}

void smtp_client_on_step(struct smtp_client *c)
{
	size_t step = c->step_answered++;

	c->octets_unanswered -= step_octets(c, step);
	if (c->parser.reply.code / 100 == 3 && step != step_data(c)) {
		smtp_client_fail_unexpected(c);
		return;
	}
	if (step == STEP_RSET)
		on_rset(c);
	else if (step == STEP_MAIL)
		on_mail(c);
	else if (step < step_data(c))
		on_rcpt(c, step - STEP_RCPT);
	else
		on_data(c);
	if (c->over || c->stage == SMTP_CLIENT_STAGE_CONTENT)
		return;
	if (c->transaction_failed && c->step_answered == c->step_sent)
		end_transaction(c, c->mail_accepted);
	else
		smtp_client_enter(c, stage_of_step(c, c->step_answered));
}

/* Content. */

size_t smtp_client_content(struct smtp_client *c, struct span bytes)
{
	size_t taken;

	assert(c->owes == SMTP_CLIENT_OWES_CONTENT || c->over);
	if (c->over)
		return bytes.len;
	taken = smtp_data_write(&c->writer, c->output, bytes);
	c->content_octets += taken;
	return taken;
}

void smtp_client_content_end(struct smtp_client *c)
{
	assert(c->owes == SMTP_CLIENT_OWES_CONTENT || c->over);
	if (c->over)
		return;
	smtp_client_ask(c, SMTP_CLIENT_OWES_NOTHING);
	c->content_ended = true;
	smtp_client_fill(c);
}

/* A server that refuses in the middle of the content still waits for its end, or closes: it cannot
   be known which, and there is no other way out than closing. */
void smtp_client_on_early(struct smtp_client *c)
{
	if (c->parser.reply.code >= 400 && !c->transaction_failed)
		fail_transaction(c);
	smtp_client_fail_unexpected(c);
}

/* LMTP: the accepted recipient whose turn it is (RFC 2033, 4.2). */
static size_t next_accepted(const struct smtp_client *c, size_t index)
{
	while (index < c->transaction.recipient_count && !c->accepted[index])
		index++;
	assert(index < c->transaction.recipient_count);
	return index;
}

static void on_message_lmtp(struct smtp_client *c)
{
	c->recipient = next_accepted(c, c->answered_count ? c->recipient + 1 : 0);
	smtp_client_post(c, SMTP_CLIENT_MESSAGE);
	if (++c->answered_count == c->accepted_count)
		end_transaction(c, false);
}

void smtp_client_on_message(struct smtp_client *c)
{
	if (c->parser.reply.code / 100 == 3) {
		smtp_client_fail_unexpected(c);
	} else if (c->transaction_failed) {
		end_transaction(c, false);
	} else if (c->settings.lmtp) {
		on_message_lmtp(c);
	} else {
		c->recipient = SMTP_CLIENT_ALL;
		smtp_client_post(c, SMTP_CLIENT_MESSAGE);
		end_transaction(c, false);
	}
}

/* The probe. */

void smtp_client_probe(struct smtp_client *c)
{
	assert(c->owes == SMTP_CLIENT_OWES_COMMAND && c->ahead_sent == 0);
	c->pending &= ~SMTP_CLIENT_BIT(SMTP_CLIENT_READY);
	smtp_client_enter(c, SMTP_CLIENT_STAGE_RSET);
	c->probing = true;
	smtp_client_command(c, "RSET");
}

void smtp_client_on_probe(struct smtp_client *c)
{
	c->probing = false;
	smtp_client_post(c, SMTP_CLIENT_PROBED);
	if (smtp_reply_is_positive(&c->parser.reply)) {
		c->reset_needed = false;
		smtp_client_enter(c, SMTP_CLIENT_STAGE_READY);
		smtp_client_ask(c, SMTP_CLIENT_OWES_COMMAND);
	} else {
		c->over = true;
		c->failure = SMTP_CLIENT_FAILURE_LEAVING;
		smtp_client_ask(c, SMTP_CLIENT_OWES_NOTHING);
	}
}
