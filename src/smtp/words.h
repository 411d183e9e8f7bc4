/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SMTP_WORDS_H
#define FRANK_SMTP_WORDS_H

/*
 * Finds the word that somebody meant: HELO for HALO, LOGIN for LOGON. Words are short lists
 * separated by blanks; case does not matter. Distance is counted in letters that are missing,
 * added, other, or swapped with their neighbour.
 */

#include "base/span.h"

/* Longer words are near to nothing. */
#define SMTP_WORD_MAX 24

/* True when word is in the list; *found_out (may be NULL) is the list's own spelling. */
bool smtp_words_contain(struct span list, struct span word, struct span *found_out);

/* True when a word of the list is near: one slip for up to four letters, two for more, and the
   first of the nearest wins. *near_out borrows from list. */
bool smtp_words_near(struct span list, struct span word, struct span *near_out);

/* The number of slips between two words, at most limit + 1. */
unsigned smtp_words_distance(struct span a, struct span b, unsigned limit);

#endif
