/* SPDX-License-Identifier: MIT */
#include "smtp/words.h"

bool smtp_words_contain(struct span list, struct span word, struct span *found_out)
{
	struct span candidate;

	while (span_take_word(&list, &candidate)) {
		if (!span_equal_nocase(candidate, word))
			continue;
		if (found_out)
			*found_out = candidate;
		return true;
	}
	return false;
}

static unsigned min_of(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* A row of the table of optimal string alignment; swapped letters need the row before the last. */
struct row {
	unsigned cell[SMTP_WORD_MAX + 1];
};

static void fill_row(struct row *now, const struct row *before, const struct row *two_before,
    struct span a, struct span b, size_t i)
{
	now->cell[0] = (unsigned)i;
	for (size_t j = 1; j <= b.len; j++) {
		char x = byte_to_lower(a.data[i - 1]), y = byte_to_lower(b.data[j - 1]);
		unsigned slips = before->cell[j - 1] + (x != y);

		slips = min_of(slips, before->cell[j] + 1);
		slips = min_of(slips, now->cell[j - 1] + 1);
		if (i > 1 && j > 1 && x == byte_to_lower(b.data[j - 2]) &&
		    y == byte_to_lower(a.data[i - 2]))
			slips = min_of(slips, two_before->cell[j - 2] + 1);
		now->cell[j] = slips;
	}
}

unsigned smtp_words_distance(struct span a, struct span b, unsigned limit)
{
	struct row rows[3];

	if (a.len > SMTP_WORD_MAX || b.len > SMTP_WORD_MAX)
		return limit + 1;
	for (size_t j = 0; j <= b.len; j++)
		rows[0].cell[j] = (unsigned)j;
	for (size_t i = 1; i <= a.len; i++)
		fill_row(&rows[i % 3], &rows[(i + 2) % 3], &rows[(i + 1) % 3], a, b, i);
	return min_of(rows[a.len % 3].cell[b.len], limit + 1);
}

bool smtp_words_near(struct span list, struct span word, struct span *near_out)
{
	unsigned best = word.len <= 4 ? 1 : 2;
	bool found = false;
	struct span candidate;

	while (span_take_word(&list, &candidate)) {
		unsigned slips = smtp_words_distance(word, candidate, best);

		/* Half of a word's letters wrong is another word. */
		if (slips > best || (found && slips == best) || 2 * slips >= word.len)
			continue;
		best = slips;
		found = true;
		*near_out = candidate;
	}
	return found;
}
