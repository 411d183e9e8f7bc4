/* SPDX-License-Identifier: MIT */
#ifndef FRANK_TESTS_SMTP_CLIENT_RUNNER_H
#define FRANK_TESTS_SMTP_CLIENT_RUNNER_H

/*
 * Plays a scripted server against the client machine, and the owner a real one would have: the
 * ladder for AUTH, one message after another, QUIT. All that happens is written down as a
 *transcript:
 *
 *	S: what the server sends	C: what the client sends	* event, reply, sentence
 *
 * Each scenario runs whole, octet by octet, and in fixed random pieces: the transcript and what
 * the observer sees must be the same.
 */

#include "sasl/ladder.h"
#include "smtp/client.h"

struct scenario {
	const char *name;
	struct smtp_client_settings settings; /* without a name it is "me.example.org" */
	bool from_ready;                      /* the transcript begins at the first READY */
	bool helo;                            /* answers EHLO_REFUSED with HELO, else QUIT */
	/* With a login the ladder runs. */
	const char *login, *password;
	const char *only; /* the one mechanism that may be used; NULL: any */
	enum sasl_initial_response initial_response;
	bool no_cleartext;
	const char *from; /* NULL: no message is sent */
	const char *to[6];
	const char *content;
	uint64_t size;
	bool body_8bit, smtputf8, requiretls;
	enum smtp_return ret;
	struct span envid;
	struct smtp_client_notify notify[6];
	unsigned messages; /* 0: one, where from is set */
	bool probe;        /* before each message but the first */
	bool ahead;        /* the next message is begun behind the dot */
	bool quits;        /* instead of going on, although it was begun */
	/* Each is sent once the client waits, and gets a CRLF; within one, lines are separated by
	   CRLF. "<EOF>" and "<TIMEOUT>" are what they say; "<RAW>..." gets no CRLF. */
	const char *server[32];
	const char *want;     /* the transcript */
	const char *observed; /* what the observer saw; NULL: not compared */
};

/* For cmocka: state is the scenario. */
void run_scenario(void **state);

#endif
