/* SPDX-License-Identifier: MIT */
#include "message/status_words.h"

#include "base/memory.h"

/* Without the class: 4.2.2 and 5.2.2 differ in whether trying goes on, not in what is wrong. */
static const struct status_row {
	struct span subject_and_detail;
	const char *words;
} rows[] = {
	{ SPAN("1.0"), "Something is wrong with the address." },
	{ SPAN("1.1"), "There is no such mailbox: please check the part before the @." },
	{ SPAN("1.2"), "There is no such mail domain: please check the part behind the @." },
	{ SPAN("1.3"), "The address is not written in a way that the server understands." },
	{ SPAN("1.4"), "The address fits several mailboxes." },
	{ SPAN("1.6"), "The mailbox has moved, and left no new address." },
	{ SPAN("1.7"), "The sender's address is not written as the server understands it." },
	{ SPAN("1.8"), "The server does not know the sender's domain." },
	{ SPAN("1.10"), "The domain says that it takes no mail at all." },
	{ SPAN("2.0"), "Something is wrong with the mailbox." },
	{ SPAN("2.1"), "The mailbox is disabled and takes no messages." },
	{ SPAN("2.2"), "The mailbox is full." },
	{ SPAN("2.3"), "The message is larger than the mailbox admits." },
	{ SPAN("2.4"), "The mailing list behind the address is at fault." },
	{ SPAN("3.0"), "Something is wrong with the mail server of the recipient." },
	{ SPAN("3.1"), "The mail server of the recipient has no room left." },
	{ SPAN("3.2"), "The mail server of the recipient takes no messages at the moment." },
	{ SPAN("3.3"), "The mail server of the recipient cannot do what the message needs." },
	{ SPAN("3.4"), "The message is larger than the server admits." },
	{ SPAN("3.5"), "The mail server of the recipient is set up wrongly." },
	{ SPAN("4.1"), "The mail server of the recipient did not answer." },
	{ SPAN("4.2"), "The connection to the mail server of the recipient broke." },
	{ SPAN("4.3"), "The name service gave no answer that would help." },
	{ SPAN("4.4"), "No way to the mail server of the recipient is known." },
	{ SPAN("4.5"), "The mail server of the recipient is too busy." },
	{ SPAN("4.6"), "The message went round in circles." },
	{ SPAN("4.7"), "It could not be delivered in the time that it had." },
	{ SPAN("5.3"), "The message has too many recipients for the server." },
	{ SPAN("6.1"), "The server does not take this kind of content." },
	{ SPAN("6.3"), "The content would have to be converted, and could not be." },
	{ SPAN("7.0"), "A rule of the server forbids it." },
	{ SPAN("7.1"), "The server takes no such message from this sender or for this recipient." },
	{ SPAN("7.2"), "The sender may not write to this mailing list." },
	{ SPAN("7.8"), "The server refused the name or password of the relay." },
	{ SPAN("7.20"), "The message carries no valid DKIM signature, which the server demands." },
	{ SPAN("7.23"), "The sender's domain does not admit mail from this relay (SPF)." },
	{ SPAN("7.25"), "The relay's address has no matching name in the DNS." },
	{ SPAN("7.26"), "The message failed the server's checks of its origin (SPF, DKIM)." },
	{ SPAN("7.27"), "The sender's domain says that it sends no mail." },
};

/* Takes one to three digits off *s. */
static bool take_digits(struct span *s)
{
	size_t n = 0;

	while (n < s->len && byte_is_digit(s->data[n]))
		n++;
	if (n < 1 || n > 3)
		return false;
	*s = span_skip(*s, n);
	return true;
}

static bool take_dot(struct span *s)
{
	if (!s->len || s->data[0] != '.')
		return false;
	*s = span_skip(*s, 1);
	return true;
}

bool message_status_is_valid(struct span status)
{
	if (!status.len || span_find(SPAN("245"), status.data[0]) == 3)
		return false;
	status = span_skip(status, 1);
	return take_dot(&status) && take_digits(&status) && take_dot(&status) &&
	       take_digits(&status) && !status.len;
}

const char *message_status_words(struct span status)
{
	if (!message_status_is_valid(status) || status.data[0] == '2')
		return "";
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (span_equal(span_skip(status, 2), rows[i].subject_and_detail))
			return rows[i].words;
	}
	return "";
}
