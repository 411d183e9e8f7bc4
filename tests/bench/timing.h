/* SPDX-License-Identifier: MIT */
#ifndef FRANK_BENCH_TIMING_H
#define FRANK_BENCH_TIMING_H

/*
 * What the bench's drivers share: a lock-step SMTP conversation over a descriptor or a TLS
 * connection, the message that they send, and percentiles. Any unexpected reply ends the program
 * with status 1: a bench that measures refusals is worthless.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "base/span.h"

struct talk {
	int fd;
	SSL *ssl; /* NULL: plain */
	size_t fill;
	char input[8192];
};

/* Connects to 127.0.0.1; talk_open() reads the greeting, too. */
void talk_connect(struct talk *talk, uint16_t port);
void talk_open(struct talk *talk, uint16_t port);
void talk_close(struct talk *talk);

/* Reads what there is behind what was read, and returns how much; at least one byte. */
size_t talk_read(struct talk *talk);
/* Reads one reply of any number of lines; ends the program unless its code is `want`. */
void talk_expect(struct talk *talk, int want);

/* Sends text (all of it) and, with want != 0, reads the reply. */
void talk_send(struct talk *talk, const char *text, size_t len);
void talk_command(struct talk *talk, const char *line, int want);

/* MAIL, RCPT, DATA and the message up to the final dot. */
void talk_envelope_and_body(struct talk *talk, size_t size);

/* Makes the message of that many bytes of payload; once, before the first thread. */
void talk_prepare_message(size_t size);
/* The message, made when it is not there yet. */
struct span talk_message(size_t size);

uint64_t now_ns(void);

/* Sorts the times and prints p50, p90, p99, the largest (microseconds) and the rate. */
void print_percentiles(uint64_t *times_ns, size_t count, uint64_t elapsed_ns);

#endif
