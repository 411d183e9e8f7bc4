/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include "config/near.h"

#include <stdio.h>
#include <string.h>

#define HELP_MAX 65536

/* ---- --help ---- */

int cli_print_help(const struct cli_command *command)
{
	struct buf text;
	buf_init(&text, HELP_MAX);
	buf_printf(&text, "usage: frank %s%s%s\n\n%s.\n", command->name,
	    command->synopsis[0] != '\0' ? " " : "", command->synopsis, command->summary);
	if (command->about != NULL)
		buf_printf(&text, "\n%s", command->about);
	if (command->option_count > 0)
		buf_append_string(&text, "\n");
	cli_options_describe(command->options, command->option_count, &text);
	fwrite(buf_string(&text), 1, text.len, stdout);
	buf_fini(&text);
	return cli_finish(CLI_EXIT_DONE);
}

int cli_read_options(
    const struct cli_command *command, int argc, char **argv, void *target, int *status_out)
{
	int operands = 0;
	struct fault fault;
	switch (cli_options_parse(
	    command->options, command->option_count, argc, argv, target, &operands, &fault)) {
	case CLI_OPTION_PARSED:
		return operands;
	case CLI_OPTION_HELP:
		*status_out = cli_print_help(command);
		return -1;
	case CLI_OPTION_WRONG:
		break;
	}
	*status_out = cli_usage(command->name, "%s", fault.text);
	return -1;
}

static void print_commands(FILE *stream, const struct cli_command *const commands[], size_t count)
{
	fputs("usage: frank COMMAND [ARGUMENT …]\n\n"
	      "An authenticated SMTP relay that speaks plainly.\n\n",
	    stream);
	for (size_t i = 0; i < count; i++)
		fprintf(stream, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n"
	      "  frank COMMAND --help says what a command takes; frank --version which this is.\n"
	      "  Manual pages: frank(1), frank.conf(5).\n",
	    stream);
}

/* ---- finding the command ---- */

static const struct cli_command *find(
    const struct cli_command *const commands[], size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	}
	return NULL;
}

static int say_unknown(const struct cli_command *const commands[], size_t count, const char *name)
{
	unsigned best = CONFIG_NEAR_NOT;
	const char *near = NULL;
	for (size_t i = 0; i < count; i++) {
		if (config_near_keep(span_from_string(name), commands[i]->name, &best))
			near = commands[i]->name;
	}
	if (near != NULL)
		fprintf(stderr, "frank: %s is no command; did you mean %s?\n", name, near);
	else
		fprintf(stderr, "frank: %s is no command\n", name);
	fputs("frank --help lists them\n", stderr);
	return CLI_EXIT_USAGE;
}

static int help(const struct cli_command *const commands[], size_t count, const char *name)
{
	const struct cli_command *command = name != NULL ? find(commands, count, name) : NULL;
	if (command != NULL)
		return cli_print_help(command);
	if (name != NULL)
		return say_unknown(commands, count, name);
	print_commands(stdout, commands, count);
	return cli_finish(CLI_EXIT_DONE);
}

static bool is_one_of(const char *word, const char *a, const char *b, const char *c)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0 || strcmp(word, c) == 0;
}

int cli_main(const struct cli_command *const commands[], size_t count, int argc, char **argv)
{
	if (argc < 2) {
		print_commands(stderr, commands, count);
		return CLI_EXIT_USAGE;
	}
	const char *word = argv[1];
	if (is_one_of(word, "--version", "-V", "version")) {
		puts("frank " FRANK_VERSION);
		return cli_finish(CLI_EXIT_DONE);
	}
	if (is_one_of(word, "--help", "-h", "help"))
		return help(commands, count, argc > 2 ? argv[2] : NULL);
	const struct cli_command *command = find(commands, count, word);
	if (command == NULL)
		return say_unknown(commands, count, word);
	bool asks = argc > 2 && is_one_of(argv[2], "--help", "-h", "-h");
	return asks ? cli_print_help(command) : command->run(argc - 1, argv + 1);
}
