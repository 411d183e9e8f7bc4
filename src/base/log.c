/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include "base/escape.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum {
	WAITING_MAX = 4 * 1024 * 1024,
	TAIL_SIZE = 16, /* of a line: the mark of a cut, the brace, the line end */
	SLOW_TARGET_MS = 500,
	GATHER_MS = 10, /* lines of this long go out as one write */
	SENTENCE_MAX = 2048,
};

/* A line in a buffer of the writer begins with one byte for its level. */
struct batch {
	char *data; /* WAITING_MAX bytes; untouched pages cost nothing */
	size_t len;
};

/* The only writable globals outside main. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t filled, idle;
	pthread_t writer;
	bool writer_runs, writer_writes;
	bool writer_sleeps; /* nothing waits: the next line must wake it */
	struct batch filling;
	uint64_t dropped;
	enum log_target target;
	int fd;
	bool is_plain_file;
	char *path;
} sink = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.filled = PTHREAD_COND_INITIALIZER,
	.idle = PTHREAD_COND_INITIALIZER,
	.fd = STDERR_FILENO,
};
static atomic_bool sink_json, writer_stops;

static const char *const level_names[] = {
	[LOG_LEVEL_DEBUG] = "debug",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_ERROR] = "error",
};

/* ---- Lines ---- */

static size_t room(const struct log_line *line)
{
	return sizeof(line->text) - TAIL_SIZE - line->len;
}

static void put(struct log_line *line, const char *bytes, size_t len)
{
	memcpy(line->text + line->len, bytes, len);
	line->len += len;
}

static void put_string(struct log_line *line, const char *string)
{
	put(line, string, strlen(string));
}

static void mark_cut(struct log_line *line)
{
	line->cut = true;
	put_string(line, line->json ? ",\"cut\":true" : " cut=yes");
}

/* False when there is no room for the key and a value of a few bytes. */
static bool put_key(struct log_line *line, const char *key)
{
	size_t key_len = strlen(key);

	if (line->cut)
		return false;
	if (key_len + 16 > room(line)) {
		mark_cut(line);
		return false;
	}
	if (line->json)
		put_string(line, line->len ? ",\"" : "{\"");
	else if (line->len)
		put(line, " ", 1);
	put(line, key, key_len);
	put_string(line, line->json ? "\":" : "=");
	return true;
}

/* Every value that the escaping changes, or that a reader would split, stands in quotes. */
static bool needs_quotes(struct span value)
{
	if (value.len == 0)
		return true;
	for (size_t i = 0; i < value.len; i++) {
		char c = value.data[i];

		if (c <= ' ' || c > '~' || c == '"' || c == '=' || c == '\\')
			return true;
	}
	return false;
}

/* What the escaping gives, with quotes and (for JSON, where it is a string like any other) its own
   backslashes escaped once more. In logfmt the backslashes of the first escaping serve both. */
static size_t take_quoted(const struct log_line *line, struct span *value, char out[8])
{
	char character[ESCAPE_CHARACTER_MAX];
	size_t n = escape_take(value, character), len = 0;

	for (size_t i = 0; i < n; i++) {
		if (character[i] == '"' || (character[i] == '\\' && line->json))
			out[len++] = '\\';
		out[len++] = character[i];
	}
	return len;
}

static void put_quoted(struct log_line *line, struct span value)
{
	char character[8];
	bool fits = true;
	size_t cut;

	put(line, "\"", 1);
	cut = line->len;
	while (value.len && fits) {
		size_t n = take_quoted(line, &value, character);

		fits = n + 1 <= room(line);
		if (fits)
			put(line, character, n);
		if (room(line) >= 4)
			cut = line->len;
	}
	if (!fits) {
		line->len = cut;
		put(line, "...", 3);
	}
	put(line, "\"", 1);
	if (!fits)
		mark_cut(line);
}

static void put_value(struct log_line *line, struct span value)
{
	if (line->json || needs_quotes(value) || value.len > room(line))
		put_quoted(line, value);
	else
		put(line, value.data, value.len);
}

void log_begin(struct log_line *line, enum log_level level, const char *event)
{
	char time[MOMENT_TEXT_MAX];

	line->len = 0;
	line->cut = false;
	line->level = level;
	line->json = atomic_load_explicit(&sink_json, memory_order_relaxed);
	log_text(line, "time", moment_format_rfc3339_ms(moment_wall_ms(), time));
	log_text(line, "level", level_names[level]);
	log_text(line, "event", event);
}

void log_text(struct log_line *line, const char *key, const char *value)
{
	if (value)
		log_span(line, key, span_from_string(value));
}

void log_span(struct log_line *line, const char *key, struct span value)
{
	if (put_key(line, key))
		put_value(line, value);
}

void log_number(struct log_line *line, const char *key, int64_t value)
{
	char text[24];

	if (!put_key(line, key))
		return;
	snprintf(text, sizeof(text), "%lld", (long long)value);
	if (strlen(text) <= room(line))
		put_string(line, text);
	else
		put_string(line, "0"), mark_cut(line);
}

void log_id(struct log_line *line, const char *key, uint64_t message_id)
{
	char text[ID_TEXT_SIZE];

	log_text(line, key, id_format(message_id, text));
}

/* ---- Targets; called with the lock held, or by the writer alone ---- */

/* False when the process wants to end and the target has taken nothing for a while. */
static bool wait_writable(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

	for (;;) {
		int n = poll(&poll_fd, 1, SLOW_TARGET_MS);

		if (n > 0)
			return true;
		if (n == 0 && atomic_load(&writer_stops))
			return false;
	}
}

/* What is not a plain file gets pieces that a pipe which is ready takes without blocking: a reader
   that has stopped must not hold a process that wants to end. */
static void write_all(int fd, const char *data, size_t len)
{
	while (len) {
		size_t piece = sink.is_plain_file || len < PIPE_BUF ? len : PIPE_BUF;
		ssize_t n;

		if (!sink.is_plain_file && !wait_writable(fd))
			return;
		n = write(fd, data, piece);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
}

static void write_syslog(char level, const char *data, size_t len)
{
	static const int priorities[] = {
		[LOG_LEVEL_DEBUG] = LOG_DEBUG,
		[LOG_LEVEL_INFO] = LOG_INFO,
		[LOG_LEVEL_WARNING] = LOG_WARNING,
		[LOG_LEVEL_ERROR] = LOG_ERR,
	};

	syslog(LOG_MAIL | priorities[(unsigned char)level], "%.*s", (int)len - 1, data);
}

static void write_line(const char *data, size_t len, char level)
{
	if (sink.target == LOG_TARGET_SYSLOG)
		write_syslog(level, data, len);
	else if (sink.target != LOG_TARGET_NONE)
		write_all(sink.fd, data, len);
}

/* Takes the level bytes out, so that a file gets the batch as one write. */
static void write_batch(struct batch *batch)
{
	struct span rest = span_of(batch->data, batch->len);
	size_t packed = 0;

	while (rest.len) {
		char level = rest.data[0];
		size_t len = span_find(rest, '\n');

		if (sink.target == LOG_TARGET_SYSLOG) {
			write_syslog(level, rest.data + 1, len);
		} else {
			memmove(batch->data + packed, rest.data + 1, len);
			packed += len;
		}
		rest = span_skip(rest, len + 1);
	}
	if (packed)
		write_line(batch->data, packed, LOG_LEVEL_INFO);
	batch->len = 0;
}

/* ---- The writer ---- */

static void finish_line(struct log_line *line)
{
	put_string(line, line->json ? "}\n" : "\n");
}

static bool enqueue(const struct log_line *line)
{
	struct batch *batch = &sink.filling;

	if (line->len + 1 > WAITING_MAX - batch->len)
		return false;
	batch->data[batch->len++] = (char)line->level;
	memcpy(batch->data + batch->len, line->text, line->len);
	batch->len += line->len;
	return true;
}

static void enqueue_dropped(void)
{
	struct log_line line;

	if (!sink.dropped)
		return;
	log_begin(&line, LOG_LEVEL_WARNING, "log-lines-dropped");
	log_number(&line, "count", (int64_t)sink.dropped);
	finish_line(&line);
	enqueue(&line);
	sink.dropped = 0;
}

/* Until there is something to write, and then a little longer, so that a busy relay does not pay a
   wake-up and a write for each line. With the lock held. */
static void wait_for_lines(void)
{
	struct timespec until;

	while (!sink.filling.len && !atomic_load(&writer_stops)) {
		sink.writer_sleeps = true;
		pthread_cond_wait(&sink.filled, &sink.lock);
	}
	sink.writer_sleeps = false;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += GATHER_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	while (!atomic_load(&writer_stops) && sink.filling.len < WAITING_MAX / 4)
		if (pthread_cond_timedwait(&sink.filled, &sink.lock, &until) != 0)
			break;
}

static void *writer_run(void *unused)
{
	struct batch mine = { .data = mem_alloc(WAITING_MAX) }, taken;

	pthread_mutex_lock(&sink.lock);
	for (;;) {
		wait_for_lines();
		if (!sink.filling.len)
			break;
		taken = sink.filling;
		sink.filling = mine;
		mine = taken;
		enqueue_dropped();
		sink.writer_writes = true;
		pthread_mutex_unlock(&sink.lock);
		write_batch(&mine);
		pthread_mutex_lock(&sink.lock);
		sink.writer_writes = false;
		pthread_cond_broadcast(&sink.idle);
	}
	pthread_mutex_unlock(&sink.lock);
	mem_free(mine.data);
	return NULL;
}

void log_start_writer(void)
{
	sigset_t all, before;

	assert(!sink.writer_runs);
	sink.filling.data = mem_alloc(WAITING_MAX);
	sink.filling.len = 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	sink.writer_runs = pthread_create(&sink.writer, NULL, writer_run, NULL) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!sink.writer_runs) { /* lines are written at once, as before */
		mem_free(sink.filling.data);
		sink.filling.data = NULL;
	}
}

static void stop_writer(void)
{
	if (!sink.writer_runs)
		return;
	pthread_mutex_lock(&sink.lock);
	atomic_store(&writer_stops, true);
	pthread_cond_signal(&sink.filled);
	pthread_mutex_unlock(&sink.lock);
	pthread_join(sink.writer, NULL);
	pthread_mutex_lock(&sink.lock);
	write_batch(&sink.filling); /* what came after its last look */
	atomic_store(&writer_stops, false);
	sink.writer_runs = false;
	mem_free(sink.filling.data);
	sink.filling = (struct batch){ 0 };
	pthread_mutex_unlock(&sink.lock);
}

void log_end(struct log_line *line)
{
	finish_line(line);
	pthread_mutex_lock(&sink.lock);
	if (sink.writer_runs) {
		if (!enqueue(line))
			sink.dropped++;
		else if (sink.writer_sleeps || sink.filling.len > WAITING_MAX / 4)
			pthread_cond_signal(&sink.filled);
	} else {
		write_line(line->text, line->len, (char)line->level);
	}
	pthread_mutex_unlock(&sink.lock);
}

void log_sentence(enum log_level level, const char *event, const char *format, ...)
{
	struct log_line line;
	char text[SENTENCE_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	log_begin(&line, level, event);
	log_text(&line, "text", text);
	log_end(&line);
}

/* ---- Opening and closing ---- */

static int open_file(const char *path, struct fault *fault_out)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);

	if (fd < 0)
		fault_set(fault_out, FAULT_LOCAL, "the log file %s cannot be opened: %s", path,
		    strerror(errno));
	return fd;
}

static bool is_plain_file(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

/* Closes the target; the lock is held and nothing waits. */
static void close_target(void)
{
	if (sink.target == LOG_TARGET_FILE)
		close(sink.fd);
	if (sink.target == LOG_TARGET_SYSLOG)
		closelog();
	mem_free(sink.path);
	sink.path = NULL;
	sink.fd = STDERR_FILENO;
	sink.is_plain_file = false;
	sink.target = LOG_TARGET_STDERR;
}

bool log_open(enum log_target target, const char *path, bool json, struct fault *fault_out)
{
	int fd = STDERR_FILENO;

	if (target == LOG_TARGET_FILE) {
		fd = open_file(path, fault_out);
		if (fd < 0)
			return false;
	}
	pthread_mutex_lock(&sink.lock);
	while (sink.writer_runs && (sink.filling.len || sink.writer_writes))
		pthread_cond_wait(&sink.idle, &sink.lock);
	close_target();
	if (target == LOG_TARGET_SYSLOG)
		openlog("frank", LOG_PID | LOG_NDELAY, LOG_MAIL);
	sink.target = target;
	sink.fd = fd;
	sink.is_plain_file = is_plain_file(fd);
	sink.path = target == LOG_TARGET_FILE ? mem_strdup(path) : NULL;
	atomic_store(&sink_json, json);
	pthread_mutex_unlock(&sink.lock);
	return true;
}

/* The new file takes the number of the old one: a write under way needs no lock. */
bool log_reopen(struct fault *fault_out)
{
	bool reopened = true;
	int fd;

	pthread_mutex_lock(&sink.lock);
	if (sink.target == LOG_TARGET_FILE) {
		fd = open_file(sink.path, fault_out);
		reopened = fd >= 0;
		if (reopened) {
			dup3(fd, sink.fd, O_CLOEXEC);
			close(fd);
		}
	}
	pthread_mutex_unlock(&sink.lock);
	return reopened;
}

void log_close(void)
{
	stop_writer();
	pthread_mutex_lock(&sink.lock);
	close_target();
	atomic_store(&sink_json, false);
	pthread_mutex_unlock(&sink.lock);
}
