/* SPDX-License-Identifier: MIT */

/* The program: its commands. To add one, write its row and function in a file of its own and list
   the row here. */

#include "base/memory.h"
#include "cli/cli.h"

#include <signal.h>

struct serve_options {
	const char *config;
};

static const struct cli_option serve_options[] = {
	CLI_OPTION_CONFIG(struct serve_options, config),
};

static const struct cli_command serve_command = {
	.name = "serve",
	.synopsis = "[-c FILE]",
	.summary = "the relay, in the foreground",
	.about = "SIGTERM ends it gracefully, SIGHUP reloads the configuration and certificates.\n",
	.options = serve_options,
	.option_count = ARRAY_LEN(serve_options),
	.run = cli_serve,
};

static const struct cli_command *const commands[] = {
	&serve_command,
	&cli_send_command,
	&cli_sink_command,
	&cli_status_command,
	&cli_queue_command,
	&cli_hop_command,
	&cli_trace_command,
	&cli_user_command,
	&cli_route_command,
	&cli_config_command,
};

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	return cli_main(commands, ARRAY_LEN(commands), argc, argv);
}
