/* SPDX-License-Identifier: MIT */
#include "smtp/reply.h"

#include <assert.h>
#include <string.h>

static const struct smtp_reply replies[SMTP_REPLY_COUNT] = {
	[SMTP_REPLY_GREETING] = { 220, NULL, "ESMTP" },
	[SMTP_REPLY_HELLO] = { 250, NULL, "Hello" },
	[SMTP_REPLY_HELP] = { 214, "2.0.0", "See RFC 5321" },
	[SMTP_REPLY_BYE] = { 221, "2.0.0", "Bye" },
	[SMTP_REPLY_DONE] = { 250, "2.0.0", "OK" },
	[SMTP_REPLY_START_TLS] = { 220, "2.0.0", "Begin TLS now" },
	[SMTP_REPLY_WILL_TRY] = { 252, "2.0.0",
	    "Addresses are not verified here; send the message and see" },

	[SMTP_REPLY_AUTHENTICATED] = { 235, "2.7.0", "Authentication succeeded" },
	[SMTP_REPLY_CHALLENGE] = { 334, NULL, "" },
	[SMTP_REPLY_AUTH_CANCELLED] = { 501, "5.0.0", "Authentication cancelled" },
	[SMTP_REPLY_AUTH_MALFORMED] = { 501, "5.5.2", "That is not base64" },
	[SMTP_REPLY_AUTH_TOO_LONG] = { 500, "5.5.6",
	    "The line is too long; an AUTH line may have 12288 octets" },
	[SMTP_REPLY_AUTH_REJECTED] = { 535, "5.7.8", "User name or password is wrong" },
	[SMTP_REPLY_AUTH_TEMPORARY] = { 454, "4.7.0",
	    "The login cannot be checked at the moment; try again later" },
	[SMTP_REPLY_AUTH_MECHANISM_UNKNOWN] = { 504, "5.5.4", "That mechanism is not offered" },
	[SMTP_REPLY_AUTH_MECHANISM_TOO_WEAK] = { 534, "5.7.9",
	    "That mechanism is too weak for this account" },
	[SMTP_REPLY_AUTH_NOT_OFFERED] = { 502, "5.5.1", "AUTH is not offered here" },
	[SMTP_REPLY_AUTH_NEEDS_TLS] = { 538, "5.7.11",
	    "AUTH is offered only under TLS: STARTTLS first" },
	[SMTP_REPLY_AUTH_ALREADY] = { 503, "5.5.1",
	    "This session is authenticated already; open another for another login" },
	[SMTP_REPLY_AUTH_IN_TRANSACTION] = { 503, "5.5.1",
	    "AUTH comes before MAIL; RSET ends the present transaction" },
	[SMTP_REPLY_AUTH_REQUIRED] = { 530, "5.7.0", "Authentication is required: AUTH first" },
	[SMTP_REPLY_TLS_REQUIRED] = { 530, "5.7.0", "TLS is required: STARTTLS first" },

	[SMTP_REPLY_SENDER_OK] = { 250, "2.1.0", "Sender OK" },
	[SMTP_REPLY_RECIPIENT_OK] = { 250, "2.1.5", "Recipient OK" },
	[SMTP_REPLY_START_CONTENT] = { 354, NULL,
	    "Send the message; end it with a line that holds a single dot" },
	[SMTP_REPLY_CHUNK_TAKEN] = { 250, "2.0.0", "Chunk taken" },
	[SMTP_REPLY_MESSAGE_KEPT] = { 250, "2.0.0", "Accepted" },

	[SMTP_REPLY_CLOSING_SHUTDOWN] = { 421, "4.3.2", "Shutting down; try again later" },
	[SMTP_REPLY_CLOSING_IDLE] = { 421, "4.4.2", "Waited too long for the client; closing" },
	[SMTP_REPLY_CLOSING_ERRORS] = { 421, "4.7.0", "Too many wrong commands; closing" },
	[SMTP_REPLY_CLOSING_COMMANDS] = { 421, "4.7.0",
	    "Too many commands without a message; closing" },
	[SMTP_REPLY_CLOSING_AUTH_FAILURES] = { 421, "4.7.0", "Too many failed logins; closing" },
	[SMTP_REPLY_CLOSING_CONNECTIONS] = { 421, "4.7.0",
	    "Too many connections at the moment; try again later" },
	[SMTP_REPLY_CLOSING_CONNECTIONS_ADDRESS] = { 421, "4.7.0",
	    "Too many connections from your address; try again later" },
	[SMTP_REPLY_CLOSING_BANNED] = { 421, "4.7.0",
	    "Too many failed logins from your address; try again later" },
	[SMTP_REPLY_CLOSING_CONTENT] = { 421, "4.7.0",
	    "The message is endless, and far beyond the limit; closing" },
	[SMTP_REPLY_CLOSING_CHUNK] = { 421, "4.7.0",
	    "The form is BDAT octets [LAST]; what follows cannot be told from commands; closing" },
	[SMTP_REPLY_CLOSING_LINE] = { 421, "4.7.0", "The line does not end; closing" },
	[SMTP_REPLY_CLOSING_TLS_HELLO] = { 421, "4.7.0",
	    "This port does not begin with TLS: use STARTTLS, or the port for implicit TLS" },
	[SMTP_REPLY_CLOSING_HTTP] = { 421, "4.7.0", "This is a mail server, not a web server" },
	[SMTP_REPLY_CLOSING_LOCAL_ERROR] = { 421, "4.3.0",
	    "Something is wrong here; try again later" },

	[SMTP_REPLY_LOCAL_ERROR] = { 451, "4.3.0", "Something is wrong here; try again later" },
	[SMTP_REPLY_MAILBOX_BUSY] = { 450, "4.2.0", "The mailbox is busy; try again later" },
	[SMTP_REPLY_SENDER_TEMPORARY] = { 451, "4.1.8",
	    "The sender cannot be checked at the moment; try again later" },
	[SMTP_REPLY_RECIPIENT_TEMPORARY] = { 451, "4.4.0",
	    "The recipient cannot be checked at the moment; try again later" },
	[SMTP_REPLY_POLICY_TEMPORARY] = { 451, "4.7.1",
	    "This cannot be decided at the moment; try again later" },
	[SMTP_REPLY_RATE_LIMITED] = { 451, "4.7.1",
	    "Too much in too short a time; try again later" },
	[SMTP_REPLY_NO_SPACE] = { 452, "4.3.1", "No space left to keep mail; try again later" },
	[SMTP_REPLY_TOO_BUSY] = { 452, "4.3.1", "Too busy at the moment; try again later" },
	[SMTP_REPLY_TOO_MANY_RECIPIENTS] = { 452, "4.5.3",
	    "Too many recipients; send the rest in another transaction" },
	[SMTP_REPLY_TLS_UNAVAILABLE] = { 454, "4.7.0", "TLS is not available at the moment" },

	[SMTP_REPLY_COMMAND_UNKNOWN] = { 500, "5.5.1",
	    "The command is unknown; HELP lists the known ones" },
	[SMTP_REPLY_LINE_TOO_LONG] = { 500, "5.5.2", "The line is too long" },
	[SMTP_REPLY_LINE_BARE_NEWLINE] = { 500, "5.5.2", "Only CR LF ends a line" },
	[SMTP_REPLY_LINE_BINARY] = { 500, "5.5.2", "Commands are printable ASCII" },
	[SMTP_REPLY_SYNTAX] = { 501, "5.5.2", "The command is malformed" },
	[SMTP_REPLY_ARGUMENTS] = { 501, "5.5.4", "The arguments are wrong" },
	[SMTP_REPLY_HELO_NAME_MISSING] = { 501, "5.5.4", "The name of the client is missing" },
	[SMTP_REPLY_NOT_IMPLEMENTED] = { 502, "5.5.1", "That command is not offered here" },
	[SMTP_REPLY_STARTTLS_NOT_OFFERED] = { 502, "5.5.1", "STARTTLS is not offered here" },
	[SMTP_REPLY_OUT_OF_SEQUENCE] = { 503, "5.5.1", "That command is out of order here" },
	[SMTP_REPLY_HELLO_FIRST] = { 503, "5.5.1", "EHLO or HELO first" },
	[SMTP_REPLY_MAIL_FIRST] = { 503, "5.5.1", "MAIL FROM first" },
	[SMTP_REPLY_RECIPIENT_FIRST] = { 503, "5.5.1",
	    "RCPT TO first: no recipient has been accepted" },
	[SMTP_REPLY_MAIL_NESTED] = { 503, "5.5.1", "There is a sender already; RSET begins anew" },
	[SMTP_REPLY_CHUNKS_BEGUN] = { 503, "5.5.1",
	    "The message comes in chunks: BDAT goes on with it, RSET drops it" },
	[SMTP_REPLY_TLS_ALREADY] = { 503, "5.5.1", "TLS is active already" },
	[SMTP_REPLY_PARAMETER_VALUE] = { 501, "5.5.4", "The parameter's value is wrong" },
	[SMTP_REPLY_PARAMETER_UNKNOWN] = { 555, "5.5.4", "The parameter is not offered" },

	[SMTP_REPLY_SENDER_SYNTAX] = { 553, "5.1.7", "The sender's address is malformed" },
	[SMTP_REPLY_RECIPIENT_SYNTAX] = { 553, "5.1.3", "The recipient's address is malformed" },
	[SMTP_REPLY_SENDER_REFUSED] = { 553, "5.1.7", "The sender's address is not acceptable" },
	[SMTP_REPLY_RECIPIENT_REFUSED] = { 553, "5.1.3",
	    "The recipient's address is not acceptable" },
	[SMTP_REPLY_NEEDS_SMTPUTF8] = { 553, "5.6.7",
	    "The address has letters outside ASCII, and SMTPUTF8 is not offered" },
	[SMTP_REPLY_RECIPIENT_UNKNOWN] = { 550, "5.1.1", "There is no such mailbox here" },
	[SMTP_REPLY_SENDER_NOT_OWNED] = { 553, "5.7.1", "This login may not use that sender" },

	[SMTP_REPLY_RELAYING_DENIED] = { 550, "5.7.1",
	    "Mail for that address is not passed on for you: sign in (AUTH) first" },
	[SMTP_REPLY_POLICY_REFUSED] = { 550, "5.7.1", "Refused by the rules of this server" },
	[SMTP_REPLY_ACCESS_DENIED] = { 554, "5.7.1", "Your address may not use this server" },

	[SMTP_REPLY_BARE_NEWLINE] = { 550, "5.6.11", "Only CR LF ends a line of a message" },
	[SMTP_REPLY_TOO_LARGE] = { 552, "5.3.4", "The message is too large" },
	[SMTP_REPLY_LOOP] = { 554, "5.4.6",
	    "The message goes in a circle: too many Received fields" },
	[SMTP_REPLY_CONTENT_REFUSED] = { 554, "5.6.0", "The content is not acceptable" },
};

const struct smtp_reply *smtp_reply_get(enum smtp_reply_id id)
{
	assert(id < SMTP_REPLY_COUNT && replies[id].code != 0);
	return &replies[id];
}

/* Without printf: several replies are sent for each message. */
static void append_prefix(struct buf *b, const struct smtp_reply *reply, bool is_last)
{
	char code[4] = { (char)('0' + reply->code / 100), (char)('0' + reply->code / 10 % 10),
		(char)('0' + reply->code % 10), is_last ? ' ' : '-' };

	buf_append(b, span_of(code, sizeof(code)));
	if (!reply->enhanced)
		return;
	buf_append_string(b, reply->enhanced);
	buf_append_byte(b, ' ');
}

/* The length of the part of text that fits on one line; ends at a blank in its second half if one
   is there. */
static size_t line_extent(struct span text, size_t room)
{
	size_t len = room;

	if (text.len <= room)
		return text.len;
	while (len > room / 2 && text.data[len] != ' ')
		len--;
	return len > room / 2 ? len : room;
}

static void append_printable(struct buf *b, struct span text)
{
	char *out = buf_reserve(b, text.len);

	for (size_t i = 0; i < text.len; i++)
		out[i] = text.data[i] < ' ' || text.data[i] > '~' ? '?' : text.data[i];
	buf_commit(b, text.len);
}

bool smtp_reply_append(struct buf *b, enum smtp_reply_id id, struct span text)
{
	return smtp_reply_append_custom(b, smtp_reply_get(id), text);
}

bool smtp_reply_append_custom(struct buf *b, const struct smtp_reply *reply, struct span text)
{
	size_t prefix = 4 + (reply->enhanced ? strlen(reply->enhanced) + 1 : 0);
	size_t room = SMTP_REPLY_LINE_MAX - 2 - prefix;

	if (text.len == 0)
		text = span_from_string(reply->text);
	if (text.len > SMTP_REPLY_TEXT_MAX)
		text.len = SMTP_REPLY_TEXT_MAX;
	/* Each line is at least half full, or the last. */
	if (b->max - b->len < text.len + (text.len / (room / 2) + 2) * (prefix + 2))
		return false;
	for (;;) {
		size_t len = line_extent(text, room);

		append_prefix(b, reply, len == text.len);
		append_printable(b, span_head(text, len));
		buf_append(b, SPAN("\r\n"));
		if (len == text.len)
			return true;
		text = span_skip(text, len);
		if (text.data[0] == ' ')
			text = span_skip(text, 1);
	}
}
