/* SPDX-License-Identifier: MIT */
#include "cli/send.h"

#include "base/memory.h"
#include "cli/cli.h"
#include "message/remedy.h"
#include "message/status_words.h"

#include <stdio.h>
#include <string.h>

static size_t count(const struct send_result *result, enum send_recipient_state state)
{
	size_t n = 0;
	for (size_t i = 0; i < result->recipient_count; i++)
		n += result->recipients[i].state == state;
	return n;
}

static const struct send_recipient *first(
    const struct send_result *result, enum send_recipient_state state, size_t *index_out)
{
	for (size_t i = 0; i < result->recipient_count; i++) {
		if (result->recipients[i].state != state)
			continue;
		*index_out = i;
		return &result->recipients[i];
	}
	return NULL;
}

/* It was not possible to try: nobody there to refuse anything. */
static bool could_not_try(const struct send_result *result)
{
	switch (result->trouble) {
	case UPSTREAM_TROUBLE_NAME:
	case UPSTREAM_TROUBLE_LOCAL:
		return true;
	case UPSTREAM_TROUBLE_CONNECTION:
		return result->stage == SMTP_CLIENT_STAGE_GREETING && result->reply == NULL;
	case UPSTREAM_TROUBLE_NONE:
	case UPSTREAM_TROUBLE_GREETING:
	case UPSTREAM_TROUBLE_TLS:
	case UPSTREAM_TROUBLE_AUTH:
	case UPSTREAM_TROUBLE_AUTH_TEMPORARY:
	case UPSTREAM_TROUBLE_TOKEN:
	case UPSTREAM_TROUBLE_LIMIT:
		return false;
	}
	return false;
}

/* ---- what happened ---- */

static void say_taken(
    const struct send_order *order, const struct send_result *result, struct buf *out)
{
	buf_printf(out, "Accepted: %s took the message for ", result->peer);
	if (order->to_count == 1)
		buf_printf(out, "%.*s", SPAN_ARG(order->to[0]));
	else
		buf_printf(out, "all %zu recipients", order->to_count);
	if (result->remote_id != NULL)
		buf_printf(out, "; its id there is %s", result->remote_id);
	buf_append_string(out, result->tls_active ? "." : ", and it went in clear.");
}

static void say_signed_in(
    const struct send_order *order, const struct send_result *result, struct buf *out)
{
	if (order->account)
		buf_printf(out, "Signed in: %s takes the login%s%.*s with %s", result->peer,
		    order->login.len > 0 ? " " : "", SPAN_ARG(order->login), result->mechanism);
	else
		buf_printf(out, "Ready: %s takes the session, which has no account", result->peer);
	buf_printf(out, ", %s. No message was begun.",
	    result->tls_version[0] != '\0' ? result->tls_version : "in clear");
}

static void say_refused(
    const struct send_order *order, const struct send_result *result, struct buf *out)
{
	size_t index = 0, taken = count(result, SEND_RECIPIENT_TAKEN);
	const struct send_recipient *refused = first(result, SEND_RECIPIENT_REFUSED, &index);
	bool temporary = refused->reply != NULL && refused->reply[0] == '4';
	const char *stage = refused->stage == SMTP_CLIENT_STAGE_MESSAGE
				? "the end of the content"
				: smtp_client_stage_name(refused->stage);
	if (taken > 0)
		buf_printf(out, "Accepted for %zu of %zu recipients by %s", taken, order->to_count,
		    result->peer);
	else
		buf_printf(
		    out, "%s by %s", temporary ? "Not accepted for now" : "Refused", result->peer);
	if (taken > 0 && result->remote_id != NULL)
		buf_printf(out, " (id %s)", result->remote_id);
	buf_append_string(out, taken > 0 ? "; refused" : "");
	if (refused->stage == SMTP_CLIENT_STAGE_RCPT || taken > 0)
		buf_printf(out, " for %.*s", SPAN_ARG(order->to[index]));
	buf_printf(out, " at %s: %s", stage, refused->reply != NULL ? refused->reply : "?");
}

static void say_failed(const struct send_result *result, struct buf *out)
{
	const char *text = result->text != NULL ? result->text : "the session ended too early";
	buf_printf(out, "%s: %s", could_not_try(result) ? "Could not try" : "Failed", text);
}

/* ---- what to do ---- */

static const char *const login_advice =
    "The server wants to know who sends: --login NAME --password-file FILE.";

/* By reply code and enhanced status, where something better can be said than the status does. */
static const char *reply_advice(
    const struct send_order *order, const char *reply, enum smtp_client_stage stage)
{
	static const struct advice {
		const char *front, *text;
	} rows[] = {
		{ "552", "The message is larger than the server admits." },
		{ "421", "The server is leaving or overloaded: try again later." },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (strncmp(reply, rows[i].front, strlen(rows[i].front)) == 0)
			return rows[i].text;
	}
	bool early = stage == SMTP_CLIENT_STAGE_MAIL || stage == SMTP_CLIENT_STAGE_RCPT;
	if (early && !order->account &&
	    (strncmp(reply, "530", 3) == 0 || strncmp(reply, "550 5.7.1", 9) == 0 ||
		strncmp(reply, "554 5.7.1", 9) == 0))
		return login_advice;
	return "";
}

static void advise_refused(
    const struct send_order *order, const struct send_result *result, struct buf *out)
{
	size_t index = 0;
	const struct send_recipient *refused = first(result, SEND_RECIPIENT_REFUSED, &index);
	struct span status, rest;
	if (refused == NULL || refused->reply == NULL)
		return;
	const struct message_remedy *remedy = message_remedy_find(span_from_string(refused->reply));
	if (remedy != NULL) {
		buf_printf(out, "That means: %s%s%s.", remedy->meaning,
		    remedy->what_to_do[0] != '\0' ? "; " : "", remedy->what_to_do);
		return;
	}
	const char *words = reply_advice(order, refused->reply, refused->stage);
	if (words[0] == '\0') {
		rest = span_from_string(refused->reply);
		if (span_take_word(&rest, &status) && span_take_word(&rest, &status))
			words = message_status_words(status);
	}
	buf_append_string(out, words);
	if (words[0] == '\0' && refused->reply[0] == '4')
		buf_append_string(out, "A temporary refusal: the same may work later.");
}

static void advise_handshake(const struct send_order *order, const char *problem, struct buf *out)
{
	if (strstr(problem, "certificate") != NULL)
		buf_append_string(out,
		    "--tls-trust FILE names a certificate to trust (the "
		    "server's own, or its issuer's), --tls-name NAME another name "
		    "to expect; --tls-verify no looks at neither, and is for tests.");
	else if (order->via.scheme == CONFIG_SCHEME_SMTPS)
		buf_append_string(out, "smtps: begins with TLS; submission: and smtp: begin in "
				       "clear and change over to it.");
}

static void advise_tls(
    const struct send_order *order, const struct send_result *result, struct buf *out)
{
	if (result->stage == SMTP_CLIENT_STAGE_TLS) {
		advise_handshake(order, result->text, out);
		return;
	}
	if (order->via.scheme == CONFIG_SCHEME_SUBMISSION)
		buf_append_string(out, "submission: demands TLS; smtp: goes on without it where it "
				       "is not offered.");
	if (order->account)
		buf_append_string(
		    out, order->via.scheme == CONFIG_SCHEME_SUBMISSION
			     ? " The login then goes in clear, which --cleartext-auth allows."
			     : "--cleartext-auth lets the login go in clear: only in a network "
			       "that you trust.");
}

static void advise_auth(const struct send_result *result, struct buf *out)
{
	const char *text = result->text != NULL ? result->text : "";
	if (strstr(text, "That means: ") == NULL && strstr(text, "535") != NULL)
		buf_append_string(out, "Check name and password (frank user check does that for a "
				       "relay of yours); some providers want a password made for "
				       "programs.");
}

static void advise_failed(
    const struct send_order *order, const struct send_result *result, struct buf *out)
{
	switch (result->trouble) {
	case UPSTREAM_TROUBLE_NAME:
		buf_append_string(out, "Check the host's spelling, and that names resolve here.");
		break;
	case UPSTREAM_TROUBLE_CONNECTION:
		if (could_not_try(result) && order->via.host != NULL)
			buf_printf(out,
			    "Does a server listen on port %u there? Many networks "
			    "block 25: submission: (587) and smtps: (465) are the ways in "
			    "for clients.",
			    order->via.port);
		break;
	case UPSTREAM_TROUBLE_TLS:
		advise_tls(order, result, out);
		break;
	case UPSTREAM_TROUBLE_AUTH:
		advise_auth(result, out);
		break;
	case UPSTREAM_TROUBLE_TOKEN:
		buf_append_string(out, "An access token lives for an hour or so: is this one still "
				       "good, and made for SMTP?");
		break;
	case UPSTREAM_TROUBLE_AUTH_TEMPORARY:
	case UPSTREAM_TROUBLE_LIMIT:
		buf_append_string(out, "A temporary refusal: the same may work later.");
		break;
	case UPSTREAM_TROUBLE_NONE:
	case UPSTREAM_TROUBLE_GREETING:
	case UPSTREAM_TROUBLE_LOCAL:
		break;
	}
}

/* ---- the whole ---- */

int send_verdict(const struct send_order *order, const struct send_result *result,
    struct buf *text_out, struct buf *advice_out)
{
	if (order->sign_in_only && result->was_ready) {
		say_signed_in(order, result, text_out);
		return CLI_EXIT_DONE;
	}
	if (!order->sign_in_only && count(result, SEND_RECIPIENT_TAKEN) == order->to_count) {
		say_taken(order, result, text_out);
		return CLI_EXIT_DONE;
	}
	if (count(result, SEND_RECIPIENT_REFUSED) > 0) {
		say_refused(order, result, text_out);
		advise_refused(order, result, advice_out);
		return CLI_EXIT_FOUND;
	}
	say_failed(result, text_out);
	advise_failed(order, result, advice_out);
	return could_not_try(result) ? CLI_EXIT_LOCAL : CLI_EXIT_FOUND;
}

static void set_text(json_t *object, const char *key, const char *text)
{
	if (text != NULL && text[0] != '\0')
		json_object_set_new(object, key, cli_json_text(span_from_string(text)));
}

static json_t *recipients_json(const struct send_order *order, const struct send_result *result)
{
	json_t *list = json_array();
	for (size_t i = 0; i < order->to_count; i++) {
		const struct send_recipient *recipient = &result->recipients[i];
		json_t *object = json_pack("{s:o, s:b}", "address", cli_json_text(order->to[i]),
		    "accepted", (int)(recipient->state == SEND_RECIPIENT_TAKEN));
		if (recipient->reply != NULL)
			set_text(object, "stage", smtp_client_stage_name(recipient->stage));
		set_text(object, "reply", recipient->reply);
		json_array_append_new(list, object);
	}
	return list;
}

json_t *send_verdict_json(const struct send_order *order, const struct send_result *result,
    const char *text, const char *advice)
{
	bool accepted = order->sign_in_only
			    ? result->was_ready
			    : count(result, SEND_RECIPIENT_TAKEN) == order->to_count;
	json_t *verdict = json_pack(
	    "{s:b, s:o}", "accepted", (int)accepted, "text", cli_json_text(span_from_string(text)));
	if (!order->sign_in_only)
		json_object_set_new(verdict, "recipients", recipients_json(order, result));
	set_text(verdict, "mechanism", result->mechanism);
	set_text(verdict, "do", advice);
	set_text(verdict, "peer", result->peer);
	set_text(verdict, "remote_id", result->remote_id);
	json_object_set_new(verdict, "tls", json_boolean(result->tls_active));
	if (result->trouble != UPSTREAM_TROUBLE_NONE) {
		set_text(verdict, "trouble", upstream_trouble_name(result->trouble));
		set_text(verdict, "stage", smtp_client_stage_name(result->stage));
		set_text(verdict, "reply", result->reply);
	}
	return verdict;
}
