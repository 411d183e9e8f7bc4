/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- bytes ---- */

static void echo_returns_single_bytes(void **state)
{
	struct end a, b;

	open_pair(&a, &b);
	b.echo = true;
	for (size_t i = 0; i < 300; i++) {
		char byte = pattern(i);

		assert_true(buf_append(conn_output(a.c), span_of(&byte, 1)));
		conn_flush(a.c);
		UNTIL(a.got.len == i + 1);
	}
	assert_pattern(&a.got, 300);
	end_fini(&a);
	end_fini(&b);
}

static void birth_brings_one_on_ready(void **state)
{
	struct end a, b;

	open_pair(&a, &b);
	assert_int_equal(a.calls, 0);
	idle_turns();
	assert_int_equal(a.calls, 1);
	assert_true(conn_connected(a.c));
	assert_null(conn_fault(a.c));
	end_fini(&a);
	end_fini(&b);
}

static void ceilings_hold_while_the_reader_rests(void **state)
{
	enum { TOTAL = 8 << 20 };
	struct end a, b;

	open_tcp_pair(&a, &b);
	a.to_send = TOTAL;
	b.hold = true;
	conn_wake(a.c);
	UNTIL(conn_input(b.c).len == CONN_INPUT_MAX && conn_output_pending(a.c) > CONN_OUTPUT_LOW);
	idle_turns();
	assert_int_equal(conn_input(b.c).len, CONN_INPUT_MAX);
	assert_true(a.sent < TOTAL);
	assert_true(conn_output_pending(a.c) <= CONN_OUTPUT_MAX);
	b.hold = false;
	conn_wake(b.c);
	UNTIL(b.got.len == TOTAL);
	assert_pattern(&b.got, TOTAL);
	assert_true(a.pending_max <= CONN_OUTPUT_MAX);
	assert_true(b.input_seen_max <= CONN_INPUT_MAX);
	assert_string_equal(b.fault, "");
	end_fini(&a);
	end_fini(&b);
}

static void input_left_over_is_shown_again_in_front(void **state)
{
	struct end a, b;

	open_pair(&a, &b);
	b.hold = true;
	say(&a, "one ");
	UNTIL(conn_input(b.c).len == 4);
	say(&a, "two");
	UNTIL(conn_input(b.c).len == 7);
	assert_memory_equal(conn_input(b.c).data, "one two", 7);
	conn_consume(b.c, 4);
	assert_int_equal(conn_input(b.c).len, 3);
	assert_memory_equal(conn_input(b.c).data, "two", 3);
	end_fini(&a);
	end_fini(&b);
}

static void consume_one(struct end *e)
{
	if (conn_input(e->c).len)
		conn_consume(e->c, 1);
}

static void consuming_part_keeps_the_rest(void **state)
{
	struct end a, b;

	open_pair(&a, &b);
	b.react = consume_one;
	say(&a, "abc");
	UNTIL(conn_input(b.c).len == 2);
	assert_memory_equal(conn_input(b.c).data, "bc", 2);
	conn_wake(b.c);
	UNTIL(conn_input(b.c).len == 1);
	end_fini(&a);
	end_fini(&b);
}

static void output_beyond_the_ceiling_is_refused(void **state)
{
	struct end a, b;
	char *big = calloc(1, CONN_OUTPUT_MAX + 1);

	open_pair(&a, &b);
	assert_false(buf_append(conn_output(a.c), span_of(big, CONN_OUTPUT_MAX + 1)));
	assert_true(buf_append(conn_output(a.c), span_of(big, CONN_OUTPUT_MAX)));
	assert_int_equal(conn_output_room(a.c), 0);
	UNTIL(b.got.len == CONN_OUTPUT_MAX);
	free(big);
	end_fini(&a);
	end_fini(&b);
}

static void drained_output_calls_the_owner(void **state)
{
	struct end a, b;
	char *big = calloc(1, CONN_OUTPUT_MAX);
	int calls;

	open_tcp_pair(&a, &b);
	idle_turns();
	b.hold = true;
	while (conn_output_room(a.c) > 0) {
		buf_append(conn_output(a.c), span_of(big, conn_output_room(a.c)));
		conn_flush(a.c);
		idle_turns();
	}
	calls = a.calls;
	idle_turns();
	assert_int_equal(a.calls, calls);
	b.hold = false;
	conn_wake(b.c);
	UNTIL(a.calls > calls);
	assert_true(conn_output_pending(a.c) <= CONN_OUTPUT_LOW);
	free(big);
	end_fini(&a);
	end_fini(&b);
}

static void paused_input_waits_for_resume(void **state)
{
	struct end a, b;
	int calls;

	open_pair(&a, &b);
	idle_turns();
	conn_pause(b.c);
	calls = b.calls;
	say(&a, "first");
	idle_turns();
	say(&a, "second");
	idle_turns();
	assert_int_equal(b.calls, calls);
	/* The first piece was taken, then reading stopped: the second is the kernel's. */
	assert_int_equal(conn_input(b.c).len, 5);
	conn_resume(b.c);
	UNTIL(b.got.len == 11);
	assert_got(&b, "firstsecond");
	end_fini(&a);
	end_fini(&b);
}

/* ---- ends ---- */

static void half_closed_peer_still_gets_output(void **state)
{
	struct end a, b;

	open_tcp_pair(&a, &b);
	b.hold = true;
	say(&a, "question");
	conn_shutdown(a.c);
	UNTIL(b.eof);
	assert_int_equal(conn_input(b.c).len, 8);
	assert_false(a.eof);
	say(&b, "answer");
	UNTIL(a.got.len == 6);
	assert_got(&a, "answer");
	assert_null(conn_fault(a.c));
	assert_null(conn_fault(b.c));
	end_fini(&a);
	end_fini(&b);
}

static void reset_is_a_fault_with_a_sentence(void **state)
{
	struct linger hard = { .l_onoff = 1 };
	struct net_address address;
	int listening = listen_on_loopback(&address), fd;
	struct end a;

	end_init(&a);
	a.c = conn_connect(&loop, &address, NULL, 10000, end_ready, &a);
	UNTIL(conn_connected(a.c));
	fd = accept(listening, NULL, NULL);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
	close(listening);
	UNTIL(a.fault[0]);
	assert_non_null(strstr(a.fault, "connection reset by peer"));
	assert_int_equal(conn_fault(a.c)->kind, FAULT_TEMPORARY);
	end_fini(&a);
}

static void refusal_is_a_fault_with_a_sentence(void **state)
{
	struct net_address address;
	int listening = listen_on_loopback(&address);
	char want[128];
	struct end a;

	snprintf(
	    want, sizeof(want), "connection to 127.0.0.1:%u refused", net_address_port(&address));
	close(listening);
	end_init(&a);
	a.c = conn_connect(&loop, &address, NULL, 10000, end_ready, &a);
	UNTIL(a.fault[0]);
	assert_string_equal(a.fault, want);
	assert_false(conn_connected(a.c));
	end_fini(&a);
}

static void last_words_stand_before_the_failure(void **state)
{
	struct net_address address;
	int listening = listen_on_loopback(&address), fd;
	struct end a;

	end_init(&a);
	a.c = conn_connect(&loop, &address, NULL, 10000, end_ready, &a);
	UNTIL(conn_connected(a.c));
	fd = accept(listening, NULL, NULL);
	say(&a, "unread by the peer");
	assert_int_equal(write(fd, "554 go away\r\n", 13), 13);
	close(fd); /* with unread input: a reset follows the words */
	close(listening);
	for (int i = 0; i < 3; i++)
		say(&a, "more");
	UNTIL(a.fault[0] || a.eof);
	assert_got(&a, "554 go away\r\n");
	end_fini(&a);
}

static void lingering_close_saves_the_last_reply(void **state)
{
	struct end a, b;
	char *big = malloc(CONN_OUTPUT_MAX);

	for (size_t i = 0; i < CONN_OUTPUT_MAX; i++)
		big[i] = pattern(i);
	open_tcp_pair(&a, &b);
	b.hold = true;
	say(&a, "input that nobody will read");
	UNTIL(conn_input(b.c).len > 0);
	buf_append(conn_output(b.c), span_of(big, CONN_OUTPUT_MAX));
	conn_close(&b.c, CONN_CLOSE_FLUSH); /* lingers, because of the unread input */
	assert_null(b.c);
	say(&a, "and more of it");
	UNTIL(a.eof || a.fault[0]);
	assert_string_equal(a.fault, "");
	assert_pattern(&a.got, CONN_OUTPUT_MAX);
	assert_int_equal(loop.conn_count, 2);
	conn_close(&a.c, CONN_CLOSE_NOW);
	UNTIL(loop.conn_count == 0);
	free(big);
	end_fini(&a);
	end_fini(&b);
}

static void lingering_is_bounded_in_bytes(void **state)
{
	struct end a, b;

	open_tcp_pair(&a, &b);
	a.to_send = 16 << 20;
	conn_close(&b.c, CONN_CLOSE_LINGER);
	conn_wake(a.c);
	UNTIL(a.fault[0]);
	assert_non_null(strstr(a.fault, "reset"));
	UNTIL(loop.conn_count == 1);
	end_fini(&a);
	end_fini(&b);
}

static void lingering_is_bounded_in_time(void **state)
{
	int64_t begin = net_loop_now_ms(&loop);
	struct end a, b;

	open_tcp_pair(&a, &b);
	conn_close(&b.c, CONN_CLOSE_LINGER); /* and the peer keeps its end open */
	UNTIL(loop.conn_count == 1);
	assert_true(net_loop_now_ms(&loop) - begin < 5000);
	assert_true(a.eof);
	end_fini(&a);
	end_fini(&b);
}

static void flushing_close_sends_everything(void **state)
{
	struct end a, b;
	char *big = malloc(CONN_OUTPUT_MAX);

	for (size_t i = 0; i < CONN_OUTPUT_MAX; i++)
		big[i] = pattern(i);
	open_pair(&a, &b);
	idle_turns();
	buf_append(conn_output(b.c), span_of(big, CONN_OUTPUT_MAX));
	conn_close(&b.c, CONN_CLOSE_FLUSH);
	UNTIL(a.eof);
	assert_pattern(&a.got, CONN_OUTPUT_MAX);
	free(big);
	end_fini(&a);
	end_fini(&b);
}

static enum conn_close how;

static void close_at_once(struct end *e)
{
	if (conn_input(e->c).len)
		conn_close(&e->c, how);
}

static void owner_may_close_and_go_inside_its_callback(void **state)
{
	for (how = CONN_CLOSE_LINGER; how <= CONN_CLOSE_NOW; how++) {
		struct end a, *b = malloc(sizeof(*b));

		open_pair(&a, b);
		b->react = close_at_once;
		say(&a, "x");
		UNTIL(!b->c);
		memset(b, 0xa5, sizeof(*b));
		free(b);
		UNTIL(a.eof || a.fault[0]);
		conn_close(&a.c, CONN_CLOSE_NOW);
		UNTIL(loop.conn_count == 0);
		end_fini(&a);
	}
}

static void loop_cuts_off_what_lingers(void **state)
{
	struct end a, b;

	open_pair(&a, &b);
	conn_close(&b.c, CONN_CLOSE_LINGER);
	idle_turns();
	assert_int_equal(loop.conn_count, 2);
	end_fini(&a);
	end_fini(&b);
	/* The teardown asserts that nothing is left. */
}

/* ---- waking ---- */

static struct end *partner;

static void wake_partner(struct end *e)
{
	if (e->calls < 1000 && partner->c)
		conn_wake(e->c);
}

static void waking_oneself_is_not_recursion(void **state)
{
	struct end a, b;

	open_pair(&a, &b);
	partner = &b;
	a.react = wake_partner;
	b.echo = true;
	say(&a, "x");
	UNTIL(a.calls == 1000);
	assert_got(&b, "x");
	end_fini(&a);
	end_fini(&b);
}

static void new_owner_gets_the_next_call(void **state)
{
	struct end a, b, heir;

	open_pair(&a, &b);
	end_init(&heir);
	idle_turns();
	conn_set_owner(b.c, end_ready, &heir);
	say(&a, "for the heir");
	UNTIL(heir.got.len == 12);
	assert_int_equal(b.got.len, 0);
	b.c = NULL;
	end_fini(&a);
	end_fini(&b);
	end_fini(&heir);
}

/* ---- deadlines ---- */

static bool tick_done;

static void tick(void *owner)
{
	tick_done = true;
}

static void wait_ms(int64_t ms)
{
	struct net_timer timer;

	tick_done = false;
	net_timer_init(&timer, &loop, tick, NULL);
	net_timer_start(&timer, ms);
	UNTIL(tick_done);
	net_timer_fini(&timer);
}

static void deadline_is_told_once(void **state)
{
	struct end a, b;
	int calls;

	open_pair(&a, &b);
	idle_turns();
	calls = a.calls;
	conn_set_deadline(a.c, 5);
	UNTIL(conn_deadline_passed(a.c));
	assert_int_equal(a.calls, calls + 1);
	wait_ms(20);
	assert_int_equal(a.calls, calls + 1);
	assert_null(conn_fault(a.c));
	conn_set_deadline(a.c, 60000);
	assert_false(conn_deadline_passed(a.c));
	end_fini(&a);
	end_fini(&b);
}

static void deadline_moves_both_ways(void **state)
{
	struct end a, b;

	open_pair(&a, &b);
	conn_set_deadline(a.c, 5);
	conn_set_deadline(a.c, 60000);
	conn_set_deadline(b.c, 60000);
	conn_set_deadline(b.c, 5);
	UNTIL(conn_deadline_passed(b.c));
	wait_ms(20);
	assert_false(conn_deadline_passed(a.c));
	conn_set_deadline(a.c, 5);
	UNTIL(conn_deadline_passed(a.c));
	end_fini(&a);
	end_fini(&b);
}

static void cleared_deadline_does_not_pass(void **state)
{
	struct end a, b;

	open_pair(&a, &b);
	conn_set_deadline(a.c, 5);
	conn_clear_deadline(a.c);
	wait_ms(20);
	assert_false(conn_deadline_passed(a.c));
	end_fini(&a);
	end_fini(&b);
}

/* A queue of one, filled, leaves the next connection without an answer. */
static void connecting_ends_with_its_deadline(void **state)
{
	struct net_address address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fillers[3];
	struct end a;

	assert_true(net_address_parse(SPAN("127.0.0.1"), 0, &address));
	assert_int_equal(bind(fd, &address.any, address.len), 0);
	assert_int_equal(listen(fd, 0), 0);
	getsockname(fd, &address.any, &address.len);
	for (size_t i = 0; i < 3; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		connect(fillers[i], &address.any, address.len);
	}
	end_init(&a);
	a.c = conn_connect(&loop, &address, NULL, 30, end_ready, &a);
	UNTIL(a.fault[0]);
	assert_non_null(strstr(a.fault, "timed out after 30ms"));
	assert_false(conn_deadline_passed(a.c));
	end_fini(&a);
	for (size_t i = 0; i < 3; i++)
		close(fillers[i]);
	close(fd);
}

/* ---- addresses ---- */

static void both_addresses_are_known(void **state)
{
	char peer[NET_ADDRESS_TEXT_MAX], local[NET_ADDRESS_TEXT_MAX];
	struct net_address address;
	struct end a, b;

	open_tcp_pair(&a, &b);
	conn_local(b.c, &address);
	assert_string_equal(net_address_format(&address, local), conn_peer_text(a.c));
	conn_local(a.c, &address);
	assert_string_equal(net_address_format(&address, peer), conn_peer_text(b.c));
	assert_true(net_address_equal(&address, conn_peer(b.c)));
	end_fini(&a);
	end_fini(&b);
}

static void source_address_is_used(void **state)
{
	struct net_address address, source, local;
	int listening = listen_on_loopback(&address);
	char text[NET_ADDRESS_TEXT_MAX];
	struct end a;

	assert_true(net_address_parse(SPAN("127.0.0.2"), 0, &source));
	end_init(&a);
	a.c = conn_connect(&loop, &address, &source, 10000, end_ready, &a);
	UNTIL(conn_connected(a.c));
	conn_local(a.c, &local);
	assert_string_equal(net_address_format_host(&local, text), "127.0.0.2");
	end_fini(&a);
	assert_true(net_address_parse(SPAN("192.0.2.1"), 0, &source));
	a.c = conn_connect(&loop, &address, &source, 10000, end_ready, &a);
	UNTIL(a.fault[0]);
	assert_non_null(strstr(a.fault, "192.0.2.1"));
	end_fini(&a);
	close(listening);
}

static void unix_path_is_connected_to(void **state)
{
	char directory[] = "/tmp/frank-net-XXXXXX", path[64];
	struct net_address address;
	struct end a;
	int fd;

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/s", directory);
	assert_true(net_address_from_path(span_from_string(path), &address));
	end_init(&a);
	a.c = conn_connect(&loop, &address, NULL, 10000, end_ready, &a);
	UNTIL(a.fault[0]);
	assert_non_null(strstr(a.fault, path));
	end_fini(&a);
	a.fault[0] = '\0';
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, &address.any, address.len), 0);
	assert_int_equal(listen(fd, 5), 0);
	a.c = conn_connect(&loop, &address, NULL, 10000, end_ready, &a);
	UNTIL(conn_connected(a.c));
	assert_non_null(strstr(conn_peer_text(a.c), path));
	end_fini(&a);
	close(fd);
	unlink(path);
	rmdir(directory);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(echo_returns_single_bytes),
		TEST(birth_brings_one_on_ready),
		TEST(ceilings_hold_while_the_reader_rests),
		TEST(input_left_over_is_shown_again_in_front),
		TEST(consuming_part_keeps_the_rest),
		TEST(output_beyond_the_ceiling_is_refused),
		TEST(drained_output_calls_the_owner),
		TEST(paused_input_waits_for_resume),
		TEST(half_closed_peer_still_gets_output),
		TEST(reset_is_a_fault_with_a_sentence),
		TEST(refusal_is_a_fault_with_a_sentence),
		TEST(last_words_stand_before_the_failure),
		TEST(lingering_close_saves_the_last_reply),
		TEST(lingering_is_bounded_in_bytes),
		TEST(lingering_is_bounded_in_time),
		TEST(flushing_close_sends_everything),
		TEST(owner_may_close_and_go_inside_its_callback),
		TEST(loop_cuts_off_what_lingers),
		TEST(waking_oneself_is_not_recursion),
		TEST(new_owner_gets_the_next_call),
		TEST(deadline_is_told_once),
		TEST(deadline_moves_both_ways),
		TEST(cleared_deadline_does_not_pass),
		TEST(connecting_ends_with_its_deadline),
		TEST(both_addresses_are_known),
		TEST(source_address_is_used),
		TEST(unix_path_is_connected_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
