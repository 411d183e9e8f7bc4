/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "spool/body.h"

#include "base/id.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sqlite3.h>
#include <unistd.h>

static void flip(const char *directory, const char *name, off_t offset)
{
	char path[256], byte;
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, offset), 1);
	byte = (char)~byte;
	assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
	assert_int_equal(fsync(fd), 0);
	close(fd);
}

static void run_sql(struct fixture *fixture, const char *sql)
{
	char path[256];
	sqlite3 *db;
	snprintf(path, sizeof(path), "%s/queue.db", fixture->path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

struct notices {
	unsigned count;
	uint64_t id;
};

static void note(void *context, uint64_t id, const char *sentence)
{
	struct notices *notices = context;
	notices->count++;
	notices->id = id;
}

static enum spool_read_result load(struct spool_message *message)
{
	struct spool_body *body = NULL;
	struct fault fault;
	enum spool_read_result result = spool_body_load(message, &body, &fault);
	spool_body_unref(&body);
	return result;
}

/* Where in the second record a byte is turned over. Records of 1,000 bytes take 1,032 and a
   block. */
static const struct record_case {
	const char *name;
	off_t offset;
} record_cases[] = {
	{ "magic", 0 },
	{ "length", 4 },
	{ "id", 8 },
	{ "generation", 16 },
	{ "checksum", 24 },
	{ "header checksum", 28 },
	{ "first byte of the body", 32 },
	{ "last byte of the body", 1031 },
};

static void a_damaged_record_is_set_aside_and_its_neighbours_are_served(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(record_cases); i++) {
		struct notices notices = { 0 };
		struct fixture f = { .settings = { .notice = note, .notice_context = &notices } };
		char text[ID_TEXT_SIZE], name[64];
		struct fault fault;
		bool broken;
		fixture_open(&f);
		for (uint64_t id = 1; id <= 3; id++)
			fixture_accept(&f, id, 1000, FIXTURE_HOP);
		fixture_close(&f);
		flip(f.path, "segment/1", 4096 + 4096 + record_cases[i].offset);
		fixture_open(&f);
		struct spool_delivery *all[3];
		for (size_t j = 0; j < 3; j++)
			all[j] = fixture_lease(&f);
		assert_int_equal(load(all[0]->message), SPOOL_READ_END);
		assert_int_equal(load(all[1]->message), SPOOL_READ_DAMAGED);
		assert_int_equal(load(all[2]->message), SPOOL_READ_END);
		assert_true(spool_store_set_aside(f.store, 1, "checksum", &broken, &fault));
		assert_false(broken);
		assert_true(spool_store_set_aside(f.store, 2, "checksum", &broken, &fault));
		assert_true(broken);
		assert_int_equal(notices.count, 1);
		assert_int_equal(notices.id, 2);
		for (size_t j = 0; j < 3; j++)
			fixture_release(&f, all[j]);
		fixture_reopen(&f);
		struct spool_entry *entry = fixture_show(&f, 2);
		assert_int_equal(entry->state, SPOOL_MESSAGE_BROKEN);
		spool_entry_destroy(&entry);
		snprintf(name, sizeof(name), "broken/%s", id_format(2, text));
		assert_true(fixture_file_exists(&f, name));
		for (size_t j = 0; j < 2; j++)
			assert_int_not_equal((all[j] = fixture_lease(&f))->message->id, 2);
		struct list out;
		list_init(&out);
		assert_true(spool_store_lease_overdue(f.store, INT64_MAX, 9, &out, &fault));
		assert_true(list_is_empty(&out));
		struct spool_stats stats;
		spool_store_stats(f.store, &stats);
		assert_int_equal(stats.broken, 1);
		fixture_release(&f, all[0]);
		fixture_release(&f, all[1]);
		fixture_remove(&f);
	}
}

static void a_result_for_what_was_set_aside_meanwhile_leaves_it_so(void **state)
{
	struct fixture f = { 0 };
	struct fault fault;
	bool broken;
	fixture_open(&f);
	fixture_accept(&f, 1, 1000, FIXTURE_HOP);
	struct spool_delivery *delivery = fixture_lease(&f);
	flip(f.path, "segment/1", 4096 + 50);
	assert_true(spool_store_set_aside(f.store, 1, "checksum", &broken, &fault));
	assert_true(broken);
	delivery->attempts = 1;
	fixture_result(&f, delivery);
	struct spool_entry *entry = fixture_show(&f, 1);
	assert_int_equal(entry->state, SPOOL_MESSAGE_BROKEN);
	spool_entry_destroy(&entry);
	uint64_t id = 1;
	struct spool_filter filter = { .ids = &id, .id_count = 1 };
	struct spool_cursor cursor = { 0 };
	struct spool_changed changed = { 0 };
	assert_true(spool_store_change(
	    f.store, SPOOL_CHANGE_DROP, &filter, &cursor, 1, false, FIXTURE_NOW, &changed, &fault));
	assert_int_equal(changed.messages, 1);
	struct spool_stats stats;
	spool_store_stats(f.store, &stats);
	assert_int_equal(stats.broken + stats.messages + stats.body_bytes, 0);
	fixture_remove(&f);
}

static void a_lost_segment_breaks_its_messages_only(void **state)
{
	struct fixture f = { 0 };
	struct fault fault;
	char path[256];
	bool broken;
	fixture_open(&f);
	fixture_accept(&f, 1, 1000, FIXTURE_HOP);
	fixture_reopen(&f);
	fixture_accept(&f, 2, 1000, FIXTURE_HOP);
	fixture_close(&f);
	snprintf(path, sizeof(path), "%s/segment/1", f.path);
	assert_int_equal(unlink(path), 0);
	fixture_open(&f);
	struct spool_delivery *first = fixture_lease(&f), *second = fixture_lease(&f);
	assert_int_equal(load(first->message), SPOOL_READ_DAMAGED);
	assert_int_equal(load(second->message), SPOOL_READ_END);
	assert_true(spool_store_set_aside(f.store, 1, "lost", &broken, &fault));
	assert_true(broken);
	fixture_release(&f, first);
	fixture_release(&f, second);
	fixture_remove(&f);
}

static void a_cut_or_changed_large_file_never_ends_well(void **state)
{
	struct fixture f = { 0 };
	struct fault fault;
	struct span bytes;
	bool broken;
	char text[ID_TEXT_SIZE], name[64];
	fixture_open(&f);
	struct spool_large *large = spool_large_create(NULL, f.path, 9, &fault);
	static const char block[100000];
	for (int i = 0; i < 7; i++)
		assert_true(spool_large_append(large, span_of(block, sizeof(block)), &fault));
	struct spool_draft *draft = fixture_draft(9, 0, FIXTURE_HOP);
	spool_body_unref(&draft->body);
	assert_true(spool_large_finish(&large, draft, &fault));
	assert_int_equal(fixture_commit(&f, &draft, 1, NULL, 0, false), SPOOL_COMMIT_KEPT);
	snprintf(name, sizeof(name), "large/%s", id_format(9, text));
	flip(f.path, name, 699999);
	struct spool_reader *reader = spool_reader_open(draft->message, &fault);
	enum spool_read_result result = SPOOL_READ_MORE;
	while (result == SPOOL_READ_MORE)
		result = spool_reader_next(reader, &bytes, &fault);
	assert_int_equal(result, SPOOL_READ_DAMAGED);
	spool_reader_close(&reader);
	assert_true(spool_store_set_aside(f.store, 9, "checksum", &broken, &fault));
	assert_true(broken);
	assert_false(fixture_file_exists(&f, name));
	snprintf(name, sizeof(name), "broken/%s", text);
	assert_true(fixture_file_exists(&f, name));
	spool_draft_destroy(&draft);
	fixture_remove(&f);
}

static const struct row_case {
	const char *name, *sql;
} row_cases[] = {
	{ "an envelope", "UPDATE message SET envelope = x'ff' WHERE id = 1" },
	{ "an empty envelope", "UPDATE message SET envelope = x'' WHERE id = 1" },
	{ "a delivery's data", "UPDATE delivery SET data = x'0105' WHERE message = 1" },
	{ "a message row", "DELETE FROM message WHERE id = 1" },
};

static void a_damaged_row_is_set_aside_and_the_others_are_served(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(row_cases); i++) {
		struct notices notices = { 0 };
		struct fixture f = { .settings = { .notice = note, .notice_context = &notices } };
		fixture_open(&f);
		fixture_accept(&f, 1, 1000, FIXTURE_HOP);
		fixture_accept(&f, 2, 1000, FIXTURE_HOP);
		fixture_close(&f);
		run_sql(&f, row_cases[i].sql);
		fixture_open(&f);
		struct list out;
		struct fault fault;
		list_init(&out);
		assert_true(
		    spool_store_lease(f.store, SPAN(FIXTURE_HOP), FIXTURE_NOW, 9, &out, &fault));
		assert_int_equal(notices.count, 1);
		assert_int_equal(notices.id, 1);
		struct spool_delivery *delivery = LIST_ENTRY(out.next, struct spool_delivery, link);
		assert_int_equal(delivery->message->id, 2);
		assert_true(out.next == out.prev);
		spool_store_release(f.store, &out);
		fixture_remove(&f);
	}
}

static void a_damaged_database_is_refused_in_a_sentence(void **state)
{
	struct fixture f = { 0 };
	struct fault fault;
	fixture_open(&f);
	for (uint64_t id = 1; id <= 200; id++)
		fixture_accept(&f, id, 10, FIXTURE_HOP);
	fixture_close(&f);
	flip(f.path, "queue.db", 0);
	assert_null(spool_store_open(f.path, &f.settings, &fault));
	assert_non_null(strstr(fault.text, "queue.db is damaged"));
	assert_non_null(strstr(fault.text, ".recover"));
	flip(f.path, "queue.db", 0);
	fixture_open(&f);
	fixture_remove(&f);
}

static void a_queue_of_a_later_version_is_refused(void **state)
{
	struct fixture f = { 0 };
	struct fault fault;
	fixture_open(&f);
	fixture_close(&f);
	run_sql(&f, "PRAGMA user_version = 3");
	assert_null(spool_store_open(f.path, &f.settings, &fault));
	assert_non_null(strstr(fault.text, "later version"));
	fixture_remove(&f);
}

/* As the first version wrote its rows: without ENVID, NOTIFY and ORCPT, which stand at their ends.
 */
static void turn_into_version_1(struct fixture *f)
{
	run_sql(f, "UPDATE message SET envelope = "
		   "CAST(x'01' || substr(envelope, 2, length(envelope) - 2) AS BLOB);"
		   "UPDATE delivery SET data = "
		   "CAST(x'01' || substr(data, 2, length(data) - 3) AS BLOB);"
		   "PRAGMA user_version = 1");
}

static int64_t version_of(struct fixture *f)
{
	char path[256];
	sqlite3_stmt *statement;
	sqlite3 *db;
	snprintf(path, sizeof(path), "%s/queue.db", f->path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	int64_t version = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return version;
}

static void a_queue_of_the_first_version_is_read_and_marked(void **state)
{
	struct fixture f = { 0 };
	fixture_open(&f);
	fixture_accept(&f, 1, 100, FIXTURE_HOP);
	fixture_close(&f);
	turn_into_version_1(&f);
	fixture_open(&f);
	assert_int_equal(version_of(&f), 2);
	fixture_accept(&f, 2, 100, FIXTURE_HOP);
	for (uint64_t id = 1; id <= 2; id++) {
		struct spool_delivery *delivery = fixture_lease(&f);
		assert_int_equal(delivery->message->id, id);
		assert_int_equal(delivery->recipient_count, 1);
		assert_int_equal(delivery->recipients[0].notify, 0);
		assert_int_equal(delivery->message->envelope.envid.len, 0);
		assert_true(fixture_body_is_intact(delivery->message));
		delivery->recipients[0].state = SPOOL_RECIPIENT_DELIVERED;
		fixture_result(&f, delivery);
	}
	struct spool_entry *entry = fixture_show(&f, 1);
	assert_int_equal(entry->state, SPOOL_MESSAGE_DONE);
	spool_entry_destroy(&entry);
	fixture_remove(&f);
}

static void a_spool_that_is_not_there_is_not_made_unasked(void **state)
{
	struct spool_settings settings = { 0 };
	struct fault fault;
	assert_null(spool_store_open("/tmp/frank-no-such-spool", &settings, &fault));
	assert_non_null(strstr(fault.text, "frank-no-such-spool"));
	assert_int_not_equal(access("/tmp/frank-no-such-spool", F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_damaged_record_is_set_aside_and_its_neighbours_are_served),
		cmocka_unit_test(a_result_for_what_was_set_aside_meanwhile_leaves_it_so),
		cmocka_unit_test(a_lost_segment_breaks_its_messages_only),
		cmocka_unit_test(a_cut_or_changed_large_file_never_ends_well),
		cmocka_unit_test(a_damaged_row_is_set_aside_and_the_others_are_served),
		cmocka_unit_test(a_damaged_database_is_refused_in_a_sentence),
		cmocka_unit_test(a_queue_of_a_later_version_is_refused),
		cmocka_unit_test(a_queue_of_the_first_version_is_read_and_marked),
		cmocka_unit_test(a_spool_that_is_not_there_is_not_made_unasked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
