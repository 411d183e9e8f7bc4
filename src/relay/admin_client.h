/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_ADMIN_CLIENT_H
#define FRANK_RELAY_ADMIN_CLIENT_H

/*
 * A client of the admin socket, as its commands see it: what it asked, and how to answer. A command
 * is a row in the table of admin.c and a function that answers at once, or later through a
 * question to the keeper, or for as long as the client stays.
 */

#include "net/conn.h"
#include "relay/admin.h"
#include "relay/control.h"
#include "relay/inbox.h"

#include <jansson.h>

struct listener;
struct follow;
struct admin_queue;

struct admin {
	struct control *control;
	int fd;
	struct listener *listener;
	struct inbox *from_keeper;
	struct list clients; /* of struct admin_client */
	unsigned client_count;
	unsigned follower_count;
	bool closing; /* the keeper has ended: no more questions */
};

struct admin_client {
	struct list link;
	struct admin *admin;
	struct conn *conn;
	struct buf out;                  /* behind what the connection has taken */
	bool asked;                      /* the request has been read */
	bool ended;                      /* all is said */
	size_t pending_before;           /* bytes of output, when last looked at */
	int64_t stalled_since_ms;        /* monotonic: since then it took nothing */
	struct admin_question *question; /* is with the keeper, or NULL */
	struct net_timer timer;          /* of the command */
	struct admin_queue *queue;       /* a queue command under way, or NULL */
	struct follow *follow;           /* a trace, or NULL */
	uint64_t dropped;                /* lines of the trace */
};

/* What a command asks the keeper; the first member of what its poster fills. When it is back,
   answered is called, with client NULL if that one has left; it frees the question. */
struct admin_question {
	struct keeper_query query; /* first */
	struct admin_client *client;
	void (*answered)(struct admin_question *question);
};
/* A client has one question open at a time. */
void admin_ask(struct admin_client *client, struct admin_question *question,
    bool (*run)(struct keeper_query *query, struct spool_store *store, struct fault *fault_out),
    void (*answered)(struct admin_question *question));

/* One line. The object is taken. Who has much to say waits for room, see below. */
void admin_say(struct admin_client *client, json_t *object);
/* {"error":…} and the end. */
void admin_fail(struct admin_client *client, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The end. The client may be gone afterwards, at the latest in the next turn. */
void admin_end(struct admin_client *client, int status);

/* ---- the commands, each in a file of its own ---- */

typedef void admin_command_fn(struct admin_client *client, const char *verb, const json_t *request);

admin_command_fn admin_queue;  /* admin_queue.c */
admin_command_fn admin_status; /* admin_status.c */
admin_command_fn admin_hop;    /* admin_hop.c */
admin_command_fn admin_follow; /* admin_trace.c */
admin_command_fn admin_token;  /* admin_token.c */
admin_command_fn admin_ban;    /* admin_ban.c */
admin_command_fn admin_quirks; /* admin_quirks.c */

/* All that was said is on its way: there is room for more. */
void admin_queue_drained(struct admin_client *client);
/* The client leaves. */
void admin_queue_leave(struct admin_client *client);
void admin_follow_leave(struct admin_client *client);
void admin_follow_line(struct admin_client *client, const struct trace_line *line);

#endif
