/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CLI_OPTION_H
#define FRANK_CLI_OPTION_H

/*
 * Command-line options as a table: a row is how an option is written, what it takes, where its
 * value goes, and its line in --help, so that none can be obeyed and not described, or the other
 * way round. Written "--name VALUE", "--name=VALUE", "-n VALUE" or "-nVALUE", among the operands
 * in any order; "--" ends options, "-" alone is an operand. Names are not abbreviated: a near name
 * is suggested instead.
 */

#include "base/buf.h"
#include "base/fault.h"

#define CLI_OPTION_LIST_MAX 1000 /* values of one option */

enum cli_option_kind {
	CLI_OPTION_FLAG,    /* bool */
	CLI_OPTION_TEXT,    /* const char *: borrows from argv */
	CLI_OPTION_LIST,    /* struct cli_option_list; may be given again */
	CLI_OPTION_CHOICE,  /* int: place in value, "off|starttls|implicit" */
	CLI_OPTION_NUMBER,  /* uint64_t, decimal */
	CLI_OPTION_SIZE,    /* uint64_t, bytes: "50MB", as in the configuration */
	CLI_OPTION_REFUSED, /* known, and wrong; help is the sentence that says why */
};

/* Zeroed memory is empty. Free with cli_option_list_fini(). */
struct cli_option_list {
	const char **items;
	size_t count;
};

struct cli_option {
	const char *name; /* without "--" */
	char letter;      /* 0: none */
	enum cli_option_kind kind;
	const char *value; /* "FILE", or the choices; NULL for a flag */
	size_t offset;     /* of the field in the target */
	const char *help;  /* may have several lines */
};

/* Every command that asks for the configuration, and every one that lists or reports. */
#define CLI_OPTION_CONFIG(type, field)                                                             \
	{                                                                                          \
		"config", 'c', CLI_OPTION_TEXT, "FILE", offsetof(type, field),                     \
		    "the configuration, instead of $FRANK_CONF,\n"                                 \
		    "~/.config/frank/frank.conf or /etc/frank/frank.conf"                          \
	}
#define CLI_OPTION_JSON(type, field)                                                               \
	{                                                                                          \
		"json", 0, CLI_OPTION_FLAG, NULL, offsetof(type, field), "the result as JSON"      \
	}

enum cli_option_result {
	CLI_OPTION_PARSED,
	CLI_OPTION_HELP,  /* --help or -h was asked for */
	CLI_OPTION_WRONG, /* fault_out has the sentence */
};

/* Reads argv[1] and behind into target, and moves the operands to argv[1] and behind, their number
   into *operands_out. Fields of options that are not given stay as they were. */
enum cli_option_result cli_options_parse(const struct cli_option *options, size_t count, int argc,
    char **argv, void *target, int *operands_out, struct fault *fault_out);

/* The table for --help: a line or more for each option that is not REFUSED. */
void cli_options_describe(const struct cli_option *options, size_t count, struct buf *out);

void cli_option_list_fini(struct cli_option_list *list);

#endif
