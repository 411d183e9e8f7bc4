/* SPDX-License-Identifier: MIT */
#include "base/conceal.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_plain(struct span secret)
{
	for (size_t i = 0; i < secret.len; i++) {
		if (!byte_is_digit(secret.data[i]) && !byte_is_alpha(secret.data[i]))
			return false;
	}
	return secret.len >= 4 && span_find_span(SPAN("[hidden]"), secret) == strlen("[hidden]");
}

/* The secret up to the first line feed, the text behind it: what comes out has nothing of it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of((const char *)data, size), secret = { 0 }, shown;
	struct conceal c;
	struct buf out;
	bool hidden;

	if (size > 4096 || !span_take_until(&text, '\n', &secret))
		return 0;
	conceal_init(&c);
	conceal_add(&c, secret);
	buf_init(&out, 16 * 4096);
	hidden = conceal_hide(&c, text, &out);
	assert(hidden == (out.len > 0));
	shown = hidden ? buf_span(&out) : text;
	if (is_plain(secret))
		assert(span_find_span(shown, secret) == shown.len);
	conceal_fini(&c);
	buf_fini(&out);
	return 0;
}
