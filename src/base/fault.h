/* SPDX-License-Identifier: MIT */
#ifndef FRANK_BASE_FAULT_H
#define FRANK_BASE_FAULT_H

/*
 * A failure to explain. Whoever detects it decides its kind and writes the sentence: what, where,
 * what to do. Nobody guesses again from the text. Library code never logs: whoever stops the
 * propagation logs once. A function that can fail returns bool, takes a struct fault * last, and
 * leaves its outputs untouched on failure.
 */

#include <stdarg.h>

enum fault_kind {
	FAULT_NONE,
	FAULT_TEMPORARY, /* 4yz, the message stays queued */
	FAULT_PERMANENT, /* 5yz, the message bounces */
	FAULT_LOCAL,     /* 4yz, and the operator is told */
};

struct fault {
	enum fault_kind kind;
	char text[512]; /* one line, no line end; longer text is cut */
};

void fault_set(struct fault *f, enum fault_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts a context before the text: "context: text". */
void fault_prefix(struct fault *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
