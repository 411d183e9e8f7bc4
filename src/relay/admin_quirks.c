/* SPDX-License-Identifier: MIT */
#include "base/moment.h"
#include "relay/admin_client.h"
#include "relay/admin_json.h"
#include "relay/control.h"

/*
 * `frank quirks`: the book (relay/quirk_book.h), the most recent first. At most QUIRK_BOOK_MAX
 * lines, in one step.
 */

static json_t *entry_json(const struct quirk_entry *entry)
{
	json_t *object = json_object();

	admin_json_set_string(object, "quirk", smtp_quirk_name(entry->quirk));
	admin_json_set_string(object, "meaning", smtp_quirk_text(entry->quirk));
	json_object_set_new(object, "named", json_boolean(smtp_quirk_is_named(entry->quirk)));
	admin_json_set_string(object, "client", entry->client);
	if (entry->login[0] != '\0')
		admin_json_set_string(object, "login", entry->login);
	admin_json_set_string(object, "listener", entry->listener);
	admin_json_set_number(object, "uses", entry->uses);
	admin_json_set_number(object, "refused", entry->refused);
	admin_json_set_time(object, "first", entry->first_ms);
	admin_json_set_time(object, "last", entry->last_ms);
	return object;
}

void admin_quirks(struct admin_client *client, const char *verb, const json_t *request)
{
	const struct quirk_book *book = &client->admin->control->quirks;
	json_t *whole = json_object();

	(void)verb;
	(void)request;
	admin_json_set_time(whole, "since", book->since_ms);
	admin_json_set_number(whole, "forgotten", book->forgotten);
	admin_say(client, json_pack("{s:o}", "quirks", whole));
	LIST_FOR_EACH (position, &book->entries) {
		const struct quirk_entry *entry = LIST_ENTRY(position, struct quirk_entry, link);
		admin_say(client, json_pack("{s:o}", "quirk", entry_json(entry)));
	}
	admin_end(client, 0);
}
