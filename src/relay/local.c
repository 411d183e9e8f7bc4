/* SPDX-License-Identifier: MIT */
#include "relay/local.h"

#include "base/memory.h"
#include "config/via.h"
#include "message/trace_fields.h"
#include "relay/maildir.h"
#include "spool/body.h"

#include <limits.h>
#include <stdio.h>

struct local {
	struct worker_job worker;
	struct job *job;
	bool damaged[JOB_DELIVERIES_MAX];
	bool tried[JOB_DELIVERIES_MAX][SPOOL_RECIPIENTS_MAX];
};

/* Return-Path and Delivered-To stand in front of what is delivered for good (RFC 5321, 4.4). */
static bool write_head(struct maildir_file *file, const struct spool_delivery *delivery,
    struct span recipient, struct fault *fault)
{
	struct buf head;
	bool good;

	buf_init(&head, 4096);
	good = message_return_path_format(&head, delivery->message->envelope.reverse_path) &&
	       buf_printf(&head, "Delivered-To: %.*s\r\n", SPAN_ARG(recipient)) &&
	       maildir_write(file, buf_span(&head), fault);
	buf_fini(&head);
	return good;
}

static bool write_stored(
    struct maildir_file *file, struct spool_message *message, bool *damaged, struct fault *fault)
{
	struct spool_reader *reader = spool_reader_open(message, fault);
	enum spool_read_result result = SPOOL_READ_MORE;
	struct span bytes;
	bool good = reader != NULL;

	while (good && result == SPOOL_READ_MORE) {
		result = spool_reader_next(reader, &bytes, fault);
		if (result == SPOOL_READ_MORE)
			good = maildir_write(file, bytes, fault);
	}
	spool_reader_close(&reader);
	*damaged = good && result == SPOOL_READ_DAMAGED;
	return good && result == SPOOL_READ_END;
}

static bool write_message(struct maildir_file *file, const struct job_item *item,
    struct span recipient, bool *damaged, struct fault *fault)
{
	if (!write_head(file, item->delivery, recipient, fault))
		return false;
	if (item->body)
		return maildir_write(file, spool_body_span(item->body), fault);
	return write_stored(file, item->delivery->message, damaged, fault);
}

static char *expand(const char *pattern, struct span local, struct span domain, struct fault *fault)
{
	struct buf path;

	buf_init(&path, PATH_MAX - 1);
	if (config_path_expand(pattern, local, domain, &path))
		return buf_take_string(&path);
	buf_fini(&path);
	fault_set(fault, FAULT_PERMANENT,
	    "the address has characters that cannot name a mailbox here: a-z 0-9 . _ + - are "
	    "admitted, and no dot in front");
	return NULL;
}

static bool deliver(const struct job *job, const struct job_item *item,
    struct spool_recipient *recipient, bool *damaged, struct fault *fault)
{
	struct span local, domain;
	struct maildir_file file;
	const char *name;
	char *path;
	char reply[400];

	config_address_split(recipient->address, &local, &domain);
	path = expand(job->hop->vias[0].path, local, domain, fault);
	if (!path)
		return false;
	if (!maildir_open(&file, path, item->delivery->message->id, job->setup->config->hostname,
		MAILDIR_LINE_ENDS_UNIX, fault)) {
		mem_free(path);
		return false;
	}
	mem_free(path);
	if (!write_message(&file, item, recipient->address, damaged, fault)) {
		maildir_abandon(&file);
		return false;
	}
	if (!maildir_close(&file, &name, fault))
		return false;
	snprintf(reply, sizeof(reply), "250 2.0.0 delivered as %s", name);
	spool_text_set(&recipient->reply, span_from_string(reply));
	return true;
}

static void deliver_item(struct local *local, unsigned index)
{
	struct job_item *item = &local->job->items[index];

	for (unsigned i = 0; i < item->delivery->recipient_count; i++) {
		struct spool_recipient *recipient = &item->delivery->recipients[i];
		struct fault fault = { 0 };
		char reply[600];

		if (recipient->state != SPOOL_RECIPIENT_WAITING)
			continue;
		local->tried[index][i] = true;
		if (deliver(local->job, item, recipient, &local->damaged[index], &fault)) {
			recipient->state = SPOOL_RECIPIENT_DELIVERED;
			continue;
		}
		if (local->damaged[index])
			return;
		if (fault.kind == FAULT_PERMANENT)
			recipient->state = SPOOL_RECIPIENT_FAILED;
		snprintf(reply, sizeof(reply), "%s %s",
		    fault.kind == FAULT_PERMANENT ? "550 5.1.3" : "451 4.3.0", fault.text);
		spool_text_set(&recipient->reply, span_from_string(reply));
	}
}

static void run(struct worker_job *job)
{
	struct local *local = CONTAINER_OF(job, struct local, worker);

	for (unsigned i = 0; i < local->job->count; i++)
		deliver_item(local, i);
}

bool local_submit(struct worker_pool *pool, struct mailbox *reply_to, struct job *job)
{
	struct local *local = MEM_NEW(struct local);

	local->worker = (struct worker_job){ .kind = LOCAL_JOB, .run = run, .reply_to = reply_to };
	local->job = job;
	if (worker_pool_submit(pool, &local->worker))
		return true;
	mem_free(local);
	return false;
}

struct job *local_job(struct worker_job *job)
{
	return CONTAINER_OF(job, struct local, worker)->job;
}

bool local_item_is_damaged(struct worker_job *job, unsigned item)
{
	return CONTAINER_OF(job, struct local, worker)->damaged[item];
}

const bool *local_item_tried(struct worker_job *job, unsigned item)
{
	return CONTAINER_OF(job, struct local, worker)->tried[item];
}

void local_destroy(struct worker_job *job)
{
	struct local *local = CONTAINER_OF(job, struct local, worker);

	job_destroy(&local->job);
	mem_free(local);
}
