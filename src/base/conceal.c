/* SPDX-License-Identifier: MIT */
#include "base/conceal.h"

#include "base/base64.h"
#include "base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Any RUN octets in a row of a long form have, among their first STRIDE, one where a gram begins
   that is in the table. */
enum { RUN = 12, GRAM = 8, STRIDE = RUN - GRAM + 1, FORM_MIN = 4 };

void conceal_init(struct conceal *c)
{
	*c = (struct conceal){ 0 };
	buf_init_secret(&c->forms, CONCEAL_FORMS_MAX * 2 * CONCEAL_SECRET_MAX);
}

void conceal_fini(struct conceal *c)
{
	buf_fini(&c->forms);
	mem_free(c->grams);
	c->grams = NULL;
	c->grams_len = c->count = 0;
}

/* ---- the table ---- */

static size_t hash(const char *gram)
{
	uint64_t h = 14695981039346656037u; /* FNV-1a */

	for (size_t i = 0; i < GRAM; i++)
		h = (h ^ (unsigned char)gram[i]) * 1099511628211u;
	return (size_t)(h ^ h >> 32);
}

/* Where the gram stands in forms, plus one; or where it would be put. */
static uint32_t *find_gram(const struct conceal *c, const char *gram)
{
	size_t at = hash(gram) & (c->grams_len - 1);

	while (c->grams[at] != 0 && memcmp(c->forms.data + c->grams[at] - 1, gram, GRAM) != 0)
		at = (at + 1) & (c->grams_len - 1);
	return &c->grams[at];
}

static void put_grams(struct conceal *c, const struct conceal_form *form)
{
	for (size_t i = 0; i + GRAM <= form->len; i += STRIDE) {
		uint32_t *place = find_gram(c, c->forms.data + form->start + i);
		if (*place == 0)
			*place = (uint32_t)(form->start + i + 1);
	}
}

static void make_table(struct conceal *c)
{
	size_t len = 64;

	while (len < 2 * c->forms.len / STRIDE)
		len *= 2; /* half of it is filled at most */
	mem_free(c->grams);
	c->grams = mem_alloc_array(len, sizeof(*c->grams));
	c->grams_len = len;
	for (size_t i = 0; i < c->count; i++) {
		if (c->list[i].len >= RUN)
			put_grams(c, &c->list[i]);
	}
}

/* ---- secrets ---- */

static void add_form(struct conceal *c, struct span form)
{
	size_t start = c->forms.len;
	bool fits;

	if (form.len < FORM_MIN)
		return;
	assert(c->count < CONCEAL_FORMS_MAX);
	fits = buf_append(&c->forms, form);
	assert(fits);
	for (size_t i = start; i < c->forms.len; i++)
		c->forms.data[i] = byte_to_lower(c->forms.data[i]);
	c->list[c->count++] = (struct conceal_form){ start, form.len };
}

/* Base64 of the secret behind so many other octets: the letters that these have no part in, nor
   what may follow. */
static void add_base64(struct conceal *c, struct span secret, size_t before)
{
	struct buf bytes, text;
	size_t from = (before * 8 + 5) / 6, to = (before + secret.len) * 8 / 6;

	buf_init_secret(&bytes, secret.len + before);
	buf_init_secret(&text, 2 * CONCEAL_SECRET_MAX);
	for (size_t i = 0; i < before; i++)
		buf_append_byte(&bytes, 0);
	buf_append(&bytes, secret);
	if (base64_encode(&text, buf_span(&bytes)) && from < to)
		add_form(c, span_of(text.data + from, to - from));
	buf_fini(&bytes);
	buf_fini(&text);
}

void conceal_add(struct conceal *c, struct span secret)
{
	assert(secret.len <= CONCEAL_SECRET_MAX);
	if (secret.len < FORM_MIN)
		return;
	add_form(c, secret);
	for (size_t before = 0; before < 3; before++)
		add_base64(c, secret, before);
	make_table(c);
}

/* ---- search ---- */

/* Part of a word, as secrets and their base64 are. */
static bool is_word(char byte)
{
	return (unsigned char)byte > ' ' && !strchr("\"'<>()[]{},;", byte);
}

struct hit {
	size_t begin, end; /* in the text */
};

static const struct conceal_form *form_at(const struct conceal *c, size_t offset)
{
	size_t i = 0;

	while (offset >= c->list[i].start + c->list[i].len)
		i++;
	return &c->list[i];
}

/* The octets that text has in common with a long form around at. */
static bool find_run(const struct conceal *c, struct span text, size_t at, struct hit *hit)
{
	uint32_t place = *find_gram(c, text.data + at);
	const struct conceal_form *form;
	size_t first, last;

	if (place == 0)
		return false;
	form = form_at(c, place - 1);
	*hit = (struct hit){ at, at + GRAM };
	first = place - 1;
	last = first + GRAM;
	while (hit->begin > 0 && first > form->start &&
	       text.data[hit->begin - 1] == c->forms.data[first - 1]) {
		hit->begin--;
		first--;
	}
	while (hit->end < text.len && last < form->start + form->len &&
	       text.data[hit->end] == c->forms.data[last]) {
		hit->end++;
		last++;
	}
	return hit->end - hit->begin >= RUN;
}

static bool find_short(const struct conceal *c, struct span text, size_t at, struct hit *hit)
{
	for (size_t i = 0; i < c->count; i++) {
		struct span form = span_of(c->forms.data + c->list[i].start, c->list[i].len);
		if (form.len >= RUN || !span_starts_with(span_skip(text, at), form))
			continue;
		*hit = (struct hit){ at, at + form.len };
		return true;
	}
	return false;
}

static bool find_next(const struct conceal *c, struct span text, size_t from, struct hit *hit)
{
	for (size_t at = from; at + FORM_MIN <= text.len; at++) {
		if (find_short(c, text, at, hit) ||
		    (at + GRAM <= text.len && find_run(c, text, at, hit)))
			return true;
	}
	return false;
}

/* The whole word goes: its other letters may hold bits of the secret, or say how long it is. */
static void widen(struct span text, size_t from, struct hit *hit)
{
	while (hit->begin > from && is_word(text.data[hit->begin - 1]))
		hit->begin--;
	while (hit->end < text.len && is_word(text.data[hit->end]))
		hit->end++;
}

static bool hide(const struct conceal *c, struct span text, struct span lower, struct buf *out)
{
	struct hit hit;
	size_t from = 0;

	if (!find_next(c, lower, 0, &hit))
		return false;
	do {
		widen(text, from, &hit);
		if (hit.begin > from)
			buf_append(out, span_of(text.data + from, hit.begin - from));
		buf_append_string(out, "[hidden]");
		from = hit.end;
	} while (find_next(c, lower, from, &hit));
	buf_append(out, span_skip(text, from));
	return true;
}

bool conceal_hide(const struct conceal *c, struct span text, struct buf *out)
{
	struct buf lower;
	bool hidden;

	if (c->count == 0 || text.len < FORM_MIN)
		return false;
	buf_init_secret(&lower, text.len);
	buf_append(&lower, text);
	for (size_t i = 0; i < lower.len; i++)
		lower.data[i] = byte_to_lower(lower.data[i]);
	hidden = hide(c, text, buf_span(&lower), out);
	buf_fini(&lower);
	return hidden;
}

void conceal_hide_in(const struct conceal *c, char *text, size_t size)
{
	struct buf out;

	buf_init(&out, 4 * size);
	if (conceal_hide(c, span_from_string(text), &out))
		snprintf(text, size, "%s", buf_string(&out));
	buf_fini(&out);
}
