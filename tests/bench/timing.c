/* SPDX-License-Identifier: MIT */
#include "timing.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char header[] =
    "From: <a@source.test>\r\nTo: <b@sink.test>\r\nSubject: timing\r\n"
    "Date: Mon, 02 Jun 2025 10:00:00 +0000\r\nMessage-ID: <1@source.test>\r\n\r\n";

static char *message;
static size_t message_len;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void talk_connect(struct talk *talk, uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int on = 1;

	memset(talk, 0, sizeof *talk);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	talk->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (talk->fd < 0)
		fail("socket");
	setsockopt(talk->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(talk->fd, (struct sockaddr *)&address, sizeof address) < 0)
		fail("connect");
}

void talk_open(struct talk *talk, uint16_t port)
{
	talk_connect(talk, port);
	talk_expect(talk, 220);
}

void talk_close(struct talk *talk)
{
	if (talk->ssl != NULL) {
		SSL_shutdown(talk->ssl);
		SSL_free(talk->ssl);
	}
	close(talk->fd);
}

size_t talk_read(struct talk *talk)
{
	char *end = talk->input + talk->fill;
	size_t room = sizeof talk->input - talk->fill;
	ssize_t got;

	if (talk->ssl != NULL)
		got = SSL_read(talk->ssl, end, (int)room);
	else
		got = read(talk->fd, end, room);
	if (got <= 0)
		fail("the server has closed the connection");
	return (size_t)got;
}

/* The last line of the reply has a blank behind its code. */
static bool take_line(struct talk *talk, int *code_out, bool *last_out)
{
	char *end = memmem(talk->input, talk->fill, "\r\n", 2);
	size_t len;

	if (end == NULL)
		return false;
	len = (size_t)(end - talk->input) + 2;
	*code_out = atoi(talk->input);
	*last_out = talk->input[3] != '-';
	memmove(talk->input, talk->input + len, talk->fill - len);
	talk->fill -= len;
	return true;
}

void talk_expect(struct talk *talk, int want)
{
	bool last = false;
	int code = 0;

	while (!last) {
		if (!take_line(talk, &code, &last))
			talk->fill += talk_read(talk);
	}
	if (code != want) {
		fprintf(stderr, "the server answered %d, not %d\n", code, want);
		exit(1);
	}
}

void talk_send(struct talk *talk, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t sent;

		if (talk->ssl != NULL)
			sent = SSL_write(talk->ssl, text, (int)len);
		else
			sent = send(talk->fd, text, len, MSG_NOSIGNAL);
		if (sent <= 0)
			fail("send");
		text += sent;
		len -= (size_t)sent;
	}
}

void talk_command(struct talk *talk, const char *line, int want)
{
	talk_send(talk, line, strlen(line));
	if (want != 0)
		talk_expect(talk, want);
}

void talk_prepare_message(size_t size)
{
	size_t head = sizeof header - 1;

	message = malloc(head + size + 80);
	if (message == NULL)
		fail("malloc");
	memcpy(message, header, head);
	message_len = head;
	while (message_len < head + size) {
		memset(message + message_len, 'x', 70);
		memcpy(message + message_len + 70, "\r\n", 2);
		message_len += 72;
	}
}

struct span talk_message(size_t size)
{
	if (message == NULL)
		talk_prepare_message(size);
	return span_of(message, message_len);
}

void talk_envelope_and_body(struct talk *talk, size_t size)
{
	struct span body = talk_message(size);

	talk_command(talk, "MAIL FROM:<a@source.test>\r\n", 250);
	talk_command(talk, "RCPT TO:<b@sink.test>\r\n", 250);
	talk_command(talk, "DATA\r\n", 354);
	talk_send(talk, body.data, body.len);
}

static int by_value(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

void print_percentiles(uint64_t *times_ns, size_t count, uint64_t elapsed_ns)
{
	qsort(times_ns, count, sizeof *times_ns, by_value);
	printf("p50=%.1f p90=%.1f p99=%.1f max=%.1f rate=%.1f\n", (double)times_ns[count / 2] / 1e3,
	    (double)times_ns[count * 9 / 10] / 1e3, (double)times_ns[count * 99 / 100] / 1e3,
	    (double)times_ns[count - 1] / 1e3, (double)count * 1e9 / (double)elapsed_ns);
}
