/* SPDX-License-Identifier: MIT */
#include "relay/recipients.h"

#include "base/map.h"
#include "base/memory.h"
#include "net/privilege.h"

#define FILE_MAX_BYTES (16 * 1024 * 1024)
#define LINES_MAX 1000000
#define NAME_MAX_BYTES 320

struct recipients {
	struct map *names;
};

/* Lower case, in the caller's array; false when it does not fit. */
static bool fold(struct span name, char out[NAME_MAX_BYTES], struct span *folded_out)
{
	if (name.len > NAME_MAX_BYTES)
		return false;
	for (size_t i = 0; i < name.len; i++)
		out[i] = byte_to_lower(name.data[i]);
	*folded_out = span_of(out, name.len);
	return true;
}

static bool add_line(struct recipients *recipients, struct span line, const char *path,
    unsigned number, struct fault *fault)
{
	char space[NAME_MAX_BYTES];
	struct span name, rest, folded;

	rest = span_head(line, span_find(line, '#'));
	if (rest.len > 0 && rest.data[rest.len - 1] == '\r')
		rest.len--;
	if (!span_take_word(&rest, &name))
		return true;
	if (span_trim(rest).len > 0 || !fold(name, space, &folded)) {
		fault_set(fault, FAULT_LOCAL,
		    "%s:%u: a line holds one address or one local part, and nothing else", path,
		    number);
		return false;
	}
	map_set(recipients->names, folded, recipients);
	return true;
}

struct recipients *recipients_read(const char *path, struct fault *fault_out)
{
	struct recipients *recipients;
	struct span text, line;
	struct buf file;
	unsigned number = 0;
	bool good = true;

	buf_init(&file, FILE_MAX_BYTES);
	if (!privilege_read(path, &file, fault_out)) {
		buf_fini(&file);
		return NULL;
	}
	recipients = MEM_NEW(struct recipients);
	recipients->names = map_create();
	text = buf_span(&file);
	while (good && span_take_until(&text, '\n', &line)) {
		if (++number > LINES_MAX) {
			fault_set(
			    fault_out, FAULT_LOCAL, "%s has more than %d lines", path, LINES_MAX);
			good = false;
			break;
		}
		good = add_line(recipients, line, path, number, fault_out);
	}
	buf_fini(&file);
	if (!good)
		recipients_destroy(&recipients);
	return recipients;
}

struct recipients *recipients_of_users(const struct account_users *users)
{
	struct recipients *recipients = MEM_NEW(struct recipients);
	char space[NAME_MAX_BYTES];
	struct span folded;

	recipients->names = map_create();
	for (size_t i = 0; i < account_users_count(users); i++)
		if (fold(account_users_at(users, i)->name, space, &folded))
			map_set(recipients->names, folded, recipients);
	return recipients;
}

void recipients_destroy(struct recipients **recipients)
{
	if (!*recipients)
		return;
	map_destroy(&(*recipients)->names, NULL);
	mem_free(*recipients);
	*recipients = NULL;
}

bool recipients_contain(const struct recipients *recipients, struct span local, struct span mailbox)
{
	char space[NAME_MAX_BYTES];
	struct span folded;

	if (fold(mailbox, space, &folded) && map_get(recipients->names, folded))
		return true;
	return fold(local, space, &folded) && map_get(recipients->names, folded);
}
