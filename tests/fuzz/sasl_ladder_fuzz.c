/* SPDX-License-Identifier: MIT */
/*
 * A hostile server against the ladder: it ends, begins each mechanism at most twice, sends the
 * password to no prompt for a name, and sends nothing more after a refused secret. The input:
 * settings, what is on offer, then prompts and replies, each ended by LF; the first byte of each
 * chooses.
 */
#include "sasl/ladder.h"

#include <assert.h>
#include <string.h>

enum { ACTIONS_MAX = 64 };

static bool holds_password(struct span bytes)
{
	return span_find_span(bytes, SPAN("pass-WORD-42")) < bytes.len;
}

static const unsigned codes[] = { 200, 235, 250, 421, 432, 450, 454, 499, 500, 501, 502, 503, 504,
	530, 534, 535, 538, 550, 554, 599 };

static void check_action(const struct sasl_ladder_action *a, struct span prompt, unsigned *starts)
{
	switch (a->kind) {
	case SASL_LADDER_START:
		assert(++*starts <= 2 * SASL_MECHANISM_COUNT);
		assert(a->has_initial || a->bytes.len == 0);
		break;
	case SASL_LADDER_RESPOND:
		assert(!holds_password(a->bytes) || !sasl_prompt_asks_for_name(prompt));
		break;
	case SASL_LADDER_CANCEL:
	case SASL_LADDER_DONE:
		break;
	case SASL_LADDER_GIVE_UP:
		assert(a->trouble != SASL_TROUBLE_NONE && a->sentence[0]);
		assert(strstr(a->sentence, "pass-WORD-42") == NULL);
		for (const char *p = a->sentence; *p; p++)
			assert((unsigned char)*p >= ' ' && *p != 127);
		break;
	}
}

static void play(struct sasl_ladder *l, struct sasl_ladder_action *a, struct span rest)
{
	struct span line, none = SPAN("");
	unsigned starts = 0, actions = 0;

	check_action(a, none, &starts);
	while (a->kind != SASL_LADDER_DONE && a->kind != SASL_LADDER_GIVE_UP &&
	       span_take_until(&rest, '\n', &line)) {
		unsigned char choice = line.len ? (unsigned char)line.data[0] : 0;

		line = line.len ? span_skip(line, 1) : line;
		if (choice & 0x80) {
			sasl_ladder_challenge(l, line, a);
			check_action(a, line, &starts);
		} else {
			unsigned code = codes[choice % (sizeof(codes) / sizeof(codes[0]))];

			sasl_ladder_reply(l, code, line, a);
			check_action(a, none, &starts);
		}
		assert(++actions <= ACTIONS_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct span names[] = { { "PLAIN", 5 }, { "LOGIN", 5 }, { "NTLM", 4 },
		{ "plain", 5 } };
	struct span offered[4], only = SPAN("LOGIN");
	struct sasl_memory memory = { 0 };
	struct sasl_ladder ladder;
	struct sasl_ladder_action action;
	struct sasl_ladder_settings settings = {
		.offered = offered,
		.credentials = { SPAN("login"), SPAN("pass-WORD-42") },
	};

	/* A server that names the secret itself proves nothing. */
	if (size < 2 || holds_password(span_of(data, size)))
		return 0;
	settings.tls_active = data[0] & 1;
	settings.cleartext_allowed = data[0] & 2;
	settings.initial_response = (enum sasl_initial_response)((data[0] >> 2) % 3);
	for (int i = 0; i < SASL_MECHANISM_COUNT; i++) {
		memory.way[i] = (enum sasl_way)((data[0] >> 4) % 3);
		memory.failed[i] = data[1] & (0x10 << i);
	}
	for (size_t i = 0; i < 4; i++) {
		if (data[1] & 1u << i)
			offered[settings.offered_count++] = names[i];
	}
	settings.only = &only;
	settings.only_count = data[1] >> 7;
	sasl_ladder_begin(&ladder, &settings, &memory, &action);
	if (!settings.tls_active && !settings.cleartext_allowed)
		assert(action.kind == SASL_LADDER_GIVE_UP);
	play(&ladder, &action, span_of(data + 2, size - 2));
	sasl_ladder_fini(&ladder);
	return 0;
}
