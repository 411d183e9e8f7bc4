/* SPDX-License-Identifier: MIT */
#include "base/memory.h"
#include "base/moment.h"
#include "relay/bind.h"
#include "relay/control_private.h"
#include "relay/events.h"
#include "relay/tokens.h"

#include <string.h>
#include <systemd/sd-daemon.h>

#define PROBLEMS_MAX (256 * 1024)
#define LOAD_QUEUE_MAX 64

enum { LOAD_JOB, PASSWORD_JOB }; /* worker_job.kind */

/* ---- putting in force ---- */

static void refuse_reload(struct control *c, struct buf *problems)
{
	mem_free(c->reload_problem);
	c->reload_problem = buf_take_string(problems);
	event_sentence(
	    EVENT_RELOAD_REFUSED, "the old configuration stays in force: %s", c->reload_problem);
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void log_warnings(struct buf *problems)
{
	struct span text = buf_span(problems), line;

	while (span_take_until(&text, '\n', &line))
		if (span_starts_with(line, SPAN("warning")) ||
		    span_find_span(line, SPAN(": warning:")) < line.len)
			event_sentence(EVENT_CONFIG_WARNING, "%.*s", SPAN_ARG(line));
	buf_clear(problems);
}

/* What is fixed when the relay starts. Said at each reload that would change it: nothing is read
   and then silently not obeyed. */
static void log_what_waits(const struct config *old, const struct config *new)
{
	const struct {
		const char *name;
		bool changed;
	} fixed[] = {
		{ "user", !same(old->user, new->user) },
		{ "lanes", old->lanes != new->lanes },
		{ "spool path", !same(old->spool.path, new->spool.path) },
		{ "spool min-free", old->spool.min_free_bytes != new->spool.min_free_bytes },
		{ "spool history", old->spool.history_ms != new->spool.history_ms },
		{ "state path", !same(old->state.path, new->state.path) },
		{ "admin socket", !same(old->admin.socket, new->admin.socket) },
		{ "admin group", !same(old->admin.group, new->admin.group) },
	};

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		if (fixed[i].changed)
			event_sentence(EVENT_CONFIG_WARNING,
			    "%s has changed: that takes effect at the next start, not at a "
			    "reload",
			    fixed[i].name);
}

static void move_log(const struct config *old, const struct config *new)
{
	struct fault fault;

	if (old->log.target == new->log.target && same(old->log.path, new->log.path) &&
	    old->log.json == new->log.json)
		return;
	if (!log_open(new->log.target, new->log.path, new->log.json, &fault))
		event_sentence(EVENT_CONFIG_WARNING, "the log stays where it is: %s", fault.text);
}

static void put_in_force(struct control *c, const struct setup *setup)
{
	const struct setup *old = c->setup;

	c->setup = setup;
	certificates_log(setup, old);
	control_give_setup(c);
	schedule_set_setup(&c->schedule, setup);
	tokens_set(c);
	setup_unref(&old);
}

/* New sockets are bound before anything changes, so that a port that cannot be had leaves all as it
   was. */
static bool reload_with(struct control *c, const struct setup *setup, struct buf *problems)
{
	struct control_sockets fresh;
	struct fault fault;

	if (!bind_changes(setup->config, c->services.lane_count, &c->bindings, &fresh, &fault)) {
		buf_printf(problems, "%s\n", fault.text);
		return false;
	}
	move_log(c->setup->config, setup->config);
	log_what_waits(c->setup->config, setup->config);
	put_in_force(c, setup);
	control_hand_out(c, &fresh);
	LIST_FOR_EACH_SAFE (position, &c->bindings) {
		struct control_binding *binding =
		    LIST_ENTRY(position, struct control_binding, link);
		if (!binding->wanted)
			control_end_binding(c, binding);
	}
	return true;
}

/* ---- loading ---- */

struct load_job {
	struct worker_job job;
	control_load_fn *load;
	void *load_context;
	const struct setup *previous; /* a reference */
	const struct setup *made;     /* NULL: problems say why */
	struct buf problems;
};

/* In the worker: all that the file names. */
static void run_load(struct worker_job *job)
{
	struct load_job *load = CONTAINER_OF(job, struct load_job, job);
	const struct config *config = load->load(load->load_context, &load->problems);

	if (config)
		load->made = setup_create(config, load->previous, &load->problems);
	if (!load->made)
		config_unref(&config); /* otherwise the setup has taken it */
}

static struct load_job *make_load(struct control *c)
{
	struct load_job *load = MEM_NEW(struct load_job);

	load->job = (struct worker_job){
		.kind = LOAD_JOB,
		.run = run_load,
		.reply_to = &c->from_loader.box,
	};
	load->load = c->load;
	load->load_context = c->load_context;
	load->previous = setup_ref(c->setup);
	buf_init(&load->problems, PROBLEMS_MAX);
	return load;
}

static void destroy_load(struct load_job *load)
{
	setup_unref(&load->previous);
	setup_unref(&load->made);
	buf_fini(&load->problems);
	mem_free(load);
}

void reload_start(struct control *c)
{
	struct load_job *load;

	if (c->loading || c->stopping) {
		c->load_again = true;
		return;
	}
	load = make_load(c);
	if (!worker_pool_submit(c->load_pool, &load->job)) {
		destroy_load(load); /* passwords are being looked at: they come first */
		c->load_again = true;
		return;
	}
	sd_notify(0, "RELOADING=1");
	c->loading = true;
	c->load_again = false;
}

static void take_load(struct control *c, struct load_job *load)
{
	const struct setup *setup = load->made;

	if (setup && reload_with(c, setup, &load->problems)) {
		load->made = NULL; /* taken */
		log_warnings(&load->problems);
		mem_free(c->reload_problem);
		c->reload_problem = NULL;
		c->reloaded_ms = moment_wall_ms();
		event_sentence(EVENT_RELOADED, "%s is in force", setup->config->file);
	} else {
		refuse_reload(c, &load->problems);
	}
	sd_notify(0, "READY=1");
}

/* ---- passwords ---- */

struct password_job {
	struct worker_job job;
	const struct setup *setup; /* a reference */
	const struct setup_account *account;
	bool stale;
};

static void run_password(struct worker_job *job)
{
	struct password_job *check = CONTAINER_OF(job, struct password_job, job);

	check->stale = setup_account_is_stale(check->account);
}

static void destroy_password(struct password_job *check)
{
	setup_unref(&check->setup);
	mem_free(check);
}

/* A hop has refused the password: perhaps it was changed there, and here in its file or store. At
   most as often as the hop is tried, which is once a minute and less. */
static void on_refused(void *owner, const struct setup_account *account)
{
	struct control *c = owner;
	struct password_job *check;

	if (account->password.len == 0 || c->loading || c->stopping)
		return;
	check = MEM_NEW(struct password_job);
	check->job = (struct worker_job){
		.kind = PASSWORD_JOB,
		.run = run_password,
		.reply_to = &c->from_loader.box,
	};
	check->setup = setup_ref(c->setup);
	check->account = account;
	if (!worker_pool_submit(c->load_pool, &check->job))
		destroy_password(check);
}

static void take_password(struct control *c, const struct password_job *check)
{
	const struct config_account *account = check->account->config;

	if (!check->stale || check->setup != c->setup)
		return;
	event_sentence(EVENT_PASSWORD_CHANGED,
	    "the password of account %s is another one now than the one refused; reloading",
	    account->label ? account->label : account->login);
	reload_start(c);
}

/* ---- the worker ---- */

static void on_loader(struct mailbox_item *item, void *owner)
{
	struct control *c = owner;
	struct worker_job *job = WORKER_JOB_OF(item);
	struct password_job *check;
	struct load_job *load;

	if (job->kind == LOAD_JOB) {
		load = CONTAINER_OF(job, struct load_job, job);
		c->loading = false;
		if (!c->stopping)
			take_load(c, load);
		destroy_load(load);
	} else {
		check = CONTAINER_OF(job, struct password_job, job);
		if (!c->stopping)
			take_password(c, check);
		destroy_password(check);
	}
	if (c->load_again && !c->loading && !c->stopping)
		reload_start(c);
}

void reload_init(struct control *c)
{
	inbox_init(&c->from_loader, &c->loop.uv, on_loader, c);
	c->load_pool = worker_pool_create("load", 1, LOAD_QUEUE_MAX, 0);
}

void reload_watch_refusals(struct control *c)
{
	c->schedule.on_refused = on_refused;
	c->schedule.refused_owner = c;
}

void reload_end(struct control *c)
{
	worker_pool_destroy(&c->load_pool);
	inbox_drain(&c->from_loader);
}
