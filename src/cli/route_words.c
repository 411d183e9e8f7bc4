/* SPDX-License-Identifier: MIT */
#include "cli/route.h"

#include "cli/cli.h"
#include "relay/rewrite.h"
#include "sasl/client.h"
#include "smtp/domain.h"

#include <string.h>

const char *route_initial_response_name(enum config_initial_response way)
{
	switch (way) {
	case CONFIG_INITIAL_RESPONSE_AUTO:
		return "auto";
	case CONFIG_INITIAL_RESPONSE_YES:
		return "yes";
	case CONFIG_INITIAL_RESPONSE_NO:
		return "no";
	}
	return "auto";
}

static const char *tls_words(const struct config_route *route, const struct config_via *via)
{
	bool account = route != NULL && route->account != NULL;
	if (via->path != NULL)
		return "none: a unix socket";
	if (via->scheme == CONFIG_SCHEME_SMTPS)
		return "from the first byte";
	if (via->scheme == CONFIG_SCHEME_SUBMISSION)
		return "STARTTLS, required";
	if (account && !route->cleartext_auth)
		return "STARTTLS, required by the account";
	return account ? "STARTTLS where offered; the login goes in clear where not "
			 "(cleartext-auth yes)"
		       : "STARTTLS where offered";
}

void route_describe_tls(
    const struct config_route *route, const struct config_via *via, struct buf *out)
{
	buf_append_string(out, tls_words(route, via));
	if (via->path != NULL)
		return;
	if (route != NULL && !route->tls_verify) {
		buf_append_string(out, "; the certificate is not verified (tls-verify no)");
		return;
	}
	buf_printf(out, "; the certificate must be for %s, trusted by %s",
	    route != NULL && route->tls_name != NULL ? route->tls_name : via->host,
	    route != NULL && route->tls_trust != NULL ? route->tls_trust : "the system");
}

void route_describe_patterns(const struct config_pattern *patterns, size_t count, struct buf *out)
{
	for (size_t i = 0; i < count; i++)
		buf_printf(out, "%s%s", i > 0 ? " " : "", patterns[i].text);
}

const char *route_recipients_words(const struct config_domain *domain)
{
	switch (domain->recipients) {
	case CONFIG_RECIPIENTS_USERS:
		return "those in the users file";
	case CONFIG_RECIPIENTS_ANY:
		return "any";
	case CONFIG_RECIPIENTS_FILE:
		return domain->recipients_file;
	}
	return "";
}

/* ---- signing in ---- */

static bool is_allowed(const struct config_route *route, const char *name)
{
	for (size_t i = 0; i < route->mechanism_count; i++) {
		if (span_equal_nocase(
			span_from_string(route->mechanisms[i]), span_from_string(name)))
			return true;
	}
	return route->mechanism_count == 0;
}

size_t route_mechanisms(
    const struct config_route *route, enum sasl_mechanism mechanisms_out[SASL_MECHANISM_COUNT])
{
	const struct config_account *account = route->account;
	bool password = account->password_file != NULL || account->password_command != NULL;
	struct sasl_credentials credentials = {
		.login = span_from_string(account->login),
		.password = password ? SPAN("secret") : SPAN(""),
		.token = account->oauth != NULL ? SPAN("token") : SPAN(""),
		.certificate = account->certificate != NULL,
		.kerberos = account->kerberos,
	};
	size_t count = 0;
	for (int i = SASL_MECHANISM_COUNT; i-- > 0;) {
		enum sasl_mechanism mechanism = (enum sasl_mechanism)i;
		if (sasl_credentials_serve(&credentials, mechanism) &&
		    is_allowed(route, sasl_mechanism_name(mechanism)))
			mechanisms_out[count++] = mechanism;
	}
	return count;
}

void route_describe_mechanisms(const struct config_route *route, struct buf *out)
{
	enum sasl_mechanism mechanisms[SASL_MECHANISM_COUNT];
	size_t count = route_mechanisms(route, mechanisms);
	for (size_t i = 0; i < count; i++)
		buf_printf(out, "%s%s", i > 0 ? ", " : "", sasl_mechanism_name(mechanisms[i]));
	if (count == 0)
		buf_append_string(out, "none that the account can serve");
}

static const char *initial_words(const struct config_route *route, enum sasl_mechanism mechanism)
{
	if (!sasl_client_permits_initial(mechanism))
		return "has none";
	switch (route->initial_response) {
	case CONFIG_INITIAL_RESPONSE_YES:
		return "with one";
	case CONFIG_INITIAL_RESPONSE_NO:
		return "without";
	case CONFIG_INITIAL_RESPONSE_AUTO:
		break;
	}
	return sasl_client_prefers_initial(mechanism) ? "with one" : "without";
}

/* One group a way: "with one: PLAIN; without: LOGIN; has none: CRAM-MD5". */
void route_describe_initial(const struct config_route *route, struct buf *out)
{
	static const char *const ways[] = { "with one", "without", "has none" };
	enum sasl_mechanism mechanisms[SASL_MECHANISM_COUNT];
	size_t count = route_mechanisms(route, mechanisms), begin;
	buf_append_string(out, route_initial_response_name(route->initial_response));
	for (size_t way = 0; way < 3; way++) {
		begin = out->len;
		for (size_t i = 0; i < count; i++) {
			if (strcmp(initial_words(route, mechanisms[i]), ways[way]) != 0)
				continue;
			if (out->len == begin)
				buf_printf(out, "; %s: ", ways[way]);
			else
				buf_append_string(out, ", ");
			buf_append_string(out, sasl_mechanism_name(mechanisms[i]));
		}
	}
	buf_append_string(out, "; the other way where the hop does not take it");
}

void route_describe_account(const struct config_account *account, struct buf *out)
{
	const char *comma = "";
	if (account->label != NULL) {
		buf_append_string(out, account->label);
		comma = ", ";
	}
	if (account->login[0] != '\0') {
		buf_printf(out, "%slogin %s", comma, account->login);
		comma = ", ";
	}
	if (account->password_file != NULL)
		buf_printf(out, "%spassword from %s", comma, account->password_file);
	if (account->password_command != NULL)
		buf_printf(out, "%spassword from %s", comma, account->password_command[0]);
	if (account->oauth != NULL)
		buf_printf(out, "%sOAuth token from %s", comma, account->oauth->token_endpoint);
	if (account->kerberos)
		buf_printf(out, "%sKerberos ticket", comma);
	if (account->certificate != NULL)
		buf_printf(out, "%scertificate %s", comma, account->certificate);
}

/* ---- rewriting ---- */

bool route_preview(const struct route_task *task, struct buf *sender_out, struct buf *from_out)
{
	struct rewrite rewrite;
	struct fault fault;
	if (!rewrite_init(&rewrite, task->config, task->route, &fault)) {
		cli_complain("%s", fault.text);
		return false;
	}
	if (!rewrite_preview_sender(&rewrite, task->question.sender, sender_out))
		buf_clear(sender_out);
	if (!rewrite_preview_from(&rewrite, task->question.sender, SPAN(""), from_out))
		buf_clear(from_out);
	rewrite_fini(&rewrite);
	return true;
}

/* ---- SMTPUTF8 ---- */

/* The address can be told to any hop, with its domain in A-labels where that is needed. */
static bool goes_in_ascii(struct span address)
{
	struct buf text;
	buf_init(&text, ROUTE_TEXT_MAX);
	bool goes = smtp_mailbox_append_ascii(&text, address);
	buf_fini(&text);
	return goes;
}

static const char *offer_words(const struct route_task *task)
{
	const json_t *offered = json_object_get(task->learned, "extensions"), *word;
	size_t i;
	if (offered == NULL)
		return "whether the hop offers it is not known; where it does not, the message "
		       "comes back";
	json_array_foreach(offered, i, word)
	{
		if (span_equal_nocase(span_from_string(json_string_value(word)), SPAN("SMTPUTF8")))
			return "the hop offered it last time";
	}
	return "the hop did not offer it last time: the message would come back";
}

bool route_describe_utf8(const struct route_task *task, struct buf *out)
{
	struct span sender = task->question.sender, recipient = task->question.recipient;
	struct buf sender_as, from_as;
	buf_init(&sender_as, ROUTE_TEXT_MAX);
	buf_init(&from_as, ROUTE_TEXT_MAX);
	if (task->route != NULL && route_preview(task, &sender_as, &from_as) && sender_as.len > 0)
		sender = buf_span(&sender_as);
	bool said = !smtp_text_is_ascii(sender) || !smtp_text_is_ascii(recipient);
	bool sender_goes = goes_in_ascii(sender), recipient_goes = goes_in_ascii(recipient);
	if (said && sender_goes && recipient_goes)
		buf_append_string(out, "asked for where the hop offers it; elsewhere the domains "
				       "go in ASCII");
	else if (said)
		buf_printf(out, "needed, as the %s has letters outside ASCII before its @; %s",
		    sender_goes ? "recipient" : "sender", offer_words(task));
	buf_fini(&sender_as);
	buf_fini(&from_as);
	return said;
}
