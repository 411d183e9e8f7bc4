/* SPDX-License-Identifier: MIT */
#include "smtp/command.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct span skip_blanks(struct span s)
{
	while (s.len > 0 && is_blank(s.data[0]))
		s = span_skip(s, 1);
	return s;
}

/* Between two words stands one blank; everything else is a quirk. */
static bool has_extra_blank(struct span gap_and_rest)
{
	return gap_and_rest.len > 0 &&
	       (gap_and_rest.data[0] == '\t' ||
		   (gap_and_rest.len > 1 && is_blank(gap_and_rest.data[1])));
}

void smtp_command_split(struct span line, struct smtp_command *command_out)
{
	struct smtp_command command = { 0 };
	struct span trimmed = span_trim(line);
	size_t verb_len = 0;

	if (trimmed.len > 0 && trimmed.data != line.data)
		command.quirks |= SMTP_QUIRK_BIT(SMTP_QUIRK_LEADING_BLANK);
	if (trimmed.data + trimmed.len != line.data + line.len)
		command.quirks |= SMTP_QUIRK_BIT(SMTP_QUIRK_TRAILING_BLANK);
	while (verb_len < trimmed.len && !is_blank(trimmed.data[verb_len]))
		verb_len++;
	command.verb = span_head(trimmed, verb_len);
	command.arguments = span_skip(trimmed, verb_len);
	if (has_extra_blank(command.arguments))
		command.quirks |= SMTP_QUIRK_BIT(SMTP_QUIRK_EXTRA_BLANK);
	command.arguments = skip_blanks(command.arguments);
	*command_out = command;
}

/* True when s begins with the word and something else than the rest of a longer word follows. */
static bool begins_with_keyword(struct span s, struct span keyword)
{
	char next;

	if (!span_starts_with_nocase(s, keyword))
		return false;
	if (s.len == keyword.len)
		return true;
	next = s.data[keyword.len];
	return next == ':' || next == '<' || next == '=' || is_blank(next);
}

/* Takes "FROM:" off *rest. */
static enum smtp_path_flaw take_keyword(struct span *rest, struct span keyword)
{
	bool is_from = span_equal(keyword, SPAN("FROM"));
	struct span behind;

	if (begins_with_keyword(*rest, is_from ? SPAN("TO") : SPAN("FROM")))
		return SMTP_PATH_WRONG_KEYWORD;
	if (!begins_with_keyword(*rest, keyword))
		return SMTP_PATH_NO_KEYWORD;
	behind = span_skip(*rest, keyword.len);
	if (behind.len > 0 && behind.data[0] == ':') {
		*rest = span_skip(behind, 1);
		return SMTP_PATH_VALID;
	}
	behind = skip_blanks(behind);
	return behind.len > 0 && behind.data[0] == ':' ? SMTP_PATH_BLANK_BEFORE_COLON
						       : SMTP_PATH_NO_COLON;
}

/* rest begins with "<". */
static enum smtp_path_flaw take_bracketed(struct smtp_path *path, struct span *rest)
{
	struct span inner = span_skip(*rest, 1);
	size_t len = smtp_address_extent(inner, SPAN(">"));

	if (len == inner.len)
		return SMTP_PATH_NO_CLOSING_BRACKET;
	*rest = span_skip(inner, len + 1);
	inner = span_head(inner, len);
	path->text = span_trim(inner);
	if (path->text.len != inner.len)
		path->quirks |= SMTP_QUIRK_BIT(SMTP_QUIRK_BLANK_IN_BRACKETS);
	if (rest->len > 0 && !is_blank(rest->data[0]))
		return SMTP_PATH_TEXT_BEHIND_BRACKET;
	return SMTP_PATH_VALID;
}

static enum smtp_path_flaw take_bare(struct smtp_path *path, struct span *rest)
{
	size_t len = smtp_address_extent(*rest, SPAN(" \t"));

	path->text = span_head(*rest, len);
	*rest = span_skip(*rest, len);
	path->quirks |= SMTP_QUIRK_BIT(SMTP_QUIRK_NO_BRACKETS);
	return path->text.data[len - 1] == '>' ? SMTP_PATH_NO_OPENING_BRACKET : SMTP_PATH_VALID;
}

static enum smtp_path_flaw parse_address(struct smtp_path *path, bool bracketed)
{
	if (bracketed && path->text.len == 0) {
		path->address = (struct smtp_address){ .is_null = true };
		return SMTP_PATH_VALID;
	}
	path->address_flaw = smtp_address_parse_utf8(path->text, &path->address);
	return path->address_flaw == SMTP_ADDRESS_VALID ? SMTP_PATH_VALID : SMTP_PATH_BAD_ADDRESS;
}

static enum smtp_path_flaw parse_path(struct span rest, struct span keyword, struct smtp_path *path)
{
	enum smtp_path_flaw flaw = take_keyword(&rest, keyword);
	bool bracketed;

	if (flaw != SMTP_PATH_VALID)
		return flaw;
	if (rest.len > 0 && is_blank(rest.data[0]))
		path->quirks |= SMTP_QUIRK_BIT(SMTP_QUIRK_BLANK_AFTER_COLON);
	rest = skip_blanks(rest);
	if (rest.len == 0)
		return SMTP_PATH_NO_ADDRESS;
	bracketed = rest.data[0] == '<';
	flaw = bracketed ? take_bracketed(path, &rest) : take_bare(path, &rest);
	if (flaw != SMTP_PATH_VALID)
		return flaw;
	if (has_extra_blank(rest))
		path->quirks |= SMTP_QUIRK_BIT(SMTP_QUIRK_EXTRA_BLANK);
	path->parameters = rest;
	return parse_address(path, bracketed);
}

bool smtp_path_parse(struct span arguments, struct span keyword, struct smtp_path *path_out)
{
	*path_out = (struct smtp_path){ 0 };
	path_out->flaw = parse_path(arguments, keyword, path_out);
	return path_out->flaw == SMTP_PATH_VALID;
}

static bool is_parameter_keyword(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		bool letter_or_digit = byte_is_alpha(s.data[i]) || byte_is_digit(s.data[i]);

		if (!letter_or_digit && (s.data[i] != '-' || i == 0))
			return false;
	}
	return s.len > 0;
}

/* Letters outside ASCII are for who takes the value to judge (RFC 6531, 3.3: esmtp-value). */
static bool is_parameter_value(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];

		if (c <= ' ' || c == 127 || c == '=')
			return false;
	}
	return s.len > 0;
}

enum smtp_parameter_result smtp_parameter_take(
    struct span *parameters, struct smtp_parameter *parameter_out)
{
	struct span word;
	size_t equals;

	if (!span_take_word(parameters, &word))
		return SMTP_PARAMETER_NONE_LEFT;
	equals = span_find(word, '=');
	*parameter_out = (struct smtp_parameter){ .keyword = span_head(word, equals) };
	parameter_out->has_value = equals < word.len;
	if (parameter_out->has_value)
		parameter_out->value = span_skip(word, equals + 1);
	if (is_parameter_keyword(parameter_out->keyword) &&
	    (!parameter_out->has_value || is_parameter_value(parameter_out->value)))
		return SMTP_PARAMETER_TAKEN;
	parameter_out->keyword = word;
	return SMTP_PARAMETER_MALFORMED;
}
