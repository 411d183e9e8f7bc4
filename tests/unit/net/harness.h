/* SPDX-License-Identifier: MIT */
#ifndef FRANK_TESTS_NET_HARNESS_H
#define FRANK_TESTS_NET_HARNESS_H

/*
 * Two ends of a connection in one loop, and what happened to each. Waits are for conditions, with
 * an alarm as watchdog.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/conn.h"

#define GOT_MAX (64u << 20)

struct end {
	struct conn *c;
	struct buf got;
	bool hold; /* consumes nothing */
	bool echo;
	size_t to_send; /* bytes of the pattern still to be appended */
	size_t sent;
	size_t input_seen_max, pending_max;
	int calls;
	bool eof, tls;
	char fault[512];
	void (*react)(struct end *e); /* instead of all that */
};

extern struct net_loop loop;

int harness_setup(void **state);
int harness_teardown(void **state);

/* One turn of the loop. It does not wait: the condition may come true before the waiting. */
void turn(void);
#define UNTIL(condition)                                                                           \
	do {                                                                                       \
		while (!(condition))                                                               \
			turn();                                                                    \
	} while (0)
/* A few turns that do not wait: for what must not happen. */
void idle_turns(void);

void end_init(struct end *e);
void end_fini(struct end *e); /* closes the connection if it still is open */
void end_ready(struct conn *c, void *owner);

/* The bytes of a long transfer: byte i of the pattern. */
char pattern(size_t i);
void assert_pattern(const struct buf *b, size_t len);

void make_socketpair(int fds_out[2]);
/* Both ends over a socketpair. */
void open_pair(struct end *a, struct end *b);
/* Both ends over TCP on 127.0.0.1. */
void open_tcp_pair(struct end *client, struct end *server);
int listen_on_loopback(struct net_address *address_out);

void say(struct end *e, const char *text); /* append and flush */
void assert_got(const struct end *e, const char *text);

#endif
