/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CLI_SEND_H
#define FRANK_CLI_SEND_H

/*
 * `frank send`: one message to one server, with the dialogue shown as it runs and a verdict in
 * plain words at the end. send.c reads the options, send_sign_in.c those about signing in,
 * send_message.c makes the message, send_run.c has the session (relay/upstream.h), send_verdict.c
 * the words.
 */

#include "cli/dialogue.h"
#include "cli/option.h"
#include "config/config.h"
#include "net/address.h"
#include "relay/upstream.h"

#define SEND_MESSAGE_MAX (512u * 1024 * 1024)

struct send_message {
	struct buf content; /* CRLF text */
	bool eight_bit;
	uint64_t line_ends_mended; /* of lines that ended with LF alone */
	bool has_header;
};

struct send_order {
	struct config_via via;
	const struct config_via *more_vias; /* tried after it; NULL: none */
	size_t more_via_count;
	bool sign_in_only; /* leaves before MAIL; there is neither envelope nor message */
	const char *from;  /* "" for the null reverse-path */
	struct span *to;
	size_t to_count;
	struct send_message message;
	bool account; /* it signs in, with what follows */
	struct span login, password, token;
	bool certificate; /* tls has one */
	bool kerberos;
	const char *const *mechanisms; /* the only ones; none: the ladder chooses */
	size_t mechanism_count;
	enum config_initial_response initial_response;
	bool cleartext_auth, tls_off;
	struct tls_client_context *tls;
	const char *tls_name; /* NULL: the host */
	const char *ehlo;
	struct net_address source;
	bool json, quiet, times;
};

enum send_recipient_state {
	SEND_RECIPIENT_OPEN, /* nothing final was said about it */
	SEND_RECIPIENT_TAKEN,
	SEND_RECIPIENT_REFUSED,
};

struct send_recipient {
	enum send_recipient_state state;
	enum smtp_client_stage stage; /* of the reply */
	char *reply;                  /* "550 5.1.1 text", printable; NULL */
};

/* How it went. Made by send_run(), free with send_result_fini(). */
struct send_result {
	struct send_recipient *recipients; /* as in the order */
	size_t recipient_count;
	char *peer;                    /* "smtp.example.net (192.0.2.1:587)" */
	char *remote_id;               /* NULL: none was recognised */
	enum upstream_trouble trouble; /* why the session came to nothing */
	enum smtp_client_stage stage;
	char *text;  /* the sentence that goes with it; NULL */
	char *reply; /* what the server said; NULL */
	bool tls_active;
	bool was_ready; /* signed in, where there is an account */
	char mechanism[SMTP_MECHANISM_MAX + 1];
	char tls_version[16]; /* empty: in clear */
	json_t *lines;        /* the dialogue, with --json */
};

/* What the command line says of signing in; NULL: nothing. */
struct send_sign_in {
	const char *login, *password_file, *token_file, *certificate, *key;
	bool kerberos;
	struct cli_option_list mechanisms;
	struct buf password, token; /* secret: what was read */
};

/* Checks it and reads or asks for the secrets; the order borrows them. message_file is where the
   message comes from. Exit status, or -1. */
int send_read_sign_in(
    struct send_sign_in *sign_in, const char *message_file, struct send_order *order);
void send_sign_in_fini(struct send_sign_in *sign_in);

/* From a file, from standard input ("-"), or made up from subject and body (path NULL). Line ends
   become CRLF. False with a sentence. */
bool send_message_read(struct send_message *message, const char *path, struct fault *fault_out);
void send_message_make(struct send_message *message, const char *from, const struct span *to,
    size_t to_count, const char *subject, const char *body);
void send_message_fini(struct send_message *message);

/* Runs the session to its end. False when no loop could be made. */
bool send_run(const struct send_order *order, struct send_result *result, struct fault *fault_out);
void send_result_fini(struct send_result *result);

/* The exit status, and the verdict: what happened, then, where that is known, what to do. */
int send_verdict(const struct send_order *order, const struct send_result *result,
    struct buf *text_out, struct buf *advice_out);
/* {"format":…,"client":…,"server":…,"lines":[…],"findings":[]} */
json_t *send_dialogue_json(const struct send_order *order, const struct send_result *result);
json_t *send_verdict_json(const struct send_order *order, const struct send_result *result,
    const char *text, const char *advice);

#endif
