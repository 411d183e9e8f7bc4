/* SPDX-License-Identifier: MIT */
#include "relay/slot_private.h"

#include "base/memory.h"
#include "relay/events.h"

static bool is_ours(const struct spool_message *message)
{
	return (message->envelope.flags & (SPOOL_FLAG_SUBMITTED | SPOOL_FLAG_NOTICE)) != 0;
}

void slot_rewrite_begin(struct slot *slot)
{
	const struct spool_message *message = slot->item->work->delivery->message;
	const struct rewrite *rewrite = &slot->job->hop->rewrite;

	slot->item->from_as = SPAN("");
	slot->item->reverse_path = message->envelope.reverse_path;
	rewrite_sender(rewrite, message->envelope.reverse_path, is_ours(message),
	    &slot->item->sender, &slot->item->reverse_path);
	feed_rewrite(slot->item->feed, rewrite);
}

static void log_kept(const struct slot *slot, const char *text)
{
	struct log_line line;

	event_begin(&line, EVENT_HEADER_KEPT);
	log_id(&line, "message", slot->item->work->delivery->message->id);
	log_text(&line, "hop", slot->job->hop->key);
	log_text(&line, "text", text);
	log_end(&line);
}

void slot_rewrite_done(struct slot *slot)
{
	const struct spool_message *message = slot->item->work->delivery->message;
	const struct message_rewrite_result *result = feed_rewritten(slot->item->feed);

	slot->item->from_as = result && result->from_changed ? result->from : SPAN("");
	if (!result && rewrite_wants_header(&slot->job->hop->rewrite, is_ours(message)))
		log_kept(slot, "the header is too large to be rewritten and goes out as it is");
	else if (result && result->left_alone > 0)
		log_kept(slot, "the From or Sender field cannot be read and goes out as it is");
}

static char *copy(struct span text)
{
	return text.len > 0 ? mem_dup(text.data, text.len) : NULL;
}

void slot_rewrite_report(const struct slot *slot, struct job_progress *progress)
{
	struct span original = progress->delivery->message->envelope.reverse_path;

	if (progress->kind != JOB_ATTEMPTED)
		return;
	if (!span_equal(slot->item->reverse_path, original))
		progress->sender_as = copy(slot->item->reverse_path);
	progress->from_as = copy(slot->item->from_as);
}
