/* SPDX-License-Identifier: MIT */
/*
 * latency connect|dot PORT SESSIONS MESSAGES SIZE
 *
 * How long a client waits, in microseconds: `connect`, a new connection a message, from connect()
 * to the 250 that follows the dot; `dot`, connections kept, from the dot to the 250. SESSIONS run
 * side by side and share MESSAGES.
 */
#include "timing.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SESSIONS_MAX = 500 };

static struct {
	bool connect_each;
	uint16_t port;
	size_t messages, size;
	uint64_t *times_ns;
} plan;

static const char dot[] = ".\r\n";

static void finish_message(struct talk *talk)
{
	talk_send(talk, dot, sizeof dot - 1);
	talk_expect(talk, 250);
}

static uint64_t time_connection(void)
{
	uint64_t start = now_ns(), elapsed;
	struct talk talk;

	talk_open(&talk, plan.port);
	talk_command(&talk, "EHLO source.test\r\n", 250);
	talk_envelope_and_body(&talk, plan.size);
	finish_message(&talk);
	elapsed = now_ns() - start;
	talk_command(&talk, "QUIT\r\n", 221);
	talk_close(&talk);
	return elapsed;
}

static void time_dots(uint64_t *times_ns, size_t count)
{
	struct talk talk;
	size_t i;

	talk_open(&talk, plan.port);
	talk_command(&talk, "EHLO source.test\r\n", 250);
	for (i = 0; i < count; i++) {
		uint64_t start;

		talk_envelope_and_body(&talk, plan.size);
		start = now_ns();
		finish_message(&talk);
		times_ns[i] = now_ns() - start;
	}
	talk_command(&talk, "QUIT\r\n", 221);
	talk_close(&talk);
}

static void *run_session(void *times)
{
	uint64_t *times_ns = times;
	size_t i;

	if (plan.connect_each) {
		for (i = 0; i < plan.messages; i++)
			times_ns[i] = time_connection();
	} else {
		time_dots(times_ns, plan.messages);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[SESSIONS_MAX];
	size_t sessions, i;
	uint64_t start;

	if (argc != 6) {
		fputs("usage: latency connect|dot PORT SESSIONS MESSAGES SIZE\n", stderr);
		return 2;
	}
	plan.connect_each = strcmp(argv[1], "connect") == 0;
	plan.port = (uint16_t)atoi(argv[2]);
	sessions = (size_t)atoi(argv[3]);
	if (sessions < 1 || sessions > SESSIONS_MAX)
		return 2;
	plan.messages = ((size_t)atol(argv[4]) + sessions - 1) / sessions;
	plan.size = (size_t)atol(argv[5]);
	plan.times_ns = calloc(sessions * plan.messages, sizeof *plan.times_ns);
	if (plan.times_ns == NULL)
		return 1;
	talk_prepare_message(plan.size);
	start = now_ns();
	for (i = 0; i < sessions; i++) {
		if (pthread_create(
			&threads[i], NULL, run_session, plan.times_ns + i * plan.messages) != 0)
			return 1;
	}
	for (i = 0; i < sessions; i++)
		pthread_join(threads[i], NULL);
	print_percentiles(plan.times_ns, sessions * plan.messages, now_ns() - start);
	return 0;
}
