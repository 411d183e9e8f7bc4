/* SPDX-License-Identifier: MIT */
#include "../spool/fixture.h"

#include "net/loop.h"
#include "relay/feed.h"
#include "relay/inbox.h"
#include "spool/body.h"

#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define KEY 77
#define LARGE (3 * SPOOL_BODY_MEMORY_MAX / 4) /* more than one piece of a reader */

static struct {
	struct fixture spool;
	struct net_loop loop;
	struct inbox inbox;
	struct worker_pool *pool;
	unsigned returned, dropped;
	bool ended;
} world;

static void on_worker(struct mailbox_item *item, void *owner)
{
	uint64_t key = 0;

	if (feed_returned(WORKER_JOB_OF(item), &key)) {
		assert_int_equal(key, KEY);
		world.returned++;
	} else {
		world.dropped++;
	}
	if (!world.ended)
		net_loop_stop(&world.loop);
}

static int begin(void **state)
{
	struct fault fault;

	memset(&world, 0, sizeof(world));
	fixture_open(&world.spool);
	assert_true(net_loop_init(&world.loop, NULL, NULL, NULL, &fault));
	inbox_init(&world.inbox, &world.loop.uv, on_worker, NULL);
	world.pool = worker_pool_create("file", 1, 1, 0);
	return 0;
}

static int end(void **state)
{
	world.ended = true;
	worker_pool_destroy(&world.pool);
	inbox_close(&world.inbox);
	net_loop_fini(&world.loop);
	fixture_remove(&world.spool);
	return 0;
}

static void wait_for_worker(void)
{
	unsigned before = world.returned + world.dropped;

	while (world.returned + world.dropped == before)
		net_loop_run(&world.loop);
}

static struct spool_delivery *stored(uint64_t id, size_t len)
{
	fixture_accept(&world.spool, id, len, FIXTURE_HOP);
	return fixture_lease(&world.spool);
}

static struct feed *feed_of(struct spool_delivery *delivery, struct spool_body *body)
{
	return feed_create(world.pool, &world.inbox.box, delivery->message, body, KEY);
}

/* All that comes, in sips of at most sip bytes; the last state. */
static enum feed_state drink(struct feed *feed, size_t sip, struct buf *out)
{
	struct fault fault;
	struct span bytes, again;

	for (;;) {
		enum feed_state state = feed_peek(feed, &bytes, &fault);
		if (state == FEED_WAIT) {
			wait_for_worker();
			continue;
		}
		if (state != FEED_BYTES)
			return state;
		assert_int_equal(feed_peek(feed, &again, &fault), FEED_BYTES);
		assert_ptr_equal(again.data, bytes.data);
		if (bytes.len > sip)
			bytes.len = sip;
		assert_true(buf_append(out, bytes));
		feed_consume(feed, bytes.len);
	}
}

static void assert_drinks(struct feed *feed, size_t sip, uint64_t id, size_t len)
{
	struct buf got, want;

	buf_init(&got, 4 * SPOOL_BODY_MEMORY_MAX);
	fixture_body(id, len, &want);
	assert_int_equal(drink(feed, sip, &got), FEED_END);
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.data, want.data, got.len);
	buf_fini(&got);
	buf_fini(&want);
}

static void test_a_body_in_memory_needs_no_worker(void **state)
{
	struct spool_delivery *delivery = stored(1, 1000);
	struct spool_body *body;
	struct feed *feed;
	struct buf bytes;

	fixture_body(1, 1000, &bytes);
	body = spool_body_create(&bytes);
	feed = feed_of(delivery, body);
	spool_body_unref(&body); /* the feed has its own reference */
	assert_drinks(feed, 7, 1, 1000);
	assert_int_equal(world.returned, 0);
	feed_destroy(&feed);
	assert_null(feed);
	feed_destroy(&feed);
	fixture_release(&world.spool, delivery);
}

static void test_a_body_on_disk_is_read_by_workers(void **state)
{
	static const size_t sips[] = { 1000, SIZE_MAX };

	for (size_t i = 0; i < ARRAY_LEN(sips); i++) {
		struct spool_delivery *delivery = stored(2 + i, LARGE);
		struct feed *feed = feed_of(delivery, NULL);
		assert_drinks(feed, sips[i], 2 + i, LARGE);
		assert_true(world.returned >= 2);
		feed_destroy(&feed);
		delivery->recipients[0].state = SPOOL_RECIPIENT_DELIVERED;
		fixture_result(&world.spool, delivery);
	}
}

static void test_who_leaves_while_a_worker_reads_gets_no_answer(void **state)
{
	struct spool_delivery *delivery = stored(3, LARGE);
	struct feed *feed = feed_of(delivery, NULL);
	struct fault fault;
	struct span bytes;

	assert_int_equal(feed_peek(feed, &bytes, &fault), FEED_WAIT);
	assert_int_equal(feed_peek(feed, &bytes, &fault), FEED_WAIT); /* asked once */
	feed_destroy(&feed);
	wait_for_worker();
	assert_int_equal(world.dropped, 1);
	assert_int_equal(world.returned, 0);
	fixture_release(&world.spool, delivery);
}

static sem_t begun, released;

static void block(struct worker_job *job)
{
	sem_post(&begun);
	sem_wait(&released);
}

static void test_a_full_pool_is_a_failure_for_now(void **state)
{
	struct worker_job jobs[2] = { { .run = block }, { .run = block } };
	struct spool_delivery *delivery = stored(4, 1000);
	struct feed *feed = feed_of(delivery, NULL);
	struct fault fault = { 0 };
	struct span bytes;

	sem_init(&begun, 0, 0);
	sem_init(&released, 0, 0);
	assert_true(worker_pool_submit(world.pool, &jobs[0]));
	sem_wait(&begun);
	assert_true(worker_pool_submit(world.pool, &jobs[1]));
	assert_int_equal(feed_peek(feed, &bytes, &fault), FEED_FAILED);
	assert_int_equal(fault.kind, FAULT_LOCAL);
	assert_true(strlen(fault.text) > 0);
	feed_destroy(&feed);
	fixture_release(&world.spool, delivery);
	sem_post(&released);
	sem_post(&released);
	worker_pool_destroy(&world.pool); /* the jobs stand on this stack */
}

/* One byte of the first segment file that has the bytes is changed. */
static void damage(struct span needle)
{
	char path[200];
	static char bytes[1 << 20];
	ssize_t len;
	size_t at;
	int fd;

	snprintf(path, sizeof(path), "%s/segment/1", world.spool.path);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	len = pread(fd, bytes, sizeof(bytes), 0);
	assert_true(len > 0);
	at = span_find_span(span_of(bytes, (size_t)len), needle);
	assert_true(at < (size_t)len);
	assert_int_equal(pwrite(fd, "!", 1, (off_t)at), 1);
	close(fd);
}

static void test_a_damaged_body_never_ends(void **state)
{
	struct spool_delivery *delivery = stored(5, 20000);
	struct feed *feed = feed_of(delivery, NULL);
	struct buf want, got;

	fixture_body(5, 20000, &want);
	damage(span_head(buf_span(&want), 64));
	buf_init(&got, 4 * SPOOL_BODY_MEMORY_MAX);
	assert_int_equal(drink(feed, SIZE_MAX, &got), FEED_DAMAGED);
	assert_int_equal(drink(feed, SIZE_MAX, &got), FEED_DAMAGED);
	buf_fini(&want);
	buf_fini(&got);
	feed_destroy(&feed);
	fixture_release(&world.spool, delivery);
}

/* ---- with a header that is rewritten ---- */

static const struct config_route route = {
	.header_from = { .kind = CONFIG_HEADER_FROM_REPLACE, .address = "new@example.org" },
};
static const struct rewrite rules = { .route = &route };

#define OLD "Received: x\r\nFrom: a@b.example\r\nReply-To: c@d.example\r\n"
#define NEW "Received: x\r\nFrom: new@example.org\r\nReply-To: c@d.example\r\n"

/* A header, an empty line, and so many lines of 64 octets. */
static void make_content(struct buf *out, const char *header, size_t lines)
{
	buf_init(out, SPOOL_BODY_MEMORY_MAX);
	buf_printf(out, "%s\r\n", header);
	for (size_t i = 0; i < lines; i++)
		buf_printf(out, "%062zu\r\n", i);
}

static struct spool_delivery *stored_content(uint64_t id, const char *header, size_t lines)
{
	struct spool_draft *draft = fixture_draft(id, 1, FIXTURE_HOP);
	struct buf content;

	make_content(&content, header, lines);
	spool_body_unref(&draft->body);
	spool_draft_set_body(draft, &content);
	assert_int_equal(
	    fixture_commit(&world.spool, &draft, 1, NULL, 0, false), SPOOL_COMMIT_KEPT);
	spool_draft_destroy(&draft);
	return fixture_lease(&world.spool);
}

static void assert_is_given(struct feed *feed, size_t sip, const char *header, size_t lines)
{
	struct buf want, got;

	make_content(&want, header, lines);
	buf_init(&got, 4 * SPOOL_BODY_MEMORY_MAX);
	assert_int_equal(drink(feed, sip, &got), FEED_END);
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.data, want.data, want.len);
	assert_int_equal(feed_size(feed), want.len);
	buf_fini(&want);
	buf_fini(&got);
}

static void test_a_header_is_rewritten_in_memory_and_from_disk(void **state)
{
	static const size_t sips[] = { 1, 100, SIZE_MAX };

	for (size_t i = 0; i < 2 * ARRAY_LEN(sips); i++) {
		size_t lines = i < ARRAY_LEN(sips) ? 1 : 6000;
		struct spool_delivery *delivery = stored_content(20 + i, OLD, lines);
		struct spool_body *body = NULL;
		struct buf content;
		struct feed *feed;

		make_content(&content, OLD, lines);
		if (i % 2)
			body = spool_body_create(&content);
		feed = feed_of(delivery, body);
		feed_rewrite(feed, &rules);
		spool_body_unref(&body);
		buf_fini(&content);
		assert_is_given(feed, sips[i % ARRAY_LEN(sips)], NEW, lines);
		assert_true(feed_rewritten(feed)->from_changed);
		assert_true(span_equal(feed_rewritten(feed)->from, SPAN("new@example.org")));
		feed_destroy(&feed);
		delivery->recipients[0].state = SPOOL_RECIPIENT_DELIVERED;
		fixture_result(&world.spool, delivery);
	}
}

static void test_the_size_is_known_with_the_first_bytes(void **state)
{
	struct spool_delivery *delivery = stored_content(30, OLD, 10);
	struct feed *feed = feed_of(delivery, NULL);
	struct fault fault;
	struct span bytes;

	feed_rewrite(feed, &rules);
	assert_int_equal(feed_peek(feed, &bytes, &fault), FEED_WAIT);
	wait_for_worker();
	assert_int_equal(feed_peek(feed, &bytes, &fault), FEED_BYTES);
	assert_int_equal(feed_size(feed), delivery->message->size + strlen(NEW) - strlen(OLD));
	feed_destroy(&feed);
	fixture_release(&world.spool, delivery);
}

/* header_len octets, the last field being From. */
static char *long_header(size_t header_len)
{
	struct buf header;

	buf_init(&header, SPOOL_BODY_MEMORY_MAX);
	while (header.len < header_len - 200)
		buf_printf(&header, "X-Long: %090d\r\n", 1);
	buf_printf(&header, "X: %0*d\r\n", (int)(header_len - header.len - 5 - 19), 1);
	buf_append_string(&header, "From: a@b.example\r\n");
	assert_int_equal(header.len, header_len);
	return buf_take_string(&header);
}

static void test_a_header_that_is_too_large_goes_as_it_is(void **state)
{
	static const size_t sizes[] = { MESSAGE_HEADER_SIZE_MAX - 2, MESSAGE_HEADER_SIZE_MAX - 1,
		MESSAGE_HEADER_SIZE_MAX + 500 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		char *header = long_header(sizes[i]);
		struct spool_delivery *delivery = stored_content(40 + i, header, 100);
		struct feed *feed = feed_of(delivery, NULL);

		feed_rewrite(feed, &rules);
		if (i == 0) {
			struct buf got;
			buf_init(&got, 4 * SPOOL_BODY_MEMORY_MAX);
			assert_int_equal(drink(feed, SIZE_MAX, &got), FEED_END);
			assert_true(feed_rewritten(feed)->from_changed);
			assert_int_equal(got.len, feed_size(feed));
			assert_true(got.len > delivery->message->size);
			buf_fini(&got);
		} else {
			assert_is_given(feed, SIZE_MAX, header, 100);
			assert_null(feed_rewritten(feed));
		}
		feed_destroy(&feed);
		mem_free(header);
		delivery->recipients[0].state = SPOOL_RECIPIENT_DELIVERED;
		fixture_result(&world.spool, delivery);
	}
}

static void test_a_header_needs_smtputf8_as_it_goes_out(void **state)
{
	static const struct config_route utf8_route = {
		.header_from = { .kind = CONFIG_HEADER_FROM_REPLACE,
		    .address = "n\xc3\xbc@example.org" },
	};
	static const struct rewrite utf8_rules = { .route = &utf8_route };
	static const struct {
		const char *header;
		const struct rewrite *rules; /* NULL: it stays */
		bool came_with_smtputf8, want;
	} cases[] = {
		{ "From: a\xc3\xbc@b.example\r\n", NULL, true, true },
		{ "From: \xc3\xbc <a@b.example>\r\nReply-To: a@b.example\r\n", &rules, true,
		    false },
		{ "From: a\xc3\xbc@b.example\r\n", &rules, true, true }, /* in Reply-To */
		{ "Subject: \xc3\xbc\r\nFrom: a@b.example\r\n", &rules, true, true },
		{ "Subject: \xfc\r\nFrom: a@b.example\r\n", &rules, false, false },
		{ "From: a@b.example\r\n", &utf8_rules, false, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct spool_delivery *delivery = stored_content(50 + i, cases[i].header, 1);
		struct feed *feed = feed_of(delivery, NULL);
		struct fault fault;
		struct span bytes;

		if (cases[i].came_with_smtputf8)
			delivery->message->envelope.flags |= SPOOL_FLAG_UTF8_HEADER;
		if (cases[i].rules)
			feed_rewrite(feed, cases[i].rules);
		assert_int_equal(feed_peek(feed, &bytes, &fault), FEED_WAIT);
		wait_for_worker();
		assert_int_equal(feed_peek(feed, &bytes, &fault), FEED_BYTES);
		assert_int_equal(feed_header_is_utf8(feed), cases[i].want);
		feed_destroy(&feed);
		delivery->recipients[0].state = SPOOL_RECIPIENT_DELIVERED;
		fixture_result(&world.spool, delivery);
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_body_in_memory_needs_no_worker),
		TEST(test_a_body_on_disk_is_read_by_workers),
		TEST(test_who_leaves_while_a_worker_reads_gets_no_answer),
		TEST(test_a_full_pool_is_a_failure_for_now),
		TEST(test_a_damaged_body_never_ends),
		TEST(test_a_header_is_rewritten_in_memory_and_from_disk),
		TEST(test_the_size_is_known_with_the_first_bytes),
		TEST(test_a_header_that_is_too_large_goes_as_it_is),
		TEST(test_a_header_needs_smtputf8_as_it_goes_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
