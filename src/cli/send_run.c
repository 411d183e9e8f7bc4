/* SPDX-License-Identifier: MIT */
#include "cli/send.h"

#include "base/memory.h"
#include "base/moment.h"
#include "smtp/domain.h"
#include "smtp/remote_id.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { REPLY_MAX = 1024 };

struct run {
	const struct send_order *order;
	struct send_result *result;
	struct net_loop loop;
	struct upstream *upstream;
	struct upstream_learned learned;
	struct cli_dialogue_style style;
	struct trace_dialogue dialogue;
	struct span content; /* what is still to be given */
	struct config_via *vias;
	bool begun, sending, closed;
};

/* ---- what is shown ---- */

static void show(struct run *run, struct trace_line *line)
{
	struct send_result *result = run->result;
	if (result->lines != NULL)
		json_array_append_new(
		    result->lines, cli_dialogue_json_line(line, json_array_size(result->lines) + 1,
				       run->style.start_ms));
	else if (!run->order->quiet)
		cli_dialogue_print(stdout, &run->style, line);
	fflush(stdout);
	trace_line_fini(line);
}

static void observe(void *context, const struct trace_dialogue *dialogue, enum smtp_line_kind kind,
    struct span text, bool tls_active)
{
	struct run *run = context;
	struct trace_line line;
	run->result->tls_active = tls_active;
	trace_line_init(&line, dialogue, kind, text, tls_active, moment_wall_ms());
	show(run, &line);
}

static void note(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(struct run *run, const char *format, ...)
{
	char text[1024];
	struct trace_line line;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	trace_line_init_note(
	    &line, &run->dialogue, text, run->result->tls_active, moment_wall_ms());
	show(run, &line);
}

static void note_message(struct run *run)
{
	const struct send_message *message = &run->order->message;
	if (message->line_ends_mended > 0)
		note(run, "the message has %llu line ends without CR: each is sent as CRLF",
		    (unsigned long long)message->line_ends_mended);
	if (!message->has_header)
		note(run, "the message has no header, or its header runs into the body: it is "
			  "sent as it is");
}

/* Some address cannot be said without it (RFC 6531). */
static bool needs_smtputf8(const struct send_order *order)
{
	for (size_t i = 0; i < order->to_count; i++) {
		if (!smtp_text_is_ascii(order->to[i]))
			return true;
	}
	return !smtp_text_is_ascii(span_from_string(order->from));
}

static void note_limits(struct run *run, const struct smtp_extensions *offered)
{
	const struct send_message *message = &run->order->message;
	if (needs_smtputf8(run->order) && !offered->smtputf8)
		note(run, "the server does not offer SMTPUTF8, and an address has letters outside "
			  "ASCII");
	if (message->eight_bit && !offered->eight_bit_mime)
		note(run, "the message has bytes above 127 and the server does not offer "
			  "8BITMIME: it is sent as it is");
	if (offered->size_max > 0 && message->content.len > offered->size_max)
		note(run, "the message has %zu octets and the server takes %llu",
		    message->content.len, (unsigned long long)offered->size_max);
}

/* ---- what the server says ---- */

static char *shown_reply(const struct smtp_received_reply *reply)
{
	char text[REPLY_MAX];
	if (reply == NULL || reply->code == 0)
		return NULL;
	return mem_strdup(smtp_reply_format(reply, text, sizeof(text)));
}

static void settle(struct run *run, size_t index, enum smtp_client_stage stage,
    const struct smtp_received_reply *reply)
{
	struct send_recipient *recipient = &run->result->recipients[index];
	mem_free(recipient->reply);
	recipient->reply = shown_reply(reply);
	recipient->stage = stage;
	recipient->state =
	    smtp_reply_is_positive(reply) ? SEND_RECIPIENT_TAKEN : SEND_RECIPIENT_REFUSED;
}

/* A positive reply to RCPT decides nothing yet. */
static void on_recipient(struct run *run, const struct smtp_client_event *event)
{
	settle(run, event->recipient, SMTP_CLIENT_STAGE_RCPT, event->reply);
	struct send_recipient *recipient = &run->result->recipients[event->recipient];
	if (recipient->state == SEND_RECIPIENT_TAKEN)
		recipient->state = SEND_RECIPIENT_OPEN;
}

static void settle_open(
    struct run *run, enum smtp_client_stage stage, const struct smtp_received_reply *reply)
{
	for (size_t i = 0; i < run->result->recipient_count; i++) {
		if (run->result->recipients[i].state == SEND_RECIPIENT_OPEN)
			settle(run, i, stage, reply);
	}
}

static void on_message(struct run *run, const struct smtp_client_event *event)
{
	struct span id;
	run->sending = false;
	if (event->recipient == SMTP_CLIENT_ALL)
		settle_open(run, SMTP_CLIENT_STAGE_MESSAGE, event->reply);
	else
		settle(run, event->recipient, SMTP_CLIENT_STAGE_MESSAGE, event->reply);
	if (run->result->remote_id == NULL && smtp_reply_is_positive(event->reply) &&
	    smtp_remote_id_find(event->reply->text, &id))
		run->result->remote_id = mem_dup(id.data, id.len);
}

/* ---- what we say ---- */

static void begin(struct run *run)
{
	struct smtp_client *client = upstream_client(run->upstream);
	const struct send_order *order = run->order;
	struct smtp_client_transaction transaction = {
		.reverse_path = span_from_string(order->from),
		.recipients = order->to,
		.recipient_count = order->to_count,
		.size = order->message.content.len,
		.body_8bit = order->message.eight_bit,
		.smtputf8 = needs_smtputf8(order),
	};
	note_limits(run, smtp_client_extensions(client));
	run->begun = true;
	if (!smtp_client_mail(client, &transaction))
		smtp_client_quit(client);
}

/* As much as there is room for; the rest when output has drained. */
static void go_on(struct run *run)
{
	struct smtp_client *client = upstream_client(run->upstream);
	run->content = span_skip(run->content, smtp_client_content(client, run->content));
	if (run->content.len > 0)
		return;
	run->sending = false;
	smtp_client_content_end(client);
}

static void on_smtp(struct run *run, const struct smtp_client_event *event)
{
	switch (event->kind) {
	case SMTP_CLIENT_RECIPIENT:
		on_recipient(run, event);
		break;
	case SMTP_CLIENT_CONTENT:
		run->sending = true;
		go_on(run);
		break;
	case SMTP_CLIENT_MESSAGE:
		on_message(run, event);
		break;
	case SMTP_CLIENT_TRANSACTION_FAILED:
		run->sending = false;
		settle_open(run, event->stage, event->reply);
		break;
	case SMTP_CLIENT_WAIT:
	case SMTP_CLIENT_EHLO_REFUSED:
	case SMTP_CLIENT_STARTTLS:
	case SMTP_CLIENT_STARTTLS_REFUSED:
	case SMTP_CLIENT_AUTH:
	case SMTP_CLIENT_AUTH_CHALLENGE:
	case SMTP_CLIENT_AUTH_REPLY:
	case SMTP_CLIENT_READY:
	case SMTP_CLIENT_PROBED:
	case SMTP_CLIENT_FAILED:
	case SMTP_CLIENT_CLOSED:
		break; /* not for the owner of an upstream */
	}
}

static void finish(struct run *run, struct upstream *u)
{
	run->result->peer = mem_strdup(upstream_peer(u));
	if (run->result->was_ready)
		snprintf(run->result->mechanism, sizeof(run->result->mechanism), "%s",
		    run->learned.mechanism);
	snprintf(run->result->tls_version, sizeof(run->result->tls_version), "%s",
	    run->learned.tls_version);
	run->closed = true;
	upstream_destroy(&u);
	run->upstream = NULL;
	net_loop_stop(&run->loop);
}

static void on_failed(struct run *run, const struct upstream_event *event)
{
	struct send_result *result = run->result;
	result->trouble = event->trouble;
	result->stage = event->stage;
	result->text = mem_strdup(event->text);
	result->reply = shown_reply(event->reply);
	if (result->lines == NULL && !run->order->quiet)
		cli_dialogue_print_failure(stdout, &run->style, event->text);
}

static void on_event(struct upstream *u, const struct upstream_event *event, void *owner)
{
	struct run *run = owner;
	switch (event->kind) {
	case UPSTREAM_NOTE:
		note(run, "%s", event->text);
		break;
	case UPSTREAM_READY:
		run->result->was_ready = true;
		if (run->begun || run->order->sign_in_only)
			smtp_client_quit(upstream_client(u));
		else
			begin(run);
		break;
	case UPSTREAM_SMTP:
		on_smtp(run, event->smtp);
		break;
	case UPSTREAM_DRAINED:
		if (run->sending)
			go_on(run);
		break;
	case UPSTREAM_FAILED:
		on_failed(run, event);
		finish(run, u);
		break;
	case UPSTREAM_CLOSED:
		finish(run, u);
		break;
	}
}

/* ---- the whole ---- */

static void start(struct run *run)
{
	const struct send_order *order = run->order;
	struct upstream_settings settings = {
		.vias = run->vias,
		.via_count = 1 + order->more_via_count,
		.source = order->source,
		.ehlo_name = span_from_string(order->ehlo),
		.account = order->account,
		.login = order->login,
		.password = order->password,
		.token = order->token,
		.certificate = order->certificate,
		.kerberos = order->kerberos,
		.mechanisms = order->mechanisms,
		.mechanism_count = order->mechanism_count,
		.initial_response = order->initial_response,
		.cleartext_auth = order->cleartext_auth,
		.tls_off = order->tls_off,
		.tls = order->tls,
		.tls_name = order->tls_name,
	};
	run->upstream = upstream_create(&run->loop, &settings, &run->learned, on_event, run);
	upstream_observe(run->upstream, observe, run, 1);
}

bool send_run(const struct send_order *order, struct send_result *result, struct fault *fault_out)
{
	struct run *run = MEM_NEW(struct run);
	run->order = order;
	run->vias = mem_alloc_array(1 + order->more_via_count, sizeof(*run->vias));
	run->vias[0] = order->via;
	for (size_t i = 0; i < order->more_via_count; i++)
		run->vias[i + 1] = order->more_vias[i];
	run->result = result;
	run->content = buf_span(&order->message.content);
	run->dialogue = (struct trace_dialogue){ .number = 1, .role = TRACE_ROLE_CLIENT };
	run->style = (struct cli_dialogue_style){
		.colour = cli_colour_wanted(stdout),
		.times = order->times,
		.start_ms = moment_wall_ms(),
	};
	*result = (struct send_result){
		.recipients = mem_alloc_array(order->to_count + 1, sizeof(*result->recipients)),
		.recipient_count = order->to_count,
		.lines = order->json ? json_array() : NULL,
	};
	bool good = net_loop_init(&run->loop, NULL, NULL, NULL, fault_out);
	if (good) {
		if (!order->sign_in_only)
			note_message(run);
		start(run);
		if (!run->closed)
			net_loop_run(&run->loop);
		net_loop_fini(&run->loop);
	}
	mem_free(run->vias);
	mem_free(run);
	return good;
}

void send_result_fini(struct send_result *result)
{
	for (size_t i = 0; i < result->recipient_count; i++)
		mem_free(result->recipients[i].reply);
	mem_free(result->recipients);
	mem_free(result->peer);
	mem_free(result->remote_id);
	mem_free(result->text);
	mem_free(result->reply);
	json_decref(result->lines);
	*result = (struct send_result){ 0 };
}
