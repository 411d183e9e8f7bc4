/* SPDX-License-Identifier: MIT */
#ifndef FRANK_BASE_LOG_H
#define FRANK_BASE_LOG_H

/*
 * The log sink: one line per event, key=value (logfmt) or JSON, to standard error, syslog or a
 *file. Values that contain peer bytes are escaped. Until log_start_writer() lines are written at
 *once; afterwards a thread of its own writes them, so that a slow reader of the log stalls no lane:
 *past 4 MiB of waiting lines new ones are dropped, and their number is logged when there is room
 *again.
 *
 *	struct log_line line;
 *	log_begin(&line, LOG_LEVEL_INFO, "message-accepted");
 *	log_id(&line, "message", id);
 *	log_span(&line, "from", reverse_path);
 *	log_end(&line);
 */

#include "base/fault.h"
#include "base/span.h"

enum log_level {
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_ERROR,
};

enum log_target {
	LOG_TARGET_STDERR,
	LOG_TARGET_SYSLOG,
	LOG_TARGET_FILE,
	LOG_TARGET_NONE,
};

struct log_line {
	char text[4096]; /* a longer line is cut at a value and marked */
	size_t len;
	enum log_level level;
	bool json;
	bool cut; /* further fields are left out */
};

/* Where lines go from now on. path is for LOG_TARGET_FILE. On failure the old target stays. */
bool log_open(enum log_target target, const char *path, bool json, struct fault *fault_out);
/* Reopens the file after rotation; nothing to do for other targets. */
bool log_reopen(struct fault *fault_out);
void log_start_writer(void);
/* Writes what waits, ends the writer thread and closes the target; later lines go to standard
   error. A target that takes nothing for half a second loses the rest. */
void log_close(void);

void log_begin(struct log_line *line, enum log_level level, const char *event);
void log_text(struct log_line *line, const char *key, const char *value); /* NULL: no field */
void log_span(struct log_line *line, const char *key, struct span value);
void log_number(struct log_line *line, const char *key, int64_t value);
void log_id(struct log_line *line, const char *key, uint64_t message_id);
void log_end(struct log_line *line);

/* The whole of it for events with one sentence: event and text="...". */
void log_sentence(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
