/* SPDX-License-Identifier: MIT */
#include "cli/sink_message.h"

#include "base/escape.h"
#include "base/memory.h"

#include <jansson.h>
#include <stdio.h>

struct sink_message *sink_message_create(struct sink *sink, struct span reverse_path)
{
	struct sink_message *m = MEM_NEW(struct sink_message);
	m->id = id_next(&sink->ids, net_loop_wall_ms(&sink->loop));
	m->reverse_path = mem_dup(reverse_path.data, reverse_path.len);
	buf_init(&m->recipients, SINK_ENVELOPE_MAX);
	m->file.directory_fd = m->file.fd = -1;
	return m;
}

void sink_message_destroy(struct sink_message **m)
{
	if (*m == NULL)
		return;
	maildir_abandon(&(*m)->file);
	buf_fini(&(*m)->recipients);
	mem_free((*m)->reverse_path);
	mem_free((*m)->name);
	mem_free(*m);
	*m = NULL;
}

void sink_message_add(struct sink_message *m, struct span recipient)
{
	m->recipient_count++;
	if (m->recipients.len + recipient.len + 1 > SINK_ENVELOPE_MAX)
		return;
	buf_append(&m->recipients, recipient);
	buf_append_byte(&m->recipients, '\n');
}

bool sink_message_open(struct sink_message *m, struct sink *sink, struct fault *fault_out)
{
	m->stored = sink->settings->maildir != NULL;
	return !m->stored || maildir_open(&m->file, sink->settings->maildir, m->id,
				 sink->settings->hostname, MAILDIR_LINE_ENDS_KEPT, fault_out);
}

bool sink_message_append(struct sink_message *m, struct span content, struct fault *fault_out)
{
	m->size += content.len;
	return !m->stored || maildir_write(&m->file, content, fault_out);
}

bool sink_message_finish(struct sink_message *m, struct fault *fault_out)
{
	const char *name = NULL;
	if (m->stored && !maildir_close(&m->file, &name, fault_out))
		return false;
	m->name = mem_strdup(name);
	return true;
}

/* ---- the report ---- */

static void report_json(const struct sink_message *m, const struct sink_message_source *source)
{
	char id[ID_TEXT_SIZE];
	json_t *to = json_array();
	struct span rest = buf_span(&m->recipients), recipient;
	while (span_take_until(&rest, '\n', &recipient))
		json_array_append_new(to, json_stringn(recipient.data, recipient.len));
	json_t *object =
	    json_pack("{s:s, s:s, s:o, s:I, s:I, s:s, s:b}", "id", id_format(m->id, id), "from",
		m->reverse_path, "to", to, "recipients", (json_int_t)m->recipient_count, "size",
		(json_int_t)m->size, "client", source->client, "tls", (int)source->tls_active);
	if (source->login != NULL)
		json_object_set_new(object, "login", json_string(source->login));
	if (m->name != NULL)
		json_object_set_new(object, "file", json_string(m->name));
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
}

static void append_shown(struct buf *out, const char *key, const char *value)
{
	if (value == NULL)
		return;
	buf_printf(out, " %s=", key);
	escape_append(out, span_from_string(value));
}

static void report_text(const struct sink_message *m, const struct sink_message_source *source)
{
	char id[ID_TEXT_SIZE];
	struct buf line;
	struct span rest = buf_span(&m->recipients), recipient;
	buf_init(&line, 8 * SINK_ENVELOPE_MAX);
	buf_printf(&line, "message=%s from=<", id_format(m->id, id));
	escape_append(&line, span_from_string(m->reverse_path));
	buf_append_string(&line, "> to=");
	for (bool first = true; span_take_until(&rest, '\n', &recipient); first = false) {
		buf_append_string(&line, first ? "<" : ",<");
		escape_append(&line, recipient);
		buf_append_byte(&line, '>');
	}
	buf_printf(&line, " size=%llu client=%s tls=%s", (unsigned long long)m->size,
	    source->client, source->tls_active ? "yes" : "no");
	append_shown(&line, "login", source->login);
	append_shown(&line, "file", m->name);
	puts(buf_string(&line));
	buf_fini(&line);
}

void sink_message_report(
    struct sink_message *m, struct sink *sink, const struct sink_message_source *source)
{
	if (sink->settings->count_only)
		return;
	if (sink->settings->json)
		report_json(m, source);
	else
		report_text(m, source);
}
