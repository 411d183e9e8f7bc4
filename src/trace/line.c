/* SPDX-License-Identifier: MIT */
#include "trace/line.h"

#include "base/escape.h"
#include "base/memory.h"

#define TEXT_MAX 8192

static char *show(struct span text)
{
	struct buf b;

	buf_init(&b, TEXT_MAX);
	if (!escape_append(&b, span_head(text, text.len < TEXT_MAX / 4 ? text.len : TEXT_MAX / 4)))
		buf_append_string(&b, "...");
	return buf_take_string(&b);
}

static void init(struct trace_line *line, const struct trace_dialogue *dialogue, bool tls_active,
    int64_t wall_ms)
{
	*line = (struct trace_line){
		.dialogue = dialogue->number,
		.role = dialogue->role,
		.tls_active = tls_active,
		.wall_ms = wall_ms,
		.message = dialogue->message,
		.peer = mem_strdup(dialogue->peer),
		.login = mem_strdup(dialogue->login),
		.hop = mem_strdup(dialogue->hop),
	};
}

void trace_line_init(struct trace_line *line, const struct trace_dialogue *dialogue,
    enum smtp_line_kind kind, struct span text, bool tls_active, int64_t wall_ms)
{
	init(line, dialogue, tls_active, wall_ms);
	line->kind = kind;
	line->sent = (kind == SMTP_LINE_KIND_REPLY) == (dialogue->role == TRACE_ROLE_SERVER);
	line->text = show(text);
}

void trace_line_init_note(struct trace_line *line, const struct trace_dialogue *dialogue,
    const char *text, bool tls_active, int64_t wall_ms)
{
	init(line, dialogue, tls_active, wall_ms);
	line->note = true;
	line->text = show(span_from_string(text));
}

void trace_line_copy(const struct trace_line *line, struct trace_line *copy_out)
{
	*copy_out = *line;
	copy_out->peer = mem_strdup(line->peer);
	copy_out->login = mem_strdup(line->login);
	copy_out->hop = mem_strdup(line->hop);
	copy_out->text = mem_strdup(line->text);
}

void trace_line_fini(struct trace_line *line)
{
	mem_free(line->peer);
	mem_free(line->login);
	mem_free(line->hop);
	mem_free(line->text);
	*line = (struct trace_line){ 0 };
}

static bool is_error_reply(const struct trace_line *line)
{
	return line->kind == SMTP_LINE_KIND_REPLY && (line->text[0] == '4' || line->text[0] == '5');
}

const char *trace_line_mark(const struct trace_line *line)
{
	if (line->note)
		return "===";
	if (line->sent)
		return line->tls_active ? " ~>" : " ->";
	if (is_error_reply(line))
		return line->tls_active ? "<~*" : "<**";
	return line->tls_active ? "<~ " : "<- ";
}
