/* SPDX-License-Identifier: MIT */
/*
 * tls_auth PORT SESSIONS SIZE TRUST LOGIN PASSWORD-FILE
 *
 * One session after another: EHLO, STARTTLS with a full handshake (nothing is resumed) and the
 * certificate verified, EHLO, AUTH PLAIN, one message, QUIT. Prints the times from connect() to the
 * 250; what the server spent on them is measured by the bench.
 */
#include "timing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

static char auth_line[1024];

static void fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static void make_auth_line(const char *login, const char *password_file)
{
	char password[256] = "", token[512], encoded[704];
	FILE *file = fopen(password_file, "r");
	int len;

	if (file == NULL || fgets(password, sizeof password, file) == NULL)
		fail("the password file cannot be read");
	fclose(file);
	password[strcspn(password, "\r\n")] = '\0';
	len = snprintf(token, sizeof token, "%c%s%c%s", 0, login, 0, password);
	if (len >= (int)sizeof token)
		fail("login and password are too long");
	EVP_EncodeBlock((unsigned char *)encoded, (unsigned char *)token, len);
	snprintf(auth_line, sizeof auth_line, "AUTH PLAIN %s\r\n", encoded);
}

static SSL_CTX *make_context(const char *trust)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (context == NULL || SSL_CTX_load_verify_locations(context, trust, NULL) != 1)
		fail("the trusted certificate cannot be read");
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	return context;
}

static void start_tls(struct talk *talk, SSL_CTX *context)
{
	talk_command(talk, "STARTTLS\r\n", 220);
	talk->ssl = SSL_new(context);
	if (talk->ssl == NULL || SSL_set1_host(talk->ssl, "localhost") != 1 ||
	    SSL_set_fd(talk->ssl, talk->fd) != 1 || SSL_connect(talk->ssl) != 1)
		fail("the TLS handshake failed");
}

static uint64_t time_session(uint16_t port, SSL_CTX *context, size_t size)
{
	uint64_t start = now_ns(), elapsed;
	struct talk talk;

	talk_open(&talk, port);
	talk_command(&talk, "EHLO source.test\r\n", 250);
	start_tls(&talk, context);
	talk_command(&talk, "EHLO source.test\r\n", 250);
	talk_command(&talk, auth_line, 235);
	talk_envelope_and_body(&talk, size);
	talk_command(&talk, ".\r\n", 250);
	elapsed = now_ns() - start;
	talk_command(&talk, "QUIT\r\n", 221);
	talk_close(&talk);
	return elapsed;
}

int main(int argc, char **argv)
{
	size_t sessions, i;
	uint64_t *times_ns, start;
	SSL_CTX *context;

	if (argc != 7) {
		fputs("usage: tls_auth PORT SESSIONS SIZE TRUST LOGIN PASSWORD-FILE\n", stderr);
		return 2;
	}
	sessions = (size_t)atol(argv[2]);
	times_ns = calloc(sessions + 1, sizeof *times_ns);
	context = make_context(argv[4]);
	make_auth_line(argv[5], argv[6]);
	if (times_ns == NULL || sessions == 0)
		return 2;
	start = now_ns();
	for (i = 0; i < sessions; i++)
		times_ns[i] = time_session((uint16_t)atoi(argv[1]), context, (size_t)atol(argv[3]));
	print_percentiles(times_ns, sessions, now_ns() - start);
	free(times_ns);
	SSL_CTX_free(context);
	return 0;
}
