/* SPDX-License-Identifier: MIT */
#include "account/oauth_remedy.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>

/*
 * The first row that fits. In a sentence $ is followed by one letter: $T the tenant, $C the
 * client-id, $L the login, $A the account's label, $S the scope.
 */
static const struct row {
	enum oauth_provider provider; /* OTHER: any */
	unsigned number;              /* of Microsoft; 0: any */
	const char *code;             /* NULL: any */
	const char *words;            /* in the description; NULL: any */
	enum oauth_trouble trouble;
	const char *sentence;
} rows[] = {
	/* The device flow, which is no trouble yet. Microsoft has 70016 for it as well. */
	{ 0, 0, "authorization_pending", NULL, OAUTH_TROUBLE_WAIT, "nobody has signed in yet" },
	{ 0, 70016, NULL, NULL, OAUTH_TROUBLE_WAIT, "nobody has signed in yet" },
	{ 0, 0, "slow_down", NULL, OAUTH_TROUBLE_SLOW_DOWN, "nobody has signed in yet" },
	{ 0, 0, "expired_token", NULL, OAUTH_TROUBLE_GRANT,
	    "the code has expired before anybody signed in with it: start again" },
	{ 0, 70019, NULL, NULL, OAUTH_TROUBLE_GRANT,
	    "the code has expired before anybody signed in with it: start again" },
	{ 0, 70020, NULL, NULL, OAUTH_TROUBLE_GRANT,
	    "the code has expired before anybody signed in with it: start again" },

	/* Microsoft: learn.microsoft.com, "Microsoft Entra authentication and authorization error
	   codes". */
	{ OAUTH_PROVIDER_MICROSOFT, 90002, NULL, NULL, OAUTH_TROUBLE_SETTINGS,
	    "there is no tenant $T: \"tenant\" is the directory (tenant) ID or the domain, as the "
	    "app registration's overview shows it" },
	{ OAUTH_PROVIDER_MICROSOFT, 900023, NULL, NULL, OAUTH_TROUBLE_SETTINGS,
	    "$T is neither a tenant's ID nor its domain: \"tenant\" is what the app registration's "
	    "overview calls directory (tenant) ID" },
	{ OAUTH_PROVIDER_MICROSOFT, 900971, NULL, NULL, OAUTH_TROUBLE_SETTINGS,
	    "the app registration has no redirect address: under Authentication add the platform "
	    "\"Mobile and desktop applications\" with http://localhost" },
	{ OAUTH_PROVIDER_MICROSOFT, 50011, NULL, NULL, OAUTH_TROUBLE_SETTINGS,
	    "the app registration does not know the redirect address: under Authentication add the "
	    "platform \"Mobile and desktop applications\" with http://localhost" },
	{ OAUTH_PROVIDER_MICROSOFT, 700016, NULL, NULL, OAUTH_TROUBLE_SETTINGS,
	    "the tenant $T has no application $C: \"client-id\" is the application (client) ID of "
	    "the app registration in this tenant" },
	{ OAUTH_PROVIDER_MICROSOFT, 700038, NULL, NULL, OAUTH_TROUBLE_SETTINGS,
	    "$C is no application's ID: \"client-id\" is the application (client) ID of the app "
	    "registration" },
	{ OAUTH_PROVIDER_MICROSOFT, 7000215, NULL, NULL, OAUTH_TROUBLE_SETTINGS,
	    "the client secret is wrong: client-secret-file wants the secret's value, not its ID" },
	{ OAUTH_PROVIDER_MICROSOFT, 7000222, NULL, NULL, OAUTH_TROUBLE_SETTINGS,
	    "the client secret has expired: make a new one in the app registration under "
	    "Certificates & secrets and put its value into client-secret-file" },
	{ OAUTH_PROVIDER_MICROSOFT, 7000218, NULL, NULL, OAUTH_TROUBLE_SETTINGS,
	    "the provider wants a client secret: in the app registration under Authentication set "
	    "\"Allow public client flows\" to Yes, or name a client-secret-file" },
	{ OAUTH_PROVIDER_MICROSOFT, 700025, NULL, NULL, OAUTH_TROUBLE_SETTINGS,
	    "the application is a public client, which has no secret: remove client-secret-file" },
	{ OAUTH_PROVIDER_MICROSOFT, 65001, NULL, NULL, OAUTH_TROUBLE_GRANT,
	    "nobody has consented to the permission yet: in the app registration under API "
	    "permissions add SMTP.Send (delegated) and grant admin consent, then run frank token "
	    "login $A" },
	{ OAUTH_PROVIDER_MICROSOFT, 65004, NULL, NULL, OAUTH_TROUBLE_GRANT,
	    "the consent was declined: run frank token login $A and accept it" },
	{ OAUTH_PROVIDER_MICROSOFT, 90094, NULL, NULL, OAUTH_TROUBLE_GRANT,
	    "an administrator has to consent: in the app registration under API permissions grant "
	    "admin consent, then run frank token login $A" },
	{ OAUTH_PROVIDER_MICROSOFT, 70011, NULL, NULL, OAUTH_TROUBLE_SETTINGS,
	    "the scope \"$S\" is not valid for this application" },
	{ OAUTH_PROVIDER_MICROSOFT, 1002012, NULL, NULL, OAUTH_TROUBLE_SETTINGS,
	    "the scope \"$S\" is not for client credentials: it has to end in /.default" },
	{ OAUTH_PROVIDER_MICROSOFT, 500011, NULL, NULL, OAUTH_TROUBLE_SETTINGS,
	    "the tenant has no such resource as the scope \"$S\" names" },
	{ OAUTH_PROVIDER_MICROSOFT, 50076, NULL, NULL, OAUTH_TROUBLE_GRANT,
	    "the tenant demands a second factor now: run frank token login $A, or exempt the "
	    "account from multi-factor authentication" },
	{ OAUTH_PROVIDER_MICROSOFT, 50079, NULL, NULL, OAUTH_TROUBLE_GRANT,
	    "the tenant demands that a second factor is set up: run frank token login $A" },
	{ OAUTH_PROVIDER_MICROSOFT, 50078, NULL, NULL, OAUTH_TROUBLE_GRANT,
	    "the second factor has expired: run frank token login $A" },
	{ OAUTH_PROVIDER_MICROSOFT, 53003, NULL, NULL, OAUTH_TROUBLE_GRANT,
	    "a conditional access policy of the tenant forbids it: its administrator must let $L "
	    "in from this machine; then run frank token login $A" },
	{ OAUTH_PROVIDER_MICROSOFT, 53000, NULL, NULL, OAUTH_TROUBLE_GRANT,
	    "a conditional access policy wants a managed device: the administrator must exempt "
	    "$L; then run frank token login $A" },
	{ OAUTH_PROVIDER_MICROSOFT, 530036, NULL, NULL, OAUTH_TROUBLE_SETTINGS,
	    "a conditional access policy forbids the device flow: use \"flow code\"" },
	{ OAUTH_PROVIDER_MICROSOFT, 70008, NULL, NULL, OAUTH_TROUBLE_GRANT,
	    "the sign-in has expired: run frank token login $A" },
	{ OAUTH_PROVIDER_MICROSOFT, 700082, NULL, NULL, OAUTH_TROUBLE_GRANT,
	    "the sign-in has expired because it was not used for long: run frank token login $A" },
	{ OAUTH_PROVIDER_MICROSOFT, 700084, NULL, NULL, OAUTH_TROUBLE_GRANT,
	    "the sign-in of a single-page application ends after 24 hours: register the redirect "
	    "address under \"Mobile and desktop applications\", then run frank token login $A" },
	{ OAUTH_PROVIDER_MICROSOFT, 50173, NULL, NULL, OAUTH_TROUBLE_GRANT,
	    "the sign-in has ended because the password was changed or the sessions were revoked: "
	    "run frank token login $A" },
	{ OAUTH_PROVIDER_MICROSOFT, 50057, NULL, NULL, OAUTH_TROUBLE_GRANT,
	    "the user $L is disabled at the provider" },
	{ OAUTH_PROVIDER_MICROSOFT, 50034, NULL, NULL, OAUTH_TROUBLE_GRANT,
	    "the tenant $T has no such user: sign in as a user of this tenant" },
	{ OAUTH_PROVIDER_MICROSOFT, 50020, NULL, NULL, OAUTH_TROUBLE_GRANT,
	    "whoever signed in is not a user of the tenant $T: run frank token login $A and sign "
	    "in as one" },
	{ OAUTH_PROVIDER_MICROSOFT, 50105, NULL, NULL, OAUTH_TROUBLE_SETTINGS,
	    "the enterprise application admits assigned users only: assign $L to it" },
	{ OAUTH_PROVIDER_MICROSOFT, 7000112, NULL, NULL, OAUTH_TROUBLE_SETTINGS,
	    "the application $C is disabled: enable it under Enterprise applications" },
	{ OAUTH_PROVIDER_MICROSOFT, 90033, NULL, NULL, OAUTH_TROUBLE_PASSING,
	    "the provider says that it is out of order for a moment" },
	{ OAUTH_PROVIDER_MICROSOFT, 90055, NULL, NULL, OAUTH_TROUBLE_PASSING,
	    "the provider was asked too often" },
	{ OAUTH_PROVIDER_MICROSOFT, 50196, NULL, NULL, OAUTH_TROUBLE_PASSING,
	    "the provider was asked too often" },

	/* Google: developers.google.com/identity/protocols/oauth2, and what its servers say. */
	{ OAUTH_PROVIDER_GOOGLE, 0, "disabled_client", NULL, OAUTH_TROUBLE_SETTINGS,
	    "the OAuth client is disabled: enable it in the Google Cloud console" },
	{ OAUTH_PROVIDER_GOOGLE, 0, "deleted_client", NULL, OAUTH_TROUBLE_SETTINGS,
	    "the OAuth client was deleted: make another one in the Google Cloud console and "
	    "change client-id" },
	{ OAUTH_PROVIDER_GOOGLE, 0, "invalid_client", NULL, OAUTH_TROUBLE_SETTINGS,
	    "client-id and client secret do not belong together, or the client does not exist: "
	    "copy both from the OAuth client in the Google Cloud console" },
	{ OAUTH_PROVIDER_GOOGLE, 0, "invalid_grant", "Invalid email", OAUTH_TROUBLE_SETTINGS,
	    "there is no user $L whom the service account could stand for: login is a user's "
	    "primary address in the Workspace domain" },
	{ OAUTH_PROVIDER_GOOGLE, 0, "invalid_grant", "Invalid JWT Signature",
	    OAUTH_TROUBLE_SETTINGS,
	    "the service account's key is not known any more: make a new key and change key-file" },
	{ OAUTH_PROVIDER_GOOGLE, 0, "invalid_grant", "Invalid JWT", OAUTH_TROUBLE_SETTINGS,
	    "the provider does not accept the signed request: this machine's clock may be wrong" },
	{ OAUTH_PROVIDER_GOOGLE, 0, "invalid_grant", "account not found", OAUTH_TROUBLE_SETTINGS,
	    "the service account does not exist any more: make one and change key-file" },
	{ OAUTH_PROVIDER_GOOGLE, 0, "invalid_grant", NULL, OAUTH_TROUBLE_GRANT,
	    "the sign-in has ended: it was revoked, the password was changed, it was not used for "
	    "six months, or the consent screen is in testing, where it lasts 7 days. Run frank "
	    "token login $A" },
	{ OAUTH_PROVIDER_GOOGLE, 0, "unauthorized_client", NULL, OAUTH_TROUBLE_SETTINGS,
	    "the client may not do this: for a service account add its client ID with the scope $S "
	    "under Security, API controls, Domain-wide delegation in the Admin console (it takes "
	    "minutes to work); otherwise the OAuth client must be a \"Desktop app\"" },
	{ OAUTH_PROVIDER_GOOGLE, 0, "access_denied", NULL, OAUTH_TROUBLE_GRANT,
	    "the sign-in was refused: whoever signed in declined, or is no test user of a consent "
	    "screen in testing. Run frank token login $A" },
	{ OAUTH_PROVIDER_GOOGLE, 0, "admin_policy_enforced", NULL, OAUTH_TROUBLE_GRANT,
	    "the Workspace administrator does not let this application in: trust it in the Admin "
	    "console under API controls, then run frank token login $A" },
	{ OAUTH_PROVIDER_GOOGLE, 0, "redirect_uri_mismatch", NULL, OAUTH_TROUBLE_SETTINGS,
	    "the OAuth client does not take a loopback address: it must be a \"Desktop app\"" },

	/* The codes of the RFCs. */
	{ 0, 0, "invalid_grant", NULL, OAUTH_TROUBLE_GRANT,
	    "the sign-in has ended: it has expired or was revoked. Run frank token login $A" },
	{ 0, 0, "interaction_required", NULL, OAUTH_TROUBLE_GRANT,
	    "the provider wants somebody to sign in: run frank token login $A" },
	{ 0, 0, "consent_required", NULL, OAUTH_TROUBLE_GRANT,
	    "somebody has to consent: run frank token login $A" },
	{ 0, 0, "access_denied", NULL, OAUTH_TROUBLE_GRANT,
	    "the sign-in was refused, or declined by whoever was asked: run frank token login $A" },
	{ 0, 0, "authorization_declined", NULL, OAUTH_TROUBLE_GRANT,
	    "whoever was asked has declined: run frank token login $A" },
	{ 0, 0, "bad_verification_code", NULL, OAUTH_TROUBLE_GRANT,
	    "the provider does not know the code: start again" },
	{ 0, 0, "invalid_client", NULL, OAUTH_TROUBLE_SETTINGS,
	    "the provider does not accept client-id $C and its secret" },
	{ 0, 0, "unauthorized_client", NULL, OAUTH_TROUBLE_SETTINGS,
	    "the provider does not allow this flow to the client $C" },
	{ 0, 0, "unsupported_grant_type", NULL, OAUTH_TROUBLE_SETTINGS,
	    "the provider does not have this flow" },
	{ 0, 0, "invalid_scope", NULL, OAUTH_TROUBLE_SETTINGS,
	    "the provider does not know the scope \"$S\", or does not give it to this client" },
	{ 0, 0, "invalid_request", NULL, OAUTH_TROUBLE_SETTINGS,
	    "the provider does not accept the request" },
	{ 0, 0, "temporarily_unavailable", NULL, OAUTH_TROUBLE_PASSING,
	    "the provider is out of order" },
	{ 0, 0, "server_error", NULL, OAUTH_TROUBLE_PASSING, "the provider is out of order" },
	{ 0, 0, NULL, NULL, OAUTH_TROUBLE_PASSING, "the provider gives no token" },
};

static bool fits(
    const struct row *row, const struct oauth_settings *settings, const struct oauth_error *error)
{
	struct span description = span_from_string(error->description);

	if (row->provider != OAUTH_PROVIDER_OTHER && row->provider != settings->provider)
		return false;
	if (row->number != 0 && row->number != error->number)
		return false;
	if (row->code && strcmp(row->code, error->code) != 0)
		return false;
	return !row->words ||
	       span_find_span(description, span_from_string(row->words)) < description.len;
}

static const char *value_of(char letter, const struct oauth_settings *settings)
{
	const char *value = NULL;

	switch (letter) {
	case 'T':
		value = settings->tenant;
		break;
	case 'C':
		value = settings->client_id;
		break;
	case 'L':
		value = settings->login;
		break;
	case 'A':
		value = settings->label;
		break;
	case 'S':
		value = settings->scope;
		break;
	}
	return value ? value : "?";
}

static void write_sentence(
    struct buf *out, const char *sentence, const struct oauth_settings *settings)
{
	for (const char *at = sentence; *at != '\0'; at++) {
		if (at[0] == '$' && at[1] != '\0')
			buf_append_string(out, value_of(*++at, settings));
		else
			buf_append_byte(out, *at);
	}
}

/* A service account or an application has no sign-in that could be renewed. */
static const struct row *without_sign_in(const struct row *row)
{
	static const struct row refused = { .trouble = OAUTH_TROUBLE_SETTINGS,
		.sentence = "the provider does not give $C a token for $L" };

	return row->trouble == OAUTH_TROUBLE_GRANT ? &refused : row;
}

enum oauth_trouble oauth_remedy(const struct oauth_account *account,
    const struct oauth_error *error, char text_out[OAUTH_REMEDY_MAX])
{
	const struct oauth_settings *settings = &account->settings;
	const struct row *row = rows;
	struct buf text;

	while (!fits(row, settings, error))
		row++;
	if (!oauth_flow_is_interactive(settings->flow))
		row = without_sign_in(row);
	buf_init(&text, 8192);
	write_sentence(&text, row->sentence, settings);
	if (error->code[0] != '\0')
		buf_printf(&text, " (%s%s%s)", error->code, error->description[0] ? ": " : "",
		    error->description);
	snprintf(text_out, OAUTH_REMEDY_MAX, "%s", buf_string(&text));
	buf_fini(&text);
	return row->trouble;
}
