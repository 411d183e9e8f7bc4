/* SPDX-License-Identifier: MIT */
#include "spool/message.h"

#include "spool/segment.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

struct spool_body {
	_Atomic unsigned references;
	struct buf bytes;
};

struct spool_body *spool_body_create(struct buf *bytes)
{
	struct spool_body *body = MEM_NEW(struct spool_body);
	atomic_init(&body->references, 1);
	body->bytes = *bytes;
	buf_init(bytes, bytes->max);
	return body;
}

struct spool_body *spool_body_ref(struct spool_body *body)
{
	atomic_fetch_add_explicit(&body->references, 1, memory_order_relaxed);
	return body;
}

void spool_body_unref(struct spool_body **body)
{
	struct spool_body *gone = *body;
	*body = NULL;
	if (gone == NULL ||
	    atomic_fetch_sub_explicit(&gone->references, 1, memory_order_acq_rel) != 1)
		return;
	buf_fini(&gone->bytes);
	mem_free(gone);
}

struct span spool_body_span(const struct spool_body *body)
{
	return buf_span(&body->bytes);
}

static struct span text_copy(char **to, struct span text)
{
	struct span copy = span_of(*to, text.len);
	if (text.len > 0)
		memcpy(*to, text.data, text.len);
	*to += text.len;
	return copy;
}

/* One block: the message with its envelope's texts behind it. */
struct spool_message *spool_message_create(uint64_t id, const struct spool_envelope *envelope)
{
	size_t texts = envelope->reverse_path.len + envelope->login.len + envelope->client.len +
		       envelope->helo.len + envelope->listener.len + envelope->envid.len;
	struct spool_message *message = mem_alloc(sizeof(*message) + texts);
	char *to = (char *)(message + 1);
	message->id = id;
	message->envelope = *envelope;
	message->envelope.reverse_path = text_copy(&to, envelope->reverse_path);
	message->envelope.login = text_copy(&to, envelope->login);
	message->envelope.client = text_copy(&to, envelope->client);
	message->envelope.helo = text_copy(&to, envelope->helo);
	message->envelope.listener = text_copy(&to, envelope->listener);
	message->envelope.envid = text_copy(&to, envelope->envid);
	atomic_init(&message->references, 1);
	return message;
}

struct spool_message *spool_message_ref(struct spool_message *message)
{
	atomic_fetch_add_explicit(&message->references, 1, memory_order_relaxed);
	return message;
}

void spool_message_unref(struct spool_message **message)
{
	struct spool_message *gone = *message;
	*message = NULL;
	if (gone == NULL ||
	    atomic_fetch_sub_explicit(&gone->references, 1, memory_order_acq_rel) != 1)
		return;
	spool_segment_unref(&gone->place.segment);
	mem_free(gone->place.path);
	mem_free(gone);
}
