/* SPDX-License-Identifier: MIT */
#include "relay/events.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>

static const struct row {
	const char *name;
	enum log_level level;
	const char *meaning;
} rows[EVENT_COUNT] = {
	[EVENT_STARTED] = { "started", LOG_LEVEL_INFO, "The relay is in service." },
	[EVENT_STOPPING] = { "stopping", LOG_LEVEL_INFO,
	    "A stop was asked for; sessions end at their next reply." },
	[EVENT_STOPPED] = { "stopped", LOG_LEVEL_INFO,
	    "Everything is closed and what was accepted is on disk." },
	[EVENT_LISTENING] = { "listening", LOG_LEVEL_INFO, "A socket takes connections." },
	[EVENT_LISTENING_ENDED] = { "listening-ended", LOG_LEVEL_INFO,
	    "A reload removed the socket." },
	[EVENT_ACCEPT_TROUBLE] = { "accept-trouble", LOG_LEVEL_ERROR,
	    "Connections wait in the kernel because the process has no descriptor left." },
	[EVENT_CONFIG_WARNING] = { "config-warning", LOG_LEVEL_WARNING,
	    "The configuration works, and something in it should not be so." },
	[EVENT_RELOADED] = { "reloaded", LOG_LEVEL_INFO, "The new configuration is in force." },
	[EVENT_RELOAD_REFUSED] = { "reload-refused", LOG_LEVEL_ERROR,
	    "The new configuration has errors; the old one stays in force." },
	[EVENT_CERTIFICATE_SHOWN] = { "certificate", LOG_LEVEL_INFO,
	    "A certificate that clients are shown from now on, and its SHA-256 fingerprint." },
	[EVENT_CERTIFICATE_CHANGED] = { "certificate-changed", LOG_LEVEL_INFO,
	    "The files of a certificate have changed, or our own ends soon: all is loaded anew." },
	[EVENT_CERTIFICATE_EXPIRES] = { "certificate-expires", LOG_LEVEL_WARNING,
	    "A certificate that clients are shown ends within 14 days. Once a day." },
	[EVENT_PASSWORD_CHANGED] = { "password-changed", LOG_LEVEL_INFO,
	    "A next hop has refused a password, and its file or command gives another one now, "
	    "which was loaded." },
	[EVENT_STATE_TROUBLE] = { "state-trouble", LOG_LEVEL_WARNING,
	    "What was learned of next hops cannot be kept or read; it is learned anew." },
	[EVENT_SESSION_REFUSED] = { "session-refused", LOG_LEVEL_WARNING,
	    "A client was turned away: too many are connected, or it is denied or banned. At most "
	    "20 lines a second of a lane; untold= counts those that had none." },
	[EVENT_SESSION_CLOSED] = { "session-closed", LOG_LEVEL_INFO,
	    "A client's session has ended: how, and what it did." },
	[EVENT_TLS_FAILED] = { "tls-failed", LOG_LEVEL_WARNING,
	    "The TLS handshake with a client failed." },
	[EVENT_TLS_INJECTION] = { "tls-injection", LOG_LEVEL_WARNING,
	    "Bytes in clear stood behind STARTTLS; they were thrown away." },
	[EVENT_QUIRK_MISSING] = { "quirk-missing", LOG_LEVEL_INFO,
	    "A client's command was refused, and the quirk named would have taken it. Once a "
	    "session." },
	[EVENT_AUTH_SUCCEEDED] = { "auth-succeeded", LOG_LEVEL_INFO, "A client has signed in." },
	[EVENT_AUTH_FAILED] = { "auth-failed", LOG_LEVEL_WARNING, "A client's login was refused." },
	[EVENT_AUTH_UNAVAILABLE] = { "auth-unavailable", LOG_LEVEL_WARNING,
	    "A login could not be checked in time." },
	[EVENT_STORE_DOWN] = { "store-down", LOG_LEVEL_ERROR,
	    "A store of users does not answer; its users cannot sign in until it does." },
	[EVENT_STORE_UP] = { "store-up", LOG_LEVEL_INFO,
	    "A store of users that was down answers again." },
	[EVENT_BANNED] = { "banned", LOG_LEVEL_WARNING,
	    "Too many logins have failed: the address, or the login from there, is turned away." },
	[EVENT_BANS_CHANGED] = { "bans-changed", LOG_LEVEL_INFO,
	    "An operator has added or removed a ban." },
	[EVENT_XCLIENT] = { "xclient", LOG_LEVEL_INFO,
	    "A proxy has said for which client it speaks from now on." },
	[EVENT_LIMIT_REACHED] = { "limit-reached", LOG_LEVEL_ERROR,
	    "A login or an address has sent as much as it may; said once, not for each message." },
	[EVENT_SENDER_REFUSED] = { "sender-refused", LOG_LEVEL_WARNING,
	    "A MAIL was refused: the login may not use that sender, or has sent enough." },
	[EVENT_RECIPIENT_REFUSED] = { "recipient-refused", LOG_LEVEL_INFO, "A RCPT was refused." },
	[EVENT_MESSAGE_ACCEPTED] = { "message-accepted", LOG_LEVEL_INFO,
	    "A message is on disk and its client has been told so." },
	[EVENT_MESSAGE_REFUSED] = { "message-refused", LOG_LEVEL_WARNING,
	    "A message was refused after its content." },
	[EVENT_MESSAGE_DROPPED] = { "message-dropped", LOG_LEVEL_WARNING,
	    "A client left a transaction unfinished after an accepted recipient." },
	[EVENT_DELIVERED] = { "delivered", LOG_LEVEL_INFO,
	    "The next hop has taken the message for this recipient; its reply is verbatim." },
	[EVENT_DEFERRED] = { "deferred", LOG_LEVEL_WARNING,
	    "The next hop did not take the message yet; it will be tried again." },
	[EVENT_BOUNCED] = { "bounced", LOG_LEVEL_WARNING,
	    "The message failed for good for this recipient, and its sender is told." },
	[EVENT_HELD] = { "held", LOG_LEVEL_ERROR,
	    "The message can be neither delivered nor bounced; it stays until somebody decides." },
	[EVENT_DELAY_WARNED] = { "delay-warned", LOG_LEVEL_INFO,
	    "The sender was told that the message is late." },
	[EVENT_HOP_PAUSED] = { "hop-paused", LOG_LEVEL_ERROR,
	    "A next hop cannot be used; its mail waits. The text says what to do." },
	[EVENT_HOP_WAITS] = { "hop-waits", LOG_LEVEL_INFO,
	    "The mail of a next hop waits for a new OAuth token, which is on its way." },
	[EVENT_HOP_RESUMED] = { "hop-resumed", LOG_LEVEL_INFO,
	    "A next hop that was paused works again." },
	[EVENT_HOP_CROWDED] = { "hop-crowded", LOG_LEVEL_WARNING,
	    "A next hop says that too many connections are open; it gets fewer from now on." },
	[EVENT_HOP_LEARNED] = { "hop-learned", LOG_LEVEL_INFO,
	    "Something was learned of a next hop that later sessions will use." },
	[EVENT_HEADER_KEPT] = { "header-kept", LOG_LEVEL_WARNING,
	    "A header that the route rewrites could not be, and went out as it was." },
	[EVENT_MESSAGE_BROKEN] = { "message-broken", LOG_LEVEL_ERROR,
	    "A stored message is damaged and was set aside." },
	[EVENT_QUEUE_CHANGED] = { "queue-changed", LOG_LEVEL_INFO,
	    "An operator has changed the queue." },
	[EVENT_ADMIN_TROUBLE] = { "admin-trouble", LOG_LEVEL_WARNING,
	    "The admin socket could not be served." },
	[EVENT_TOKEN_REFRESHED] = { "token-refreshed", LOG_LEVEL_INFO,
	    "An identity provider has given a new OAuth token." },
	[EVENT_TOKEN_TROUBLE] = { "token-trouble", LOG_LEVEL_WARNING,
	    "An identity provider gave no token; it is asked again." },
	[EVENT_TOKEN_BROKEN] = { "token-broken", LOG_LEVEL_ERROR,
	    "An account gets no OAuth token until somebody acts; the text says how." },
};

const char *event_name(enum event event)
{
	return rows[event].name;
}

enum log_level event_level(enum event event)
{
	return rows[event].level;
}

const char *event_meaning(enum event event)
{
	return rows[event].meaning;
}

void event_begin(struct log_line *line, enum event event)
{
	log_begin(line, rows[event].level, rows[event].name);
}

void event_sentence(enum event event, const char *format, ...)
{
	struct log_line line;
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	event_begin(&line, event);
	log_text(&line, "text", text);
	log_end(&line);
}
