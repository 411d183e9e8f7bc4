/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CLI_SINK_MESSAGE_H
#define FRANK_CLI_SINK_MESSAGE_H

/*
 * A message that the sink takes: its envelope, and its content on the way into a Maildir, byte for
 * byte and without any added field, or counted only.
 */

#include "cli/sink_server.h"
#include "relay/maildir.h"

#define SINK_ENVELOPE_MAX (1024 * 1024) /* octets of addresses that are kept for the report */

struct sink_message {
	uint64_t id, size;
	uint64_t recipient_count;
	char *reverse_path;
	struct buf recipients;    /* addresses, each with a LF behind it */
	struct maildir_file file; /* open while stored */
	bool stored;
	char *name; /* of the file in new/, once it is there */
};

/* login and client are for the report. */
struct sink_message_source {
	const char *client, *login;
	bool tls_active;
};

struct sink_message *sink_message_create(struct sink *sink, struct span reverse_path);
void sink_message_destroy(struct sink_message **m); /* what is not complete is removed */

void sink_message_add(struct sink_message *m, struct span recipient);
/* DATA: opens the file, when contents are kept. */
bool sink_message_open(struct sink_message *m, struct sink *sink, struct fault *fault_out);
bool sink_message_append(struct sink_message *m, struct span content, struct fault *fault_out);
bool sink_message_finish(struct sink_message *m, struct fault *fault_out);
/* The line on standard output. */
void sink_message_report(
    struct sink_message *m, struct sink *sink, const struct sink_message_source *source);

#endif
