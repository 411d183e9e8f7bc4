/* SPDX-License-Identifier: MIT */
#include "base/moment.h"
#include "relay/admin_client.h"
#include "relay/admin_json.h"
#include "relay/follow.h"

#include <stdio.h>

/*
 * `frank trace --follow`: the lines that a client wants, as they come. While the client reads too
 * slowly, lines are dropped and counted; once it has room again it is told how many are missing.
 */

#define UNREAD_MAX (512u * 1024) /* then lines are dropped */

static size_t unread(const struct admin_client *client)
{
	return conn_output_pending(client->conn) + client->out.len;
}

static void tell_dropped(struct admin_client *client)
{
	char text[128];

	if (client->dropped == 0)
		return;
	snprintf(text, sizeof(text),
	    "%ju lines were left out: they came faster than they were read",
	    (uintmax_t)client->dropped);
	client->dropped = 0;
	admin_say(client, json_pack("{s:s}", "note", text));
}

/* Of content only the size is known. */
static json_t *text_json(const struct trace_line *line)
{
	if (!line->note && line->kind == SMTP_LINE_KIND_CONTENT)
		return json_sprintf("[content, %s octets]", line->text);
	return admin_json_text(span_from_string(line->text));
}

static json_t *line_json(const struct trace_line *line)
{
	json_t *object = json_object();
	char text[MOMENT_TEXT_MAX];
	bool from_client = line->sent == (line->role == TRACE_ROLE_CLIENT);

	json_object_set_new(
	    object, "time", json_string(moment_format_rfc3339_ms(line->wall_ms, text)));
	admin_json_set_number(object, "dialogue", line->dialogue);
	json_object_set_new(
	    object, "role", json_string(line->role == TRACE_ROLE_SERVER ? "server" : "client"));
	json_object_set_new(object, "from",
	    json_string(line->note    ? "note"
			: from_client ? "client"
				      : "server"));
	admin_json_set_text(object, "mark", span_trim(span_from_string(trace_line_mark(line))));
	json_object_set_new(object, "tls", json_boolean(line->tls_active));
	admin_json_set_string(object, "peer", line->peer);
	admin_json_set_string(object, "login", line->login);
	admin_json_set_string(object, "hop", line->hop);
	admin_json_set_id(object, "message", line->message);
	json_object_set_new(object, "text", text_json(line));
	return object;
}

static void show(void *context, const struct trace_line *line)
{
	struct admin_client *client = context;

	if (unread(client) > UNREAD_MAX) {
		client->dropped++;
		return;
	}
	if (client->dropped > 0 && unread(client) > UNREAD_MAX / 2) {
		client->dropped++; /* not in and out at the brim */
		return;
	}
	tell_dropped(client);
	admin_say(client, json_pack("{s:o}", "line", line_json(line)));
}

void admin_follow_line(struct admin_client *client, const struct trace_line *line)
{
	follow_line(client->follow, line, show, client);
}

static void count_follower(struct admin *admin, int change)
{
	admin->follower_count = (unsigned)((int)admin->follower_count + change);
	control_set_watchers(admin->control, admin->follower_count);
}

void admin_follow_leave(struct admin_client *client)
{
	if (!client->follow)
		return;
	follow_destroy(&client->follow);
	if (!client->admin->closing)
		count_follower(client->admin, -1);
}

void admin_follow(struct admin_client *client, const char *verb, const json_t *request)
{
	struct span who, login, hop, message;
	struct fault fault;

	(void)verb;
	if (!admin_json_get_text(request, "client", &who) ||
	    !admin_json_get_text(request, "login", &login) ||
	    !admin_json_get_text(request, "hop", &hop) ||
	    !admin_json_get_text(request, "message", &message)) {
		admin_fail(client, 2, "client, login, hop and message must be texts");
		return;
	}
	client->follow = follow_create(who, login, hop, message, &fault);
	if (client->follow)
		count_follower(client->admin, 1);
	else
		admin_fail(client, 2, "%s", fault.text);
}
