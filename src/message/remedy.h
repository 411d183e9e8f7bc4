/* SPDX-License-Identifier: MIT */
#ifndef FRANK_MESSAGE_REMEDY_H
#define FRANK_MESSAGE_REMEDY_H

/*
 * Replies of providers that have their operators search the web, in plain words and with what can
 * be done. One table: code, enhanced status and a piece of the text lead to a row; the first row
 * that fits is the answer, so the particular ones come first. What is not in the table is left to
 * the meaning of its status (message/status_words.h).
 */

#include "base/span.h"

enum message_remedy_kind {
	MESSAGE_REMEDY_LOGIN,  /* about the account: its secret, its rights, its mechanism */
	MESSAGE_REMEDY_SENDER, /* the login may not send as this sender */
	MESSAGE_REMEDY_LIMIT,  /* too many connections at once: fewer will do */
	MESSAGE_REMEDY_LATER,  /* nothing to be done but to wait */
};

struct message_remedy {
	unsigned code;      /* 0: any */
	const char *status; /* "5.7.139"; NULL: any */
	const char *text;   /* in any case, anywhere behind the code; NULL: any */
	enum message_remedy_kind kind;
	const char *meaning;    /* a sentence, without its full stop */
	const char *what_to_do; /* likewise; "" where nothing can be done */
};

/* reply in one line: code, enhanced status if there is one, text. NULL: no row fits. */
const struct message_remedy *message_remedy_find(struct span reply);

#endif
