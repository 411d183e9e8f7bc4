/* SPDX-License-Identifier: MIT */
#include "relay/control_private.h"

#include "base/memory.h"
#include "base/moment.h"
#include "relay/bans_keeper.h"
#include "relay/bind.h"
#include "relay/decoy.h"
#include "relay/events.h"
#include "relay/quirk_use.h"
#include "relay/learned_keeper.h"
#include "relay/tokens.h"
#include "relay/watch.h"
#include "spool/store.h"

#include <assert.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define FILE_WORKERS 2
#define FILE_QUEUE_MAX 4096
#define HASH_QUEUE_MAX 1024
#define HASH_SHARE_MAX 512 /* of one address: others find room */
#define HASH_NICE 10
#define RESULT_DELAY_MS 100 /* what a crash may deliver twice was delivered within this time */

/* ---- mail to lanes ---- */

static void tell_lane(struct control *c, unsigned lane, struct relay_mail *mail)
{
	mailbox_post(&c->lanes[lane]->from_control.box, &mail->item);
}

static void tell_all(struct control *c, enum relay_mail_kind kind)
{
	for (unsigned i = 0; i < c->services.lane_count; i++) {
		struct relay_mail *mail = MEM_NEW(struct relay_mail);
		mail->kind = kind;
		tell_lane(c, i, mail);
	}
}

void control_give_setup(struct control *c)
{
	for (unsigned i = 0; i < c->services.lane_count; i++) {
		struct relay_mail_setup *mail = MEM_NEW(struct relay_mail_setup);
		mail->mail.kind = RELAY_MAIL_SETUP;
		mail->setup = setup_ref(c->setup);
		tell_lane(c, i, &mail->mail);
	}
}

void control_set_watchers(struct control *c, unsigned watchers)
{
	c->watchers = watchers;
	for (unsigned i = 0; i < c->services.lane_count; i++) {
		struct relay_mail_watch *mail = MEM_NEW(struct relay_mail_watch);
		mail->mail.kind = RELAY_MAIL_WATCH;
		mail->watchers = watchers;
		tell_lane(c, i, &mail->mail);
	}
}

/* ---- sockets ---- */

static void log_binding(const struct control_binding *binding, enum event event)
{
	struct log_line line;

	event_begin(&line, event);
	log_text(&line, "listener", binding->label);
	log_text(&line, "address", binding->text);
	log_end(&line);
}

static void hand_out(struct control *c, struct control_binding *binding, const int *fds)
{
	for (unsigned i = 0; i < c->services.lane_count; i++) {
		struct relay_mail_listen *mail = MEM_NEW(struct relay_mail_listen);
		mail->mail.kind = RELAY_MAIL_LISTEN;
		mail->address = binding->address;
		mail->fd = fds[i];
		tell_lane(c, i, &mail->mail);
	}
	list_append(&c->bindings, &binding->link);
	log_binding(binding, EVENT_LISTENING);
}

void control_hand_out(struct control *c, struct control_sockets *sockets)
{
	const int *fds = sockets->fds;
	struct list *link;

	while ((link = list_take_first(&sockets->bindings)) != NULL) {
		hand_out(c, LIST_ENTRY(link, struct control_binding, link), fds);
		fds += c->services.lane_count;
	}
	mem_free(sockets->fds);
	sockets->fds = NULL;
}

void control_end_binding(struct control *c, struct control_binding *binding)
{
	for (unsigned i = 0; i < c->services.lane_count; i++) {
		struct relay_mail_listen *mail = MEM_NEW(struct relay_mail_listen);
		mail->mail.kind = RELAY_MAIL_UNLISTEN;
		mail->address = binding->address;
		mail->fd = -1;
		tell_lane(c, i, &mail->mail);
	}
	log_binding(binding, EVENT_LISTENING_ENDED);
	list_remove(&binding->link);
	mem_free(binding);
}

/* ---- certificates ---- */

static void on_certificate_timer(void *owner)
{
	struct control *c = owner;
	struct fault why;

	if (certificates_look(&c->certificates, c->setup, net_loop_wall_ms(&c->loop), &why)) {
		event_sentence(EVENT_CERTIFICATE_CHANGED, "%s", why.text);
		reload_start(c);
	}
	net_timer_start(&c->certificate_timer, CONTROL_CERTIFICATE_CHECK_MS);
}

/* ---- stop ---- */

static void on_stop_timer(void *owner)
{
	tell_all(owner, RELAY_MAIL_CUT);
}

static void stop(struct control *c)
{
	if (c->stopping)
		return;
	c->stopping = true;
	event_sentence(EVENT_STOPPING, "sessions end at their next reply, within %d s",
	    CONTROL_STOP_MS / 1000);
	sd_notify(0, "STOPPING=1");
	net_timer_stop(&c->certificate_timer);
	schedule_stop(&c->schedule);
	c->tokens_stopping = tokens_stop(c);
	tell_all(c, RELAY_MAIL_STOP);
	net_timer_start(&c->stop_timer, CONTROL_STOP_MS);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct control *c = handle->data;

	if (number != SIGHUP)
		stop(c);
	else if (!c->stopping) {
		struct fault fault;
		if (!log_reopen(&fault))
			event_sentence(EVENT_CONFIG_WARNING, "%s", fault.text);
		reload_start(c);
	}
}

static void watch_signal(struct control *c, uv_signal_t *handle, int number)
{
	uv_signal_init(&c->loop.uv, handle);
	handle->data = c;
	uv_signal_start(handle, on_signal, number);
}

/* ---- mail from lanes ---- */

/* A token that a provider has just rotated is not to be lost. */
static void end_when_idle(struct control *c)
{
	if (c->lanes_running == 0 && !c->tokens_stopping)
		net_loop_stop(&c->loop);
}

void control_tokens_stopped(struct control *c)
{
	c->tokens_stopping = false;
	end_when_idle(c);
}

static void take_trace(struct control *c, struct relay_mail_trace *trace)
{
	atomic_fetch_sub_explicit(trace->unread, 1, memory_order_relaxed);
	if (c->admin)
		admin_trace(c->admin, &trace->line, trace->dropped);
	trace_line_fini(&trace->line);
}

static void take_quirks(struct control *c, struct relay_mail_quirks *mail)
{
	struct quirk_news news = {
		.client = mail->client,
		.login = mail->login,
		.listener = mail->listener,
		.now_ms = mail->now_ms,
	};

	for (unsigned i = 0; i < SMTP_QUIRK_COUNT; i++) {
		news.quirk = (enum smtp_quirk)i;
		news.uses = mail->uses[i];
		news.refused = (mail->missed & SMTP_QUIRK_BIT(i)) != 0;
		if (news.uses + news.refused > 0)
			quirk_book_note(&c->quirks, &news);
	}
	mem_free(mail->login);
	mem_free(mail->listener);
}

static void on_lane(struct mailbox_item *item, void *owner)
{
	struct control *c = owner;
	struct relay_mail *mail = relay_mail_of(item);

	switch (mail->kind) {
	case RELAY_MAIL_JOB_PROGRESS:
		schedule_progress(&c->schedule, (struct job_progress *)mail);
		return;
	case RELAY_MAIL_TRACE:
		take_trace(c, (struct relay_mail_trace *)mail);
		break;
	case RELAY_MAIL_QUIRKS:
		take_quirks(c, (struct relay_mail_quirks *)mail);
		break;
	case RELAY_MAIL_LANE_STOPPED:
		c->lanes_running--;
		end_when_idle(c);
		break;
	case RELAY_MAIL_SETUP:
	case RELAY_MAIL_LISTEN:
	case RELAY_MAIL_UNLISTEN:
	case RELAY_MAIL_STOP:
	case RELAY_MAIL_CUT:
	case RELAY_MAIL_WATCH:
	case RELAY_MAIL_JOB:
	case RELAY_MAIL_SLOT_CLOSE:
		assert(!"mail for a lane in control");
	}
	mem_free(mail);
}

static void on_turn_end(void *owner)
{
	struct control *c = owner;

	if (c->lanes)
		schedule_turn_end(&c->schedule);
}

/* ---- start ---- */

static void notice_broken(void *context, uint64_t id, const char *sentence)
{
	struct log_line line;

	(void)context;
	event_begin(&line, EVENT_MESSAGE_BROKEN);
	log_id(&line, "message", id);
	log_text(&line, "text", sentence);
	log_end(&line);
}

static struct spool_store *open_spool(const struct config *config, struct fault *fault)
{
	struct spool_settings settings = {
		.min_free_bytes = config->spool.min_free_bytes,
		.history_ms = config->spool.history_ms,
		.create = true,
		.notice = notice_broken,
	};

	return spool_store_open(config->spool.path, &settings, fault);
}

static void start_services(struct control *c, struct spool_store **store)
{
	struct keeper_settings keeper = {
		.arrivals = schedule_arrivals(&c->schedule),
		.result_delay_ms = RESULT_DELAY_MS,
	};
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned hashers = cores > 2 ? (unsigned)cores / 2 : 1;

	event_sentence(EVENT_STARTED, "%s", spool_store_describe(*store));
	c->services.spool_path = mem_strdup(c->setup->config->spool.path); /* past reloads */
	c->keeper = keeper_start(store, &keeper);
	c->hash_pool = worker_pool_create("hash", hashers, HASH_QUEUE_MAX, HASH_NICE);
	c->checker = account_checker_create(c->hash_pool);
	c->census = account_census_create();
	c->tally = account_tally_create(ACCOUNT_TALLY_KEYS_MAX);
	bans_keeper_start(c);
	c->services.keeper = c->keeper;
	c->services.checker = c->checker;
	c->services.census = c->census;
	c->services.tally = c->tally;
	c->services.file_pool = c->file_pool;
	c->services.hash_pool = c->hash_pool;
	c->services.control = &c->from_lanes.box;
	decoy_key_load(c->setup->config->state.path, c->services.decoy_key);
	worker_pool_limit_shares(c->hash_pool, HASH_SHARE_MAX);
}

static bool start_lanes(struct control *c, uint64_t last_id, struct fault *fault)
{
	unsigned count = c->services.lane_count;
	struct lane **lanes = mem_alloc_array(count, sizeof(struct lane *));

	for (unsigned i = 0; i < count; i++) {
		lanes[i] = lane_start(&c->services, i, last_id, c->setup, fault);
		if (!lanes[i])
			return false;
	}
	c->lanes = lanes;
	c->lanes_running = count;
	return true;
}

static void shut_down(struct control *c)
{
	account_checker_stop(c->checker);
	reload_end(c);
	worker_pool_destroy(&c->hash_pool);
	worker_pool_destroy(&c->file_pool);
	tokens_end(c);
	schedule_workers_ended(&c->schedule); /* before anything could ask for one again */
	inbox_drain(&c->from_lanes);
	keeper_stop(&c->keeper);
	for (unsigned i = 0; i < c->services.lane_count; i++)
		lane_join(&c->lanes[i]);
	account_checker_destroy(&c->checker);
	account_census_destroy(&c->census);
	account_tally_destroy(&c->tally);
	bans_keeper_end(c);
	learned_keeper_end(c);
	schedule_fini(&c->schedule);
}

static void close_loop(struct control *c)
{
	uv_close((uv_handle_t *)&c->on_term, NULL);
	uv_close((uv_handle_t *)&c->on_int, NULL);
	uv_close((uv_handle_t *)&c->on_hup, NULL);
	net_timer_fini(&c->stop_timer);
	net_timer_fini(&c->certificate_timer);
	admin_destroy(&c->admin);
	inbox_close(&c->from_lanes);
	inbox_close(&c->from_loader);
	net_loop_fini(&c->loop);
	while (!list_is_empty(&c->bindings)) {
		struct list *link = list_take_first(&c->bindings);
		mem_free(LIST_ENTRY(link, struct control_binding, link));
	}
	mem_free(c->lanes);
	mem_free((char *)c->services.spool_path);
	quirk_book_fini(&c->quirks);
	mem_free(c->reload_problem);
	setup_unref(&c->setup);
}

static bool prepare(struct control *c, const struct control_options *options, struct fault *fault)
{
	if (!net_loop_init(&c->loop, NULL, on_turn_end, c, fault))
		return false;
	inbox_init(&c->from_lanes, &c->loop.uv, on_lane, c);
	reload_init(c);
	watch_signal(c, &c->on_term, SIGTERM);
	watch_signal(c, &c->on_int, SIGINT);
	watch_signal(c, &c->on_hup, SIGHUP);
	net_timer_init(&c->stop_timer, &c->loop, on_stop_timer, c);
	net_timer_init(&c->certificate_timer, &c->loop, on_certificate_timer, c);
	list_init(&c->bindings);
	c->setup = options->setup;
	c->load = options->load;
	c->load_context = options->load_context;
	c->services.lane_count = options->lane_count;
	c->started_ms = c->reloaded_ms = moment_wall_ms();
	quirk_book_init(&c->quirks, c->started_ms);
	return true;
}

bool control_run(const struct control_options *options, struct fault *fault_out)
{
	struct control control = { 0 };
	struct spool_store *store = open_spool(options->setup->config, fault_out);
	const struct setup *setup = options->setup;
	uint64_t last_id;
	bool good;

	if (!store || !prepare(&control, options, fault_out)) {
		spool_store_close(&store);
		bind_close(options->sockets, options->lane_count);
		setup_unref(&setup);
		return false;
	}
	last_id = spool_store_last_id(store);
	control.services.node = spool_store_node(store);
	control.file_pool = worker_pool_create("file", FILE_WORKERS, FILE_QUEUE_MAX, 0);
	schedule_init(
	    &control.schedule, &control.loop, control.file_pool, control.services.node, last_id);
	reload_watch_refusals(&control);
	start_services(&control, &store);
	good = start_lanes(&control, last_id, fault_out);
	assert(good); /* no threads: the process cannot go on, and has accepted nothing */
	tokens_set(&control);
	schedule_start(&control.schedule, control.keeper, control.lanes,
	    control.services.lane_count, control.setup);
	learned_keeper_start(&control);
	control_hand_out(&control, options->sockets);
	if (options->sockets->admin_fd >= 0)
		control.admin = admin_create(&control, options->sockets->admin_fd);
	certificates_log(control.setup, NULL);
	on_certificate_timer(&control);
	sd_notify(0, "READY=1");
	net_loop_run(&control.loop);
	shut_down(&control);
	event_sentence(EVENT_STOPPED, "everything that was accepted is on disk");
	close_loop(&control);
	return true;
}
