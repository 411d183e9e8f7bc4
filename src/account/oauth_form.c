/* SPDX-License-Identifier: MIT */
#include "account/oauth_form.h"

#include <string.h>

void oauth_form_escape(struct span bytes, struct buf *out)
{
	for (size_t i = 0; i < bytes.len; i++) {
		char c = bytes.data[i];
		if (byte_is_alpha(c) || byte_is_digit(c) || (c != '\0' && strchr("-._~", c)))
			buf_append_byte(out, c);
		else
			buf_printf(out, "%%%02X", (unsigned)(unsigned char)c);
	}
}

/* One field, with the & between it and what stands before; none for an empty value. */
static void put(struct buf *out, const char *name, struct span value)
{
	if (value.len == 0)
		return;
	if (out->len > 0 && out->data[out->start + out->len - 1] != '?')
		buf_append_byte(out, '&');
	buf_append_string(out, name);
	buf_append_byte(out, '=');
	oauth_form_escape(value, out);
}

static void put_string(struct buf *out, const char *name, const char *value)
{
	put(out, name, span_from_string(value));
}

static void put_client(const struct oauth_account *account, struct buf *out)
{
	put_string(out, "client_id", account->settings.client_id);
	put(out, "client_secret", buf_span(&account->client_secret));
}

/* Public at this step: the secret goes to the token end point only. */
void oauth_form_device(const struct oauth_account *account, struct buf *out)
{
	put_string(out, "client_id", account->settings.client_id);
	put_string(out, "scope", account->settings.scope);
}

void oauth_form_device_token(
    const struct oauth_account *account, struct span device_code, struct buf *out)
{
	put_string(out, "grant_type", "urn:ietf:params:oauth:grant-type:device_code");
	put(out, "device_code", device_code);
	put_client(account, out);
}

/* Google gives a refresh token only when asked for offline access, and the second time only with
   the consent asked for again. */
void oauth_form_authorization(const struct oauth_account *account, struct span redirect,
    struct span challenge, struct span state, struct buf *out)
{
	const struct oauth_settings *settings = &account->settings;
	bool has_query = strchr(settings->authorization_endpoint, '?') != NULL;

	buf_append_string(out, settings->authorization_endpoint);
	if (!has_query)
		buf_append_byte(out, '?');
	put_string(out, "response_type", "code");
	put_string(out, "client_id", settings->client_id);
	put(out, "redirect_uri", redirect);
	put_string(out, "scope", settings->scope);
	put(out, "state", state);
	put(out, "code_challenge", challenge);
	put_string(out, "code_challenge_method", "S256");
	put_string(out, "login_hint", settings->login);
	if (settings->provider == OAUTH_PROVIDER_GOOGLE) {
		put_string(out, "access_type", "offline");
		put_string(out, "prompt", "consent");
	}
}

void oauth_form_code(const struct oauth_account *account, struct span code, struct span redirect,
    struct span verifier, struct buf *out)
{
	put_string(out, "grant_type", "authorization_code");
	put(out, "code", code);
	put(out, "redirect_uri", redirect);
	put(out, "code_verifier", verifier);
	put_client(account, out);
}

void oauth_form_refresh(
    const struct oauth_account *account, struct span refresh_token, struct buf *out)
{
	put_string(out, "grant_type", "refresh_token");
	put(out, "refresh_token", refresh_token);
	put_client(account, out);
}

void oauth_form_client_credentials(const struct oauth_account *account, struct buf *out)
{
	put_string(out, "grant_type", "client_credentials");
	put_string(out, "scope", account->settings.scope);
	put_client(account, out);
}

void oauth_form_assertion(struct span assertion, struct buf *out)
{
	put_string(out, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
	put(out, "assertion", assertion);
}

/* ---- reading ---- */

static int hex_value(char c)
{
	if (byte_is_digit(c))
		return c - '0';
	c = byte_to_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %XX and +; false when a % is not followed by two hexadecimal digits. */
static bool decode(struct span text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			int high = i + 2 < text.len ? hex_value(text.data[i + 1]) : -1;
			int low = i + 2 < text.len ? hex_value(text.data[i + 2]) : -1;
			if (high < 0 || low < 0)
				return false;
			c = (char)(high * 16 + low);
			i += 2;
		}
		if (!buf_append_byte(out, c))
			return false;
	}
	return true;
}

static struct span query_of(struct span address)
{
	size_t mark = span_find(address, '?');
	struct span query = mark < address.len ? span_skip(address, mark + 1) : address;

	return span_head(query, span_find(query, '#'));
}

bool oauth_form_value(struct span address, struct span name, struct buf *out)
{
	struct span query = query_of(address), field;
	size_t before = out->len;

	while (span_take_until(&query, '&', &field)) {
		size_t equals = span_find(field, '=');
		if (equals == field.len || !span_equal(span_head(field, equals), name))
			continue;
		if (decode(span_skip(field, equals + 1), out))
			return true;
		buf_truncate(out, before);
		return false;
	}
	return false;
}
