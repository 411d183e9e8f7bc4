/* SPDX-License-Identifier: MIT */
#include "base/log.h"
#include "base/buf.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static char directory[] = "/tmp/frank-log-XXXXXX";
static char path[64], rotated[64];

static int make_directory(void **state)
{
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/log", directory);
	snprintf(rotated, sizeof(rotated), "%s/log.1", directory);
	return 0;
}

static int remove_directory(void **state)
{
	unlink(path);
	unlink(rotated);
	return rmdir(directory);
}

static int fresh(void **state)
{
	unlink(path);
	unlink(rotated);
	return 0;
}

static void open_log(bool json)
{
	struct fault fault;

	assert_true(log_open(LOG_TARGET_FILE, path, json, &fault));
}

static char *contents(const char *of)
{
	FILE *file = fopen(of, "r");
	char *text;
	long size;

	assert_non_null(file);
	fseek(file, 0, SEEK_END);
	size = ftell(file);
	rewind(file);
	text = mem_alloc((size_t)size + 1);
	assert_int_equal(fread(text, 1, (size_t)size, file), size);
	fclose(file);
	return text;
}

/* A line without its time, which every line begins with. */
static char *single_line(const char *begin)
{
	char *text = contents(path), *line = NULL;
	size_t begin_len = strlen(begin);

	assert_memory_equal(text, begin, begin_len);
	line = mem_strdup(text + begin_len + strlen("2026-11-21T03:24:31.007Z"));
	assert_int_equal(line[strlen(line) - 1], '\n');
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	mem_free(text);
	return line;
}

static void log_one(void)
{
	struct log_line line;

	log_begin(&line, LOG_LEVEL_INFO, "message-accepted");
	log_id(&line, "message", 31);
	log_text(&line, "absent", NULL);
	log_text(&line, "empty", "");
	log_text(&line, "plain", "a@b<c>;x/y");
	log_span(&line, "peer", SPAN("a \"b\"=\\\r\n\x1b\xff\xc3\xbc"));
	log_text(&line, "pair", "a=b");
	log_number(&line, "size", -5);
	log_end(&line);
}

static void values_are_quoted_when_they_need_it(void **state)
{
	char *line;

	open_log(false);
	log_one();
	log_close();
	line = single_line("time=");
	assert_string_equal(line,
	    " level=info event=message-accepted message=000000000000z "
	    "empty=\"\" plain=a@b<c>;x/y "
	    "peer=\"a \\\"b\\\"=\\\\\\r\\n\\x1b\\xff\xc3\xbc\" pair=\"a=b\" size=-5\n");
	mem_free(line);
}

static void json_is_one_object_a_line(void **state)
{
	json_t *object;
	char *text;

	open_log(true);
	log_one();
	log_close();
	text = contents(path);
	assert_int_equal(strchr(text, '\n')[1], '\0');
	object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(object);
	assert_string_equal(
	    json_string_value(json_object_get(object, "event")), "message-accepted");
	assert_string_equal(json_string_value(json_object_get(object, "peer")),
	    "a \"b\"=\\\\\\r\\n\\x1b\\xff\xc3\xbc");
	assert_int_equal(json_integer_value(json_object_get(object, "size")), -5);
	assert_null(json_object_get(object, "absent"));
	json_decref(object);
	mem_free(text);
}

static void write_long(size_t value_len, char fill)
{
	char *value = mem_alloc(value_len);
	struct log_line line;

	memset(value, fill, value_len);
	log_begin(&line, LOG_LEVEL_WARNING, "x");
	log_span(&line, "long", span_of(value, value_len));
	log_number(&line, "behind", 7);
	log_text(&line, "last", "z");
	log_end(&line);
	mem_free(value);
}

/* Around the limit, whatever the values are, the line stays whole and is marked when it is cut. */
static void a_longer_line_is_cut_at_a_value_and_marked(void **state)
{
	static const char fills[] = { 'a', '"', '\\', '\1', ' ' };

	for (size_t i = 0; i < sizeof(fills) * 2; i++) {
		for (size_t len = 640; len < 4200; len += len < 3900 ? 131 : 1) {
			json_t *object;
			char *text;
			bool cut;

			unlink(path);
			open_log(i % 2);
			write_long(len, fills[i / 2]);
			log_close();
			text = contents(path);
			assert_true(strlen(text) <= 4096);
			assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
			cut = strstr(text, i % 2 ? ",\"cut\":true}\n" : " cut=yes\n");
			assert_int_equal(
			    cut, !strstr(text, i % 2 ? ",\"last\":\"z\"}\n" : " last=z\n"));
			object = i % 2 ? json_loads(text, 0, NULL) : NULL;
			assert_true(object || i % 2 == 0);
			json_decref(object);
			mem_free(text);
		}
	}
}

static void a_last_value_that_is_cut_is_marked_too(void **state)
{
	static const char end[] = "aaa...\" cut=yes\n";
	char value[5000], *text;
	struct log_line line;

	memset(value, 'a', sizeof(value));
	open_log(false);
	log_begin(&line, LOG_LEVEL_INFO, "x");
	log_span(&line, "long", span_of(value, sizeof(value)));
	log_end(&line);
	log_close();
	text = contents(path);
	assert_true(strlen(text) > sizeof(end));
	assert_string_equal(text + strlen(text) - strlen(end), end);
	mem_free(text);
}

static void a_sentence_is_one_event(void **state)
{
	char *line;

	open_log(false);
	log_sentence(LOG_LEVEL_ERROR, "spool-trouble", "no room on %s", "/var");
	log_close();
	line = single_line("time=");
	assert_string_equal(line, " level=error event=spool-trouble text=\"no room on /var\"\n");
	mem_free(line);
}

static void a_target_that_cannot_be_opened_leaves_the_old_one(void **state)
{
	struct fault fault;
	char *text;

	open_log(false);
	assert_false(log_open(LOG_TARGET_FILE, "/nonexistent/log", true, &fault));
	assert_int_equal(fault.kind, FAULT_LOCAL);
	assert_non_null(strstr(fault.text, "/nonexistent/log"));
	log_sentence(LOG_LEVEL_INFO, "still", "here");
	log_close();
	text = contents(path);
	assert_non_null(strstr(text, "event=still text=here\n"));
	mem_free(text);
}

static void after_rotation_lines_go_to_the_new_file(void **state)
{
	struct fault fault;
	char *text;

	for (int with_writer = 0; with_writer < 2; with_writer++) {
		fresh(state);
		open_log(false);
		log_sentence(LOG_LEVEL_INFO, "first", "x");
		if (with_writer)
			log_start_writer();
		assert_int_equal(rename(path, rotated), 0);
		assert_true(log_reopen(&fault));
		log_sentence(LOG_LEVEL_INFO, "second", "x");
		log_close();
		text = contents(rotated);
		assert_non_null(strstr(text, "event=first"));
		assert_null(strstr(text, "event=second"));
		mem_free(text);
		text = contents(path);
		assert_non_null(strstr(text, "event=second"));
		mem_free(text);
	}
}

enum { THREADS = 3, LINES = 3000 };

static void *log_many(void *number)
{
	for (int i = 0; i < LINES; i++) {
		struct log_line line;

		log_begin(&line, LOG_LEVEL_INFO, "many");
		log_number(&line, "thread", *(int *)number);
		log_number(&line, "i", i);
		log_end(&line);
	}
	return NULL;
}

static void the_writer_loses_nothing_and_keeps_the_order(void **state)
{
	int numbers[THREADS], next[THREADS] = { 0 };
	pthread_t threads[THREADS];
	struct span rest, line;
	char *text;

	open_log(false);
	log_start_writer();
	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		pthread_create(&threads[i], NULL, log_many, &numbers[i]);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	log_close();
	text = contents(path);
	rest = span_from_string(text);
	while (span_take_until(&rest, '\n', &line)) {
		const char *at = memmem(line.data, line.len, "thread=", 7);
		int thread, i;

		assert_non_null(at);
		assert_int_equal(sscanf(at, "thread=%d i=%d", &thread, &i), 2);
		assert_int_equal(i, next[thread]++);
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(next[i], LINES);
	mem_free(text);
}

/* ---- A reader that stops: a named pipe nobody reads from for a while ---- */

static void *read_all(void *context)
{
	static char piece[65536];
	struct buf *all = context;
	int fd = open(path, O_RDONLY);
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) > 0)
		buf_append(all, span_of(piece, (size_t)n));
	close(fd);
	return NULL;
}

static void a_slow_reader_stalls_nobody_and_losses_are_counted(void **state)
{
	long sent = 4000, lost = 0, found = 0;
	struct span rest, line;
	struct fault fault;
	pthread_t reader;
	struct buf all;
	int hold;

	buf_init(&all, 64 << 20);
	assert_int_equal(mkfifo(path, 0600), 0);
	hold = open(path, O_RDWR | O_CLOEXEC);
	assert_true(log_open(LOG_TARGET_FILE, path, false, &fault));
	log_start_writer();
	for (long i = 0; i < sent; i++)
		write_long(3900, 'a');
	pthread_create(&reader, NULL, read_all, &all);
	/* The first lines after the reader woke up bring the count along. */
	log_close();
	close(hold);
	pthread_join(reader, NULL);
	rest = buf_span(&all);
	while (span_take_until(&rest, '\n', &line)) {
		const char *at = memmem(line.data, line.len, "event=log-lines-dropped count=", 30);

		if (at)
			lost += strtol(at + 30, NULL, 10);
		else
			found++;
	}
	assert_true(lost > 0);
	assert_int_equal(found + lost, sent);
	buf_fini(&all);
}

static void a_reader_that_never_reads_holds_nobody(void **state)
{
	struct fault fault;
	int hold;

	assert_int_equal(mkfifo(path, 0600), 0);
	hold = open(path, O_RDWR | O_CLOEXEC);
	assert_true(log_open(LOG_TARGET_FILE, path, false, &fault));
	log_start_writer();
	for (int i = 0; i < 100; i++)
		write_long(3900, 'a');
	log_close();
	close(hold);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(values_are_quoted_when_they_need_it, fresh),
		cmocka_unit_test_setup(json_is_one_object_a_line, fresh),
		cmocka_unit_test_setup(a_longer_line_is_cut_at_a_value_and_marked, fresh),
		cmocka_unit_test_setup(a_last_value_that_is_cut_is_marked_too, fresh),
		cmocka_unit_test_setup(a_sentence_is_one_event, fresh),
		cmocka_unit_test_setup(a_target_that_cannot_be_opened_leaves_the_old_one, fresh),
		cmocka_unit_test_setup(after_rotation_lines_go_to_the_new_file, fresh),
		cmocka_unit_test_setup(the_writer_loses_nothing_and_keeps_the_order, fresh),
		cmocka_unit_test_setup(a_slow_reader_stalls_nobody_and_losses_are_counted, fresh),
		cmocka_unit_test_setup(a_reader_that_never_reads_holds_nobody, fresh),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
