/* SPDX-License-Identifier: MIT */
#include "net/https.h"

#include "base/memory.h"
#include "net/privilege.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

/* What a real server says is for the system tests; here is what none says. */

struct asked {
	struct net_loop loop;
	struct https_client *client;
	unsigned calls;
	struct fault fault;
	bool answered;
};

static void done(const struct https_answer *answer, const struct fault *fault, void *owner)
{
	struct asked *asked = owner;

	asked->calls++;
	asked->answered = answer != NULL;
	assert_true((answer == NULL) == (fault != NULL));
	if (fault)
		asked->fault = *fault;
	net_loop_stop(&asked->loop);
}

static void open_client(struct asked *asked)
{
	struct fault fault;

	memset(asked, 0, sizeof(*asked));
	assert_true(net_loop_init(&asked->loop, NULL, NULL, asked, &fault));
	asked->client = https_client_create(&asked->loop, &fault);
	assert_non_null(asked->client);
}

static void close_client(struct asked *asked)
{
	https_client_destroy(&asked->client);
	net_loop_fini(&asked->loop);
}

static void ask(struct asked *asked, const char *url, int64_t timeout_ms)
{
	struct https_question question = {
		.url = url, .form = SPAN("a=b"), .timeout_ms = timeout_ms
	};

	https_start(asked->client, &question, done, asked);
	net_loop_run(&asked->loop);
	assert_int_equal(asked->calls, 1);
	assert_false(asked->answered);
}

/* A port that takes connections, and says nothing. */
static uint16_t listen_somewhere(int *fd_out)
{
	struct net_address address;
	struct sockaddr_storage bound;
	socklen_t len = sizeof(bound);
	struct fault fault;

	assert_true(net_address_parse(SPAN("127.0.0.1"), 0, &address));
	assert_true(privilege_listen(&address, 1, fd_out, &fault));
	assert_int_equal(getsockname(*fd_out, (struct sockaddr *)&bound, &len), 0);
	net_address_set(&address, (struct sockaddr *)&bound, len);
	return net_address_port(&address);
}

static void only_https_is_spoken(void **state)
{
	static const char *const urls[] = { "http://127.0.0.1/", "ftp://127.0.0.1/", "127.0.0.1",
		"", "https://", "https://user:secret@127.0.0.1/", "https://user@127.0.0.1/",
		"file:///etc/passwd", "https:/127.0.0.1" };

	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct asked asked;
		open_client(&asked);
		ask(&asked, urls[i], 0);
		if (!strstr(asked.fault.text, "no https:// address"))
			fail_msg("%s: %s", urls[i], asked.fault.text);
		assert_int_equal(asked.fault.kind, FAULT_LOCAL);
		close_client(&asked);
	}
}

static void a_server_that_says_nothing_has_a_deadline(void **state)
{
	struct asked asked;
	char url[64];
	int fd;

	snprintf(url, sizeof(url), "https://127.0.0.1:%u/token", listen_somewhere(&fd));
	open_client(&asked);
	ask(&asked, url, 50);
	assert_string_equal(asked.fault.text, "127.0.0.1: it did not answer in time");
	assert_int_equal(asked.fault.kind, FAULT_TEMPORARY);
	close_client(&asked);
	close(fd);
}

static void nobody_listening_is_a_sentence(void **state)
{
	struct asked asked;
	char url[64];
	int fd;

	snprintf(url, sizeof(url), "https://127.0.0.1:%u/token", listen_somewhere(&fd));
	close(fd);
	open_client(&asked);
	ask(&asked, url, 0);
	assert_string_equal(asked.fault.text, "127.0.0.1: it takes no connections");
	close_client(&asked);
}

static void a_name_that_does_not_exist_is_a_sentence(void **state)
{
	struct asked asked;

	open_client(&asked);
	ask(&asked, "https://nowhere.invalid/token", 0);
	assert_non_null(strstr(asked.fault.text, "nowhere.invalid"));
	assert_int_equal(asked.fault.kind, FAULT_TEMPORARY);
	close_client(&asked);
}

/* At each stage: in the name lookup, while connecting, in the handshake. */
static void what_is_cancelled_never_answers(void **state)
{
	struct asked asked;
	struct https_transfer *transfers[8];
	char url[64];
	int fd;

	snprintf(url, sizeof(url), "https://localhost:%u/", listen_somewhere(&fd));
	open_client(&asked);
	for (size_t i = 0; i < ARRAY_LEN(transfers); i++) {
		struct https_question question = { .url = url };
		transfers[i] = https_start(asked.client, &question, done, &asked);
		for (size_t turn = 0; turn < i; turn++)
			uv_run(&asked.loop.uv, UV_RUN_NOWAIT);
		if (i % 2 == 0)
			https_cancel(&transfers[i]);
	}
	https_cancel(&transfers[0]);
	close_client(&asked); /* the others end with the client */
	assert_int_equal(asked.calls, 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_https_is_spoken),
		cmocka_unit_test(a_server_that_says_nothing_has_a_deadline),
		cmocka_unit_test(nobody_listening_is_a_sentence),
		cmocka_unit_test(a_name_that_does_not_exist_is_a_sentence),
		cmocka_unit_test(what_is_cancelled_never_answers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
