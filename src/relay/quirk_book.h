/* SPDX-License-Identifier: MIT */
#ifndef FRANK_RELAY_QUIRK_BOOK_H
#define FRANK_RELAY_QUIRK_BOOK_H

/*
 * Who used which quirk (smtp/quirk.h), and who was refused for want of one, for `frank quirks`: so
 * that an administrator can close a hole, or open one, with evidence. An entry is a client's
 * address, its login, a listener and a quirk. Lives in control's memory and begins anew at a start;
 * of QUIRK_BOOK_MAX entries the one that has not been heard of for longest makes room.
 */

#include "base/list.h"
#include "base/map.h"
#include "smtp/quirk.h"

#define QUIRK_BOOK_MAX 10000

struct quirk_entry {
	struct list link; /* of the book, the most recent first */
	char *key;
	char *client, *login, *listener; /* login is empty for who did not sign in */
	enum smtp_quirk quirk;
	uint64_t uses, refused; /* refused: sessions, not commands */
	int64_t first_ms, last_ms;
};

struct quirk_book {
	struct list entries;
	struct map *by_key;
	int64_t since_ms;
	uint64_t forgotten; /* entries that made room */
};

/* What is heard of one client. login may be NULL. */
struct quirk_news {
	const char *client, *login, *listener;
	enum smtp_quirk quirk;
	uint64_t uses, refused;
	int64_t now_ms;
};

void quirk_book_init(struct quirk_book *book, int64_t now_ms);
void quirk_book_fini(struct quirk_book *book);
void quirk_book_note(struct quirk_book *book, const struct quirk_news *news);

#endif
