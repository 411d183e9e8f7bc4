/* SPDX-License-Identifier: MIT */
#include "base/moment.h"
#include "relay/admin_client.h"
#include "relay/admin_json.h"
#include "relay/admin_token.h"

#include <stdio.h>
#include <unistd.h>

/*
 * `frank status`: how the relay is, from control's own memory and what the store last said. It
 * asks for a fresh look at the store and waits a short while for it: a spool that does not answer
 * is news too.
 */

#define SPOOL_ANSWER_MS 3000
#define CERTIFICATE_WARN_MS (14 * 24 * 3600 * 1000ll)

struct status {
	struct control *control;
	int64_t now_ms;
	json_t *problems; /* sentences: why a human is needed */
};

static void add_problem(struct status *status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_problem(struct status *status, const char *format, ...)
{
	char text[2048];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	json_array_append_new(status->problems, admin_json_text(span_from_string(text)));
}

/* ---- sessions ---- */

static json_t *listeners_json(struct control *c)
{
	json_t *array = json_array();

	LIST_FOR_EACH (position, &c->bindings) {
		const struct control_binding *binding =
		    LIST_ENTRY(position, struct control_binding, link);
		json_t *object = json_object();
		admin_json_set_string(object, "listener", binding->label);
		admin_json_set_string(object, "address", binding->text);
		admin_json_set_number(object, "sessions",
		    account_census_listener(c->census, span_from_string(binding->label)));
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *sessions_json(struct control *c)
{
	struct account_census_totals totals = account_census_totals(c->census);
	json_t *object = json_object();

	admin_json_set_number(object, "now", totals.connections);
	admin_json_set_number(object, "addresses", totals.addresses);
	admin_json_set_number(object, "since_start", totals.entered);
	admin_json_set_number(object, "refused", totals.refused);
	json_object_set_new(object, "listeners", listeners_json(c));
	return object;
}

/* ---- the queue ---- */

/* A short rest after a first failure is no pause that anybody needs to hear of. */
static bool is_in_trouble(const struct hop *hop)
{
	return hop->pauses > 0 && hop->why[0] != '\0';
}

static json_t *hop_json(struct status *status, const struct hop *hop)
{
	json_t *object = json_object();

	admin_json_set_string(object, "hop", hop->key);
	admin_json_set_number(object, "waiting", hop->waiting);
	admin_json_set_number(object, "held", hop->held);
	admin_json_set_number(object, "active", hop->ready_count + hop->out);
	admin_json_set_number(object, "connections", hop->slot_count);
	if (hop->waiting + hop->held > 0 && hop->oldest_ms != 0) {
		admin_json_set_time(object, "oldest", hop->oldest_ms);
		admin_json_set_duration(object, "oldest_age", status->now_ms - hop->oldest_ms);
	}
	if (hop->why[0] == '\0')
		return object;
	admin_json_set_time(object, "paused_until",
	    schedule_pause_ends_ms(&status->control->schedule, hop));
	admin_json_set_string(object, "why", hop->why);
	if (is_in_trouble(hop))
		add_problem(status, "%s is paused: %s", hop->key, hop->why);
	return object;
}

static bool is_worth_showing(const struct hop *hop)
{
	return hop->waiting + hop->held + hop->ready_count + hop->out > 0 || hop->why[0] != '\0';
}

static json_t *hops_json(struct status *status)
{
	json_t *array = json_array();

	LIST_FOR_EACH (position, &status->control->schedule.hop_list) {
		const struct hop *hop = LIST_ENTRY(position, struct hop, link);
		if (is_worth_showing(hop))
			json_array_append_new(array, hop_json(status, hop));
	}
	return array;
}

static void set_oldest(struct status *status, json_t *object)
{
	int64_t oldest = 0;

	LIST_FOR_EACH (position, &status->control->schedule.hop_list) {
		const struct hop *hop = LIST_ENTRY(position, struct hop, link);
		if (hop->waiting + hop->held > 0 && hop->oldest_ms != 0 &&
		    (oldest == 0 || hop->oldest_ms < oldest))
			oldest = hop->oldest_ms;
	}
	admin_json_set_time(object, "oldest", oldest);
	if (oldest != 0)
		admin_json_set_duration(object, "oldest_age", status->now_ms - oldest);
}

static json_t *queue_json(struct status *status)
{
	const struct spool_stats *stats = &status->control->schedule.stats;
	json_t *object = json_object();

	admin_json_set_number(object, "messages", stats->messages);
	admin_json_set_number(object, "deliveries", stats->deliveries);
	admin_json_set_number(object, "active", stats->in_hand);
	admin_json_set_number(object, "held", stats->held);
	admin_json_set_number(object, "broken", stats->broken);
	admin_json_set_number(object, "size", stats->body_bytes);
	set_oldest(status, object);
	if (stats->held > 0)
		add_problem(status, "%ju deliveries are held: frank queue list --state held",
		    (uintmax_t)stats->held);
	if (stats->broken > 0)
		add_problem(status,
		    "%ju messages are damaged and set aside: "
		    "frank queue list --state broken",
		    (uintmax_t)stats->broken);
	return object;
}

/* ---- what it takes ---- */

static json_t *memory_json(const struct schedule *s)
{
	json_t *object = json_object();

	admin_json_set_number(object, "deliveries", s->hand_count);
	admin_json_set_number(object, "deliveries_max", SCHEDULE_HAND_MAX);
	admin_json_set_number(object, "bodies", s->body_bytes);
	admin_json_set_number(object, "bodies_max", SCHEDULE_BODIES_MAX);
	admin_json_set_number(object, "uncommitted", s->uncommitted);
	admin_json_set_number(object, "uncommitted_max", SCHEDULE_UNCOMMITTED_MAX);
	return object;
}

static json_t *disk_json(struct status *status)
{
	const struct control *c = status->control;
	const struct spool_stats *stats = &c->schedule.stats;
	uint64_t min_free = c->setup->config->spool.min_free_bytes;
	json_t *object = json_object();

	admin_json_set_string(object, "path", c->setup->config->spool.path);
	admin_json_set_number(object, "free", stats->disk_free_bytes);
	admin_json_set_number(object, "total", stats->disk_total_bytes);
	admin_json_set_number(object, "min_free", min_free);
	admin_json_set_number(object, "segments", stats->segments);
	admin_json_set_number(object, "segment_bytes", stats->segment_bytes);
	if (stats->disk_total_bytes > 0 && stats->disk_free_bytes < min_free)
		add_problem(status,
		    "the disk of %s has %ju MiB free, less than min-free "
		    "(%ju MiB): new mail is refused",
		    c->setup->config->spool.path, (uintmax_t)(stats->disk_free_bytes >> 20),
		    (uintmax_t)(min_free >> 20));
	return object;
}

static void judge_certificate(struct status *status, const struct tls_certificate_info *info)
{
	int64_t left = info->expires_ms - status->now_ms;
	char text[MOMENT_TEXT_MAX];

	if (left <= 0)
		add_problem(status, "the certificate %s has expired on %s", info->path,
		    moment_format_rfc3339(info->expires_ms, text));
	else if (left < CERTIFICATES_WARN_MS)
		add_problem(status, "the certificate %s expires in %s", info->path,
		    moment_format_duration(left, text));
}

static json_t *certificates_json(struct status *status)
{
	struct tls_certificate_info info;
	json_t *array = json_array();
	size_t position = 0;

	while (certificates_next(status->control->setup, &position, &info)) {
		json_t *object = json_object();
		admin_json_set_string(object, "file", info.path);
		admin_json_set_string(object, "kind", info.kind);
		admin_json_set_time(object, "expires", info.expires_ms);
		admin_json_set_string(object, "fingerprint", info.fingerprint);
		json_array_append_new(array, object);
		judge_certificate(status, &info);
	}
	return array;
}

/* A provider that is down for a while is no news yet; one that stays so while no token is left is.
 */
#define TOKEN_PATIENCE_MS (5 * 60 * 1000)

static void judge_token(struct status *status, const struct oauth_report *report)
{
	bool late = report->state == OAUTH_TOKEN_PENDING && report->last_error &&
		    status->now_ms - report->expires_ms > TOKEN_PATIENCE_MS;

	if (report->dead || late)
		add_problem(status, "account %s: %s", report->label, report->last_error);
}

static json_t *tokens_json(struct status *status)
{
	struct oauth_keeper *keeper = status->control->tokens;
	json_t *array = json_array();
	struct oauth_report report;

	for (size_t i = 0; oauth_keeper_report(keeper, i, &report); i++) {
		json_array_append_new(array, admin_token_json(&report));
		judge_token(status, &report);
	}
	return array;
}

/* ---- the whole ---- */

static void set_process(struct status *status, json_t *object)
{
	struct control *c = status->control;

	admin_json_set_string(object, "version", FRANK_VERSION);
	admin_json_set_number(object, "pid", (uint64_t)getpid());
	admin_json_set_string(object, "state", c->stopping ? "stopping" : "running");
	admin_json_set_time(object, "started", c->started_ms);
	admin_json_set_duration(object, "uptime", status->now_ms - c->started_ms);
	admin_json_set_string(object, "config", c->setup->config->file);
	admin_json_set_time(object, "loaded", c->reloaded_ms);
	admin_json_set_string(object, "reload_problem", c->reload_problem);
	if (c->reload_problem)
		add_problem(status, "the last reload was refused; the configuration of before is "
				    "in force");
}

static json_t *status_json(struct status *status)
{
	struct control *c = status->control;
	json_t *object = json_object();

	set_process(status, object);
	json_object_set_new(object, "sessions", sessions_json(c));
	json_object_set_new(object, "queue", queue_json(status));
	json_object_set_new(object, "hops", hops_json(status));
	json_object_set_new(object, "memory", memory_json(&c->schedule));
	json_object_set_new(object, "disk", disk_json(status));
	json_object_set_new(object, "certificates", certificates_json(status));
	if (c->tokens)
		json_object_set_new(object, "tokens", tokens_json(status));
	return object;
}

static void answer(struct admin_client *client, const char *spool_problem)
{
	struct control *c = client->admin->control;
	struct status status = { c, net_loop_wall_ms(&c->loop), json_array() };
	json_t *object;
	bool fine;

	if (spool_problem)
		add_problem(&status, "%s", spool_problem);
	object = status_json(&status);
	fine = json_array_size(status.problems) == 0;
	json_object_set_new(object, "problems", status.problems);
	admin_say(client, json_pack("{s:o}", "status", object));
	admin_end(client, fine ? 0 : 1);
}

static bool run_nothing(struct keeper_query *query, struct spool_store *store, struct fault *fault)
{
	(void)query;
	(void)store;
	(void)fault;
	return true;
}

static void on_answered(struct admin_question *question)
{
	struct admin_client *client = question->client;

	if (client) {
		net_timer_stop(&client->timer);
		answer(client, question->query.ok ? NULL : question->query.fault.text);
	}
	mem_free(question);
}

static void on_late(void *owner)
{
	struct admin_client *client = owner;

	client->question->client = NULL;
	client->question = NULL;
	answer(client, "the spool does not answer: its disk is slow, or hangs");
}

/* The schedule's look at the store stands before our question in the keeper's mailbox. */
void admin_status(struct admin_client *client, const char *verb, const json_t *request)
{
	struct admin_question *question = MEM_NEW(struct admin_question);

	(void)verb;
	(void)request;
	schedule_survey(&client->admin->control->schedule);
	net_timer_init(&client->timer, &client->admin->control->loop, on_late, client);
	net_timer_start(&client->timer, SPOOL_ANSWER_MS);
	admin_ask(client, question, run_nothing, on_answered);
}
