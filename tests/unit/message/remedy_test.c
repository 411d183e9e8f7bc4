/* SPDX-License-Identifier: MIT */
#include "message/remedy.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

/* The providers' own words, to the letter. */
static const struct remedy_case {
	const char *name, *reply;
	enum message_remedy_kind kind;
	const char *meaning, *what_to_do; /* parts of them */
} cases[] = {
	{ "passwords are switched off",
	    "535 5.7.139 Authentication unsuccessful, basic authentication is disabled. "
	    "[FR3P281CA0094.DEUP281.PROD.OUTLOOK.COM 2024-03-05T09:11:49.031Z 08DC3C1F2E]",
	    MESSAGE_REMEDY_LOGIN, "sign-in with a password off", "\"oauth\" block" },
	{ "security defaults",
	    "535 5.7.139 Authentication unsuccessful, user is locked by your organization's "
	    "security defaults policy. Contact your administrator.",
	    MESSAGE_REMEDY_LOGIN, "security defaults forbid", "\"oauth\" block" },
	{ "SMTP AUTH off for the organisation",
	    "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for "
	    "the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.",
	    MESSAGE_REMEDY_LOGIN, "whole organisation", "Set-CASMailbox" },
	{ "SMTP AUTH off for the mailbox",
	    "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for "
	    "the Mailbox. Visit https://aka.ms/smtp_auth_disabled for more information.",
	    MESSAGE_REMEDY_LOGIN, "this mailbox", "Set-CASMailbox" },
	{ "conditional access",
	    "535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to "
	    "be authenticated successfully. Contact your administrator.",
	    MESSAGE_REMEDY_LOGIN, "conditional access", "sign-in log" },
	{ "a wrong password there",
	    "535 5.7.139 Authentication unsuccessful, the user credentials were incorrect.",
	    MESSAGE_REMEDY_LOGIN, "is wrong", "check both" },
	{ "another reason there", "535 5.7.139 Authentication unsuccessful, something new",
	    MESSAGE_REMEDY_LOGIN, "this kind of sign-in", "sign-in log" },
	{ "authentication unsuccessful",
	    "535 5.7.3 Authentication unsuccessful [PR3P191CA0015.EURP191.PROD.OUTLOOK.COM "
	    "2023-11-10T10:20:07.114Z 08DBE1AA]",
	    MESSAGE_REMEDY_LOGIN, "password or token is wrong", "SMTP.Send" },
	{ "basic authentication is gone",
	    "550 5.7.30 Basic authentication is not supported for Client Submission.",
	    MESSAGE_REMEDY_LOGIN, "no sign-in with a password", "\"oauth\" block" },
	{ "nobody has signed in",
	    "530 5.7.57 Client not authenticated to send mail. [EX01.example.org]",
	    MESSAGE_REMEDY_LOGIN, "who has signed in", "give the route an account" },
	{ "an authentication type that is not there",
	    "504 5.7.4 Unrecognized authentication type [FR3P281CA0094.DEUP281.PROD.OUTLOOK.COM]",
	    MESSAGE_REMEDY_LOGIN, "this mechanism", "\"mechanisms\"" },
	{ "another's sender, 5.7.60",
	    "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
	    MESSAGE_REMEDY_SENDER, "send as this sender", "sender replace" },
	{ "another's sender, 5.2.252",
	    "554 5.2.252 SendAsDenied; scan@example.org not allowed to send as cron@box; "
	    "STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied",
	    MESSAGE_REMEDY_SENDER, "send as this sender", "sender replace" },
	{ "another's sender, 5.2.0",
	    "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException."
	    "MapiExceptionSendAsDenied; Failed to process message",
	    MESSAGE_REMEDY_SENDER, "send as this sender", "sender replace" },
	{ "another's sender, Postfix",
	    "553 5.7.1 <root@box.example>: Sender address rejected: not owned by user scan",
	    MESSAGE_REMEDY_SENDER, "own this sender", "sender replace" },
	{ "an app password",
	    "534 5.7.9 Application-specific password required. Learn more at "
	    "https://support.google.com/mail/?p=InvalidSecondFactor q16 - gsmtp",
	    MESSAGE_REMEDY_LOGIN, "made for programs", "app password" },
	{ "a web browser first",
	    "534 5.7.9 Please log in with your web browser and then try again. Learn more at "
	    "https://support.google.com/mail/?p=WebLoginRequired a1 - gsmtp",
	    MESSAGE_REMEDY_LOGIN, "web browser", "oauth" },
	{ "a wrong password at Gmail",
	    "535 5.7.8 Username and Password not accepted. For more information, go to "
	    "https://support.google.com/mail/?p=BadCredentials a1 - gsmtp",
	    MESSAGE_REMEDY_LOGIN, "is wrong", "app password" },
	{ "the password server is away",
	    "454 4.7.0 Temporary authentication failure: Connection lost to authentication "
	    "server",
	    MESSAGE_REMEDY_LATER, "cannot check logins", "" },
	{ "too many sign-ins",
	    "454 4.7.0 Too many login attempts, please try again later. a1 - gsmtp",
	    MESSAGE_REMEDY_LATER, "too many sign-ins", "wait" },
	{ "too many at once, 432",
	    "432 4.3.2 Concurrent connections limit exceeded. Visit "
	    "https://aka.ms/concurrent_sending for more information.",
	    MESSAGE_REMEDY_LIMIT, "too many connections", "connections-max" },
	{ "too many at once, by thread",
	    "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", MESSAGE_REMEDY_LIMIT,
	    "too many connections", "connections-max" },
	{ "too many at once, 421",
	    "421 4.3.2 The maximum number of concurrent server connections has exceeded a "
	    "limit, closing transmission channel",
	    MESSAGE_REMEDY_LIMIT, "too many connections", "connections-max" },
	{ "too many at once, Postfix",
	    "421 4.7.0 mail.example.net Error: too many connections from 192.0.2.1",
	    MESSAGE_REMEDY_LIMIT, "too many connections", "connections-max" },
	{ "too many at once, Dovecot",
	    "421 4.7.0 Maximum number of connections from user+IP exceeded "
	    "(mail_max_userip_connections=10)",
	    MESSAGE_REMEDY_LIMIT, "too many connections", "connections-max" },
};

static void each_reply_has_its_remedy(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct remedy_case *c = &cases[i];
		const struct message_remedy *found =
		    message_remedy_find(span_from_string(c->reply));

		if (!found || found->kind != c->kind || !strstr(found->meaning, c->meaning) ||
		    !strstr(found->what_to_do, c->what_to_do))
			fail_msg("%s: %s; %s", c->name, found ? found->meaning : "no row",
			    found ? found->what_to_do : "");
	}
}

static void other_replies_have_none(void **state)
{
	static const char *const replies[] = {
		"",
		"5",
		"535",
		"abc 5.7.139 basic authentication is disabled",
		"250 5.7.60 accepted",
		"550 5.1.1 no such user",
		"535 5.7.8 Error: authentication failed",
		"550 5.7.1 relaying denied",
		"550 5.7.601 another status",
		"530 5.7.0 Must issue a STARTTLS command first",
		"421 4.3.2 closing for maintenance",
		"451 4.3.2 please try again later",
	};

	for (size_t i = 0; i < ARRAY_LEN(replies); i++)
		if (message_remedy_find(span_from_string(replies[i])))
			fail_msg("a remedy for %s", replies[i]);
}

static void no_part_of_a_reply_is_misread(void **state)
{
	const char *reply = cases[0].reply;

	for (size_t len = 0; len <= strlen(reply); len++) {
		char *part = mem_dup(reply, len);
		const struct message_remedy *found = message_remedy_find(span_of(part, len));

		assert_int_equal(found != NULL, len >= strlen("535 5.7.139"));
		mem_free(part);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_reply_has_its_remedy),
		cmocka_unit_test(other_replies_have_none),
		cmocka_unit_test(no_part_of_a_reply_is_misread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
