/* SPDX-License-Identifier: MIT */
#include "sasl/describe.h"

#include "base/base64.h"
#include "base/escape.h"
#include "sasl/mechanism.h"

/* Longer payloads are counted and not looked into. */
enum { PAYLOAD_MAX = 9216, NAME_TEXT_MAX = 160, MECHANISM_TEXT_MAX = 32 };

static bool say_user(struct buf *out, struct span user, const char *behind)
{
	char text[NAME_TEXT_MAX];

	return buf_printf(out, "user \"%s\"%s", escape_to(text, sizeof(text), user), behind);
}

/* Between the first and the second NUL stands the user; a token of another form may have its
   password anywhere. */
static bool describe_plain(struct span token, struct buf *out)
{
	struct span authzid, user;
	struct span rest = token;

	if (token.len == 0)
		return buf_append_string(out, "empty");
	if (!span_take_until(&rest, '\0', &authzid) || !span_take_until(&rest, '\0', &user) ||
	    authzid.len + user.len + rest.len + 2 != token.len || span_find(rest, '\0') < rest.len)
		return buf_append_string(out, "malformed, hidden");
	return say_user(out, user, ", password hidden");
}

static bool describe_login(unsigned step, struct span response, struct buf *out)
{
	if (step == 0)
		return say_user(out, response, "");
	return buf_append_string(out, "password hidden");
}

static bool describe_body(struct span mechanism, unsigned step, struct span bytes, struct buf *out)
{
	enum sasl_mechanism known;

	if (sasl_mechanism_find(mechanism, &known)) {
		switch (known) {
		case SASL_MECHANISM_PLAIN:
			if (step == 0)
				return describe_plain(bytes, out);
			break;
		case SASL_MECHANISM_LOGIN:
			return describe_login(step, bytes, out);
		case SASL_MECHANISM_COUNT:
			break;
		}
	}
	return buf_append_string(out, "hidden");
}

static bool describe_decoded(
    struct span mechanism, unsigned step, struct span payload, struct buf *out)
{
	struct buf bytes;
	size_t octets = payload.len;
	bool decoded, fits;

	buf_init_secret(&bytes, PAYLOAD_MAX);
	decoded = span_equal(payload, SPAN("=")) || base64_decode(&bytes, payload);
	if (decoded)
		octets = bytes.len;
	fits = decoded ? describe_body(mechanism, step, buf_span(&bytes), out)
		       : buf_append_string(out, "not base64, hidden");
	buf_fini(&bytes);
	return fits && buf_printf(out, ", %zu octets]", octets);
}

bool sasl_describe(struct span mechanism, unsigned step, struct span payload, struct buf *out)
{
	char name[MECHANISM_TEXT_MAX];
	size_t begin = out->len;
	bool fits;

	fits = buf_printf(out, "[%s: ", escape_to(name, sizeof(name), mechanism));
	if (fits && span_equal(payload, SPAN("*")))
		fits = buf_append_string(out, "cancelled]");
	else if (fits)
		fits = describe_decoded(mechanism, step, payload, out);
	if (!fits)
		buf_truncate(out, begin);
	return fits;
}
