/* SPDX-License-Identifier: MIT */
#include "smtp/server.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/*
 * What scenarios cannot show: the calls between machine and owner. What is said on the wire is
 * tested by tests/dialogues.
 */

static const struct smtp_server_settings settings = {
	.hostname = "relay.example.org",
	.greeting = "Other software",
	.size_max_bytes = 1000,
	.recipients_max = 10,
	.auth_mechanisms = "PLAIN",
};

struct session {
	struct smtp_server server;
	struct buf output;
	struct smtp_server_event event;
};

static void begin(struct session *x)
{
	buf_init(&x->output, 2 * SMTP_SERVER_OUTPUT_ROOM);
	smtp_server_init(&x->server, &settings, &x->output);
	smtp_server_greet(&x->server);
	buf_clear(&x->output);
}

static void end(struct session *x)
{
	smtp_server_fini(&x->server);
	buf_fini(&x->output);
}

static enum smtp_server_event_kind say(struct session *x, const char *text)
{
	struct span input = span_from_string(text);

	return smtp_server_next(&x->server, &input, &x->event);
}

static void assert_output(struct session *x, const char *want)
{
	assert_int_equal(x->output.len, strlen(want));
	assert_memory_equal(buf_span(&x->output).data, want, strlen(want));
	buf_clear(&x->output);
}

static void begin_transaction(struct session *x)
{
	begin(x);
	assert_int_equal(say(x, "EHLO client\r\n"), SMTP_SERVER_HELLO);
	assert_int_equal(say(x, "MAIL FROM:<a@b>\r\n"), SMTP_SERVER_MAIL);
}

static void the_greeting_names_host_and_software(void **state)
{
	struct session x;

	buf_init(&x.output, 2 * SMTP_SERVER_OUTPUT_ROOM);
	smtp_server_init(&x.server, &settings, &x.output);
	assert_int_equal(say(&x, "EHLO early\r\n"), SMTP_SERVER_WAIT);
	smtp_server_greet(&x.server);
	assert_output(&x, "220 relay.example.org ESMTP Other software\r\n");
	end(&x);
}

static void content_borrows_from_the_input(void **state)
{
	static const char message[] = "one\r\ntwo\r\n.\r\n";
	struct span input = span_of(message, sizeof(message) - 1);
	struct session x;

	begin_transaction(&x);
	smtp_server_answer(&x.server, SMTP_REPLY_SENDER_OK, NULL);
	assert_int_equal(say(&x, "RCPT TO:<a@b>\r\n"), SMTP_SERVER_RCPT);
	smtp_server_answer(&x.server, SMTP_REPLY_RECIPIENT_OK, NULL);
	assert_int_equal(say(&x, "DATA\r\n"), SMTP_SERVER_DATA);
	smtp_server_answer(&x.server, SMTP_REPLY_START_CONTENT, NULL);
	assert_int_equal(smtp_server_next(&x.server, &input, &x.event), SMTP_SERVER_CONTENT);
	assert_ptr_equal(x.event.content.data, message);
	assert_int_equal(x.event.content.len, 10);
	assert_int_equal(smtp_server_next(&x.server, &input, &x.event), SMTP_SERVER_MESSAGE);
	assert_int_equal(smtp_server_phase(&x.server), SMTP_PHASE_CONTENT);
	assert_true(smtp_server_in_transaction(&x.server));
	smtp_server_answer(&x.server, SMTP_REPLY_MESSAGE_KEPT, "Kept as %s", "id\r\n");
	assert_true(span_ends_with_nocase(buf_span(&x.output), SPAN("250 2.0.0 Kept as id??\r\n")));
	assert_false(smtp_server_in_transaction(&x.server));
	end(&x);
}

static void a_partial_line_stays_with_the_owner(void **state)
{
	struct span input = SPAN("EHLO client\r\nNOO");
	struct session x;

	begin(&x);
	assert_int_equal(smtp_server_next(&x.server, &input, &x.event), SMTP_SERVER_HELLO);
	assert_int_equal(input.len, 3);
	assert_int_equal(smtp_server_next(&x.server, &input, &x.event), SMTP_SERVER_NEED_INPUT);
	assert_int_equal(input.len, 3);
	end(&x);
}

static void nothing_is_taken_while_an_answer_is_owed(void **state)
{
	struct span input = SPAN("NOOP\r\n");
	struct session x;

	begin_transaction(&x);
	assert_true(smtp_server_answer_is_owed(&x.server));
	buf_clear(&x.output);
	assert_int_equal(smtp_server_next(&x.server, &input, &x.event), SMTP_SERVER_WAIT);
	assert_int_equal(input.len, 6);
	assert_output(&x, "");
	smtp_server_answer(&x.server, SMTP_REPLY_TOO_BUSY, NULL);
	assert_false(smtp_server_answer_is_owed(&x.server));
	assert_int_equal(smtp_server_next(&x.server, &input, &x.event), SMTP_SERVER_NEED_INPUT);
	assert_int_equal(input.len, 0);
	end(&x);
}

static void the_operators_own_words_are_an_answer(void **state)
{
	struct session x;

	begin_transaction(&x);
	buf_clear(&x.output);
	smtp_server_answer_custom(&x.server, 550, "5.7.1", "Not\r\nhere");
	assert_output(&x, "550 5.7.1 Not??here\r\n");
	assert_int_equal(smtp_server_phase(&x.server), SMTP_PHASE_READY);
	assert_int_equal(say(&x, "MAIL FROM:<a@b>\r\n"), SMTP_SERVER_MAIL);
	smtp_server_answer_custom(&x.server, 421, NULL, "Go away");
	assert_output(&x, "421 Go away\r\n");
	assert_int_equal(say(&x, ""), SMTP_SERVER_CLOSE);
	end(&x);
}

/* The client may have left while the answer was on its way. */
static void a_timeout_does_not_await_the_answer(void **state)
{
	struct session x;

	begin_transaction(&x);
	buf_clear(&x.output);
	smtp_server_timeout(&x.server);
	assert_false(smtp_server_answer_is_owed(&x.server));
	assert_output(&x, "421 4.4.2 Waited too long for the client; closing\r\n");
	assert_int_equal(say(&x, ""), SMTP_SERVER_CLOSE);
	assert_int_equal(x.event.close, SMTP_CLOSE_TIMEOUT);
	assert_int_equal(say(&x, "NOOP\r\n"), SMTP_SERVER_WAIT);
	smtp_server_timeout(&x.server);
	assert_output(&x, "");
	assert_int_equal(say(&x, "NOOP\r\n"), SMTP_SERVER_WAIT);
	end(&x);
}

static void a_shutdown_awaits_the_answer(void **state)
{
	struct session x;

	begin_transaction(&x);
	buf_clear(&x.output);
	smtp_server_shutdown(&x.server);
	assert_int_equal(say(&x, ""), SMTP_SERVER_WAIT);
	smtp_server_answer(&x.server, SMTP_REPLY_SENDER_OK, NULL);
	assert_int_equal(say(&x, ""), SMTP_SERVER_ABORTED);
	assert_int_equal(x.event.aborted.reason, SMTP_ABORT_CLOSE);
	assert_output(&x, "250 2.1.0 Sender OK\r\n"
			  "421 4.3.2 Shutting down; try again later\r\n");
	assert_int_equal(say(&x, ""), SMTP_SERVER_CLOSE);
	assert_int_equal(x.event.close, SMTP_CLOSE_SHUTDOWN);
	end(&x);
}

static void a_full_output_is_to_be_flushed_first(void **state)
{
	struct span input = SPAN("NOOP\r\n");
	struct session x;

	begin(&x);
	while (x.output.max - x.output.len >= SMTP_SERVER_OUTPUT_ROOM)
		buf_append(&x.output, SPAN("unsent"));
	assert_int_equal(smtp_server_next(&x.server, &input, &x.event), SMTP_SERVER_NEED_OUTPUT);
	assert_int_equal(input.len, 6);
	buf_clear(&x.output);
	assert_int_equal(smtp_server_next(&x.server, &input, &x.event), SMTP_SERVER_NEED_INPUT);
	assert_output(&x, "250 2.0.0 OK\r\n");
	end(&x);
}

/* Even what closes from outside keeps to the ceiling. */
static void a_timeout_with_a_full_output_sends_nothing_and_closes(void **state)
{
	struct session x;

	begin(&x);
	while (buf_append_byte(&x.output, 'x'))
		;
	smtp_server_timeout(&x.server);
	assert_int_equal(say(&x, ""), SMTP_SERVER_CLOSE);
	assert_int_equal(x.output.len, x.output.max);
	end(&x);
}

static void auth_data_is_given_back_with_the_exchange(void **state)
{
	struct session x;

	begin(&x);
	assert_int_equal(say(&x, "EHLO client\r\n"), SMTP_SERVER_HELLO);
	assert_int_equal(say(&x, "AUTH PLAIN QUJD\r\n"), SMTP_SERVER_AUTH_BEGIN);
	assert_true(x.event.auth.has_initial);
	assert_true(span_equal(x.event.auth.data, SPAN("ABC")));
	assert_true(x.server.auth_data.secret);
	smtp_server_auth_challenge(&x.server, SPAN("more"));
	assert_true(span_ends_with_nocase(buf_span(&x.output), SPAN("334 bW9yZQ==\r\n")));
	assert_int_equal(smtp_server_phase(&x.server), SMTP_PHASE_AUTH);
	assert_int_equal(say(&x, "REVG\r\n"), SMTP_SERVER_AUTH_RESPONSE);
	assert_true(span_equal(x.event.auth.data, SPAN("DEF")));
	smtp_server_auth_success(&x.server);
	assert_true(x.server.authenticated);
	assert_null(x.server.auth_data.data);
	assert_int_equal(smtp_server_phase(&x.server), SMTP_PHASE_READY);
	end(&x);
}

static void the_longest_challenge_fits_into_the_room(void **state)
{
	char challenge[9210] = { 0 };
	struct session x;

	begin(&x);
	assert_int_equal(say(&x, "EHLO client\r\n"), SMTP_SERVER_HELLO);
	buf_clear(&x.output);
	while (x.output.max - x.output.len > SMTP_SERVER_OUTPUT_ROOM)
		buf_append_byte(&x.output, 'x');
	assert_int_equal(say(&x, "AUTH PLAIN\r\n"), SMTP_SERVER_AUTH_BEGIN);
	assert_false(x.event.auth.has_initial);
	smtp_server_auth_challenge(&x.server, span_of(challenge, sizeof(challenge)));
	assert_true(span_ends_with_nocase(buf_span(&x.output), SPAN("AAAA\r\n")));
	end(&x);
}

static void count_line(void *context, enum smtp_line_kind kind, struct span text)
{
	++*(unsigned *)context;
}

static void an_observer_may_come_and_go(void **state)
{
	unsigned lines = 0;
	struct session x;

	begin(&x);
	say(&x, "NOOP\r\n");
	smtp_server_observe(&x.server, count_line, &lines);
	say(&x, "NOOP\r\n");
	assert_int_equal(lines, 2);
	smtp_server_observe(&x.server, NULL, NULL);
	say(&x, "NOOP\r\n");
	assert_int_equal(lines, 2);
	end(&x);
}

static void everything_has_a_name(void **state)
{
	for (int i = 0; i <= SMTP_PHASE_CLOSED; i++)
		assert_non_null(smtp_phase_name(i));
	for (int i = 0; i <= SMTP_ABORT_CLOSE; i++)
		assert_non_null(smtp_abort_name(i));
	for (int i = 0; i <= SMTP_REFUSAL_TOO_LARGE; i++)
		assert_non_null(smtp_refusal_name(i));
	for (int i = 0; i <= SMTP_CLOSE_TIMEOUT; i++)
		assert_non_null(smtp_close_name(i));
	for (int i = 0; i <= SMTP_SERVER_CLOSE; i++)
		assert_non_null(smtp_server_event_name(i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_greeting_names_host_and_software),
		cmocka_unit_test(content_borrows_from_the_input),
		cmocka_unit_test(a_partial_line_stays_with_the_owner),
		cmocka_unit_test(nothing_is_taken_while_an_answer_is_owed),
		cmocka_unit_test(the_operators_own_words_are_an_answer),
		cmocka_unit_test(a_timeout_does_not_await_the_answer),
		cmocka_unit_test(a_shutdown_awaits_the_answer),
		cmocka_unit_test(a_full_output_is_to_be_flushed_first),
		cmocka_unit_test(a_timeout_with_a_full_output_sends_nothing_and_closes),
		cmocka_unit_test(auth_data_is_given_back_with_the_exchange),
		cmocka_unit_test(the_longest_challenge_fits_into_the_room),
		cmocka_unit_test(an_observer_may_come_and_go),
		cmocka_unit_test(everything_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
