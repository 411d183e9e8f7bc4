/* SPDX-License-Identifier: MIT */
#include "message/remedy.h"

#include "base/memory.h"

static const struct message_remedy rows[] = {
	{ 535, "5.7.139", "basic authentication is disabled", MESSAGE_REMEDY_LOGIN,
	    "the provider has switched sign-in with a password off",
	    "give the account an \"oauth\" block (preset microsoft365); or have the tenant's "
	    "administrator allow basic authentication for this mailbox, as long as that exists" },
	{ 535, "5.7.139", "SmtpClientAuthentication is disabled for the Tenant",
	    MESSAGE_REMEDY_LOGIN, "SMTP AUTH is switched off for the whole organisation",
	    "the tenant's administrator allows it for this mailbox: Set-CASMailbox -Identity "
	    "LOGIN -SmtpClientAuthenticationDisabled $false" },
	{ 535, "5.7.139", "SmtpClientAuthentication is disabled for the Mailbox",
	    MESSAGE_REMEDY_LOGIN, "SMTP AUTH is switched off for this mailbox",
	    "the tenant's administrator allows it: Set-CASMailbox -Identity LOGIN "
	    "-SmtpClientAuthenticationDisabled $false" },
	{ 535, "5.7.139", "security defaults", MESSAGE_REMEDY_LOGIN,
	    "the organisation's security defaults forbid sign-in with a password",
	    "give the account an \"oauth\" block (preset microsoft365); security defaults let "
	    "that pass" },
	{ 535, "5.7.139", "did not meet the criteria", MESSAGE_REMEDY_LOGIN,
	    "a conditional access policy of the organisation refuses this sign-in",
	    "the tenant's administrator finds the policy in the sign-in log of Microsoft Entra" },
	{ 535, "5.7.139", "credentials were incorrect", MESSAGE_REMEDY_LOGIN,
	    "user name or password is wrong",
	    "check both; an account with multi-factor authentication needs an \"oauth\" block" },
	{ 535, "5.7.139", NULL, MESSAGE_REMEDY_LOGIN, "the provider refuses this kind of sign-in",
	    "the sign-in log of Microsoft Entra says why; an \"oauth\" block (preset "
	    "microsoft365) is what the provider wants" },
	{ 535, "5.7.3", NULL, MESSAGE_REMEDY_LOGIN,
	    "user name, password or token is wrong, or the mailbox may not use SMTP AUTH",
	    "check the login (a complete address), that SMTP AUTH is on for the mailbox, and with "
	    "OAuth the permission SMTP.Send (or SMTP.SendAsApp with the mailbox permission)" },
	{ 0, "5.7.30", NULL, MESSAGE_REMEDY_LOGIN,
	    "the provider takes no sign-in with a password any more",
	    "give the account an \"oauth\" block: preset microsoft365" },
	{ 530, "5.7.57", NULL, MESSAGE_REMEDY_LOGIN,
	    "the provider takes mail only from who has signed in",
	    "give the route an account; with one, check that AUTH is listed after STARTTLS" },
	{ 504, "5.7.4", NULL, MESSAGE_REMEDY_LOGIN,
	    "the provider does not take this mechanism here",
	    "\"mechanisms\" in the account names others; behind it SMTP AUTH may be off for the "
	    "mailbox, or no mechanism be left but XOAUTH2, which wants an \"oauth\" block" },
	{ 0, "5.7.60", NULL, MESSAGE_REMEDY_SENDER, "the login has no right to send as this sender",
	    "\"sender replace ADDRESS\" and \"header-from keep-name\" in the route, with the "
	    "login's own address; or have \"Send As\" granted to the login" },
	{ 0, "5.2.252", NULL, MESSAGE_REMEDY_SENDER,
	    "the login has no right to send as this sender",
	    "\"sender replace ADDRESS\" and \"header-from keep-name\" in the route, with the "
	    "login's own address; or have \"Send As\" granted to the login" },
	{ 0, NULL, "SendAsDenied", MESSAGE_REMEDY_SENDER,
	    "the login has no right to send as this sender",
	    "\"sender replace ADDRESS\" and \"header-from keep-name\" in the route, with the "
	    "login's own address; or have \"Send As\" granted to the login" },
	{ 553, "5.7.1", "not owned by user", MESSAGE_REMEDY_SENDER,
	    "the login does not own this sender",
	    "\"sender replace ADDRESS\" in the route, with an address of the login" },
	{ 534, "5.7.9", "Application-specific password", MESSAGE_REMEDY_LOGIN,
	    "the provider wants a password made for programs, not the person's own",
	    "make an app password in the account's security settings, or give the account an "
	    "\"oauth\" block (preset gmail)" },
	{ 534, "5.7.9", NULL, MESSAGE_REMEDY_LOGIN,
	    "the provider wants the person to sign in with a web browser first",
	    "do that once, from this network; then use an app password or an \"oauth\" block "
	    "(preset gmail)" },
	{ 535, "5.7.8", "BadCredentials", MESSAGE_REMEDY_LOGIN,
	    "user name or password is wrong, or the password is the person's own",
	    "the provider takes an app password, or an \"oauth\" block (preset gmail)" },
	{ 432, "4.3.2", NULL, MESSAGE_REMEDY_LIMIT, "too many connections of this login at once",
	    "\"connections-max 3\" in the route; preset microsoft365 has it" },
	{ 421, "4.3.2", "limit", MESSAGE_REMEDY_LIMIT, "too many connections at once",
	    "\"connections-max\" in the route lowers their number" },
	{ 0, NULL, "thread limit exceeded", MESSAGE_REMEDY_LIMIT,
	    "too many connections of this login at once", "\"connections-max 3\" in the route" },
	{ 421, NULL, "too many connections", MESSAGE_REMEDY_LIMIT, "too many connections at once",
	    "\"connections-max\" in the route lowers their number" },
	{ 421, NULL, "maximum number of connections", MESSAGE_REMEDY_LIMIT,
	    "too many connections at once",
	    "\"connections-max\" in the route lowers their number" },
	{ 421, NULL, "too many concurrent", MESSAGE_REMEDY_LIMIT, "too many connections at once",
	    "\"connections-max\" in the route lowers their number" },
	{ 454, "4.7.0", "too many login attempts", MESSAGE_REMEDY_LATER,
	    "the provider has seen too many sign-ins",
	    "wait; \"messages-per-connection\" and \"connections-max\" in the route make them "
	    "fewer" },
	{ 454, "4.7.0", NULL, MESSAGE_REMEDY_LATER, "the server cannot check logins at the moment",
	    "" },
};

static bool contains_nocase(struct span text, struct span part)
{
	for (size_t at = 0; at + part.len <= text.len; at++)
		if (span_starts_with_nocase(span_skip(text, at), part))
			return true;
	return false;
}

/* "5.7.139" is not "5.7.1", wherever it stands. */
static bool has_status(struct span text, const char *status)
{
	struct span word;

	while (span_take_word(&text, &word))
		if (span_equal(word, span_from_string(status)))
			return true;
	return false;
}

static bool fits(const struct message_remedy *row, uint64_t code, struct span text)
{
	return (row->code == 0 || row->code == code) &&
	       (!row->status || has_status(text, row->status)) &&
	       (!row->text || contains_nocase(text, span_from_string(row->text)));
}

const struct message_remedy *message_remedy_find(struct span reply)
{
	uint64_t code;

	if (reply.len < 4 || (reply.data[3] != ' ' && reply.data[3] != '-') ||
	    !span_to_u64(span_head(reply, 3), &code) || code < 400)
		return NULL;
	reply = span_skip(reply, 4);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (fits(&rows[i], code, reply))
			return &rows[i];
	return NULL;
}
