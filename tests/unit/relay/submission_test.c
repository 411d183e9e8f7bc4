/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "relay/large_write.h"
#include "relay/submission.h"
#include "spool/body.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
	SHARES = 128, /* lanes that share the memory: 2 MiB each */
	SHARE = LANE_DRAFTS_MAX / SHARES,
	PIECE = 32768,
};

static struct {
	struct directory directory;
	struct lane_services services;
	struct lane lane;
	struct submission *submission;
	enum submission_step step; /* of the last return of a worker */
	unsigned returned, dropped;
	bool ended; /* the loop runs no more, and stopping it would stop its end */
} world;

static char key_a[] = "smtp://a.example", key_b[] = "smtp://b.example";
static struct setup_hop hops[] = {
	{ .key = key_a, .lifetime_ms = FIXTURE_HOUR, .delay_warning_ms = 60000 },
	{ .key = key_b, .lifetime_ms = 2 * FIXTURE_HOUR },
};

/* ---- a lane without sessions ---- */

static void on_worker(struct mailbox_item *item, void *owner)
{
	struct account_handle asker;

	if (!large_write_returned(WORKER_JOB_OF(item), false, &asker)) {
		world.dropped++;
	} else {
		assert_int_equal(asker.index, 5);
		world.step = submission_written(world.submission);
		world.returned++;
	}
	if (!world.ended)
		net_loop_stop(&world.lane.loop);
}

static void on_nothing(struct mailbox_item *item, void *owner)
{
	fail_msg("mail for nobody");
}

static int begin(void **state)
{
	struct fault fault;

	memset(&world, 0, sizeof(world));
	directory_make(&world.directory);
	assert_int_equal(mkdir(directory_path(&world.directory, "large"), 0700), 0);
	world.services.lane_count = SHARES;
	world.services.spool_path = world.directory.path;
	world.services.file_pool = worker_pool_create("file", 1, 4, 0);
	world.lane.services = &world.services;
	assert_true(net_loop_init(&world.lane.loop, NULL, NULL, NULL, &fault));
	inbox_init(&world.lane.from_workers, &world.lane.loop.uv, on_worker, NULL);
	inbox_init(&world.lane.from_keeper, &world.lane.loop.uv, on_nothing, NULL);
	mailbox_chain_init(&world.lane.to_keeper);
	id_source_init(&world.lane.ids, 1, 0);
	return 0;
}

static int end(void **state)
{
	world.ended = true;
	submission_destroy(&world.submission);
	if (world.services.file_pool)
		worker_pool_destroy(&world.services.file_pool);
	inbox_close(&world.lane.from_workers);
	inbox_close(&world.lane.from_keeper);
	net_loop_fini(&world.lane.loop);
	directory_remove(&world.directory);
	return world.lane.draft_bytes == 0 ? 0 : -1;
}

/* Until a worker has come back. */
static void wait_for_worker(void)
{
	unsigned before = world.returned + world.dropped;

	while (world.returned + world.dropped == before)
		net_loop_run(&world.lane.loop);
}

/* ---- a transaction ---- */

static bool mail(void)
{
	struct spool_envelope envelope = {
		.reverse_path = SPAN("s@x.example"),
		.client = SPAN("192.0.2.7"),
		.received_ms = FIXTURE_RECEIVED,
	};
	struct message_trace trace = {
		.protocol = MESSAGE_PROTOCOL_ESMTP,
		.helo = SPAN("client"),
		.client_address = SPAN("192.0.2.7"),
		.hostname = SPAN("relay.example.org"),
	};

	world.submission =
	    submission_begin(&world.lane, (struct account_handle){ .index = 5 }, &envelope, &trace);
	return world.submission != NULL;
}

static void rcpt(const char *address, unsigned hop)
{
	struct policy_verdict verdict = { .target_count = 1 };

	verdict.targets[0] = (struct policy_target){ span_from_string(address), &hops[hop] };
	submission_add(world.submission, &verdict, 0, SPAN(""));
}

static void begin_message(void)
{
	assert_true(mail());
	rcpt("x@a.example", 0);
	assert_int_equal(
	    submission_content(world.submission, SPAN("Subject: x\r\n\r\n")), SUBMISSION_GO_ON);
}

static char byte_at(size_t i)
{
	return "abcdefghijklmnopqrstuvwxyz\r\n"[i % 28];
}

/* len bytes of body, in pieces, waiting as told. */
static void send_body(size_t len)
{
	char piece[PIECE];

	for (size_t sent = 0; sent < len;) {
		size_t n = len - sent < PIECE ? len - sent : PIECE;
		enum submission_step step;
		for (size_t i = 0; i < n; i++)
			piece[i] = byte_at(sent + i);
		step = submission_content(world.submission, span_of(piece, n));
		sent += n;
		while (step == SUBMISSION_PAUSE) {
			wait_for_worker();
			step = world.step;
		}
		assert_int_equal(step, SUBMISSION_GO_ON);
	}
}

/* What a keeper would get; the answer has come. */
static struct spool_draft *asked(void)
{
	struct keeper_item *item = keeper_item_of(world.lane.to_keeper.first);

	assert_non_null(item);
	assert_ptr_equal(submission_of(item), world.submission);
	assert_int_equal(item->kind, KEEPER_ACCEPT);
	assert_ptr_equal(item->answer_to, &world.lane.from_keeper.box);
	assert_true(world.submission->with_keeper);
	mailbox_chain_init(&world.lane.to_keeper);
	world.submission->with_keeper = false;
	return world.submission->accept.draft;
}

static void test_a_small_message_stays_in_memory(void **state)
{
	struct spool_delivery *delivery;
	struct spool_draft *draft;
	struct span body;

	begin_message();
	rcpt("y@b.example", 1);
	send_body(100);
	assert_int_equal(submission_finish(world.submission), SUBMISSION_WAIT);
	assert_true(world.lane.draft_bytes > 100); /* while the keeper has it, too */
	draft = asked();
	assert_int_equal(draft->message->id, world.submission->id);
	assert_int_equal(draft->delivery_count, 2);
	delivery = LIST_ENTRY(draft->deliveries.next, struct spool_delivery, link);
	assert_true(span_equal(delivery->hop, SPAN("smtp://a.example")));
	assert_int_equal(delivery->next_attempt_ms, FIXTURE_RECEIVED);
	assert_int_equal(delivery->expires_ms, FIXTURE_RECEIVED + FIXTURE_HOUR);
	assert_int_equal(delivery->warn_ms, FIXTURE_RECEIVED + 60000);
	body = spool_body_span(draft->body);
	assert_true(span_starts_with(body, SPAN("Received: from client")));
	assert_true(span_find_span(body, SPAN("Subject: x\r\n\r\nabcdef")) < body.len);
	assert_true(span_find_span(body, SPAN("x@a.example")) == body.len); /* two: none is named */
	assert_int_equal(draft->message->size, body.len);
}

static void test_the_only_recipient_is_named(void **state)
{
	struct span body;

	begin_message();
	assert_int_equal(submission_finish(world.submission), SUBMISSION_WAIT);
	body = spool_body_span(asked()->body);
	assert_true(span_find_span(body, SPAN("for <x@a.example>")) < body.len);
}

static void test_who_stands_behind_an_alias_is_not_named(void **state)
{
	struct policy_verdict verdict = {
		.target_count = 2,
		.targets = { { SPAN("x@a.example"), &hops[0] }, { SPAN("y@a.example"), &hops[0] } },
	};
	struct span body;

	assert_true(mail());
	submission_add(world.submission, &verdict, 0, SPAN(""));
	assert_int_equal(submission_content(world.submission, SPAN("Subject: x\r\n\r\nHi.\r\n")),
	    SUBMISSION_GO_ON);
	assert_int_equal(submission_finish(world.submission), SUBMISSION_WAIT);
	body = spool_body_span(asked()->body);
	assert_int_equal(span_find_span(body, SPAN("@a.example")), body.len);
}

static void assert_is_sent(struct spool_draft *draft, size_t len)
{
	struct fault fault;
	struct spool_reader *reader = spool_reader_open(draft->message, &fault);
	size_t seen = 0, from = SIZE_MAX;
	struct span bytes;

	assert_non_null(reader);
	while (spool_reader_next(reader, &bytes, &fault) == SPOOL_READ_MORE) {
		if (seen == 0) {
			from = span_find_span(bytes, SPAN("Subject: x\r\n\r\n")) + 14;
			assert_true(span_starts_with(bytes, SPAN("Received: ")));
		}
		for (size_t i = 0; i < bytes.len; i++, seen++)
			if (seen >= from)
				assert_int_equal(bytes.data[i], byte_at(seen - from));
	}
	assert_int_equal(seen, from + len);
	assert_int_equal(draft->message->size, seen);
	spool_reader_close(&reader);
}

static void test_a_large_message_goes_into_a_file(void **state)
{
	enum { LEN = 1024 * 1024 };
	struct spool_draft *draft;

	begin_message();
	send_body(LEN);
	world.step = submission_finish(world.submission);
	assert_int_equal(world.step, SUBMISSION_WAIT);
	while (!world.lane.to_keeper.first)
		wait_for_worker();
	assert_int_equal(world.step, SUBMISSION_WAIT);
	assert_true(world.returned > 2);
	draft = asked();
	assert_null(draft->body);
	assert_int_equal(draft->message->place.where, SPOOL_WHERE_LARGE);
	assert_is_sent(draft, LEN);
	assert_in_range(world.lane.draft_bytes, 0, 2048); /* its recipients */
}

static void test_a_worker_holds_what_counts(void **state)
{
	begin_message();
	send_body(SUBMISSION_MEMORY_MAX);
	assert_true(large_write_is_busy(world.submission->large));
	assert_true(world.lane.draft_bytes >= SUBMISSION_MEMORY_MAX);
	wait_for_worker();
	assert_true(world.lane.draft_bytes < SUBMISSION_MEMORY_MAX);
}

static void test_under_pressure_files_begin_earlier(void **state)
{
	begin_message();
	send_body(SUBMISSION_MEMORY_PRESSED);
	assert_null(world.submission->large);
	world.lane.draft_bytes += SHARE / 2;
	send_body(1);
	assert_non_null(world.submission->large);
	world.lane.draft_bytes -= SHARE / 2;
	wait_for_worker();
}

static void test_with_the_share_used_up_nothing_begins_or_goes_on(void **state)
{
	begin_message();
	assert_true(submission_has_room(world.submission));
	world.lane.draft_bytes += SHARE;
	assert_false(submission_has_room(world.submission));
	assert_int_equal(submission_content(world.submission, SPAN("more\r\n")), SUBMISSION_GO_ON);
	assert_int_equal(submission_finish(world.submission), SUBMISSION_REFUSED);
	assert_int_equal(world.submission->refusal, SMTP_REPLY_TOO_BUSY);
	submission_destroy(&world.submission);
	assert_null(world.submission);
	assert_int_equal(world.lane.draft_bytes, SHARE);
	assert_false(mail());
	world.lane.draft_bytes -= SHARE;
	assert_true(mail());
}

static void test_recipients_count_as_memory(void **state)
{
	size_t before;

	assert_true(mail());
	before = world.lane.draft_bytes;
	for (unsigned i = 0; i < 1000; i++)
		rcpt("somebody@a.example", 0);
	assert_true(world.lane.draft_bytes >= before + 1000 * sizeof(struct spool_recipient));
	assert_int_equal(world.submission->draft->delivery_count, 1000 / SPOOL_RECIPIENTS_MAX);
}

static void test_a_client_that_leaves_while_a_worker_writes_leaves_no_file(void **state)
{
	char name[64], id[ID_TEXT_SIZE];
	struct stat status;

	begin_message();
	snprintf(name, sizeof(name), "large/%s", id_format(world.submission->id, id));
	send_body(SUBMISSION_MEMORY_MAX);
	assert_true(large_write_is_busy(world.submission->large));
	submission_destroy(&world.submission);
	assert_int_equal(world.lane.draft_bytes, 0);
	wait_for_worker(); /* the piece, dropped, and then the file */
	if (stat(directory_path(&world.directory, name), &status) == 0)
		wait_for_worker();
	assert_int_equal(world.returned, 0);
	assert_int_not_equal(stat(directory_path(&world.directory, name), &status), 0);
}

static void test_a_client_that_leaves_between_pieces_leaves_no_file(void **state)
{
	char name[64], id[ID_TEXT_SIZE];
	struct stat status;

	begin_message();
	snprintf(name, sizeof(name), "large/%s", id_format(world.submission->id, id));
	send_body(SUBMISSION_MEMORY_MAX);
	wait_for_worker();
	assert_int_equal(stat(directory_path(&world.directory, name), &status), 0);
	submission_destroy(&world.submission);
	wait_for_worker();
	assert_int_not_equal(stat(directory_path(&world.directory, name), &status), 0);
}

static void test_a_disk_that_fails_is_told_at_the_end_and_takes_no_memory(void **state)
{
	begin_message();
	directory_remove(&world.directory);
	send_body(SUBMISSION_MEMORY_MAX);
	wait_for_worker();
	assert_int_equal(world.step, SUBMISSION_GO_ON); /* the rest of the content is read */
	assert_true(world.submission->refused);
	send_body(SUBMISSION_MEMORY_MAX * 4);
	assert_in_range(world.lane.draft_bytes, 0, 2048);
	assert_int_equal(submission_finish(world.submission), SUBMISSION_REFUSED);
	assert_int_equal(world.submission->refusal, SMTP_REPLY_NO_SPACE);
	assert_true(strlen(world.submission->why) > 0);
	assert_null(world.lane.to_keeper.first);
}

static void test_more_than_fifty_received_fields_are_a_loop(void **state)
{
	for (unsigned count = MESSAGE_RECEIVED_COUNT_MAX; count <= MESSAGE_RECEIVED_COUNT_MAX + 1;
	     count++) {
		assert_true(mail());
		rcpt("x@a.example", 0);
		for (unsigned i = 0; i < count; i++)
			submission_content(world.submission, SPAN("Received: from a by b\r\n"));
		submission_content(world.submission, SPAN("\r\nbody\r\n"));
		if (count <= MESSAGE_RECEIVED_COUNT_MAX) {
			assert_int_equal(submission_finish(world.submission), SUBMISSION_WAIT);
			asked();
		} else {
			assert_int_equal(submission_finish(world.submission), SUBMISSION_REFUSED);
			assert_int_equal(world.submission->refusal, SMTP_REPLY_LOOP);
		}
		submission_destroy(&world.submission);
	}
}

static void test_bytes_above_127_make_it_eight_bit(void **state)
{
	begin_message();
	assert_false(world.submission->draft->message->envelope.flags & SPOOL_FLAG_8BIT);
	submission_content(world.submission, SPAN("\303\244\r\n"));
	submission_finish(world.submission);
	assert_true(asked()->message->envelope.flags & SPOOL_FLAG_8BIT);
}

static void test_ids_grow(void **state)
{
	uint64_t last = 0;

	for (unsigned i = 0; i < 1000; i++) {
		assert_true(mail());
		assert_true(world.submission->id > last);
		last = world.submission->id;
		submission_destroy(&world.submission);
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_small_message_stays_in_memory),
		TEST(test_the_only_recipient_is_named),
		TEST(test_who_stands_behind_an_alias_is_not_named),
		TEST(test_a_large_message_goes_into_a_file),
		TEST(test_a_worker_holds_what_counts),
		TEST(test_under_pressure_files_begin_earlier),
		TEST(test_with_the_share_used_up_nothing_begins_or_goes_on),
		TEST(test_recipients_count_as_memory),
		TEST(test_a_client_that_leaves_while_a_worker_writes_leaves_no_file),
		TEST(test_a_client_that_leaves_between_pieces_leaves_no_file),
		TEST(test_a_disk_that_fails_is_told_at_the_end_and_takes_no_memory),
		TEST(test_more_than_fifty_received_fields_are_a_loop),
		TEST(test_bytes_above_127_make_it_eight_bit),
		TEST(test_ids_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
