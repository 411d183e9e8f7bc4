/* SPDX-License-Identifier: MIT */
#include "cli/send.h"

#include "base/base64.h"
#include "base/moment.h"
#include "base/random.h"
#include "message/header.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* A line with an encoded-word is at most 76 octets (RFC 2047, 2), "Subject: " with it. */
enum { PIECE = 65536, ENCODED_WORD_OCTETS = 39 };

/* ---- line ends ---- */

/* A CR at the end of the last piece may be half a CRLF: was_cr carries it over. */
static bool append_mended(struct send_message *message, struct span bytes, bool *was_cr)
{
	while (bytes.len > 0) {
		size_t end = span_find(bytes, '\n');
		struct span line = span_head(bytes, end);
		bool after_cr = line.len > 0 ? line.data[line.len - 1] == '\r' : *was_cr;
		if (!buf_append(&message->content, line))
			return false;
		*was_cr = after_cr;
		if (end == bytes.len)
			return true;
		message->line_ends_mended += !after_cr;
		if (!buf_append(&message->content, after_cr ? SPAN("\n") : SPAN("\r\n")))
			return false;
		*was_cr = false;
		bytes = span_skip(bytes, end + 1);
	}
	return true;
}

/* What the relay and the verdict want to know of the content. */
static void look_at(struct send_message *message)
{
	struct message_header header;
	message_header_init(&header);
	message_header_feed(&header, buf_span(&message->content));
	message_header_end(&header);
	message->eight_bit = header.eight_bit_header || header.eight_bit_body;
	message->has_header =
	    header.shape == MESSAGE_HEADER_PROPER || header.shape == MESSAGE_HEADER_TOO_LARGE;
}

/* ---- from a file ---- */

static bool fail(struct fault *fault_out, const char *name)
{
	fault_set(fault_out, FAULT_LOCAL, "cannot read %s: %s", name, strerror(errno));
	return false;
}

static bool read_all(
    struct send_message *message, int fd, const char *name, struct fault *fault_out)
{
	char piece[PIECE];
	bool was_cr = false;
	for (;;) {
		ssize_t n = read(fd, piece, sizeof(piece));
		if (n == 0)
			return true;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(fault_out, name);
		if (!append_mended(message, span_of(piece, (size_t)n), &was_cr)) {
			fault_set(fault_out, FAULT_LOCAL, "%s is larger than %u MiB", name,
			    SEND_MESSAGE_MAX / 1024 / 1024);
			return false;
		}
	}
}

bool send_message_read(struct send_message *message, const char *path, struct fault *fault_out)
{
	bool from_stdin = strcmp(path, "-") == 0;
	int fd = from_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return fail(fault_out, path);
	*message = (struct send_message){ 0 };
	buf_init(&message->content, SEND_MESSAGE_MAX);
	bool done = read_all(message, fd, from_stdin ? "standard input" : path, fault_out);
	if (!from_stdin)
		close(fd);
	if (done)
		look_at(message);
	else
		send_message_fini(message);
	return done;
}

/* ---- made up ---- */

static bool is_ascii(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.data[i] > 127)
			return false;
	}
	return true;
}

/* The octets of one encoded-word, which may not cut a character of UTF-8 in two. */
static size_t encoded_word_length(struct span text)
{
	size_t len = text.len < ENCODED_WORD_OCTETS ? text.len : ENCODED_WORD_OCTETS;
	size_t whole = len;
	while (whole < text.len && whole > 0 && ((unsigned char)text.data[whole] & 0xc0) == 0x80)
		whole--;
	return whole > 0 ? whole : len;
}

static void append_subject(struct buf *out, struct span subject)
{
	buf_append_string(out, "Subject: ");
	if (is_ascii(subject)) {
		buf_append(out, subject);
		subject.len = 0;
	}
	for (bool first = true; subject.len > 0; first = false) {
		struct span word = span_head(subject, encoded_word_length(subject));
		buf_append_string(out, first ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?");
		base64_encode(out, word);
		buf_append_string(out, "?=");
		subject = span_skip(subject, word.len);
	}
	buf_append_string(out, "\r\n");
}

static void append_recipients(struct buf *out, const struct span *to, size_t to_count)
{
	buf_append_string(out, "To: ");
	for (size_t i = 0; i < to_count; i++)
		buf_printf(out, "%s<%.*s>", i > 0 ? ",\r\n " : "", SPAN_ARG(to[i]));
	buf_append_string(out, "\r\n");
}

static void append_message_id(struct buf *out, const char *from)
{
	const char *at = strrchr(from, '@');
	buf_printf(out, "Message-ID: <%016llx.%llx@%s>\r\n", (unsigned long long)random_u64(),
	    (unsigned long long)moment_wall_ms(),
	    at != NULL && at[1] != '\0' ? at + 1 : "localhost");
}

void send_message_make(struct send_message *message, const char *from, const struct span *to,
    size_t to_count, const char *subject, const char *body)
{
	char date[MOMENT_TEXT_MAX];
	struct buf *out = &message->content;
	struct span text = span_from_string(body);
	bool was_cr = false;
	*message = (struct send_message){ 0 };
	buf_init(out, SEND_MESSAGE_MAX);
	buf_printf(out, "Date: %s\r\nFrom: <%s>\r\n", moment_format_rfc5322(moment_wall_ms(), date),
	    from[0] != '\0' ? from : "postmaster@localhost");
	append_recipients(out, to, to_count);
	append_message_id(out, from);
	append_subject(out, span_from_string(subject));
	if (!is_ascii(text))
		buf_append_string(out, "MIME-Version: 1.0\r\n"
				       "Content-Type: text/plain; charset=utf-8\r\n"
				       "Content-Transfer-Encoding: 8bit\r\n");
	buf_append_string(out, "\r\n");
	append_mended(message, text, &was_cr);
	if (text.len > 0 && text.data[text.len - 1] != '\n')
		buf_append_string(out, "\r\n");
	message->line_ends_mended = 0; /* those of an argument are nobody's business */
	look_at(message);
}

void send_message_fini(struct send_message *message)
{
	buf_fini(&message->content);
}
