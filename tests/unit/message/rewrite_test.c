/* SPDX-License-Identifier: MIT */
#include "message/rewrite.h"
#include "base/memory.h"
#include "message/header.h"

#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define NEW "alerts@example.org"

static bool find(const void *context, struct span address, struct span *to_out)
{
	(void)context;
	if (span_equal_nocase(address, SPAN("root@box.example")))
		*to_out = SPAN("box@example.org");
	else if (span_equal_nocase(address, SPAN("cron")))
		*to_out = SPAN("jobs@example.org");
	else
		return false;
	return true;
}

static const struct message_rewrite_rules keep = { .default_domain = { "box.example", 11 } },
					  replace = { .from = MESSAGE_REWRITE_FROM_REPLACE,
						  .address = { NEW, sizeof(NEW) - 1 } },
					  keep_name = { .from = MESSAGE_REWRITE_FROM_KEEP_NAME,
						  .address = { NEW, sizeof(NEW) - 1 } },
					  map = { .from = MESSAGE_REWRITE_FROM_MAP, .map = find },
					  map_completed = { .from = MESSAGE_REWRITE_FROM_MAP,
						  .map = find,
						  .default_domain = { "box.example", 11 } },
					  replace_completed = {
						  .from = MESSAGE_REWRITE_FROM_REPLACE,
						  .address = { NEW, sizeof(NEW) - 1 },
						  .default_domain = { "box.example", 11 },
					  };

static const struct rewrite_case {
	const char *name;
	const struct message_rewrite_rules *rules;
	const char *header, *want; /* want NULL: unchanged */
	const char *from;          /* NULL: the rule changes no From */
	unsigned left_alone;
} cases[] = {
	{ "no header, no change", &replace_completed, "", NULL, NULL, 0 },
	{ "other fields stay to the letter", &replace_completed,
	    "Received: from root\r\n\tby box\r\nX-From: root\r\nsubject : root\r\n", NULL, NULL,
	    0 },

	{ "a bare name is completed wherever addresses stand", &keep,
	    "From: root\r\nSENDER: cron (a job)\r\nReply-To:ops\r\nTo: Ann <ann>,\r\n\tbob\r\n"
	    "Cc: a@example.org, b\r\nBcc: Us: c, d;\r\n",
	    "From: root@box.example\r\nSENDER: cron@box.example (a job)\r\n"
	    "Reply-To:ops@box.example\r\nTo: Ann <ann@box.example>,\r\n\tbob@box.example\r\n"
	    "Cc: a@example.org, b@box.example\r\nBcc: Us: c@box.example, d@box.example;\r\n",
	    NULL, 0 },
	{ "cron's own form is completed", &keep, "From: root (Cron Daemon)\r\n",
	    "From: root@box.example (Cron Daemon)\r\n", NULL, 0 },
	{ "complete addresses stay", &keep, "From: Ann <a@example.org>\r\nTo: b@example.org\r\n",
	    NULL, NULL, 0 },
	{ "Resent fields stay", &keep, "Resent-From: root\r\nResent-To: root\r\n", NULL, NULL, 0 },
	{ "words are no name to complete", &keep, "From: Cron Daemon\r\n", NULL, NULL, 0 },
	{ "a From that cannot be read is told of", &keep, "From: root@\r\nTo: a@\r\n", NULL, NULL,
	    1 },
	{ "a header that ends without CRLF is completed too", &keep, "To: root",
	    "To: root@box.example", NULL, 0 },

	{ "replace leaves the address alone, and who wrote it in Reply-To", &replace,
	    "From: Ann <ann@box.example>\r\nTo: b@example.net\r\n",
	    "From: " NEW "\r\nReply-To: Ann <ann@box.example>\r\nTo: b@example.net\r\n", NEW, 0 },
	{ "a Reply-To that is there stays, whatever it says", &replace,
	    "From: ann@box.example\r\nTo: b@example.net\r\nReply-to: c@example.net\r\n",
	    "From: " NEW "\r\nTo: b@example.net\r\nReply-to: c@example.net\r\n", NEW, 0 },
	{ "several authors become one, and all are answered", &replace,
	    "From: Ann <ann@box.example>,\r\n bob@box.example\r\n",
	    "From: " NEW "\r\nReply-To: Ann <ann@box.example>,\r\n bob@box.example\r\n", NEW, 0 },
	{ "a group of authors becomes one", &replace, "From: Us: ann@box.example;\r\n",
	    "From: " NEW "\r\nReply-To: Us: ann@box.example;\r\n", NEW, 0 },
	{ "a folded From is replaced as a whole", &replace,
	    "From:\r\n =?utf-8?q?=C3=84nn?=\r\n <ann@box.example>\r\nTo: x@example.net\r\n",
	    "From: " NEW "\r\nReply-To:\r\n =?utf-8?q?=C3=84nn?=\r\n <ann@box.example>\r\n"
	    "To: x@example.net\r\n",
	    NEW, 0 },
	{ "a bare name is nothing to answer to", &replace, "From: root (Cron)\r\n",
	    "From: " NEW "\r\n", NEW, 0 },
	{ "unless it can be completed", &replace_completed, "From: root (Cron)\r\n",
	    "From: " NEW "\r\nReply-To: root@box.example (Cron)\r\n", NEW, 0 },
	{ "replace needs nothing of the old field", &replace, "From: root@ (\r\n",
	    "From: " NEW "\r\n", NEW, 0 },
	{ "replace takes the name off its own address too", &replace,
	    "From: Ann <Alerts@Example.ORG>\r\n", "From: " NEW "\r\n", NEW, 0 },
	{ "replace has nothing to do", &replace, "From: " NEW "\r\n", NULL, NULL, 0 },
	{ "the case and blanks of the field's name stay", &replace, "FROM : ann@box.example\r\n",
	    "FROM : " NEW "\r\nReply-To: ann@box.example\r\n", NEW, 0 },
	{ "each of two From fields is replaced", &replace,
	    "From: a@box.example\r\nFrom: b@box.example\r\n",
	    "From: " NEW "\r\nReply-To: a@box.example\r\nFrom: " NEW "\r\n", NEW, 0 },
	{ "a From at the very end without CRLF", &replace, "From: a@box.example",
	    "From: " NEW "\r\nReply-To: a@box.example\r\n", NEW, 0 },
	{ "no From, no new one", &replace, "To: a@example.net\r\nSender: b@box.example\r\n", NULL,
	    NULL, 0 },

	{ "a Sender that would contradict goes", &replace,
	    "Sender: cron@box.example\r\nFrom: a@box.example\r\n",
	    "From: " NEW "\r\nReply-To: a@box.example\r\n", NEW, 0 },
	{ "a Sender that names the new address stays", &replace,
	    "Sender: Cron <" NEW ">\r\nFrom: a@box.example\r\nReply-To: x@example.net\r\n",
	    "Sender: Cron <" NEW ">\r\nFrom: " NEW "\r\nReply-To: x@example.net\r\n", NEW, 0 },
	{ "a Sender that cannot be read goes", &keep_name, "From: A <" NEW ">\r\nSender: x@\r\n",
	    "From: A <" NEW ">\r\n", NULL, 0 },
	{ "a Sender next to a From left alone stays", &keep_name,
	    "From: a@\r\nSender: x@box.example\r\n", NULL, NULL, 1 },

	{ "keep-name keeps the name", &keep_name, "From: \"Ann, A.\" <ann@box.example>\r\n",
	    "From: \"Ann, A.\" <" NEW ">\r\nReply-To: \"Ann, A.\" <ann@box.example>\r\n", NEW, 0 },
	{ "keep-name keeps cron's comment", &keep_name, "From: root (Cron Daemon)\r\n",
	    "From: " NEW " (Cron Daemon)\r\n", NEW, 0 },
	{ "keep-name keeps an encoded name and its fold", &keep_name,
	    "From: =?utf-8?q?=C3=84nn?=\r\n <ann@box.example>\r\nReply-To: a@example.net\r\n",
	    "From: =?utf-8?q?=C3=84nn?=\r\n <" NEW ">\r\nReply-To: a@example.net\r\n", NEW, 0 },
	{ "keep-name takes the first of several", &keep_name,
	    "From: a@box.example, Bo <b@box.example>\r\n",
	    "From: " NEW "\r\nReply-To: a@box.example, Bo <b@box.example>\r\n", NEW, 0 },
	{ "keep-name puts words before the address", &keep_name, "From: Cron Daemon\r\n",
	    "From: Cron Daemon <" NEW ">\r\n", NEW, 0 },
	{ "keep-name fills an empty field", &keep_name, "From:\r\n", "From: " NEW "\r\n", NEW, 0 },
	{ "keep-name leaves its own address alone", &keep_name,
	    "From: Ann <ALERTS@example.org>\r\n", NULL, NULL, 0 },
	{ "keep-name drops a source route", &keep_name, "From: A <@h.example:a@box.example>\r\n",
	    "From: A <" NEW ">\r\nReply-To: A <@h.example:a@box.example>\r\n", NEW, 0 },
	{ "keep-name leaves what it cannot read", &keep_name, "From: Ann <ann@box.example\r\n",
	    NULL, NULL, 1 },

	{ "the map knows one of two", &map,
	    "From: Root <root@box.example>, ann@box.example\r\nSender: ROOT@box.example\r\n",
	    "From: Root <box@example.org>, ann@box.example\r\n"
	    "Reply-To: Root <root@box.example>, ann@box.example\r\nSender: box@example.org\r\n",
	    "box@example.org", 0 },
	{ "the map is asked for the bare name first", &map_completed, "From: cron\r\n",
	    "From: jobs@example.org\r\nReply-To: cron@box.example\r\n", "jobs@example.org", 0 },
	{ "and then for the completed one", &map_completed, "From: root\r\n",
	    "From: box@example.org\r\nReply-To: root@box.example\r\n", "box@example.org", 0 },
	{ "the map is not asked for To", &map, "From: a@example.net\r\nTo: root@box.example\r\n",
	    NULL, NULL, 0 },
	{ "the map knows nobody", &map, "From: ann@box.example\r\n", NULL, NULL, 0 },
	{ "what the map does not know is completed", &map_completed, "From: ann\r\n",
	    "From: ann@box.example\r\n", NULL, 0 },
	{ "mapping leaves what it cannot read", &map, "From: root@box.example x\r\n", NULL, NULL,
	    1 },
};

static bool rewrite(struct span header, const struct message_rewrite_rules *rules, struct buf *out,
    struct message_rewrite_result *result)
{
	buf_clear(out);
	return message_rewrite(out, header, rules, result);
}

static void each_header_becomes_what_the_rule_says(void **state)
{
	struct message_rewrite_result result;
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct rewrite_case *c = &cases[i];
		const char *want = c->want ? c->want : c->header;

		assert_true(rewrite(span_from_string(c->header), c->rules, &out, &result));
		if (strcmp(buf_string(&out), want) != 0)
			fail_msg("%s:\n got  %s\n want %s", c->name, buf_string(&out), want);
		if (result.changed != (c->want != NULL) || result.left_alone != c->left_alone ||
		    result.from_changed != (c->from != NULL) ||
		    (c->from && !span_equal(result.from, span_from_string(c->from))))
			fail_msg("%s: changed %d, left alone %u, from changed %d %.*s", c->name,
			    result.changed, result.left_alone, result.from_changed,
			    SPAN_ARG(result.from));
	}
	buf_fini(&out);
}

/* What has been rewritten is as the rules want it. */
static void a_second_time_changes_nothing(void **state)
{
	struct message_rewrite_result result;
	struct buf once, twice;

	(void)state;
	buf_init(&once, 4096);
	buf_init(&twice, 4096);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct rewrite_case *c = &cases[i];

		assert_true(rewrite(span_from_string(c->header), c->rules, &once, &result));
		assert_true(rewrite(buf_span(&once), c->rules, &twice, &result));
		if (result.changed)
			fail_msg("%s: %s", c->name, buf_string(&twice));
	}
	buf_fini(&once);
	buf_fini(&twice);
}

/* Whatever the scan takes as a proper header is one afterwards; on the heap, to the byte. */
static void every_prefix_stays_a_header(void **state)
{
	struct message_rewrite_result result;
	struct message_header scan;
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t len = 1; len <= strlen(cases[i].header); len++) {
			char *copy = memcpy(mem_alloc(len), cases[i].header, len);

			message_header_init(&scan);
			message_header_feed(&scan, span_of(copy, len));
			message_header_end(&scan);
			if (scan.shape == MESSAGE_HEADER_PROPER) {
				assert_true(rewrite(span_of(copy, (size_t)scan.header_len),
				    cases[i].rules, &out, &result));
				message_header_init(&scan);
				message_header_feed(&scan, buf_span(&out));
				message_header_end(&scan);
				assert_int_equal(scan.shape, MESSAGE_HEADER_PROPER);
				assert_int_equal(scan.header_len, out.len);
			}
			mem_free(copy);
		}
	}
	buf_fini(&out);
}

static size_t longest_line(struct span s)
{
	size_t longest = 0;
	struct span line;

	while (span_take_until(&s, '\n', &line))
		if (line.len > longest)
			longest = line.len;
	return longest - 1; /* the CR */
}

static void a_list_that_grows_is_folded_below_998(void **state)
{
	struct message_rewrite_result result;
	struct buf header, out;

	(void)state;
	buf_init(&header, 4096);
	buf_init(&out, 65536);
	buf_append_string(&header, "To: first@example.org, second@example.org");
	while (header.len < 990)
		buf_append_string(&header, ", ab");
	buf_append_string(&header, "\r\n");
	assert_true(rewrite(buf_span(&header), &keep, &out, &result));
	assert_true(result.changed);
	assert_true(out.len > 3 * 998);
	assert_true(longest_line(buf_span(&out)) <= 998);
	assert_true(longest_line(buf_span(&out)) > 900);
	buf_fini(&header);
	buf_fini(&out);
}

static void a_field_that_cannot_be_folded_is_left_alone(void **state)
{
	struct message_rewrite_result result;
	struct buf header, out;

	(void)state;
	buf_init(&header, 4096);
	buf_init(&out, 65536);
	buf_append_string(&header, "From: \"");
	while (header.len < 985)
		buf_append_byte(&header, 'x');
	buf_append_string(&header, "\" <r>\r\n");
	assert_true(rewrite(buf_span(&header), &keep_name, &out, &result));
	assert_false(result.changed);
	assert_int_equal(result.left_alone, 1);
	assert_true(span_equal(buf_span(&out), buf_span(&header)));
	buf_fini(&header);
	buf_fini(&out);
}

static void at_the_ceiling_nothing_is_written(void **state)
{
	struct span header = SPAN("From: a@box.example\r\nTo: root\r\n");
	struct message_rewrite_result result = { .left_alone = 7 };
	struct buf whole, out;

	(void)state;
	buf_init(&whole, 4096);
	assert_true(message_rewrite(&whole, header, &replace_completed, &result));
	result.left_alone = 7;
	for (size_t max = 5; max < whole.len; max++) {
		buf_init(&out, max);
		buf_append_string(&out, "there");
		assert_false(message_rewrite(&out, header, &replace_completed, &result));
		assert_string_equal(buf_string(&out), "there");
		assert_int_equal(result.left_alone, 7);
		buf_fini(&out);
	}
	buf_fini(&whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_header_becomes_what_the_rule_says),
		cmocka_unit_test(a_second_time_changes_nothing),
		cmocka_unit_test(every_prefix_stays_a_header),
		cmocka_unit_test(a_list_that_grows_is_folded_below_998),
		cmocka_unit_test(a_field_that_cannot_be_folded_is_left_alone),
		cmocka_unit_test(at_the_ceiling_nothing_is_written),
	};

	return cmocka_run_group_tests_name("message/rewrite", tests, NULL, NULL);
}
