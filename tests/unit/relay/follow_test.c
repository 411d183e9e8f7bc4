/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/id.h"
#include "base/memory.h"
#include "relay/follow.h"

#include <stdio.h>
#include <string.h>

/* A watcher, and what it has been shown: the texts, each followed by "|". */
struct watcher {
	struct follow *follow;
	struct buf shown;
};

static struct watcher watch(
    const char *client, const char *login, const char *hop, const char *message)
{
	struct watcher w;
	struct fault fault;

	buf_init(&w.shown, 1024 * 1024);
	w.follow = follow_create(span_from_string(client), span_from_string(login),
	    span_from_string(hop), span_from_string(message), &fault);
	assert_non_null(w.follow);
	return w;
}

static void show(void *context, const struct trace_line *line)
{
	struct watcher *w = context;

	buf_append_string(&w->shown, line->text);
	buf_append_byte(&w->shown, '|');
}

static void end(struct watcher *w)
{
	follow_destroy(&w->follow);
	buf_fini(&w->shown);
}

static void hear(struct watcher *w, const struct trace_dialogue *dialogue, const char *text)
{
	struct trace_line line;
	enum smtp_line_kind kind =
	    text[0] >= '0' && text[0] <= '9' ? SMTP_LINE_KIND_REPLY : SMTP_LINE_KIND_COMMAND;

	trace_line_init(&line, dialogue, kind, span_from_string(text), false, 1);
	follow_line(w->follow, &line, show, w);
	trace_line_fini(&line);
}

static const struct trace_dialogue incoming = {
	.number = 1,
	.role = TRACE_ROLE_SERVER,
	.peer = "192.0.2.7:4711",
};
static const struct trace_dialogue outgoing = {
	.number = 1,
	.role = TRACE_ROLE_CLIENT,
	.peer = "198.51.100.1:587",
	.hop = "submission://smtp.example.net:587 as up",
};

/* ---- single conditions ---- */

static const struct condition_case {
	const char *name, *client, *login, *hop;
	bool incoming, outgoing; /* wanted */
} condition_cases[] = {
	{ "nothing asked shows everything", "", "", "", true, true },
	{ "a network shows its clients", "192.0.2.0/24", "", "", true, false },
	{ "an address is a network too", "192.0.2.7", "", "", true, false },
	{ "another network shows nothing", "10.0.0.0/8", "", "", false, false },
	{ "a next hop's address is no client", "198.51.100.0/24", "", "", false, false },
	{ "a part of a hop's name shows it", "", "", "smtp.example.net", false, true },
	{ "another hop shows nothing", "", "", "smtp.example.com", false, false },
	{ "a login that never comes shows nothing", "", "anna", "", false, false },
	{ "two conditions must both hold", "192.0.2.0/24", "", "smtp", false, false },
};

static void conditions_choose_dialogues(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(condition_cases); i++) {
		const struct condition_case *c = &condition_cases[i];
		struct watcher w = watch(c->client, c->login, c->hop, "");
		hear(&w, &incoming, "in");
		hear(&w, &outgoing, "out");
		char want[16];
		snprintf(want, sizeof(want), "%s%s", c->incoming ? "in|" : "",
		    c->outgoing ? "out|" : "");
		if (strcmp(buf_string(&w.shown), want) != 0)
			fail_msg(
			    "%s: shown \"%s\", want \"%s\"", c->name, buf_string(&w.shown), want);
		end(&w);
	}
}

static void an_ipv6_client_is_found_in_its_network(void **state)
{
	struct trace_dialogue dialogue = incoming;
	struct watcher w = watch("2001:db8::/32", "", "", "");

	(void)state;
	dialogue.peer = "[2001:db8::1]:4711";
	hear(&w, &dialogue, "in");
	assert_string_equal(buf_string(&w.shown), "in|");
	end(&w);
}

static void what_cannot_be_understood_is_refused(void **state)
{
	struct fault fault;

	(void)state;
	assert_null(follow_create(SPAN("bogus"), SPAN(""), SPAN(""), SPAN(""), &fault));
	assert_null(follow_create(SPAN("10.0.0.0/33"), SPAN(""), SPAN(""), SPAN(""), &fault));
	assert_null(follow_create(SPAN("10.0.0.0\0/8"), SPAN(""), SPAN(""), SPAN(""), &fault));
	assert_null(follow_create(SPAN(""), SPAN(""), SPAN(""), SPAN("no id"), &fault));
}

/* ---- logins ---- */

static void lines_before_the_login_are_shown_with_it(void **state)
{
	struct trace_dialogue anna = incoming, ben = incoming;
	struct watcher w = watch("", "anna", "", "");

	(void)state;
	ben.number = 2;
	hear(&w, &anna, "EHLO a");
	hear(&w, &ben, "EHLO b");
	hear(&w, &anna, "AUTH PLAIN");
	assert_string_equal(buf_string(&w.shown), "");
	ben.login = "ben";
	hear(&w, &ben, "235 b");
	anna.login = "Anna"; /* names do not differ by case */
	hear(&w, &anna, "235 a");
	hear(&w, &ben, "MAIL b");
	hear(&w, &anna, "MAIL a");
	assert_string_equal(buf_string(&w.shown), "EHLO a|AUTH PLAIN|235 a|MAIL a|");
	end(&w);
}

static void of_a_long_prelude_the_last_lines_are_kept(void **state)
{
	struct trace_dialogue dialogue = incoming;
	struct watcher w = watch("", "anna", "", "");
	char text[32];

	(void)state;
	for (int i = 0; i < FOLLOW_LINES_MAX + 50; i++) {
		snprintf(text, sizeof(text), "NOOP %d", i);
		hear(&w, &dialogue, text);
	}
	dialogue.login = "anna";
	hear(&w, &dialogue, "235 ok");
	assert_true(span_starts_with(buf_span(&w.shown), SPAN("NOOP 50|NOOP 51|")));
	assert_true(span_ends_with_nocase(buf_span(&w.shown), SPAN("NOOP 249|235 ok|")));
	end(&w);
}

static void of_many_dialogues_the_last_to_speak_are_kept(void **state)
{
	struct trace_dialogue dialogue = incoming;
	struct watcher w = watch("", "anna", "", "");

	(void)state;
	for (uint64_t i = 1; i <= FOLLOW_DIALOGUES_MAX; i++) {
		dialogue.number = i;
		hear(&w, &dialogue, "EHLO");
	}
	dialogue.number = 1;
	hear(&w, &dialogue, "NOOP"); /* 2 is now the oldest */
	dialogue.number = FOLLOW_DIALOGUES_MAX + 1;
	hear(&w, &dialogue, "EHLO");
	dialogue.login = "anna";
	dialogue.number = 2;
	hear(&w, &dialogue, "235 two");
	dialogue.number = 1;
	hear(&w, &dialogue, "235 one");
	assert_string_equal(buf_string(&w.shown), "235 two|EHLO|NOOP|235 one|");
	end(&w);
}

static void what_is_kept_is_bounded_in_bytes(void **state)
{
	struct trace_dialogue dialogue = incoming;
	struct watcher w = watch("", "anna", "", "");
	char text[2001];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (uint64_t i = 0; i < 2 * FOLLOW_BYTES_MAX / sizeof(text); i++) {
		dialogue.number = i % FOLLOW_DIALOGUES_MAX;
		hear(&w, &dialogue, text);
	}
	dialogue.login = "anna";
	for (uint64_t i = 0; i < FOLLOW_DIALOGUES_MAX; i++) {
		dialogue.number = i;
		hear(&w, &dialogue, "235");
	}
	assert_true(buf_span(&w.shown).len > FOLLOW_BYTES_MAX / 2);
	assert_true(buf_span(&w.shown).len < FOLLOW_BYTES_MAX);
	end(&w);
}

static void bytes_are_taken_from_whoever_spoke_longest_ago(void **state)
{
	struct trace_dialogue dialogue = incoming;
	struct watcher w = watch("", "anna", "", "");
	char text[2001];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (uint64_t i = 1; i <= 3; i++) {
		dialogue.number = i;
		for (int line = 0; line < FOLLOW_LINES_MAX; line++)
			hear(&w, &dialogue, text);
	}
	dialogue.login = "anna";
	dialogue.number = 1;
	hear(&w, &dialogue, "235");
	assert_string_equal(buf_string(&w.shown), "235|");
	dialogue.number = 3;
	hear(&w, &dialogue, "235");
	assert_int_equal(buf_span(&w.shown).len, 4 + FOLLOW_LINES_MAX * sizeof(text) + 4);
	end(&w);
}

/* ---- messages ---- */

/* Lines of one kept session that carries three messages; ours is the second. */
static void a_message_is_shown_with_the_prelude_and_without_its_neighbours(void **state)
{
	struct trace_dialogue dialogue = incoming;
	char id[ID_TEXT_SIZE];
	struct watcher w = watch("", "", "", id_format(77, id));

	(void)state;
	hear(&w, &dialogue, "EHLO");
	hear(&w, &dialogue, "MAIL 1");
	dialogue.message = 76;
	hear(&w, &dialogue, "250 1");
	hear(&w, &dialogue, "RCPT 1");
	dialogue.message = 0;
	hear(&w, &dialogue, "RSET 1");
	hear(&w, &dialogue, "MAIL 2");
	dialogue.message = 77;
	hear(&w, &dialogue, "250 2");
	hear(&w, &dialogue, "RCPT 2");
	dialogue.message = 0;
	hear(&w, &dialogue, "NOOP 2");
	hear(&w, &dialogue, "MAIL 3");
	dialogue.message = 78;
	hear(&w, &dialogue, "250 3");
	dialogue.message = 0;
	hear(&w, &dialogue, "QUIT");
	assert_string_equal(buf_string(&w.shown), "EHLO|MAIL 2|250 2|RCPT 2|NOOP 2|");
	end(&w);
}

static void a_message_is_followed_in_and_out(void **state)
{
	struct trace_dialogue in = incoming, out = outgoing;
	char id[ID_TEXT_SIZE];
	struct watcher w = watch("", "", "", id_format(77, id));

	(void)state;
	hear(&w, &in, "MAIL in");
	in.message = 77;
	hear(&w, &in, "250 in");
	hear(&w, &out, "220 out");
	out.message = 77;
	hear(&w, &out, "MAIL out");
	assert_string_equal(buf_string(&w.shown), "MAIL in|250 in|220 out|MAIL out|");
	end(&w);
}

static void a_message_and_a_login_must_both_hold(void **state)
{
	struct trace_dialogue dialogue = incoming;
	char id[ID_TEXT_SIZE];
	struct watcher w = watch("", "anna", "", id_format(77, id));

	(void)state;
	hear(&w, &dialogue, "EHLO");
	dialogue.message = 77;
	hear(&w, &dialogue, "MAIL");
	assert_string_equal(buf_string(&w.shown), "");
	dialogue.login = "ben";
	hear(&w, &dialogue, "RCPT");
	assert_string_equal(buf_string(&w.shown), "");
	dialogue.login = "anna";
	hear(&w, &dialogue, "DATA");
	assert_string_equal(buf_string(&w.shown), "DATA|");
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions_choose_dialogues),
		cmocka_unit_test(an_ipv6_client_is_found_in_its_network),
		cmocka_unit_test(what_cannot_be_understood_is_refused),
		cmocka_unit_test(lines_before_the_login_are_shown_with_it),
		cmocka_unit_test(of_a_long_prelude_the_last_lines_are_kept),
		cmocka_unit_test(of_many_dialogues_the_last_to_speak_are_kept),
		cmocka_unit_test(what_is_kept_is_bounded_in_bytes),
		cmocka_unit_test(bytes_are_taken_from_whoever_spoke_longest_ago),
		cmocka_unit_test(a_message_is_shown_with_the_prelude_and_without_its_neighbours),
		cmocka_unit_test(a_message_is_followed_in_and_out),
		cmocka_unit_test(a_message_and_a_login_must_both_hold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
