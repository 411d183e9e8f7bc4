/* SPDX-License-Identifier: MIT */
#ifndef FRANK_BASE_CONCEAL_H
#define FRANK_BASE_CONCEAL_H

/*
 * What a peer says after it was told a secret: a server may repeat the line that it did not like,
 * whole or cut, as it came or decoded. Words in which a secret stands are replaced by "[hidden]".
 *
 * A secret is found as it is, and as base64 wherever it stood in what was encoded; upper and lower
 * case are one. Of a form with 12 octets or more any 12 in a row are enough, a shorter one must be
 * there as a whole. A secret of less than 4 octets is not looked for: it stands in too many words,
 * and would show itself by those that are missing.
 *
 * The search takes a time that grows with the text alone, however long the secrets are.
 */

#include "base/buf.h"

#define CONCEAL_SECRET_MAX 16384 /* octets */
#define CONCEAL_FORMS_MAX 16     /* four a secret */

struct conceal {
	struct buf forms; /* secret: in lower case, one behind the other */
	struct conceal_form {
		size_t start, len;
	} list[CONCEAL_FORMS_MAX];
	size_t count;
	uint32_t *grams; /* hash table of octets of long forms: where they stand, plus one */
	size_t grams_len;
};

void conceal_init(struct conceal *c);
void conceal_fini(struct conceal *c); /* wipes; nothing is hidden any more */

/* At most CONCEAL_FORMS_MAX / 4 secrets. An empty one is none. */
void conceal_add(struct conceal *c, struct span secret);

/* True, and text is appended to out, when something of it is hidden there. False: out is unchanged.
 */
bool conceal_hide(const struct conceal *c, struct span text, struct buf *out);
/* The same in place. The text ends with a NUL and is cut at size. */
void conceal_hide_in(const struct conceal *c, char *text, size_t size);

#endif
