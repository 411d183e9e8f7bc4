/* SPDX-License-Identifier: MIT */
/*
 * Lines and what stands in them: nothing but CRLF ends a line, nothing is lost or made up, a limit
 * is one, and a line that came in two pieces is the same line. Then the command that it is, its
 * path, its parameters, and the arguments of XCLIENT: all that is given out lies within the line.
 */
#include "smtp/command.h"
#include "smtp/line.h"
#include "smtp/xclient.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINE_MAX_LEN = 100 };

static void check_within(struct span whole, struct span part)
{
	if (part.len > 0)
		assert(part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}

static void check_parameters(struct span line, struct span parameters)
{
	struct smtp_parameter parameter;
	size_t before;

	do {
		before = parameters.len;
		if (smtp_parameter_take(&parameters, &parameter) != SMTP_PARAMETER_TAKEN)
			return;
		assert(parameter.keyword.len > 0 && parameters.len < before);
		check_within(line, parameter.keyword);
		check_within(line, parameter.value);
	} while (true);
}

static void check_path(struct span line, struct span arguments, struct span keyword)
{
	struct smtp_path path;

	if (!smtp_path_parse(arguments, keyword, &path)) {
		assert(path.flaw != SMTP_PATH_VALID);
		return;
	}
	assert(path.flaw == SMTP_PATH_VALID);
	check_within(line, path.address.mailbox);
	check_within(path.address.mailbox, path.address.local);
	check_within(path.address.mailbox, path.address.domain);
	check_parameters(line, path.parameters);
}

static void check_xclient(struct span line, struct span arguments)
{
	struct smtp_xclient xclient;
	struct span wrong;

	if (!smtp_xclient_parse(arguments, &xclient, &wrong))
		return;
	check_within(line, xclient.address);
	check_within(line, xclient.port);
	check_within(line, xclient.helo);
	check_within(line, xclient.login);
}

static void check_command(struct span line)
{
	struct smtp_command command;
	enum smtp_line_flaw flaw;
	size_t position = 0;

	flaw = smtp_line_check(line, &position);
	assert((flaw == SMTP_LINE_CLEAN) == (position == 0) && position <= line.len);
	smtp_command_split(line, &command);
	check_within(line, command.verb);
	check_within(line, command.arguments);
	check_path(line, command.arguments, SPAN("FROM"));
	check_path(line, command.arguments, SPAN("TO"));
	check_xclient(line, command.arguments);
}

/* Before all of it is there, nothing is taken. */
static void check_prefixes(struct span input, size_t taken)
{
	for (size_t len = 0; len < taken; len++) {
		struct span prefix = span_head(input, len), line;

		assert(smtp_line_take(&prefix, LINE_MAX_LEN, &line) == SMTP_LINE_NEED_MORE);
		assert(prefix.len == len);
	}
}

static void check_taken(struct span before, struct span rest, struct span line, bool is_bare)
{
	size_t taken = before.len - rest.len;

	assert(taken == line.len + 2 && line.len <= LINE_MAX_LEN);
	assert(before.data[taken - 2] == '\r' && before.data[taken - 1] == '\n');
	assert(span_find_span(line, SPAN("\r\n")) == line.len);
	assert(is_bare == (span_find(line, '\r') < line.len || span_find(line, '\n') < line.len));
	check_prefixes(before, taken);
	check_command(line);
}

static bool take_one(struct span *input)
{
	struct span before = *input, line;
	enum smtp_line_result result = smtp_line_take(input, LINE_MAX_LEN, &line);

	switch (result) {
	case SMTP_LINE_COMPLETE:
	case SMTP_LINE_BARE_NEWLINE:
		check_taken(before, *input, line, result == SMTP_LINE_BARE_NEWLINE);
		return true;
	case SMTP_LINE_NEED_MORE:
		assert(input->len == before.len && input->len <= LINE_MAX_LEN + 1);
		return false;
	case SMTP_LINE_TOO_LONG:
		assert(input->len == before.len && input->len > LINE_MAX_LEN);
		return smtp_line_discard(input);
	}
	return false;
}

/* Where LF ends a line, too. */
static void take_all_lf(struct span input)
{
	struct span line;
	size_t before;

	do {
		enum smtp_line_result result;
		bool was_bare = false;

		before = input.len;
		result = smtp_line_take_lf(&input, LINE_MAX_LEN, &line, &was_bare);
		if (result == SMTP_LINE_TOO_LONG)
			smtp_line_discard_lf(&input);
		else if (result != SMTP_LINE_NEED_MORE)
			assert(line.len <= LINE_MAX_LEN && span_find(line, '\n') == line.len);
	} while (input.len < before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = span_of(data, size);

	while (take_one(&input))
		;
	take_all_lf(span_of(data, size));
	check_command(span_of(data, size));
	return 0;
}
