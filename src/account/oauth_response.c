/* SPDX-License-Identifier: MIT */
#include "account/oauth_response.h"

#include "base/escape.h"
#include "base/memory.h"

#include <jansson.h>
#include <string.h>

void oauth_grant_init(struct oauth_grant *grant)
{
	buf_init_secret(&grant->access_token, OAUTH_TOKEN_MAX);
	buf_init_secret(&grant->refresh_token, OAUTH_TOKEN_MAX);
	grant->lifetime_s = 0;
}

void oauth_grant_fini(struct oauth_grant *grant)
{
	buf_fini(&grant->access_token);
	buf_fini(&grant->refresh_token);
}

void oauth_device_init(struct oauth_device *device)
{
	*device = (struct oauth_device){ 0 };
	buf_init_secret(&device->device_code, OAUTH_TOKEN_MAX);
}

void oauth_device_fini(struct oauth_device *device)
{
	buf_fini(&device->device_code);
}

bool oauth_token_is_sound(struct span token)
{
	if (token.len == 0 || token.len > OAUTH_TOKEN_MAX)
		return false;
	for (size_t i = 0; i < token.len; i++)
		if (token.data[i] <= ' ' || token.data[i] > '~')
			return false;
	return true;
}

unsigned oauth_error_number(struct span description)
{
	size_t at = span_find_span(description, SPAN("AADSTS"));
	size_t digits = 0;
	uint64_t number = 0;

	if (at == description.len)
		return 0;
	description = span_skip(description, at + strlen("AADSTS"));
	while (digits < description.len && digits < 9 && byte_is_digit(description.data[digits]))
		digits++;
	return span_to_u64(span_head(description, digits), &number) ? (unsigned)number : 0;
}

/* ---- JSON ---- */

static struct span text_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_string(value))
		return span_of("", 0);
	return span_of(json_string_value(value), json_string_length(value));
}

/* expires_in is a number; some providers write it as text. */
static bool seconds_of(const json_t *object, const char *key, int64_t max, int64_t *seconds_out)
{
	const json_t *value = json_object_get(object, key);
	uint64_t number = 0;

	if (json_is_number(value)) {
		double real = json_number_value(value);
		if (!(real >= 1))
			return false;
		number = real < (double)max ? (uint64_t)real : (uint64_t)max;
	} else if (!json_is_string(value) || !span_to_u64(text_of(object, key), &number) ||
		   number == 0) {
		return false;
	}
	*seconds_out = number < (uint64_t)max ? (int64_t)number : max;
	return true;
}

/* The library frees strings as they are; tokens are wiped first. */
static void release(json_t *root)
{
	static const char *const secrets[] = { "access_token", "refresh_token", "id_token",
		"device_code" };

	for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
		struct span text = text_of(root, secrets[i]);
		if (text.len > 0)
			mem_wipe((char *)text.data, text.len);
	}
	json_decref(root);
}

static const char *strange_status(unsigned status)
{
	if (status >= 300 && status < 400)
		return ": it wants to send us elsewhere, and that is never followed";
	if (status == 404 || status == 405 || status == 410)
		return ": there is no such end point";
	if (status == 429)
		return ": too many requests";
	if (status >= 500)
		return ": it is out of order";
	return "";
}

static enum oauth_response garbled(unsigned status, struct span body, struct fault *fault_out)
{
	const char *what = "something that is no JSON object";

	body = span_trim(body);
	if (body.len == 0)
		what = "nothing";
	else if (body.data[0] == '<')
		what = "a web page";
	else if (body.len > OAUTH_RESPONSE_MAX)
		what = "far too much";
	else if (body.data[0] == '{')
		what = "JSON that is broken or cut off";
	fault_set(fault_out, FAULT_TEMPORARY,
	    "the identity provider answered with status %u and %s%s", status, what,
	    strange_status(status));
	return OAUTH_RESPONSE_GARBLED;
}

static json_t *parse(struct span body)
{
	json_error_t error;
	json_t *root;

	if (body.len > OAUTH_RESPONSE_MAX)
		return NULL;
	root = json_loadb(body.data, body.len, JSON_REJECT_DUPLICATES, &error);
	if (json_is_object(root))
		return root;
	json_decref(root);
	return NULL;
}

/* ---- errors ---- */

/* Microsoft's go on for lines, with trace ids; the first line is the sentence. Google's newer ones
   are an object: {"error":{"status":"…","message":"…"}}. */
static void set_error(const json_t *root, struct oauth_error *error_out)
{
	const json_t *object = json_object_get(root, "error");
	struct span code = text_of(root, "error");
	struct span description = text_of(root, "error_description"), line;

	if (json_is_object(object)) {
		code = text_of(object, "status");
		description = text_of(object, "message");
	}
	*error_out = (struct oauth_error){ .number = oauth_error_number(description) };
	if (span_take_until(&description, '\n', &line))
		escape_to(error_out->description, sizeof(error_out->description), span_trim(line));
	escape_to(error_out->code, sizeof(error_out->code), code);
}

static bool has_error(const json_t *root)
{
	return json_is_string(json_object_get(root, "error")) ||
	       json_is_object(json_object_get(root, "error"));
}

static enum oauth_response incomplete(const char *what, struct fault *fault_out)
{
	fault_set(
	    fault_out, FAULT_TEMPORARY, "the identity provider's answer has no usable %s", what);
	return OAUTH_RESPONSE_GARBLED;
}

/* ---- the two answers ---- */

/* Every provider says Bearer, in one case or the other. */
static bool is_bearer(const json_t *root)
{
	return json_object_get(root, "token_type") == NULL ||
	       span_equal_nocase(text_of(root, "token_type"), SPAN("bearer"));
}

static enum oauth_response read_grant(
    const json_t *root, struct oauth_grant *grant_out, struct fault *fault_out)
{
	struct span access = text_of(root, "access_token");
	struct span refresh = text_of(root, "refresh_token");
	int64_t lifetime = OAUTH_LIFETIME_DEFAULT_S;

	if (access.len > OAUTH_TOKEN_MAX) {
		fault_set(fault_out, FAULT_TEMPORARY,
		    "the identity provider's access token has %zu bytes, more than an AUTH line "
		    "takes",
		    access.len);
		return OAUTH_RESPONSE_GARBLED;
	}
	if (!oauth_token_is_sound(access) || !is_bearer(root))
		return incomplete("access token", fault_out);
	if (refresh.len > 0 && !oauth_token_is_sound(refresh))
		return incomplete("refresh token", fault_out);
	if (json_object_get(root, "expires_in") != NULL &&
	    !seconds_of(root, "expires_in", OAUTH_LIFETIME_MAX_S, &lifetime))
		return incomplete("expires_in", fault_out);
	buf_clear(&grant_out->access_token);
	buf_clear(&grant_out->refresh_token);
	buf_append(&grant_out->access_token, access);
	buf_append(&grant_out->refresh_token, refresh);
	grant_out->lifetime_s = lifetime;
	return OAUTH_RESPONSE_GRANTED;
}

/* What people are to open in a browser: nothing but an https address without surprises. */
static bool copy_address(char *out, size_t size, struct span address)
{
	if (address.len >= size || !span_starts_with_nocase(address, SPAN("https://")))
		return false;
	for (size_t i = 0; i < address.len; i++)
		if (address.data[i] <= ' ' || address.data[i] > '~')
			return false;
	memcpy(out, address.data, address.len);
	out[address.len] = '\0';
	return true;
}

/* RFC 8628 says verification_uri; Google says verification_url. */
static struct span address_of(const json_t *root)
{
	struct span address = text_of(root, "verification_uri");

	return address.len > 0 ? address : text_of(root, "verification_url");
}

static enum oauth_response read_device(
    const json_t *root, struct oauth_device *device_out, struct fault *fault_out)
{
	struct span code = text_of(root, "device_code"), user_code = text_of(root, "user_code");
	struct oauth_device found = *device_out;

	found.lifetime_s = OAUTH_DEVICE_LIFETIME_MAX_S;
	found.interval_s = 5; /* RFC 8628, 3.2 */
	if (!oauth_token_is_sound(code))
		return incomplete("device_code", fault_out);
	if (user_code.len == 0 || user_code.len >= sizeof(found.user_code) ||
	    !oauth_token_is_sound(user_code))
		return incomplete("user_code", fault_out);
	if (!copy_address(found.address, sizeof(found.address), address_of(root)))
		return incomplete("https address to open", fault_out);
	memcpy(found.user_code, user_code.data, user_code.len);
	found.user_code[user_code.len] = '\0';
	if (!copy_address(
		found.complete, sizeof(found.complete), text_of(root, "verification_uri_complete")))
		found.complete[0] = '\0';
	seconds_of(root, "expires_in", OAUTH_DEVICE_LIFETIME_MAX_S, &found.lifetime_s);
	seconds_of(root, "interval", OAUTH_DEVICE_INTERVAL_MAX_S, &found.interval_s);
	*device_out = found;
	buf_clear(&device_out->device_code);
	buf_append(&device_out->device_code, code);
	return OAUTH_RESPONSE_GRANTED;
}

/* 200 is a success and 400 or 401 an error (RFC 6749, 5.2); an error object counts with any other
   status too, because providers use 403 and 503 with it. */
static enum oauth_response classify(unsigned status, const json_t *root, struct span body,
    struct oauth_error *error_out, struct fault *fault_out)
{
	if (has_error(root)) {
		set_error(root, error_out);
		return OAUTH_RESPONSE_REFUSED;
	}
	if (status < 200 || status >= 300)
		return garbled(status, body, fault_out);
	return OAUTH_RESPONSE_GRANTED;
}

enum oauth_response oauth_response_grant(unsigned status, struct span body,
    struct oauth_grant *grant_out, struct oauth_error *error_out, struct fault *fault_out)
{
	json_t *root = parse(body);
	enum oauth_response result;

	if (!root)
		return garbled(status, body, fault_out);
	result = classify(status, root, body, error_out, fault_out);
	if (result == OAUTH_RESPONSE_GRANTED)
		result = read_grant(root, grant_out, fault_out);
	release(root);
	return result;
}

enum oauth_response oauth_response_device(unsigned status, struct span body,
    struct oauth_device *device_out, struct oauth_error *error_out, struct fault *fault_out)
{
	json_t *root = parse(body);
	enum oauth_response result;

	if (!root)
		return garbled(status, body, fault_out);
	result = classify(status, root, body, error_out, fault_out);
	if (result == OAUTH_RESPONSE_GRANTED)
		result = read_device(root, device_out, fault_out);
	release(root);
	return result;
}
