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
	return slot->item->work->delivery;
}

/* ---- who comes next ---- */

static bool is_open(const struct slot *slot, unsigned place)
{
	return delivery_of(slot)->recipients[place].state == SPOOL_RECIPIENT_WAITING &&
	       !slot->item->tried[place];
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

	for (unsigned i = 0; i < slot->item->count; i++) {
		struct span each = domain_of(slot->item->addresses[i]);
		bool is_new = !span_equal_nocase(each, domain);

		for (unsigned j = 0; j < i && is_new; j++)
			is_new = !span_equal_nocase(each, domain_of(slot->item->addresses[j]));
		domains += is_new;
	}
	return domains;
}

/* RFC 9422: what the hop said it would take in one transaction. */
static bool is_within_limits(const struct slot *slot, struct span address)
{
	const struct smtp_extensions *offered = offered_by_hop(slot);

	if (offered->recipients_max && slot->item->count >= offered->recipients_max)
		return false;
	return !offered->domains_max ||
	       count_domains(slot, domain_of(address)) <= offered->domains_max;
}

void slot_collect(struct slot *slot)
{
	const struct spool_delivery *delivery = delivery_of(slot);

	slot->item->count = 0;
	for (unsigned i = 0; i < delivery->recipient_count; i++) {
		struct span address = delivery->recipients[i].address;

		if (!is_open(slot, i) || !is_within_limits(slot, address))
			continue;
		slot->item->addresses[slot->item->count] = address;
		slot->item->places[slot->item->count] = i;
		slot->item->decided[slot->item->count] = false;
		slot->item->count++;
	}
	slot->item->sent_count = slot->item->count;
}

bool slot_end_round(struct slot *slot)
{
	const struct spool_delivery *delivery = delivery_of(slot);
	bool got_somewhere = false, more = false;

	for (unsigned i = 0; i < slot->item->count; i++) {
		unsigned place = slot->item->places[i];

		slot->item->tried[place] |= slot->item->decided[i];
		got_somewhere |= delivery->recipients[place].state != SPOOL_RECIPIENT_WAITING;
	}
	for (unsigned i = 0; i < delivery->recipient_count; i++)
		more |= is_open(slot, i);
	return got_somewhere && more;
}

bool slot_has_tried(const struct slot *slot)
{
	for (unsigned i = 0; i < SPOOL_RECIPIENTS_MAX; i++) {
		if (slot->item->tried[i])
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
	    &slot->item->work->delivery->recipients[slot->item->places[index]];
	char text[400];

	snprintf(text, sizeof(text), "550 %s %s, and %.200s does not offer SMTPUTF8", status, what,
	    upstream_peer(slot->upstream));
	slot->item->decided[index] = true;
	recipient->state = SPOOL_RECIPIENT_FAILED;
	spool_text_set(&recipient->reply, span_from_string(text));
}

static void refuse_all_utf8(struct slot *slot, const char *status, const char *what)
{
	for (unsigned i = 0; i < slot->item->count; i++)
		refuse_utf8(slot, i, status, what);
	slot->item->sent_count = 0;
}

/* The address in ASCII, in item->fitted, which has room for all and does not move. */
static bool fit_address(struct slot *slot, struct span *address)
{
	size_t before_len = slot->item->fitted.len;

	if (smtp_text_is_ascii(*address))
		return true;
	if (!smtp_mailbox_append_ascii(&slot->item->fitted, *address))
		return false;
	*address = span_skip(buf_span(&slot->item->fitted), before_len);
	return true;
}

static void swap_recipients(struct slot *slot, unsigned a, unsigned b)
{
	struct span address = slot->item->addresses[a];
	unsigned place = slot->item->places[a];
	bool decided = slot->item->decided[a];

	slot->item->addresses[a] = slot->item->addresses[b];
	slot->item->places[a] = slot->item->places[b];
	slot->item->decided[a] = slot->item->decided[b];
	slot->item->addresses[b] = address;
	slot->item->places[b] = place;
	slot->item->decided[b] = decided;
}

/* Those who cannot be told to the hop are moved behind those who can. */
static void fit_recipients(struct slot *slot)
{
	for (unsigned i = 0; i < slot->item->sent_count;) {
		if (fit_address(slot, &slot->item->addresses[i])) {
			i++;
			continue;
		}
		refuse_utf8(slot, i, "5.6.7", "the address has letters outside ASCII before its @");
		swap_recipients(slot, i, --slot->item->sent_count);
	}
}

static bool is_all_ascii(const struct slot *slot)
{
	for (unsigned i = 0; i < slot->item->count; i++) {
		if (!smtp_text_is_ascii(slot->item->addresses[i]))
			return false;
	}
	return smtp_text_is_ascii(slot->item->reverse_path);
}

static void fit_utf8(struct slot *slot)
{
	bool utf8_header = feed_header_is_utf8(slot->item->feed);

	/* Said only where it is needed (RFC 6531, 3.4). */
	slot->item->smtputf8 = utf8_header || !is_all_ascii(slot);
	if (!slot->item->smtputf8 || offered_by_hop(slot)->smtputf8)
		return;
	slot->item->smtputf8 = false;
	buf_clear(&slot->item->fitted);
	buf_reserve(&slot->item->fitted, slot->item->fitted.max);
	if (utf8_header)
		refuse_all_utf8(
		    slot, "5.6.9", "the header of the message has letters outside ASCII");
	else if (!fit_address(slot, &slot->item->reverse_path))
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
	return slot->item->sent_count > 0;
}

bool slot_fits_plainly(struct slot *slot)
{
	const struct smtp_extensions *offered = offered_by_hop(slot);
	uint64_t size_max = offered->size ? offered->size_max : 0;

	slot->item->smtputf8 = false;
	return slot->item->count > 0 && !offered->recipients_max && !offered->domains_max &&
	       !needs_tls(slot) && is_all_ascii(slot) && !feed_header_is_utf8(slot->item->feed) &&
	       (size_max == 0 || feed_size(slot->item->feed) <= size_max);
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

	for (unsigned i = 0; i < slot->item->sent_count; i++) {
		const struct spool_recipient *recipient =
		    &delivery->recipients[slot->item->places[i]];

		slot->item->notify[i] = (struct smtp_client_notify){
			.notify = recipient->notify,
			.orcpt = recipient->orcpt,
		};
	}
	*out = (struct smtp_client_transaction){
		.reverse_path = slot->item->reverse_path,
		.recipients = slot->item->addresses,
		.recipient_count = slot->item->sent_count,
		.size = feed_size(slot->item->feed),
		.body_8bit = (envelope->flags & SPOOL_FLAG_8BIT) != 0,
		.smtputf8 = slot->item->smtputf8,
		.requiretls = needs_tls(slot),
		.ret = ret_of(envelope->flags),
		.envid = envelope->envid,
		.notify = slot->item->notify,
	};
}
