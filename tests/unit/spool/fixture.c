/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "spool/body.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void fixture_open(struct fixture *fixture)
{
	if (fixture->path[0] == '\0') {
		snprintf(fixture->path, sizeof(fixture->path), "/tmp/frank-spool-XXXXXX");
		assert_non_null(mkdtemp(fixture->path));
	}
	fixture->settings.create = true;
	if (fixture->settings.history_ms == 0)
		fixture->settings.history_ms = 3600000;
	struct fault fault;
	fixture->store = spool_store_open(fixture->path, &fixture->settings, &fault);
	if (fixture->store == NULL)
		fail_msg("%s", fault.text);
}

void fixture_reopen(struct fixture *fixture)
{
	fixture_close(fixture);
	fixture_open(fixture);
}

void fixture_close(struct fixture *fixture)
{
	spool_store_close(&fixture->store);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
	return remove(path);
}

void fixture_remove(struct fixture *fixture)
{
	fixture_close(fixture);
	nftw(fixture->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	fixture->path[0] = '\0';
}

void fixture_body(uint64_t id, size_t len, struct buf *to)
{
	buf_init(to, SPOOL_BODY_MEMORY_MAX);
	char *bytes = buf_reserve(to, len + 1);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)(id * 131 + i * 7 + i / 251);
	buf_commit(to, len);
}

struct spool_draft *fixture_draft(uint64_t id, size_t body_len, const char *hop)
{
	struct spool_envelope envelope = {
		.reverse_path = SPAN("ann@example.org"),
		.login = SPAN("ann"),
		.client = SPAN("192.0.2.7"),
		.helo = SPAN("client.example.org"),
		.listener = SPAN("submission"),
		.flags = SPOOL_FLAG_SUBMITTED | SPOOL_FLAG_TLS,
		.received_ms = FIXTURE_NOW,
	};
	struct spool_message *message = spool_message_create(id, &envelope);
	struct spool_draft *draft = spool_draft_create(&message);
	struct spool_delivery *delivery =
	    spool_draft_add(draft, span_from_string(hop), SPAN("bob@example.net"));
	delivery->expires_ms = FIXTURE_NOW + 1000000;
	delivery->warn_ms = FIXTURE_NOW + 100000;
	struct buf body;
	fixture_body(id, body_len, &body);
	spool_draft_set_body(draft, &body);
	return draft;
}

enum spool_commit_result fixture_commit(struct fixture *fixture, struct spool_draft **drafts,
    size_t count, struct spool_result **results, size_t result_count, bool in_hand)
{
	struct fault fault;
	struct spool_batch batch = { drafts, count, results, result_count, in_hand, FIXTURE_NOW };
	return spool_store_commit(fixture->store, &batch, &fault);
}

void fixture_accept(struct fixture *fixture, uint64_t id, size_t body_len, const char *hop)
{
	struct spool_draft *draft = fixture_draft(id, body_len, hop);
	assert_int_equal(fixture_commit(fixture, &draft, 1, NULL, 0, false), SPOOL_COMMIT_KEPT);
	spool_draft_destroy(&draft);
}

struct spool_delivery *fixture_lease(struct fixture *fixture)
{
	struct list out;
	struct fault fault;
	list_init(&out);
	assert_true(
	    spool_store_lease(fixture->store, SPAN(FIXTURE_HOP), FIXTURE_NOW, 1, &out, &fault));
	struct list *link = list_take_first(&out);
	assert_non_null(link);
	return LIST_ENTRY(link, struct spool_delivery, link);
}

void fixture_release(struct fixture *fixture, struct spool_delivery *delivery)
{
	struct list one;
	list_init(&one);
	list_append(&one, &delivery->link);
	spool_store_release(fixture->store, &one);
}

void fixture_result(struct fixture *fixture, struct spool_delivery *delivery)
{
	struct spool_result *result = spool_result_create(&delivery);
	assert_int_equal(fixture_commit(fixture, NULL, 0, &result, 1, false), SPOOL_COMMIT_KEPT);
	spool_result_destroy(&result);
}

bool fixture_body_is_intact(struct spool_message *message)
{
	struct fault fault;
	struct buf want, got;
	struct spool_reader *reader = spool_reader_open(message, &fault);
	if (reader == NULL)
		return false;
	buf_init(&got, 64 * 1024 * 1024);
	enum spool_read_result result;
	struct span bytes;
	while ((result = spool_reader_next(reader, &bytes, &fault)) == SPOOL_READ_MORE)
		buf_append(&got, bytes);
	spool_reader_close(&reader);
	bool same = result == SPOOL_READ_END && got.len == message->size;
	if (same && message->size <= SPOOL_BODY_MEMORY_MAX - 1) {
		fixture_body(message->id, got.len, &want);
		same = span_equal(buf_span(&want), buf_span(&got));
		buf_fini(&want);
	}
	buf_fini(&got);
	return same;
}

struct spool_entry *fixture_show(struct fixture *fixture, uint64_t id)
{
	struct spool_filter filter = {
		.ids = &id,
		.id_count = 1,
		.states = SPOOL_MESSAGE_QUEUED | SPOOL_MESSAGE_ENDED,
	};
	struct spool_cursor cursor = { 0 };
	struct list out;
	struct fault fault;
	list_init(&out);
	assert_true(spool_store_page(fixture->store, &filter, &cursor, 1, &out, &fault));
	assert_true(cursor.finished);
	struct list *link = list_take_first(&out);
	return link != NULL ? LIST_ENTRY(link, struct spool_entry, link) : NULL;
}

bool fixture_file_exists(struct fixture *fixture, const char *name)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", fixture->path, name);
	return access(path, F_OK) == 0;
}
