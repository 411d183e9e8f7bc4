/* SPDX-License-Identifier: MIT */
#include "cli/queue_print.h"

#include "base/moment.h"
#include "cli/cli.h"
#include "cli/screen.h"

#include <string.h>

/* Columns of the table; what is left of the width has the addresses. */
enum { ID = 13, STATE = 8, SIZE = 5, AGE = 8, NEXT = 8 };

/* ---- values ---- */

static struct span sender_of(const json_t *item)
{
	struct span sender = cli_json_get(item, "sender");
	return sender.len > 0 ? sender : SPAN("<>");
}

/* The recipient who is of most interest: the first of those that are not done. */
static const json_t *main_recipient(const json_t *item)
{
	const json_t *list = json_object_get(item, "recipients"), *recipient;
	size_t i;
	json_array_foreach(list, i, recipient)
	{
		if (!span_equal(cli_json_get(recipient, "state"), SPAN("done")))
			return recipient;
	}
	return json_array_get(list, 0);
}

/* The earliest of its recipients'. */
static int64_t next_of(const json_t *item)
{
	const json_t *recipient;
	int64_t next = 0;
	size_t i;
	json_array_foreach(json_object_get(item, "recipients"), i, recipient)
	{
		int64_t at = cli_json_time(recipient, "next");
		if (at != 0 && (next == 0 || at < next))
			next = at;
	}
	return next;
}

static const char *until(int64_t at_ms, int64_t now_ms, char out[MOMENT_TEXT_MAX])
{
	if (at_ms == 0)
		return "-";
	return at_ms <= now_ms ? "now" : moment_format_duration(at_ms - now_ms, out);
}

static const char *since(int64_t at_ms, int64_t now_ms, char out[MOMENT_TEXT_MAX])
{
	if (at_ms == 0)
		return "-";
	return moment_format_duration(now_ms > at_ms ? now_ms - at_ms : 0, out);
}

static void put_recipients(const json_t *item, unsigned columns)
{
	size_t count = json_array_size(json_object_get(item, "recipients"));
	struct span address = cli_json_get(main_recipient(item), "address");
	char more[32] = "";
	if (count > 1)
		columns -= (unsigned)snprintf(more, sizeof(more), " and %zu more", count - 1);
	cli_screen_put(stdout, address, columns);
	fputs(more, stdout);
}

/* ---- the table ---- */

static void print_row(const struct queue_printer *p, const json_t *item)
{
	char size[CLI_SCREEN_SIZE_MAX], age[MOMENT_TEXT_MAX], next[MOMENT_TEXT_MAX];
	unsigned front = ID + STATE + SIZE + AGE + NEXT + 10;
	cli_screen_put_cell(stdout, cli_json_get(item, "id"), ID);
	fputs("  ", stdout);
	cli_screen_put_cell(stdout, cli_json_get(item, "state"), STATE);
	printf("  %*s  %-*s  %-*s  ", SIZE, cli_screen_size(cli_json_number(item, "size"), size),
	    AGE, since(cli_json_time(item, "received"), p->now_ms, age), NEXT,
	    until(next_of(item), p->now_ms, next));
	cli_screen_put(stdout, sender_of(item), p->width > front + 10 ? p->width - front : 10);
	fputs("\n    to ", stdout);
	put_recipients(item, p->width - 7); /* of at least 40: enough for both parts */
	fputc('\n', stdout);
	struct span reason = cli_json_get(main_recipient(item), "reply");
	if (reason.len > 0)
		cli_screen_put_block(stdout, reason, 4, p->width);
}

static void print_table(struct queue_printer *p, const json_t *item)
{
	if (p->count == 0)
		printf("%-*s  %-*s  %*s  %-*s  %-*s  %s\n", ID, "ID", STATE, "STATE", SIZE, "SIZE",
		    AGE, "AGE", NEXT, "NEXT", "FROM, TO, REASON");
	print_row(p, item);
}

/* Into a pipe: one message a line, nothing cut. */
static void print_fields(const json_t *item)
{
	char next[MOMENT_TEXT_MAX] = "-";
	const json_t *recipient;
	size_t i;
	if (next_of(item) != 0)
		moment_format_rfc3339(next_of(item), next);
	cli_screen_put(stdout, cli_json_get(item, "id"), 0);
	fputc('\t', stdout);
	cli_screen_put(stdout, cli_json_get(item, "state"), 0);
	printf("\t%llu\t", (unsigned long long)cli_json_number(item, "size"));
	cli_screen_put(stdout, cli_json_get(item, "received"), 0);
	printf("\t%s\t", next);
	cli_screen_put(stdout, sender_of(item), 0);
	fputc('\t', stdout);
	json_array_foreach(json_object_get(item, "recipients"), i, recipient)
	{
		if (i > 0)
			fputc(',', stdout);
		cli_screen_put(stdout, cli_json_get(recipient, "address"), 0);
	}
	fputc('\t', stdout);
	cli_screen_put(stdout, cli_json_get(main_recipient(item), "reply"), 0);
	fputc('\n', stdout);
}

/* ---- show ---- */

static void print_text(const char *label, struct span text, unsigned indent)
{
	if (text.len == 0)
		return;
	printf("%*s%-10s ", (int)indent, "", label);
	cli_screen_put(stdout, text, 0);
	fputc('\n', stdout);
}

static void print_time(const struct queue_printer *p, const char *label, const json_t *object,
    const char *key, unsigned indent)
{
	int64_t at = cli_json_time(object, key);
	char text[MOMENT_TEXT_MAX], distance[MOMENT_TEXT_MAX];
	if (at == 0)
		return;
	moment_format_duration(at > p->now_ms ? at - p->now_ms : p->now_ms - at, distance);
	printf("%*s%-10s %s (%s%s%s)\n", (int)indent, "", label, moment_format_rfc3339(at, text),
	    at > p->now_ms ? "in " : "", distance, at > p->now_ms ? "" : " ago");
}

static void print_recipient(const struct queue_printer *p, const json_t *recipient)
{
	uint64_t attempts = cli_json_number(recipient, "attempts");
	fputs("\nto         ", stdout);
	cli_screen_put(stdout, cli_json_get(recipient, "address"), 0);
	fputs("\n  state      ", stdout);
	cli_screen_put(stdout, cli_json_get(recipient, "state"), 0);
	printf(", %llu attempt%s\n", (unsigned long long)attempts, attempts == 1 ? "" : "s");
	print_text("hop", cli_json_get(recipient, "hop"), 2);
	print_text("reply", cli_json_get(recipient, "reply"), 2);
	print_text("remote id", cli_json_get(recipient, "remote_id"), 2);
	print_time(p, "last try", recipient, "last_attempt", 2);
	print_time(p, "next try", recipient, "next", 2);
	print_time(p, "expires", recipient, "expires", 2);
}

static void print_whole(struct queue_printer *p, const json_t *item)
{
	const json_t *recipient;
	size_t i;
	if (p->count > 0)
		fputs("\n\n", stdout);
	print_text("message", cli_json_get(item, "id"), 0);
	print_text("state", cli_json_get(item, "state"), 0);
	print_text("from", sender_of(item), 0);
	printf("%-10s %llu bytes\n", "size", (unsigned long long)cli_json_number(item, "size"));
	print_time(p, "received", item, "received", 0);
	print_time(p, "ended", item, "ended", 0);
	print_text("client", cli_json_get(item, "client"), 0);
	print_text("helo", cli_json_get(item, "helo"), 0);
	print_text("login", cli_json_get(item, "login"), 0);
	print_text("listener", cli_json_get(item, "listener"), 0);
	json_array_foreach(json_object_get(item, "recipients"), i, recipient)
	    print_recipient(p, recipient);
}

/* ---- changes ---- */

/* How each change is told: done, would be done, and of what is under way. */
static const struct wording {
	const char *verb, *done, *would, *in_hand;
} wordings[] = {
	{ "retry", "due now", "would be due now", "being tried at this moment" },
	{ "run", "due now", "would be due now", "being tried at this moment" },
	{ "hold", "held", "would be held", "under way at this moment, and left alone" },
	{ "release", "released and due now", "would be released", "under way at this moment" },
	{ "drop", "dropped", "would be dropped", "under way at this moment, and left alone" },
};

static void print_changed(const struct queue_printer *p, const json_t *changed)
{
	struct span verb = cli_json_get(changed, "verb");
	unsigned long long messages = cli_json_number(changed, "messages"),
			   in_hand = cli_json_number(changed, "in_hand");
	const struct wording *words = &wordings[0];
	for (size_t i = 0; i < sizeof(wordings) / sizeof(wordings[0]); i++) {
		if (span_equal(verb, span_from_string(wordings[i].verb)))
			words = &wordings[i];
	}
	printf("%llu message%s %s%s\n", messages, messages == 1 ? "" : "s",
	    p->dry_run      ? ""
	    : messages == 1 ? "is "
			    : "are ",
	    p->dry_run ? words->would : words->done);
	if (in_hand > 0)
		printf("%llu deliver%s %s\n", in_hand, in_hand == 1 ? "y is" : "ies are",
		    words->in_hand);
	if (!p->relay && !p->dry_run && messages > 0 && strstr(words->done, "due now") != NULL)
		cli_complain("no relay runs: they will be tried when it starts");
}

/* ---- lines ---- */

static void begin_json(struct queue_printer *p)
{
	if (!p->begun)
		fputs("{\"items\":[", stdout);
	p->begun = true;
}

static void print_item(struct queue_printer *p, const json_t *item)
{
	if (p->json) {
		begin_json(p);
		if (p->count > 0)
			fputc(',', stdout);
		json_dumpf(item, stdout, JSON_COMPACT);
	} else if (p->detailed) {
		print_whole(p, item);
	} else if (p->width > 0) {
		print_table(p, item);
	} else {
		print_fields(item);
	}
	p->count++;
}

static void print_missing(struct queue_printer *p, const json_t *missing, const char *why)
{
	const json_t *id;
	size_t i;
	json_array_foreach(missing, i, id) cli_complain("%s: %s", json_string_value(id), why);
	p->missing = json_incref((json_t *)missing);
}

static void print_change(struct queue_printer *p, const json_t *changed)
{
	if (!p->json) {
		print_changed(p, changed);
		return;
	}
	json_t *object = json_copy((json_t *)changed);
	if (p->missing != NULL)
		json_object_set(object, "missing", p->missing);
	cli_json_print(object, CLI_EXIT_DONE);
}

bool queue_print_line(void *context, const json_t *line)
{
	struct queue_printer *p = context;
	const json_t *item = json_object_get(line, "item");
	const json_t *missing = json_object_get(line, "missing");
	const json_t *changed = json_object_get(line, "changed");
	if (item != NULL)
		print_item(p, item);
	if (missing != NULL)
		print_missing(p, missing, "no such message is known, or not in this state");
	if (changed != NULL)
		print_change(p, changed);
	return !ferror(stdout);
}

void queue_print_end(struct queue_printer *p, bool lists)
{
	if (p->json && lists) {
		begin_json(p);
		fputs("]}\n", stdout);
	} else if (lists && p->count == 0 && p->missing == NULL && p->width > 0) {
		puts("Nothing is queued that fits.");
	}
	json_decref(p->missing);
	p->missing = NULL;
}
