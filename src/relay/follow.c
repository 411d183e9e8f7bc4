/* SPDX-License-Identifier: MIT */
#include "relay/follow.h"

#include "base/id.h"
#include "base/memory.h"
#include "config/match.h"
#include "config/network.h"
#include "net/address.h"

#include <string.h>

/* A line that waits for its dialogue to be judged. */
struct kept {
	struct list link;
	bool prelude; /* before the first transaction: belongs to every message */
	struct trace_line line;
};

enum dialogue_state {
	DIALOGUE_UNDECIDED,
	DIALOGUE_WANTED, /* with a message asked for: it is under way, or was the last one */
	DIALOGUE_OTHER,  /* another message is */
};

struct dialogue {
	struct list link; /* the last one to be heard stands last */
	uint64_t number;
	enum trace_role role;
	enum dialogue_state state;
	bool begun; /* a transaction has begun */
	struct list kept;
	size_t kept_count;
};

struct follow {
	struct config_arena *arena; /* of the network */
	struct config_network network;
	bool by_client;
	struct span login, hop; /* owned; empty: any */
	uint64_t message;       /* 0: any */
	struct list dialogues;
	size_t dialogue_count;
	size_t kept_bytes;
};

/* ---- life ---- */

static struct span copy(struct span s)
{
	return span_of(mem_dup(s.data, s.len), s.len);
}

static bool read_client(struct follow *f, struct span client, struct fault *fault)
{
	char *text = span_to_string(client);
	bool good = text && config_network_parse(f->arena, text, &f->network, fault);

	if (!text)
		fault_set(fault, FAULT_PERMANENT, "client must be an address or a network");
	mem_free(text);
	f->by_client = true;
	return good;
}

struct follow *follow_create(struct span client, struct span login, struct span hop,
    struct span message, struct fault *fault_out)
{
	struct follow *f = MEM_NEW(struct follow);

	list_init(&f->dialogues);
	f->arena = config_arena_create();
	f->login = copy(login);
	f->hop = copy(hop);
	if (client.len > 0 && !read_client(f, client, fault_out)) {
		follow_destroy(&f);
	} else if (message.len > 0 && !id_parse(message, &f->message)) {
		fault_set(fault_out, FAULT_PERMANENT, "a message id has 13 letters and digits");
		follow_destroy(&f);
	}
	return f;
}

static void free_kept(struct follow *f, struct dialogue *d, struct kept *kept)
{
	f->kept_bytes -= sizeof(*kept) + strlen(kept->line.text);
	d->kept_count--;
	list_remove(&kept->link);
	trace_line_fini(&kept->line);
	mem_free(kept);
}

static struct kept *first_kept(struct dialogue *d)
{
	return list_is_empty(&d->kept) ? NULL : LIST_ENTRY(d->kept.next, struct kept, link);
}

static void forget(struct follow *f, struct dialogue *d)
{
	struct kept *kept;

	while ((kept = first_kept(d)) != NULL)
		free_kept(f, d, kept);
	list_remove(&d->link);
	f->dialogue_count--;
	mem_free(d);
}

void follow_destroy(struct follow **follow)
{
	struct follow *f = *follow;

	*follow = NULL;
	if (!f)
		return;
	LIST_FOR_EACH_SAFE (position, &f->dialogues)
		forget(f, LIST_ENTRY(position, struct dialogue, link));
	config_arena_destroy(&f->arena);
	mem_free((void *)f->login.data);
	mem_free((void *)f->hop.data);
	mem_free(f);
}

/* ---- judging ---- */

enum verdict { VERDICT_NO, VERDICT_LATER, VERDICT_YES };

static enum verdict judge_client(const struct follow *f, const struct trace_line *line)
{
	struct span host = span_from_string(line->peer);
	size_t colon = host.len;
	struct net_address address;

	if (!f->by_client)
		return VERDICT_YES;
	if (line->role != TRACE_ROLE_SERVER)
		return VERDICT_NO;
	while (colon > 0 && host.data[colon - 1] != ':')
		colon--;
	if (colon == 0 || !net_address_parse(span_head(host, colon - 1), 0, &address))
		return VERDICT_NO;
	return config_network_contains(&f->network, &address.storage)
		   ? VERDICT_YES
		   : VERDICT_NO;
}

static enum verdict judge_login(const struct follow *f, const struct trace_line *line)
{
	if (f->login.len == 0)
		return VERDICT_YES;
	if (!line->login)
		return VERDICT_LATER;
	return span_equal_nocase(f->login, span_from_string(line->login)) ? VERDICT_YES
									  : VERDICT_NO;
}

static enum verdict judge_hop(const struct follow *f, const struct trace_line *line)
{
	struct span key = span_from_string(line->hop);

	if (f->hop.len == 0)
		return VERDICT_YES;
	if (line->role != TRACE_ROLE_CLIENT)
		return VERDICT_NO;
	return span_find_span(key, f->hop) < key.len ? VERDICT_YES : VERDICT_NO;
}

static enum verdict worse(enum verdict a, enum verdict b)
{
	return a < b ? a : b;
}

/* All but the message. */
static enum verdict judge(const struct follow *f, const struct trace_line *line)
{
	return worse(judge_client(f, line), worse(judge_login(f, line), judge_hop(f, line)));
}

/* ---- keeping ---- */

static struct dialogue *find(struct follow *f, const struct trace_line *line)
{
	LIST_FOR_EACH (position, &f->dialogues) {
		struct dialogue *d = LIST_ENTRY(position, struct dialogue, link);
		if (d->number != line->dialogue || d->role != line->role)
			continue;
		list_remove(&d->link);
		list_append(&f->dialogues, &d->link);
		return d;
	}
	return NULL;
}

static struct dialogue *oldest(struct follow *f)
{
	return LIST_ENTRY(f->dialogues.next, struct dialogue, link);
}

static struct dialogue *find_or_add(struct follow *f, const struct trace_line *line)
{
	struct dialogue *d = find(f, line);

	if (d)
		return d;
	if (f->dialogue_count == FOLLOW_DIALOGUES_MAX)
		forget(f, oldest(f));
	d = MEM_NEW(struct dialogue);
	d->number = line->dialogue;
	d->role = line->role;
	list_init(&d->kept);
	list_append(&f->dialogues, &d->link);
	f->dialogue_count++;
	return d;
}

static void keep(struct follow *f, struct dialogue *d, const struct trace_line *line)
{
	struct kept *kept = MEM_NEW(struct kept);

	trace_line_copy(line, &kept->line);
	kept->prelude = !d->begun;
	list_append(&d->kept, &kept->link);
	d->kept_count++;
	f->kept_bytes += sizeof(*kept) + strlen(line->text);
	if (d->kept_count > FOLLOW_LINES_MAX)
		free_kept(f, d, first_kept(d));
	while (f->kept_bytes > FOLLOW_BYTES_MAX && oldest(f) != d)
		forget(f, oldest(f));
	while (f->kept_bytes > FOLLOW_BYTES_MAX)
		free_kept(f, d, first_kept(d));
}

static void show_kept(struct follow *f, struct dialogue *d,
    void (*show)(void *context, const struct trace_line *line), void *context)
{
	struct kept *kept;

	while ((kept = first_kept(d)) != NULL) {
		show(context, &kept->line);
		free_kept(f, d, kept);
	}
}

/* What was kept of a transaction that turns out to be another message's. */
static void drop_transaction(struct follow *f, struct dialogue *d)
{
	LIST_FOR_EACH_SAFE (position, &d->kept) {
		struct kept *kept = LIST_ENTRY(position, struct kept, link);
		if (!kept->prelude)
			free_kept(f, d, kept);
	}
}

/* ---- lines ---- */

static bool begins_transaction(const struct trace_line *line)
{
	return !line->note && line->kind == SMTP_LINE_KIND_COMMAND &&
	       span_starts_with_nocase(span_from_string(line->text), SPAN("MAIL"));
}

/* What the line says about which message the dialogue is at. */
static void follow_message(struct follow *f, struct dialogue *d, const struct trace_line *line)
{
	if (line->message == f->message) {
		d->state = DIALOGUE_WANTED;
	} else if (line->message != 0) {
		d->begun = true;
		drop_transaction(f, d);
		d->state = DIALOGUE_OTHER;
	} else if (begins_transaction(line)) {
		d->state = DIALOGUE_UNDECIDED;
	}
	d->begun |= begins_transaction(line);
}

static void on_message_asked(struct follow *f, const struct trace_line *line, enum verdict verdict,
    void (*show)(void *context, const struct trace_line *line), void *context)
{
	struct dialogue *d = find_or_add(f, line);

	follow_message(f, d, line);
	switch (d->state) {
	case DIALOGUE_WANTED:
		if (verdict == VERDICT_LATER) {
			keep(f, d, line);
			break;
		}
		show_kept(f, d, show, context);
		show(context, line);
		break;
	case DIALOGUE_UNDECIDED:
		keep(f, d, line);
		break;
	case DIALOGUE_OTHER:
		break;
	}
}

void follow_line(struct follow *f, const struct trace_line *line,
    void (*show)(void *context, const struct trace_line *line), void *context)
{
	enum verdict verdict = judge(f, line);
	struct dialogue *d;

	if (verdict == VERDICT_NO) {
		d = find(f, line);
		if (d)
			forget(f, d);
	} else if (f->message != 0) {
		on_message_asked(f, line, verdict, show, context);
	} else if (verdict == VERDICT_LATER) {
		keep(f, find_or_add(f, line), line);
	} else {
		d = find(f, line);
		if (d) {
			show_kept(f, d, show, context);
			forget(f, d);
		}
		show(context, line);
	}
}
