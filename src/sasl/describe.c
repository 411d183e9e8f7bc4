/* SPDX-License-Identifier: MIT */
#include "sasl/describe.h"

#include "base/base64.h"
#include "base/escape.h"
#include "sasl/bearer.h"
#include "sasl/scram.h"

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

/* "user digest", RFC 2195, 2. */
static bool describe_cram(struct span response, struct buf *out)
{
	size_t at = response.len;

	while (at > 0 && response.data[at - 1] != ' ')
		at--;
	if (response.len - at != 32 || at < 2)
		return buf_append_string(out, "malformed, hidden");
	return say_user(out, span_head(response, at - 1), ", digest hidden");
}

/* username="scan",realm=... (RFC 2831, 2.1.2). A quoted pair in the name stays as it is. */
static bool describe_digest(struct span response, struct buf *out)
{
	struct span name = span_skip(response, span_find_span(response, SPAN("username=\"")));
	size_t end = 10;

	if (response.len == 0)
		return buf_append_string(out, "empty");
	if (name.len == 0)
		return buf_append_string(out, "malformed, hidden");
	while (end < name.len && name.data[end] != '"')
		end += name.data[end] == '\\' && end + 1 < name.len ? 2 : 1;
	if (end >= name.len)
		return buf_append_string(out, "malformed, hidden");
	return say_user(out, span_skip(span_head(name, end), 10), ", response hidden");
}

static bool say_binding(struct buf *out, struct span flag, const char *if_possible)
{
	char type[40];

	if (span_starts_with(flag, SPAN("p=")))
		return buf_printf(
		    out, "bound by \"%s\"", escape_to(type, sizeof(type), span_skip(flag, 2)));
	return buf_append_string(
	    out, span_equal(flag, SPAN("y")) ? if_possible : "not bound to TLS");
}

static bool say_scram_user(struct buf *out, struct span text)
{
	struct buf name;
	bool fits;

	buf_init(&name, SASL_SCRAM_MESSAGE_MAX);
	fits = say_user(out, sasl_scram_read_name(text, &name) ? buf_span(&name) : text, ", ");
	buf_fini(&name);
	return fits;
}

/* "p=tls-exporter,,n=scan,r=nonce": RFC 5802, 7. */
static bool describe_client_first(struct span message, struct buf *out)
{
	struct span flag, authzid, name;

	if (message.len > SASL_SCRAM_MESSAGE_MAX || !span_take_until(&message, ',', &flag) ||
	    !span_take_until(&message, ',', &authzid) || !sasl_scram_take(&message, 'n', &name))
		return buf_append_string(out, "malformed, hidden");
	return say_scram_user(out, name) &&
	       say_binding(out, flag, "not bound to TLS since no -PLUS is offered");
}

/* "c=header and binding,r=nonce,p=proof". */
static bool describe_client_final(struct span message, struct buf *out)
{
	struct span encoded, rest, flag = SPAN(""), authzid;
	struct buf bound;
	bool fits;

	if (message.len == 0)
		return buf_append_string(out, "empty");
	buf_init(&bound, SASL_SCRAM_MESSAGE_MAX);
	if (!sasl_scram_take(&message, 'c', &encoded) || !base64_decode(&bound, encoded)) {
		buf_fini(&bound);
		return buf_append_string(out, "malformed, hidden");
	}
	rest = buf_span(&bound);
	span_take_until(&rest, ',', &flag);
	span_take_until(&rest, ',', &authzid);
	fits = buf_append_string(out, "proof hidden, ") &&
	       say_binding(out, flag, "not bound to TLS since no -PLUS is offered");
	if (fits && rest.len > 0)
		fits = buf_printf(out, " with %zu octets", rest.len);
	buf_fini(&bound);
	return fits;
}

static bool describe_bearer(
    enum sasl_mechanism mechanism, unsigned step, struct span message, struct buf *out)
{
	struct sasl_bearer bearer;

	if (step > 0 && message.len <= 1)
		return buf_append_string(out, "refusal acknowledged");
	if (step > 0 || !sasl_bearer_parse(mechanism, message, &bearer))
		return buf_append_string(out, "malformed, hidden");
	return say_user(out, bearer.user, ", token hidden") &&
	       buf_printf(out, " with %zu octets", bearer.token.len);
}

static unsigned little_endian(struct span bytes, size_t at, size_t octets)
{
	unsigned value = 0;

	for (size_t i = octets; i-- > 0;)
		value = value << 8 | (unsigned char)bytes.data[at + i];
	return value;
}

/* The user's name in an AUTHENTICATE_MESSAGE ([MS-NLMP], 2.2.1.3), two octets a character; one
   beyond ASCII becomes a question mark. */
static bool describe_ntlm_user(struct span message, struct buf *out)
{
	unsigned len, offset;
	struct buf name;
	bool fits;

	if (message.len < 44)
		return buf_append_string(out, "malformed, hidden");
	len = little_endian(message, 36, 2);
	offset = little_endian(message, 40, 4);
	if (offset > message.len || len > message.len - offset || len > 2 * SASL_NAME_MAX)
		return buf_append_string(out, "malformed, hidden");
	buf_init(&name, SASL_NAME_MAX);
	for (unsigned i = 0; i + 1 < len; i += 2) {
		unsigned c = little_endian(message, offset + i, 2);

		buf_append_byte(&name, c > 0 && c < 128 ? (char)c : '?');
	}
	fits = say_user(out, buf_span(&name), ", response hidden");
	buf_fini(&name);
	return fits;
}

static bool describe_ntlm(struct span message, struct buf *out)
{
	unsigned type;

	if (message.len < 12 || !span_starts_with(message, SPAN("NTLMSSP\0")))
		return buf_append_string(out, "malformed, hidden");
	type = little_endian(message, 8, 4);
	if (type == 3)
		return describe_ntlm_user(message, out);
	return buf_append_string(out, type == 1 ? "negotiation" : "malformed, hidden");
}

static bool describe_external(unsigned step, struct span name, struct buf *out)
{
	if (step == 0 && name.len > 0)
		return say_user(out, name, ", proved by the certificate");
	return buf_append_string(out, "the certificate's own user");
}

static bool describe_known(
    enum sasl_mechanism mechanism, unsigned step, struct span bytes, struct buf *out)
{
	switch (mechanism) {
	case SASL_MECHANISM_PLAIN:
		return step == 0 ? describe_plain(bytes, out) : buf_append_string(out, "hidden");
	case SASL_MECHANISM_LOGIN:
		return describe_login(step, bytes, out);
	case SASL_MECHANISM_NTLM:
		return describe_ntlm(bytes, out);
	case SASL_MECHANISM_CRAM_MD5:
		return describe_cram(bytes, out);
	case SASL_MECHANISM_DIGEST_MD5:
		return describe_digest(bytes, out);
	case SASL_MECHANISM_SCRAM_SHA_1:
	case SASL_MECHANISM_SCRAM_SHA_1_PLUS:
	case SASL_MECHANISM_SCRAM_SHA_256:
	case SASL_MECHANISM_SCRAM_SHA_256_PLUS:
		return step == 0 ? describe_client_first(bytes, out)
				 : describe_client_final(bytes, out);
	case SASL_MECHANISM_XOAUTH2:
	case SASL_MECHANISM_OAUTHBEARER:
		return describe_bearer(mechanism, step, bytes, out);
	case SASL_MECHANISM_EXTERNAL:
		return describe_external(step, bytes, out);
	case SASL_MECHANISM_GSSAPI:
		return buf_append_string(out, "Kerberos data hidden");
	case SASL_MECHANISM_COUNT:
		break;
	}
	return buf_append_string(out, "hidden");
}

static bool describe_body(struct span mechanism, unsigned step, struct span bytes, struct buf *out)
{
	enum sasl_mechanism known;

	if (sasl_mechanism_find(mechanism, &known))
		return describe_known(known, step, bytes, out);
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
