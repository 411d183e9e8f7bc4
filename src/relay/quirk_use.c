/* SPDX-License-Identifier: MIT */
#include "relay/quirk_use.h"

#include "relay/events.h"

#include <string.h>

static const enum smtp_quirk machine_quirks[CONFIG_QUIRK_COUNT] = {
	[CONFIG_QUIRK_NO_HELLO] = SMTP_QUIRK_NO_HELLO,
	[CONFIG_QUIRK_HELLO_NAME] = SMTP_QUIRK_HELLO_NAME,
	[CONFIG_QUIRK_AUTH_BLANK] = SMTP_QUIRK_AUTH_BLANK,
	[CONFIG_QUIRK_AUTH_EQUALS] = SMTP_QUIRK_AUTH_EQUALS,
	[CONFIG_QUIRK_EARLY_QUIT] = SMTP_QUIRK_EARLY_QUIT,
	[CONFIG_QUIRK_BARE_LF] = SMTP_QUIRK_BARE_LF,
};

static unsigned to_machine(unsigned quirks)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < CONFIG_QUIRK_COUNT; i++)
		if (quirks & 1u << i)
			bits |= SMTP_QUIRK_BIT(machine_quirks[i]);
	return bits;
}

unsigned quirk_use_for_all(const struct config_listener *listener)
{
	unsigned quirks = 0;

	for (size_t i = 0; i < listener->quirks_count; i++)
		if (listener->quirks[i].network_count == 0)
			quirks |= listener->quirks[i].quirks;
	return to_machine(quirks);
}

static unsigned for_network(
    const struct config_quirks *all, size_t count, const struct net_address *client)
{
	const struct sockaddr_storage *address = &client->storage;
	unsigned quirks = 0;

	for (size_t i = 0; i < count; i++)
		if (config_networks_contain(all[i].networks, all[i].network_count, address))
			quirks |= all[i].quirks;
	return quirks;
}

void quirk_use_grant(struct session *s)
{
	const struct config *config = s->setup->config;
	unsigned quirks = for_network(config->quirks, config->quirks_count, &s->peer) |
			  for_network(s->listener->quirks, s->listener->quirks_count, &s->peer);

	smtp_server_allow(&s->smtp, to_machine(quirks));
}

static void log_missed(const struct session *s, enum smtp_quirk quirk)
{
	char address[NET_ADDRESS_TEXT_MAX];
	struct log_line line;
	struct buf hint;

	net_address_format_host(&s->peer, address);
	buf_init(&hint, 256);
	buf_printf(&hint, "listen %s { quirks %s from %s; } takes it", s->listener->label,
	    smtp_quirk_name(quirk), address);
	event_begin(&line, EVENT_QUIRK_MISSING);
	log_number(&line, "session", (int64_t)s->number);
	log_text(&line, "client", address);
	log_text(&line, "login", s->login);
	log_text(&line, "listener", s->listener->label);
	log_text(&line, "quirk", smtp_quirk_name(quirk));
	log_text(&line, "reason", smtp_quirk_text(quirk));
	log_span(&line, "hint", buf_span(&hint));
	log_end(&line);
	buf_fini(&hint);
}

void quirk_use_log_missed(struct session *s)
{
	unsigned fresh = s->smtp.quirks_missed & ~s->quirks_logged;

	for (unsigned i = 0; fresh && i < SMTP_QUIRK_COUNT; i++)
		if (fresh & SMTP_QUIRK_BIT(i))
			log_missed(s, i);
	s->quirks_logged |= fresh;
}

static bool has_news(const struct session *s)
{
	return (s->smtp.quirks_missed & ~s->quirks_missed_told) != 0 ||
	       memcmp(s->smtp.quirks, s->quirks_told, sizeof(s->quirks_told)) != 0;
}

void quirk_use_tell(struct session *s)
{
	struct relay_mail_quirks *mail;

	if (!has_news(s))
		return;
	mail = MEM_NEW(struct relay_mail_quirks);
	mail->mail.kind = RELAY_MAIL_QUIRKS;
	net_address_format_host(&s->peer, mail->client);
	mail->login = s->login ? mem_strdup(s->login) : NULL;
	mail->listener = mem_strdup(s->listener->label);
	mail->missed = s->smtp.quirks_missed & ~s->quirks_missed_told;
	mail->now_ms = net_loop_wall_ms(&s->lane->loop);
	for (unsigned i = 0; i < SMTP_QUIRK_COUNT; i++)
		mail->uses[i] = s->smtp.quirks[i] - s->quirks_told[i];
	memcpy(s->quirks_told, s->smtp.quirks, sizeof(s->quirks_told));
	s->quirks_missed_told = s->smtp.quirks_missed;
	lane_tell_control(s->lane, &mail->mail);
}
