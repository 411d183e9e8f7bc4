/* SPDX-License-Identifier: MIT */
#include "relay/policy.h"

#include "base/escape.h"
#include "relay/rewrite.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool policy_may_relay(const struct policy_client *client)
{
	return client->trusted || client->login.len > 0;
}

static void refuse(struct policy_verdict *verdict, enum smtp_reply_id reply, const char *format,
    ...) __attribute__((format(printf, 3, 4)));

static void refuse(
    struct policy_verdict *verdict, enum smtp_reply_id reply, const char *format, ...)
{
	va_list arguments;

	verdict->target_count = 0;
	verdict->reply = reply;
	va_start(arguments, format);
	vsnprintf(verdict->text, sizeof(verdict->text), format, arguments);
	va_end(arguments);
}

static bool is_postmaster(struct span local)
{
	return span_equal_nocase(local, SPAN("postmaster"));
}

static bool recipient_exists(const struct setup *setup, const struct config_domain *domain,
    struct span local, struct span mailbox)
{
	size_t index = (size_t)(domain - setup->config->domains);

	if (is_postmaster(local))
		return true;
	switch (domain->recipients) {
	case CONFIG_RECIPIENTS_ANY:
		return true;
	case CONFIG_RECIPIENTS_USERS:
		return setup->mailboxes && recipients_contain(setup->mailboxes, local, mailbox);
	case CONFIG_RECIPIENTS_FILE:
		return recipients_contain(setup->domains[index].recipients, local, mailbox);
	}
	return false;
}

static const struct config_alias *find_alias(const struct config_domain *domain, struct span local)
{
	for (size_t i = 0; i < domain->alias_count; i++)
		if (span_equal_nocase(span_from_string(domain->aliases[i].name), local))
			return &domain->aliases[i];
	return NULL;
}

static void add_target(const struct setup *setup, const struct config_question *question,
    struct policy_verdict *verdict)
{
	struct policy_target *target = &verdict->targets[verdict->target_count];

	assert(verdict->target_count < POLICY_TARGETS_MAX);
	*target = (struct policy_target){
		.address = question->recipient,
		.hop = setup_hop_for(setup, question),
	};
	verdict->target_count++;
}

/* The addresses of an alias are final: an alias never leads to another one, so there are no loops.
 */
static void expand(const struct setup *setup, const struct config_alias *alias,
    struct config_question *question, struct policy_verdict *verdict)
{
	for (size_t i = 0; i < alias->address_count; i++) {
		question->recipient = span_from_string(alias->addresses[i]);
		add_target(setup, question, verdict);
	}
}

static void decide_local(const struct setup *setup, const struct config_domain *domain,
    struct span local, struct config_question *question, struct policy_verdict *verdict)
{
	const struct config_alias *alias = find_alias(domain, local);
	char shown[128];

	verdict->local = true;
	if (alias)
		expand(setup, alias, question, verdict);
	else if (recipient_exists(setup, domain, local, question->recipient))
		add_target(setup, question, verdict);
	else
		refuse(verdict, SMTP_REPLY_RECIPIENT_UNKNOWN, "there is no mailbox %s here",
		    escape_to(shown, sizeof(shown), question->recipient));
}

static const struct config_route *route_for(
    const struct setup *setup, const struct config_question *question)
{
	size_t index = config_route_find(setup->config, question, NULL);

	return index == CONFIG_NO_ROUTE ? NULL : &setup->config->routes[index];
}

/* The alias of the route that this recipient takes, or NULL. */
static const struct config_alias *route_alias(
    const struct setup *setup, const struct config_question *question)
{
	const struct config_route *route = route_for(setup, question);

	return route ? rewrite_find_alias(setup->config, route, question->recipient) : NULL;
}

static void decide_relay(const struct setup *setup, const struct policy_client *client,
    struct config_question *question, struct policy_verdict *verdict)
{
	const struct config_alias *alias;
	char shown[128];

	escape_to(shown, sizeof(shown), question->recipient);
	if (!policy_may_relay(client)) {
		refuse(verdict, SMTP_REPLY_RELAYING_DENIED,
		    client->listener->auth == CONFIG_AUTH_MODE_OFF
			? "relaying denied: %s is not taken here, and your network may not "
			  "send elsewhere"
			: "relaying denied: %s is not taken here; sign in (AUTH) to send "
			  "elsewhere",
		    shown);
		return;
	}
	alias = route_alias(setup, question);
	if (alias) {
		expand(setup, alias, question, verdict);
		return;
	}
	add_target(setup, question, verdict);
	if (verdict->targets[0].hop->kind == SETUP_HOP_NOWHERE)
		refuse(verdict, SMTP_REPLY_RECIPIENT_TEMPORARY,
		    "no route leads to %s: the configuration of this relay needs one", shown);
	else if (verdict->targets[0].hop->kind == SETUP_HOP_REFUSE) {
		verdict->refusal = &verdict->targets[0].hop->route->refuse;
		verdict->target_count = 0;
	}
}

/* The domain a bare name belongs to: postmaster to the first one taken here (RFC 5321, 4.5.1), any
   other name to the default-domain of its route, or of the relay. */
static struct span complete_domain(
    const struct setup *setup, bool may_relay, const struct config_question *question)
{
	const struct config *config = setup->config;
	const char *own =
	    may_relay ? rewrite_default_domain(config, route_for(setup, question)) : NULL;

	if (own)
		return span_from_string(own);
	if (is_postmaster(question->recipient) && config->domain_count > 0 &&
	    config->domains[0].patterns[0].domain.len > 0 &&
	    !config->domains[0].patterns[0].subdomains)
		return config->domains[0].patterns[0].domain;
	return SPAN("");
}

/* question's recipient is a bare name. False: nothing completes it. */
static bool complete(const struct setup *setup, bool may_relay, struct buf *scratch,
    struct config_question *question)
{
	struct span domain = complete_domain(setup, may_relay, question);

	if (domain.len == 0 && is_postmaster(question->recipient) && setup->config->postmaster) {
		question->recipient = span_from_string(setup->config->postmaster);
		return true;
	}
	if (domain.len == 0)
		return false;
	buf_clear(scratch);
	if (!buf_append(scratch, question->recipient) || !buf_append_byte(scratch, '@') ||
	    !buf_append(scratch, domain))
		return false;
	question->recipient = buf_span(scratch);
	return true;
}

/* Postmaster is taken from everyone, also where only the configuration's own address stands for it.
 */
static bool is_own_postmaster(const struct setup *setup, const struct smtp_address *recipient)
{
	return recipient->domain.len == 0 && is_postmaster(recipient->local) &&
	       setup->config->postmaster;
}

/* A bare name that nothing completes: an alias may still know it. */
static void decide_bare(const struct setup *setup, const struct policy_client *client,
    struct config_question *question, struct policy_verdict *verdict)
{
	const struct config_alias *alias =
	    policy_may_relay(client) ? route_alias(setup, question) : NULL;

	if (alias)
		expand(setup, alias, question, verdict);
	else
		refuse(verdict, SMTP_REPLY_RECIPIENT_REFUSED,
		    "the address has no domain: give it as name@domain");
}

static void clear(struct policy_verdict *verdict)
{
	verdict->target_count = 0;
	verdict->local = false;
	verdict->refusal = NULL;
}

void policy_recipient(const struct setup *setup, const struct policy_client *client,
    struct span sender, const struct smtp_address *recipient, struct buf *scratch,
    struct policy_verdict *verdict_out)
{
	struct config_question question = {
		.sender = sender,
		.recipient = recipient->mailbox,
		.login = client->login,
		.client = client->address,
		.listener = client->listener->label,
	};
	const struct config_domain *domain;
	struct span local, name;

	clear(verdict_out);
	if (recipient->domain.len == 0 &&
	    !complete(setup, policy_may_relay(client), scratch, &question)) {
		decide_bare(setup, client, &question, verdict_out);
		return;
	}
	config_address_split(question.recipient, &local, &name);
	domain = config_domain_find(setup->config, name);
	if (domain)
		decide_local(setup, domain, local, &question, verdict_out);
	else if (is_own_postmaster(setup, recipient))
		add_target(setup, &question, verdict_out);
	else
		decide_relay(setup, client, &question, verdict_out);
}

void policy_notice(const struct setup *setup, struct span sender, struct span recipient,
    struct buf *scratch, struct policy_verdict *verdict_out)
{
	struct config_question question = { .sender = sender, .recipient = recipient };
	const struct config_domain *domain = NULL;
	const struct config_alias *alias;
	struct span local, name;

	clear(verdict_out);
	if (!config_address_split(recipient, &local, &name))
		complete(setup, true, scratch, &question);
	if (config_address_split(question.recipient, &local, &name))
		domain = config_domain_find(setup->config, name);
	verdict_out->local = domain != NULL;
	alias = domain ? find_alias(domain, local) : route_alias(setup, &question);
	if (alias)
		expand(setup, alias, &question, verdict_out);
	else
		add_target(setup, &question, verdict_out);
}
