/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CLI_RELAY_H
#define FRANK_CLI_RELAY_H

/*
 * Asking the relay that runs, over its admin socket (relay/admin.h has the protocol): where the
 * socket is, one request, the lines of the answer. A broken configuration is no hindrance as long
 * as its "admin" block can be read: the relay goes on with the old one, and its status tells of
 * it.
 */

#include "config/config.h"

#include <jansson.h>

struct cli_relay {
	char *socket;                /* path */
	char *config_path;           /* NULL: --socket alone was given */
	const struct config *config; /* NULL: none was read, or it has errors */
};

/* What commands that ask the relay have in common. */
#define CLI_OPTION_SOCKET(type, field)                                                             \
	{                                                                                          \
		"socket", 0, CLI_OPTION_TEXT, "PATH", offsetof(type, field),                       \
		    "the relay's admin socket, instead of the one\nthat the configuration names"   \
	}

/* config, socket: the options, or NULL. False after a complaint was printed. */
bool cli_relay_find(struct cli_relay *relay, const char *config, const char *socket);
void cli_relay_fini(struct cli_relay *relay); /* accepts zeroed memory */

#define CLI_RELAY_NOBODY (-1)

/*
 * Takes the request, and calls on_line for each line of the answer that is neither of "end",
 * "error", "note", "progress": those are dealt with here, and told on standard error. on_line
 * borrows the line; false ends it all. Returns the exit status that the relay said; 3 after a
 * complaint when it stopped answering; 0 when on_line ended it; CLI_RELAY_NOBODY, with *why_out
 * (may be NULL) the sentence, when no relay answers there. quiet_max_ms: how long it may say
 * nothing; 0: for ever.
 */
int cli_relay_ask(const struct cli_relay *relay, json_t *request, int64_t quiet_max_ms,
    bool (*on_line)(void *context, const json_t *line), void *context, struct fault *why_out);

/* The same, complaining when there is nobody: then 3. */
int cli_relay_tell(const struct cli_relay *relay, json_t *request, int64_t quiet_max_ms,
    bool (*on_line)(void *context, const json_t *line), void *context);

#define CLI_RELAY_QUIET_MS 60000

/* Deals with one line as above, for lines that come from elsewhere. True: it was dealt with.
 *status_out is set by "end" only. */
bool cli_relay_line(const json_t *line, int *status_out);

#endif
