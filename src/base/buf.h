/* SPDX-License-Identifier: MIT */
#ifndef FRANK_BASE_BUF_H
#define FRANK_BASE_BUF_H

/*
 * An owned, growing run of bytes with a ceiling: there is no buffer without one. Bytes are appended
 * at the end and consumed at the front. An append that would pass the ceiling changes nothing and
 * returns false. An empty buf holds no memory until the first append, and buf_release() gives it
 * back, so that idle connections cost nothing. A secret buf wipes what it leaves behind.
 */

#include "base/span.h"

#include <stdarg.h>

struct buf {
	char *data;
	size_t start; /* offset of the first byte that is not consumed */
	size_t len;   /* bytes from start on */
	size_t capacity;
	size_t max; /* ceiling of len, in bytes */
	bool secret;
};

void buf_init(struct buf *b, size_t max);
void buf_init_secret(struct buf *b, size_t max);
void buf_fini(struct buf *b); /* leaves an empty buf with the same ceiling */

struct span buf_span(const struct buf *b); /* valid until the next change of b */

bool buf_append(struct buf *b, struct span bytes);
bool buf_append_string(struct buf *b, const char *string);
bool buf_append_byte(struct buf *b, char byte);
bool buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool buf_vprintf(struct buf *b, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

/* Room for n more bytes at the end, to be filled by the caller and made part of b with
   buf_commit(); NULL when the ceiling forbids it. */
char *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);

void buf_consume(struct buf *b, size_t n);    /* n <= b->len */
void buf_truncate(struct buf *b, size_t len); /* len <= b->len */
void buf_clear(struct buf *b);                /* keeps the memory */
void buf_release(struct buf *b);              /* gives the memory back when b is empty */

/* NUL-terminates (the NUL is not counted) and lends the bytes as a string, for what is known to
   contain none. The string lives until the next change of b. */
const char *buf_string(struct buf *b);

/* Takes the bytes out as a string on the heap; b is empty afterwards. */
char *buf_take_string(struct buf *b);

#endif
