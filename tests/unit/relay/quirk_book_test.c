/* SPDX-License-Identifier: MIT */
#include "relay/quirk_book.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static void note(struct quirk_book *book, const char *client, const char *login,
    enum smtp_quirk quirk, uint64_t uses, int64_t now_ms)
{
	struct quirk_news news = {
		.client = client,
		.login = login,
		.listener = "lan",
		.quirk = quirk,
		.uses = uses,
		.refused = uses == 0,
		.now_ms = now_ms,
	};
	quirk_book_note(book, &news);
}

static struct quirk_entry *entry_at(struct quirk_book *book, size_t n)
{
	LIST_FOR_EACH (position, &book->entries)
		if (n-- == 0)
			return LIST_ENTRY(position, struct quirk_entry, link);
	return NULL;
}

static void uses_add_up_by_client_login_and_quirk(void **state)
{
	struct quirk_book book;

	quirk_book_init(&book, 1000);
	note(&book, "192.0.2.1", "anna", SMTP_QUIRK_NO_HELLO, 2, 2000);
	note(&book, "192.0.2.1", NULL, SMTP_QUIRK_NO_HELLO, 1, 3000);
	note(&book, "192.0.2.1", "anna", SMTP_QUIRK_BARE_LF, 0, 4000);
	note(&book, "192.0.2.1", "anna", SMTP_QUIRK_NO_HELLO, 3, 5000);
	assert_int_equal(map_count(book.by_key), 3);
	assert_string_equal(entry_at(&book, 0)->login, "anna");
	assert_int_equal(entry_at(&book, 0)->uses, 5);
	assert_int_equal(entry_at(&book, 0)->first_ms, 2000);
	assert_int_equal(entry_at(&book, 0)->last_ms, 5000);
	assert_int_equal(entry_at(&book, 1)->quirk, SMTP_QUIRK_BARE_LF);
	assert_int_equal(entry_at(&book, 1)->refused, 1);
	assert_string_equal(entry_at(&book, 2)->login, "");
	assert_null(entry_at(&book, 3));
	quirk_book_fini(&book);
}

static void the_one_not_heard_of_for_longest_makes_room(void **state)
{
	struct quirk_book book;
	char client[32];

	quirk_book_init(&book, 0);
	for (int i = 0; i < QUIRK_BOOK_MAX; i++) {
		snprintf(client, sizeof(client), "10.0.%d.%d", i / 250, i % 250);
		note(&book, client, NULL, SMTP_QUIRK_NO_BRACKETS, 1, i);
	}
	assert_int_equal(book.forgotten, 0);
	note(&book, "10.0.0.0", NULL, SMTP_QUIRK_NO_BRACKETS, 1, 20000);
	note(&book, "192.0.2.1", NULL, SMTP_QUIRK_NO_BRACKETS, 1, 20001);
	assert_int_equal(map_count(book.by_key), QUIRK_BOOK_MAX);
	assert_int_equal(book.forgotten, 1);
	assert_string_equal(entry_at(&book, 1)->client, "10.0.0.0");
	assert_string_equal(entry_at(&book, QUIRK_BOOK_MAX - 1)->client, "10.0.0.2");
	quirk_book_fini(&book);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uses_add_up_by_client_login_and_quirk),
		cmocka_unit_test(the_one_not_heard_of_for_longest_makes_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
