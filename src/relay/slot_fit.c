/* SPDX-License-Identifier: MIT */
#include "relay/slot_private.h"

#include "config/match.h"
#include "smtp/domain.h"

#include <stdio.h>

/*
 * What a message asks of a hop beyond plain SMTP, and what becomes of it where the hop does not
 * offer that. DSN is left out, and the relay tells the sender itself. SMTPUTF8 is done without
 * where nothing is lost by it. REQUIRETLS is not negotiable. 8BITMIME is left out and the bytes go
 * as they are (docs/smtp.md says why).
 */

static const struct smtp_extensions *offered_by_hop(const struct slot *slot)
{
	return smtp_client_extensions(upstream_client(slot->upstream));
}

static const struct spool_delivery *delivery_of(const struct slot *slot)
{
	return slot->job->items[slot->next].delivery;
}

/* ---- who comes next ---- */

static bool is_open(const struct slot *slot, unsigned place)
{
	return delivery_of(slot)->recipients[place].state == SPOOL_RECIPIENT_WAITING &&
	       !slot->tried[place];
}

static struct span domain_of(struct span address)
{
	struct span local, domain;

	config_address_split(address, &local, &domain);
	return domain;
}

/* How many domains the first recipients of the transaction have, with this one. */
static unsigned count_domains(const struct slot *slot, struct span domain)
{
	unsigned domains = 1;

	for (unsigned i = 0; i < slot->count; i++) {
		struct span each = domain_of(slot->addresses[i]);
		bool is_new = !span_equal_nocase(each, domain);

		for (unsigned j = 0; j < i && is_new; j++)
			is_new = !span_equal_nocase(each, domain_of(slot->addresses[j]));
		domains += is_new;
	}
	return domains;
}

/* RFC 9422: what the hop said it would take in one transaction. */
static bool is_within_limits(const struct slot *slot, struct span address)
{
	const struct smtp_extensions *offered = offered_by_hop(slot);

	if (offered->recipients_max && slot->count >= offered->recipients_max)
		return false;
	return !offered->domains_max ||
	       count_domains(slot, domain_of(address)) <= offered->domains_max;
}

void slot_collect(struct slot *slot)
{
	const struct spool_delivery *delivery = delivery_of(slot);

	slot->count = 0;
	for (unsigned i = 0; i < delivery->recipient_count; i++) {
		struct span address = delivery->recipients[i].address;

		if (!is_open(slot, i) || !is_within_limits(slot, address))
			continue;
		slot->addresses[slot->count] = address;
		slot->places[slot->count] = i;
		slot->decided[slot->count] = false;
		slot->count++;
	}
	slot->sent_count = slot->count;
}

bool slot_end_round(struct slot *slot)
{
	const struct spool_delivery *delivery = delivery_of(slot);
	bool got_somewhere = false, more = false;

	for (unsigned i = 0; i < slot->count; i++) {
		unsigned place = slot->places[i];

		slot->tried[place] |= slot->decided[i];
		got_somewhere |= delivery->recipients[place].state != SPOOL_RECIPIENT_WAITING;
	}
	for (unsigned i = 0; i < delivery->recipient_count; i++)
		more |= is_open(slot, i);
	return got_somewhere && more;
}

bool slot_has_tried(const struct slot *slot)
{
	for (unsigned i = 0; i < SPOOL_RECIPIENTS_MAX; i++) {
		if (slot->tried[i])
			return true;
	}
	return false;
}

/* ---- REQUIRETLS (RFC 8689) ---- */

/* A hop on this machine is no hop on the way. What comes with the empty reverse-path, a notice,
   goes on all the same (5). */
static bool needs_tls(const struct slot *slot)
{
	const struct spool_envelope *envelope = &delivery_of(slot)->message->envelope;

	return envelope->flags & SPOOL_FLAG_REQUIRETLS && envelope->reverse_path.len > 0 &&
	       !slot->hop->vias[0].path;
}

static bool tls_suffices(struct slot *slot)
{
	char text[400];
	const char *what;

	if (!needs_tls(slot))
		return true;
	if (!upstream_tls_is_verified(slot->upstream))
		what = "its session is not under TLS with a verified certificate";
	else if (!offered_by_hop(slot)->requiretls)
		what = "it does not offer REQUIRETLS";
	else
		return true;
	snprintf(text, sizeof(text),
	    "550 5.7.30 the message may travel under TLS only (REQUIRETLS), and %.200s cannot "
	    "promise that: %s",
	    upstream_peer(slot->upstream), what);
	slot_decide_ourselves(slot, SPOOL_RECIPIENT_FAILED, text);
	return false;
}

/* ---- SMTPUTF8 (RFC 6531) ---- */

static void refuse_utf8(struct slot *slot, unsigned index, const char *status, const char *what)
{
	struct spool_recipient *recipient =
	    &slot->job->items[slot->next].delivery->recipients[slot->places[index]];
	char text[400];

	snprintf(text, sizeof(text), "550 %s %s, and %.200s does not offer SMTPUTF8", status, what,
	    upstream_peer(slot->upstream));
	slot->decided[index] = true;
	recipient->state = SPOOL_RECIPIENT_FAILED;
	spool_text_set(&recipient->reply, span_from_string(text));
}

static void refuse_all_utf8(struct slot *slot, const char *status, const char *what)
{
	for (unsigned i = 0; i < slot->count; i++)
		refuse_utf8(slot, i, status, what);
	slot->sent_count = 0;
}

/* The address in ASCII, in slot->fitted, which has room for all and does not move. */
static bool fit_address(struct slot *slot, struct span *address)
{
	size_t before_len = slot->fitted.len;

	if (smtp_text_is_ascii(*address))
		return true;
	if (!smtp_mailbox_append_ascii(&slot->fitted, *address))
		return false;
	*address = span_skip(buf_span(&slot->fitted), before_len);
	return true;
}

static void swap_recipients(struct slot *slot, unsigned a, unsigned b)
{
	struct span address = slot->addresses[a];
	unsigned place = slot->places[a];
	bool decided = slot->decided[a];

	slot->addresses[a] = slot->addresses[b];
	slot->places[a] = slot->places[b];
	slot->decided[a] = slot->decided[b];
	slot->addresses[b] = address;
	slot->places[b] = place;
	slot->decided[b] = decided;
}

/* Those who cannot be told to the hop are moved behind those who can. */
static void fit_recipients(struct slot *slot)
{
	for (unsigned i = 0; i < slot->sent_count;) {
		if (fit_address(slot, &slot->addresses[i])) {
			i++;
			continue;
		}
		refuse_utf8(slot, i, "5.6.7", "the address has letters outside ASCII before its @");
		swap_recipients(slot, i, --slot->sent_count);
	}
}

static bool is_all_ascii(const struct slot *slot)
{
	for (unsigned i = 0; i < slot->count; i++) {
		if (!smtp_text_is_ascii(slot->addresses[i]))
			return false;
	}
	return smtp_text_is_ascii(slot->reverse_path);
}

static void fit_utf8(struct slot *slot)
{
	bool utf8_header =
	    (delivery_of(slot)->message->envelope.flags & SPOOL_FLAG_UTF8_HEADER) != 0;

	/* Said only where it is needed (RFC 6531, 3.4). */
	slot->smtputf8 = utf8_header || !is_all_ascii(slot);
	if (!slot->smtputf8 || offered_by_hop(slot)->smtputf8)
		return;
	slot->smtputf8 = false;
	buf_clear(&slot->fitted);
	buf_reserve(&slot->fitted, slot->fitted.max);
	if (utf8_header)
		refuse_all_utf8(
		    slot, "5.6.9", "the header of the message has letters outside ASCII");
	else if (!fit_address(slot, &slot->reverse_path))
		refuse_all_utf8(
		    slot, "5.6.7", "the sender's address has letters outside ASCII before its @");
	else
		fit_recipients(slot);
}

bool slot_fit(struct slot *slot)
{
	if (!tls_suffices(slot))
		return false;
	fit_utf8(slot);
	return slot->sent_count > 0;
}

/* ---- the transaction ---- */

static enum smtp_return ret_of(unsigned flags)
{
	if (flags & SPOOL_FLAG_RETURN_FULL)
		return SMTP_RETURN_FULL;
	return flags & SPOOL_FLAG_RETURN_HEADERS ? SMTP_RETURN_HEADERS : SMTP_RETURN_UNSAID;
}

void slot_make_transaction(struct slot *slot, struct smtp_client_transaction *out)
{
	const struct spool_delivery *delivery = delivery_of(slot);
	const struct spool_envelope *envelope = &delivery->message->envelope;

	for (unsigned i = 0; i < slot->sent_count; i++) {
		const struct spool_recipient *recipient = &delivery->recipients[slot->places[i]];

		slot->notify[i] = (struct smtp_client_notify){
			.notify = recipient->notify,
			.orcpt = recipient->orcpt,
		};
	}
	*out = (struct smtp_client_transaction){
		.reverse_path = slot->reverse_path,
		.recipients = slot->addresses,
		.recipient_count = slot->sent_count,
		.size = feed_size(slot->feed),
		.body_8bit = (envelope->flags & SPOOL_FLAG_8BIT) != 0,
		.smtputf8 = slot->smtputf8,
		.requiretls = needs_tls(slot),
		.ret = ret_of(envelope->flags),
		.envid = envelope->envid,
		.notify = slot->notify,
	};
}
