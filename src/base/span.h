/* SPDX-License-Identifier: MIT */
#ifndef FRANK_BASE_SPAN_H
#define FRANK_BASE_SPAN_H

/*
 * A borrowed run of bytes: pointer and length. Wire and spool bytes are spans, and a NUL is a byte
 * like any other. A span never owns; what it borrows from must outlive it. Comparisons that ignore
 * case know ASCII only: no locale takes part.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
	const char *data;
	size_t len;
};

/* A span of a string literal, without its NUL. */
#define SPAN(literal) ((struct span){ "" literal, sizeof(literal) - 1 })

/* For printf: "%.*s", SPAN_ARG(s). Only for bytes that are known to be printable. */
#define SPAN_ARG(s) (int)(s).len, (s).data

struct span span_of(const void *data, size_t len);
struct span span_from_string(const char *string); /* NULL gives the empty span */

bool span_equal(struct span a, struct span b);
bool span_equal_nocase(struct span a, struct span b);
bool span_starts_with(struct span s, struct span prefix);
bool span_starts_with_nocase(struct span s, struct span prefix);
bool span_ends_with_nocase(struct span s, struct span suffix);

/* Equality in time that depends on the lengths only: for secrets and digests. */
bool span_equal_secret(struct span a, struct span b);

/* Index of the first such byte, or s.len. */
size_t span_find(struct span s, char byte);
/* Index of the first occurrence, or s.len. An empty needle is found at 0. */
size_t span_find_span(struct span s, struct span needle);

/* s without its first n bytes, and the first n bytes of s; n must not exceed s.len. */
struct span span_skip(struct span s, size_t n);
struct span span_head(struct span s, size_t n);

/* s without blanks (SP, HTAB) at both ends. */
struct span span_trim(struct span s);

/* Takes the bytes up to the separator off *s, and the separator with them. Returns false, and
   leaves both arguments alone, when *s is empty; the last piece needs no separator. */
bool span_take_until(struct span *s, char separator, struct span *piece_out);

/* Takes a run of non-blanks off *s, with the blanks before it. False when there is none. */
bool span_take_word(struct span *s, struct span *word_out);

/* Decimal digits only, no sign, no blanks. False on anything else and on overflow. */
bool span_to_u64(struct span s, uint64_t *value_out);

/* A NUL-terminated copy on the heap, for OS calls. NULL when s contains a NUL. Free with
 * mem_free(). */
char *span_to_string(struct span s);

/* ASCII classes; the C library's depend on the locale. */
bool byte_is_digit(char c);
bool byte_is_alpha(char c);
char byte_to_lower(char c);

#endif
