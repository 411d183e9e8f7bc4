/* SPDX-License-Identifier: MIT */
#include "smtp/remote_id.h"

#include "base/id.h"
#include "base/memory.h"

enum { ID_MAX = 128 };

/* Index of needle in text, in any case; text.len when it is not there. */
static size_t find_nocase(struct span text, struct span needle)
{
	for (size_t at = 0; at + needle.len <= text.len; at++) {
		if (span_equal_nocase(span_of(text.data + at, needle.len), needle))
			return at;
	}
	return text.len;
}

/* Takes a word off *text as span_take_word() does, but only if it equals the one wanted. */
static bool take_this_word(struct span *text, struct span wanted)
{
	struct span rest = *text, word;

	if (!span_take_word(&rest, &word) || !span_equal_nocase(word, wanted))
		return false;
	*text = rest;
	return true;
}

static bool is_end_of_id(char c)
{
	return c == ' ' || c == '\t' || c == ',' || c == ';' || c == ')' || c == ']';
}

/* The id that begins text: up to a blank or a closing mark, without a full stop behind it. */
static bool head_id(struct span text, struct span *id_out)
{
	size_t len = 0;

	text = span_trim(text);
	while (len < text.len && !is_end_of_id(text.data[len]))
		len++;
	if (len && text.data[len - 1] == '.')
		len--;
	*id_out = span_head(text, len);
	return len > 0;
}

static bool id_behind(struct span text, struct span mark, struct span *id_out)
{
	size_t at = find_nocase(text, mark);

	return at < text.len && head_id(span_skip(text, at + mark.len), id_out);
}

/* The last word before the mark. */
static bool id_before(struct span text, struct span mark, struct span *id_out)
{
	size_t at = find_nocase(text, mark), begin;

	if (at == text.len)
		return false;
	text = span_trim(span_head(text, at));
	begin = text.len;
	while (begin && text.data[begin - 1] != ' ' && text.data[begin - 1] != '\t')
		begin--;
	*id_out = span_skip(text, begin);
	return id_out->len > 0;
}

static bool find_postfix(struct span text, struct span *id_out)
{
	return id_behind(text, SPAN("queued as "), id_out) ||
	       id_behind(text, SPAN("queued with id "), id_out);
}

static bool find_qmail(struct span text, struct span *id_out)
{
	struct span time, process, whole;

	if (!take_this_word(&text, SPAN("ok")))
		return false;
	whole = span_trim(text);
	if (!span_take_word(&text, &time) || !take_this_word(&text, SPAN("qp")) ||
	    !span_take_word(&text, &process) || !byte_is_digit(time.data[0]))
		return false;
	*id_out = span_head(whole, (size_t)(process.data + process.len - whole.data));
	return true;
}

static bool find_exchange(struct span text, struct span *id_out)
{
	size_t begin, end;

	if (id_behind(text, SPAN("[InternalId="), id_out))
		return true;
	if (find_nocase(text, SPAN("Queued mail for delivery")) == text.len)
		return false;
	begin = span_find(text, '<');
	end = span_find(text, '>');
	if (end == text.len || begin >= end)
		return false;
	*id_out = span_of(text.data + begin, end - begin + 1);
	return true;
}

static bool find_exim(struct span text, struct span *id_out)
{
	return take_this_word(&text, SPAN("OK")) && id_behind(text, SPAN("id="), id_out);
}

static bool find_sendmail(struct span text, struct span *id_out)
{
	return id_before(text, SPAN(" Message accepted for delivery"), id_out);
}

static bool find_google(struct span text, struct span *id_out)
{
	return id_before(text, SPAN(" - gsmtp"), id_out);
}

static bool find_dovecot(struct span text, struct span *id_out)
{
	return span_ends_with_nocase(text, SPAN(" Saved")) &&
	       id_before(text, SPAN(" Saved"), id_out);
}

/* "Ok" and one long word, nothing else. */
static bool find_ses(struct span text, struct span *id_out)
{
	struct span word;

	return take_this_word(&text, SPAN("Ok")) && span_take_word(&text, &word) &&
	       span_trim(text).len == 0 && word.len >= 16 && head_id(word, id_out);
}

static bool find_frank(struct span text, struct span *id_out)
{
	struct span word;
	uint64_t id;

	if (!span_take_word(&text, &word) || word.len != ID_TEXT_SIZE - 1 || !id_parse(word, &id))
		return false;
	*id_out = word;
	return true;
}

static bool is_printable(struct span id)
{
	for (size_t i = 0; i < id.len; i++) {
		if (id.data[i] < 32 || id.data[i] > 126)
			return false;
	}
	return id.len > 0 && id.len <= ID_MAX;
}

/* Without an enhanced status in front. */
static struct span skip_status(struct span text)
{
	struct span rest = text, word;

	if (!span_take_word(&rest, &word) || word.len < 5 || word.data[0] < '2' ||
	    word.data[0] > '5')
		return text;
	for (size_t i = 0; i < word.len; i++) {
		if (word.data[i] != '.' && !byte_is_digit(word.data[i]))
			return text;
	}
	return span_find(word, '.') == 1 ? rest : text;
}

bool smtp_remote_id_find(struct span text, struct span *id_out)
{
	/* The more a form says of itself, the earlier it stands. */
	static bool (*const forms[])(struct span text, struct span * id_out) = {
		find_frank,
		find_postfix,
		find_qmail,
		find_exchange,
		find_exim,
		find_sendmail,
		find_google,
		find_dovecot,
		find_ses,
	};
	struct span id;

	text = span_trim(skip_status(text));
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if (forms[i](text, &id) && is_printable(id)) {
			*id_out = id;
			return true;
		}
	}
	return false;
}
