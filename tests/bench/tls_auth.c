/* SPDX-License-Identifier: MIT */
/*
 * tls_auth PORT SESSIONS SIZE TRUST LOGIN PASSWORD-FILE
 *
 * One session after another, by Frank's own client machine and AUTH ladder over a blocking socket:
 * STARTTLS with a full handshake (nothing is resumed) and the certificate verified, AUTH PLAIN, one
 * message, QUIT. Prints the times from connect() to the 250; what the server spent on them is
 * measured by the bench, which cross-checks the handshakes with `openssl s_time`.
 */
#include "timing.h"

#include "sasl/ladder.h"
#include "smtp/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

static char password[256];

struct session {
	struct talk talk;
	struct smtp_client client;
	struct sasl_ladder ladder;
	struct sasl_memory memory;
	struct buf output;
	SSL_CTX *context;
	struct span login, mechanism;
	size_t size;
	uint64_t done_ns; /* when the 250 came; 0: not yet */
	bool over;
};

static void fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static void read_password(const char *path)
{
	FILE *file = fopen(path, "r");

	if (file == NULL || fgets(password, sizeof(password), file) == NULL)
		fail("the password file cannot be read");
	fclose(file);
	password[strcspn(password, "\r\n")] = '\0';
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

static void start_tls(struct session *s)
{
	SSL *ssl = SSL_new(s->context);

	if (ssl == NULL || SSL_set1_host(ssl, "localhost") != 1 ||
	    SSL_set_fd(ssl, s->talk.fd) != 1 || SSL_connect(ssl) != 1)
		fail("the TLS handshake failed");
	s->talk.ssl = ssl;
	smtp_client_tls_started(&s->client);
}

static void act(struct session *s, const struct sasl_ladder_action *action)
{
	if (action->kind == SASL_LADDER_START)
		smtp_client_auth_start(
		    &s->client, action->mechanism, action->has_initial, action->bytes);
	else if (action->kind != SASL_LADDER_DONE)
		fail(action->sentence ? action->sentence : "AUTH PLAIN takes no challenge");
}

static void sign_in(struct session *s)
{
	const struct smtp_extensions *offers = smtp_client_extensions(&s->client);
	struct span names[SMTP_MECHANISMS_MAX];
	struct sasl_ladder_action action;
	struct sasl_ladder_settings settings = {
		.offered = names,
		.offered_count = offers->mechanism_count,
		.tls_active = smtp_client_tls_active(&s->client),
		.credentials = { .login = s->login, .password = span_from_string(password) },
		.only = &s->mechanism,
		.only_count = 1,
	};

	for (size_t i = 0; i < offers->mechanism_count; i++)
		names[i] = span_from_string(offers->mechanisms[i]);
	sasl_ladder_begin(&s->ladder, &settings, &s->memory, &action);
	act(s, &action);
}

static void send_message(struct session *s)
{
	static const struct span recipient = { "b@sink.test", 11 };
	struct smtp_client_transaction transaction = {
		.reverse_path = SPAN("a@source.test"),
		.recipients = &recipient,
		.recipient_count = 1,
	};

	if (s->done_ns)
		smtp_client_quit(&s->client);
	else if (!smtp_client_mail(&s->client, &transaction))
		fail("the envelope cannot be sent");
}

static void flush(struct session *s)
{
	talk_send(&s->talk, buf_span(&s->output).data, s->output.len);
	buf_clear(&s->output);
}

static void send_content(struct session *s)
{
	struct span message = talk_message(s->size);

	while (message.len > 0) {
		message = span_skip(message, smtp_client_content(&s->client, message));
		flush(s);
	}
	smtp_client_content_end(&s->client);
}

static void on_event(struct session *s, const struct smtp_client_event *event)
{
	struct sasl_ladder_action action;

	switch (event->kind) {
	case SMTP_CLIENT_STARTTLS:
		start_tls(s);
		break;
	case SMTP_CLIENT_AUTH:
		sign_in(s);
		break;
	case SMTP_CLIENT_AUTH_REPLY:
		sasl_ladder_reply(&s->ladder, event->reply->code, event->reply->text, &action);
		act(s, &action);
		break;
	case SMTP_CLIENT_READY:
		send_message(s);
		break;
	case SMTP_CLIENT_CONTENT:
		send_content(s);
		break;
	case SMTP_CLIENT_MESSAGE:
		if (event->reply->code != 250)
			fail("the message was refused");
		s->done_ns = now_ns();
		break;
	case SMTP_CLIENT_CLOSED:
		s->over = true;
		break;
	case SMTP_CLIENT_WAIT:
	case SMTP_CLIENT_RECIPIENT:
		break;
	default:
		fail(event->fault->text);
	}
}

/* Reads what has come, and acts on it until the machine waits again. */
static void turn(struct session *s)
{
	struct smtp_client_event event = { .kind = SMTP_CLIENT_READY };
	struct span input, left;

	if (s->output.len > 0)
		flush(s);
	s->talk.fill += talk_read(&s->talk);
	while (event.kind != SMTP_CLIENT_WAIT && !s->over) {
		input = left = span_of(s->talk.input, s->talk.fill);
		smtp_client_next(&s->client, &left, &event);
		memmove(s->talk.input, left.data, left.len);
		s->talk.fill -= input.len - left.len;
		on_event(s, &event);
		if (s->output.len > 0)
			flush(s);
	}
}

static uint64_t time_session(struct session *s, uint16_t port)
{
	struct smtp_client_settings settings = {
		.ehlo_name = SPAN("source.test"),
		.starttls = SMTP_CLIENT_STARTTLS_REQUIRED,
		.auth_required = true,
	};
	uint64_t start = now_ns();

	s->done_ns = 0;
	s->over = false;
	talk_connect(&s->talk, port);
	smtp_client_init(&s->client, &settings, &s->output);
	while (!s->over)
		turn(s);
	sasl_ladder_fini(&s->ladder);
	smtp_client_fini(&s->client);
	talk_close(&s->talk);
	return s->done_ns - start;
}

int main(int argc, char **argv)
{
	static struct session session;
	uint64_t *times_ns, start;
	size_t sessions;

	if (argc != 7) {
		fputs("usage: tls_auth PORT SESSIONS SIZE TRUST LOGIN PASSWORD-FILE\n", stderr);
		return 2;
	}
	sessions = (size_t)atol(argv[2]);
	session.size = (size_t)atol(argv[3]);
	session.context = make_context(argv[4]);
	session.login = span_from_string(argv[5]);
	session.mechanism = SPAN("PLAIN");
	read_password(argv[6]);
	buf_init(&session.output, SMTP_CLIENT_OUTPUT_MIN);
	times_ns = calloc(sessions + 1, sizeof(*times_ns));
	if (times_ns == NULL || sessions == 0)
		return 2;
	start = now_ns();
	for (size_t i = 0; i < sessions; i++)
		times_ns[i] = time_session(&session, (uint16_t)atoi(argv[1]));
	print_percentiles(times_ns, sessions, now_ns() - start);
	free(times_ns);
	buf_fini(&session.output);
	SSL_CTX_free(session.context);
	return 0;
}
