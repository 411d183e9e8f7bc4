/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include "base/memory.h"
#include "relay/events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

/* frank(1) against the tables of the program: options, and events of the log. */

static char *manual;

static int read_manual(void **state)
{
	FILE *file = fopen(MANUAL, "r");
	if (file == NULL)
		return -1;
	struct buf text;
	char piece[4096];
	size_t len;
	buf_init(&text, 1 << 20);
	while ((len = fread(piece, 1, sizeof(piece), file)) > 0)
		buf_append(&text, span_of(piece, len));
	fclose(file);
	manual = buf_take_string(&text);
	return 0;
}

static int free_manual(void **state)
{
	mem_free(manual);
	return 0;
}

static const struct cli_command *const commands[] = {
	&cli_config_command,
	&cli_hop_command,
	&cli_queue_command,
	&cli_route_command,
	&cli_send_command,
	&cli_sink_command,
	&cli_status_command,
	&cli_token_command,
	&cli_trace_command,
	&cli_user_command,
};

/* What stands under the command's name, up to the next heading. */
static struct span section_of(const struct cli_command *command)
{
	char heading[64];
	struct span all = span_from_string(manual);
	snprintf(heading, sizeof(heading), "\n.Ss %s\n", command->name);
	size_t at = span_find_span(all, span_from_string(heading));
	if (at == all.len)
		fail_msg("frank(1) has no section for %s", command->name);
	all = span_skip(all, at + strlen(heading) - 1);
	all = span_head(all, span_find_span(all, SPAN("\n.Ss ")));
	return span_head(all, span_find_span(all, SPAN("\n.Sh ")));
}

static void format_item(const struct cli_option *option, char *out, size_t size)
{
	char letter[16] = "";
	if (option->letter != 0)
		snprintf(letter, sizeof(letter), "Fl %c , ", option->letter);
	snprintf(out, size, "\n.It %sFl -%s%s%s\n", letter, option->name,
	    option->value != NULL ? " Ar " : "", option->value != NULL ? option->value : "");
}

static void every_option_stands_in_the_manual(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		struct span section = section_of(commands[i]);
		for (size_t j = 0; j < commands[i]->option_count; j++) {
			char item[200];
			if (commands[i]->options[j].kind == CLI_OPTION_REFUSED)
				continue;
			format_item(&commands[i]->options[j], item, sizeof(item));
			if (span_find_span(section, span_from_string(item)) == section.len)
				fail_msg("%s: frank(1) lacks%s", commands[i]->name, item);
		}
	}
}

static size_t count_items(struct span section)
{
	size_t count = 0;
	for (size_t at; (at = span_find_span(section, SPAN("\n.It Fl "))) < section.len; count++)
		section = span_skip(section, at + 1);
	return count;
}

static void the_manual_has_no_option_that_is_not_there(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		size_t taken = 0;
		for (size_t j = 0; j < commands[i]->option_count; j++)
			taken += commands[i]->options[j].kind != CLI_OPTION_REFUSED;
		if (count_items(section_of(commands[i])) != taken)
			fail_msg("%s takes %zu options, frank(1) has %zu", commands[i]->name, taken,
			    count_items(section_of(commands[i])));
	}
}

static void every_event_stands_in_the_manual_with_its_meaning(void **state)
{
	static const char *const levels[] = {
		[LOG_LEVEL_DEBUG] = "debug",
		[LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_WARNING] = "warning",
		[LOG_LEVEL_ERROR] = "error",
	};
	for (int i = 0; i < EVENT_COUNT; i++) {
		enum event event = (enum event)i;
		char item[600];
		snprintf(item, sizeof(item), "\n.It Li %s Pq %s\n%s\n", event_name(event),
		    levels[event_level(event)], event_meaning(event));
		if (strstr(manual, item) == NULL)
			fail_msg("frank(1) lacks%s", item);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_option_stands_in_the_manual),
		cmocka_unit_test(the_manual_has_no_option_that_is_not_there),
		cmocka_unit_test(every_event_stands_in_the_manual_with_its_meaning),
	};
	return cmocka_run_group_tests(tests, read_manual, free_manual);
}
