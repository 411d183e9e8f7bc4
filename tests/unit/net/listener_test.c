/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include "net/listener.h"
#include "net/privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct desk {
	struct listener *l;
	int accepted[16];
	size_t count;
	struct net_address peer;
	int troubles;
	char trouble[512];
	bool close_at_once;
} desk;

static void on_accept(int fd, const struct net_address *peer, void *owner)
{
	assert_ptr_equal(owner, &desk);
	assert_true(desk.count < 16);
	desk.accepted[desk.count++] = fd;
	desk.peer = *peer;
	if (desk.close_at_once)
		listener_close(&desk.l);
}

static void on_trouble(const struct fault *fault, void *owner)
{
	desk.troubles++;
	snprintf(desk.trouble, sizeof(desk.trouble), "%s", fault->text);
}

static const struct listener_handler handler = { on_accept, on_trouble, &desk };

static int open_desk(struct net_address *address_out)
{
	struct fault fault;
	int fd = listen_on_loopback(address_out);

	desk = (struct desk){ .count = 0 };
	desk.l = listener_open(&loop, fd, &handler, &fault);
	assert_non_null(desk.l);
	return fd;
}

static void close_desk(int fd)
{
	listener_close(&desk.l);
	assert_null(desk.l);
	close(fd);
	for (size_t i = 0; i < desk.count; i++)
		close(desk.accepted[i]);
}

static int call(const struct net_address *address)
{
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, &address->any, address->len), 0);
	return fd;
}

static void accepted_connections_are_ready_to_use(void **state)
{
	struct net_address address, caller;
	int fd = open_desk(&address), client = call(&address), on = 0;
	socklen_t len = sizeof(on);

	UNTIL(desk.count == 1);
	caller.len = sizeof(caller.v4);
	getsockname(client, &caller.any, &caller.len);
	assert_true(net_address_equal(&caller, &desk.peer));
	assert_true(fcntl(desk.accepted[0], F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(desk.accepted[0], F_GETFD) & FD_CLOEXEC);
	getsockopt(desk.accepted[0], IPPROTO_TCP, TCP_NODELAY, &on, &len);
	assert_int_equal(on, 1);
	close(client);
	close_desk(fd);
}

static void a_stopped_listener_leaves_them_to_the_kernel(void **state)
{
	struct net_address address, peer;
	int fd = open_desk(&address), clients[2], taken;

	listener_stop(desk.l);
	clients[0] = call(&address);
	clients[1] = call(&address);
	idle_turns();
	assert_int_equal(desk.count, 0);
	taken = listener_take(desk.l, &peer);
	assert_true(taken >= 0);
	close(taken);
	listener_start(desk.l);
	UNTIL(desk.count == 1);
	assert_int_equal(listener_take(desk.l, &peer), -1);
	close(clients[0]);
	close(clients[1]);
	close_desk(fd);
}

static void a_listener_may_be_closed_while_it_accepts(void **state)
{
	struct net_address address;
	int fd = open_desk(&address), clients[2];

	desk.close_at_once = true;
	clients[0] = call(&address);
	clients[1] = call(&address);
	UNTIL(desk.count == 1);
	idle_turns();
	assert_int_equal(desk.count, 1);
	close(clients[0]);
	close(clients[1]);
	close_desk(fd);
}

static void no_descriptors_left_is_told_once(void **state)
{
	struct net_address address;
	int fd = open_desk(&address), clients[2];
	struct rlimit before, none;

	clients[0] = call(&address);
	clients[1] = call(&address);
	getrlimit(RLIMIT_NOFILE, &before);
	none = before;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	UNTIL(desk.troubles == 1);
	for (int64_t begin = net_loop_now_ms(&loop); net_loop_now_ms(&loop) < begin + 250;)
		turn();
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(desk.troubles, 1);
	assert_non_null(strstr(desk.trouble, "no file descriptors left"));
	UNTIL(desk.count == 2);
	close(clients[0]);
	close(clients[1]);
	close_desk(fd);
}

/* ---- privilege_listen ---- */

static void all_sockets_share_one_port_that_nobody_else_has(void **state)
{
	struct net_address address, bound;
	struct fault fault = { 0 };
	int fds[3], more[2];

	assert_true(net_address_parse(SPAN("127.0.0.1"), 0, &address));
	assert_true(privilege_listen(&address, 3, fds, &fault));
	for (size_t i = 0; i < 3; i++) {
		bound.len = sizeof(bound.v4);
		getsockname(fds[i], &bound.any, &bound.len);
		if (i == 0)
			address = bound;
		assert_true(net_address_equal(&address, &bound));
	}
	/* Sharing is for our own lanes: another program, ourselves included, is turned away. */
	assert_false(privilege_listen(&address, 2, more, &fault));
	assert_int_equal(fault.kind, FAULT_LOCAL);
	assert_non_null(strstr(fault.text, "another program already listens"));
	for (size_t i = 0; i < 3; i++)
		close(fds[i]);
}

static void a_port_just_left_can_be_taken_again(void **state)
{
	struct net_address address;
	struct fault fault;
	int fd = listen_on_loopback(&address), client = call(&address);
	int server = accept(fd, NULL, NULL);

	close(server); /* the server's end stays in TIME_WAIT */
	close(client);
	close(fd);
	assert_true(privilege_listen(&address, 1, &fd, &fault));
	close(fd);
}

static void both_families_take_one_port(void **state)
{
	struct net_address v4, v6;
	struct fault fault;
	int fd4, fd6;

	assert_true(net_address_parse(SPAN("::"), 0, &v6));
	if (!privilege_listen(&v6, 1, &fd6, &fault))
		skip(); /* a machine without IPv6 */
	v6.len = sizeof(v6.v6);
	getsockname(fd6, &v6.any, &v6.len);
	assert_true(net_address_parse(SPAN("0.0.0.0"), net_address_port(&v6), &v4));
	assert_true(privilege_listen(&v4, 1, &fd4, &fault));
	close(fd4);
	close(fd6);
}

static void an_address_of_another_machine_is_named(void **state)
{
	struct net_address address;
	struct fault fault;
	int fd;

	assert_true(net_address_parse(SPAN("192.0.2.1"), 2525, &address));
	assert_false(privilege_listen(&address, 1, &fd, &fault));
	assert_non_null(strstr(fault.text, "192.0.2.1:2525: this machine does not have"));
}

static void a_stale_socket_file_is_replaced_and_a_live_one_is_not(void **state)
{
	char directory[] = "/tmp/frank-net-XXXXXX", path[64];
	struct net_address address;
	struct fault fault;
	int fd, second;

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/s", directory);
	assert_true(net_address_from_path(span_from_string(path), &address));
	assert_true(privilege_listen(&address, 1, &fd, &fault));
	assert_false(privilege_listen(&address, 1, &second, &fault));
	assert_non_null(strstr(fault.text, "already"));
	close(call(&address)); /* its file is still there */
	close(fd);
	assert_true(privilege_listen(&address, 1, &second, &fault));
	close(second);
	unlink(path);
	rmdir(directory);
}

/* ---- privilege_open ---- */

static void files_are_read_whole_or_not_at_all(void **state)
{
	char path[] = "/tmp/frank-net-XXXXXX";
	struct fault fault;
	struct buf b;
	int fd = mkstemp(path);

	assert_int_equal(write(fd, "0123456789", 10), 10);
	close(fd);
	buf_init(&b, 13);
	buf_append_string(&b, ">> ");
	assert_true(privilege_read(path, &b, &fault));
	assert_string_equal(buf_string(&b), ">> 0123456789");
	assert_false(privilege_read(path, &b, &fault));
	assert_non_null(strstr(fault.text, "is larger than 13 bytes"));
	assert_int_equal(b.len, 13);
	assert_false(privilege_read("/tmp", &b, &fault));
	assert_non_null(strstr(fault.text, "/tmp is not a regular file"));
	unlink(path);
	assert_false(privilege_read(path, &b, &fault));
	assert_non_null(strstr(fault.text, path));
	buf_fini(&b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(accepted_connections_are_ready_to_use),
		TEST(a_stopped_listener_leaves_them_to_the_kernel),
		TEST(a_listener_may_be_closed_while_it_accepts),
		TEST(no_descriptors_left_is_told_once),
		TEST(all_sockets_share_one_port_that_nobody_else_has),
		TEST(a_port_just_left_can_be_taken_again),
		TEST(both_families_take_one_port),
		TEST(an_address_of_another_machine_is_named),
		TEST(a_stale_socket_file_is_replaced_and_a_live_one_is_not),
		TEST(files_are_read_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
