/* SPDX-License-Identifier: MIT */
#include "sasl/client.h"

#include "sasl/login.h"
#include "sasl/plain.h"

#include <assert.h>

static const struct client_mechanism {
	bool prefers_initial;
	void (*initial)(struct sasl_client *c, struct buf *out);
	enum sasl_client_result (*step)(
	    struct sasl_client *c, struct span challenge, struct buf *out);
} mechanisms[SASL_MECHANISM_COUNT] = {
	[SASL_MECHANISM_LOGIN] = { false, sasl_login_client_initial, sasl_login_client_step },
	[SASL_MECHANISM_PLAIN] = { true, sasl_plain_client_initial, sasl_plain_client_step },
};

static const char *flaw(struct span bytes, size_t max, const char *const sentences[3])
{
	if (bytes.len == 0)
		return sentences[0];
	if (bytes.len > max)
		return sentences[1];
	return span_find(bytes, '\0') < bytes.len ? sentences[2] : NULL;
}

bool sasl_credentials_are_sound(const struct sasl_credentials *credentials, const char **why_out)
{
	static const char *const login[] = {
		"the login is empty",
		"the login is longer than 255 octets",
		"the login contains a NUL",
	};
	static const char *const password[] = {
		"the password is empty",
		"the password is longer than 511 octets",
		"the password contains a NUL",
	};
	const char *why = flaw(credentials->login, SASL_NAME_MAX, login);

	if (!why)
		why = flaw(credentials->password, SASL_PASSWORD_MAX, password);
	if (why)
		*why_out = why;
	return !why;
}

void sasl_client_start(struct sasl_client *c, enum sasl_mechanism mechanism,
    const struct sasl_credentials *credentials, bool with_initial, struct buf *out)
{
	assert(mechanism < SASL_MECHANISM_COUNT);
	*c = (struct sasl_client){
		.mechanism = mechanism,
		.credentials = *credentials,
		.with_initial = with_initial,
	};
	if (with_initial)
		mechanisms[mechanism].initial(c, out);
}

enum sasl_client_result sasl_client_step(
    struct sasl_client *c, struct span challenge, struct buf *out)
{
	c->step++;
	return mechanisms[c->mechanism].step(c, challenge, out);
}

bool sasl_client_prefers_initial(enum sasl_mechanism mechanism)
{
	return mechanisms[mechanism].prefers_initial;
}

static bool contains_nocase(struct span s, struct span needle)
{
	for (size_t at = 0; at + needle.len <= s.len; at++) {
		if (span_equal_nocase(span_of(s.data + at, needle.len), needle))
			return true;
	}
	return false;
}

bool sasl_prompt_asks_for_name(struct span prompt)
{
	return (contains_nocase(prompt, SPAN("user")) || contains_nocase(prompt, SPAN("name"))) &&
	       !contains_nocase(prompt, SPAN("pass"));
}
