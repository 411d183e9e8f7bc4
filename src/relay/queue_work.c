/* SPDX-License-Identifier: MIT */
#include "relay/queue_work.h"

#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "relay/admin_json.h"

#include <string.h>

#define LINES_MAX (64u * 1024 * 1024) /* a step's: 32 messages of thousands of recipients */
#define STEP_BYTES 131072             /* aimed at */
#define LIST_PAGE 32
#define CHANGE_PAGE 50
#define OLDER_MAX_S (100ll * 366 * 24 * 3600)

static const char *const verbs[] = {
	[QUEUE_LIST] = "list",
	[QUEUE_SHOW] = "show",
	[QUEUE_RETRY] = "retry",
	[QUEUE_HOLD] = "hold",
	[QUEUE_RELEASE] = "release",
	[QUEUE_DROP] = "drop",
	[QUEUE_RUN] = "run",
};

static const enum spool_message_state all_states[] = {
	SPOOL_MESSAGE_ACTIVE,
	SPOOL_MESSAGE_DEFERRED,
	SPOOL_MESSAGE_HELD,
	SPOOL_MESSAGE_BROKEN,
	SPOOL_MESSAGE_DONE,
	SPOOL_MESSAGE_BOUNCED,
	SPOOL_MESSAGE_DROPPED,
};

/* ---- the request ---- */

static bool refuse(struct fault *fault, const char *text)
{
	fault_set(fault, FAULT_PERMANENT, "%s", text);
	return false;
}

static bool read_verb(struct queue_work *work, const char *verb, struct fault *fault)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(verb, verbs[i]) != 0)
			continue;
		work->verb = (enum queue_verb)i;
		return true;
	}
	return refuse(fault, "that is not a thing to do with the queue");
}

static bool is_known_id(const uint64_t *ids, size_t count, uint64_t id)
{
	for (size_t i = 0; i < count; i++)
		if (ids[i] == id)
			return true;
	return false;
}

static bool read_ids(struct queue_work *work, const json_t *request, struct fault *fault)
{
	const json_t *list = json_object_get(request, "ids"), *text;
	size_t i, count = json_array_size(list);
	uint64_t *ids;

	if (!list)
		return true;
	if (!json_is_array(list) || count == 0 || count > QUEUE_IDS_MAX) {
		fault_set(fault, FAULT_PERMANENT, "at most %d ids at a time", QUEUE_IDS_MAX);
		return false;
	}
	ids = mem_alloc_array(count, sizeof(*ids));
	work->filter.ids = ids;
	work->known = mem_alloc_array(count, sizeof(*work->known));
	json_array_foreach(list, i, text)
	{
		uint64_t id;
		if (!json_is_string(text) ||
		    !id_parse(span_of(json_string_value(text), json_string_length(text)), &id)) {
			fault_set(fault, FAULT_PERMANENT,
			    "\"%s\" is no message id: 13 letters "
			    "and digits, as in the 250 and the log",
			    json_is_string(text) ? json_string_value(text) : "?");
			return false;
		}
		if (!is_known_id(ids, work->filter.id_count, id))
			ids[work->filter.id_count++] = id;
	}
	return true;
}

static bool read_pattern(
    const json_t *request, const char *key, struct span *pattern_out, struct fault *fault)
{
	struct span text;

	if (!admin_json_get_text(request, key, &text)) {
		fault_set(fault, FAULT_PERMANENT, "%s must be a text", key);
		return false;
	}
	if (text.data)
		*pattern_out = span_of(mem_dup(text.data, text.len), text.len);
	return true;
}

static bool read_state(struct queue_work *work, struct span name, struct fault *fault)
{
	for (size_t i = 0; i < ARRAY_LEN(all_states); i++) {
		if (!span_equal(name, span_from_string(spool_message_state_name(all_states[i]))))
			continue;
		work->filter.states |= all_states[i];
		return true;
	}
	return refuse(fault, "state is active, deferred, held, broken, done, bounced or dropped");
}

static bool read_states(struct queue_work *work, const json_t *request, struct fault *fault)
{
	const json_t *list = json_object_get(request, "states"), *text;
	size_t i;

	json_array_foreach(list, i, text)
	{
		struct span name = span_of(json_string_value(text), json_string_length(text));
		if (!read_state(work, name, fault))
			return false;
	}
	return true;
}

static bool read_older(struct queue_work *work, const json_t *request, struct fault *fault)
{
	const json_t *older = json_object_get(request, "older");

	if (!older)
		return true;
	if (!json_is_integer(older) || json_integer_value(older) < 0 ||
	    json_integer_value(older) > OLDER_MAX_S)
		return refuse(fault, "older must be a number of seconds");
	work->filter.received_before_ms = moment_wall_ms() - json_integer_value(older) * 1000;
	return true;
}

static bool selects_nothing(const struct queue_work *work, const json_t *request)
{
	const struct spool_filter *filter = &work->filter;

	return !filter->ids && !filter->hop.data && !filter->from.data && !filter->to.data &&
	       filter->received_before_ms == 0 && filter->states == 0 &&
	       !json_is_true(json_object_get(request, "all"));
}

/* With ids the state does not matter, unless it is asked for: one that is not there must be told
   from one that has ended. Changes touch what is queued only. */
static void default_states(struct queue_work *work)
{
	struct spool_filter *filter = &work->filter;

	if (filter->states == 0 && filter->ids && !queue_work_is_change(work))
		filter->states = SPOOL_MESSAGE_QUEUED | SPOOL_MESSAGE_ENDED;
	if (queue_work_is_change(work))
		filter->states =
		    filter->states ? filter->states & SPOOL_MESSAGE_QUEUED : SPOOL_MESSAGE_QUEUED;
}

static bool read_request(
    struct queue_work *work, const char *verb, const json_t *request, struct fault *fault)
{
	if (!read_verb(work, verb, fault) || !read_ids(work, request, fault) ||
	    !read_pattern(request, "hop", &work->filter.hop, fault) ||
	    !read_pattern(request, "from", &work->filter.from, fault) ||
	    !read_pattern(request, "to", &work->filter.to, fault) ||
	    !read_older(work, request, fault) || !read_states(work, request, fault))
		return false;
	work->dry_run = json_is_true(json_object_get(request, "dry_run"));
	if (work->verb == QUEUE_SHOW && !work->filter.ids)
		return refuse(fault, "show needs an id");
	if (queue_work_is_change(work) && work->verb != QUEUE_RUN && selects_nothing(work, request))
		return refuse(fault, "name ids, or say which with --hop, --from, --to, --older or "
				     "--state, or --all");
	default_states(work);
	if (work->filter.states == 0 && queue_work_is_change(work))
		return refuse(fault, "messages that have ended cannot be changed");
	work->page = queue_work_is_change(work) ? CHANGE_PAGE : LIST_PAGE;
	return true;
}

struct queue_work *queue_work_create(
    const char *verb, const json_t *request, struct fault *fault_out)
{
	struct queue_work *work = MEM_NEW(struct queue_work);

	list_init(&work->hops);
	buf_init(&work->lines, LINES_MAX);
	if (!read_request(work, verb, request, fault_out))
		queue_work_destroy(&work);
	return work;
}

void queue_work_destroy(struct queue_work **work)
{
	struct queue_work *gone = *work;
	struct list *link;

	*work = NULL;
	if (!gone)
		return;
	while ((link = list_take_first(&gone->hops)) != NULL) {
		struct queue_hop *hop = LIST_ENTRY(link, struct queue_hop, link);
		mem_free((void *)hop->key.data);
		mem_free(hop);
	}
	mem_free((void *)gone->filter.ids);
	mem_free((void *)gone->filter.hop.data);
	mem_free((void *)gone->filter.from.data);
	mem_free((void *)gone->filter.to.data);
	mem_free(gone->known);
	queue_pauses_fini(&gone->pauses);
	buf_fini(&gone->lines);
	mem_free(gone);
}

bool queue_work_is_change(const struct queue_work *work)
{
	return work->verb != QUEUE_LIST && work->verb != QUEUE_SHOW;
}

/* ---- looking ---- */

static void mark_known(struct queue_work *work, uint64_t id)
{
	for (size_t i = 0; i < work->filter.id_count; i++)
		if (work->filter.ids[i] == id)
			work->known[i] = true;
}

static bool has_hop(const struct queue_work *work, struct span key)
{
	LIST_FOR_EACH (position, &work->hops)
		if (span_equal(LIST_ENTRY(position, struct queue_hop, link)->key, key))
			return true;
	return false;
}

static void add_hops(struct queue_work *work, const struct spool_entry *entry)
{
	LIST_FOR_EACH (position, &entry->deliveries) {
		struct span key = LIST_ENTRY(position, struct spool_delivery, link)->hop;
		struct queue_hop *hop;
		if (has_hop(work, key))
			continue;
		hop = MEM_NEW(struct queue_hop);
		hop->key = span_of(mem_dup(key.data, key.len), key.len);
		list_append(&work->hops, &hop->link);
	}
}

/* Reads one page; the entries are the caller's. */
static bool read_page(struct queue_work *work, struct spool_store *store,
    const struct spool_filter *filter, struct list *out, struct fault *fault)
{
	list_init(out);
	if (spool_store_page(store, filter, &work->cursor, work->page, out, fault))
		return true;
	for (struct list *link; (link = list_take_first(out)) != NULL;) {
		struct spool_entry *entry = LIST_ENTRY(link, struct spool_entry, link);
		spool_entry_destroy(&entry);
	}
	return false;
}

static bool look_step(struct queue_work *work, struct spool_store *store, struct fault *fault)
{
	struct spool_filter filter = {
		.ids = work->filter.ids,
		.id_count = work->filter.id_count,
		.states = SPOOL_MESSAGE_QUEUED,
	};
	struct list page, *link;

	if (!read_page(work, store, &filter, &page, fault))
		return false;
	while ((link = list_take_first(&page)) != NULL) {
		struct spool_entry *entry = LIST_ENTRY(link, struct spool_entry, link);
		mark_known(work, entry->message->id);
		add_hops(work, entry);
		spool_entry_destroy(&entry);
	}
	return true;
}

bool queue_work_look(struct queue_work *work, struct spool_store *store, struct fault *fault_out)
{
	while (work->filter.ids && !work->cursor.finished)
		if (!look_step(work, store, fault_out))
			return false;
	work->looked = true;
	work->cursor = (struct spool_cursor){ 0 };
	return true;
}

/* ---- steps ---- */

static void say(struct queue_work *work, const char *key, json_t *value)
{
	admin_json_line(&work->lines, json_pack("{s:o}", key, value));
}

static void say_entry(struct queue_work *work, struct spool_store *store, struct spool_entry *entry)
{
	json_t *item = queue_item_json(entry, store, &work->pauses, work->verb == QUEUE_SHOW);

	mark_known(work, entry->message->id);
	say(work, "item", item);
}

/* Messages with many recipients make long lines: fewer of them next time. */
static void adapt_page(struct queue_work *work, size_t count, size_t bytes)
{
	if (count == 0)
		return;
	work->page = STEP_BYTES / (bytes / count + 1);
	if (work->page < 1)
		work->page = 1;
	if (work->page > LIST_PAGE)
		work->page = LIST_PAGE;
}

static bool step_list(struct queue_work *work, struct spool_store *store, struct fault *fault)
{
	size_t count = 0, before = work->lines.len;
	struct list page, *link;

	if (!read_page(work, store, &work->filter, &page, fault))
		return false;
	while ((link = list_take_first(&page)) != NULL) {
		struct spool_entry *entry = LIST_ENTRY(link, struct spool_entry, link);
		say_entry(work, store, entry);
		spool_entry_destroy(&entry);
		count++;
	}
	adapt_page(work, count, work->lines.len - before);
	return true;
}

static enum spool_change change_of(enum queue_verb verb)
{
	switch (verb) {
	case QUEUE_HOLD:
		return SPOOL_CHANGE_HOLD;
	case QUEUE_RELEASE:
		return SPOOL_CHANGE_RELEASE;
	case QUEUE_DROP:
		return SPOOL_CHANGE_DROP;
	case QUEUE_LIST:
	case QUEUE_SHOW:
	case QUEUE_RETRY:
	case QUEUE_RUN:
		break;
	}
	return SPOOL_CHANGE_RETRY;
}

bool queue_work_step(
    struct queue_work *work, struct spool_store *store, int64_t now_ms, struct fault *fault_out)
{
	if (!queue_work_is_change(work)) {
		if (!step_list(work, store, fault_out))
			return false;
	} else {
		if (!work->looked && !queue_work_look(work, store, fault_out))
			return false;
		if (!spool_store_change(store, change_of(work->verb), &work->filter, &work->cursor,
			work->page, work->dry_run, now_ms, &work->changed, fault_out))
			return false;
	}
	work->finished = work->cursor.finished;
	return true;
}

void queue_work_rewind(struct queue_work *work)
{
	work->cursor = (struct spool_cursor){ 0 };
	work->changed.in_hand = 0;
	work->finished = false;
}

/* ---- the end ---- */

static json_t *unknown_ids(const struct queue_work *work)
{
	json_t *array = json_array();
	char text[ID_TEXT_SIZE];

	for (size_t i = 0; i < work->filter.id_count; i++)
		if (!work->known[i])
			json_array_append_new(
			    array, json_string(id_format(work->filter.ids[i], text)));
	return array;
}

static json_t *changed_json(const struct queue_work *work)
{
	json_t *object = json_pack("{s:s}", "verb", verbs[work->verb]);

	admin_json_set_number(object, "messages", work->changed.messages);
	admin_json_set_number(object, "deliveries", work->changed.deliveries);
	admin_json_set_number(object, "in_hand", work->changed.in_hand);
	if (work->dry_run)
		json_object_set_new(object, "dry_run", json_true());
	return object;
}

int queue_work_finish(struct queue_work *work)
{
	json_t *unknown = unknown_ids(work);
	bool all_known = json_array_size(unknown) == 0;

	if (all_known)
		json_decref(unknown);
	else
		say(work, "missing", unknown);
	if (queue_work_is_change(work))
		say(work, "changed", changed_json(work));
	return all_known ? 0 : 1;
}
