/* SPDX-License-Identifier: MIT */
#include "smtp/domain.h"

#include "base/memory.h"

#include <idn2.h>

enum { LABEL_MAX = 63, U_DOMAIN_MAX = 1000 };

bool smtp_text_is_ascii(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.data[i] > 127)
			return false;
	}
	return true;
}

/* ---- UTF-8 (RFC 3629, 4) ---- */

static bool is_continuation(struct span s, size_t at)
{
	return at < s.len && ((unsigned char)s.data[at] & 0xc0) == 0x80;
}

/* The length of the character at the front of s, which is not empty; 0 when it is malformed: cut,
   longer than it has to be, a surrogate, beyond Unicode, or a control character. */
static size_t character_len(struct span s)
{
	static const uint32_t least[] = { 0, 0, 0xa0, 0x800, 0x10000 };
	unsigned char first = (unsigned char)s.data[0];
	size_t len = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	uint32_t c;

	if (len <= 1)
		return first >= ' ' && first < 127 ? len : 0;
	c = first & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if (!is_continuation(s, i))
			return 0;
		c = c << 6 | ((unsigned char)s.data[i] & 0x3f);
	}
	if (first > 0xf4 || c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return len;
}

bool smtp_text_is_utf8(struct span text)
{
	while (text.len > 0) {
		size_t len = character_len(text);

		if (len == 0)
			return false;
		text = span_skip(text, len);
	}
	return true;
}

/* ---- Domains ---- */

static bool is_label_byte(char c)
{
	return byte_is_alpha(c) || byte_is_digit(c) || c == '-' || c == '_';
}

static bool is_label(struct span label)
{
	for (size_t i = 0; i < label.len; i++) {
		if (!is_label_byte(label.data[i]))
			return false;
	}
	return label.len > 0 && label.len <= LABEL_MAX;
}

/* What the library gave back: as many labels as went in, of letters that a label can have. */
static bool is_sound(struct span ascii, size_t labels_wanted)
{
	size_t labels = 0;
	struct span label;

	if (ascii.len == 0 || ascii.len > SMTP_DOMAIN_ASCII_MAX || ascii.data[ascii.len - 1] == '.')
		return false;
	while (span_take_until(&ascii, '.', &label)) {
		if (!is_label(label))
			return false;
		labels++;
	}
	return labels == labels_wanted;
}

static size_t count_labels(struct span domain)
{
	struct span label;
	size_t labels = 0;

	while (span_take_until(&domain, '.', &label))
		labels++;
	return labels;
}

/* ASCII letters, digits and hyphens in between are the library's business only as far as they stand
   beside others; a name with an underscore is left to it too, and looked at afterwards. */
static bool convert(struct buf *b, struct span domain)
{
	char *given = span_to_string(domain);
	char *ascii = NULL;
	bool good;

	/* Never with IDN2_USE_STD3_ASCII_RULES: it drops characters and changes the domain. */
	good = given &&
	       idn2_to_ascii_8z(given, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK;
	good = good && is_sound(span_from_string(ascii), count_labels(domain)) &&
	       buf_append_string(b, ascii);
	idn2_free(ascii);
	mem_free(given);
	return good;
}

bool smtp_domain_append_ascii(struct buf *b, struct span domain)
{
	if (smtp_text_is_ascii(domain))
		return buf_append(b, domain);
	if (domain.len > U_DOMAIN_MAX || domain.data[0] == '[' || !smtp_text_is_utf8(domain))
		return false;
	return convert(b, domain);
}

/* Where the domain begins: behind the last @, which stands in no domain. */
static size_t domain_at(struct span mailbox)
{
	size_t at = mailbox.len;

	while (at > 0 && mailbox.data[at - 1] != '@')
		at--;
	return at;
}

bool smtp_mailbox_append_comparable(struct buf *b, struct span mailbox)
{
	size_t at = domain_at(mailbox), before_len = b->len;

	if (at > 0 && buf_append(b, span_head(mailbox, at)) &&
	    smtp_domain_append_ascii(b, span_skip(mailbox, at)))
		return true;
	buf_truncate(b, before_len);
	return buf_append(b, mailbox);
}

bool smtp_mailbox_append_ascii(struct buf *b, struct span mailbox)
{
	size_t before_len = b->len;

	if (smtp_mailbox_append_comparable(b, mailbox) &&
	    smtp_text_is_ascii(span_skip(buf_span(b), before_len)))
		return true;
	buf_truncate(b, before_len);
	return false;
}
