/* SPDX-License-Identifier: MIT */
#include "smtp/server_private.h"

#include <assert.h>

enum { SHOWN_MAX = 100 };

bool smtp_server_may_xclient(struct smtp_server *s)
{
	if (!s->xclient_allowed)
		smtp_server_error(s, SMTP_REPLY_POLICY_REFUSED, "XCLIENT is not for your address");
	return s->xclient_allowed;
}

void smtp_server_handle_xclient(struct smtp_server *s, const struct smtp_command *command)
{
	struct smtp_server_event event = { .kind = SMTP_SERVER_XCLIENT };
	struct span wrong;

	if (smtp_xclient_parse(command->arguments, &event.xclient, &wrong)) {
		s->owed = SMTP_OWED_XCLIENT;
		smtp_server_push(s, &event);
	} else if (wrong.len == 0) {
		smtp_server_error(
		    s, SMTP_REPLY_ARGUMENTS, "XCLIENT needs attributes: " SMTP_XCLIENT_ATTRIBUTES);
	} else {
		wrong = wrong.len > SHOWN_MAX ? span_head(wrong, SHOWN_MAX) : wrong;
		smtp_server_error(s, SMTP_REPLY_ARGUMENTS,
		    "%.*s cannot be understood; known are " SMTP_XCLIENT_ATTRIBUTES,
		    SPAN_ARG(wrong));
	}
}

void smtp_server_allow_xclient(struct smtp_server *s, bool allowed)
{
	s->xclient_allowed = allowed;
}

void smtp_server_become(
    struct smtp_server *s, const struct smtp_server_settings *settings, bool authenticated)
{
	assert(s->owed == SMTP_OWED_XCLIENT);
	s->owed = SMTP_OWED_NOTHING;
	s->settings = settings;
	s->allowed |= settings->quirks;
	s->extended = s->hello_done = false;
	s->authenticated = authenticated;
	s->hello_name[0] = '\0';
	s->phase = SMTP_PHASE_START;
	smtp_server_greet(s);
}
