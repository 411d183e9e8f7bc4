/* SPDX-License-Identifier: MIT */
#include "relay/admin_token.h"

#include "relay/admin_client.h"
#include "relay/admin_json.h"

/*
 * `frank token list`, and the tokens of `frank status`. Never a token itself.
 */

static const char *const state_names[] = {
	[OAUTH_TOKEN_VALID] = "valid",
	[OAUTH_TOKEN_PENDING] = "pending",
	[OAUTH_TOKEN_BROKEN] = "broken",
};

json_t *admin_token_json(const struct oauth_report *report)
{
	json_t *object = json_object(), *error;

	admin_json_set_string(object, "account", report->label);
	admin_json_set_string(object, "login", report->login);
	admin_json_set_string(object, "flow", oauth_flow_name(report->flow));
	admin_json_set_string(object, "provider", report->provider);
	admin_json_set_string(object, "state", state_names[report->state]);
	if (report->dead)
		json_object_set_new(object, "dead", json_true());
	admin_json_set_time(object, "expires", report->expires_ms);
	admin_json_set_time(object, "last_refresh", report->refreshed_ms);
	admin_json_set_time(object, "signed_in", report->signed_in_ms);
	admin_json_set_time(object, "next_try", report->next_try_ms);
	if (!report->last_error)
		return object;
	error = json_object();
	admin_json_set_time(error, "time", report->last_error_ms);
	admin_json_set_string(error, "text", report->last_error);
	json_object_set_new(object, "last_error", error);
	return object;
}

void admin_token(struct admin_client *client, const char *verb, const json_t *request)
{
	struct oauth_keeper *keeper = client->admin->control->tokens;
	struct oauth_report report;
	bool fine = true;

	(void)verb;
	(void)request;
	for (size_t i = 0; keeper && oauth_keeper_report(keeper, i, &report); i++) {
		fine = fine && !report.dead;
		admin_say(client, json_pack("{s:o}", "token", admin_token_json(&report)));
	}
	admin_end(client, fine ? 0 : 1);
}
