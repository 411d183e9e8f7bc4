/* SPDX-License-Identifier: MIT */

/* The program: its commands. To add one, write its row and function in a file of its own and list
   the row here. */

#include "base/memory.h"
#include "cli/cli.h"

#include <signal.h>

static const struct cli_command *const commands[] = {
	&cli_serve_command,
	&cli_send_command,
	&cli_sink_command,
	&cli_status_command,
	&cli_queue_command,
	&cli_hop_command,
	&cli_quirks_command,
	&cli_trace_command,
	&cli_token_command,
	&cli_user_command,
	&cli_ban_command,
	&cli_route_command,
	&cli_config_command,
};

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	return cli_main(commands, ARRAY_LEN(commands), argc, argv);
}
