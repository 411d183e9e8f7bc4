/* SPDX-License-Identifier: MIT */
/*
 * A hostile server against the ladder: it ends, begins each mechanism at most twice, sends the
 * password to no prompt for a name, and says yes to nobody who has not proved himself. The input:
 * settings, what is on offer, then prompts and replies, each ended by LF; the first byte of each
 * chooses.
 */
#include "sasl/ladder.h"

#include <assert.h>
#include <string.h>

enum { ACTIONS_MAX = 2 * SASL_MECHANISM_COUNT * 12 };

static bool holds_secret(struct span bytes)
{
	return span_find_span(bytes, SPAN("pass-WORD-42")) < bytes.len ||
	       span_find_span(bytes, SPAN("to-KEN-4242")) < bytes.len;
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
		assert(!holds_secret(a->bytes) || !sasl_prompt_asks_for_name(prompt));
		break;
	case SASL_LADDER_CANCEL:
		break;
	case SASL_LADDER_DONE:
		/* Nobody here knows the password. */
		assert(span_find_span(a->mechanism, SPAN("SCRAM")) == a->mechanism.len);
		break;
	case SASL_LADDER_GIVE_UP:
		assert(a->trouble != SASL_TROUBLE_NONE && a->sentence[0]);
		assert(!holds_secret(span_from_string(a->sentence)));
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

/* What decides about the way: three bytes of the input. */
static void read_settings(
    const uint8_t *data, struct sasl_ladder_settings *settings, struct sasl_memory *memory)
{
	settings->tls_active = data[0] & 1;
	settings->cleartext_allowed = data[0] & 2;
	settings->initial_response = (enum sasl_initial_response)((data[0] >> 2) % 3);
	settings->only_count = data[1] >> 7;
	for (int i = 0; i < SASL_MECHANISM_COUNT; i++) {
		memory->way[i] = (enum sasl_way)((data[0] >> 4) % 3);
		memory->failed[i] = data[1] & 1u << i % 4;
	}
	if (data[2] & 1)
		settings->credentials.password = SPAN("pass-WORD-42");
	if (data[2] & 2)
		settings->credentials.token = SPAN("to-KEN-4242");
	settings->credentials.certificate = data[2] & 4;
	if (data[2] & 8)
		settings->binding.tls_exporter = SPAN("exporter");
}

/* One bit of two bytes for each mechanism that is offered; GSSAPI asks the machine's Kerberos. */
static size_t read_offer(const uint8_t *data, struct span *offered)
{
	unsigned bits = data[3] | (unsigned)data[4] << 8;
	size_t count = 0;

	for (int i = 0; i < SASL_MECHANISM_COUNT; i++) {
		if ((bits & 1u << i) && i != SASL_MECHANISM_GSSAPI)
			offered[count++] =
			    span_from_string(sasl_mechanism_name((enum sasl_mechanism)i));
	}
	if (bits & 1u << SASL_MECHANISM_COUNT)
		offered[count++] = SPAN("SKEY");
	return count;
}

/* Millions of iterations are allowed, and only slow here. */
static bool asks_for_long_work(struct span input)
{
	size_t digits = 0;

	for (size_t i = 0; i < input.len; i++) {
		digits = byte_is_digit(input.data[i]) ? digits + 1 : 0;
		if (digits > 4)
			return true;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span offered[SASL_MECHANISM_COUNT + 1], only = SPAN("LOGIN");
	struct sasl_memory memory = { 0 };
	struct sasl_ladder ladder;
	struct sasl_ladder_action action;
	struct sasl_ladder_settings settings = {
		.offered = offered,
		.only = &only,
		.credentials = { .login = SPAN("login"), .host = SPAN("hop.example.net") },
		.random = SPAN("\0\1\2\3\4\5\6\7\0\1\2\3\4\5\6\7"),
	};

	/* A server that names the secret itself proves nothing. */
	if (size < 5 || holds_secret(span_of(data, size)) ||
	    asks_for_long_work(span_of(data + 5, size - 5)))
		return 0;
	read_settings(data, &settings, &memory);
	settings.offered_count = read_offer(data, offered);
	sasl_ladder_begin(&ladder, &settings, &memory, &action);
	if (!settings.tls_active && !settings.cleartext_allowed)
		assert(action.kind == SASL_LADDER_GIVE_UP);
	play(&ladder, &action, span_of(data + 5, size - 5));
	sasl_ladder_fini(&ladder);
	return 0;
}
