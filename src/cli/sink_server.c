/* SPDX-License-Identifier: MIT */
#include "cli/sink_server.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/random.h"
#include "cli/cli.h"
#include "cli/sink_session.h"
#include "net/privilege.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum {
	FAREWELL_MS = 1000, /* for sessions to end by themselves */
	PATIENCE_MS = 5000, /* for sessions to end when they were told to */
	CHECK_THREADS = 2,
	CHECK_QUEUE_MAX = 10000,
};

struct sink_listener {
	struct list link;
	struct sink *sink;
	struct listener *listener;
	int fd;
};

void sink_say(struct sink *sink, const char *format, ...)
{
	va_list arguments;
	if (sink->settings->quiet)
		return;
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

/* ---- the end ---- */

static void close_listeners(struct sink *sink)
{
	struct list *link;
	while ((link = list_take_first(&sink->listeners)) != NULL) {
		struct sink_listener *l = LIST_ENTRY(link, struct sink_listener, link);
		listener_close(&l->listener);
		close(l->fd);
		mem_free(l);
	}
}

static void tell_sessions(struct sink *sink)
{
	net_timer_start(&sink->patience, PATIENCE_MS);
	sink->told = true;
	LIST_FOR_EACH_SAFE (position, &sink->sessions)
		sink_session_stop(LIST_ENTRY(position, struct sink_session, link));
}

static void on_patience_over(void *owner)
{
	struct sink *sink = owner;
	if (!sink->told) {
		tell_sessions(sink);
		return;
	}
	LIST_FOR_EACH_SAFE (position, &sink->sessions)
		sink_session_cut(LIST_ENTRY(position, struct sink_session, link));
}

static void stop_now(struct sink *sink)
{
	if (sink->told)
		return;
	sink->stopping = true;
	close_listeners(sink);
	tell_sessions(sink);
	sink_session_ended(sink);
}

/* After the last message: its client may say QUIT. */
static void stop_gently(struct sink *sink)
{
	if (sink->stopping)
		return;
	sink->stopping = true;
	close_listeners(sink);
	net_timer_start(&sink->patience, FAREWELL_MS);
	sink_session_ended(sink);
}

static void on_signal(uv_signal_t *handle, int number)
{
	stop_now(handle->data);
}

void sink_session_ended(struct sink *sink)
{
	if (sink->stopping && list_is_empty(&sink->sessions))
		net_loop_stop(&sink->loop);
}

void sink_message_taken(struct sink *sink, uint64_t octets, uint64_t recipients)
{
	sink->messages++;
	sink->octets += octets;
	sink->recipients += recipients;
}

/* ---- the loop's callbacks ---- */

/* Lines of a whole turn go out at once. Stopping here, too, keeps sessions from ending inside their
   own callbacks. */
static void on_turn_end(void *owner)
{
	struct sink *sink = owner;
	if (!sink->output_failed && (fflush(stdout) != 0 || ferror(stdout))) {
		sink->output_failed = true;
		sink_say(sink, "standard output is gone");
		stop_now(sink);
	}
	if (sink->settings->messages_max > 0 && sink->messages >= sink->settings->messages_max)
		stop_gently(sink);
}

static void on_checked(struct mailbox_item *item, void *owner)
{
	struct sink *sink = owner;
	struct account_check_answer *answer = account_check_answer_of(WORKER_JOB_OF(item));
	uint32_t number = answer->asker.index;
	struct sink_session *s = map_remove(sink->asking, MAP_KEY(number));
	if (s != NULL)
		sink_session_checked(s, answer);
	account_check_answer_destroy(&answer);
}

static void on_accept(int fd, const struct net_address *peer, void *owner)
{
	sink_session_accept(owner, fd, peer);
}

static void on_trouble(const struct fault *fault, void *owner)
{
	sink_say(owner, "%s", fault->text);
}

/* ---- the start ---- */

static const char *tls_name(enum config_tls_mode tls)
{
	switch (tls) {
	case CONFIG_TLS_MODE_OFF:
		return "off";
	case CONFIG_TLS_MODE_STARTTLS:
		return "starttls";
	case CONFIG_TLS_MODE_IMPLICIT:
		return "implicit";
	}
	return "off";
}

static const char *auth_name(enum config_auth_mode auth)
{
	switch (auth) {
	case CONFIG_AUTH_MODE_REQUIRED:
		return "required";
	case CONFIG_AUTH_MODE_OPTIONAL:
		return "optional";
	case CONFIG_AUTH_MODE_OFF:
		return "off";
	}
	return "off";
}

static void say_listening(const struct sink *sink, int fd)
{
	struct sockaddr_storage storage;
	socklen_t len = sizeof(storage);
	struct net_address address;
	char text[NET_ADDRESS_TEXT_MAX];
	if (getsockname(fd, (struct sockaddr *)&storage, &len) != 0)
		len = 0;
	net_address_set(&address, (struct sockaddr *)&storage, len);
	net_address_format(&address, text);
	const char *tls = tls_name(sink->settings->tls), *auth = auth_name(sink->settings->auth);
	if (sink->settings->json)
		cli_json_print(
		    json_pack("{s:s, s:s, s:s}", "listening", text, "tls", tls, "auth", auth),
		    CLI_EXIT_DONE);
	else
		printf("listening %s tls=%s auth=%s\n", text, tls, auth);
	fflush(stdout);
}

static bool open_listener(
    struct sink *sink, const struct net_address *address, struct fault *fault_out)
{
	const struct listener_handler handler = {
		.on_accept = on_accept,
		.on_trouble = on_trouble,
		.owner = sink,
	};
	int fd = -1;
	if (!privilege_listen(address, 1, &fd, fault_out))
		return false;
	struct sink_listener *l = MEM_NEW(struct sink_listener);
	l->sink = sink;
	l->fd = fd;
	list_append(&sink->listeners, &l->link);
	l->listener = listener_open(&sink->loop, fd, &handler, fault_out);
	return l->listener != NULL;
}

/* All are bound before the first is announced. */
static bool open_listeners(struct sink *sink, struct fault *fault_out)
{
	for (size_t i = 0; i < sink->settings->listen_count; i++) {
		const struct sink_address *address = &sink->settings->listen[i];
		if (!open_listener(sink, &address->socket, fault_out) &&
		    !(address->optional && errno == EAFNOSUPPORT))
			return false;
	}
	LIST_FOR_EACH (position, &sink->listeners)
		say_listening(sink, LIST_ENTRY(position, struct sink_listener, link)->fd);
	return true;
}

static void set_rules(struct sink *sink)
{
	const struct sink_settings *settings = sink->settings;
	sink->smtp = (struct smtp_server_settings){
		.hostname = settings->hostname,
		.greeting = "Frank sink",
		.size_max_bytes = settings->size_max_bytes,
		.recipients_max = 1000000,
		.tls_offered = settings->tls == CONFIG_TLS_MODE_STARTTLS,
		.tls_active = settings->tls == CONFIG_TLS_MODE_IMPLICIT,
		.auth_mechanisms =
		    sink->offer.lists[settings->cleartext_auth ? 0 : SETUP_OFFER_TLS],
		.auth_required = settings->auth == CONFIG_AUTH_MODE_REQUIRED,
		.auth_needs_tls = !settings->cleartext_auth,
	};
}

/* Without users there is nobody to serve more than a password. */
static bool prepare_users(
    struct sink *sink, const struct sink_settings *settings, struct fault *fault_out)
{
	const struct config_listener listener = { .label = "sink", .auth = settings->auth };
	struct buf problems;
	sink->stores = account_stores_create();
	random_bytes(sink->decoy_key, sizeof(sink->decoy_key));
	if (settings->users != NULL) {
		account_stores_add_users(sink->stores, "--users", settings->users);
	} else if (settings->users_any) {
		struct account_notes *notes = MEM_NEW(struct account_notes);
		struct account_users *nobody = account_users_parse(SPAN(""), notes);
		account_stores_add_users(sink->stores, "--users", nobody);
		account_users_unref(&nobody);
		mem_free(notes);
	}
	buf_init(&problems, 1024);
	bool good = setup_auth_offer(&sink->offer, sink->stores, &listener, &problems);
	if (!good)
		fault_set(fault_out, FAULT_LOCAL, "no user of the file can sign in");
	buf_fini(&problems);
	return good;
}

static void watch_signal(struct sink *sink, uv_signal_t *handle, int number)
{
	uv_signal_init(&sink->loop.uv, handle);
	handle->data = sink;
	uv_signal_start(handle, on_signal, number);
}

static bool prepare(
    struct sink *sink, const struct sink_settings *settings, struct fault *fault_out)
{
	*sink = (struct sink){
		.settings = settings,
		.style = {
			.colour = cli_colour_wanted(stderr), .times = true, .numbered = true,
			.start_ms = moment_wall_ms(),
		},
	};
	if (!prepare_users(sink, settings, fault_out) ||
	    !net_loop_init(&sink->loop, on_checked, on_turn_end, sink, fault_out))
		return false;
	list_init(&sink->listeners);
	list_init(&sink->sessions);
	id_source_init(&sink->ids, 0, 0);
	sink->asking = map_create();
	set_rules(sink);
	watch_signal(sink, &sink->on_term, SIGTERM);
	watch_signal(sink, &sink->on_int, SIGINT);
	net_timer_init(&sink->patience, &sink->loop, on_patience_over, sink);
	if (settings->users != NULL) {
		sink->pool = worker_pool_create("check", CHECK_THREADS, CHECK_QUEUE_MAX, 0);
		sink->checker = account_checker_create(sink->pool);
	}
	return true;
}

/* The pool has answered everybody by now; nobody is left to hear it. */
static void drop_answers(struct sink *sink)
{
	struct mailbox_item *item = mailbox_take(&sink->loop.mailbox);
	while (item != NULL) {
		struct mailbox_item *next = item->next;
		struct account_check_answer *answer = account_check_answer_of(WORKER_JOB_OF(item));
		account_check_answer_destroy(&answer);
		item = next;
	}
}

static void dismantle(struct sink *sink)
{
	close_listeners(sink);
	if (sink->checker != NULL)
		account_checker_stop(sink->checker);
	worker_pool_destroy(&sink->pool);
	drop_answers(sink);
	if (sink->checker != NULL)
		account_checker_destroy(&sink->checker);
	map_destroy(&sink->asking, NULL);
	account_stores_unref(&sink->stores);
	setup_auth_offer_fini(&sink->offer);
	net_timer_fini(&sink->patience);
	uv_close((uv_handle_t *)&sink->on_term, NULL);
	uv_close((uv_handle_t *)&sink->on_int, NULL);
	net_loop_fini(&sink->loop);
}

static void print_sum(const struct sink *sink)
{
	if (sink->settings->json)
		cli_json_print(
		    json_pack("{s:I, s:I, s:I, s:I, s:I}", "messages", (json_int_t)sink->messages,
			"recipients", (json_int_t)sink->recipients, "octets",
			(json_int_t)sink->octets, "sessions", (json_int_t)sink->sessions_born,
			"auth_failures", (json_int_t)sink->auth_failures),
		    CLI_EXIT_DONE);
	else
		printf("taken: %llu messages, %llu octets, %llu recipients, in %lu sessions\n",
		    (unsigned long long)sink->messages, (unsigned long long)sink->octets,
		    (unsigned long long)sink->recipients, (unsigned long)sink->sessions_born);
}

bool sink_run(const struct sink_settings *settings, struct fault *fault_out)
{
	struct sink *sink = MEM_NEW(struct sink);
	if (!prepare(sink, settings, fault_out)) {
		mem_free(sink);
		return false;
	}
	bool good = open_listeners(sink, fault_out);
	if (good) {
		net_loop_run(&sink->loop);
		print_sum(sink);
	}
	dismantle(sink);
	mem_free(sink);
	return good;
}
