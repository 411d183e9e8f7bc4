/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/load.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* docs/examples: each file as it stands has neither an error nor a warning. */

static bool read_file(void *context, const char *path, struct buf *out, struct fault *fault_out)
{
	char piece[4096];
	size_t len;
	FILE *file = fopen(path, "r");
	if (!file)
		return false;
	while ((len = fread(piece, 1, sizeof(piece), file)) > 0)
		buf_append(out, span_of(piece, len));
	fclose(file);
	return true;
}

/* The variables that an example says must be set. */
static const char *variable(void *context, const char *name)
{
	static const char *const variables[][2] = {
		{ "HOME", "/home/anna" },
		{ "RELAY_HOSTNAME", "relay.example.org" },
		{ "SMARTHOST", "smtp.example.net" },
		{ "SMARTHOST_LOGIN", "frank@example.net" },
	};
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		if (!strcmp(variables[i][0], name))
			return variables[i][1];
	return NULL;
}

static size_t count_problems(const char *path)
{
	static const struct config_source source = { .read_file = read_file, .variable = variable };
	struct config_report report;
	struct buf text;
	config_report_init(&report);
	buf_init(&text, 1 << 20);
	const struct config *c = config_load(&source, path, NULL, &report);
	config_report_format(&report, &text);
	print_message("%s", buf_string(&text));
	size_t count = report.error_count + report.warning_count;
	assert_true((c != NULL) == (report.error_count == 0));
	config_unref(&c);
	config_report_fini(&report);
	buf_fini(&text);
	return count;
}

static void every_example_is_right(void **state)
{
	glob_t found;
	size_t failed = 0;
	assert_int_equal(glob(EXAMPLES "/*.conf", 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 8);
	for (size_t i = 0; i < found.gl_pathc; i++)
		failed += count_problems(found.gl_pathv[i]) > 0;
	globfree(&found);
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_example_is_right),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
