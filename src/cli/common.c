/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include "base/escape.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void cli_complain(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fputs("frank: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
}

int cli_usage(const char *command, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fprintf(stderr, "frank %s: ", command);
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\nfrank %s --help says more\n", command);
	va_end(arguments);
	return CLI_EXIT_USAGE;
}

int cli_finish(int done)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return done;
	cli_complain("standard output cannot be written: %s", strerror(errno));
	return CLI_EXIT_LOCAL;
}

int cli_json_print(json_t *object, int done)
{
	bool printed =
	    object != NULL && json_dumpf(object, stdout, JSON_COMPACT) == 0 && putchar('\n') != EOF;
	json_decref(object);
	if (!printed) {
		cli_complain("the JSON output cannot be written");
		return CLI_EXIT_LOCAL;
	}
	return cli_finish(done);
}

json_t *cli_json_text(struct span bytes)
{
	json_t *plain = json_stringn(bytes.data, bytes.len);
	if (plain != NULL)
		return plain;
	struct buf escaped;
	buf_init(&escaped, bytes.len * ESCAPE_CHARACTER_MAX + 1);
	escape_append(&escaped, bytes);
	json_t *text = json_stringn(buf_span(&escaped).data, escaped.len);
	buf_fini(&escaped);
	return text;
}
