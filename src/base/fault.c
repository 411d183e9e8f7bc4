/* SPDX-License-Identifier: MIT */
#include "base/fault.h"

#include <stdio.h>
#include <string.h>

static void remove_line_ends(char *text)
{
	for (; *text; text++) {
		if (*text == '\r' || *text == '\n')
			*text = ' ';
	}
}

/* The arguments may point into f->text, hence the detour through an array of our own. */
static void __attribute__((format(printf, 2, 0)))
format_text(struct fault *f, const char *format, va_list arguments)
{
	char text[sizeof(f->text)];

	vsnprintf(text, sizeof(text), format, arguments);
	remove_line_ends(text);
	memcpy(f->text, text, strlen(text) + 1);
}

void fault_set(struct fault *f, enum fault_kind kind, const char *format, ...)
{
	va_list arguments;

	f->kind = kind;
	va_start(arguments, format);
	format_text(f, format, arguments);
	va_end(arguments);
}

void fault_prefix(struct fault *f, const char *format, ...)
{
	char old[sizeof(f->text)];
	va_list arguments;
	size_t len;

	memcpy(old, f->text, sizeof(old));
	va_start(arguments, format);
	format_text(f, format, arguments);
	va_end(arguments);
	len = strlen(f->text);
	snprintf(f->text + len, sizeof(f->text) - len, ": %s", old);
}
