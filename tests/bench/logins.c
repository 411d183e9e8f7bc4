/* SPDX-License-Identifier: MIT */
/*
 * logins PORT COUNT MECHANISM SIZE LOGIN PASSWORD-FILE
 *
 * So many sessions in clear, one after another: EHLO, AUTH with PLAIN, SCRAM-SHA-256 or (NONE)
 * without, one message unless SIZE is 0, QUIT. SCRAM's keys are derived once, as a client does that
 * keeps them. Prints the times from connect() to the end; what the server spent is measured by the
 * bench.
 */
#include "timing.h"

#include "base/base64.h"
#include "base/buf.h"
#include "sasl/scram.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char bare[] = "n=%.*s,r=fyko+d2lbbFgONRv9qkxdawL";

struct client {
	struct talk talk;
	struct span login;
	char password[256];
	bool keyed;
	struct sasl_scram_keys keys;
};

static void fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static void read_password(struct client *c, const char *path)
{
	FILE *file = fopen(path, "r");

	if (file == NULL || fgets(c->password, sizeof(c->password), file) == NULL)
		fail("the password file cannot be read");
	fclose(file);
	c->password[strcspn(c->password, "\r\n")] = '\0';
}

static void say_encoded(struct client *c, const char *before, struct span bytes)
{
	struct buf line;

	buf_init(&line, 4096);
	buf_append_string(&line, before);
	base64_encode(&line, bytes);
	buf_append_string(&line, "\r\n");
	talk_send(&c->talk, buf_span(&line).data, line.len);
	buf_fini(&line);
}

static void sign_in_plain(struct client *c)
{
	struct buf plain;

	buf_init(&plain, 1024);
	buf_append_byte(&plain, '\0');
	buf_append(&plain, c->login);
	buf_append_byte(&plain, '\0');
	buf_append_string(&plain, c->password);
	say_encoded(c, "AUTH PLAIN ", buf_span(&plain));
	talk_expect(&c->talk, 235);
	buf_fini(&plain);
}

/* What stands behind "334 ", decoded. */
static void read_challenge(struct client *c, struct buf *out)
{
	struct talk *talk = &c->talk;
	char *end;

	while ((end = memmem(talk->input, talk->fill, "\r\n", 2)) == NULL)
		talk->fill += talk_read(talk);
	if (memcmp(talk->input, "334 ", 4) != 0 ||
	    !base64_decode(out, span_of(talk->input + 4, (size_t)(end - talk->input) - 4)))
		fail("no challenge of SCRAM");
	talk->fill = 0; /* lock-step: nothing stands behind it */
}

static void derive(struct client *c, struct span salt64, struct span iterations)
{
	char salted[SASL_DIGEST_MAX];
	uint64_t count;
	struct buf salt;

	buf_init(&salt, 256);
	if (!base64_decode(&salt, salt64) || !span_to_u64(iterations, &count) ||
	    !sasl_scram_salt(SASL_HASH_SHA_256, span_from_string(c->password), buf_span(&salt),
		(unsigned)count, salted) ||
	    !sasl_scram_keys(SASL_HASH_SHA_256, salted, &c->keys))
		fail("the keys cannot be derived");
	buf_fini(&salt);
	c->keyed = true;
}

static void answer(struct client *c, struct span first_bare, struct span server_first)
{
	struct span rest = server_first, nonce, salt, iterations;
	char signature[SASL_DIGEST_MAX];
	struct buf final, message;

	if (!sasl_scram_take(&rest, 'r', &nonce) || !sasl_scram_take(&rest, 's', &salt) ||
	    !sasl_scram_take(&rest, 'i', &iterations))
		fail("no first message of SCRAM's server");
	if (!c->keyed)
		derive(c, salt, iterations);
	buf_init(&final, 1024);
	buf_init(&message, 4096);
	buf_printf(&final, "c=biws,r=%.*s", SPAN_ARG(nonce));
	buf_printf(&message, "%.*s,%.*s,%s", SPAN_ARG(first_bare), SPAN_ARG(server_first),
	    buf_string(&final));
	sasl_hmac(SASL_HASH_SHA_256, span_of(c->keys.stored_key, SASL_DIGEST_MAX),
	    buf_span(&message), signature);
	for (size_t i = 0; i < SASL_DIGEST_MAX; i++)
		signature[i] = (char)(signature[i] ^ c->keys.client_key[i]);
	buf_append_string(&final, ",p=");
	base64_encode(&final, span_of(signature, SASL_DIGEST_MAX));
	say_encoded(c, "", buf_span(&final));
	buf_fini(&final);
	buf_fini(&message);
}

static void sign_in_scram(struct client *c)
{
	struct buf first, challenge;

	buf_init(&first, 1024);
	buf_init(&challenge, 4096);
	buf_append_string(&first, "n,,");
	buf_printf(&first, bare, SPAN_ARG(c->login));
	say_encoded(c, "AUTH SCRAM-SHA-256 ", buf_span(&first));
	read_challenge(c, &challenge);
	answer(c, span_skip(buf_span(&first), 3), buf_span(&challenge));
	buf_clear(&challenge);
	read_challenge(c, &challenge); /* the server's signature */
	talk_command(&c->talk, "\r\n", 235);
	buf_fini(&first);
	buf_fini(&challenge);
}

static void run_session(struct client *c, uint16_t port, const char *mechanism, size_t size)
{
	talk_open(&c->talk, port);
	talk_command(&c->talk, "EHLO source.test\r\n", 250);
	if (strcmp(mechanism, "PLAIN") == 0)
		sign_in_plain(c);
	else if (strcmp(mechanism, "SCRAM-SHA-256") == 0)
		sign_in_scram(c);
	if (size > 0) {
		talk_envelope_and_body(&c->talk, size);
		talk_command(&c->talk, ".\r\n", 250);
	}
	talk_command(&c->talk, "QUIT\r\n", 221);
	talk_close(&c->talk);
}

int main(int argc, char **argv)
{
	static struct client client;
	size_t count = argc == 7 ? strtoul(argv[2], NULL, 10) : 0;
	uint64_t *times = calloc(count + 1, sizeof(*times)), start;

	if (argc != 7 || count == 0 || times == NULL)
		fail("usage: logins PORT COUNT MECHANISM SIZE LOGIN PASSWORD-FILE");
	client.login = span_from_string(argv[5]);
	read_password(&client, argv[6]);
	start = now_ns();
	for (size_t i = 0; i < count; i++) {
		uint64_t begin = now_ns();

		run_session(&client, (uint16_t)strtoul(argv[1], NULL, 10), argv[3],
		    strtoul(argv[4], NULL, 10));
		times[i] = now_ns() - begin;
	}
	print_percentiles(times, count, now_ns() - start);
	free(times);
	return 0;
}
