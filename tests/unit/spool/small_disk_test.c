/* SPDX-License-Identifier: MIT */
/* On a real file system of 20 MB, in a mount namespace of its own; skipped where that is not
   allowed. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static bool mounted;

static void mount_small(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	snprintf(f->path, sizeof(f->path), "/tmp/frank-small-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	mounted = unshare(CLONE_NEWNS) == 0 &&
		  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		  mount("small", f->path, "tmpfs", 0, "size=20m,mode=0700") == 0;
	if (!mounted) {
		rmdir(f->path);
		skip();
	}
}

static void unmount(struct fixture *f)
{
	fixture_close(f);
	umount2(f->path, MNT_DETACH);
	rmdir(f->path);
}

/* Until the store says no; returns how many came in. */
static uint64_t fill(struct fixture *f, uint64_t id, enum spool_commit_result *why_out)
{
	uint64_t count = 0;
	for (;;) {
		struct spool_draft *draft = fixture_draft(id + count, 30000, FIXTURE_HOP);
		*why_out = fixture_commit(f, &draft, 1, NULL, 0, false);
		spool_draft_destroy(&draft);
		if (*why_out != SPOOL_COMMIT_KEPT)
			return count;
		struct fault fault;
		bool more;
		assert_true(spool_store_tidy(f->store, FIXTURE_NOW, &more, &fault));
		assert_true(++count < 1000);
	}
}

static void assert_all_intact(struct fixture *f, uint64_t from, uint64_t count)
{
	for (uint64_t id = from; id < from + count; id++) {
		struct spool_entry *entry = fixture_show(f, id);
		assert_non_null(entry);
		assert_true(fixture_body_is_intact(entry->message));
		spool_entry_destroy(&entry);
	}
}

static void deliver_all(struct fixture *f, uint64_t count)
{
	struct fault fault;
	bool more = true;
	for (uint64_t i = 0; i < count; i++) {
		struct spool_delivery *delivery = fixture_lease(f);
		delivery->recipients[0].state = SPOOL_RECIPIENT_DELIVERED;
		fixture_result(f, delivery);
		assert_true(spool_store_tidy(f->store, FIXTURE_NOW, &more, &fault));
	}
	more = true;
	for (int i = 0; i < 100 && more; i++)
		assert_true(spool_store_tidy(f->store, FIXTURE_NOW, &more, &fault));
}

static void twenty_megabytes_are_used_to_the_reserve_and_again(void **state)
{
	struct fixture f;
	enum spool_commit_result why;
	mount_small(&f);
	fixture_open(&f);
	uint64_t id = 1;
	for (int round = 0; round < 3; round++) {
		uint64_t count = fill(&f, id, &why);
		assert_int_equal(why, SPOOL_COMMIT_FULL);
		/* 30 KB each: most of the 16 MiB above the reserve. */
		assert_in_range(count, 300, 700);
		assert_all_intact(&f, id, count);
		deliver_all(&f, count);
		id += count;
	}
	unmount(&f);
}

static void hog(struct fixture *f, bool on)
{
	char path[256];
	static const char block[65536];
	snprintf(path, sizeof(path), "%s/hog", f->path);
	if (!on) {
		assert_int_equal(unlink(path), 0);
		return;
	}
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	while (write(fd, block, sizeof(block)) > 0)
		continue;
	while (write(fd, block, 512) > 0)
		continue;
	close(fd);
}

static void a_disk_that_others_fill_loses_nothing(void **state)
{
	struct fixture f;
	enum spool_commit_result why;
	mount_small(&f);
	fixture_open(&f);
	for (uint64_t id = 1; id <= 50; id++)
		fixture_accept(&f, id, 30000, FIXTURE_HOP);
	hog(&f, true);
	assert_int_equal(fill(&f, 1000, &why), 0);
	assert_int_equal(why, SPOOL_COMMIT_FULL);
	fixture_close(&f);
	/* What is queued can be delivered even if it starts on a full disk. */
	fixture_open(&f);
	assert_int_equal(fill(&f, 1000, &why), 0);
	assert_all_intact(&f, 1, 50);
	hog(&f, false);
	fixture_accept(&f, 2000, 30000, FIXTURE_HOP);
	assert_all_intact(&f, 1, 50);
	assert_all_intact(&f, 2000, 1);
	deliver_all(&f, 51);
	unmount(&f);
}

static void results_are_kept_on_a_disk_without_a_free_byte(void **state)
{
	struct fixture f;
	struct fault fault;
	mount_small(&f);
	fixture_open(&f);
	for (uint64_t id = 1; id <= 50; id++)
		fixture_accept(&f, id, 30000, FIXTURE_HOP);
	struct spool_delivery *delivery = fixture_lease(&f);
	hog(&f, true);
	delivery->recipients[0].state = SPOOL_RECIPIENT_DELIVERED;
	struct spool_result *result = spool_result_create(&delivery);
	enum spool_commit_result kept = fixture_commit(&f, NULL, 0, &result, 1, false);
	/* There may be no room in the log: then the same result is kept later. */
	if (kept != SPOOL_COMMIT_KEPT) {
		hog(&f, false);
		assert_true(spool_store_reopen(f.store, &fault));
		kept = fixture_commit(&f, NULL, 0, &result, 1, false);
	}
	assert_int_equal(kept, SPOOL_COMMIT_KEPT);
	spool_result_destroy(&result);
	struct spool_entry *entry = fixture_show(&f, 1);
	assert_int_equal(entry->state, SPOOL_MESSAGE_DONE);
	spool_entry_destroy(&entry);
	assert_all_intact(&f, 2, 49);
	unmount(&f);
}

static void a_file_system_made_read_only_refuses_and_comes_back(void **state)
{
	struct fixture f;
	struct fault fault;
	mount_small(&f);
	fixture_open(&f);
	fixture_accept(&f, 1, 30000, FIXTURE_HOP);
	/* Files open for writing forbid the change; a failure of the store closes them one by
	   one, so the test closes all and opens a second store on what is read-only. */
	fixture_close(&f);
	assert_int_equal(mount(NULL, f.path, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_null(spool_store_open(f.path, &f.settings, &fault));
	assert_non_null(strstr(fault.text, f.path));
	assert_int_equal(mount(NULL, f.path, NULL, MS_REMOUNT, "size=20m"), 0);
	fixture_open(&f);
	assert_all_intact(&f, 1, 1);
	fixture_accept(&f, 2, 30000, FIXTURE_HOP);
	unmount(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(twenty_megabytes_are_used_to_the_reserve_and_again),
		cmocka_unit_test(a_disk_that_others_fill_loses_nothing),
		cmocka_unit_test(results_are_kept_on_a_disk_without_a_free_byte),
		cmocka_unit_test(a_file_system_made_read_only_refuses_and_comes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
