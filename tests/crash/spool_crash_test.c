/* SPDX-License-Identifier: MIT */
/*
 * A working day of the spool is recorded; then the power goes after each of its writes, in
 * several ways of losing what was not synced, and what is left is opened. Whatever was
 * acknowledged must be there with its body; whatever is there must be sound.
 */
#include "../unit/spool/fixture.h"
#include "recorder.h"

#include "spool/body.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IDS_MAX 200

/* By id: after how many events it was acknowledged, its end was begun, and its end was durable.
 */
static struct {
	size_t kept, ending, ended;
} story[IDS_MAX];
static uint64_t last_id;

static void accept(struct fixture *f, size_t count, size_t body_len)
{
	struct spool_draft *drafts[20];
	for (size_t i = 0; i < count; i++)
		drafts[i] = fixture_draft(++last_id, body_len + i, FIXTURE_HOP);
	assert_int_equal(fixture_commit(f, drafts, count, NULL, 0, false), SPOOL_COMMIT_KEPT);
	for (size_t i = 0; i < count; i++) {
		story[drafts[i]->message->id].kept = recorder_event_count();
		spool_draft_destroy(&drafts[i]);
	}
}

static void accept_large(struct fixture *f, size_t len)
{
	struct fault fault;
	uint64_t id = ++last_id;
	struct spool_draft *draft = fixture_draft(id, 0, FIXTURE_HOP);
	spool_body_unref(&draft->body);
	struct spool_large *large = spool_large_create(f->settings.files, f->path, id, &fault);
	struct buf body;
	fixture_body(id, len, &body);
	assert_true(spool_large_append(large, buf_span(&body), &fault));
	buf_fini(&body);
	assert_true(spool_large_finish(&large, draft, &fault));
	assert_int_equal(fixture_commit(f, &draft, 1, NULL, 0, false), SPOOL_COMMIT_KEPT);
	story[id].kept = recorder_event_count();
	spool_draft_destroy(&draft);
}

/* Of the due ones some are delivered, some deferred, some bounced, in one batch. */
static void attempt(struct fixture *f, size_t max)
{
	struct spool_result *results[50];
	struct list out, *link;
	struct fault fault;
	size_t count = 0;
	uint64_t bounces[50] = { 0 };
	list_init(&out);
	assert_true(spool_store_lease(f->store, SPAN(FIXTURE_HOP), FIXTURE_NOW, max, &out, &fault));
	while ((link = list_take_first(&out)) != NULL) {
		struct spool_delivery *delivery = LIST_ENTRY(link, struct spool_delivery, link);
		uint64_t id = delivery->message->id;
		assert_true(fixture_body_is_intact(delivery->message));
		delivery->attempts++;
		if (id % 4 == 3) {
			delivery->next_attempt_ms = FIXTURE_NOW + 60000;
		} else {
			story[id].ending = recorder_event_count();
			delivery->recipients[0].state =
			    id % 4 == 2 ? SPOOL_RECIPIENT_FAILED : SPOOL_RECIPIENT_DELIVERED;
		}
		results[count] = spool_result_create(&delivery);
		if (id % 4 == 2) {
			bounces[count] = ++last_id;
			results[count]->bounce = fixture_draft(last_id, 700, FIXTURE_HOP);
		}
		count++;
	}
	assert_int_equal(fixture_commit(f, NULL, 0, results, count, false), SPOOL_COMMIT_KEPT);
	for (size_t i = 0; i < count; i++) {
		uint64_t id = results[i]->delivery->message->id;
		if (story[id].ending != 0)
			story[id].ended = recorder_event_count();
		if (bounces[i] != 0)
			story[bounces[i]].kept = recorder_event_count();
		spool_result_destroy(&results[i]);
	}
}

static void tidy(struct fixture *f)
{
	struct fault fault;
	bool more = true;
	for (int i = 0; i < 100 && more; i++)
		assert_true(spool_store_tidy(f->store, FIXTURE_NOW, &more, &fault));
}

static void working_day(struct fixture *f)
{
	struct fault fault;
	fixture_open(f);
	accept(f, 1, 100);
	accept(f, 10, 3000);
	attempt(f, 5);
	accept_large(f, 60000);
	accept(f, 6, 120000);
	tidy(f);
	accept(f, 8, 120000);
	attempt(f, 50);
	tidy(f);
	/* Dead segments are used again from here on. */
	accept(f, 8, 120000);
	assert_true(spool_store_reopen(f->store, &fault));
	accept(f, 3, 4096);
	accept_large(f, 9000);
	attempt(f, 20);
	tidy(f);
	accept(f, 12, 90000);
	fixture_reopen(f);
	accept(f, 2, 50);
	attempt(f, 50);
	tidy(f);
	fixture_close(f);
}

static void check_message(struct fixture *left, uint64_t id, size_t count)
{
	struct spool_entry *entry = fixture_show(left, id);
	bool kept = story[id].kept != 0 && story[id].kept <= count;
	if (entry == NULL) {
		if (kept)
			fail_msg(
			    "message %llu was acknowledged and is lost", (unsigned long long)id);
		return;
	}
	bool ended = (entry->state & SPOOL_MESSAGE_ENDED) != 0;
	if (ended && (story[id].ending == 0 || story[id].ending > count))
		fail_msg("message %llu has ended by itself", (unsigned long long)id);
	if (!ended && story[id].ended != 0 && story[id].ended <= count)
		fail_msg("the end of message %llu was forgotten", (unsigned long long)id);
	if (!ended && !fixture_body_is_intact(entry->message))
		fail_msg("the body of message %llu is damaged", (unsigned long long)id);
	spool_entry_destroy(&entry);
}

static void check_after(size_t count, enum recorder_loss loss, unsigned seed, const char *to)
{
	struct fixture left = { 0 };
	struct fault fault;
	struct spool_stats stats;
	recorder_replay(count, loss, seed, to);
	snprintf(left.path, sizeof(left.path), "%s", to);
	left.settings.create = true;
	left.settings.history_ms = 3600000;
	left.settings.segment_size = 1024 * 1024;
	left.settings.avoid_direct = true;
	left.store = spool_store_open(to, &left.settings, &fault);
	if (left.store == NULL)
		fail_msg("%s", fault.text);
	for (uint64_t id = 1; id <= last_id; id++)
		check_message(&left, id, count);
	spool_store_stats(left.store, &stats);
	assert_int_equal(stats.broken, 0);
	/* It also works again. */
	if (count % 16 == 0)
		fixture_accept(&left, IDS_MAX, 5000, FIXTURE_HOP);
	fixture_close(&left);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
	return remove(path);
}

static size_t happened(size_t events, const char *what)
{
	size_t times = 0;
	for (size_t i = 0; i < events; i++)
		times += strncmp(recorder_event_name(i), what, strlen(what)) == 0;
	return times;
}

static void power_goes_at_any_moment(bool avoid_direct)
{
	static const char *const loss_names[] = { "all", "none", "names", "bytes", "some" };
	struct fixture f = {
		.settings = {
			.segment_size = 1024 * 1024,
			.compact_above = 2,
			.checkpoint_pages = 60,
			.avoid_direct = avoid_direct,
			.files = recorder_files(),
			.sqlite_vfs = recorder_vfs(),
		},
	};
	/* What is left is opened for real, with real syncs: in memory they cost nothing. */
	char to[64];
	snprintf(to, sizeof(to), "%s/frank-crash-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	snprintf(f.path, sizeof(f.path), "/tmp/frank-spool-XXXXXX");
	assert_non_null(mkdtemp(f.path));
	assert_non_null(mkdtemp(to));
	memset(story, 0, sizeof(story));
	last_id = 0;
	recorder_start(f.path);
	working_day(&f);
	size_t events = recorder_event_count(), states = 0;
	/* The day is worth recording only if segments are used again and the log is emptied. */
	assert_int_equal(happened(events, "rename segment/") > 0, !avoid_direct);
	assert_true(happened(events, "sync queue.db") > happened(events, "sync queue.db-wal"));
	assert_true(happened(events, "unlink large/") > 0);
	for (size_t count = 0; count <= events; count++) {
		for (int loss = RECORDER_LOSE_ALL; loss <= RECORDER_LOSE_SOME; loss++) {
			/* All the time all is lost or chance decides; the others take turns. */
			if (loss != RECORDER_LOSE_ALL && loss != RECORDER_LOSE_SOME &&
			    count % 3 != (size_t)loss % 3)
				continue;
			if (getenv("FRANK_CRASH_VERBOSE") != NULL)
				printf("%zu %s lose %s\n", count,
				    count > 0 ? recorder_event_name(count - 1) : "nothing",
				    loss_names[loss]);
			check_after(count, (enum recorder_loss)loss, (unsigned)count, to);
			states++;
		}
	}
	print_message("%zu events, %zu states recovered, %llu messages\n", events, states,
	    (unsigned long long)last_id);
	recorder_stop();
	nftw(to, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	fixture_remove(&f);
}

static void no_acknowledged_message_is_lost_with_direct_writes(void **state)
{
	power_goes_at_any_moment(false);
}

static void no_acknowledged_message_is_lost_with_fdatasync(void **state)
{
	power_goes_at_any_moment(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_acknowledged_message_is_lost_with_direct_writes),
		cmocka_unit_test(no_acknowledged_message_is_lost_with_fdatasync),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
