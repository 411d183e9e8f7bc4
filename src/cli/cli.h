/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CLI_CLI_H
#define FRANK_CLI_CLI_H

/*
 * What all subcommands share. A subcommand is a row (struct cli_command) that stands in the file
 * with its function; main.c lists the rows, and --help is printed from the row. Results go to
 * standard output, talk to standard error. A secret comes from a prompt or a file, never from an
 * argument: arguments are public.
 */

#include "base/buf.h"
#include "base/fault.h"
#include "cli/option.h"
#include "config/load.h"

#include <jansson.h>

/* Exit status of every subcommand but sendmail, which has sysexits. */
enum cli_exit {
	CLI_EXIT_DONE = 0,
	CLI_EXIT_FOUND = 1, /* the peer refused, something was found, no such id */
	CLI_EXIT_USAGE = 2, /* usage or configuration */
	CLI_EXIT_LOCAL = 3, /* could not try: no file, no daemon, no connection */
};

struct cli_command {
	const char *name;
	const char *synopsis; /* what stands behind "frank NAME": "add|list [-c FILE]" */
	const char *summary;  /* one line, no full stop */
	const char *about;    /* lines for --help between summary and options; NULL */
	const struct cli_option *options; /* may be NULL: then about describes them */
	size_t option_count;
	/* argv[0] is the subcommand's name. Returns an exit status. */
	int (*run)(int argc, char **argv);
};

extern const struct cli_command cli_ban_command;
extern const struct cli_command cli_config_command;
extern const struct cli_command cli_hop_command;
extern const struct cli_command cli_queue_command;
extern const struct cli_command cli_route_command;
extern const struct cli_command cli_send_command;
extern const struct cli_command cli_serve_command;
extern const struct cli_command cli_sink_command;
extern const struct cli_command cli_status_command;
extern const struct cli_command cli_token_command;
extern const struct cli_command cli_quirks_command;
extern const struct cli_command cli_trace_command;
extern const struct cli_command cli_user_command;

int cli_user(int argc, char **argv);

/* The whole program: finds the row and runs it, or answers --help and --version. */
int cli_main(const struct cli_command *const commands[], size_t count, int argc, char **argv);
/* What --help says, on standard output. */
int cli_print_help(const struct cli_command *command);
/* Reads the options of the row into target, as cli_options_parse() does; says what is wrong, and
   prints --help. Returns the number of operands, which it leaves in argv[1] and behind; or -1, and
   *status_out is what the command returns. */
int cli_read_options(
    const struct cli_command *command, int argc, char **argv, void *target, int *status_out);

/* To standard error: "frank: ", the sentence, a line end. */
void cli_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, then a line that points to --help. Returns CLI_EXIT_USAGE. */
int cli_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Finds, reads and checks the configuration: path, or if that is NULL $FRANK_CONF,
   ~/.config/frank/frank.conf, /etc/frank/frank.conf, whichever is there first. NULL when there is
   none or it has errors; they are printed then, and so are warnings always. */
const struct config *cli_load_config(const char *path);
/* The same from a known file, with the problems in the report and nothing printed. */
const struct config *cli_read_config(const char *path, struct config_report *report);
/* Files and environment as config_load() wants them. */
const struct config_source *cli_config_source(void);
/* The file that the above would read, as a string on the heap; NULL when there is none, after a
   complaint was printed. */
char *cli_find_config(const char *path);

/* This machine's name, fully qualified where the resolver knows that, on the heap; NULL when it
   has none. May block on the resolver. */
char *cli_machine_name(void);

#define CLI_PASSWORD_MAX_BYTES 511

/* Where a password comes from. */
struct cli_password_source {
	const char *file;   /* --password-file: a path, or "-" for standard input */
	const char *prompt; /* when file is NULL: "Password for anna" */
	bool twice;         /* ask again on the terminal, and compare */
};

/* Appends the password to out, a secret buf. The terminal's echo is off meanwhile, and is put back
   also when a signal ends the program. False after a complaint was printed. */
bool cli_password_read(const struct cli_password_source *source, struct buf *out);

/* Prints one JSON object on one line to standard output and drops the caller's reference. Returns
   done, or CLI_EXIT_LOCAL when it could not be written. */
int cli_json_print(json_t *object, int done);
/* A JSON string of bytes that may be anything: escaped (base/escape.h) unless they are plain. */
json_t *cli_json_text(struct span bytes);

/* Standard output was written in full; complains and returns CLI_EXIT_LOCAL otherwise. */
int cli_finish(int done);

#endif
