/* SPDX-License-Identifier: MIT */
#include "account/users_line.h"

#include "account/password.h"
#include "account/users_scram.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/memory.h"

#include <assert.h>
#include <crypt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What the prefixes of libxcrypt mean (crypt(5)). The length tells a hash that was cut. */
static const struct scheme {
	const char *prefix, *name;
	unsigned tail;   /* characters behind the last $ */
	bool cost_field; /* a field with the cost follows the prefix */
	bool weak;
} schemes[] = {
	{ "$y$", "yescrypt", 43, true, false },
	{ "$gy$", "gost-yescrypt", 43, true, false },
	{ "$7$", "scrypt", 43, false, false },
	{ "$2b$", "bcrypt", 53, true, false },
	{ "$2y$", "bcrypt", 53, true, false },
	{ "$2a$", "bcrypt", 53, true, false },
	{ "$6$", "sha512crypt", 86, false, false },
	{ "$5$", "sha256crypt", 43, false, false },
	{ "$1$", "md5crypt", 22, false, true },
	{ "$sha1$", "sha1crypt", 28, true, true },
	{ "$md5", "sunmd5", 22, false, true },
	{ "$3$", "nthash", 32, false, true },
};

struct parser {
	struct users_line *line;
	const char *start; /* of the line, for columns */
	bool wrong;
	bool locked;
	bool unusable;
	struct span hash;
	const char *scheme;
};

static void note(struct parser *p, enum account_note_kind kind, const char *at, const char *format,
    ...) __attribute__((format(printf, 4, 5)));

static void note(
    struct parser *p, enum account_note_kind kind, const char *at, const char *format, ...)
{
	if (kind == ACCOUNT_NOTE_ERROR)
		p->wrong = true;
	if (p->line->note_count == USERS_LINE_NOTES_MAX)
		return;
	struct users_line_note *n = &p->line->notes[p->line->note_count++];
	n->kind = kind;
	n->column = (unsigned)(at - p->start) + 1;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(n->text, sizeof(n->text), format, arguments);
	va_end(arguments);
}

/* Length of the UTF-8 character at the start of s (RFC 3629, section 4), or 0. */
static size_t utf8_length(struct span s)
{
	const unsigned char *b = (const unsigned char *)s.data;
	size_t len = b[0] < 0x80   ? 1
		     : b[0] < 0xc2 ? 0
		     : b[0] < 0xe0 ? 2
		     : b[0] < 0xf0 ? 3
		     : b[0] < 0xf5 ? 4
				   : 0;
	if (len == 0 || len > s.len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((b[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xed && b[1] > 0x9f) ||
	    (b[0] == 0xf0 && b[1] < 0x90) || (b[0] == 0xf4 && b[1] > 0x8f))
		return 0;
	return len;
}

const char *account_user_name_fault(struct span name)
{
	if (name.len == 0)
		return "is empty";
	if (name.len > USERS_NAME_MAX_BYTES)
		return "is longer than 255 bytes";
	if (name.data[0] == '#')
		return "begins with #, as a comment does";
	while (name.len > 0) {
		unsigned char c = (unsigned char)name.data[0];
		size_t len = utf8_length(name);
		if (c == ':')
			return "contains a colon";
		if (c == ' ' || c == '\t')
			return "contains a blank";
		if (c < 0x20 || c == 0x7f)
			return "contains a control byte";
		if (len == 0)
			return "is not UTF-8";
		name = span_skip(name, len);
	}
	return NULL;
}

static const struct scheme *scheme_of(struct span hash)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		if (span_starts_with(hash, span_from_string(schemes[i].prefix)))
			return &schemes[i];
	}
	return NULL;
}

static size_t tail_length(struct span hash)
{
	size_t len = 0;
	while (len < hash.len && hash.data[hash.len - 1 - len] != '$')
		len++;
	return len;
}

/* hash begins with $ and is NUL-terminated. */
static void take_crypt(struct parser *p, struct span hash)
{
	const struct scheme *scheme = scheme_of(hash);
	if (scheme == NULL) {
		note(p, ACCOUNT_NOTE_WARNING, hash.data,
		    "no known scheme of password hashes: this user cannot sign in");
		p->unusable = true;
		return;
	}
	size_t tail = tail_length(hash);
	if (tail != scheme->tail || crypt_checksalt(hash.data) == CRYPT_SALT_INVALID) {
		note(p, ACCOUNT_NOTE_ERROR, hash.data,
		    "no complete %s hash: %u characters follow the last $ of one, here %zu",
		    scheme->name, scheme->tail, tail);
		p->unusable = true;
		return;
	}
	if (scheme->weak)
		note(p, ACCOUNT_NOTE_WARNING, hash.data,
		    "%s is weak: \"frank user passwd\" replaces it", scheme->name);
	p->hash = hash;
	p->scheme = scheme->name;
}

static bool is_printable(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] < 0x21 || s.data[i] > 0x7e)
			return false;
	}
	return true;
}

static void take_secret(struct parser *p, struct span text)
{
	struct account_user *user = &p->line->user;
	struct buf secret;
	buf_init_secret(&secret, PASSWORD_MAX_BYTES + 4 /* decoding rounds up */);
	if (user->secret.len > 0)
		note(p, ACCOUNT_NOTE_ERROR, text.data, "the password itself stands here twice");
	else if (!base64_decode(&secret, text) || !account_password_is_possible(buf_span(&secret)))
		note(p, ACCOUNT_NOTE_ERROR, text.data,
		    "behind " USERS_SECRET_PREFIX " stands no password in base64");
	else
		user->secret = span_of(mem_dup(buf_span(&secret).data, secret.len), secret.len);
	buf_fini(&secret);
}

static void take_field(struct parser *p, struct span field)
{
	char first = field.data[0];
	if (!is_printable(field)) {
		note(p, ACCOUNT_NOTE_ERROR, field.data,
		    "a control byte or a letter beyond ASCII stands in a credential");
	} else if (first == '!' || first == '*') {
		p->locked = true;
	} else if (span_starts_with(field, SPAN(USERS_SECRET_PREFIX))) {
		take_secret(p, span_skip(field, sizeof(USERS_SECRET_PREFIX) - 1));
	} else if (p->hash.len > 0 || p->unusable) {
		note(p, ACCOUNT_NOTE_ERROR, field.data,
		    "a line has one hash, and SCRAM verifiers; this is a further field");
	} else if (first == '$') {
		take_crypt(p, field);
	} else if (first == '{') {
		note(p, ACCOUNT_NOTE_WARNING, field.data,
		    "a scheme in braces is unknown here: a "
		    "hash begins with $ ($y$, $6$, $2b$); this user cannot sign in");
		p->unusable = true;
	} else {
		note(p, ACCOUNT_NOTE_WARNING, field.data,
		    "this looks like a plain password: "
		    "\"frank user passwd\" makes a hash; this user cannot sign in");
		p->unusable = true;
	}
}

static void take_scram(struct parser *p, struct span verifier)
{
	struct account_user *user = &p->line->user;
	if (user->scram_count == USERS_SCRAM_MAX) {
		note(p, ACCOUNT_NOTE_ERROR, verifier.data, "more than %d SCRAM verifiers",
		    USERS_SCRAM_MAX);
		return;
	}
	struct account_scram parsed;
	const char *fault = users_scram_parse(verifier, &parsed);
	if (fault != NULL) {
		note(p, ACCOUNT_NOTE_ERROR, verifier.data, "%s", fault);
		return;
	}
	struct account_scram *grown =
	    mem_realloc((void *)user->scram, (user->scram_count + 1) * sizeof(*grown));
	grown[user->scram_count++] = parsed;
	user->scram = grown;
}

static bool is_separator(char c)
{
	return c == ' ' || c == '\t' || c == ':';
}

/* rest points into the writable line. */
static void take_credentials(struct parser *p, char *rest, char *end)
{
	bool after_blank = false;
	while (rest < end) {
		if (is_separator(*rest)) {
			after_blank = *rest++ != ':';
			continue;
		}
		if (*rest == '#' && after_blank)
			return;
		struct span s = span_of(rest, (size_t)(end - rest));
		bool scram = span_starts_with(s, SPAN("SCRAM-"));
		size_t len = 0;
		if (scram)
			len = users_scram_length(s);
		while (!scram && len < s.len && !is_separator(rest[len]))
			len++;
		after_blank = len < s.len && rest[len] != ':';
		rest[len] = '\0';
		if (scram)
			take_scram(p, span_head(s, len));
		else
			take_field(p, span_head(s, len));
		rest += len + 1;
	}
}

/* What the credentials come to, in user->hash, scram and scheme. */
static void conclude(struct parser *p, const char *at)
{
	struct account_user *user = &p->line->user;
	bool something = p->hash.len > 0 || user->scram_count > 0 || user->secret.len > 0;
	if (!something && !p->locked && !p->unusable && !p->wrong)
		note(p, ACCOUNT_NOTE_ERROR, at,
		    "nothing stands behind the colon: a hash belongs there, or ! to lock");
	if (p->locked) {
		users_line_fini(user);
		user->scheme = "locked";
		return;
	}
	user->hash = p->hash;
	user->scheme = p->hash.len > 0         ? p->scheme
		       : user->scram_count > 0 ? users_scram_name(user->scram[0].hash)
		       : user->secret.len > 0  ? "cleartext"
					       : "unusable";
}

enum users_line_result users_line_parse(char *text, size_t len, struct users_line *line_out)
{
	*line_out = (struct users_line){ 0 };
	struct parser p = { .line = line_out, .start = text };
	if (len > 0 && text[len - 1] == '\r')
		len--;
	struct span line = span_trim(span_of(text, len));
	if (line.len == 0 || line.data[0] == '#')
		return USERS_LINE_NOTHING;

	size_t colon = span_find(line, ':');
	line_out->user.name = span_head(line, colon);
	const char *name_fault = account_user_name_fault(line_out->user.name);
	if (name_fault != NULL)
		note(&p, ACCOUNT_NOTE_ERROR, line.data, "the name %s", name_fault);
	if (colon == line.len) {
		note(&p, ACCOUNT_NOTE_ERROR, line.data + colon,
		    "a colon and a password hash are missing behind the name");
		return USERS_LINE_WRONG;
	}
	char *rest = text + (line.data - text) + colon + 1;
	take_credentials(&p, rest, text + (line.data - text) + line.len);
	conclude(&p, rest);
	if (!p.wrong)
		return USERS_LINE_USER;
	users_line_fini(&line_out->user);
	return USERS_LINE_WRONG;
}

void users_line_fini(struct account_user *user)
{
	for (size_t i = 0; i < user->scram_count; i++)
		users_scram_fini((struct account_scram *)&user->scram[i]);
	mem_free((void *)user->scram);
	user->scram = NULL;
	user->scram_count = 0;
	if (user->secret.len > 0)
		mem_wipe((char *)user->secret.data, user->secret.len);
	mem_free((char *)user->secret.data);
	user->secret = SPAN("");
	user->secret.data = NULL;
}

struct span users_line_work(const struct account_user *user)
{
	if (user->hash.len == 0) {
		if (user->scram_count == 0)
			return user->secret.len > 0 ? SPAN("cleartext") : SPAN("");
		/* Iterations alone decide; the text form is gone. */
		return span_of(&user->scram[0].iterations, sizeof(user->scram[0].iterations));
	}
	const struct scheme *scheme = scheme_of(user->hash);
	assert(scheme != NULL);
	size_t prefix_len = strlen(scheme->prefix);
	struct span rest = span_skip(user->hash, prefix_len);
	if (!scheme->cost_field && !span_starts_with(rest, SPAN("rounds=")))
		return span_head(user->hash, prefix_len);
	return span_head(user->hash, prefix_len + span_find(rest, '$'));
}
