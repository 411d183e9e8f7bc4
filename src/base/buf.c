/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include "base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { CAPACITY_MIN = 64 };

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_init_secret(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max, .secret = true };
}

static void free_data(struct buf *b)
{
	if (b->secret)
		mem_wipe(b->data, b->capacity);
	mem_free(b->data);
	b->data = NULL;
	b->capacity = 0;
}

void buf_fini(struct buf *b)
{
	free_data(b);
	b->start = b->len = 0;
}

struct span buf_span(const struct buf *b)
{
	return span_of(b->data ? b->data + b->start : "", b->len);
}

/* The largest capacity: the ceiling and the NUL of buf_string(). */
static size_t capacity_max(const struct buf *b)
{
	return b->max < SIZE_MAX ? b->max + 1 : b->max;
}

static void move_to_front(struct buf *b)
{
	memmove(b->data, b->data + b->start, b->len);
	if (b->secret)
		mem_wipe(b->data + b->len, b->start);
	b->start = 0;
}

static void grow(struct buf *b, size_t need)
{
	size_t capacity = b->capacity < CAPACITY_MIN / 2 ? CAPACITY_MIN : b->capacity;
	size_t len = b->len;
	char *data;

	capacity = capacity <= SIZE_MAX / 2 && b->capacity ? capacity * 2 : capacity;
	if (capacity < need)
		capacity = need;
	if (capacity > capacity_max(b))
		capacity = capacity_max(b);
	if (!b->secret && b->start == 0) {
		b->data = mem_realloc(b->data, capacity);
	} else {
		data = mem_realloc(NULL, capacity);
		if (len > 0) /* NULL is no source, not even of nothing */
			memcpy(data, b->data + b->start, len);
		free_data(b);
		b->data = data;
		b->start = 0;
	}
	b->capacity = capacity;
}

/* Makes room for n bytes behind the last one; len + n does not exceed capacity_max(). Moving bytes
   to the front waits until a quarter of the memory is consumed, so that its cost stays linear. */
static void make_room(struct buf *b, size_t n)
{
	size_t need = b->len + n;

	if (need <= b->capacity && b->start <= b->capacity - need)
		return;
	if (need <= b->capacity && (b->start >= b->capacity / 4 || b->capacity >= capacity_max(b)))
		move_to_front(b);
	else
		grow(b, need);
}

char *buf_reserve(struct buf *b, size_t n)
{
	if (n > b->max - b->len)
		return NULL;
	make_room(b, n ? n : 1);
	return b->data + b->start + b->len;
}

void buf_commit(struct buf *b, size_t n)
{
	assert(n <= b->max - b->len && n <= b->capacity - b->start - b->len);
	b->len += n;
}

bool buf_append(struct buf *b, struct span bytes)
{
	char *room;

	if (bytes.len == 0)
		return true;
	room = buf_reserve(b, bytes.len);
	if (!room)
		return false;
	memcpy(room, bytes.data, bytes.len);
	b->len += bytes.len;
	return true;
}

bool buf_append_string(struct buf *b, const char *string)
{
	return buf_append(b, span_from_string(string));
}

bool buf_append_byte(struct buf *b, char byte)
{
	return buf_append(b, span_of(&byte, 1));
}

bool buf_printf(struct buf *b, const char *format, ...)
{
	va_list arguments;
	bool fits;

	va_start(arguments, format);
	fits = buf_vprintf(b, format, arguments);
	va_end(arguments);
	return fits;
}

bool buf_vprintf(struct buf *b, const char *format, va_list arguments)
{
	va_list again;
	int n;

	va_copy(again, arguments);
	n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	assert(n >= 0);
	if ((size_t)n > b->max - b->len)
		return false;
	make_room(b, (size_t)n + 1);
	vsnprintf(b->data + b->start + b->len, (size_t)n + 1, format, arguments);
	b->len += (size_t)n;
	return true;
}

void buf_consume(struct buf *b, size_t n)
{
	assert(n <= b->len);
	if (b->secret && n)
		mem_wipe(b->data + b->start, n);
	b->len -= n;
	b->start = b->len ? b->start + n : 0;
}

void buf_truncate(struct buf *b, size_t len)
{
	assert(len <= b->len);
	if (b->secret && b->len > len)
		mem_wipe(b->data + b->start + len, b->len - len);
	b->len = len;
	if (len == 0)
		b->start = 0;
}

void buf_clear(struct buf *b)
{
	buf_truncate(b, 0);
}

void buf_release(struct buf *b)
{
	if (b->len == 0)
		buf_fini(b);
}

const char *buf_string(struct buf *b)
{
	make_room(b, 1);
	b->data[b->start + b->len] = '\0';
	return b->data + b->start;
}

char *buf_take_string(struct buf *b)
{
	char *data;

	buf_string(b);
	memmove(b->data, b->data + b->start, b->len + 1);
	data = b->data;
	b->data = NULL;
	b->start = b->len = b->capacity = 0;
	return data;
}
