/* SPDX-License-Identifier: MIT */
#include "cli/option.h"

#include "base/memory.h"
#include "config/near.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { HELP_COLUMN = 28 };

/* What is being read: one argument, perhaps with its value. */
struct reading {
	const struct cli_option *options;
	size_t count;
	int argc;
	char **argv;
	int next; /* the argument not looked at yet */
	char *target;
	struct fault *fault;
};

static bool fail(struct reading *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fail(struct reading *r, const char *format, ...)
{
	va_list arguments;
	char text[sizeof(r->fault->text)];
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	fault_set(r->fault, FAULT_LOCAL, "%s", text);
	return false;
}

static const struct cli_option *find_name(const struct reading *r, struct span name)
{
	for (size_t i = 0; i < r->count; i++) {
		if (span_equal(name, span_from_string(r->options[i].name)))
			return &r->options[i];
	}
	return NULL;
}

static const struct cli_option *find_letter(const struct reading *r, char letter)
{
	for (size_t i = 0; i < r->count; i++) {
		if (r->options[i].letter == letter)
			return &r->options[i];
	}
	return NULL;
}

static bool fail_unknown(struct reading *r, struct span name)
{
	unsigned best = CONFIG_NEAR_NOT;
	const char *near = NULL;
	for (size_t i = 0; i < r->count; i++) {
		if (r->options[i].kind != CLI_OPTION_REFUSED &&
		    config_near_keep(name, r->options[i].name, &best))
			near = r->options[i].name;
	}
	if (near != NULL)
		return fail(
		    r, "--%.*s is no option here; did you mean --%s?", SPAN_ARG(name), near);
	return fail(r, "--%.*s is no option here", SPAN_ARG(name));
}

/* ---- values ---- */

static bool set_choice(
    struct reading *r, const struct cli_option *option, const char *value, int *field)
{
	struct span choices = span_from_string(option->value), choice;
	for (int i = 0; span_take_until(&choices, '|', &choice); i++) {
		if (!span_equal(choice, span_from_string(value)))
			continue;
		*field = i;
		return true;
	}
	return fail(r, "--%s is %s, not \"%s\"", option->name, option->value, value);
}

static bool read_number(const char *value, uint64_t *number_out)
{
	return span_to_u64(span_from_string(value), number_out);
}

static bool read_size(const char *value, uint64_t *bytes_out)
{
	static const struct unit {
		const char *name;
		unsigned shift;
	} units[] = {
		{ "KB", 10 },
		{ "MB", 20 },
		{ "GB", 30 },
	};
	struct span text = span_from_string(value);
	uint64_t number;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (!span_ends_with_nocase(text, span_from_string(units[i].name)))
			continue;
		if (!span_to_u64(span_head(text, text.len - 2), &number) ||
		    number > UINT64_MAX >> units[i].shift)
			return false;
		*bytes_out = number << units[i].shift;
		return true;
	}
	return read_number(value, bytes_out);
}

static bool add_to_list(struct reading *r, const struct cli_option *option, const char *value,
    struct cli_option_list *list)
{
	if (list->count == CLI_OPTION_LIST_MAX)
		return fail(r, "--%s: %d are the limit", option->name, CLI_OPTION_LIST_MAX);
	list->items = mem_realloc(list->items, (list->count + 1) * sizeof(*list->items));
	list->items[list->count++] = value;
	return true;
}

static bool set(struct reading *r, const struct cli_option *option, const char *value)
{
	void *field = r->target + option->offset;
	switch (option->kind) {
	case CLI_OPTION_FLAG:
		*(bool *)field = true;
		return true;
	case CLI_OPTION_TEXT:
		*(const char **)field = value;
		return true;
	case CLI_OPTION_LIST:
		return add_to_list(r, option, value, field);
	case CLI_OPTION_CHOICE:
		return set_choice(r, option, value, field);
	case CLI_OPTION_NUMBER:
		return read_number(value, field) ||
		       fail(r, "--%s wants a number, not \"%s\"", option->name, value);
	case CLI_OPTION_SIZE:
		return read_size(value, field) ||
		       fail(r, "--%s wants a size, as in 50MB, not \"%s\"", option->name, value);
	case CLI_OPTION_REFUSED:
		break;
	}
	return fail(r, "--%s: %s", option->name, option->help);
}

/* attached: what stands behind "=" or the letter; NULL when nothing does. */
static bool take(struct reading *r, const struct cli_option *option, const char *attached)
{
	if (option->kind == CLI_OPTION_REFUSED)
		return set(r, option, NULL);
	if (option->kind == CLI_OPTION_FLAG) {
		if (attached != NULL)
			return fail(r, "--%s takes no value", option->name);
		return set(r, option, NULL);
	}
	if (attached == NULL && r->next == r->argc)
		return fail(r, "--%s wants a value: %s", option->name, option->value);
	return set(r, option, attached != NULL ? attached : r->argv[r->next++]);
}

/* ---- arguments ---- */

static bool take_long(struct reading *r, const char *argument)
{
	struct span name = span_from_string(argument + 2);
	const char *equals = strchr(argument, '=');
	if (equals != NULL)
		name.len = (size_t)(equals - name.data);
	const struct cli_option *option = find_name(r, name);
	if (option == NULL)
		return fail_unknown(r, name);
	return take(r, option, equals != NULL ? equals + 1 : NULL);
}

static bool take_short(struct reading *r, const char *argument)
{
	const struct cli_option *option = find_letter(r, argument[1]);
	if (option != NULL)
		return take(r, option, argument[2] != '\0' ? argument + 2 : NULL);
	if (find_name(r, span_from_string(argument + 1)) != NULL)
		return fail(r, "%s is no option here; did you mean -%s?", argument, argument);
	return fail(r, "%s is no option here", argument);
}

static bool asks_for_help(const char *argument)
{
	return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

enum cli_option_result cli_options_parse(const struct cli_option *options, size_t count, int argc,
    char **argv, void *target, int *operands_out, struct fault *fault_out)
{
	struct reading r = {
		.options = options,
		.count = count,
		.argc = argc,
		.argv = argv,
		.next = 1,
		.target = target,
		.fault = fault_out,
	};
	int operands = 0;
	bool only_operands = false;
	while (r.next < argc) {
		char *argument = argv[r.next++];
		if (only_operands || argument[0] != '-' || argument[1] == '\0')
			argv[++operands] = argument;
		else if (strcmp(argument, "--") == 0)
			only_operands = true;
		else if (asks_for_help(argument))
			return CLI_OPTION_HELP;
		else if (!(argument[1] == '-' ? take_long : take_short)(&r, argument))
			return CLI_OPTION_WRONG;
	}
	*operands_out = operands;
	return CLI_OPTION_PARSED;
}

/* ---- --help ---- */

static void describe_help(const char *help, struct buf *out)
{
	struct span rest = span_from_string(help), line;
	bool first = true;
	while (span_take_until(&rest, '\n', &line)) {
		if (!first)
			buf_printf(out, "%*s", HELP_COLUMN, "");
		buf_printf(out, "%.*s\n", SPAN_ARG(line));
		first = false;
	}
}

static void describe(const struct cli_option *option, struct buf *out)
{
	size_t start = out->len;
	if (option->letter != 0)
		buf_printf(out, "  -%c, --%s", option->letter, option->name);
	else
		buf_printf(out, "      --%s", option->name);
	if (option->value != NULL)
		buf_printf(out, " %s", option->value);
	size_t width = out->len - start;
	if (width + 2 > HELP_COLUMN)
		buf_printf(out, "\n%*s", HELP_COLUMN, "");
	else
		buf_printf(out, "%*s", (int)(HELP_COLUMN - width), "");
	describe_help(option->help, out);
}

void cli_options_describe(const struct cli_option *options, size_t count, struct buf *out)
{
	for (size_t i = 0; i < count; i++) {
		if (options[i].kind != CLI_OPTION_REFUSED)
			describe(&options[i], out);
	}
}

void cli_option_list_fini(struct cli_option_list *list)
{
	mem_free(list->items);
	*list = (struct cli_option_list){ 0 };
}
